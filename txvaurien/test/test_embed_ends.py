"""`chaos_proxy`: what is told of faults that have ended, however that came."""

from __future__ import annotations

from txvaurien.embed import Isolation
from txvaurien.test.embedded_support import EchoCase, is_refused, say


class EndsTests(EchoCase):
    """In a thread."""

    def test_reset_in_the_block(self) -> None:
        """A fault that a reset has removed is still asked how often it has fired."""
        proxy = self.start()
        with proxy.behavior("delay", sleep=0) as fault:
            say(self.client(proxy), b"one")
            proxy.reset()
            self.assertEqual(fault.fired, 1)
        self.assertEqual((fault.fired, len(fault.exchanges)), (1, 1))

    def test_closed_in_the_block(self) -> None:
        """The blocks of a proxy that has been closed in them end as others do."""
        proxy = self.start()
        with (
            proxy.behavior("hang"),
            proxy.toxic("latency"),
            proxy.kill(),
            proxy.repoint("[::1]:1"),
            proxy.pause(),
        ):
            proxy.close()
        self.assertFalse(proxy.running)

    def test_started_again_in_the_block(self) -> None:
        """What stood in a proxy that was closed ends nothing in the one that was started then."""
        proxy = self.start()
        with proxy.kill():
            proxy.close()
            proxy.start()
            proxy.kill()
        self.assertTrue(is_refused(proxy))

    def test_name_used_again(self) -> None:
        """Faults that had the same name, one after the other, each have their own exchanges."""
        proxy = self.start()
        client = self.client(proxy)
        faults = []
        for number in range(3):
            with proxy.behavior("delay", sleep=0) as fault:
                say(client, b"%d" % number)
                faults.append(fault)
        self.assertEqual(len({fault.name for fault in faults}), 1)
        self.assertEqual([len(fault.exchanges) for fault in faults], [1, 1, 1])

    def test_nested(self) -> None:
        """Of two blocks of one kind the outer one ends it."""
        proxy = self.start()
        with proxy.kill():
            with proxy.kill():
                pass
            self.assertTrue(is_refused(proxy))
        self.assertFalse(is_refused(proxy))
        with proxy.pause():
            with proxy.pause():
                pass
            self.assertEqual(len(proxy.commands.toxics()), 2)
        self.assertEqual(proxy.commands.toxics(), [])


class ProcessEndsTests(EndsTests):
    """In a process."""

    isolation: Isolation = "process"
