"""Which requests have come."""

from __future__ import annotations

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.error import Error
from txvaurien.errors import ConfigError
from txvaurien.journals import passed
from txvaurien.journals.passed import Passed, note_passed, passed_of
from txvaurien.metrics.watcher import Metrics
from txvaurien.plan import Plan
from txvaurien.protocols.http import Http
from txvaurien.protocols.redis import Redis
from txvaurien.protocols.tcp import Tcp
from txvaurien.proxy import Proxy
from txvaurien.test.memory import MemoryProxy


def command(*words: str) -> bytes:
    """A command of Redis, in RESP."""
    parts = [f"${len(word)}\r\n{word}\r\n" for word in words]
    return f"*{len(words)}\r\n{''.join(parts)}".encode()


class PassedTests(SynchronousTestCase):
    """What is noted of real requests."""

    def redis(self, *commands: tuple[str, ...], metered: bool = False) -> Passed:
        """What is noted of these."""
        memory = MemoryProxy(protocol=Redis())
        if metered:
            Metrics(exchanges=True).attach(memory.proxy)
        noted = note_passed(memory.proxy)
        client, backend = memory.pair()
        for words in commands:
            client.says(command(*words))
            backend.says(b"+OK\r\n")
        return noted

    def test_counts(self) -> None:
        """By verb, in any case, by target, by both, and all of them."""
        noted = self.redis(("SET", "user:1", "x"), ("set", "user:2", "x"), ("GET", "user:1"), ("PING",))
        self.assertEqual((noted.count(), noted.count("set"), noted.count("DEL")), (4, 2, 0))
        self.assertEqual((noted.count(target="user:*"), noted.count("SET", "user:1")), (3, 1))

    def test_several_targets(self) -> None:
        """A request counts once, whichever of its targets is asked for."""
        noted = self.redis(("MGET", "a:1", "b:1", "b:2"))
        self.assertEqual((noted.count(target="b:*"), noted.count(target="a:1"), noted.count()), (1, 1, 1))

    def test_subcommands(self) -> None:
        """A verb of two words is found by the first, too."""
        noted = self.redis(("CONFIG", "GET", "x"), ("CLIENT", "ID"))
        self.assertEqual((noted.count("config"), noted.count("CONFIG GET"), noted.count("CON")), (1, 1, 0))

    def test_metered(self) -> None:
        """It is no other where the metrics look at exchanges as well."""
        noted = self.redis(("SET", "a", "x"), ("GET", "a"), metered=True)
        self.assertEqual((noted.count("SET"), noted.count(target="a")), (1, 2))

    def test_with_a_rule(self) -> None:
        """What is refused by the proxy has come all the same."""
        memory = MemoryProxy(protocol=Redis())
        noted = note_passed(memory.proxy)
        memory.proxy.set_plan(Plan.only(Error(kind="loading")))
        client, backend = memory.pair()
        client.says(command("GET", "a"))
        self.assertEqual(bytes(backend.received), b"")
        self.assertEqual(noted.count("GET"), 1)

    def test_masked(self) -> None:
        """What the journal does not show is not noted: of a URL that is the query."""
        memory = MemoryProxy(protocol=Http())
        noted = note_passed(memory.proxy)
        client, _ = memory.pair()
        client.says(b"GET /a?token=secret HTTP/1.1\r\nHost: h\r\n\r\n")
        self.assertEqual((noted.count("GET", "/a*"), noted.count("GET", "*secret*")), (1, 0))

    def test_bounded(self) -> None:
        """So many different requests are remembered; those that came before go on being counted."""
        self.patch(passed, "MOST", 2)
        noted = self.redis(("GET", "a"), ("GET", "b"), ("GET", "c"), ("GET", "a"), ("GET", "d"))
        self.assertEqual((noted.count(target="a"), noted.count(target="c"), noted.missed), (2, 0, 2))

    def test_long_targets(self) -> None:
        """Of a long target, and of many, a part is remembered."""
        noted = self.redis(("MGET", "k" * 10_000, *(f"k{number}" for number in range(10_000))))
        self.assertEqual((noted.count(target="kkk*"), noted.count(target="k9999")), (1, 0))

    def test_twice(self) -> None:
        """To begin a second time forgets nothing."""
        memory = MemoryProxy(protocol=Tcp())
        noted = note_passed(memory.proxy)
        client, _ = memory.pair()
        client.says(b"x")
        self.assertIs(note_passed(memory.proxy), noted)
        self.assertEqual(noted.count("SAY"), 1)

    def test_not_noted(self) -> None:
        """Where nothing is noted, to ask for it is an error."""
        self.assertRaises(ConfigError, passed_of, Proxy("h:1", Tcp(), reactor=MemoryReactorClock()))
