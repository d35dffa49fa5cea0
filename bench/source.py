"""A server that sends zeros to whoever connects: `python -m bench.source PORT`.

The bytes go from a file in memory by sendfile(2), so that the sender costs next to nothing.
"""

from __future__ import annotations

import os
import socket
import sys
import threading

from bench.process import HOST

_SIZE = 16 << 20


def serve(port: int) -> None:
    """Accept until the process is ended."""
    zeros = os.memfd_create("zeros")
    os.ftruncate(zeros, _SIZE)
    with socket.create_server((HOST, port), backlog=1024) as listener:
        while True:
            client, _ = listener.accept()
            threading.Thread(target=_pour, args=(client, zeros), daemon=True).start()


def _pour(client: socket.socket, zeros: int) -> None:
    with client:
        try:
            while True:
                offset = 0
                while offset < _SIZE:
                    offset += os.sendfile(client.fileno(), zeros, offset, _SIZE - offset)
        except OSError:
            # The client has seen enough.
            return


if __name__ == "__main__":
    serve(int(sys.argv[1]))
