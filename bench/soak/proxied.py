"""The proxy that is tested: one process with a proxy for each protocol."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from bench.backends import ROOT
from bench.process import HOST, Process, free_port

#: How long it may take to end, in seconds.
_END_LIMIT = 20.0

#: What its log has where something is wrong with the proxy itself.
_ALARMS = re.compile(r"Traceback|Unhandled|critical|Exception|Segmentation|MemoryError", re.IGNORECASE)


def terminating(folder: Path, backends: Mapping[str, str], seed: int) -> tuple[Vaurien, Path]:
    """A second process that takes TLS off before it passes bytes on to the backends, and what to trust."""
    ca = folder / "ca.pem"
    made = Vaurien(folder, backends, seed, more="tls = auto\n", framed=False)
    made.command = [*made.command, "--tls-ca-out", str(ca)]
    return made, ca


class Vaurien(Process):
    """``vaurien``, with its journal and its log in `folder`.

    :param backends: by the protocol's name: where the backend is.
    :param more: further lines for each proxy.
    :param framed: whether the proxies frame their protocols; else they are of tcp.
    :ivar listens: by the protocol's name: the port where the proxy listens.
    """

    def __init__(
        self, folder: Path, backends: Mapping[str, str], seed: int, more: str = "", framed: bool = True
    ) -> None:
        super().__init__()
        shutil.rmtree(self.folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.listens = {name: free_port() for name in backends}
        self.journal = folder / "journal.jsonl"
        config = folder / "vaurien.ini"
        sections = [
            f"[proxy:{name}]\nproxy = {HOST}:{port}\nbackend = {backends[name]}\n"
            f"protocol = {name if framed else 'tcp'}\n{more}"
            for name, port in self.listens.items()
        ]
        config.write_text(f"[vaurien]\nhttp = true\nseed = {seed}\n\n" + "\n".join(sections))
        for old in folder.glob("journal.jsonl*"):
            old.unlink()
        (folder / "log").write_bytes(b"")
        options = ["--config", str(config), "--http-host", HOST, "--http-port", str(self.port)]
        logs = ["--log-level", "warning", "--journal", str(self.journal)]
        self.command = [sys.executable, "-m", "txvaurien", *options, *logs]
        self.env = {"PYTHONPATH": str(ROOT)}

    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def end(self) -> list[str]:
        """Ask it to end; what was wrong with that, and what its log says."""
        assert self._process is not None
        found = []
        if self.running():
            self._process.send_signal(signal.SIGTERM)
        try:
            status = self._process.wait(_END_LIMIT)
            if status not in (0, -signal.SIGTERM):
                found.append(f"the proxy ended with status {status}: {self.said()}")
        except subprocess.TimeoutExpired:
            found.append(f"the proxy did not end within {_END_LIMIT:.0f} s of SIGTERM")
        return found + self.alarms()

    def quit(self) -> None:
        """End it whatever happens; the folder stays."""
        if self._process is not None and self.running():
            self._process.kill()
            self._process.wait()

    def alarms(self) -> list[str]:
        """The first lines of its log that nobody may see."""
        lines = (self.folder / "log").read_text(errors="replace").splitlines()
        bad = [place for place, line in enumerate(lines) if _ALARMS.search(line)]
        return ["the log: " + " | ".join(lines[place : place + 12]) for place in bad[:3]]
