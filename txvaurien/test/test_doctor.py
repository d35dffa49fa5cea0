"""`vaurien doctor`: what it finds in settings, without a server behind them."""

from __future__ import annotations

import io
import json
import os
import socket
import sys
from pathlib import Path
from unittest.mock import patch

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

import txvaurien
from txvaurien import cli
from txvaurien.doctor.findings import Finding, Level, as_json, as_text, failed
from txvaurien.doctor.kernel import Kernel
from txvaurien.doctor.main import HELP, run_doctor
from txvaurien.test.doctor_support import SHORT, DoctorCase, levels
from txvaurien.test.servers import free_port

_SAMPLES = (
    Finding(Level.OK, "listen", "it can", about="proxy"),
    Finding(Level.WARNING, "tls", "it expires", "renew it", "proxy b"),
    Finding(Level.ERROR, "journal", "no", about="process"),
)


class FindingTests(SynchronousTestCase):
    """How findings are shown."""

    def test_text(self) -> None:
        """A line for each with its mark, then how many are bad."""
        self.assertEqual(
            as_text(_SAMPLES).splitlines(),
            [
                "ok       proxy: listen: it can",
                "warning  proxy b: tls: it expires; renew it",
                "error    process: journal: no",
                "1 error, 1 warning",
            ],
        )
        self.assertEqual(as_text(_SAMPLES[:1]).splitlines()[-1], "no error, no warning")
        self.assertEqual(as_text(_SAMPLES[2:] * 2).splitlines()[-1], "2 errors, no warning")

    def test_coloured(self) -> None:
        """Only marks are coloured."""
        line = as_text(_SAMPLES[2:], coloured=True).splitlines()[0]
        self.assertEqual(line, "\033[31merror  \033[0m  process: journal: no")

    def test_json(self) -> None:
        """The same as one object."""
        said = json.loads(as_json(_SAMPLES))
        self.assertEqual((said["format"], said["ok"]), (1, False))
        self.assertEqual(
            said["findings"][1],
            {
                "level": "warning",
                "about": "proxy b",
                "topic": "tls",
                "text": "it expires",
                "advice": "renew it",
            },
        )

    def test_failed(self) -> None:
        """Only an error is one."""
        self.assertEqual([failed(_SAMPLES), failed(_SAMPLES[:2])], [True, False])


class ListenTests(DoctorCase):
    """Where it would listen."""

    def listen(self, *arguments: str) -> list[Finding]:
        """What is found of that."""
        return [each for each in self.examine(*arguments, probe=False) if each.topic == "listen"]

    def test_free(self) -> None:
        """A free port is good, and is not listened on."""
        port = free_port()
        (found,) = self.listen(f"--proxy=127.0.0.1:{port}")
        self.assertEqual((found.level, found.about), (Level.OK, "proxy"))
        self.assertEqual(found.text, f"it can listen on 127.0.0.1:{port}")

    def test_any(self) -> None:
        """Port 0 is said to be any."""
        (found,) = self.listen("--proxy=:0")
        self.assertEqual(found.text, "it can listen on :0 (any free port)")

    def test_taken(self) -> None:
        """A port that is taken is an error that names its owner and the option, as a start does."""
        self.patch(type(self), "kernel", Kernel())
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            found = self.only(self.listen(f"--proxy=127.0.0.1:{port}"), "listen", Level.ERROR)
        self.assertEqual(found.advice, "stop the other process or choose another with --proxy")
        self.assertTrue(
            found.text.startswith(f"cannot listen on 127.0.0.1:{port}: the port is in use"), found.text
        )
        if Path("/proc/net/tcp").exists():
            self.assertIn(f"process {os.getpid()})", found.text)

    def test_elsewhere(self) -> None:
        """An address of another machine (RFC 5737) cannot be listened on."""
        (found,) = self.listen("--proxy=192.0.2.1:8000")
        self.assertEqual(found.level, Level.ERROR)
        self.assertIn("this machine has no such address", found.text)

    def test_privileged(self) -> None:
        """What the kernel refuses is told in the words of a start."""

        def bind(*_: object) -> None:
            raise PermissionError(13, "Permission denied")

        with patch.object(socket.socket, "bind", bind):
            (found,) = self.listen("--proxy=127.0.0.1:80")
        self.assertIn("permission denied", found.text)
        self.assertIn("choose a port above 1023", found.advice)

    def test_unix(self) -> None:
        """A path is looked at, too: free, taken, without a directory."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        (folder / "taken").write_text("")
        bad = ("taken", "no/where", "taken/below")
        for name, level in (("free", Level.OK), *((name, Level.ERROR) for name in bad)):
            (found,) = self.listen(f"--proxy=unix:{folder}/{name}")
            self.assertEqual(found.level, level, name)
        self.assertEqual(os.listdir(folder), ["taken"])

    def test_string(self) -> None:
        """An endpoint string has its port and its interface; what has neither is left to the start."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            (found,) = self.listen(f"--proxy=tcp:{port}:interface=127.0.0.1")
        self.assertEqual(found.level, Level.ERROR)
        (found,) = self.listen("--proxy=stdio:")
        self.assertEqual(found.level, Level.NOTE)

    def test_passing(self) -> None:
        """A port that outgoing connections are given is warned of, with the range and what to do."""
        root = Path(self.mktemp())
        (root / "sys/net/ipv4").mkdir(parents=True)
        (root / "sys/net/ipv4/ip_local_port_range").write_text("20000 65535\n")
        self.patch(type(self), "kernel", Kernel(root))
        port = free_port()
        found = self.examine(f"--proxy=127.0.0.1:{port}", "--backend=127.0.0.1:30000", probe=False)
        warning = self.only(found, "listen", Level.WARNING)
        self.assertIn("20000 to 65535", warning.text)
        self.assertIn(f"add {port} to the list of sysctl net.ipv4.ip_local_reserved_ports", warning.advice)
        self.assertIn("port 30000", self.only(found, "backend", Level.NOTE).text)

    def test_disabled(self) -> None:
        """A proxy that is disabled is said to be so."""
        ini = "[proxy:a]\nproxy = :0\nbackend = 127.0.0.1:9\nenabled = no\n"
        found = self.only(self.examine(ini=ini, probe=False), "listen", Level.NOTE)
        self.assertEqual(found.about, "proxy a")


class BackendTests(DoctorCase):
    """Where it would connect."""

    def test_refused(self) -> None:
        """A backend that is not there is an error that names the addresses that were tried, in order."""
        port = free_port()
        found = self.examine("--proxy=:0", f"--backend=localhost:{port}", waits=SHORT)
        error = self.only(found, "backend", Level.ERROR)
        self.assertTrue(error.text.startswith(f"localhost:{port}: 127.0.0.1:{port} refused, [::1]:{port} "))
        self.assertIn("start the server", error.advice)

    def test_no_such_host(self) -> None:
        """A name that has no address is an error, said once."""
        with patch.object(
            socket, "getaddrinfo", side_effect=socket.gaierror(-2, "Name or service not known")
        ):
            found = self.examine("--proxy=127.0.0.1:0", "--backend=nowhere.invalid:1", waits=SHORT)
        error = self.only(found, "backend", Level.ERROR)
        self.assertIn("nowhere.invalid:1' cannot be resolved (Name or service not known)", error.text)
        self.assertEqual(levels(found, "start"), [])

    def test_no_such_interface(self) -> None:
        """An address of an interface that this machine does not have is an error as well."""
        found = self.examine("--proxy=127.0.0.1:0", "--backend=[fe80::1%nowhere]:1", waits=SHORT)
        self.assertIn("no way to '[fe80::1%nowhere]:1'", self.only(found, "backend", Level.ERROR).text)

    def test_endpoint_string(self) -> None:
        """An endpoint string is taken apart."""
        found = self.examine("--proxy=127.0.0.1:0", f"--backend=tcp:127.0.0.1:{free_port()}", waits=SHORT)
        self.assertIn("refused", self.only(found, "backend", Level.ERROR).text)

    def test_first_of_two(self) -> None:
        """Where the first address of a name does not answer and the second does, that is worth a warning."""
        with socket.create_server(("127.0.0.1", 0)) as there:
            port = there.getsockname()[1]
            both = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in _TWO]
            with patch.object(socket, "getaddrinfo", return_value=both):
                found = self.examine("--proxy=127.0.0.1:0", f"--backend=two.test:{port}", waits=SHORT)
        warning = self.only(found, "backend", Level.WARNING)
        self.assertIn(f"127.0.0.2:{port}, is tried in vain", warning.text)
        self.assertEqual(warning.advice, f"write 127.0.0.1:{port} (--backend)")

    def test_itself(self) -> None:
        """A backend where the proxy itself listens is an error, and is not connected to."""
        port = free_port()
        found = self.examine(f"--proxy=:{port}", f"--backend=localhost:{port}")
        self.assertIn("where the proxy itself listens", self.only(found, "backend", Level.ERROR).text)

    def test_itself_by_path(self) -> None:
        """So is a Unix socket of its own."""
        path = Path(self.mktemp()).absolute()
        found = self.examine(f"--proxy=unix:{path}", f"--backend=unix:{path}")
        self.assertIn("where the proxy itself listens", self.only(found, "backend", Level.ERROR).text)

    def test_chain(self) -> None:
        """A backend that is another proxy of the file will be there when both are: nothing is wrong."""
        port = free_port()
        ini = (
            f"[proxy:one]\nproxy = 127.0.0.1:0\nbackend = 127.0.0.1:{port}\n"
            f"[proxy:two]\nproxy = 127.0.0.1:{port}\nbackend = 127.0.0.1:{free_port()}\n"
        )
        found = [each for each in self.examine(ini=ini, waits=SHORT) if each.topic == "backend"]
        self.assertEqual((found[0].about, found[0].level), ("proxy one", Level.OK))
        self.assertIn("is the proxy two of this configuration", found[0].text)

    def test_not_probed(self) -> None:
        """With --no-probe nobody is connected to."""
        with patch.object(socket.socket, "connect", side_effect=AssertionError("it connects")):
            found = self.examine("--proxy=:0", "--backend=127.0.0.1:9", probe=False)
        self.assertEqual(levels(found, "backend"), [])


_TWO = ("127.0.0.2", "127.0.0.1")


class ProcessTests(DoctorCase):
    """What is of no single proxy."""

    def found(self, *arguments: str) -> list[Finding]:
        """What is found, without a backend."""
        return self.examine("--proxy=127.0.0.1:0", *arguments, probe=False)

    def test_plan(self) -> None:
        """The plan is told in the words of --dry-run, and the seed."""
        found = self.found("--behavior=5:error", "--rule=delay sleep=2", "--toxic=pause", "--seed=7")
        said = [each.text for each in found if each.topic == "plan"]
        self.assertEqual(
            said,
            [
                "rule delay-1: delay sleep=2.0",
                "5 %: error",
                "toxic pause_downstream: pause stream=downstream",
                "seed 7",
            ],
        )

    def test_verb(self) -> None:
        """A rule for a verb that the protocol does not have can never fire: that is warned of."""
        found = self.found("--rule=delay verb=SELECT")
        self.assertIn("SELECT, which tcp does not have", self.only(found, "start", Level.WARNING).text)

    def test_start(self) -> None:
        """What a start would refuse is an error here as well."""
        error = self.only(self.found("--metrics"), "start", Level.ERROR)
        self.assertEqual(error.text, "--metrics: nobody would read them")
        self.assertEqual(error.advice, "add --http, or --statsd HOST:PORT")

    def test_control(self) -> None:
        """The control server: its URL, whether it wants a token, whether it can listen. No token is shown."""
        token = "x" * 20
        found = self.found("--http", "--http-port=0", f"--http-token={token}")
        access = self.only(found, "access", Level.OK)
        self.assertEqual(access.text, "http://localhost:0/, for this machine only: a token is wanted")
        self.assertNotIn(token, as_json(found) + as_text(found))
        with socket.create_server(("127.0.0.1", 0)) as taken:
            found = self.found("--http", f"--http-port={taken.getsockname()[1]}")
        error = self.only(found, "listen", Level.ERROR)
        self.assertEqual((error.about, error.advice.rpartition(" ")[2]), ("control", "--http-port"))

    def test_one_port(self) -> None:
        """The control server and a proxy cannot have one port."""
        port = free_port()
        found = self.examine(f"--proxy=127.0.0.1:{port}", "--http", f"--http-port={port}", probe=False)
        self.assertIn("the proxy proxy listens there", self.only(found, "listen", Level.ERROR).text)

    def test_files(self) -> None:
        """Journal and log: a new file, an old one, a directory, none. Nothing is made."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        (folder / "old").write_text("old")
        for name, level in (
            ("new", Level.OK),
            ("old", Level.OK),
            ("", Level.ERROR),
            ("no/where", Level.ERROR),
        ):
            found = self.found(f"--journal={folder}/{name}", f"--log-output={folder}/{name}")
            self.assertEqual(levels(found, "journal") + levels(found, "log"), [level] * 2, name)
        self.assertEqual(os.listdir(folder), ["old"])
        self.assertEqual((folder / "old").read_text(), "old")

    def test_limits(self) -> None:
        """More links than there can be open files are warned of; others are not."""
        found = self.found("--pool-max-size=900000000")
        self.assertIn("pool-max-size allows 900000000", self.only(found, "limits", Level.WARNING).text)
        self.none(self.found("--pool-max-size=1"), Level.WARNING, Level.ERROR)

    def test_settings(self) -> None:
        """What a start warns of is warned of."""
        self.assertIn("--sync", self.only(self.found("--sync"), "settings", Level.WARNING).text)

    def test_scenario(self) -> None:
        """A scenario that can be read is said to be."""
        path = self.mktemp()
        Path(path).write_text("at 1s: delay for 1s\n", encoding="utf-8")
        self.only(self.found(f"--scenario={path}"), "scenario", Level.OK)

    def test_no_proxy(self) -> None:
        """Without a proxy that is noted."""
        found = self.examine("--no-proxy", "--http-port=0", probe=False)
        self.only(found, "proxies", Level.NOTE)


class CommandTests(SynchronousTestCase):
    """`run_doctor`, and `vaurien doctor`."""

    def setUp(self) -> None:
        self.out, self.err = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", self.out)
        self.patch(sys, "stderr", self.err)

    def run_with(self, *arguments: str) -> int:
        """The exit status of this command line."""
        return run_doctor(arguments, MemoryReactorClock())

    def test_good(self) -> None:
        """With nothing in the way the status is 0."""
        self.assertEqual(self.run_with("--no-probe", "--proxy=:0"), 0)
        self.assertIn("no error", self.out.getvalue())

    def test_bad(self) -> None:
        """With an error it is 1; --json prints one object."""
        self.assertEqual(self.run_with("--json", "--no-probe", "--proxy=192.0.2.1:1"), 1)
        self.assertFalse(json.loads(self.out.getvalue())["ok"])

    def test_unreadable(self) -> None:
        """Settings that cannot be are an error in the words of `vaurien`, and status 2."""
        for arguments in (["--proxi=x"], ["--config=/nowhere"], ["--dry-run"], ["--demo"], ["x"]):
            self.assertEqual(self.run_with(*arguments), 2, arguments)
        self.assertEqual(self.out.getvalue(), "")
        first = self.err.getvalue().splitlines()[0]
        self.assertTrue(first.startswith("vaurien: --proxi: there is no such option (did you mean"), first)

    def test_nothing_to_do(self) -> None:
        """Workers without a proxy are such settings, too."""
        self.assertEqual(self.run_with("--no-proxy", "--workers=2"), 2)

    def test_help(self) -> None:
        """--help and --version print, and look at nothing."""
        self.assertEqual([self.run_with("--help"), self.run_with("-h", "--proxi=x")], [0, 0])
        self.assertEqual(self.out.getvalue(), f"{HELP}\n" * 2)
        self.assertEqual(self.run_with("--version"), 0)
        self.assertTrue(self.out.getvalue().endswith(f"vaurien {txvaurien.__version__}\n"))

    def test_as_a_command(self) -> None:
        """`vaurien doctor` is that; no proxy is started, and no demo."""
        self.assertEqual(cli.main(["doctor", "--no-probe", "--proxy=:0"]), 0)
        self.assertIn("ok       proxy: listen:", self.out.getvalue())
        self.assertEqual(cli.main(["doctor", "--demo"]), 2)

    def test_colours(self) -> None:
        """They are for terminals, and only where they are not unwanted."""
        seen = []
        for terminal, unwanted in ((True, ""), (True, "1"), (False, "")):
            with patch.dict(os.environ, {"TERM": "xterm", "NO_COLOR": unwanted}):
                self.patch(self.out, "isatty", lambda terminal=terminal: terminal)
                self.run_with("--no-probe", "--proxy=:0")
            seen.append("\033" in self.out.getvalue())
            self.out.truncate(0)
        self.assertEqual(seen, [True, False, False])
