"""TLS in memory: peers of a proxy that speak it, over the transports of `txvaurien.test.memory`."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable
from typing import Any, ClassVar

from OpenSSL import SSL
from OpenSSL.crypto import FILETYPE_PEM, load_certificate
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from txvaurien.behaviors.base import Behavior
from txvaurien.exchange import LiveExchange
from txvaurien.model import Then
from txvaurien.net.ends import AUTO, Ends
from txvaurien.test.memory import MemoryProxy, MemoryTransport
from txvaurien.tls.authority import Authority
from txvaurien.tls.certificates import server_context
from txvaurien.tls.engine import Engine
from txvaurien.tls.keeper import AuthorityKeeper


class ClientEngine(Engine):
    """A client's side of TLS, which may want to negotiate anew (TLS 1.2)."""

    __slots__ = ()

    def negotiate_anew(self) -> None:
        """Say hello once more."""
        self._connection.renegotiate()
        with contextlib.suppress(SSL.WantReadError):
            self._connection.do_handshake()


def client_engine(
    authority: Authority | None, name: str = "localhost", version: int | None = None
) -> ClientEngine:
    """A client's side of TLS.

    :param authority: whom it trusts; None for anybody.
    :param version: the only version that it speaks, if any.
    """
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    if version is not None:
        context.set_min_proto_version(version)
        context.set_max_proto_version(version)
    if authority is not None:
        store = context.get_cert_store()
        assert store is not None
        store.add_cert(load_certificate(FILETYPE_PEM, authority.pem))
        context.set_verify(SSL.VERIFY_PEER, lambda *seen: bool(seen[-1]))
    connection = SSL.Connection(context, None)
    connection.set_tlsext_host_name(name.encode())
    connection.set_connect_state()
    return ClientEngine(connection)


def server_engine(
    authority: Authority, name: str = "localhost", version: int | None = None, asks: bool = False
) -> Engine:
    """A server's side of TLS, with a certificate for this name.

    :param asks: whether the client has to show a certificate.
    """
    context = server_context(authority.issue([name]))
    if asks:
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *seen: bool(seen[-1]))
    if version is not None:
        context.set_min_proto_version(version)
        context.set_max_proto_version(version)
    connection = SSL.Connection(context, None)
    connection.set_accept_state()
    return Engine(connection)


class Spoken:
    """A peer of the proxy that speaks TLS over a transport in memory.

    :ivar heard: what the proxy has said to it, in plain.
    """

    def __init__(self, wire: MemoryTransport, engine: Engine) -> None:
        self.wire = wire
        self.engine = engine
        self.heard = b""
        self._seen = 0

    def turn(self) -> Spoken:
        """Take what the proxy has sent, and send what TLS has to say to that.

        :raises TlsError: the handshake has failed.
        """
        self._hear()
        while self._seen < len(self.wire.received):
            self._hear()
        return self

    def _hear(self) -> None:
        new, self._seen = self.wire.received[self._seen :], len(self.wire.received)
        try:
            self._take(new)
        finally:
            self._send()

    def _take(self, data: bytes) -> None:
        if data:
            self.engine.feed(data)
        if self.engine.agreed or self.engine.shake():
            self.heard += self.engine.read()

    def _send(self) -> None:
        said = self.engine.take()
        if said:
            self.wire.says(said)

    def cipher(self, data: bytes) -> bytes:
        """These words as they would be sent."""
        self.engine.write(data)
        return self.engine.take()

    def says(self, data: bytes) -> Spoken:
        """Say something."""
        self.wire.says(self.cipher(data))
        return self.turn()

    def ends(self) -> Spoken:
        """Say that it was the last (close_notify)."""
        self.engine.end()
        self._send()
        return self.turn()


class TlsProxy(MemoryProxy):
    """A proxy in memory that speaks TLS with clients, with its backend, or with both."""

    def __init__(self, *arguments: Any, clients: bool = True, backend: bool = False, **options: Any) -> None:
        self.authority = Authority.make()
        options.setdefault("ends", Ends(tls=AUTO if clients else None))
        options.setdefault("keeper", AuthorityKeeper.having(self.authority.dump()))
        where = "tls:127.0.0.1:6379:verify=no" if backend else "127.0.0.1:6379"
        super().__init__(*arguments, backend=options.pop("place", where), **options)

    def comes(self, version: int | None = None) -> Spoken:
        """A client connects, and has not said anything."""
        return Spoken(self.client(), client_engine(self.authority, version=version))

    def agreed(self, version: int | None = None) -> Spoken:
        """A client with which TLS has been agreed on."""
        return self.comes(version).turn()

    def taken(self, version: int | None = None) -> Spoken:
        """The backend takes the oldest connection that waits for it, and has not said anything."""
        return Spoken(self.backend(), server_engine(self.authority, "127.0.0.1", version))

    def timers(self) -> int:
        """How many calls are pending."""
        return len(self.reactor.getDelayedCalls())


#: How long what is left of a connection may stand after the end, in seconds.
LONG = 5.0


class Waiting(Behavior, frozen=True, kw_only=True):
    """A hook that waits until the test says."""

    name: ClassVar[str] = "waiting"
    until: Deferred[bool]

    def on_connect(self, exchange: LiveExchange) -> Awaitable[bool]:
        return self.until


class LinkCase(TestCase):
    """A proxy that speaks TLS, all of whose timers end with the test."""

    def proxy(self, *arguments: Any, **options: Any) -> TlsProxy:
        """A proxy in memory."""
        self.tls = TlsProxy(*arguments, **options)
        self.addCleanup(self._nothing_is_left)
        return self.tls

    def _nothing_is_left(self) -> None:
        self.tls.proxy.kill(Then.RESET)
        self.tls.pass_time(LONG)
        self.assertEqual(self.tls.links, {})
        self.assertEqual(self.tls.timers(), 0)

    def failures(self) -> list[tuple[str, str]]:
        """The handshakes that the journal says have failed."""
        return [(each["side"], each["why"]) for each in self.tls.named("handshake-failed")]
