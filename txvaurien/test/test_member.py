"""One of the proxies of a process: how it starts, moves and ends."""

from __future__ import annotations

import socket
from collections.abc import Awaitable
from types import SimpleNamespace
from typing import Any

from twisted.internet.address import IPv4Address

from txvaurien.actions import ACTIONS
from txvaurien.errors import ConfigError, ListenError, RuleGone
from txvaurien.net.addresses import parse_backend, parse_listen
from txvaurien.plan import Plan
from txvaurien.planning.faults import FaultReader
from txvaurien.process.definition import Definition
from txvaurien.process.member import Member
from txvaurien.rules import Rule
from txvaurien.scenarios.scenario import read_scenario
from txvaurien.test.control_helpers import proxy
from txvaurien.test.manyproxies import ProxiesCase, listen_at
from txvaurien.test.servers import free_port


class MemberCase(ProxiesCase):
    """Members that nobody else knows of."""

    def member(self, **fields: object) -> Member:
        """One that ends with the test."""
        definition = self.define("redis", **fields)
        made = definition.make(self.proxies.reactor, self.registry)
        member = Member(made, FaultReader(self.registry, made.protocol), definition)
        self.addCleanup(member.stop)
        return member

    async def fails(self, kind: type[Exception], work: Awaitable[object]) -> None:
        """It ends with an exception of this kind."""
        try:
            await work
        except kind:
            return
        raise self.failureException(f"no {kind.__name__}")


class StateTests(MemberCase):
    """What it knows of itself."""

    async def test_listen(self) -> None:
        """Before it listens: what was asked for; then the numeric address, also while it is disabled."""
        member = self.member(listen="localhost:0")
        self.assertEqual((member.listen, member.enabled, member.running), ("localhost:0", False, False))
        member.start()
        listen = member.listen
        self.assertRegex(listen, r"^127\.0\.0\.1:[1-9]\d*$")
        await member.disable()
        self.assertEqual((member.listen, member.enabled, member.running), (listen, False, True))
        await member.enable()
        self.assertEqual((member.listen, member.enabled), (listen, True))

    async def test_same_address(self) -> None:
        """An address is the same in other words; any port, asked for again, is the one it has."""
        member = self.member(listen="127.0.0.1:0")
        member.start()
        for text in (member.listen, member.listen.replace("127.0.0.1", "localhost"), ":0"):
            self.assertTrue(member.listens_at(parse_listen(text)), text)
        self.assertFalse(member.listens_at(listen_at(free_port())))
        for text, same in ((f"127.0.0.1:{self.backend}", True), (f"localhost:{self.backend}", False)):
            self.assertEqual(member.connects_to(parse_backend(text)), same)

    async def test_as_it_is(self) -> None:
        """Another one can be made of what it is now, with all that has changed meanwhile."""
        member = self.member(listen="127.0.0.1:0", timeout=3)
        member.start()
        other = parse_backend("127.0.0.1:1")
        member.proxy.set_backend(other)
        member.proxy.set_plan(Plan(seed=9))
        await member.disable()
        now = member.as_it_is()
        self.assertEqual((now.name, now.backend, now.plan), ("redis", other, Plan(seed=9)))
        self.assertEqual((now.listen.text, now.enabled, now.limits.timeout), (member.listen, False, 3.0))

    async def test_path(self) -> None:
        """One that listens on a path does so again."""
        member = self.member(listen=f"unix:{self.mktemp()}.sock")
        member.start()
        self.assertEqual(member.as_it_is().listen, self.definition_of(member).listen)
        self.assertTrue(member.listens_at(self.definition_of(member).listen))

    def definition_of(self, member: Member) -> Definition:
        """What it was made of."""
        assert member.definition is not None
        return member.definition

    def test_of_somebody_else(self) -> None:
        """Of one that somebody else listens for there is nothing to move, to copy or to end."""
        foreign = proxy()
        member = Member(foreign, FaultReader(self.registry, foreign.protocol))
        self.assertTrue(member.enabled)
        self.assertEqual(member.listen, "")
        for work in (member.as_it_is, member.check_own):
            self.assertRaises(ConfigError, work)
        self.assertFalse(member.listens_at(listen_at(1)))
        gate: Any = SimpleNamespace(address=IPv4Address("TCP", "127.0.0.1", 1))
        foreign.gate = gate
        self.assertTrue(member.listens_at(listen_at(1)))


class MoveTests(MemberCase):
    """`Member.move`."""

    async def test_actions_end(self) -> None:
        """Actions end where it moves; it is enabled as before."""
        member = self.member()
        member.start()
        await member.proxy.actions.start(ACTIONS["slow_accept"](delay=1))
        await member.move(listen_at(free_port()))
        self.assertEqual((dict(member.proxy.actions.standing), member.enabled), ({}, True))
        self.assertEqual(await self.ask(member.listen), b"one:hello")

    async def test_neither_here_nor_there(self) -> None:
        """Where it cannot listen in either place any more it is disabled, and the log says why."""
        member = self.member()
        member.start()
        port = int(member.listen.rpartition(":")[2])
        held = self.take(0)
        service = member.service
        assert service is not None
        stop = service.stopService

        async def stop_and_take() -> None:
            await stop()
            self.take(port)

        self.patch(service, "stopService", stop_and_take)
        await self.fails(ListenError, member.move(listen_at(held)))
        self.assertFalse(member.enabled)
        self.assertEqual(len(self.flushLoggedErrors(ListenError)), 1)

    def take(self, port: int) -> int:
        """Listen on this port, or on any for 0, until the test ends."""
        taken = socket.create_server(("127.0.0.1", port))
        self.addCleanup(taken.close)
        found: int = taken.getsockname()[1]
        return found


class StopTests(MemberCase):
    """`Member.stop`."""

    async def test_never_started(self) -> None:
        """What never listened ends, with its scenario and its actions."""
        member = self.member()
        scenario = read_scenario("at 0s: pause for 60s\n", "x", member.reader.read)
        player = await member.playing.play(scenario)
        await member.proxy.actions.start(ACTIONS["kill_idle"]())
        await member.stop()
        self.assertEqual(dict(member.proxy.actions.standing), {})
        self.assertIsNone(member.playing.player)
        self.assertEqual(player.state.value, "done")
        self.assertEqual(member.proxy.plan.toxics, ())

    async def test_times_of_rules(self) -> None:
        """The time of a rule is watched no more (trial would find that), and nobody waits for one."""
        member = self.member()
        member.start()
        for words in ("delay name=short for=3600", "delay name=long"):
            member.proxy.add_rule(member.reader.read_only(Rule, words, where=""))
        waiting = member.proxy.rule("long").when_fired(1)
        await member.stop()
        self.failureResultOf(waiting, RuleGone)

    async def test_twice(self) -> None:
        """It may be ended twice."""
        member = self.member()
        member.start()
        await member.stop()
        await member.stop()
        self.assertFalse(member.running)
