"""How tests give commands to make, which may be what runs them as well."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from txvaurien.test.servers import require
from txvaurien.test.shellpages import ROOT


def make(*arguments: str) -> Sequence[str]:
    """The command line of make, in the folder of its Makefile."""
    alone = ["env", "-u", "MAKEFLAGS", "-u", "MAKELEVEL", "-u", "MFLAGS"]
    return [*alone, require("make", "make"), "--no-print-directory", "-C", str(ROOT), *arguments]


def said(*arguments: str) -> str:
    """What make says; that it fails is an error."""
    done = subprocess.run(make(*arguments), capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"make {' '.join(arguments)}: {done.stdout}{done.stderr}")
    return done.stdout


def environment(folder: Path) -> str:
    """What to give to make, so that it has `folder` and what this interpreter has for an environment."""
    programs = folder / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    (programs / "vaurien").write_text(
        f'#!/bin/sh\nexec {sys.executable} -m txvaurien "$@"\n', encoding="utf-8"
    )
    (programs / "vaurien").chmod(0o755)
    for stamp in ("installed", "installed-bench", "installed-docs", "installed-test"):
        (folder / stamp).touch()
    return f"VENV={folder}"
