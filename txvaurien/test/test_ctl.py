"""vaurienctl, against a control server on a real socket."""

from __future__ import annotations

import io
import shlex
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout

from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

import txvaurien
from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.error import Error
from txvaurien.control.service import ControlService
from txvaurien.ctl import main as ctl
from txvaurien.process.proxies import Proxies
from txvaurien.protocols.tcp import Tcp
from txvaurien.proxy import Proxy
from txvaurien.test.control_helpers import registry
from txvaurien.test.servers import free_port


def run(arguments: Sequence[str]) -> tuple[int | str | None, str, str]:
    """Run it as the shell does: exit status, standard output, standard error."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            status: int | str | None = ctl.main(arguments)
        except SystemExit as exit_:
            status = exit_.code
    return status, out.getvalue(), err.getvalue()


class CommandTests(TestCase):
    """What the commands do and print."""

    def setUp(self) -> None:
        self.proxy = Proxy("localhost:6379", Tcp(), reactor=reactor)
        service = ControlService(Proxies.of(self.proxy, registry()), port=0, reactor=reactor)
        service.startService()
        self.addCleanup(service.stopService)
        self.port = str(service.port)

    async def says(self, expected: str, *arguments: str) -> None:
        """A command that must succeed, and what it must print."""
        done = await deferToThread(run, ["--http-port", self.port, *arguments])
        self.assertEqual(done, (0, f"{expected}\n", ""))

    async def fails(self, *arguments: str) -> str:
        """The one line on standard error of a command that must fail."""
        status, out, err = await deferToThread(run, ["--http-port", self.port, *arguments])
        self.assertEqual((status, out, err.count("\n")), (1, "", 1), err)
        self.assertTrue(err.startswith("vaurienctl: "), err)
        return err

    async def test_reading(self) -> None:
        """The commands that change nothing, in Vaurien's words."""
        await self.says("delay, dummy, error, transient", "list-behaviors")
        await self.says("dummy", "get-behavior")
        await self.says("localhost:6379", "get-backend")

    async def test_set_behavior(self) -> None:
        """Options are converted by the types that the server tells of."""
        arguments = ["set-behavior", "delay", "--sleep", "2", "--before", "false", "--distribution=normal"]
        await self.says('Behavior changed to "delay"', *arguments)
        expected = Delay(sleep=2.0, before=False, distribution="normal")
        self.assertEqual(self.proxy.plan.mix[0].rule.behavior, expected)

    async def test_kinds_of_values(self) -> None:
        """A lone flag is true, a whole number stays one, and a text that looks like a number stays a text."""
        await self.says(
            'Behavior changed to "error"', "set-behavior", "error", "--inject", "--warmup", "3", "--text=404"
        )
        self.assertEqual(self.proxy.plan.mix[0].rule.behavior, Error(inject=True, warmup=3, text="404"))
        for text, value in (("off", False), ("YES", True), ("0", False)):
            await self.says('Behavior changed to "error"', "set-behavior", "error", "--inject", text)
            self.assertEqual(self.proxy.plan.mix[0].rule.behavior, Error(inject=value))

    async def test_set_a_mix(self) -> None:
        """The options of a mix have the name of their behavior in front."""
        await self.says('Behavior changed to "5:error,10:delay"', "set-behavior", "5:error,10:delay")
        await self.says("5:error,10:delay", "get-behavior")
        arguments = ["5:error, 10.5:delay", "--error-inject", "--delay-sleep=2", "--delay-before", "no"]
        await self.says('Behavior changed to "5:error, 10.5:delay"', "set-behavior", *arguments)
        mix = [(share.percent, share.rule.behavior) for share in self.proxy.plan.mix]
        self.assertEqual(mix, [(5.0, Error(inject=True)), (10.5, Delay(sleep=2.0, before=False))])
        said = await self.fails("set-behavior", "5:error,10:delay", "--sleep", "2")
        self.assertIn("--sleep belongs to no behavior of the mix; write --BEHAVIOR-OPTION", said)
        self.assertIn("percent", await self.fails("set-behavior", "x:error", "--error-inject"))

    async def test_get_behavior(self) -> None:
        """What is set is told as set-behavior takes it, with the options that are not as by default."""
        for told in (
            "delay --sleep=2.0 --before=false",
            "error --text='not here'",
            "5:error,10:delay --error-inject=true --delay-sleep=0.5",
            "50:delay",
        ):
            await deferToThread(run, ["--http-port", self.port, "set-behavior", *shlex.split(told)])
            await self.says(told, "get-behavior")

    async def test_set_backend(self) -> None:
        """The address is the server's to check."""
        await self.says('Backend changed to "localhost:7000"', "set-backend", "localhost:7000")
        self.assertEqual(self.proxy.backend.text, "localhost:7000")
        self.assertIn("is not an address", await self.fails("set-backend", "nowhere"))
        await self.says('Backend changed to "localhost:7001"', "set-backend", "localhost:7001", "--cut")

    async def test_refusals(self) -> None:
        """What the server says is what the user reads; nothing has changed then."""
        names = "the behaviors are: delay, dummy"
        self.assertIn(names, await self.fails("set-behavior", "dealy"))
        self.assertIn(names, await self.fails("set-behavior", "dealy", "--sleep", "2"))
        self.assertIn("no option 'slep'", await self.fails("set-behavior", "delay", "--slep", "2"))
        for text in ("-1", "long", "nan", "inf"):
            said = await self.fails("set-behavior", "delay", "--sleep", text)
            self.assertIn("sleep: ", said)
            self.assertIn("it must be a number from 0", said)
        self.assertIn("unexpected argument '2'", await self.fails("set-behavior", "delay", "2"))
        self.assertEqual(self.proxy.plan.mix_text, "dummy")

    async def test_where_the_server_is(self) -> None:
        """Host and port are taken before and after the command, and as Vaurien's URL."""
        wrong = str(free_port())
        for arguments in (
            ["get-behavior", "--http-port", self.port],
            ["--http-port", wrong, "get-behavior", "--http-port", self.port],
            ["get-behavior", "--host", f"http://localhost:{self.port}"],
            ["--host", f"http://localhost:{self.port}/", "get-behavior"],
            ["--host", f"127.0.0.1:{self.port}", "get-behavior"],
            ["--host", f"http://127.0.0.1:{wrong}", "get-behavior", f"--http-port={self.port}"],
            ["--host=127.0.0.1", f"--http-port={self.port}", "get-behavior"],
        ):
            self.assertEqual(await deferToThread(run, arguments), (0, "dummy\n", ""), arguments)
        after = ["set-behavior", "delay", "--sleep", "2", "--http-port", self.port, "--before", "no"]
        self.assertEqual((await deferToThread(run, after))[0], 0)
        self.assertEqual(self.proxy.plan.mix[0].rule.behavior, Delay(sleep=2.0, before=False))


class UsageTests(SynchronousTestCase):
    """What goes wrong before a server is asked."""

    def fails(self, *arguments: str) -> str:
        """The one line on standard error."""
        status, out, err = run(arguments)
        self.assertEqual((status, out, err.count("\n")), (1, "", 1), err)
        self.assertTrue(err.startswith("vaurienctl: "), err)
        return err

    def test_bad_arguments(self) -> None:
        """One line, and exit status 1."""
        self.assertEqual(self.fails("rule", "add"), "vaurienctl: WORDS is missing; try --help\n")
        said = self.fails("rul")
        self.assertIn("there is no 'rul' (did you mean 'rule'?); choose from: list, inspect, ", said)
        said = self.fails("kill", "--how=gently")
        self.assertEqual(said, "vaurienctl: --how: there is no 'gently'; choose from: rst, fin\n")
        self.assertEqual(self.fails("kill", "x"), "vaurienctl: ID: 'x' will not do; it must be a number\n")
        self.assertEqual(self.fails("journal", "--link"), "vaurienctl: --link: it needs a value\n")
        self.assertIn("COMMAND", self.fails())
        self.assertIn("explode", self.fails("explode"))
        self.assertIn("NAME", self.fails("set-behavior"))
        self.assertIn("ADDRESS", self.fails("set-backend"))
        self.assertIn("'x'", self.fails("get-behavior", "x"))
        self.assertIn("'--sleep'", self.fails("get-behavior", "--sleep", "2"))
        self.assertIn("eighty", self.fails("get-behavior", "--http-port", "eighty"))
        self.assertIn("99999", self.fails("get-behavior", "--http-port", "99999"))
        self.assertIn("gopher", self.fails("get-behavior", "--host", "gopher://localhost"))
        self.assertIn("no port 0", self.fails("get-behavior", "--http-port", "0"))
        for host in ("http://", "http://localhost/path", "localhost:eighty", "http://[::1"):
            self.assertIn(f"--host {host}: ", self.fails("get-behavior", "--host", host))

    def test_no_server(self) -> None:
        """The error says where nobody was."""
        port = str(free_port())
        for host, shown in (("localhost", "localhost"), ("::1", "[::1]"), ("[::1]", "[::1]")):
            said = self.fails("get-behavior", "--host", host, "--http-port", port)
            self.assertIn(f"http://{shown}:{port}", said)

    def test_help(self) -> None:
        """The help names every command, and there is a version."""
        self.assertEqual(run(["--version"]), (0, f"vaurienctl {txvaurien.__version__}\n", ""))
        status, out, err = run(["--help"])
        self.assertEqual((status, err), (0, ""))
        for command in (
            "list",
            "inspect",
            "create",
            "update",
            "toggle",
            "enable",
            "disable",
            "delete",
            "plan",
            "completion",
            "list-behaviors",
            "get-behavior",
            "set-behavior",
            "get-backend",
            "set-backend",
            "rule",
            "toxic",
            "action",
            "links",
            "kill",
            "reset",
            "scenario",
            "journal",
        ):
            self.assertIn(command, out)
        status, out, _ = run(["set-behavior", "--help"])
        self.assertEqual(status, 0)
        self.assertIn("--OPTION VALUE", out)
