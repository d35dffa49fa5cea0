"""Options of plain sockets that more than one module sets."""

from __future__ import annotations

import socket
import struct

#: The address families of TCP.
INTERNET = frozenset({socket.AF_INET, socket.AF_INET6})

#: SO_LINGER of socket(7): on, for no time.
_ABORTIVE = struct.pack("ii", 1, 0)


def reset_on_close(sock: socket.socket) -> None:
    """Have the kernel send RST when the socket is closed, and keep nothing of it."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORTIVE)


def send_at_once(sock: socket.socket) -> None:
    """Have the kernel wait for nothing when a little is sent; sockets that are not of TCP do not."""
    if sock.family in INTERNET:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
