"""What Linux says of ports: which of them outgoing connections may take, and who listens (proc(5))."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

#: The state of a socket that listens, in /proc/net/tcp.
_LISTENING = "0A"


@dataclass(frozen=True)
class Kernel:
    """Reads /proc. Where there is none, or it says something else, nothing is known.

    :param proc: where it is mounted.
    """

    proc: Path = Path("/proc")

    def passing_range(self) -> range:
        """The ports that outgoing connections are given (``ip_local_port_range`` in ip(7)); maybe none."""
        words = self._read("sys/net/ipv4/ip_local_port_range").split()
        if len(words) != 2 or not all(word.isdecimal() for word in words):
            return range(0)
        return range(int(words[0]), int(words[1]) + 1)

    def may_be_taken(self, port: int) -> bool:
        """Whether an outgoing connection may be given this port."""
        return port in self.passing_range() and not any(port in each for each in self._reserved())

    def _reserved(self) -> Iterator[range]:
        """What ``ip_local_reserved_ports`` keeps out: ``8080,9000-9010``."""
        for part in self._read("sys/net/ipv4/ip_local_reserved_ports").strip().split(","):
            first, _, last = part.partition("-")
            if first.isdecimal():
                yield range(int(first), int(last if last.isdecimal() else first) + 1)

    def who_listens(self, port: int) -> str:
        """The name and the number of the process that listens on a TCP port; ``""`` if that is not told.

        Of the processes of other users only root is told.
        """
        inodes = set(self._inodes(port))
        if not inodes:
            return ""
        links = {f"socket:[{inode}]" for inode in inodes}
        for process in sorted(self.proc.glob("[0-9]*"), key=lambda path: int(path.name)):
            if self._has_open(process, links):
                name = self._read(f"{process.name}/comm").strip() or "?"
                return f"{name}, process {process.name}"
        return ""

    def _inodes(self, port: int) -> Iterator[str]:
        for name in ("net/tcp", "net/tcp6"):
            for line in self._read(name).splitlines()[1:]:
                fields = line.split()
                if len(fields) > 9 and fields[3] == _LISTENING and _port(fields[1]) == port:
                    yield fields[9]

    def _has_open(self, process: Path, links: set[str]) -> bool:
        # It may end while it is looked at, and it may be somebody else's.
        with suppress(OSError):
            for each in os.scandir(process / "fd"):
                with suppress(OSError):
                    if os.readlink(each.path) in links:
                        return True
        return False

    def _read(self, name: str) -> str:
        try:
            return (self.proc / name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""


def _port(address: str) -> int:
    """The port of ``0100007F:1F90``."""
    try:
        return int(address.rpartition(":")[2], 16)
    except ValueError:
        return -1
