"""Pipes without a transport: what becomes of a connection that is not read at the moment."""

from __future__ import annotations

import select
import socket
from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.net.pipe import Pipe
from txvaurien.net.polled import PolledPipe
from txvaurien.net.poller import Poller
from txvaurien.test.peers import reset


class UnreadTests(SynchronousTestCase):
    """A pipe that pauses, of a peer after whose end nothing counts (a client)."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.poller = Poller(self.reactor)
        self.told: list[Any] = []

    def pipe_over(self, mine: socket.socket, peer: socket.socket) -> Pipe:
        """A pipe that has said FIN, and is paused."""
        self.peer = peer
        self.addCleanup(peer.close)
        mine.setblocking(False)
        pipe = PolledPipe(mine, self.reactor, self, self, None, self.poller)
        pipe.pause("full")
        pipe.end()
        return pipe

    def tcp(self) -> Pipe:
        """The same over TCP."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            peer = socket.create_connection(listener.getsockname())
            return self.pipe_over(listener.accept()[0], peer)

    def wait(self) -> None:
        """Until the kernel has something to say, and the poller has heard it."""
        select.select([self.poller], [], [], 10)
        self.poller.doRead()

    def take(self, lane: Any, data: bytes) -> None:
        """As an `Intake`."""
        self.told.append(data)

    def splices_to(self, lane: Any) -> PolledPipe | None:
        """As an `Intake`."""
        return None

    def spliced(self, lane: Any, count: int) -> None:
        """As an `Intake`."""

    def pipe_full(self, pipe: Pipe) -> None:
        """As a `PipeOwner`."""

    pipe_room = pipe_full

    def pipe_broken(self, pipe: Pipe) -> None:
        """As a `PipeOwner`."""
        self.told.append("broken")

    def pipe_finished(self, pipe: Pipe) -> None:
        """As a `PipeOwner`."""
        pipe.fin_received()
        self.told.append("fin")

    def pipe_lost(self, pipe: Pipe, reset: bool) -> None:
        """As a `PipeOwner`."""
        pipe.connection_lost()
        self.told.append(f"lost, {reset}")

    def pipe_hung_up(self, pipe: Pipe) -> bool:
        """As a `PipeOwner`."""
        return True

    def assert_read_to_the_end(self, pipe: Pipe) -> None:
        """What was said before the FIN is there when it is read again, and then the FIN."""
        self.wait()
        self.assertEqual(self.told, [])
        pipe.resume("full")
        self.wait()
        self.wait()
        self.assertEqual(self.told, [b"last words", "fin"])
        pipe.close()
        self.reactor.advance(0)
        self.assertEqual((self.told[2:], self.poller.fileno()), (["lost, False"], -1))

    def test_both_said_fin(self) -> None:
        """That looks like a reset to whoever does not read, and is none."""
        pipe = self.tcp()
        self.peer.sendall(b"last words")
        self.peer.shutdown(socket.SHUT_WR)
        self.assert_read_to_the_end(pipe)

    def test_unix_socket_closed(self) -> None:
        """So does the close of a Unix socket, which is a FIN as well."""
        pipe = self.pipe_over(*socket.socketpair())
        self.peer.sendall(b"last words")
        self.peer.close()
        self.assert_read_to_the_end(pipe)

    def test_reset(self) -> None:
        """A reset is told at once: what came before it does not count."""
        self.tcp()
        self.peer.sendall(b"last words")
        reset(self.peer)
        self.wait()
        self.reactor.advance(0)
        self.assertEqual((self.told, self.poller.fileno()), (["lost, True"], -1))

    def test_failed(self) -> None:
        """Who cannot handle what comes ends the link, once the events have been handled."""
        pipe = self.tcp()
        self.patch(self, "take", lambda lane, data: 1 / 0)
        self.peer.sendall(b"x")
        pipe.resume("full")
        self.wait()
        self.assertEqual(self.told, ["broken"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        pipe.reset()
        self.reactor.advance(0)
