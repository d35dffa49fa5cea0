"""What a process and its children have used, from /proc (proc_pid_stat(5), proc_pid_smaps(5))."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_TICK = 1.0 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Usage:
    """Of a whole tree of processes."""

    #: Seconds of processor time, user and system, of children that have ended as well.
    cpu: float
    #: KB of memory, shared pages divided among those that share them.
    memory: float
    #: KB of resident memory, as the highest that each process ever had.
    peak: float


def usage(pid: int) -> Usage:
    """What process `pid` and its descendants have used until now."""
    pids = tree(pid)
    return Usage(
        cpu=sum(_cpu(each) for each in pids),
        memory=sum(_field(Path(f"/proc/{each}/smaps_rollup"), "Pss:") for each in pids),
        peak=sum(_field(Path(f"/proc/{each}/status"), "VmHWM:") for each in pids),
    )


def cpu_seconds(pid: int) -> float:
    """The processor time alone, which is much cheaper to ask for than the memory."""
    return sum(_cpu(each) for each in tree(pid))


def tree(pid: int) -> list[int]:
    """`pid` and all of its descendants."""
    children: dict[int, list[int]] = {}
    for each in _all_pids():
        fields = stat_fields(_read(Path(f"/proc/{each}/stat")))
        if fields:
            children.setdefault(int(fields[1]), []).append(each)
    found = [pid]
    for each in found:
        found.extend(children.get(each, ()))
    return found


def stat_fields(line: str) -> list[str]:
    """The fields of a line of /proc/PID/stat from the third on: the second may hold blanks."""
    return line.rpartition(")")[2].split()


def cpu_of(line: str) -> float:
    """Seconds of processor time in a line of /proc/PID/stat: its own and that of children waited for."""
    fields = stat_fields(line)
    return sum(int(ticks) for ticks in fields[11:15]) * _TICK if fields else 0.0


def _cpu(pid: int) -> float:
    return cpu_of(_read(Path(f"/proc/{pid}/stat")))


def _field(path: Path, name: str) -> float:
    for line in _read(path).splitlines():
        if line.startswith(name):
            return float(line.split()[1])
    return 0.0


def _read(path: Path) -> str:
    """The text, or nothing: the process may have ended meanwhile."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _all_pids() -> Iterable[int]:
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
