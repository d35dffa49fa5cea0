"""Ends of a link in memory that speak plain text and go over to TLS; an authority that they trust."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from pathlib import Path

from cryptography.x509 import load_pem_x509_certificate
from OpenSSL import SSL
from OpenSSL.crypto import X509

from txvaurien.net.ends import Ends
from txvaurien.test.memory import MemoryProxy, MemoryTransport
from txvaurien.tls.authority import Authority
from txvaurien.tls.certificates import Spoil, server_context
from txvaurien.tls.engine import Engine, TlsError
from txvaurien.tls.keeper import AuthorityKeeper

ADDRESS = "127.0.0.1"

#: A backend whose certificate nobody looks at.
UNVERIFIED = Ends(backend_tls_verify=False)

#: How often both sides may have something to say.
_TURNS = 10_000


@functools.cache
def authority() -> Authority:
    """One for all tests: making keys takes time."""
    return Authority.make()


def keeper() -> AuthorityKeeper:
    """Has that authority for a proxy."""
    return AuthorityKeeper.having(authority().dump())


def server_engine(spoil: Spoil = Spoil.NONE) -> Engine:
    """What a server speaks TLS with."""
    connection = SSL.Connection(server_context(authority().issue([ADDRESS], spoil)), None)
    connection.set_accept_state()
    return Engine(connection)


def verifying(path: Path) -> Ends:
    """Trust what `authority` signs, and nothing else.

    :param path: a file that is written.
    """
    path.write_bytes(authority().pem)
    return Ends(backend_tls_ca=str(path))


def client_engine() -> Engine:
    """What a client speaks TLS with, which trusts that authority and nobody else; it looks at no name."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    store = context.get_cert_store()
    assert store is not None
    store.add_cert(X509.from_cryptography(load_pem_x509_certificate(authority().pem)))
    context.set_verify(SSL.VERIFY_PEER)
    connection = SSL.Connection(context, None)
    connection.set_connect_state()
    return Engine(connection)


class TlsPeer:
    """Plays one end of a link.

    :ivar heard: what has been said to it, in plain text or in TLS.
    :ivar failed: why TLS has come to nothing, as far as this end knows.
    :ivar sizes: how many bytes of what it says arrive at once.
    """

    def __init__(self, transport: MemoryTransport) -> None:
        self.transport = transport
        self.heard = b""
        self.failed = ""
        self.sizes: Iterator[int] = itertools.repeat(1 << 20)
        self._engine: Engine | None = None
        self._seen = 0
        self._out = b""
        self._queue: list[bytes] = []

    def says(self, data: bytes) -> None:
        """Say something as soon as it can be said."""
        if self._engine is None:
            self._out += data
        else:
            self._queue.append(data)
            self._work(b"")

    def says_plainly(self, data: bytes) -> None:
        """Say something in plain text, whatever has been agreed on."""
        self._out += data

    def goes_over(self, engine: Engine, plain: bytes = b"") -> None:
        """Speak TLS from here on.

        :param plain: what was heard until then; more than that belongs to TLS.
        """
        assert self.heard.startswith(plain), self.heard
        early = self.heard[len(plain) :] if plain else b""
        self.heard = b""
        self._engine = engine
        self._work(early)

    @property
    def agreed(self) -> bool:
        """Whether TLS has been agreed on."""
        return self._engine is not None and self._engine.agreed

    def forget(self) -> bytes:
        """What was heard since the last time."""
        heard, self.heard = self.heard, b""
        return heard

    def turn(self) -> bool:
        """Listen, and say what is to be said; whether there was anything."""
        fresh = self.transport.received[self._seen :]
        self._seen += len(fresh)
        if fresh and self._engine is None:
            self.heard += fresh
        elif fresh:
            self._work(fresh)
        gone = self.transport.lost or self.transport.ended == "rst"
        if not self._out or gone or not self.transport.reading:
            return bool(fresh)
        size = next(self.sizes)
        piece, self._out = self._out[:size], self._out[size:]
        if piece:
            self.transport.says(piece)
        return True

    def _work(self, data: bytes) -> None:
        engine = self._engine
        assert engine is not None
        if data:
            engine.feed(data)
        try:
            if engine.agreed or engine.shake():
                for each in self._queue:
                    engine.write(each)
                self._queue.clear()
                self.heard += engine.read()
        except TlsError as error:
            self.failed = str(error)
        self._out += engine.take()


def converse(proxy: MemoryProxy, *peers: TlsPeer) -> None:
    """Let all of them speak until nobody has anything more to say."""
    for _ in range(_TURNS):
        moved = [peer.turn() for peer in peers]
        proxy.pass_time()
        if not any(moved):
            return
    raise AssertionError("the conversation has not come to an end")
