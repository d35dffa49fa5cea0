"""Test runners in processes of their own: pytest, trial and unittest, on test files that are made here."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from txvaurien.test.servers import RedisServer
from txvaurien.test.test_fault_docs import DOCS

#: A backend that says what it hears; `echo` is its address.
ECHO = """
import socketserver
import threading

import pytest

class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(4096):
            self.request.sendall(data)

@pytest.fixture
def echo():
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield "127.0.0.1:%d" % server.server_address[1]
        server.shutdown()
"""

_OUTCOME = re.compile(r"^(?:\[gw\d+\].*? )?(PASSED|FAILED|ERROR) \S*?::(\S+)", re.MULTILINE)

#: How long a runner may take, in seconds.
_LIMIT = 300


class ChildCase(SynchronousTestCase):
    """Tests that run others."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)

    def write(self, **files: str) -> None:
        """Make modules in the folder, by their names."""
        for name, text in files.items():
            (self.folder / f"{name}.py").write_text(dedent(text), encoding="utf-8")

    def python(self, *arguments: str, folder: str = ".", **environ: str) -> str:
        """What a program says, on both streams; whether it says that it failed is no matter."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder / folder,
            env={**_environ(), "PYTHONPATH": str(self.folder), **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_LIMIT,
            check=False,
        )
        return done.stdout

    def pytest(self, *arguments: str, folder: str = ".", **environ: str) -> str:
        """What pytest says. No plug-in is there but ours, and those that are named."""
        if not (self.folder / "conftest.py").exists():
            self.write(conftest=ECHO)
        alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **environ}
        ours = ["-p", "txvaurien.pytest_plugin", "-p", "no:cacheprovider"]
        return self.python(
            "-m", "pytest", "-rA", "--tb=short", "--rootdir=.", *ours, *arguments, folder=folder, **alone
        )

    def outcomes(self, said: str) -> dict[str, str]:
        """How each test of pytest ended."""
        found = {name: outcome for outcome, name in _OUTCOME.findall(said)}
        self.assertTrue(found, said)
        return found

    def assertPassed(self, said: str, count: int) -> None:
        """So many tests of pytest have passed, and there was no other."""
        self.assertEqual(list(self.outcomes(said).values()), ["PASSED"] * count, said)


class PageCase(ChildCase):
    """The examples of a page of the docs, against a real Redis."""

    name = ""

    def setUp(self) -> None:
        super().setUp()
        path = DOCS / self.name
        if not path.exists():
            raise SkipTest("the docs are in the repository, not in the installed package")
        server = RedisServer()
        self.addCleanup(server.stop)
        server.start()
        self.backend = f"127.0.0.1:{server.port}"
        self.page = path.read_text(encoding="utf-8").replace("localhost:6379", self.backend)

    def blocks(self, kind: str) -> list[str]:
        """The fenced blocks of a kind."""
        return re.findall(rf"^```{kind}\n(.*?)^```", self.page, re.MULTILINE | re.DOTALL)

    def run_tests(self, count: int) -> None:
        """So many tests have been written, and all of them pass."""
        self.assertPassed(self.pytest("-p", "pytest_asyncio.plugin"), count)


def _environ() -> Mapping[str, str]:
    # What measures coverage, or has a seed, is for this process.
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("COV", "PYTEST", "VAURIEN_SEED"))
    }
