"""`ChaosProxy.wait_for_links`: how many links there are, awaited."""

from __future__ import annotations

import asyncio
import threading

from txvaurien import AsyncChaosProxy, LinksDiffer, VaurienError
from txvaurien.embed import Isolation
from txvaurien.embedded.links import LinkInfo
from txvaurien.test.embedded_support import EchoCase, dial, say


class WaitForLinksTests(EchoCase):
    """In a thread."""

    def test_none(self) -> None:
        """It returns when the last link has ended, and at once where there is none."""
        proxy = self.start()
        self.assertEqual(proxy.wait_for_links(timeout=0), [])
        with dial(proxy) as client:
            say(client, b"one")
        self.assertEqual(proxy.wait_for_links(timeout=30), [])

    def test_so_many(self) -> None:
        """It returns the links, when they are as many as were asked for."""
        proxy = self.start()
        clients = [self.client(proxy) for _ in range(3)]
        links = proxy.wait_for_links(3, timeout=30)
        ports = {f"127.0.0.1:{client.getsockname()[1]}" for client in clients}
        self.assertEqual({link.address for link in links}, ports)

    def test_come_later(self) -> None:
        """It waits for those that are to come."""
        proxy = self.start()
        found: list[list[LinkInfo]] = []
        waiting = threading.Thread(target=lambda: found.append(proxy.wait_for_links(1, timeout=30)))
        waiting.start()
        say(self.client(proxy), b"one")
        waiting.join(60)
        self.assertEqual([len(links) for links in found], [1])

    def test_too_many(self) -> None:
        """An error says how many there are, and whose; it is a TimeoutError."""
        proxy = self.start()
        for _ in range(2):
            say(self.client(proxy), b"one")
        error: LinksDiffer = self.assertRaises(LinksDiffer, proxy.wait_for_links, 0, 0)
        self.assertIn("there are 2 links after 0 seconds, not 0: 127.0.0.1:", str(error))
        self.assertEqual(len(error.links), 2)
        self.assertTrue(isinstance(error, TimeoutError))

    def test_too_few(self) -> None:
        """More than there are is an error as well."""
        error = self.assertRaises(LinksDiffer, self.start().wait_for_links, 1, timeout=0)
        self.assertEqual(str(error), "there are 0 links after 0 seconds, not 1")

    def test_closed_meanwhile(self) -> None:
        """Who waits for links of a proxy that is closed is told."""
        proxy = self.start()
        proxy.close()
        self.assertRaises(VaurienError, proxy.wait_for_links, 1, timeout=3600)

    def test_awaited(self) -> None:
        """The same for coroutines."""

        async def main(proxy: AsyncChaosProxy) -> None:
            self.assertEqual(await proxy.wait_for_links(), [])
            with self.assertRaises(LinksDiffer):
                await proxy.wait_for_links(1, timeout=0)

        asyncio.run(main(self.start().awaitable()))


class ProcessWaitForLinksTests(WaitForLinksTests):
    """In a process."""

    isolation: Isolation = "process"
