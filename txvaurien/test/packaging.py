"""What the tests of the package share: what is built of the repository, and where that is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from twisted.trial.unittest import SkipTest

ROOT = Path(__file__).parents[2]

#: What is in the sdist of the folders that have to be there, and of the top one.
FOLDERS = (".ci", "bench", "docs", "newsfragments", "twisted", "txvaurien")
FILES = (
    ".gitignore",
    "CONTRIBUTING.md",
    "LICENSE",
    "MANIFEST.in",
    "Makefile",
    "NEWS.md",
    "README.md",
    "pyproject.toml",
    "setup.cfg",
    "setup.py",
)
#: What tools leave in a folder that somebody works in, and must be in no package.
STRAYS = (
    ".ci/node/node_modules/left/index.js",
    ".hypothesis/left",
    ".venv/lib/left.py",
    "_trial_temp/test.log",
    "bench/__pycache__/left.cpython-310.pyc",
    "build/lib/txvaurien/left.py",
    "docs/_build/index.html",
    "docs/start.md~",
    "twisted/plugins/dropin.cache",
    "txvaurien/.mypy_cache/3.10/left.json",
    "txvaurien/__pycache__/left.cpython-310.pyc",
    "txvaurien/net/left.py.orig",
)

#: How long a step may take, in seconds.
_LIMIT = 300
_OFFLINE = re.compile(
    "Failed to establish a new connection|Temporary failure in name resolution|Network is unreachable"
    "|Cannot connect to proxy|ConnectTimeout"
)


@dataclass(frozen=True)
class Built:
    """What was built, of which files (their paths from the top, `STRAYS` not among them)."""

    files: frozenset[str]
    sdist: Path
    wheel: Path

    def unpacked(self) -> Path:
        """The sdist, unpacked anew."""
        folder = Path("unpacked").absolute()
        shutil.rmtree(folder, ignore_errors=True)
        with tarfile.open(self.sdist) as archive:
            # All that is there was written by the build.
            archive.extractall(folder)
        (top,) = folder.iterdir()
        return top


@dataclass(frozen=True)
class Installed:
    """A virtual environment with nothing in it but the wheel, and what that asks for."""

    folder: Path

    def run(self, program: str, *arguments: str) -> str:
        """What a program of it says."""
        return run([str(self.folder / "bin" / program), *arguments], self.folder)

    def pip(self, command: str, *arguments: str) -> str:
        """What pip says, which is not in it."""
        pip = [sys.executable, "-m", "pip", "--python", str(self.folder / "bin" / "python")]
        return run([*pip, command, *arguments], self.folder)


def run(command: Sequence[str], folder: Path) -> str:
    """What a command says on both streams; that it failed is an error.

    Without a network, which pip may need, the test is skipped where that is not CI.
    """
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VAURIEN"))
    }
    done = subprocess.run(
        command,
        cwd=folder,
        env={**environ, "NO_COLOR": "1", "COLUMNS": "100"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_LIMIT,
        check=False,
    )
    if done.returncode and _OFFLINE.search(done.stdout) and not os.environ.get("CI"):
        raise SkipTest("pip cannot reach a package index")
    if done.returncode:
        raise AssertionError(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout[-4000:]}")
    return done.stdout


@cache
def built() -> Built:
    """The sdist, of a copy of the repository in which tools have left things, and the wheel, of the sdist."""
    if not (ROOT / "MANIFEST.in").exists():
        raise SkipTest("what a package is built of is in the repository, not in the installed package")
    copy, out = Path("copy").absolute(), Path("dist").absolute()
    ignored = [Path(line).name for line in (ROOT / ".gitignore").read_text(encoding="utf-8").split()]
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".git", *ignored))
    files = frozenset(path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file())
    for stray in STRAYS:
        (copy / stray).parent.mkdir(parents=True, exist_ok=True)
        (copy / stray).write_text("left behind\n", encoding="utf-8")
    run([sys.executable, "-m", "build", "--outdir", str(out), str(copy)], copy.parent)
    (sdist,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    return Built(files, sdist, wheel)


@cache
def installed() -> Installed:
    """The wheel, installed by pip."""
    wheel, folder = built().wheel, Path("fresh").absolute()
    run([sys.executable, "-m", "venv", "--without-pip", str(folder)], folder.parent)
    there = Installed(folder)
    there.pip("install", "--quiet", "--no-compile", str(wheel))
    return there
