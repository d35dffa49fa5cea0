"""Scripted peers on real sockets: a backend that does as it is told, and ways to see how it ended."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable


class ScriptedBackend:
    """Accepts connections and runs `script` on each, in a thread of its own."""

    def __init__(self, script: Callable[[socket.socket], None]) -> None:
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def stop(self) -> None:
        """Stop accepting, and wait for the scripts to end."""
        # Closing alone does not wake a thread that is in accept().
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join(30)
        for thread in self._threads:
            thread.join(30)

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            peer.settimeout(30)
            thread = threading.Thread(target=self._run, args=(peer,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run(self, peer: socket.socket) -> None:
        # How the proxy ended it is what the test looks at, from the other side.
        with peer, contextlib.suppress(ConnectionError):
            self._script(peer)


def read_all(sock: socket.socket) -> tuple[bytes, str]:
    """All that comes, and how it ended: "fin" or "rst"."""
    parts: list[bytes] = []
    try:
        while True:
            data = sock.recv(1 << 16)
            if not data:
                return b"".join(parts), "fin"
            parts.append(data)
    except ConnectionResetError:
        return b"".join(parts), "rst"


def read_exactly(sock: socket.socket, count: int) -> bytes:
    """So many bytes."""
    data = b""
    while len(data) < count:
        more = sock.recv(count - len(data))
        if not more:
            raise ConnectionError(f"the end came after {len(data)} of {count} bytes")
        data += more
    return data


def reset(sock: socket.socket) -> None:
    """Close with RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
