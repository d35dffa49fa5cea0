"""Programs that the benchmark starts: each in a folder of its own, on a free port of 127.0.0.1."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

#: How long a program may take until it accepts a connection, in seconds.
START_LIMIT = 30.0
HOST = "127.0.0.1"

_SYSTEM = "/usr/sbin:/usr/local/sbin:/sbin:/usr/lib/postfix/sbin"


class Missing(Exception):
    """Something that a row or a proxy needs is not there; the text says what it is and how to get it."""


class Failed(Exception):
    """A program did not start, or did not do its work; the text has what it said."""


def tool(program: str, package: str) -> str:
    """The path of `program`.

    :raises Missing: it is not installed; `package` is the Debian package that has it.
    """
    path = shutil.which(program) or shutil.which(program, path=_SYSTEM)
    if path is None:
        raise Missing(f"{program} is not installed: apt-get install --no-install-recommends {package}")
    return path


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def accepts(port: int) -> bool:
    """Whether something accepts connections on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) == 0


def output_of(command: Sequence[str], seconds: float = 120.0) -> str:
    """What a program prints, on both of its outputs.

    :raises Failed: it ended with an error, or not within `seconds`.
    """
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{command[0]} did not end within {seconds:.0f} s") from error
    text = done.stdout.decode(errors="replace")
    if done.returncode:
        raise Failed(f"{' '.join(command)} ended with status {done.returncode}: {text[-500:].strip()}")
    return text


class Process:
    """One program that runs until `stop`. Use it as a context manager.

    Subclasses, or those who make one, fill in `command`.
    """

    def __init__(self, command: Sequence[str] = (), port: int | None = None) -> None:
        self.port = free_port() if port is None else port
        self.folder = Path(tempfile.mkdtemp(prefix="bench-"))
        # At the latest when nobody knows of it any more: one that lacks something is never started.
        self._remove = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self.command = command
        #: What its environment has beside that of the benchmark.
        self.env: Mapping[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The id of the process that was started; it may have children."""
        assert self._process is not None, "it was not started"
        return self._process.pid

    def start(self) -> None:
        """Start it, and return when it accepts connections; `stop` is to be called whatever comes of it.

        :raises Failed: it ended before it did, or took too long.
        """
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env={**os.environ, **self.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        running = self._process
        try:
            wait_until(lambda: accepts(self.port), lambda: running.poll() is None)
        except Failed:
            raise Failed(f"{' '.join(self.command)} did not start: {self.said()}") from None

    def said(self) -> str:
        """The end of what it wrote."""
        return (self.folder / "log").read_text(errors="replace")[-1000:].strip()

    def stop(self) -> None:
        """End it, by force if need be, and remove its folder."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._remove()

    def __enter__(self) -> Process:
        try:
            self.start()
        except BaseException:
            # What was half started must not stay behind.
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def wait_until(ready: Callable[[], bool], worth_it: Callable[[], bool], limit: float = START_LIMIT) -> None:
    """Return when `ready`.

    :raises Failed: `worth_it` became false, or `limit` seconds are over.
    """
    deadline = time.monotonic() + limit
    while not ready():
        if not worth_it() or time.monotonic() > deadline:
            raise Failed("it is not ready")
        time.sleep(0.01)
