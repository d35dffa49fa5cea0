"""Reading the file of the start again while the process runs."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.actions import Disable
from txvaurien.behaviors.delay import Delay
from txvaurien.config import load
from txvaurien.net.addresses import Backend, parse_backend, parse_listen
from txvaurien.process.definition import Definition
from txvaurien.process.member import Member
from txvaurien.process.reloading import Reloader
from txvaurien.protocols.tcp import Tcp
from txvaurien.rules import Rule
from txvaurien.tap import VaurienService
from txvaurien.test.registries import Chatty, Flaky, registry

ONE = ("[proxy:one]", "proxy = 127.0.0.1:1", "backend = 127.0.0.1:9")
TWO = ("[proxy:two]", "proxy = 127.0.0.1:2", "backend = 127.0.0.1:9")
MAIN = ("[vaurien]", "proxy = 127.0.0.1:3", "backend = 127.0.0.1:9")
RULE = ("[rule:slow]", "behavior = delay", "proxy = one")
OTHER_RULE = ("[rule:slower]", "behavior = delay", "sleep = 9", "proxy = one")


class ReloadCase(SynchronousTestCase):
    """A service in an imaginary network, with a file that changes."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.path = self.mktemp()
        self.welcome: list[str] = []

    def write(self, *lines: str) -> None:
        """What the file says from now on."""
        Path(self.path).write_text("\n".join(lines) + "\n", encoding="utf-8")

    def start(self, *lines: str, arguments: tuple[str, ...] = ()) -> None:
        """Start a service with this file."""
        self.write(*lines)
        settings = load(["--config", self.path, *arguments], registry(), {})
        self.service = VaurienService(settings, self.reactor)
        self.addCleanup(self.service.stopService)
        self.service.startService()
        self.proxies = self.service.proxies
        self.reloader = Reloader(settings, self.proxies, lambda member: self.welcome.append(member.name))

    def reload(self, *lines: str) -> list[str]:
        """Read the file again, which says this; what is logged of that."""
        self.write(*lines)
        return self.again()

    def again(self) -> list[str]:
        """Read the file again as it is."""
        with capturedLogs() as events:
            self.successResultOf(ensureDeferred(self.reloader.reload()))
        mine = [event for event in events if event["log_namespace"].startswith("txvaurien.process.reloading")]
        return [formatEvent(event).replace(self.path, "F") for event in mine]

    def member(self, name: str) -> Member:
        """One of the proxies."""
        return self.proxies.get(name)

    def names(self) -> list[str]:
        """The proxies that there are."""
        return sorted(member.name for member in self.proxies)

    def listening(self, name: str) -> int | None:
        """The port of a proxy, if it listens."""
        service = self.member(name).service
        return service.port if service is not None and service.running else None

    def wait(self, awaitable: Any) -> Any:
        """What comes of it, at once."""
        return self.successResultOf(ensureDeferred(awaitable))


class SameTests(ReloadCase):
    """What the file says as before."""

    def test_untouched(self) -> None:
        """Nothing is done, and what was set live stays: plan, backend, addresses, and that it is disabled."""
        self.start(*ONE, *RULE, *MAIN)
        one = self.member("one")
        self.wait(self.proxies.change("one", listen=parse_listen(":77"), backend=Backend("h:1", "h", 1)))
        one.proxy.add_rule(Rule(Delay(), "live"))
        one.proxy.remove_rule("slow")
        self.wait(one.disable())
        said = self.reload(*ONE, "", *RULE, *MAIN)
        self.assertEqual(said, ["F has been read again: nothing differs"])
        self.assertIs(self.member("one"), one)
        self.assertEqual([rule.name for rule in one.proxy.plan.rules], ["live"])
        self.assertEqual((one.proxy.backend.text, self.listening("one")), ("h:1", 77))
        self.assertIn(Disable.name, one.proxy.actions.standing)

    def test_written_otherwise(self) -> None:
        """An address, a time or a rule in other words is the same."""
        self.start("[proxy:one]", "proxy = localhost:1", "backend = 127.0.0.1:9", "timeout = 60", *RULE)
        said = self.reload(
            "[rule:slow]",
            "proxy = *",
            "behavior = delay",
            "sleep = 1.0",
            *ONE,
            "timeout = 1m",
            "behavior = dummy",
        )
        self.assertEqual(said, ["F has been read again: nothing differs"])

    def test_made_live(self) -> None:
        """What somebody has added live stays, and what somebody has removed does not come back."""
        self.start(*ONE, *TWO)
        live = Definition("live", parse_listen(":5"), parse_backend("127.0.0.1:9"), Tcp())
        self.wait(self.proxies.add(live))
        self.wait(self.proxies.remove("two"))
        self.reload(*ONE, *TWO)
        self.assertEqual(self.names(), ["live", "one"])


class EmptyTests(ReloadCase):
    """A file that is just being written."""

    def test_empty(self) -> None:
        """A file that says nothing changes nothing, whatever the command line says; the log says so."""
        for arguments in ((), ("--proxy=127.0.0.1:3", "--backend=127.0.0.1:9")):
            self.start(*ONE, *TWO, arguments=arguments)
            before = self.names()
            for text in ("", "# a comment", "[]"):
                told = self.reload(text)
                self.assertEqual(len(told), 1)
                self.assertIn("F: it is empty; write it again", told[0])
                self.assertIn("nothing was changed", told[0])
                self.assertEqual(self.names(), before)

    def test_no_proxy_any_more(self) -> None:
        """Nor does one that has lost its proxies, unless it says that this is meant."""
        self.start(*ONE, *TWO)
        told = self.reload("[vaurien]", "seed = 3")
        self.assertIn("F: it describes no proxy any more; describe one", told[0])
        self.assertEqual(self.names(), ["one", "two"])
        self.reload("[vaurien]", "no-proxy = true")
        self.assertEqual(self.names(), [])


class AddedTests(ReloadCase):
    """What is new in the file, or no longer there."""

    def test_added(self) -> None:
        """A proxy that is new listens, with its plan and its scenario, and is welcomed."""
        scenario = self.mktemp()
        Path(scenario).write_text("at 0s: delay for 5s\n", encoding="utf-8")
        self.start(*ONE)
        said = self.reload(*ONE, *TWO, f"scenario = {scenario}", "[toxic:x]", "type = pause", "proxy = two")
        self.assertEqual(said, ["F has been read again: added two"])
        two = self.member("two")
        self.assertEqual((self.listening("two"), [each.name for each in two.proxy.plan.toxics]), (2, ["x"]))
        self.assertEqual([rule.name for rule in two.proxy.plan.rules], ["scenario-1"])
        self.assertEqual(self.welcome, ["two"])

    def test_gone(self) -> None:
        """A proxy that is gone from the file is removed."""
        self.start(*ONE, *TWO)
        two = self.member("two")
        self.assertEqual(self.reload(*ONE), ["F has been read again: removed two"])
        self.assertEqual(self.names(), ["one"])
        self.assertFalse(two.running)
        self.assertEqual(self.reload(*ONE), ["F has been read again: nothing differs"])

    def test_gone_already(self) -> None:
        """One that somebody has removed before is gone."""
        self.start(*ONE, *TWO)
        self.wait(self.proxies.remove("two"))
        self.assertEqual(self.reload(*ONE), ["F has been read again: removed two"])

    def test_name_of_a_live_one(self) -> None:
        """A proxy of the file takes the place of one that somebody has made under its name."""
        self.start(*ONE)
        live = Definition("two", parse_listen(":5"), parse_backend("127.0.0.1:9"), Tcp())
        self.wait(self.proxies.add(live))
        self.reload(*ONE, *TWO)
        self.assertEqual(self.listening("two"), 2)

    def test_main(self) -> None:
        """The main proxy comes, is the one that is meant where none is named, and goes."""
        self.start(*ONE, *TWO)
        self.reload(*MAIN, *ONE, *TWO)
        self.assertEqual((self.proxies.main.name, self.listening("proxy")), ("proxy", 3))
        self.reload(*ONE, *TWO)
        self.assertEqual(self.names(), ["one", "two"])

    def test_port_of_one_that_goes(self) -> None:
        """A new proxy may have the port of one that goes."""
        self.start(*ONE)
        self.reload("[proxy:new]", *ONE[1:])
        self.assertEqual((self.names(), self.listening("new")), (["new"], 1))

    def test_backend_is_allowed(self) -> None:
        """Where the API may point a proxy is no bound for the file."""
        self.start(*ONE, arguments=("--http", "--allow-backend=127.0.0.1:9"))
        self.reload(*ONE[:2], "backend = 127.0.0.2:7", *TWO[:2], "backend = 127.0.0.3:7")
        backends = {member.name: member.proxy.backend.text for member in self.proxies}
        self.assertEqual(backends, {"one": "127.0.0.2:7", "two": "127.0.0.3:7"})

    def test_own_class(self) -> None:
        """A class that the file names by now can be named, live as well; so can those of before."""
        self.start(*ONE)
        path = f"{Flaky.__module__}.Flaky"
        self.reload(*ONE, "behavior = 5:flaky", "[behavior:flaky]", f"callable = {path}", "how-often = 3")
        (share,) = self.member("one").proxy.plan.mix
        self.assertEqual(share.rule.behavior, Flaky(how_often=3))
        self.assertIs(self.proxies.registry.behaviors["flaky"], Flaky)


class ChangedTests(ReloadCase):
    """What is otherwise in the file."""

    def test_rules(self) -> None:
        """Of a plan that differs, the rules that are as before go on as they are."""
        self.start(*ONE, *RULE)
        member = self.member("one")
        slow = member.proxy.rule("slow")
        self.assertEqual(self.reload(*ONE, *OTHER_RULE, *RULE), ["F has been read again: changed one (plan)"])
        self.assertIs(self.member("one"), member)
        self.assertEqual([rule.name for rule in member.proxy.plan.rules], ["slower", "slow"])
        self.assertIs(member.proxy.rule("slow"), slow)
        self.reload(*ONE, *OTHER_RULE, *RULE[:2], "sleep = 5", "proxy = one")
        self.assertIsNot(member.proxy.rule("slow"), slow)
        self.assertEqual(member.proxy.rule("slow").rule.behavior, Delay(sleep=5.0))

    def test_mix_and_toxics(self) -> None:
        """So do the mix and the toxics."""
        toxic = ("[toxic:far]", "type = latency", "latency = 5", "proxy = one")
        self.start(*ONE, "behavior = 5:delay", *toxic)
        before = self.member("one").proxy.plan
        self.reload(*ONE, "behavior = 5:delay", *toxic, "[toxic:x]", "type = pause", "proxy = one")
        after = self.member("one").proxy.plan
        self.assertIs(after.mix, before.mix)
        self.assertIs(after.toxics[0], before.toxics[0])
        self.assertEqual([each.name for each in after.toxics], ["far", "x"])

    def test_whole_plan(self) -> None:
        """A plan that differs is that of the file, without what was set live."""
        self.start(*ONE, *RULE)
        self.member("one").proxy.add_rule(Rule(Delay(), "live"))
        self.reload(*ONE, "seed = 8", *RULE)
        plan = self.member("one").proxy.plan
        self.assertEqual(([rule.name for rule in plan.rules], plan.seed), (["slow"], 8))

    def test_defaults(self) -> None:
        """Other defaults of a behavior reach the rules that have them, and what is set live from now on."""
        self.start(*ONE, *TWO, *RULE)
        two = self.member("two")
        said = self.reload(*ONE, *TWO, *RULE, "[behavior:delay]", "sleep = 4")
        self.assertEqual(said, ["F has been read again: changed one (plan)"])
        self.assertEqual(self.member("one").proxy.rule("slow").rule.behavior, Delay(sleep=4.0))
        self.assertEqual(two.reader.rule({"behavior": "delay"}, where="").behavior, Delay(sleep=4.0))

    def test_addresses(self) -> None:
        """Another address is one of the same proxy, with its counters."""
        self.start(*ONE, *RULE)
        member, slow = self.member("one"), self.member("one").proxy.rule("slow")
        said = self.reload("[proxy:one]", "listen = 127.0.0.1:4", "upstream = 127.0.0.1:8", *RULE)
        self.assertEqual(said, ["F has been read again: changed one (listen, backend)"])
        self.assertIs(self.member("one"), member)
        self.assertEqual((self.listening("one"), member.proxy.backend.text), (4, "127.0.0.1:8"))
        self.assertIs(member.proxy.rule("slow"), slow)

    def test_enabled(self) -> None:
        """A proxy can be switched off, and on again."""
        self.start(*ONE)
        self.reload(*ONE, "enabled = no")
        self.assertFalse(self.member("one").enabled)
        self.reload(*ONE, "enabled = yes")
        self.assertTrue(self.member("one").enabled)
        self.start(*ONE, "enabled = no")
        self.reload(*ONE)
        self.assertEqual((self.listening("one"), self.member("one").enabled), (1, True))

    def test_replaced(self) -> None:
        """With another protocol or other limits it is another proxy, and is welcomed."""
        self.start(*ONE, "scenario = " + self.scenario("at 0s: delay for 5s\n"))
        member = self.member("one")
        lines = Path(self.path).read_text(encoding="utf-8").splitlines()
        said = self.reload(*lines, "protocol = chatty", "greeting = hi", "idle-timeout = 5")
        self.assertEqual(said, ["F has been read again: changed one (protocol, limits)"])
        self.assertIsNot(self.member("one"), member)
        self.assertEqual(self.member("one").proxy.protocol, Chatty(greeting="hi"))
        self.assertEqual((self.listening("one"), self.welcome), (1, ["one"]))
        self.assertEqual([rule.name for rule in self.member("one").proxy.plan.rules], ["scenario-1"])

    def test_ports_exchanged(self) -> None:
        """Two proxies can take each other's port."""
        self.start(*ONE, *TWO)
        self.reload("[proxy:one]", *TWO[1:], "[proxy:two]", *ONE[1:])
        self.assertEqual((self.listening("one"), self.listening("two")), (2, 1))

    def test_removed_live(self) -> None:
        """One that somebody has removed is there again when the file wants it otherwise."""
        self.start(*ONE, *TWO)
        self.wait(self.proxies.remove("two"))
        self.reload(*ONE, *TWO, "seed = 6")
        self.assertEqual(self.member("two").proxy.seed, 6)

    def scenario(self, text: str) -> str:
        """A file with a scenario."""
        path = self.mktemp()
        Path(path).write_text(text, encoding="utf-8")
        return str(path)

    def test_scenario_goes_on(self) -> None:
        """A scenario that is played keeps its rules when the plan changes, and takes them away in time."""
        lines = (*ONE, "scenario = " + self.scenario("at 1s: delay for 5s\n"))
        self.start(*lines)
        self.reactor.advance(1)
        self.reload(*lines, *RULE)
        proxy = self.member("one").proxy
        self.assertEqual([rule.name for rule in proxy.plan.rules], ["scenario-1", "slow"])
        self.reactor.advance(5)
        self.assertEqual([rule.name for rule in proxy.plan.rules], ["slow"])

    def test_scenario_changed(self) -> None:
        """Another scenario is played in place of the one that there is; none ends it."""
        path = self.scenario("at 0s: delay for 5s\n")
        self.start(*ONE, f"scenario = {path}")
        Path(path).write_text("at 0s: delay sleep=3 for 5s\n", encoding="utf-8")
        self.assertEqual(self.again(), ["F has been read again: changed one (scenario)"])
        (rule,) = self.member("one").proxy.plan.rules
        self.assertEqual(rule.behavior, Delay(sleep=3.0))
        self.assertEqual(self.again(), ["F has been read again: nothing differs"])
        self.reload(*ONE)
        self.assertEqual(self.member("one").proxy.plan.rules, ())


class JsonTests(ReloadCase):
    """A file as Toxiproxy has it."""

    def test_changed(self) -> None:
        """It is read again as well, and may become an INI file."""
        proxy = '{"name": "%s", "listen": "127.0.0.1:%d", "upstream": "127.0.0.1:9"}'
        self.start(f"[{proxy % ('one', 1)}]")
        one = self.member("one")
        said = self.reload("[", proxy % ("one", 1), ",", proxy % ("two", 2), "]")
        self.assertEqual(said, ["F has been read again: added two"])
        self.assertIs(self.member("one"), one)
        said = self.reload("[", proxy % ("one", 1), ",", proxy % ("two", 3), "]")
        self.assertEqual(said, ["F has been read again: changed two (listen)"])
        (said_wrong,) = self.reload("[", proxy % ("one", 1), ",", "]")
        self.assertTrue(said_wrong.startswith("F:4: this is not JSON"), said_wrong)
        self.reload(*ONE)
        self.assertEqual(self.names(), ["one"])
        self.assertIs(self.member("one"), one)


class WrongTests(ReloadCase):
    """What cannot be."""

    def test_nothing_changes(self) -> None:
        """A file with a mistake changes nothing; the log names its line."""
        self.start(*ONE)
        (said,) = self.reload(*TWO, *ONE, "timout = 5")
        self.assertTrue(said.startswith("F:7: timout: there is no option 'timout' (did you mean 'timeout'?)"))
        self.assertTrue(said.endswith("; F has been read again, and nothing was changed"), said)
        self.assertEqual(self.names(), ["one"])
        Path(self.path).unlink()
        (said,) = self.again()
        self.assertTrue(said.startswith("--config: 'F' cannot be read (No such file or directory)"), said)
        self.assertEqual(self.reload(*ONE), ["F has been read again: nothing differs"])

    def test_no_such_host(self) -> None:
        """A backend whose name does not exist is such a mistake."""
        self.start(*ONE)

        class Resolver:
            def resolveHostName(self, receiver: Any, host: str) -> None:
                receiver.resolutionBegan(None)
                receiver.resolutionComplete()

        network: Any = self.reactor
        network.nameResolver = Resolver()
        (said,) = self.reload(*ONE, "[proxy:two]", "proxy = :2", "backend = nix.example:1")
        self.assertTrue(said.startswith("F:6: backend: the host 'nix.example'"), said)
        self.assertEqual(self.names(), ["one"])

    def taken(self, port: int) -> set[int]:
        """Ports that are somebody else's."""
        listen, ports = self.reactor.listenTCP, {port}

        def refuse(port: int, *args: Any, **options: Any) -> Any:
            if port in ports:
                raise CannotListenError("127.0.0.1", port, OSError(98, "Address already in use"))
            return listen(port, *args, **options)

        self.patch(self.reactor, "listenTCP", refuse)
        return ports

    def test_port_in_use(self) -> None:
        """A port that is taken leaves that proxy out, and the next time it is tried again."""
        self.start(*ONE)
        ports = self.taken(2)
        first, last = self.reload(*TWO, *ONE, "seed = 5")
        self.assertEqual(
            first,
            "F:2: proxy: 'two' is not as it should be: cannot listen on 127.0.0.1:2: the port is in use;"
            " stop the other process or choose another with F:2: proxy",
        )
        self.assertEqual(last, "F has been read again: changed one (plan); failed two")
        self.assertEqual((self.names(), self.member("one").proxy.seed), (["one"], 5))
        ports.clear()
        self.assertEqual(self.again(), ["F has been read again: added two"])
        self.assertEqual(self.names(), ["one", "two"])

    def test_move_to_a_port_in_use(self) -> None:
        """A proxy that cannot go elsewhere stays where it is; a change that comes with that is made."""
        self.start(*ONE)
        self.taken(2)
        self.reload("[proxy:one]", *TWO[1:], "seed = 5")
        self.assertEqual((self.listening("one"), self.member("one").proxy.seed), (1, 5))

    def test_of_the_process(self) -> None:
        """What holds for the whole process is named, each time, with its place; all else is done."""
        self.start("[vaurien]", "http = yes", "http-port = 7", *ONE)
        lines = ("[vaurien]", "http_port = 8", "journal = x", *ONE, *TWO)
        said = self.reload(*lines)
        advice = "this holds until the process ends; restart it for another value"
        named = {f"--http: {advice}", f"F:2: http_port: {advice}", f"F:3: journal: {advice}"}
        self.assertEqual(named, {each for each in said if "restart" in each})
        self.assertEqual(self.names(), ["one", "two"])
        self.assertEqual(len(self.reload(*lines)), 4)

    def test_token(self) -> None:
        """So is a token that is another one by now; it is not shown."""
        path = Path(self.mktemp())
        path.write_text("first-token-of-all\n")
        path.chmod(0o600)
        self.start("[vaurien]", "http = yes", f"http-token-file = {path}", *ONE)
        self.assertEqual(len(self.again()), 1)
        path.write_text("another-token-than-that\n")
        said, _ = self.again()
        self.assertEqual(
            said, "F:3: http-token-file: this holds until the process ends; restart it for another value"
        )

    def test_warnings(self) -> None:
        """What settings warn of at the start, they warn of again."""
        self.start(*ONE)
        said, _ = self.reload("[vaurien]", "bufsize = 1", *TWO)
        self.assertTrue(said.startswith("F:2: bufsize: this does nothing any more"), said)


class TurnTests(ReloadCase):
    """One after the other."""

    def test_one_at_a_time(self) -> None:
        """What is asked for while the file is read again is done once, after that."""
        self.start(*ONE)
        waiting: list[Deferred[None]] = []

        async def reload() -> None:
            waiting.append(Deferred())
            await waiting[-1]

        self.patch(self.reloader, "reload", reload)
        for _ in range(4):
            self.reloader.begin()
        self.assertEqual(len(waiting), 1)
        waiting[0].callback(None)
        self.assertEqual(len(waiting), 2)
        waiting[1].callback(None)
        self.assertEqual(len(waiting), 2)
        self.reloader.begin()
        self.assertEqual(len(waiting), 3)

    def test_stopped(self) -> None:
        """When the service stops, what waits is given up without a word, and nothing begins any more."""
        self.start(*ONE)
        waiting: Deferred[None] = Deferred()
        self.patch(self.reloader, "reload", lambda: waiting)
        self.reloader.begin()
        self.reloader.begin()
        with capturedLogs() as events:
            self.reloader.stop()
        self.assertTrue(waiting.called)
        self.assertEqual(list(events), [])

    def test_broken(self) -> None:
        """What nobody has thought of is logged, and the next time it is done again."""
        self.start(*ONE)

        async def fail() -> None:
            raise RuntimeError("broken")

        self.patch(self.reloader, "reload", fail)
        for _ in range(2):
            self.reloader.begin()
            self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)


class SignalTests(ReloadCase):
    """SIGHUP."""

    def hang_up(self) -> None:
        """Send the signal, and let the reactor take its turn."""
        calls: list[Any] = []
        reactor: Any = self.reactor
        reactor.callFromThread = calls.append
        os.kill(os.getpid(), signal.SIGHUP)
        for call in calls:
            call()

    def test_signal(self) -> None:
        """The file is read again, and who is new is told of in the log, as at the start."""
        self.start(*ONE)
        self.write(*ONE, *TWO)
        with capturedLogs() as events:
            self.hang_up()
        self.assertEqual(self.names(), ["one", "two"])
        self.assertIn("two on 127.0.0.1:2 for 127.0.0.1:9: ", "\n".join(map(str, map(formatEvent, events))))
        self.write(*TWO)
        self.hang_up()
        self.assertEqual(self.names(), ["two"])

    def test_handler(self) -> None:
        """The signal is handled for as long as a service with a file runs, and by no other."""
        before = signal.getsignal(signal.SIGHUP)
        service = VaurienService(load(["--backend=127.0.0.1:9"], registry(), {}), self.reactor)
        service.startService()
        self.assertEqual(signal.getsignal(signal.SIGHUP), before)
        self.successResultOf(service.stopService())
        self.start(*ONE)
        self.assertNotEqual(signal.getsignal(signal.SIGHUP), before)
        self.successResultOf(self.service.stopService())
        self.assertEqual(signal.getsignal(signal.SIGHUP), before)

    def test_stopped_meanwhile(self) -> None:
        """A signal of which the reactor learns when the service has stopped is for nobody."""
        self.start(*ONE)
        calls: list[Any] = []
        reactor: Any = self.reactor
        reactor.callFromThread = calls.append
        os.kill(os.getpid(), signal.SIGHUP)
        self.successResultOf(self.service.stopService())
        self.write(*ONE, *TWO)
        calls[0]()
        self.assertEqual(self.names(), ["one"])


class FolderTests(ReloadCase):
    """A process that has gone to another folder."""

    def test_elsewhere(self) -> None:
        """The file, what it extends and its scenario are those of the folder of the start."""
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "s").write_text("at 0s: delay for 5s\n")
        (folder / "base.ini").write_text("\n".join(ONE))
        before = Path.cwd()
        self.addCleanup(os.chdir, before)
        os.chdir(folder)
        self.path = "x.ini"
        self.start(*MAIN, "scenario = s", "extends = base.ini", "[proxy:one]", "scenario = s")
        os.chdir(before)
        self.assertEqual(self.again(), ["F has been read again: nothing differs"])
