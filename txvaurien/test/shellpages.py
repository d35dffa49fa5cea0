"""Pages that are followed as a reader follows them: files are written, proxies started, commands given.

In a page, in this order of appearance:

- a fenced block of ``ini`` is the file ``vaurien.ini``, or whatever `PageFollower.files` calls it;
- an indented ``vaurien ...`` (or ``PYTHONPATH=. vaurien ...``) without a prompt runs until the next one,
  in a terminal of its own;
- an indented ``$ command`` is run to its end, and says what stands in the lines below it, if there
  are any; ``…`` stands for anything.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from txvaurien.clients.processes import ProxyProcess
from txvaurien.test.servers import free_port, require

ROOT = Path(__file__).parents[2]

#: How long a command may take, in seconds.
_LIMIT = 120

#: The programs that an installation puts on the path, and where their `main` is.
_PROGRAMS = {
    "vaurien": ("txvaurien.cli", "main"),
    "vaurienctl": ("txvaurien.ctl.main", "main"),
    "pytest": ("pytest", "console_main"),
    "trial": ("twisted.scripts.trial", "run"),
}

_STEP = re.compile(
    r"^```(?P<kind>[\w ]*)\n(?P<block>.*?)^```$|(?P<lines>(?:^    [^\n]*\n)+)", re.MULTILINE | re.DOTALL
)
_BEGIN = re.compile(r"(?:PYTHONPATH=\. )?vaurien (?P<arguments>.*)", re.DOTALL)
_COMMAND = re.compile(r"^\$ (?P<command>(?:.*\\\n)*.*)\n(?P<said>(?:(?!\$ ).*\n)*)", re.MULTILINE)


class PageFollower(SynchronousTestCase):
    """A test case that follows pages."""

    #: What the blocks of each kind are written to, the first, the second and so on.
    files: Mapping[str, Sequence[str]] = MappingProxyType({})

    def setUp(self) -> None:
        if not (ROOT / "docs").exists():
            raise SkipTest("the docs are in the repository, not in the installed package")
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)
        self.control = free_port()
        #: What stands in the page, and what is used in its place.
        self.replaced: dict[str, str] = {"8080": str(self.control)}
        self._log = (self.folder / "log").open("ab")
        self.addCleanup(self._log.close)
        self._proxy: ProxyProcess | None = None
        self.addCleanup(self._stop_proxy)
        self._make_programs()

    def page(self, name: str) -> str:
        """A page, with the places that are used here."""
        text = (ROOT / "docs" / name).read_text(encoding="utf-8")
        for written, used in self.replaced.items():
            text = re.sub(rf"(?<![\w.]){re.escape(written)}\b", used, text)
        return text

    def ports(self, *written: int) -> None:
        """Use free ports where the page has these."""
        self.replaced.update((str(port), str(free_port())) for port in written)

    def follow(self, name: str) -> int:
        """Do all that a page says, in its order; how many commands were run."""
        files = {kind: iter(names) for kind, names in self.files.items()}
        run = 0
        for step in _STEP.finditer(self.page(name)):
            if step["lines"] is None:
                self._write(step["block"], files.get(step["kind"], iter(())))
            else:
                run += self._give(re.sub(r"^    ", "", step["lines"], flags=re.MULTILINE))
        return run

    def _write(self, block: str, names: Iterator[str]) -> None:
        name = next(names, None)
        if name is not None:
            (self.folder / name).write_text(block, encoding="utf-8")

    def _give(self, lines: str) -> int:
        begun = _BEGIN.match(lines)
        if begun is not None:
            self.start_proxy(shlex.split(begun["arguments"].replace("\\\n", " ")))
            return 1
        found = list(_COMMAND.finditer(lines))
        for each in found:
            self._command(each["command"], each["said"])
        return len(found)

    def _command(self, command: str, said: str) -> None:
        heard = self.says(command, failing=bool(said.strip()))
        if said.strip():
            pattern = ".*".join(map(re.escape, said.strip().split("…")))
            lines = "\n".join(line.rstrip() for line in heard.strip().splitlines())
            self.assertTrue(re.fullmatch(pattern, lines, re.DOTALL), f"$ {command}\n{heard}")

    def says(self, command: str, *, failing: bool = False) -> str:
        """What a command says, on both streams.

        :param failing: it may say that it has failed.
        """
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self._environ(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_LIMIT,
            check=False,
        )
        self.assertTrue(failing or done.returncode == 0, f"$ {command}\n{done.stdout}")
        return done.stdout

    def start_proxy(self, arguments: Sequence[str]) -> None:
        """Have a proxy run until the next one does, or the test ends."""
        self._stop_proxy()
        places = ["env", f"--chdir={self.folder}", f"PYTHONPATH={self.folder}"]
        program = [sys.executable, "-m", "txvaurien", *arguments, "--http-port", str(self.control)]
        self._proxy = ProxyProcess([*places, *program], echo=self._log.fileno())
        self._proxy.wait_until_ready()

    def _stop_proxy(self) -> None:
        proxy, self._proxy = self._proxy, None
        if proxy is not None:
            self.assertEqual(proxy.stop(), 0)

    def _environ(self) -> Mapping[str, str]:
        # As at a terminal: redis-cli quotes what it prints. What measures coverage is for this process.
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTEST"))}
        programs = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        return {**kept, "PATH": programs, "PYTHONPATH": str(self.folder), "FAKETTY": "1"}

    def _make_programs(self) -> None:
        """What would be on the path, for this interpreter."""
        (self.folder / "bin").mkdir()
        self._make_program("python", "")
        for name, (module, function) in _PROGRAMS.items():
            # The proxy is where `start_proxy` has it controlled.
            before = ["--http-port", str(self.control)] if name == "vaurienctl" else []
            lines = f"import sys; from {module} import {function}; sys.argv[:1] = {[name, *before]}"
            self._make_program(name, f"-c {shlex.quote(f'{lines}; sys.exit({function}())')} ")

    def _make_program(self, name: str, begin: str) -> None:
        program = self.folder / "bin" / name
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {begin}"$@"\n')
        program.chmod(0o755)

    def needs(self, **programs: str) -> None:
        """These programs, of these packages."""
        for program, package in programs.items():
            require(program.replace("_", "-"), package)
