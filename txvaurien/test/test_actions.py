"""Actions of a proxy, on a clock that stands, and how `Actions` starts and stops them."""

from __future__ import annotations

from typing import Any, ClassVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.actions import ACTIONS, Action, Deaf, Disable, End, HalfOpen, KillIdle, SlowAccept
from txvaurien.behaviors.abort import Abort
from txvaurien.behaviors.hang import Hang
from txvaurien.errors import ConfigError, ListenError
from txvaurien.model import Direction
from txvaurien.options import build, summary
from txvaurien.plan import PlacedToxic, Plan
from txvaurien.protocols.tcp import Tcp
from txvaurien.proxy import Proxy
from txvaurien.test.memory import MemoryProxy
from txvaurien.toxics.blackhole import Blackhole
from txvaurien.toxics.pause import Pause


class FakeGate:
    """A listener that only says what was asked of it."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.closing: Deferred[None] | None = None
        self.error: Exception | None = None

    def pause(self, reason: str) -> None:
        self.calls.append(f"pause {reason}")

    def resume(self, reason: str) -> None:
        self.calls.append(f"resume {reason}")

    def accept_one(self) -> None:
        self.calls.append("one")

    async def close(self) -> None:
        self.calls.append("close")
        if self.closing is not None:
            await self.closing

    async def open(self) -> None:
        self.calls.append("open")
        if self.error is not None:
            raise self.error

    async def deafen(self) -> None:
        self.calls.append("deafen")

    def hear(self) -> None:
        self.calls.append("hear")


class ActionCase(SynchronousTestCase):
    """A proxy in memory with a fake listener."""

    def setUp(self) -> None:
        self.memory = MemoryProxy()
        proxy: Any = self.memory.proxy
        proxy.gate = self.gate = FakeGate()
        self.actions = self.memory.proxy.actions

    def asked(self, action: Action) -> Deferred[None]:
        """Ask for an action to begin."""
        return Deferred.fromCoroutine(self.actions.start(action))

    def start(self, action: Action) -> None:
        """Begin an action, at once."""
        self.successResultOf(self.asked(action))

    def stop(self, name: str) -> None:
        """End an action, at once."""
        self.successResultOf(Deferred.fromCoroutine(self.actions.stop(name)))

    @property
    def told(self) -> list[tuple[str, bool]]:
        """The events about actions."""
        return [(each["name"], each["on"]) for each in self.memory.named("action")]


class DeclaredTests(SynchronousTestCase):
    """What an action says of itself."""

    def test_all(self) -> None:
        """Each is listed by its name, has a summary, and is made from its defaults."""
        self.assertEqual(sorted(ACTIONS), ["deaf", "disable", "half_open", "kill_idle", "slow_accept"])
        for name, action in ACTIONS.items():
            self.assertEqual((action.name, action()), (name, build(action, {})))
            self.assertTrue(summary(action))

    def test_bounds(self) -> None:
        """Values that make no sense are refused."""
        for action, name, value in (
            (SlowAccept, "delay", 0),
            (KillIdle, "idle", 0),
            (KillIdle, "how", "softly"),
            (Disable, "how", ""),
        ):
            error = self.assertRaises(ConfigError, build, action, {name: value})
            self.assertEqual(error.where, name)

    def test_immutable(self) -> None:
        """Nobody adds one by the way."""
        actions: Any = ACTIONS
        with self.assertRaises(TypeError):
            actions["other"] = Deaf


class ListenerTests(ActionCase):
    """Actions upon the listener."""

    def test_disable(self) -> None:
        """The listener is closed, all links are cut, and it is opened again in the end."""
        links = [self.memory.pair() for _ in range(2)]
        self.start(Disable())
        self.assertEqual(self.gate.calls, ["close"])
        self.assertEqual([(client.ended, backend.ended) for client, backend in links], [("fin", "fin")] * 2)
        self.stop("disable")
        self.assertEqual(self.gate.calls, ["close", "open"])

    def test_disable_with_rst(self) -> None:
        """As asked for."""
        client, backend = self.memory.pair()
        self.start(Disable(how="rst"))
        self.memory.pass_time(0)
        self.assertEqual((client.ended, backend.ended), ("rst", "rst"))

    def test_disable_again(self) -> None:
        """Other options do not open the listener for a moment."""
        self.start(Disable())
        self.start(Disable(how="rst"))
        self.assertEqual(self.gate.calls, ["close"])
        self.assertEqual(self.actions.standing["disable"], Disable(how="rst"))

    def test_deaf(self) -> None:
        """Standing links go on."""
        client, backend = self.memory.pair()
        self.start(Deaf())
        client.says(b"get a\n")
        self.assertEqual((self.gate.calls, backend.received), (["deafen"], b"get a\n"))
        self.stop("deaf")
        self.assertEqual(self.gate.calls, ["deafen", "hear"])

    def test_slow_accept(self) -> None:
        """One connection for each delay, the first after one, and none by this way afterwards."""
        self.start(SlowAccept(delay=200))
        self.memory.pass_time(0.19)
        self.assertEqual(self.gate.calls, ["pause slow_accept"])
        self.memory.pass_time(0.02, 0.2)
        self.assertEqual(self.gate.calls[1:], ["one", "one"])
        self.stop("slow_accept")
        self.memory.pass_time(1, 1)
        self.assertEqual(self.gate.calls[3:], ["resume slow_accept"])

    def test_slow_accept_replaced(self) -> None:
        """Another delay counts from now on."""
        self.start(SlowAccept(delay=200))
        self.start(SlowAccept(delay=50))
        self.memory.pass_time(0.06)
        self.assertEqual(self.gate.calls.count("one"), 1)
        self.memory.pass_time(*[0.05] * 4)
        self.assertEqual(self.gate.calls.count("one"), 5)

    def test_no_listener(self) -> None:
        """A proxy that does not listen by itself says so, and nothing stands."""
        self.memory.proxy.gate = None
        for action in (Disable(), Deaf(), SlowAccept()):
            failure = self.failureResultOf(self.asked(action), ConfigError)
            self.assertIn(f"{action.name}: the proxy has no listener of its own", str(failure.value))
            self.assertIn("ProxyService", str(failure.value))
        self.assertEqual((dict(self.actions.standing), self.told), ({}, []))


class HalfOpenTests(ActionCase):
    """The backend is gone, and the client is not told."""

    def test_standing_link(self) -> None:
        """The backend sees the end, the client nothing; what it says goes nowhere."""
        client, backend = self.memory.pair()
        client.says(b"get a\n")
        self.start(HalfOpen())
        client.says(b"get b\n")
        self.assertEqual((backend.received, backend.ended), (b"get a\n", "fin"))
        self.assertEqual((client.received, client.ended), (b"", ""))

    def test_new_link(self) -> None:
        """One that comes meanwhile is taken, and not dialled."""
        self.start(HalfOpen())
        client = self.memory.client()
        client.says(b"get a\n")
        self.memory.pass_time(60)
        self.assertEqual((self.memory.reactor.tcpClients, client.ended), ([], ""))

    def test_client_leaves(self) -> None:
        """Its FIN, or its RST, ends the link."""
        self.start(HalfOpen())
        clients = [self.memory.client() for _ in range(2)]
        clients[0].fins()
        clients[1].resets()
        self.memory.pass_time(5)
        self.assertEqual(self.memory.links, {})

    def test_end(self) -> None:
        """Those links are reset, and new ones are dialled again."""
        client, _ = self.memory.pair()
        self.start(HalfOpen())
        other = self.memory.client()
        self.stop("half_open")
        self.memory.pass_time(0)
        self.assertEqual((client.ended, other.ended), ("rst", "rst"))
        client, backend = self.memory.pair()
        client.says(b"get a\n")
        self.assertEqual((backend.received, client.ended), (b"get a\n", ""))

    def test_paused_client(self) -> None:
        """A client that was read no further, for whatever reason, is read again, and what it says is lost."""
        held = MemoryProxy(Hang())
        for memory, stuffed in ((self.memory, True), (held, False)):
            client, backend = memory.pair()
            backend.stuffed = stuffed
            while client.reading:
                client.says(b"body 100000\n" + b"x" * 100_000)
            self.successResultOf(Deferred.fromCoroutine(memory.proxy.actions.start(HalfOpen())))
            self.assertTrue(client.reading)
            client.says(b"get b\n")
            client.fins()
            backend.drains()
            self.assertNotIn(b"get b", backend.received)
            memory.pass_time(5)
            self.assertEqual(memory.links, {})

    def test_lingering_link(self) -> None:
        """One that is kept for its backend only has nothing left to live for."""
        self.memory.proxy.set_plan(Plan.only(Abort(linger=30.0), seed=1))
        client, backend = self.memory.pair()
        client.says(b"get a\n")
        client.fins()
        self.assertEqual((client.ended, backend.ended), ("fin", ""))
        self.start(HalfOpen())
        backend.fins()
        self.memory.pass_time()
        self.assertEqual((self.memory.links, self.memory.reactor.getDelayedCalls()), ({}, []))

    def test_while_tls_is_agreed_on(self) -> None:
        """A backend that is there, but not yet ready, is gone like others: the client is not told."""
        self.memory = MemoryProxy(backend="tls:localhost:6379")
        self.actions = self.memory.proxy.actions
        client, backend = self.memory.pair()
        client.says(b"get a\n")
        self.start(HalfOpen())
        self.memory.pass_time(0, 60)
        self.assertEqual(backend.ended, "rst")
        self.assertNotIn(b"get a", backend.received)
        self.assertEqual((client.received, client.ended, len(self.memory.links)), (b"", "", 1))
        self.assertEqual(self.memory.named("backend-refused"), [])
        self.stop("half_open")
        self.memory.pass_time()
        self.assertEqual((client.ended, self.memory.links), ("rst", {}))


class KillIdleTests(ActionCase):
    """Links that say nothing are cut."""

    def test_idle(self) -> None:
        """A link is cut when it has been idle for so long, since the last byte of either side."""
        client, backend = self.memory.pair()
        self.start(KillIdle(idle=10))
        self.memory.pass_time(9)
        client.says(b"get a\n")
        self.memory.pass_time(9)
        backend.says(b"a\n")
        self.memory.pass_time(9.9)
        self.assertEqual(client.ended, "")
        self.memory.pass_time(0.2)
        self.assertEqual((client.ended, backend.ended), ("fin", "fin"))
        self.assertEqual(self.memory.named("idle"), [{"seconds": 10.0}])

    def test_idle_already(self) -> None:
        """A link that has been idle before is cut when the action begins."""
        client, _ = self.memory.pair()
        self.memory.pass_time(11)
        other, _ = self.memory.pair()
        self.start(KillIdle(idle=10, how="rst"))
        self.memory.pass_time(0)
        self.assertEqual((client.ended, other.ended), ("rst", ""))

    def test_later_link(self) -> None:
        """One that comes while it stands has its own time."""
        self.start(KillIdle(idle=10))
        self.memory.pass_time(5)
        client, _ = self.memory.pair()
        self.memory.pass_time(9.9)
        self.assertEqual(client.ended, "")
        self.memory.pass_time(0.2)
        self.assertEqual(client.ended, "fin")

    def test_both_sides_ended(self) -> None:
        """A link that is there only for what a toxic holds is idle like others."""
        for toxic in (Pause(), Blackhole()):
            for direction in Direction:
                memory = MemoryProxy(Plan(toxics=(PlacedToxic(toxic, direction),), seed=1), Tcp())
                client, backend = memory.pair()
                client.says(b"get a\n")
                backend.says(b"a\n")
                client.fins()
                backend.fins()
                self.assertEqual(len(memory.links), 1)
                self.successResultOf(Deferred.fromCoroutine(memory.proxy.actions.start(KillIdle(idle=10))))
                memory.pass_time(10.1, 5)
                self.assertEqual((memory.links, client.ended, backend.ended), ({}, "fin", "fin"))

    def test_one_timer(self) -> None:
        """A hundred links that fall due one after the other cost one timer, and few rounds."""
        clients = []
        for _ in range(100):
            clients.append(self.memory.pair()[0])
            self.memory.pass_time(0.0001)
        before = len(self.memory.reactor.getDelayedCalls())
        self.start(KillIdle(idle=10, how="rst"))
        self.assertEqual(len(self.memory.reactor.getDelayedCalls()), before + 1)
        self.memory.pass_time(9.99, 0.1, 0.1, 0)
        self.assertEqual({client.ended for client in clients}, {"rst"})

    def test_end(self) -> None:
        """Afterwards links may be idle, and no timer is left."""
        client, _ = self.memory.pair()
        self.start(KillIdle(idle=10))
        self.stop("kill_idle")
        self.memory.pass_time(100)
        self.assertEqual((client.ended, self.memory.reactor.getDelayedCalls()), ("", []))


class Slow(Action, frozen=True, kw_only=True):
    """Begins and ends when the test says so."""

    name: ClassVar[str] = "slow"
    number: int = 0
    steps: ClassVar[list[tuple[str, Deferred[None]]]]

    async def begin(self, proxy: Proxy) -> End:
        await self._step(f"begin {self.number}")
        return lambda: self._step(f"end {self.number}")

    def _step(self, what: str) -> Deferred[None]:
        self.steps.append((what, Deferred()))
        return self.steps[-1][1]


class TurnTests(ActionCase):
    """One thing at a time."""

    def setUp(self) -> None:
        super().setUp()
        Slow.steps = []

    def step(self, what: str) -> None:
        """Let the only step that is under way, which must be this one, be done."""
        self.assertEqual(Slow.steps[-1][0], what)
        Slow.steps[-1][1].callback(None)

    def test_in_order(self) -> None:
        """What is asked for meanwhile waits, and everything returns when it has taken effect."""
        first, second = self.asked(Slow(number=1)), self.asked(Slow(number=2))
        end = Deferred.fromCoroutine(self.actions.stop("slow"))
        self.assertEqual(dict(self.actions.standing), {})
        self.step("begin 1")
        self.successResultOf(first)
        self.step("end 1")
        self.step("begin 2")
        self.successResultOf(second)
        self.assertEqual(dict(self.actions.standing), {"slow": Slow(number=2)})
        self.assertNoResult(end)
        self.step("end 2")
        self.successResultOf(end)
        self.assertEqual(dict(self.actions.standing), {})
        self.assertEqual(self.told, [("slow", True), ("slow", False), ("slow", True), ("slow", False)])

    def test_same_again(self) -> None:
        """To start what stands already changes nothing, and is not told."""
        self.start(HalfOpen())
        self.start(HalfOpen())
        self.assertEqual(self.told, [("half_open", True)])

    def test_nobody_waits(self) -> None:
        """Whoever asked may go away: it is completed all the same, and the next one has its turn."""
        first = self.asked(Slow())
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.step("begin 0")
        self.assertIn("slow", self.actions.standing)
        self.start(HalfOpen())

    def test_failure_to_begin(self) -> None:
        """What has failed does not stand, and others go on."""
        first = self.asked(Slow())
        Slow.steps[-1][1].errback(ConfigError("slow", "no"))
        self.failureResultOf(first, ConfigError)
        self.assertEqual(dict(self.actions.standing), {})
        self.start(HalfOpen())

    def test_failure_to_end(self) -> None:
        """What cannot be ended still stands, and can be tried again."""
        self.start(Disable())
        self.gate.error = ListenError("taken")
        self.failureResultOf(Deferred.fromCoroutine(self.actions.stop("disable")), ListenError)
        self.assertIn("disable", self.actions.standing)
        self.gate.error = None
        self.stop("disable")
        self.assertEqual(self.told, [("disable", True), ("disable", False)])

    def test_unknown(self) -> None:
        """A name that no action has is an error; one that does not stand is none."""
        failure = self.failureResultOf(Deferred.fromCoroutine(self.actions.stop("daef")), ConfigError)
        self.assertIn("did you mean 'deaf'?", str(failure.value))
        self.stop("deaf")

    def test_stop_all(self) -> None:
        """All end, the last one first, whatever one of them says."""
        for action in (Deaf(), Disable(), SlowAccept()):
            self.start(action)
        self.gate.error = ListenError("taken")
        self.gate.calls.clear()
        stopped = Deferred.fromCoroutine(self.actions.stop_all())
        self.failureResultOf(stopped, ListenError)
        self.assertEqual(self.gate.calls, ["resume slow_accept", "open", "hear"])
        self.assertEqual(list(self.actions.standing), ["disable"])

    def test_told(self) -> None:
        """The journal has the options."""
        self.start(SlowAccept(delay=7))
        told = {"name": "slow_accept", "options": {"delay": 7}, "on": True}
        self.assertEqual(self.memory.named("action"), [told])
