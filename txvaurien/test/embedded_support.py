"""What the tests of `chaos_proxy` share: a backend that answers, and blocking clients with time-outs."""

from __future__ import annotations

import gc
import os
import socket
import threading
from contextlib import closing
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.embed import ChaosProxy, Isolation, chaos_proxy
from txvaurien.test.peers import ScriptedBackend


def echo(peer: socket.socket) -> None:
    """Send everything back, and FIN for FIN."""
    while data := peer.recv(65536):
        peer.sendall(data)


def dial(proxy: ChaosProxy) -> socket.socket:
    """A client."""
    return socket.create_connection((proxy.host, proxy.port), timeout=30)


def say(client: socket.socket, data: bytes) -> bytes:
    """Send something, and wait for as many bytes."""
    client.sendall(data)
    got = b""
    while len(got) < len(data):
        more = client.recv(len(data) - len(got))
        if not more:
            raise ConnectionError(f"the end came after {got!r}")
        got += more
    return got


def is_refused(proxy: ChaosProxy) -> bool:
    """Whether nobody listens."""
    with closing(socket.socket()) as probe:
        probe.settimeout(30)
        return probe.connect_ex((proxy.host, proxy.port)) != 0


def threads() -> set[str]:
    """The names of our threads that run."""
    return {each.name for each in threading.enumerate() if each.name.startswith("txvaurien")}


def descriptors() -> list[str]:
    """What this process has open, by kind."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{name}").partition(":")[0])
        except FileNotFoundError:
            # That of the folder itself.
            continue
    return sorted(found)


class EchoBackend(ScriptedBackend):
    """Sends everything back."""

    def __init__(self) -> None:
        super().__init__(echo)

    def wait(self) -> None:
        """Return when it has seen the end of every connection."""
        for thread in self._threads:
            thread.join(30)


class EchoCase(SynchronousTestCase):
    """Tests with a backend that sends everything back."""

    isolation: Isolation = "thread"

    def setUp(self) -> None:
        self.backend = self.start_backend()

    def start_backend(self) -> EchoBackend:
        """One that ends with the test."""
        backend = EchoBackend()
        self.addCleanup(backend.stop)
        return backend

    def there(self) -> tuple[list[str], set[str]]:
        """What is open, and which of our threads run, before something is tried."""
        # Twisted opens a descriptor for bad times when a process listens first, and keeps it.
        with self.make():
            pass
        return self.left()

    def left(self) -> tuple[list[str], set[str]]:
        """The same afterwards; links to the backend have ended, and what nobody holds is collected."""
        self.backend.wait()
        gc.collect()
        return descriptors(), threads()

    def make(self, **options: Any) -> ChaosProxy:
        """A proxy that has not been started; it is closed with the test."""
        made = chaos_proxy(f"127.0.0.1:{self.backend.port}", isolation=self.isolation, **options)
        self.addCleanup(made.close)
        return made

    def start(self, **options: Any) -> ChaosProxy:
        """A proxy that runs."""
        return self.make(**options).start()

    def client(self, proxy: ChaosProxy) -> socket.socket:
        """A client that ends with the test."""
        client = dial(proxy)
        self.addCleanup(client.close)
        return client
