"""vaurienctl: the proxies of a server, JSON for scripts, completion, colours."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from txvaurien.behaviors.delay import Delay
from txvaurien.ctl import asked as ctlasked
from txvaurien.net.ends import Ends
from txvaurien.test.ctl_case import CommandCase
from txvaurien.test.servers import free_port
from txvaurien.test.test_client_proxies import ServerCase
from txvaurien.test.test_ctl import run


class ProxyCommandTests(CommandCase, ServerCase):
    """What the commands do and print."""

    def file(self, text: str) -> str:
        """The path of a new file that says this."""
        path = Path(self.mktemp())
        path.write_text(text, encoding="utf-8")
        return str(path)

    async def create(self, name: str, *more: str) -> str:
        """Create a proxy; where it listens."""
        said = await self.said("create", name, "--backend", self.backend, *more)
        start = f'Proxy "{name}" listens on '
        self.assertTrue(said.startswith(start), said)
        return said.removeprefix(start)

    async def test_life(self) -> None:
        """A proxy is created, listed, disabled, enabled, moved and deleted; each has taken effect."""
        self.assertEqual(await self.said("list"), "There are no proxies")
        listen = await self.create("a", "--toxic", "latency latency=5", "--rule", "delay sleep=2 times=1")
        self.assertEqual(self.proxies.get("a").listen, listen)
        titles, row = (await self.said("list")).splitlines()
        names = ["name", "listen", "backend", "protocol", "links", "behavior", "rules", "toxics"]
        self.assertEqual(titles.split(), names)
        self.assertEqual(row.split(), ["a", listen, self.backend, "tcp", "enabled", "0", "dummy", "1", "1"])
        self.assertEqual(await self.said("toggle", "a"), 'Proxy "a" disabled')
        self.assertFalse(self.proxies.get("a").enabled)
        self.assertEqual(await self.said("toggle", "a"), 'Proxy "a" enabled')
        self.assertTrue(self.proxies.get("a").enabled)
        self.assertEqual(await self.said("disable", "a"), 'Proxy "a" disabled')
        self.assertEqual(await self.said("enable", "a"), 'Proxy "a" enabled')
        other = f"127.0.0.1:{free_port()}"
        self.assertEqual(await self.said("update", "a", "--listen", other), 'Proxy "a" updated')
        self.assertEqual(self.proxies.get("a").listen, other)
        self.assertEqual(await self.said("delete", "a"), 'Proxy "a" deleted')
        self.assertEqual(len(self.proxies), 0)

    async def test_options(self) -> None:
        """Limits are those of the proxy, and come in their own types."""
        options = ["--option=timeout=5", "--option", "idle_timeout=0.5", "--option", "on-desync=close"]
        await self.create("a", *options, "--seed=7", "--disabled")
        member = self.proxies.get("a")
        assert member.definition is not None
        limits = member.definition.limits
        self.assertEqual((limits.timeout, limits.idle_timeout, limits.on_desync), (5.0, 0.5, "close"))
        self.assertEqual((member.proxy.seed, member.enabled), (7, False))
        said = await self.fails("create", "b", "--backend", self.backend, "--option=timeot=5")
        self.assertIn("timeot", said)
        said = await self.fails("create", "b", "--backend", self.backend, "--protocol", "rediss")
        self.assertIn("there is no protocol 'rediss'", said)

    async def test_ends(self) -> None:
        """How clients and the backend are spoken to is said as for `vaurien`, and shown again."""
        await self.create(
            "a", "--tls=auto", "--send-proxy", "v1", "--accept-proxy", "--backend-tls-verify", "false"
        )
        ends = Ends(tls="auto", send_proxy="v1", accept_proxy=True, backend_tls_verify=False)
        self.assertEqual(self.proxies.get("a").proxy.ends, ends)
        shown = await self.said("inspect", "a")
        line = "ends tls=auto backend-tls-verify=false accept-proxy=true send-proxy=v1"
        self.assertIn(line, shown.splitlines())
        await self.create("b")
        self.assertNotIn("ends", await self.said("inspect", "b"))
        said = await self.fails("create", "c", "--backend", self.backend, "--tls=file.pem")
        self.assertIn("choose from: auto", said)

    async def test_ca(self) -> None:
        """The certificate that clients have to trust, as it stands in a file."""
        pem = self.proxies.keeper.authority.pem.decode()
        self.assertEqual(await self.said("ca"), pem.rstrip())
        self.assertEqual(json.loads(await self.said("ca", "--json")), {"pem": pem})

    async def test_inspect(self) -> None:
        """All about one: the one that is named, in either way, or the main one."""
        listen = await self.create("a", "--seed=7", "--rule", "delay sleep=2 name=r")
        shown = await self.said("inspect")
        for line in (
            "a: enabled",
            f"listens on {listen}, connects to {self.backend}",
            "links 0, seed 7",
            "behavior dummy",
        ):
            self.assertIn(line, shown.splitlines())
        self.assertIn("rule r: delay sleep=2.0", shown)
        self.assertEqual(await self.said("inspect", "a"), shown)
        self.assertEqual(await self.said("--proxy=a", "inspect"), shown)
        await self.create("b")
        self.assertIn("name one", await self.fails("inspect"))
        self.assertIn("b: enabled", await self.said("inspect", "b"))

    async def test_which(self) -> None:
        """--proxy says which one a command concerns; without it several are too many."""
        await self.create("a")
        await self.said("set-behavior", "delay", "--sleep=2")
        await self.create("b")
        await self.said("--proxy", "b", "set-behavior", "delay", "--sleep=3")
        await self.said("rule", "add", "delay", "--proxy", "b")
        behaviors = [self.proxies.get(name).proxy.plan.mix[0].rule.behavior for name in "ab"]
        self.assertEqual(behaviors, [Delay(sleep=2.0), Delay(sleep=3.0)])
        self.assertEqual(await self.said("--proxy", "a", "rule", "list"), "There are no rules")
        said = await self.fails("get-behavior")
        self.assertIn("there are several proxies: a, b; name one of them with --proxy NAME", said)
        self.assertIn("there is no proxy 'c'", await self.fails("--proxy", "c", "get-behavior"))
        await self.said("--proxy", "a", "reset")
        self.assertEqual(await self.said("get-behavior", "--proxy=b"), "delay --sleep=3.0")
        await self.said("reset")
        self.assertEqual(await self.said("get-behavior", "--proxy=b"), "dummy")

    async def test_plan(self) -> None:
        """What `plan show` prints, `plan set` takes."""
        await self.create("a", "--rule", "delay sleep=2 name=r", "--toxic", "latency latency=5")
        path = self.file(await self.said("plan", "show"))
        await self.said("reset")
        self.assertEqual(self.proxies.get("a").proxy.plan.rules, ())
        self.assertEqual(await self.said("plan", "set", path), "Plan changed")
        plan = self.proxies.get("a").proxy.plan
        self.assertEqual([rule.name for rule in plan.rules], ["r"])
        self.assertEqual([toxic.name for toxic in plan.toxics], ["latency_downstream"])
        for text, why in (("[]", "it must hold an object"), ("{", "it must hold a plan as JSON")):
            self.assertIn(why, await self.fails("plan", "set", self.file(text)))
        self.assertIn("No such file", await self.fails("plan", "set", f"{path}x"))

    async def test_refusals(self) -> None:
        """What cannot be says what to do in the words of the shell."""
        await self.create("a")
        taken = self.proxies.get("a").listen
        said = await self.fails("create", "a", "--backend", self.backend)
        self.assertIn("`vaurienctl delete`", said)
        said = await self.fails("create", "b", "--backend", self.backend, "--listen", taken)
        self.assertIn("in use", said)
        self.assertIn("choose another name or address", said)
        self.assertNotIn("b", self.proxies)
        for command in ("delete", "toggle", "enable", "disable"):
            self.assertIn("`vaurienctl list`", await self.fails(command, "x"))
        self.assertIn("give --listen or --backend", await self.fails("update", "a"))

    async def test_populate(self) -> None:
        """The proxies of a file are there, and where they listen is shown."""
        path = self.file(json.dumps([{"name": "a", "upstream": self.backend}]))
        said = await self.said("populate", path)
        self.assertEqual(said.split(), ["a", self.proxies.get("a").listen, self.backend])
        self.assertEqual(await self.said("populate", path), said)
        for text, why in (("{}", "write a list"), ("[", "it must hold a list of proxies as JSON")):
            self.assertIn(why, await self.fails("populate", self.file(text)))
        self.assertIn("No such file", await self.fails("populate", f"{path}x"))
        wrong = self.file(json.dumps([{"name": "b", "upstream": self.backend, "colour": 1}]))
        self.assertIn("colour", await self.fails("populate", wrong))
        self.assertEqual(await self.said("populate", self.file("[]")), "There is nothing to do")

    async def test_offers(self) -> None:
        """What the server has to offer, and how it is, for people and for scripts."""
        self.assertRegex(await self.said("health"), r"^ok: txvaurien \S+, 0 proxies, up \d+ s$")
        self.assertEqual(json.loads(await self.said("health", "--json"))["status"], "ok")
        said = await self.said("toxic", "types")
        self.assertRegex(said, r"(?m)^latency: \w")
        self.assertRegex(said, r"(?m)^  latency=0 +\w")
        self.assertEqual(
            sorted(json.loads(await self.said("toxic", "types", "--json"))), ["bandwidth", "latency"]
        )
        self.assertRegex(await self.said("protocols"), r"(?m)^tcp: \w")
        self.assertEqual(list(json.loads(await self.said("protocols", "--json"))), ["tcp"])

    async def test_rule_clear(self) -> None:
        """`rule clear` removes all rules of a proxy."""
        await self.create("a", "--rule", "delay sleep=2", "--rule", "delay sleep=3")
        self.assertEqual(await self.said("rule", "clear"), "2 rules removed")
        self.assertEqual(self.proxies.get("a").proxy.plan.rules, ())
        self.assertEqual(json.loads(await self.said("rule", "clear", "--json")), {"removed": 0})

    async def test_json(self) -> None:
        """--json prints what scripts read, before or after the command."""
        listen = await self.create("a")
        (told,) = json.loads(await self.said("--json", "list"))
        self.assertEqual((told["name"], told["listen"], told["enabled"]), ("a", listen, True))
        self.assertEqual(json.loads(await self.said("inspect", "a", "--json"))["name"], "a")
        self.assertEqual(json.loads(await self.said("rule", "list", "--json")), [])
        self.assertEqual(json.loads(await self.said("toxic", "list", "--json")), [])
        self.assertEqual(json.loads(await self.said("links", "--json")), [])
        self.assertEqual(json.loads(await self.said("kill", "--json")), {"killed": 0})
        self.assertEqual(json.loads(await self.said("plan", "show", "--json"))["rules"], [])
        made = json.loads(await self.said("rule", "add", "delay sleep=0", "--json"))
        self.assertEqual(made, {"name": "delay-1"})
        made = json.loads(await self.said("toxic", "add", "latency latency=1", "--json"))
        self.assertEqual(made, {"name": "latency_downstream"})
        self.assertEqual(
            json.loads(await self.said("delete", "a", "--json")), {"message": 'Proxy "a" deleted'}
        )


class CompletionTests(SynchronousTestCase):
    """``vaurienctl completion``."""

    def test_shells(self) -> None:
        """What is printed knows the commands, for each shell."""
        for shell in ("bash", "zsh", "tcsh"):
            status, out, err = run(["completion", shell])
            self.assertEqual((status, err), (0, ""))
            for word in ("set-behavior", "toggle", "scenario"):
                self.assertIn(word, out)

    def test_bash(self) -> None:
        """Bash completes a command with it."""
        if not os.path.exists("/bin/bash"):
            raise SkipTest("bash is not installed: apt-get install bash")
        script = run(["completion", "bash"])[1]
        asked = "COMP_WORDS=(vaurienctl set-b); COMP_CWORD=1; _shtab_vaurienctl; echo ${COMPREPLY[@]}"
        done = subprocess.run(
            ["/bin/bash", "-c", f"{script}\n{asked}"],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
        )
        self.assertEqual(done.stdout.split(), ["set-behavior", "set-backend"], done.stderr)


class Terminal(io.StringIO):
    """Standard output that is a terminal."""

    def isatty(self) -> bool:
        """It is."""
        return True


class ColourTests(SynchronousTestCase):
    """Colours are for terminals only."""

    rows = (["a", "enabled"], ["enabled-not", "disabled"])

    def shown(self, out: io.StringIO, **environment: str) -> str:
        """The table, with this standard output and these variables of the environment."""
        with patch.dict(os.environ, {"TERM": "xterm", **environment}), patch.object(sys, "stdout", out):
            if "NO_COLOR" not in environment:
                os.environ.pop("NO_COLOR", None)
            return ctlasked.titled(["name", ""], self.rows)

    def test_terminal(self) -> None:
        """Titles are bold, states green and red; without the escapes it is the same text."""
        plain = self.shown(io.StringIO())
        coloured = self.shown(Terminal())
        self.assertIn("\033[32menabled\033[0m", coloured)
        self.assertIn("\033[31mdisabled\033[0m", coloured)
        bare = coloured
        for escape in ("\033[1m", "\033[0m", "\033[31m", "\033[32m"):
            bare = bare.replace(escape, "")
        self.assertEqual(bare, plain)
        self.assertNotIn("\033", plain)

    def test_unwanted(self) -> None:
        """NO_COLOR and a dumb terminal turn them off."""
        self.assertNotIn("\033", self.shown(Terminal(), NO_COLOR="1"))
        self.assertNotIn("\033", self.shown(Terminal(), TERM="dumb"))
