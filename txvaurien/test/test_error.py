"""error and transient."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.error import NOISE, Error, Injection
from txvaurien.behaviors.transient import Transient
from txvaurien.errors import ConfigError
from txvaurien.model import Hook
from txvaurien.plan import Plan
from txvaurien.protocols.tcp import Tcp
from txvaurien.test.lines import Lines
from txvaurien.test.memory import MemoryProxy
from txvaurien.testing.behaviors import BehaviorLaws


class ErrorTests(BehaviorLaws, SynchronousTestCase):
    """Errors in place of the backend."""

    examples = (Error(), Error(kind="no", text="really", warmup=3), Error(garbage=True), Error(inject=True))

    def test_kind(self) -> None:
        """The kind that was named, in the protocol's words."""
        proxy = MemoryProxy(Error(kind="no", text=" no no"))
        client, backend = proxy.pair()
        client.says(b"get a\n")
        self.assertEqual((client.received, backend.received), (b"-no no no\n", b""))

    def test_any(self) -> None:
        """Drawn with the seed, among the kinds that any server could say here."""
        seen: list[bytes] = []
        for _ in range(2):
            answers = b""
            for link in range(20):
                proxy = MemoryProxy(Plan.only(Error(), seed=link))
                client, _ = proxy.pair()
                client.says(b"get a\n")
                answers += client.received
            seen.append(answers)
        self.assertEqual(seen[0], seen[1])
        self.assertEqual(set(seen[0].split()), {b"-no", b"-bye"})

    def test_unknown_kind(self) -> None:
        """Refused when it is set, with the names that there are."""
        error = self.assertRaises(ConfigError, Error(kind="nope").acts, Lines())
        self.assertIn("any, bye, full, gone, no, undo, who", str(error))
        self.assertRaises(ConfigError, Error(garbage=True, inject=True).acts, Lines())

    def test_connect_kind(self) -> None:
        """A kind that is said on connect: in place of being served."""
        proxy = MemoryProxy(Error(kind="full"))
        client = proxy.client()
        self.assertEqual((client.received, client.ended, proxy.reactor.tcpClients), (b"-full\n", "fin", []))
        self.assertEqual(Error(kind="full").acts(Lines()), {Hook.CONNECT})

    def test_warmup(self) -> None:
        """So many exchanges pass first, over all links of the proxy."""
        proxy = MemoryProxy(Error(kind="no", warmup=2))
        for number in range(3):
            client, _ = proxy.pair()
            client.says(b"get a\n")
            self.assertEqual(client.received, b"-no\n" if number == 2 else b"")

    def test_garbage(self) -> None:
        """Random bytes, the same for the same seed, then FIN; in turn."""
        answers = set()
        for _ in range(2):
            proxy = MemoryProxy(Error(garbage=True))
            client, _ = proxy.pair()
            client.says(b"get a\n")
            answers.add(client.received)
            self.assertEqual((len(client.received), client.ended), (NOISE, "fin"))
        self.assertEqual(len(answers), 1)

    def test_inject(self) -> None:
        """A hundred random bytes in the middle of the real reply; the link goes on."""
        proxy = MemoryProxy(Error(inject=True))
        client, backend = proxy.pair()
        client.says(b"get a\n")
        backend.says(b"abcd\n")
        self.assertEqual((client.received[:2], client.received[-3:]), (b"ab", b"cd\n"))
        self.assertEqual(len(client.received), 5 + NOISE)
        proxy.proxy.set_plan(Plan())
        client.says(b"get b\n")
        backend.says(b"2\n")
        self.assertTrue(client.received.endswith(b"cd\n2\n"))

    def test_injection_once(self) -> None:
        """Only the first frame of a reply gets the noise."""
        inject = Injection(b"xx")
        self.assertEqual([inject(b"abc"), inject(b"def")], [b"axxbc", b"def"])

    def test_does_not_fit(self) -> None:
        """Where the kind cannot be said the exchange passes, and the count is given back."""
        proxy = MemoryProxy(Transient(kind="reset"), Tcp())
        client, _ = proxy.pair()
        client.says(b"a")
        proxy.pass_time()
        self.assertEqual(client.ended, "rst")


class TransientTests(BehaviorLaws, SynchronousTestCase):
    """Errors at first."""

    examples = (Transient(), Transient(agitate=3, warmup=1, kind="no"))

    def test_agitate(self) -> None:
        """So many fail, then all is well."""
        proxy = MemoryProxy(Transient(kind="no", agitate=2))
        client, backend = proxy.pair()
        client.says(b"get a\nget b\nget c\n")
        backend.says(b"3\n")
        self.assertEqual(client.received, b"-no\n-no\n3\n")

    def test_again(self) -> None:
        """Each time it is set the count begins from zero."""
        proxy = MemoryProxy(Transient(kind="no"))
        client, backend = proxy.pair()
        client.says(b"get a\nget b\n")
        proxy.proxy.set_plan(Plan.only(Transient(kind="no")))
        client.says(b"get c\n")
        backend.says(b"2\n")
        self.assertEqual(client.received, b"-no\n2\n-no\n")

    def test_misfire_does_not_count(self) -> None:
        """A kind that cannot be said at this point has not fired: the next one gets it."""
        proxy = MemoryProxy(Transient(kind="no"))
        client, backend = proxy.pair()
        link = proxy.links[1]
        nothing_legal = self.patch(link.session, "legal", lambda exchange: ())
        client.says(b"get a\n")
        nothing_legal.restore()
        client.says(b"get b\n")
        self.assertEqual(backend.received, b"get a\n")
        backend.says(b"1\n")
        self.assertEqual(client.received, b"1\n-no\n")
