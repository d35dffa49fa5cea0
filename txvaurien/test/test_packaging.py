"""What people install: everything is in it, nothing else is, and it works without the repository."""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import sys
import tarfile
import zipfile
from collections.abc import Sequence
from contextlib import closing
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.test.http_app import PIECE
from txvaurien.test.http_servers import PythonServer
from txvaurien.test.packaging import FILES, FOLDERS, ROOT, STRAYS, built, installed, run
from txvaurien.test.servers import ServerProcess, accepts, free_port

_TYPED = """
from txvaurien import Client, chaos_proxy
from txvaurien.behaviors.delay import Delay
from txvaurien.plan import Plan

plan: Plan = Plan.only(Delay(sleep=2))
with chaos_proxy("redis://localhost:6379", protocol="redis") as proxy:
    with proxy.behavior("error", kind="loading", times=1) as fault:
        print(Client(port=8080).get_backend(), proxy.port + 1)
    print(fault.fired + 1)
"""
_MISTYPED = """
from txvaurien import chaos_proxy

chaos_proxy("redis://localhost:6379").port.upper()
"""
_WITH_FIXTURE = """
def test_there(vaurien):
    assert vaurien("localhost:6379", protocol="redis").port
"""
#: Prints the modules that cannot be imported, and the package that each is in want of.
_IMPORT_ALL = """
import importlib, json, pkgutil, txvaurien

failed = {}
names = [each.name for each in pkgutil.walk_packages(txvaurien.__path__, "txvaurien.", onerror=print)]
for name in names:
    if not name.startswith(("txvaurien.test.", "txvaurien.__main__")):
        try:
            importlib.import_module(name)
        except ImportError as error:
            failed[name] = error.name
print(json.dumps([len(names), failed]))
"""


class BuiltTests(SynchronousTestCase):
    """The sdist, and the wheel that is built of it."""

    def metadata(self) -> Message:
        """That of the wheel."""
        with zipfile.ZipFile(built().wheel) as archive:
            (name,) = [each for each in archive.namelist() if each.endswith(".dist-info/METADATA")]
            return HeaderParser().parsestr(archive.read(name).decode("utf-8"))

    def test_sdist(self) -> None:
        """It has the whole repository: sources, tests, docs, Makefile, .ci; and nothing that tools left."""
        with tarfile.open(built().sdist) as archive:
            found = {each.name.partition("/")[2] for each in archive.getmembers() if each.isfile()}
        found = {name for name in found if not name.startswith("txvaurien.egg-info/")}
        wanted = {name for name in built().files if name in FILES or name.partition("/")[0] in FOLDERS}
        self.assertEqual(sorted(found), sorted({*wanted, "PKG-INFO"}))
        self.assertEqual(set(STRAYS) & built().files, set())
        self.assertTrue({*FILES, ".ci/run", "docs/man/vaurien.1", "bench/__main__.py"} <= found)

    def test_wheel(self) -> None:
        """It has both packages whole, tests and py.typed included, the man pages, and nothing else."""
        with zipfile.ZipFile(built().wheel) as archive:
            found = set(archive.namelist())
        wanted = {name for name in built().files if name.startswith(("txvaurien/", "twisted/"))}
        self.assertEqual(
            sorted(each for each in found if ".dist-info/" not in each and ".data/" not in each),
            sorted(wanted),
        )
        data = {each.partition(".data/")[2] for each in found if ".data/" in each}
        self.assertEqual(data, {f"data/share/man/man1/{name}.1" for name in ("vaurien", "vaurienctl")})
        self.assertIn("txvaurien/py.typed", found)
        self.assertIn("twisted/plugins/txvaurien_plugin.py", found)
        # With it, the plug-in of another project would not be found.
        self.assertNotIn("twisted/plugins/__init__.py", found)

    def test_checked(self) -> None:
        """twine finds nothing wrong with either, nor with how the README is shown."""
        files = [str(built().sdist), str(built().wheel)]
        said = run([sys.executable, "-m", "twine", "check", "--strict", *files], Path().absolute())
        self.assertEqual(said.count("PASSED"), 2, said)

    def test_metadata(self) -> None:
        """The Pythons are those that `make test-all` runs; there is no address that leads nowhere."""
        metadata = self.metadata()
        (said,) = re.findall(
            r"^for version in (.*); do$", (ROOT / ".ci" / "test-all").read_text(), re.MULTILINE
        )
        classifiers = metadata.get_all("Classifier", [])
        prefix = "Programming Language :: Python :: 3."
        self.assertEqual(
            [f"3.{each[len(prefix) :]}" for each in classifiers if each.startswith(prefix)], said.split()
        )
        self.assertEqual(metadata["Requires-Python"], f">={said.split()[0]}")
        self.assertIsNone(metadata["Home-page"])
        self.assertIsNone(metadata["Project-URL"])

    def test_license(self) -> None:
        """The licence is Apache-2.0, its text is whole, and it is in the wheel."""
        metadata = self.metadata()
        self.assertEqual(
            (metadata["License-Expression"], metadata["License-File"]), ("Apache-2.0", "LICENSE")
        )
        # That of https://www.apache.org/licenses/LICENSE-2.0.txt.
        digest = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
        with zipfile.ZipFile(built().wheel) as archive:
            (name,) = [each for each in archive.namelist() if each.endswith("/LICENSE")]
            self.assertEqual(hashlib.sha256(archive.read(name)).hexdigest(), digest)

    def test_from_source(self) -> None:
        """`pip install .`, as the README has it, is enough of a build as well."""
        top = built().unpacked()
        pip = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-compile",
            "--no-deps",
            "--target=there",
        ]
        run([*pip, "."], top)
        self.assertTrue((top / "there" / "txvaurien" / "cli.py").exists())
        self.assertEqual({path.name for path in (top / "there" / "bin").iterdir()}, {"vaurien", "vaurienctl"})

    def test_suite(self) -> None:
        """The tests can be run out of the sdist."""
        trial = [sys.executable, "-m", "twisted.trial", "--temp-directory=trial", "txvaurien.test.test_plan"]
        top = built().unpacked()
        where = run([sys.executable, "-c", "import txvaurien.plan as it; print(it.__file__)"], top)
        self.assertEqual(Path(where.strip()), top / "txvaurien" / "plan.py")
        self.assertRegex(run(trial, top), r"\nPASSED \(successes=\d+\)\n")


class InstalledTests(SynchronousTestCase):
    """The wheel in an environment that has nothing else."""

    def test_programs(self) -> None:
        """All programs are there and say their version and their options; twistd lists the plug-in."""
        there, version = installed(), built().wheel.name.split("-")[1]
        self.assertEqual(there.run("vaurien", "--version"), f"vaurien {version}\n")
        self.assertEqual(there.run("vaurienctl", "--version"), f"vaurienctl {version}\n")
        self.assertEqual(there.run("python", "-m", "txvaurien", "--version"), f"vaurien {version}\n")
        text = there.run("vaurien", "--help")
        self.assertTrue(text.startswith("Usage: vaurien [options]\n"))
        for name in ("--protocol-mysql-tls", "--behavior-delay-sleep", "Toxic latency"):
            self.assertIn(name, text)
        self.assertIn("set-behavior", there.run("vaurienctl", "--help"))
        self.assertRegex(there.run("twistd", "--help"), r"(?m)^ +vaurien +A chaos proxy")
        self.assertIn("Usage: twistd vaurien [options]", there.run("twistd", "vaurien", "--help"))

    def test_requirements(self) -> None:
        """What it asks for is enough: every module is imported but the plug-in of pytest, without pytest."""
        there = installed()
        there.pip("check")
        count, failed = json.loads(there.run("python", "-c", _IMPORT_ALL).splitlines()[-1])
        self.assertGreater(count, 200)
        self.assertEqual(failed, {"txvaurien.pytest_plugin": "pytest"})

    def test_typed(self) -> None:
        """mypy finds the types: strictly, a program that is right has no error, and one that is wrong has."""
        there = installed()
        for name, text in (("typed", _TYPED), ("mistyped", _MISTYPED)):
            (there.folder / f"{name}.py").write_text(text, encoding="utf-8")
        python = str(there.folder / "bin" / "python")
        mypy = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--python-executable", python]
        error = self.assertRaises(AssertionError, run, [*mypy, "typed.py", "mistyped.py"], there.folder)
        self.assertIn('mistyped.py:4: error: "int" has no attribute "upper"', str(error))
        self.assertIn("Found 1 error in 1 file (checked 2 source files)", str(error))

    def test_man(self) -> None:
        """The man pages are where `man` looks for those of an environment."""
        pages = installed().folder / "share" / "man" / "man1"
        self.assertEqual(
            {path.name for path in pages.iterdir()} & {"vaurien.1", "vaurienctl.1"},
            {"vaurien.1", "vaurienctl.1"},
        )

    def test_pytest(self) -> None:
        """Where pytest is too, the fixture is there without being asked for."""
        there = installed()
        there.pip("install", "--quiet", "--no-compile", "--target", "aside", "pytest")
        (there.folder / "test_there.py").write_text(_WITH_FIXTURE, encoding="utf-8")
        beside = (
            "import sys; sys.path.append('aside'); import pytest; sys.exit(pytest.main(['test_there.py']))"
        )
        self.assertIn("1 passed", there.run("python", "-c", beside))


class Vaurien(ServerProcess):
    """The installed proxy, every exchange delayed, with its control server."""

    def __init__(self, backend: int) -> None:
        super().__init__()
        self.backend, self.control = backend, free_port()

    def command(self) -> Sequence[str]:
        there = str(installed().folder / "bin" / "vaurien")
        proxy = ["--proxy", f"127.0.0.1:{self.port}", "--backend", f"127.0.0.1:{self.backend}"]
        delay = ["--protocol", "http", "--behavior", "delay", "--behavior-delay-sleep", "100ms"]
        return [there, *proxy, *delay, "--http", "--http-port", str(self.control)]

    def ready(self) -> bool:
        return accepts(self.control)

    def ctl(self, *arguments: str) -> str:
        """What vaurienctl says."""
        return installed().run("vaurienctl", "--http-port", str(self.control), *arguments)

    def get(self) -> tuple[int, bytes]:
        """Status and body of what the proxy answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with closing(connection):
            connection.request("GET", "/bytes/5")
            answer = connection.getresponse()
            return answer.status, answer.read()


class RunningTests(SynchronousTestCase):
    """What is installed, at work."""

    def test_proxy(self) -> None:
        """It delays what a server answers, as the journal says; then vaurienctl has it say an error."""
        backend = PythonServer()
        self.addCleanup(backend.stop)
        backend.start()
        proxy = Vaurien(backend.port)
        self.addCleanup(proxy.stop)
        proxy.start()
        self.assertEqual(proxy.get(), (200, PIECE[:5]))
        (fired,) = map(json.loads, proxy.ctl("journal", "--event", "fired").splitlines())
        self.assertEqual((fired["behavior"], fired["verb"]), ("delay", "GET"))
        self.assertEqual(proxy.ctl("set-behavior", "error", "--kind", "503"), 'Behavior changed to "error"\n')
        self.assertEqual(proxy.get()[0], 503)
