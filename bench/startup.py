"""How long `vaurien` takes from its start to the first connection that it accepts.

``python bench/startup.py`` starts it some times in each of several ways, one way after
the other in every round, and prints the smallest and the median wall time and processor
time in milliseconds. The program that is started is the `vaurien` of this Python. With
``--importtime`` it prints which modules took longest to import instead.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

#: What is measured: a name and the options that make the difference.
WAYS: Sequence[tuple[str, tuple[str, ...]]] = (
    ("tcp", ()),
    ("tcp --http", ("--http", "--http-port", "0")),
    ("tcp 10:delay", ("--behavior", "10:delay")),
    *((name, ("--protocol", name)) for name in ("http", "memcache", "mysql", "redis", "smtp")),
)
_PROGRAM = (sys.executable, "-c", "import sys; from txvaurien.cli import main; sys.exit(main())")
_PAUSE = 0.001
_PATIENCE = 30.0


@dataclass(frozen=True)
class Start:
    """One start: seconds on the clock, and of the processor (user and system, until it was stopped)."""

    wall: float
    cpu: float


def start(options: Sequence[str]) -> Start:
    """Start it once, connect, and stop it.

    :raises RuntimeError: it accepts no connection.
    """
    port = _free_port()
    common = ("--proxy", f"127.0.0.1:{port}", "--backend", f"127.0.0.1:{port + 1}", "--log-level", "critical")
    began = time.perf_counter()
    process = subprocess.Popen([*_PROGRAM, *common, *options], env=_environment())
    try:
        wall = _wait(process, port, began)
    finally:
        process.terminate()
        _, _, used = os.wait4(process.pid, 0)
        process.returncode = 0
    return Start(wall, used.ru_utime + used.ru_stime)


def _wait(process: subprocess.Popen[bytes], port: int, began: float) -> float:
    while time.perf_counter() - began < _PATIENCE:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return time.perf_counter() - began
        time.sleep(_PAUSE)
    raise RuntimeError(f"process {process.pid} accepts no connection on port {port}")


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


def _environment() -> dict[str, str]:
    """As users have it: what was compiled once is kept."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def measure(rounds: int) -> dict[str, list[Start]]:
    """Every way in every round; a first round only fills the caches."""
    found: dict[str, list[Start]] = {name: [] for name, _ in WAYS}
    for turn in range(rounds + 1):
        print(f"round {turn} of {rounds}", end="\r", file=sys.stderr, flush=True)
        for name, options in WAYS:
            one = start(options)
            if turn:
                found[name].append(one)
    print(" " * 30, end="\r", file=sys.stderr)
    return found


def table(found: dict[str, list[Start]]) -> str:
    """Rows of the smallest and the median, in milliseconds."""
    lines = [f"{'':14}{'wall min':>10}{'median':>10}{'CPU min':>10}{'median':>10}"]
    for name, starts in found.items():
        figures = [
            pick(values) * 1000
            for values in ([each.wall for each in starts], [each.cpu for each in starts])
            for pick in (min, statistics.median)
        ]
        lines.append(f"{name:14}" + "".join(f"{figure:10.0f}" for figure in figures))
    return "\n".join(lines)


def import_times(most: int) -> str:
    """The modules that take longest, by themselves, among those a start without options imports."""
    program = "from twisted.internet import reactor; from txvaurien.cli import main; main(['--version'])"
    command = [sys.executable, "-X", "importtime", "-c", program]
    said = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=True).stderr
    rows = [line.removeprefix("import time:").split("|") for line in said.splitlines()[1:]]
    slowest = sorted(((int(row[0]), row[2].strip()) for row in rows if len(row) == 3), reverse=True)
    total = sum(each for each, _ in slowest)
    lines = [f"{each / 1000:8.1f} ms  {name}" for each, name in slowest[:most]]
    return "\n".join([*lines, f"{total / 1000:8.1f} ms  all of {len(slowest)} modules"])


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--importtime", action="store_true", help="print the slowest imports")
    chosen = parser.parse_args()
    print(import_times(40) if chosen.importtime else table(measure(chosen.rounds)))


if __name__ == "__main__":
    main()
