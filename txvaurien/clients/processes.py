"""Start and stop a proxy in a process of its own, as tests written for Vaurien do.

The started process is handed one end of a pipe, whose number it finds in
``VAURIEN_READY_FD``. It writes ``ready <proxy-port> <control-port>`` there when it
accepts connections, so nobody has to guess how long that takes.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence

from txvaurien.clients.vocabulary import DEFAULT_PORT, VaurienError

READY_FD = "VAURIEN_READY_FD"

#: How long a proxy may take until it accepts connections, in seconds.
START_LIMIT = 30.0

#: How long it may take to end by itself, in seconds.
STOP_LIMIT = 5.0

#: How many of the last lines on its standard error are kept, to explain why it did not start.
_LINES = 50


def start_proxy(
    proxy_host: str = "localhost",
    proxy_port: int = 8000,
    backend_host: str = "localhost",
    backend_port: int = 8888,
    protocol: str = "tcp",
    http: bool = True,
    warmup: float = 0,
    http_host: str = "localhost",
    http_port: int = DEFAULT_PORT,
    options: Sequence[str] | None = None,
    log_level: str = "info",
    log_output: str = "-",
    port: int | None = None,
) -> int:
    """Start a proxy; return when it accepts connections.

    The arguments are those of Vaurien, in its order.

    :param http: whether to start the control server.
    :param warmup: ignored; it was how long to sleep, in seconds.
    :param options: further options of the command line, such as ``["--behavior", "delay"]``.
    :param log_output: a file, or ``-`` for standard error.
    :param port: the control port, the same as `http_port`.
    :return: the process id, for `stop_proxy`.
    :raises VaurienError: it did not start; the error has what it said.
    """
    del warmup
    command = ["--proxy", _address(proxy_host, proxy_port)]
    command += ["--backend", _address(backend_host, backend_port), "--protocol", protocol]
    command += ["--log-level", log_level, "--log-output", log_output]
    if http:
        control_port = http_port if port is None else port
        command += ["--http", "--http-host", http_host, "--http-port", str(control_port)]
    return _proxies.start([sys.executable, "-m", "txvaurien", *command, *(options or ())])


def stop_proxy(pid: int) -> None:
    """End a proxy that `start_proxy` started; return when it is gone.

    :raises ValueError: there is no such proxy.
    """
    _proxies.stop(pid)


class ProxyProcess:
    """One started proxy.

    :param command: the program and its arguments.
    :param echo: a descriptor that gets what it says on standard error, once it is ready;
        what it says before explains why it is not.
    :param bound: the program ends at the end of its standard input, which comes when this process is gone;
        and what the keyboard tells this process (Ctrl-C) is not told to it, as it is still to be asked then.
    :ivar ports: those of the proxy and of the control server, 0 for none, once it is ready.
    """

    def __init__(self, command: Sequence[str], echo: int = 2, *, bound: bool = False) -> None:
        self.ports = (0, 0)
        self._ready, writing = os.pipe()
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE if bound else subprocess.DEVNULL,
                start_new_session=bound,
                stderr=subprocess.PIPE,
                env={**os.environ, READY_FD: str(writing)},
                pass_fds=[writing],
            )
        except BaseException:
            os.close(self._ready)
            raise
        finally:
            os.close(writing)
        self._errors = _Errors(echo)
        self._listener = threading.Thread(target=self._listen, name=f"stderr of {self.pid}", daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """Its exit status, negative for the number of a signal; None while it runs."""
        return self._process.poll()

    def wait_until_ready(self, limit: float = START_LIMIT) -> None:
        """Return when it accepts connections.

        :param limit: how long to wait, in seconds.
        :raises VaurienError: it ended before, or takes longer; then it is gone.
        """
        try:
            ready = self._read_ready(time.monotonic() + limit)
        except BaseException:
            self.stop()
            raise
        finally:
            os.close(self._ready)
        if not ready:
            raise self._not_started(limit)
        self._errors.pass_on()

    def stop(self, limit: float = STOP_LIMIT) -> int:
        """End it, by force if it takes longer than `limit` seconds.

        :return: its exit status, negative for the number of a signal.
        """
        self._process.terminate()
        try:
            self._process.wait(limit)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._listener.join(limit)
        return self._process.returncode

    def _read_ready(self, deadline: float) -> bool:
        """Whether it says so, before it closes the pipe or the time is up."""
        said = b""
        while not said.endswith(b"\n"):
            left = max(0.0, deadline - time.monotonic())
            if not select.select([self._ready], [], [], left)[0]:
                return False
            piece = os.read(self._ready, 256)
            if not piece:
                return False
            said += piece
        what, *ports = said.split()
        if what == b"ready" and len(ports) == 2:
            self.ports = (int(ports[0]), int(ports[1]))
        return what == b"ready"

    def _not_started(self, limit: float) -> VaurienError:
        # A process that ends closes its pipe a moment before.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        ended = self._process.returncode is not None
        status = self.stop()
        why = f"exit status {status}" if ended else f"it was not ready after {limit:g} seconds"
        return VaurienError(f"the proxy did not start ({why}): {self._errors.text or 'it said nothing'}")

    def _listen(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as stderr:
            for line in stderr:
                self._errors.add(line)


class _Errors:
    """Lines of standard error: kept at first, passed on later. For two threads."""

    def __init__(self, echo: int) -> None:
        self._echo = echo
        self._lock = threading.Lock()
        self._kept: deque[bytes] | None = deque(maxlen=_LINES)

    @property
    def text(self) -> str:
        """The last lines that were kept."""
        with self._lock:
            return b"".join(self._kept or ()).decode(errors="replace").strip()

    def add(self, line: bytes) -> None:
        """A line came."""
        with self._lock:
            if self._kept is None:
                self._write(line)
            else:
                self._kept.append(line)

    def pass_on(self) -> None:
        """From now on nothing is kept."""
        with self._lock:
            kept, self._kept = self._kept, None
            self._write(b"".join(kept or ()))

    def _write(self, lines: bytes) -> None:
        # Whoever closed our standard error does not want to know.
        with contextlib.suppress(OSError):
            os.write(self._echo, lines)


class ProxyProcesses:
    """The proxies that this process has started and not yet stopped."""

    def __init__(self) -> None:
        self._running: dict[int, ProxyProcess] = {}
        self._owner = os.getpid()

    def start(self, command: Sequence[str]) -> int:
        """Start one; see `start_proxy`."""
        if not self._running:
            self._owner = os.getpid()
            atexit.register(self.stop_all)
        process = ProxyProcess(command)
        process.wait_until_ready()
        self._running[process.pid] = process
        return process.pid

    def stop(self, pid: int) -> None:
        """Stop one; see `stop_proxy`."""
        if pid not in self._running:
            raise ValueError(f"no proxy with the process id {pid} was started here")
        self._running.pop(pid).stop()
        if not self._running:
            atexit.unregister(self.stop_all)

    def stop_all(self) -> None:
        """Stop what was left; a forked child leaves alone what is its parent's."""
        if self._owner == os.getpid():
            for pid in list(self._running):
                self.stop(pid)


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"


# A process id is all that Vaurien's callers keep, so what belongs to it has to be found here.
_proxies = ProxyProcesses()
