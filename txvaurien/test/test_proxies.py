"""The proxies of a process: made, changed, replaced and removed while it runs."""

from __future__ import annotations

import json
import socket
from collections.abc import Awaitable
from dataclasses import replace
from io import BytesIO
from typing import Any, TypeVar

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, ensureDeferred
from twisted.internet.error import ConnectionRefusedError
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.test.requesthelper import DummyRequest

from txvaurien.control.proxy import ProxyApi
from txvaurien.errors import ConfigError, ListenError
from txvaurien.journal import EVENTS, Journal
from txvaurien.net.addresses import parse_backend
from txvaurien.plan import Plan
from txvaurien.process.proxies import NoProxy, Proxies, ProxyExists
from txvaurien.protocols.tcp import Tcp
from txvaurien.proxy import Proxy
from txvaurien.service import ProxyService
from txvaurien.test.control_helpers import proxy, registry
from txvaurien.test.manyproxies import ProxiesCase, listen_at
from txvaurien.test.servers import free_port

ErrorT = TypeVar("ErrorT", bound=Exception)


class Listing:
    """A watcher that keeps the names of what it is told of."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def attach(self, proxy: Proxy, listen: str = "") -> None:
        """One more."""
        self.told.append(proxy.name)

    def detach(self, proxy: Proxy) -> None:
        """One less."""
        self.told.remove(proxy.name)


class Case(ProxiesCase):
    """Tests that expect errors, too."""

    async def fails(self, kind: type[ErrorT], work: Awaitable[object]) -> ErrorT:
        """The exception of this kind that it ends with."""
        try:
            await work
        except kind as error:
            return error
        raise self.failureException(f"no {kind.__name__}")

    async def refuses(self, listen: str | int) -> None:
        """Nothing listens there."""
        await self.fails(ConnectionRefusedError, self.connect(listen))

    def take_port(self) -> int:
        """A port that somebody else listens on."""
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        port: int = taken.getsockname()[1]
        return port


class AddTests(Case):
    """`Proxies.add`."""

    async def test_serves(self) -> None:
        """It serves clients when it is there, on the port that it says; the journal knows."""
        member = await self.add()
        self.assertRegex(member.listen, r"^127\.0\.0\.1:[1-9]\d*$")
        self.assertEqual(await self.ask(member.listen), b"one:hello")
        self.assertIs(self.proxies.get("redis"), member)
        record = self.journal.since(event="created")[0].as_json()
        self.assertEqual((record["proxy"], record["listen"]), ("redis", member.listen))
        self.assertEqual((record["protocol"], record["enabled"]), ("tcp", True))

    async def test_disabled(self) -> None:
        """One that is to be disabled does not listen, and can be enabled."""
        port = free_port()
        member = await self.add(listen=f"127.0.0.1:{port}", enabled=False)
        self.assertEqual((member.enabled, member.listen), (False, f"127.0.0.1:{port}"))
        await self.refuses(port)
        await self.proxies.change("redis", enabled=True)
        self.assertTrue(member.enabled)
        self.assertEqual(await self.ask(port), b"one:hello")

    async def test_port_taken(self) -> None:
        """Where the port is taken there is no such proxy, and no sign of it."""
        port, watcher = self.take_port(), Listing()
        self.proxies.watch_with(watcher)
        error = await self.fails(
            ListenError, self.add(listen=f"127.0.0.1:{port}", toxics=[{"type": "pause"}])
        )
        self.assertIn("the port is in use", str(error))
        self.assertEqual((len(self.proxies), self.events("redis"), watcher.told), (0, [], []))
        await self.add()
        self.assertEqual(watcher.told, ["redis"])

    async def test_itself(self) -> None:
        """A proxy whose backend is itself is refused."""
        port = free_port()
        definition = self.define("redis", listen=f"127.0.0.1:{port}", upstream=f"127.0.0.1:{port}")
        await self.fails(ConfigError, self.proxies.add(definition))
        self.assertEqual(len(self.proxies), 0)
        await self.refuses(port)

    async def test_what_does_not_fit(self) -> None:
        """Where its plan does not fit its protocol there is no such proxy."""
        definition = self.define("redis", protocol="redis", plan={"rules": ["error kind=oom"]})
        unfit = type(definition)(**{**vars(definition), "protocol": Tcp()})
        await self.fails(ConfigError, self.proxies.add(unfit))
        self.assertEqual(len(self.proxies), 0)

    async def test_exists(self) -> None:
        """A second one of a name is refused; the first goes on."""
        member = await self.add()
        link = await self.connect(member.listen)
        error = await self.fails(ProxyExists, self.add())
        self.assertIn("'redis'", str(error))
        self.assertEqual(await link.ask(b"x"), b"one:x")

    async def test_at_once(self) -> None:
        """Of two that are asked for at once, one is made."""
        both = [ensureDeferred(self.add(enabled=False)) for _ in range(2)]
        await both[0]
        await self.fails(ProxyExists, both[1])
        self.assertEqual(len(self.proxies), 1)

    async def test_order(self) -> None:
        """They stand in the order in which they were made, replaced ones where they were."""
        for name in ("c", "a", "b"):
            await self.add(name, enabled=False)
        await self.proxies.replace(self.define("a", enabled=False))
        self.assertEqual([member.name for member in self.proxies], ["c", "a", "b"])


class CircleTests(Case):
    """Proxies that would connect to themselves, by a name, which is looked up only when a client comes."""

    async def test_itself(self) -> None:
        """Its only link is refused, and no other one comes."""
        port = free_port()
        member = await self.add(listen=f"127.0.0.1:{port}", upstream=f"127.1:{port}")
        self.assertEqual(await self.ask(port), b"")
        self.assertEqual(member.proxy.stats.links, 1)
        self.assertEqual(member.proxy.stats.failed, 1)

    async def test_several(self) -> None:
        """Nor does one that leads back through others, all of them named or not."""
        for name in ("127.1", "127.0.0.1"):
            ports = [free_port() for _ in range(3)]
            for number, port in enumerate(ports):
                host = "127.1" if number == 0 else name
                await self.add(
                    f"{name} {number}",
                    listen=f"127.0.0.1:{port}",
                    upstream=f"{host}:{ports[(number + 1) % 3]}",
                )
            for port in ports:
                self.assertEqual(await self.ask(port), b"")
            self.assertLessEqual(sum(member.proxy.stats.links for member in self.proxies), 6)
            for member in self.proxies:
                await self.proxies.remove(member.name)

    async def test_a_way_that_ends(self) -> None:
        """Another proxy of the process may be behind a name, if it leads elsewhere."""
        last = await self.add("last")
        first = await self.add("first", upstream=last.listen.replace("127.0.0.1", "127.1"))
        self.assertEqual(await self.ask(first.listen), b"one:hello")

    async def test_workers(self) -> None:
        """Worker processes know where their proxy listens, and by what others it is reached."""
        ports = [free_port() for _ in range(2)]
        definition = self.define("fleet", listen=f"127.0.0.1:{ports[0]}", upstream=f"127.1:{ports[1]}")
        fleet = await self.proxies.add(replace(definition, workers=2))
        await self.add("other", listen=f"127.0.0.1:{ports[1]}", upstream=f"127.1:{ports[0]}")
        self.assertEqual(await self.ask(ports[0]), b"")
        self.assertLessEqual(fleet.proxy.stats.links, 2)
        await self.proxies.remove("other")
        await self.proxies.set_backend("fleet", parse_backend(f"127.1:{ports[0]}"), cut=True)
        self.assertEqual(await self.ask(ports[0]), b"")
        self.assertLessEqual(fleet.proxy.stats.links, 4)


class RemoveTests(Case):
    """`Proxies.remove`."""

    async def test_nothing_is_left(self) -> None:
        """Its links have ended and its port is free when it returns, and it is told of no more."""
        rules = ["delay sleep=1 for=60"]
        member = await self.add(plan={"rules": rules})
        link = await self.connect(member.listen)
        self.assertEqual(await link.ask(b""), b"")
        port = int(member.listen.rpartition(":")[2])
        await self.proxies.remove("redis")
        await link.ended
        socket.create_server(("127.0.0.1", port)).close()
        self.assertNotIn("redis", self.proxies)
        self.assertEqual(self.events("redis")[-1], "removed")
        self.assertEqual(member.proxy.observers, [])

    async def test_disabled(self) -> None:
        """One that is disabled, or never was enabled, goes too."""
        await self.add("a", enabled=False)
        member = await self.add("b")
        await self.proxies.change("b", enabled=False)
        port = int(member.listen.rpartition(":")[2])
        for name in ("a", "b"):
            await self.proxies.remove(name)
        socket.create_server(("127.0.0.1", port)).close()
        self.assertEqual(len(self.proxies), 0)

    async def test_nothing_begins_meanwhile(self) -> None:
        """From the first moment on nobody gets hold of it, to begin something that nobody would end."""
        await self.add()
        removing = ensureDeferred(self.proxies.remove("redis"))
        self.assertFalse(removing.called)
        self.assertRaises(NoProxy, self.proxies.get, "redis")
        await removing

    async def test_unknown(self) -> None:
        """There has to be one."""
        await self.add()
        error = await self.fails(NoProxy, self.proxies.remove("rediss"))
        self.assertIn("did you mean 'redis'?", str(error))

    async def test_while_it_is_made(self) -> None:
        """What is asked for meanwhile waits for its turn."""
        making, removing = ensureDeferred(self.add()), ensureDeferred(self.proxies.remove("redis"))
        await making
        await removing
        self.assertEqual(len(self.proxies), 0)

    async def test_whoever_asked_goes_away(self) -> None:
        """It is done all the same, and to the end."""
        member = await self.add()
        link = await self.connect(member.listen)
        await link.ask(b"x")
        removing = ensureDeferred(self.proxies.remove("redis"))
        removing.cancel()
        await self.fails(CancelledError, removing)
        await link.ended
        # Whoever comes next waits for it.
        await self.add()
        self.assertEqual(self.events("redis").count("removed"), 1)

    async def test_of_somebody_else(self) -> None:
        """A proxy that somebody else listens for is not for us to end."""
        proxies = Proxies.of(proxy(), registry())
        await self.fails(ConfigError, proxies.remove("proxy"))
        await self.fails(ConfigError, proxies.replace(self.define("proxy")))
        self.assertIn("proxy", proxies)


class ChangeTests(Case):
    """`Proxies.change`."""

    async def test_listen(self) -> None:
        """It listens elsewhere, and its links are cut."""
        member = await self.add()
        before, port = member.listen, free_port()
        link = await self.connect(before)
        await link.ask(b"x")
        await self.proxies.change("redis", listen=listen_at(port))
        await link.ended
        self.assertEqual(member.listen, f"127.0.0.1:{port}")
        self.assertEqual(await self.ask(port), b"one:hello")
        await self.refuses(before)
        self.assertEqual(self.journal.since(event="listen")[0].fields, {"listen": member.listen})

    async def test_backend(self) -> None:
        """It connects elsewhere, and its links are cut."""
        member, other = await self.add(), self.start_backend(b"two:")
        link = await self.connect(member.listen)
        await link.ask(b"x")
        await self.proxies.change("redis", backend=parse_backend(f"127.0.0.1:{other}"))
        await link.ended
        self.assertEqual(await self.ask(member.listen), b"two:hello")

    async def test_the_same(self) -> None:
        """What is as it was is left alone: links stand. Any port, asked for once more, is the same."""
        member = await self.add(listen="localhost:0")
        link = await self.connect(member.listen)
        await link.ask(b"x")
        port = int(member.listen.rpartition(":")[2])
        for listen in (listen_at(port), listen_at(0)):
            backend = parse_backend(f"127.0.0.1:{self.backend}")
            await self.proxies.change("redis", listen=listen, backend=backend, enabled=True)
        self.assertEqual(await link.ask(b"x"), b"one:x")
        self.assertEqual(self.events("redis"), ["created"])

    async def test_port_taken(self) -> None:
        """Where the port is taken nothing has changed, but for the links."""
        member, other = await self.add(), self.start_backend(b"two:")
        before, port = member.listen, self.take_port()
        backend = parse_backend(f"127.0.0.1:{other}")
        await self.fails(ListenError, self.proxies.change("redis", listen=listen_at(port), backend=backend))
        self.assertEqual((member.listen, member.enabled), (before, True))
        self.assertEqual(await self.ask(before), b"one:hello")

    async def test_itself(self) -> None:
        """A backend that is the proxy itself is refused, and nothing has changed."""
        member = await self.add()
        for listen in (None, listen_at(free_port())):
            backend = parse_backend(member.listen if listen is None else listen.text)
            await self.fails(ConfigError, self.proxies.change("redis", listen=listen, backend=backend))
            self.assertEqual(await self.ask(member.listen), b"one:hello")

    async def test_change_of_places(self) -> None:
        """It may connect to where it listened before."""
        member = await self.add()
        before, port = member.listen, free_port()
        backend = parse_backend(before)
        await self.proxies.change("redis", listen=listen_at(port), backend=backend)
        self.assertEqual((member.listen, member.proxy.backend.text), (f"127.0.0.1:{port}", before))

    async def test_disable_and_enable(self) -> None:
        """Clients are refused and links cut while it is disabled; then it listens where it did."""
        member = await self.add()
        link = await self.connect(member.listen)
        await link.ask(b"x")
        await self.proxies.change("redis", enabled=False)
        await link.ended
        self.assertFalse(member.enabled)
        await self.refuses(member.listen)
        await self.proxies.change("redis", enabled=True)
        self.assertEqual(await self.ask(member.listen), b"one:hello")

    async def test_all_at_once(self) -> None:
        """A proxy that is disabled moves without listening, unless it is enabled by that."""
        member, port, other = await self.add(), free_port(), free_port()
        await self.proxies.change("redis", listen=listen_at(port), enabled=False)
        self.assertEqual((member.listen, member.enabled), (f"127.0.0.1:{port}", False))
        await self.refuses(port)
        await self.proxies.change("redis", listen=listen_at(other))
        await self.refuses(other)
        await self.proxies.change("redis", listen=listen_at(port), enabled=True)
        self.assertEqual(await self.ask(port), b"one:hello")

    async def test_enabled_where_the_port_is_taken(self) -> None:
        """What cannot listen elsewhere stays disabled where it was."""
        port, taken = free_port(), self.take_port()
        member = await self.add(listen=f"127.0.0.1:{port}", enabled=False)
        await self.fails(ListenError, self.proxies.change("redis", listen=listen_at(taken), enabled=True))
        self.assertEqual((member.listen, member.enabled), (f"127.0.0.1:{port}", False))

    async def test_neither_where_one_cannot_be(self) -> None:
        """Where it cannot be enabled it does not connect elsewhere, either."""
        other, taken = self.start_backend(b"two:"), self.take_port()
        member = await self.add(listen=f"127.0.0.1:{taken}", enabled=False)
        backend = parse_backend(f"127.0.0.1:{other}")
        await self.fails(ListenError, self.proxies.change("redis", backend=backend, enabled=True))
        self.assertEqual((member.proxy.backend.port, member.enabled), (self.backend, False))

    async def test_of_somebody_else(self) -> None:
        """A proxy that somebody else listens for cannot listen elsewhere."""
        proxies = Proxies.of(proxy(), registry())
        await self.fails(ConfigError, proxies.change("proxy", listen=listen_at(1)))


class SetBackendTests(Case):
    """Another backend, in turn."""

    async def test_removed_meanwhile(self) -> None:
        """Of a proxy that is gone nothing can be set."""
        member = await self.add()
        removing = ensureDeferred(self.proxies.remove("redis"))
        setting = ensureDeferred(self.proxies.set_backend("redis", parse_backend("127.0.0.1:1"), cut=False))
        await removing
        await self.fails(NoProxy, setting)
        self.assertEqual(member.proxy.backend.port, self.backend)

    async def test_beside_a_move_that_fails(self) -> None:
        """What is set while a move is under way is not undone when that fails."""
        member = await self.add()
        move = self.proxies.change("redis", listen=listen_at(self.take_port()))
        moving = ensureDeferred(self.fails(ListenError, move))
        other = self.start_backend(b"two:")
        await self.proxies.set_backend("redis", parse_backend(f"127.0.0.1:{other}"), cut=True)
        await moving
        self.assertEqual(await self.ask(member.listen), b"two:hello")

    async def test_over_http(self) -> None:
        """Who asks over HTTP waits for the turn as well: for a proxy that is gone by then it is refused."""
        member = await self.add()
        request: Any = DummyRequest([])
        request.content = BytesIO(json.dumps({"backend": "127.0.0.1:1"}).encode())
        removing = ensureDeferred(self.proxies.remove("redis"))
        await self.fails(NoProxy, ProxyApi(self.proxies, member).set_backend(request))
        await removing
        self.assertEqual(member.proxy.backend.port, self.backend)


class ReplaceTests(Case):
    """`Proxies.replace`."""

    async def test_in_its_place(self) -> None:
        """Another one stands in its place, on the same port if that is asked for."""
        member, other = await self.add(toxics=[{"type": "latency"}]), self.start_backend(b"two:")
        listen = member.listen
        link = await self.connect(listen)
        new = self.define("redis", listen=listen, upstream=f"127.0.0.1:{other}")
        replaced = await self.proxies.replace(new)
        await link.ended
        self.assertEqual((replaced.listen, replaced.proxy.plan.toxics), (listen, ()))
        self.assertEqual(await self.ask(listen), b"two:hello")
        told = [each for each in self.events("redis") if each in {"created", "removed"}]
        self.assertEqual(told, ["created", "removed", "created"])

    async def test_new(self) -> None:
        """Where there is none it is made."""
        await self.proxies.replace(self.define("redis"))
        self.assertIn("redis", self.proxies)

    async def test_unless(self) -> None:
        """It is seen when its turn has come whether the one that there is will do: it stays then."""
        adding = ensureDeferred(self.add())
        staying = ensureDeferred(self.proxies.replace(self.define("redis"), unless=lambda old: True))
        self.assertIs(await staying, await adding)
        replaced = await self.proxies.replace(self.define("redis"), unless=lambda old: False)
        self.assertIsNot(replaced, await adding)

    async def test_port_taken(self) -> None:
        """Where the new one cannot listen the old one is there again, as it was last."""
        member = await self.add()
        listen = member.listen
        await self.add("other", enabled=False)
        member.proxy.set_plan(Plan(seed=5))
        new = self.define("redis", listen=f"127.0.0.1:{self.take_port()}")
        await self.fails(ListenError, self.proxies.replace(new))
        again = self.proxies.get("redis")
        self.assertEqual((again.listen, again.proxy.plan), (listen, Plan(seed=5)))
        self.assertEqual(await self.ask(listen), b"one:hello")
        self.assertEqual([each.name for each in self.proxies], ["redis", "other"])

    async def test_what_does_not_fit(self) -> None:
        """Where the new one cannot be at all, the old one is left alone: links stand."""
        member = await self.add()
        link = await self.connect(member.listen)
        await link.ask(b"x")
        good = self.define("redis", protocol="redis", plan={"rules": ["error kind=oom"]})
        await self.fails(ConfigError, self.proxies.replace(type(good)(**{**vars(good), "protocol": Tcp()})))
        self.assertEqual(await link.ask(b"x"), b"one:x")


class ResetTests(Case):
    """`Proxies.reset`."""

    async def test_all(self) -> None:
        """Every fault of every proxy is gone, and every one is enabled; links stand."""
        toxics = [{"type": "latency"}]
        first = await self.add("a", plan={"mix": "100:delay", "rules": ["delay"]}, toxics=toxics, seed=3)
        second = await self.add("b")
        third = await self.add("c", enabled=False)
        await self.proxies.change("b", enabled=False)
        link = await self.connect(first.listen)
        await self.proxies.reset()
        self.assertEqual(await link.ask(b"x"), b"one:x")
        for member in (first, second, third):
            self.assertTrue(member.enabled)
            self.assertEqual(await self.ask(member.listen), b"one:hello")
        plan = first.proxy.plan
        self.assertEqual((plan.mix, plan.rules, plan.toxics, first.proxy.seed), ((), (), (), 3))

    async def test_one_cannot_listen(self) -> None:
        """Where one cannot be enabled, all else is done, and the error is told."""
        await self.add("a", listen=f"127.0.0.1:{self.take_port()}", enabled=False)
        member = await self.add("b", enabled=False)
        await self.fails(ListenError, self.proxies.reset())
        self.assertTrue(member.enabled)

    async def test_several_cannot_listen(self) -> None:
        """The first error is told, and the log tells of the others."""
        for name in "ab":
            await self.add(name, listen=f"127.0.0.1:{self.take_port()}", enabled=False)
        with capturedLogs() as events:
            await self.fails(ListenError, self.proxies.reset())
        [failure] = [event["log_failure"] for event in events if "log_failure" in event]
        self.assertIsInstance(failure.value, ListenError)
        self.assertEqual(len(self.flushLoggedErrors(ListenError)), 1)

    async def test_meanwhile_removed(self) -> None:
        """One that is removed meanwhile does not come back."""
        member = await self.add(listen=f"127.0.0.1:{free_port()}")
        removing, resetting = (
            ensureDeferred(self.proxies.remove("redis")),
            ensureDeferred(self.proxies.reset()),
        )
        await removing
        await resetting
        await self.refuses(member.listen)


class ServiceTests(Case):
    """`Proxies` as a service."""

    async def test_start_and_stop(self) -> None:
        """What is put in before the start listens from then on, and is watched; at the stop all ends."""
        journal = Journal(reactor)
        proxies = Proxies(reactor, self.registry, watchers=[journal])
        member = proxies.put(self.define("a", listen=f"127.0.0.1:{free_port()}"), main=True)
        asleep = proxies.put(self.define("b", enabled=False))
        await self.refuses(member.listen)
        self.assertEqual(member.proxy.observers, [])
        proxies.startService()
        link = await self.connect(member.listen)
        await link.ask(b"x")
        self.assertEqual((len(member.proxy.observers), asleep.running), (1, False))
        await proxies.stopService()
        await link.ended
        await self.refuses(member.listen)
        self.assertEqual(member.proxy.observers, [])

    async def test_not_after_the_stop(self) -> None:
        """What comes after the stop is refused, so that nothing listens on; a new start changes that."""
        proxies = Proxies(reactor, self.registry)
        proxies.startService()
        stopping = proxies.stopService()
        await self.fails(ConfigError, proxies.add(self.define("a")))
        await stopping
        self.assertEqual(len(proxies), 0)
        proxies.startService()
        await proxies.add(self.define("a"))
        await proxies.stopService()

    async def test_while_it_stops(self) -> None:
        """What is under way at the stop is completed, and then ends."""
        proxies = Proxies(reactor, self.registry)
        proxies.startService()
        await proxies.add(self.define("a"))
        removing = ensureDeferred(proxies.remove("a"))
        await proxies.stopService()
        await removing
        self.assertEqual(len(proxies), 0)

    async def test_beside_one_of_somebody_else(self) -> None:
        """Where the first proxy is somebody else's, and nobody starts this service, others can be added."""
        foreign = Proxy(f"127.0.0.1:{self.backend}", Tcp(), reactor=reactor)
        service = ProxyService(foreign, "127.0.0.1:0")
        service.startService()
        self.addCleanup(service.stopService)
        proxies = Proxies.of(foreign, self.registry, watchers=[self.journal])
        self.addCleanup(proxies.stopService)
        member = await proxies.add(self.define("other"))
        self.assertEqual(await self.ask(member.listen), b"one:hello")
        self.assertEqual(self.events("other"), ["created"])
        self.assertEqual(proxies.main.proxy, foreign)
        self.assertEqual(proxies.main.listen, f"127.0.0.1:{service.port}")

    async def test_a_watcher_that_comes_later(self) -> None:
        """It is told of those that are there."""
        member = await self.add()
        later = Journal(reactor)
        self.proxies.watch_with(later)
        await self.proxies.change("redis", enabled=False)
        self.assertEqual([each.event for each in later.since(proxy=member.name)][-1:], ["action"])


class MainTests(SynchronousTestCase):
    """The proxy that is meant where none is named."""

    def test_main(self) -> None:
        """That of the start, or the only one; else the error says what to ask for."""
        proxies = Proxies(proxy().reactor, registry())
        self.assertIn("POST one to /proxies", str(self.assertRaises(NoProxy, lambda: proxies.main)))
        made = Proxies.of(proxy(), registry())
        self.assertEqual(made.main.name, "proxy")

    def test_events(self) -> None:
        """What is told of proxies is in the list of events."""
        self.assertLessEqual({"created", "removed", "listen"}, set(EVENTS))
