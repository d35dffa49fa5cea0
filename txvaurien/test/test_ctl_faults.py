"""vaurienctl: rules, toxics, actions, links, scenarios and the journal."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from txvaurien.control.service import ControlService
from txvaurien.process.proxies import Proxies
from txvaurien.protocols.tcp import Tcp
from txvaurien.proxy import Proxy
from txvaurien.service import ProxyService
from txvaurien.test.control_helpers import registry
from txvaurien.test.ctl_case import CommandCase
from txvaurien.test.servers import free_port


class Visitor(Protocol):
    """A client that waits until its connection ends."""

    def __init__(self) -> None:
        self.gone = Deferred[None]()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It has ended."""
        self.gone.callback(None)


class FaultCommandTests(CommandCase):
    """What the commands do and print."""

    def setUp(self) -> None:
        self.proxy = Proxy(f"127.0.0.1:{free_port()}", Tcp(), reactor=reactor)
        service = ControlService(Proxies.of(self.proxy, registry()), port=0, reactor=reactor)
        service.startService()
        self.addCleanup(service.stopService)
        self.port = service.port

    async def test_rules(self) -> None:
        """Rules are added in the short form, quoted or not, listed in it, and removed by name."""
        self.assertEqual(await self.said("rule", "list"), "There are no rules")
        self.assertEqual(await self.said("rule", "add", "delay sleep=2 verb=SET"), 'Rule "delay-1" added')
        words = ["rule", "add", "error", "target=user *", "times=2", "name=mine", "--position=0"]
        self.assertEqual(await self.said(*words), 'Rule "mine" added')
        listed = [
            "mine     fired 0 of 0  error target='user *' times=2",
            "delay-1  fired 0 of 0  delay sleep=2.0 verb=SET",
        ]
        self.assertEqual((await self.said("rule", "list")).splitlines(), listed)
        self.assertEqual(await self.said("rule", "remove", "delay-1"), 'Rule "delay-1" removed')
        self.assertEqual([rule.name for rule in self.proxy.plan.rules], ["mine"])
        self.assertEqual(
            await self.fails("rule", "remove", "delay-1"), "there is no rule 'delay-1'; the rules are: mine"
        )
        self.assertEqual(
            await self.fails("rule", "add", "delay name=mine"),
            "there is a rule 'mine' already; change that with `vaurienctl rule update`,"
            " remove it with `vaurienctl rule remove`, or give this one another name",
        )
        self.assertIn("'slep'", await self.fails("rule", "add", "delay slep=2"))
        self.assertIn("there is no behavior 'dealy'", await self.fails("rule", "add", "dealy"))

    async def test_rule_update(self) -> None:
        """What is named is otherwise then, each value of its own type; what is empty is taken away."""
        await self.said("rule", "add", "error text=404 verb=SET times=2 name=r")
        changes = ["times=3", "for=1m30s", "probability=.5", "inject=yes", "text=not here", "link-age=>5"]
        self.assertEqual(await self.said("rule", "update", "r", *changes), 'Rule "r" updated')
        self.assertEqual(
            await self.said("rule", "list"),
            "r  fired 0 of 0  error text='not here' inject=true verb=SET link-age=5.. probability=0.5"
            " times=3 for=90.0",
        )
        await self.said(
            "rule", "update", "r", "times=", "verb=", "for=", "text=", "link_age=", "probability="
        )
        self.assertEqual(await self.said("rule", "list"), "r  fired 0 of 0  error inject=true")
        await self.said("rule", "update", "r", "behavior=delay", "sleep=2", "for=60")
        self.assertEqual(await self.said("rule", "list"), "r  fired 0 of 0  delay sleep=2.0 for=60.0")
        await self.said("rule", "remove", "r")

    async def test_rule_update_in_vain(self) -> None:
        """What cannot be is refused, and nothing has changed; the words are those of the shell."""
        await self.said("rule", "add", "delay sleep=2 name=r")
        before = self.proxy.plan
        for words, said in (
            (["r", "sleep=soon"], "sleep: 'soon' will not do; it must be a number from 0"),
            (["r", "times=" + "9" * 400], "times: "),
            (["r", "slep=2"], "there is no field 'slep' (did you mean 'sleep'?)"),
            (["r", "sleep"], "'sleep' is not FIELD=VALUE; write for example: sleep=2"),
            (["r", "=2"], "'=2' is not FIELD=VALUE"),
            (["r", "link-age=>2", "link_age=>3"], "link-age: it stands twice; say it once"),
            (["r", "name=x"], "the name of a rule stays; remove this one and add another"),
            (["r", "fired=3"], "fired: a rule counts this itself; it cannot be set"),
            (["r", "self=3"], "there is no field 'self'"),
            (["x", "sleep=3"], "there is no rule 'x'; the rules are: r"),
            (["r"], "FIELD=VALUE is missing; try --help"),
        ):
            self.assertIn(said, await self.fails("rule", "update", *words))
        self.assertIs(self.proxy.plan, before)

    async def test_counts(self) -> None:
        """Of what a rule has counted all is shown that is not as it should be."""
        await self.said("rule", "add", "delay name=r")
        tally = self.proxy.rule("r").tally
        tally.matched, tally.fired, tally.misfired, tally.capped = 5, 2, 1, 2
        listed = await self.said("rule", "list")
        self.assertEqual(listed, "r  fired 2 of 5, misfired 1, capped 2  delay")

    async def test_wait(self) -> None:
        """A rule is waited for; in vain, that is an exit status of 1."""
        await self.said("rule", "add", "delay name=r")
        self.assertEqual(
            await self.fails("rule", "wait", "r", "--timeout=0"), "'r' has fired 0 times in 0 seconds, not 1"
        )
        for time in ("0s", "0ms"):
            self.assertIn("in 0 seconds", await self.fails("rule", "wait", "r", "--timeout", time))
        self.assertEqual(
            await self.fails("rule", "wait", "r", "--timeout=soon"),
            "--timeout: 'soon' is not a time; write for example 10, 500ms, 1.5s, 2m or 1m30s",
        )
        activation = self.proxy.rule("r")
        waiting = self.said("rule", "wait", "r", "--times", "1", "--timeout", "60")
        activation.count_fired(activation.tally)
        self.assertEqual(await waiting, 'Rule "r" has fired once')

    async def test_toxics(self) -> None:
        """Toxics, likewise."""
        self.assertEqual(await self.said("toxic", "list"), "There are no toxics")
        said = await self.said("toxic", "add", "latency", "latency=200", "stream=upstream")
        self.assertEqual(said, 'Toxic "latency_upstream" added')
        self.assertEqual(
            await self.said("toxic", "list"),
            "latency_upstream  latency latency=200 jitter=0 distribution=uniform"
            " stream=upstream toxicity=1.0",
        )
        said = await self.fails("toxic", "add", "latency", "stream=upstream")
        self.assertIn("already; change that with `vaurienctl toxic update`, remove it with", said)
        said = await self.said("toxic", "remove", "latency_upstream")
        self.assertEqual((said, self.proxy.plan.toxics), ('Toxic "latency_upstream" removed', ()))

    async def test_toxic_update(self) -> None:
        """Attributes and the toxicity become what is said, all else stays; what cannot be is refused."""
        await self.said("toxic", "add", "latency latency=200 jitter=5 name=far")
        said = await self.said("toxic", "update", "far", "latency=100", "toxicity=0.5", "distribution=normal")
        self.assertEqual(said, 'Toxic "far" updated')
        self.assertEqual(
            await self.said("toxic", "list"),
            "far  latency latency=100 jitter=5 distribution=normal stream=downstream toxicity=0.5",
        )
        before = self.proxy.plan
        for words, said in (
            (["far", "latency=long"], "latency: 'long' will not do; it must be a whole number"),
            (["far", "latency="], "latency: '' will not do; it must be a whole number"),
            (["far", "latncy=1"], "there is no attribute 'latncy' (did you mean 'latency'?)"),
            (["far", "stream=upstream"], "the stream of a toxic stays; remove this one and add another"),
            (["x", "latency=1"], "there is no toxic 'x'; the toxics are: far"),
        ):
            self.assertIn(said, await self.fails("toxic", "update", *words))
        self.assertIs(self.proxy.plan, before)

    async def test_actions(self) -> None:
        """Actions are started and stopped."""
        self.assertEqual(await self.said("action", "list"), "There are no actions")
        self.assertEqual(await self.said("action", "start", "kill_idle idle=5"), 'Action "kill_idle" started')
        self.assertEqual(await self.said("action", "start", "half_open"), 'Action "half_open" started')
        self.assertEqual(await self.said("action", "list"), "kill_idle idle=5.0 how=fin\nhalf_open")
        self.assertEqual(await self.said("action", "stop", "half_open"), 'Action "half_open" stopped')
        self.assertEqual(
            await self.fails("action", "start", ""),
            'action: it must be a text such as "slow_accept delay=100"',
        )
        self.assertEqual(await self.said("reset"), "Every fault removed")
        self.assertEqual(await self.said("action", "list"), "There are no actions")

    async def test_links(self) -> None:
        """Links are listed below their titles, and ended."""
        await self.said("action", "start", "half_open")
        service = ProxyService(self.proxy, "localhost:0")
        service.startService()
        self.addCleanup(service.stopService)
        self.assertEqual(await self.said("links"), "There are no links")
        visitors = [Visitor(), Visitor()]
        port = service.port
        assert port is not None
        for visitor in visitors:
            await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port), visitor)
        titles, *rows = (await self.said("links")).splitlines()
        self.assertEqual(titles.split()[:2], ["id", "client"])
        self.assertEqual([row.split()[0] for row in rows], ["1", "2"])
        self.assertEqual(await self.said("kill", "1", "--how=fin"), "1 link ended")
        await visitors[0].gone
        self.assertEqual(await self.said("kill"), "1 link ended")
        await visitors[1].gone
        self.assertEqual(
            await self.fails("kill", "1"),
            "there is no link '1'; `vaurienctl links` shows those that there are",
        )

    def file(self, text: str) -> str:
        """A file with this text."""
        path: str = self.mktemp()
        Path(path).write_text(text, encoding="utf-8")
        return path

    async def test_scenario(self) -> None:
        """A scenario is read from a file, shown, paused, resumed and stopped."""
        self.assertEqual(await self.said("scenario", "show"), "There is no scenario")
        path = self.file("at 0: delay sleep=2 for 90s\nat 60s: error for 1s\nrepeat forever\n")
        said = (await self.said("scenario", "start", path)).splitlines()
        self.assertRegex(said[0], r"^running: round 1, \S+ of 90 s$")
        self.assertEqual(said[1], "active: delay sleep=2")
        self.assertRegex(said[2], r"^in \S+ s: begin error$")
        self.assertTrue((await self.said("scenario", "pause")).startswith("paused: round 1"))
        self.assertTrue((await self.said("scenario", "resume")).startswith("running: round 1"))
        self.assertEqual(await self.said("scenario", "stop"), "Scenario stopped")
        self.assertEqual(self.proxy.plan.rules, ())
        for what in ("pause", "resume", "stop"):
            self.assertEqual(
                await self.fails("scenario", what),
                "no scenario is played; start one with `vaurienctl scenario start FILE`",
            )
        self.assertEqual(
            await self.fails("scenario", "start", "nowhere"), "nowhere: No such file or directory"
        )
        path = self.file("at 0: dealy for 5s\n")
        self.assertIn("scenario:1: there is no fault 'dealy'", await self.fails("scenario", "start", path))

    async def test_scenario_from_standard_input(self) -> None:
        """Instead of a file there may be a dash."""
        self.patch(sys, "stdin", io.StringIO("at 0: delay sleep=2 for 90\n"))
        said = await self.said("scenario", "start", "-")
        self.assertIn("active: delay sleep=2", said)
        self.assertEqual([rule.behavior.name for rule in self.proxy.plan.rules], ["delay"])
        await self.said("scenario", "stop")

    async def test_journal(self) -> None:
        """Records are lines of JSON."""
        self.assertEqual(await self.said("journal"), "")
        for name in ("a", "b"):
            await self.said("rule", "add", f"delay name={name}")
        records = [json.loads(line) for line in (await self.said("journal")).splitlines()]
        self.assertEqual([(record["n"], record["event"]) for record in records], [(1, "plan"), (2, "plan")])
        self.assertEqual(len((await self.said("journal", "--since=1")).splitlines()), 1)
        for end, number in (("--limit", 1), ("--last", 2)):
            (line,) = (await self.said("journal", end, "1")).splitlines()
            self.assertEqual(json.loads(line)["n"], number)
        self.assertEqual(await self.said("journal", "--event=fired"), "")
        self.assertEqual(await self.said("journal", "--link=1"), "")
        said = await self.fails("journal", "--event=fird")
        self.assertIn(
            "event: there is no event 'fird' (did you mean 'fired'?); the events are: acted, ", said
        )
        said = await self.fails("journal", "--last=1", "--limit=1")
        self.assertIn("last: this cannot be said beside 'limit'", said)
