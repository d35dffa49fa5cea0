"""memcache on a link: answers of the proxy take their turn among replies that may not come."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.base import Behavior
from txvaurien.behaviors.blackout import Blackout
from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.error import Error
from txvaurien.behaviors.truncate import Truncate
from txvaurien.plan import Plan
from txvaurien.protocols.memcache import Memcache, MemcacheFactory
from txvaurien.protocols.memcache.binary import BinaryDialect
from txvaurien.rules import Rule
from txvaurien.test.memcache_samples import GET, GETKQ, NOOP, SETQ, STORE, ask, tell, text_set, text_value
from txvaurien.test.memory import MemoryProxy, MemoryTransport

NUDGED = b"\x81" + BinaryDialect.no_op[1:]


def proxy(behavior: Behavior, *verbs: str, target: str = "") -> MemoryProxy:
    """A proxy with one rule."""
    rule = Rule(behavior, verbs=frozenset(verbs), target=target)
    return MemoryProxy(Plan(rules=(rule,), seed=1), Memcache())


class TextTests(SynchronousTestCase):
    """The text protocol."""

    def pair(
        self, behavior: Behavior, *verbs: str, target: str = ""
    ) -> tuple[MemoryTransport, MemoryTransport]:
        """A client and a backend with a rule between them."""
        self.memory = proxy(behavior, *verbs, target=target)
        return self.memory.pair()

    def test_refused_in_a_pipeline(self) -> None:
        """A refusal waits for the replies before it, and goes before those after it."""
        client, backend = self.pair(Error(kind="miss"), target="b")
        client.says(b"get a\r\nget b\r\nget c\r\n")
        self.assertEqual(backend.received, b"get a\r\nget c\r\n")
        self.assertEqual(client.received, b"")
        backend.says(text_value(b"a", b"1") + b"END\r\n")
        self.assertEqual(client.received, text_value(b"a", b"1") + b"END\r\nEND\r\n")
        backend.says(b"END\r\n")
        self.assertTrue(client.received.endswith(b"END\r\nEND\r\nEND\r\n"))

    def test_refused_after_quiet(self) -> None:
        """What may be silent is followed by a no-op of the proxy's; the client does not see its answer."""
        client, backend = self.pair(Error(kind="server-error"), "MN")
        client.says(b"mg a v q k\r\nmg b v q k\r\nmn\r\n")
        self.assertEqual(backend.received, b"mg a v q k\r\nmg b v q k\r\nmn\r\n")
        backend.says(b"VA 1 ka\r\n2\r\n")
        self.assertEqual(client.received, b"VA 1 ka\r\n2\r\n")
        backend.says(b"MN")
        backend.says(b"\r\n")
        self.assertEqual(client.received, b"VA 1 ka\r\n2\r\nSERVER_ERROR backend failure\r\n")

    def test_answer_after_quiet_that_speaks(self) -> None:
        """It need not wait for that answer if the last of the quiet requests is answered."""
        client, backend = self.pair(Error(kind="server-error"), "MN")
        client.says(b"mg a v q k\r\nmg b v q k\r\nmn\r\n")
        backend.says(b"VA 1 kb\r\n2\r\n")
        self.assertEqual(client.received, b"VA 1 kb\r\n2\r\nSERVER_ERROR backend failure\r\n")
        backend.says(b"MN\r\n")
        client.says(b"get a\r\n")
        backend.says(b"END\r\n")
        self.assertEqual(client.received, b"VA 1 kb\r\n2\r\nSERVER_ERROR backend failure\r\nEND\r\n")

    def test_garbage_after_quiet(self) -> None:
        """The same for an answer that is no refusal."""
        client, backend = self.pair(Error(garbage=True), "MN")
        client.says(b"ms a 1 q\r\n1\r\nmn\r\n")
        self.assertEqual(backend.received, b"ms a 1 q\r\n1\r\nmn\r\n")
        backend.says(b"MN\r\n")
        self.assertEqual((len(client.received), client.ended), (100, "fin"))

    def test_no_op_and_no_rule(self) -> None:
        """The answer to the no-op is kept from the client also when the rule is gone by then."""
        client, backend = self.pair(Error(kind="server-error"), "MN")
        client.says(b"mg a v q\r\nmn\r\n")
        self.memory.proxy.set_plan(Plan())
        client.says(b"get b\r\n")
        backend.says(b"MN\r\nEND\r\n")
        self.assertEqual(client.received, b"SERVER_ERROR backend failure\r\nEND\r\n")
        client.says(b"get c\r\n")
        backend.says(b"END\r\n")
        self.assertTrue(client.received.endswith(b"END\r\nEND\r\n"))

    def test_refused_quiet(self) -> None:
        """A miss of a quiet get is silence, an error is said."""
        client, backend = self.pair(Error(kind="miss"), "MG")
        client.says(b"mg a v q\r\nmn\r\n")
        self.assertEqual(backend.received, b"mn\r\n")
        backend.says(b"MN\r\n")
        self.assertEqual(client.received, b"MN\r\n")
        client, backend = self.pair(Error(kind="client-error", text="no\r\nway"), "MG")
        client.says(b"mg a v q\r\nmn\r\n")
        backend.says(b"MN\r\n")
        self.assertEqual(client.received, b"CLIENT_ERROR no way\r\nMN\r\n")

    def test_noreply(self) -> None:
        """What asks for no reply gets none when it is refused; nothing is stored."""
        client, backend = self.pair(Error(kind="out-of-memory"), "SET")
        client.says(text_set(b"a", b"1", b" noreply") + b"get a\r\n")
        self.assertEqual(backend.received, b"get a\r\n")
        backend.says(b"END\r\n")
        self.assertEqual(client.received, b"END\r\n")

    def test_body_of_refused(self) -> None:
        """The value of a refused set is thrown away; the refusal comes when all of it has come."""
        client, backend = self.pair(Error(kind="too-large"), "SET")
        client.says(b"set a 0 0 6\r\nabc")
        self.assertEqual(client.received, b"")
        client.says(b"def\r\nget a\r\n")
        self.assertEqual(client.received, b"SERVER_ERROR object too large for cache\r\n")
        self.assertEqual(backend.received, b"get a\r\n")

    def test_early_reply(self) -> None:
        """The server answers before it has the value, as it does if that is too large."""
        client, backend = self.pair(Delay(sleep=0.0), "SET")
        client.says(b"set a 0 0 6\r\nabc")
        self.memory.pass_time()
        backend.says(b"SERVER_ERROR object too large for cache\r\n")
        client.says(b"def\r\nget a\r\n")
        backend.says(b"END\r\n")
        self.assertEqual(backend.received, b"set a 0 0 6\r\nabcdef\r\nget a\r\n")
        self.assertEqual(client.received, b"SERVER_ERROR object too large for cache\r\nEND\r\n")

    def test_silent_and_late(self) -> None:
        """A delay before the reply to a quiet request that has none holds nothing back for longer."""
        client, backend = self.pair(Delay(sleep=1.0, before=False), "MG")
        client.says(b"mg a v q\r\nmn\r\n")
        backend.says(b"MN\r\n")
        self.assertEqual(client.received, b"")
        self.memory.pass_time(1.0)
        self.assertEqual(client.received, b"MN\r\n")

    def test_noise_into_silence(self) -> None:
        """Where there is no reply, nothing is put into it."""
        client, backend = self.pair(Error(inject=True), "MG")
        client.says(b"mg a v q\r\nmn\r\n")
        backend.says(b"MN\r\n")
        self.assertEqual(client.received, b"MN\r\n")
        client.says(b"mg a v q\r\nmn\r\n")
        backend.says(b"VA 1\r\n1\r\nMN\r\n")
        self.assertEqual(len(client.received), 4 + 9 + 100 + 4)

    def test_truncated(self) -> None:
        """A value is cut in its middle, not its line."""
        client, backend = self.pair(Truncate(), "GET")
        client.says(b"get a\r\n")
        backend.says(text_value(b"a", b"1234567890") + b"END\r\n")
        self.assertEqual((client.received, client.ended), (b"VALUE a 0 10\r\n12345", "fin"))

    def test_backend_ends(self) -> None:
        """When the backend says no more, quiet requests are known to be unanswered."""
        client, backend = self.pair(Delay(sleep=1.0, before=False), "MN")
        client.says(b"mg a v q\r\n")
        backend.fins()
        self.assertEqual(client.ended, "fin")

    def test_watch(self) -> None:
        """A watcher's link is opaque from the OK on; nothing is lost."""
        client, backend = self.pair(Error(), "GET")
        client.says(b"watch\r\n")
        backend.says(b"OK\r\nts=1 gid=1 ty")
        backend.says(b"pe=item_get\r\n")
        self.assertEqual(client.received, b"OK\r\nts=1 gid=1 type=item_get\r\n")
        self.assertEqual(len(self.memory.named("opaque")), 1)

    def test_secrets(self) -> None:
        """What is not a command is not shown: it may be a value, or a password."""
        client, _ = self.pair(Error(kind="error"))
        client.says(b"me@here secret\r\n")
        (fields,) = self.memory.named("fired")
        self.assertEqual(fields["verb"], "UNKNOWN")
        self.assertNotIn("secret", str(self.memory.events))
        self.assertEqual(client.received, b"ERROR\r\n")

    def test_too_many(self) -> None:
        """A client that finds no place in the pool is told as memcached tells it, and closed."""
        memory = MemoryProxy(Plan(seed=1), Memcache(), pool_max_size=1, pool_timeout=5.0)
        memory.pair()
        second = memory.client()
        memory.pass_time(5.0)
        self.assertEqual(second.received, b"ERROR Too many open connections\r\n")
        self.assertEqual(second.ended, "fin")

    def test_blackout(self) -> None:
        """A behavior without words works as for every protocol."""
        client, _ = self.pair(Blackout(reset=True), "GET")
        client.says(b"get a\r\n")
        self.assertEqual(client.ended, "rst")


class BinaryTests(SynchronousTestCase):
    """The binary protocol."""

    def test_refused_after_quiet(self) -> None:
        """As in the text protocol, with the no-op of this one."""
        memory = proxy(Error(kind="busy"), "NOOP")
        client, backend = memory.pair()
        client.says(ask(GETKQ, b"a") + ask(GETKQ, b"b") + ask(NOOP, opaque=7))
        self.assertEqual(backend.received, ask(GETKQ, b"a") + ask(GETKQ, b"b") + BinaryDialect.no_op)
        hit = tell(GETKQ, b"2", b"b", bytes(4))
        backend.says(hit + NUDGED)
        self.assertEqual(client.received, hit + tell(NOOP, b"Busy", status=0x85, opaque=7))

    def test_no_op_only_if_needed(self) -> None:
        """After a request that is answered in any case nothing is added to the stream."""
        memory = proxy(Error(kind="busy"), "NOOP")
        client, backend = memory.pair()
        client.says(ask(GETKQ, b"a") + ask(GET, b"b") + ask(NOOP, opaque=7))
        self.assertEqual(backend.received, ask(GETKQ, b"a") + ask(GET, b"b"))
        miss = tell(GET, b"Not found", status=1)
        backend.says(miss)
        self.assertEqual(client.received, miss + tell(NOOP, b"Busy", status=0x85, opaque=7))

    def test_refused_quiet(self) -> None:
        """An error of a quiet set is said, with its own opcode."""
        memory = proxy(Error(kind="temporary-failure"), "SET")
        client, backend = memory.pair()
        client.says(ask(SETQ, b"a", b"1", STORE, opaque=5) + ask(NOOP))
        self.assertEqual(backend.received, ask(NOOP))
        self.assertEqual(client.received, tell(SETQ, b"Temporary failure", status=0x86, opaque=5))

    def test_closes(self) -> None:
        """Where memcached closes the connection after an error, so does the proxy."""
        memory = proxy(Error(kind="client-error"), "GET")
        client, _ = memory.pair()
        client.says(ask(GET, b"a"))
        self.assertEqual(client.received, tell(GET, b"Invalid arguments", status=4))
        self.assertEqual(client.ended, "fin")

    def test_not_sayable(self) -> None:
        """A kind that makes no sense for a request does not fire, and the journal says so."""
        memory = proxy(Error(kind="too-large"), "GET")
        client, backend = memory.pair()
        client.says(ask(GET, b"a"))
        self.assertEqual(backend.received, ask(GET, b"a"))
        self.assertIn("too-large", memory.named("misfired")[0]["why"])


class FactoryTests(SynchronousTestCase):
    """The Twisted pair."""

    def test_pair(self) -> None:
        """The factory makes ends of links that speak memcache."""
        memory = MemoryProxy(protocol=Memcache())
        factory = MemcacheFactory("127.0.0.1:11211", reactor=memory.reactor)
        self.assertEqual(factory.proxy.protocol.name, "memcache")
        self.assertIsInstance(factory.buildProtocol(None), MemcacheFactory.protocol)
