"""Real servers for the second tier of tests: started on free ports, in temporary folders."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from twisted.trial.unittest import SkipTest

#: How long a server may take until it accepts a connection, in seconds.
START_LIMIT = 60.0


def require(program: str, package: str = "", install: str = "") -> str:
    """The path of `program`. Where it is missing: a failure in CI, else a skipped test.

    :param install: the command that installs it, where that is not apt-get with `package`.
    """
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin:/usr/local/sbin")
    if path is not None:
        return path
    message = f"{program} is not installed; {install or f'apt-get install {package}'}"
    if os.environ.get("CI"):
        raise AssertionError(message)
    raise SkipTest(message)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def accepts(port: int) -> bool:
    """Whether something accepts connections on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class ServerProcess:
    """A server in a process of its own, with a folder of its own.

    Subclasses say what to run in `command`; `ready` may ask for more than an
    accepted connection.
    """

    def __init__(self, port: int | None = None) -> None:
        self.port = free_port() if port is None else port
        self.folder = Path(tempfile.mkdtemp(prefix="txvaurien-"))
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> Sequence[str]:
        """The program and its arguments."""
        raise NotImplementedError

    def ready(self) -> bool:
        """Whether the server can be used now."""
        return accepts(self.port)

    def start(self) -> None:
        """Start it and return when it is ready."""
        command = self.command()
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        wait_until(self.ready, self._explain, while_=lambda: self._process.poll() is None)

    def stop(self) -> None:
        """End it, by force if need be, and remove its folder."""
        self.kill(hard=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def kill(self, *, hard: bool = True) -> None:
        """End the process; the folder stays, so that `start` can be called again."""
        if self.process is None:
            return
        (self.process.kill if hard else self.process.terminate)()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    @property
    def _process(self) -> subprocess.Popen[bytes]:
        assert self.process is not None, "the server was not started"
        return self.process

    def _explain(self) -> str:
        log = (self.folder / "log").read_text(errors="replace")
        return f"{self.command()[0]} did not start:\n{log[-2000:]}"


def wait_until(
    ready: Callable[[], bool],
    explain: Callable[[], str],
    *,
    while_: Callable[[], bool] = lambda: True,
    limit: float = START_LIMIT,
) -> None:
    """Block until `ready`, for servers that can only be asked; not for use in a reactor's thread."""
    deadline = time.monotonic() + limit
    while not ready():
        if time.monotonic() > deadline or not while_():
            raise AssertionError(explain())
        time.sleep(0.02)


class RedisServer(ServerProcess):
    """redis-server, with nothing on disk."""

    def __init__(self, *options: str, port: int | None = None) -> None:
        super().__init__(port)
        self.options = options

    def command(self) -> Sequence[str]:
        program = require("redis-server", "redis-server")
        base = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        return [program, *base, "--dir", str(self.folder), *self.options]
