"""A blocking client that sees the bytes of a real redis-server, and a session between the two."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.model import Exchange, Frame, Refusal
from txvaurien.protocols.base import Session
from txvaurien.protocols.redis import Redis
from txvaurien.test.redis_samples import ask, bulk, cmd
from txvaurien.test.servers import RedisServer, wait_until
from txvaurien.testing import TO_BACKEND, TO_CLIENT, Conversation, Recorder, Step

#: How long a server may take to answer, in seconds; more than it ever needs.
PATIENCE = 30.0


class Peer:
    """A connection to a redis-server, of which every byte is kept."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.steps: list[Step] = []

    def close(self) -> None:
        """End it."""
        self.socket.close()

    def send(self, *commands: str | bytes) -> None:
        """Say these in one go."""
        step = ask(*commands)
        self.steps.append(step)
        self.socket.sendall(step[1])

    def hear(self, until: bytes = b"") -> bytes:
        """What comes until it ends like this; by default until the connection ends."""
        heard = b""
        while not (until and heard.endswith(until)):
            data = self.socket.recv(65536)
            if not data:
                break
            heard += data
        self.steps.append((TO_CLIENT, heard))
        return heard

    def call(self, *commands: str | bytes) -> bytes:
        """Say these, and an ECHO that ends what comes; return what came before its reply."""
        self.send(*commands, cmd("ECHO", "-- end --"))
        end = bulk("-- end --")
        return self.hear(end)[: -len(end)]

    def line(self, command: str | bytes) -> bytes:
        """Say this, and return the one line that answers it."""
        self.send(command)
        heard = b""
        while not heard.endswith(b"\r\n"):
            data = self.socket.recv(65536)
            assert data, heard
            heard += data
        return heard


class RealCase(SynchronousTestCase):
    """Tests with a real redis-server."""

    timeout = 120

    def start(self, *options: str) -> RedisServer:
        """A server that ends with the test."""
        server = RedisServer(*options)
        self.addCleanup(server.stop)
        server.start()
        return server

    def peer(self, server: RedisServer) -> Peer:
        """A connection that ends with the test."""
        peer = Peer(server.port)
        self.addCleanup(peer.close)
        return peer

    def until(self, peer: Peer, command: str, *signs: bytes) -> None:
        """Ask again and again until the reply holds all of these."""
        wait_until(
            lambda: all(sign in peer.call(command) for sign in signs),
            lambda: f"{command} never said {signs!r} but {peer.call(command)!r}",
        )


class Between:
    """A session between a client, which is the test, and a real server.

    It does what a link does: an answer of the proxy's waits for the replies to what was asked before,
    and what the backend says to a refused request goes to nobody.

    :param decide: asked before a request is sent; what it returns is said in place of the backend.
    """

    def __init__(self, port: int, decide: Callable[[Exchange], Refusal | None]) -> None:
        self.recorder = Recorder(Redis().session(), self._met)
        #: What was said in place of the backend.
        self.refused: dict[Exchange, Refusal] = {}
        #: The conversation as the client knows it.
        self.heard: list[Step] = []
        self._decide = decide
        self._kept: set[Exchange] = set()
        self._turns: deque[Exchange] = deque()
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self._sent = 0

    def _met(self, session: Session, exchange: Exchange) -> bool:
        self._flush()
        refusal = self._decide(exchange)
        if refusal is not None:
            self._kept.add(exchange)
            self._say(exchange, refusal)
        if refusal is not None or exchange.replies:
            self._turns.append(exchange)
        return refusal is not None

    def _flush(self) -> None:
        forwarded = bytes(self.recorder.forwarded[TO_BACKEND][self._sent :])
        self._sent += len(forwarded)
        self._socket.sendall(forwarded)

    def _say(self, exchange: Exchange, refusal: Refusal) -> None:
        self.refused[exchange] = refusal
        self._socket.sendall(refusal.to_backend)

    def close(self) -> None:
        """End it."""
        self._socket.close()

    def say(self, *commands: str | bytes) -> None:
        """The client says these."""
        step = ask(*commands)
        self.heard.append(step)
        self.recorder.feed(*step)
        self._flush()
        self._let_out()

    def deny(self, exchange: Exchange, kind: str, text: str) -> None:
        """Refuse a request that the backend has."""
        self._flush()
        self._say(exchange, self.recorder.session.refuse(exchange, kind, text))

    def listen(self) -> None:
        """Take something of what the server says."""
        data = self._socket.recv(65536)
        assert data, "the server has hung up"
        for frame in self.recorder.feed(TO_CLIENT, data):
            self._hand_over(frame)
        self._let_out()

    def settle(self) -> None:
        """Take what the server says until everything is answered that is to be."""
        waiting = [seen for seen in self.recorder.seen if seen.replies and not seen.unasked]
        waiting = [seen for seen in waiting if seen.exchange not in self._kept]
        while not self.recorder.error and any(TO_CLIENT not in seen.done for seen in waiting):
            self.listen()

    def _hand_over(self, frame: Frame) -> None:
        exchange = frame.exchange
        if exchange is None or exchange in self.refused:
            return
        if exchange in self._turns:
            while self._turns[0] is not exchange:
                self._let_out_one()
            if frame.last:
                self._turns.popleft()
        self.heard.append((TO_CLIENT, frame.forward))

    def _let_out(self) -> None:
        """What the proxy says, as far as it is its turn."""
        while self._turns and self._turns[0] in self.refused:
            self._let_out_one()

    def _let_out_one(self) -> None:
        # Whatever is passed over here has been refused: replies come in order.
        self.heard.append((TO_CLIENT, self.refused[self._turns.popleft()].to_client))


def conversation(peer: Peer) -> Conversation:
    """What was said, with the FINs that come at the end of it."""
    return [*peer.steps, (TO_BACKEND, b""), (TO_CLIENT, b"")]
