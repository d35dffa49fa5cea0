"""A test suite as people wrote it for Vaurien: plain unittest, nothing of Twisted.

`test_vaurien_compat` runs it in a process of its own.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
import unittest

from txvaurien import Client, start_proxy, stop_proxy
from txvaurien.test.servers import free_port


class Pong(socketserver.StreamRequestHandler):
    """Answers each line with ``pong``."""

    def handle(self) -> None:
        """Serve one connection until it ends."""
        while self.rfile.readline():
            self.wfile.write(b"pong\n")


class Backend(socketserver.ThreadingTCPServer):
    """The service that is tested against."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that was cut is what these tests are about."""


class MyTest(unittest.TestCase):
    """The example of Vaurien's documentation, with something done."""

    def setUp(self) -> None:
        backend = Backend(("localhost", 0), Pong)
        serving = threading.Thread(target=backend.serve_forever, args=(0.01,))
        serving.start()
        self.addCleanup(serving.join)
        self.addCleanup(backend.server_close)
        self.addCleanup(backend.shutdown)
        self.proxy_port, self.control_port = free_port(), free_port()
        self.proxy_pid = start_proxy(
            port=self.control_port,
            proxy_port=self.proxy_port,
            backend_port=backend.server_address[1],
            options=["--behavior-delay-sleep", "0.01"],
            log_level="error",
        )

    def tearDown(self) -> None:
        stop_proxy(self.proxy_pid)

    def ping(self, size: int = len(b"pong\n")) -> bytes:
        """What comes back for one line: `size` bytes, or less if the connection ends before."""
        received = b""
        with (
            contextlib.suppress(ConnectionError),
            socket.create_connection(("localhost", self.proxy_port), timeout=10) as connection,
        ):
            connection.sendall(b"ping\n")
            while len(received) < size:
                piece = connection.recv(4096)
                if not piece:
                    break
                received += piece
        return received

    def test_one(self) -> None:
        """A fault is there inside of the block, and gone after it."""
        client = Client(port=self.control_port)
        self.assertEqual(client.get_behavior(), "dummy")
        self.assertEqual(self.ping(), b"pong\n")
        with client.with_behavior("error", inject=True):
            self.assertEqual(client.get_behavior(), "error")
            noisy = self.ping(105)
            self.assertEqual((len(noisy), noisy[:2], noisy[-3:]), (105, b"po", b"ng\n"))
        self.assertEqual(client.get_behavior(), "dummy")
        self.assertEqual(self.ping(), b"pong\n")

    def test_several(self) -> None:
        """One behavior after the other on one proxy, also nested."""
        client = Client("localhost", self.control_port)
        with client.with_behavior("blackout"):
            self.assertEqual(self.ping(), b"")
            with client.with_behavior("delay"):
                self.assertEqual(self.ping(), b"pong\n")
            self.assertEqual(self.ping(), b"")
        self.assertEqual(self.ping(), b"pong\n")

    def test_unknown(self) -> None:
        """What is not there is a ValueError."""
        client = Client(port=self.control_port)
        self.assertIn("blackout", client.list_behaviors())
        self.assertRaises(ValueError, client.set_behavior, "invalid_behavior")


if __name__ == "__main__":
    unittest.main()
