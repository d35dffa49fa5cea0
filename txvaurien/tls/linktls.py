"""How the links of one proxy speak TLS: with clients, with the backend, from the first byte or later."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Protocol

from OpenSSL import SSL

from txvaurien.errors import NotLegal
from txvaurien.links.lane import End
from txvaurien.model import Direction, Side
from txvaurien.net.addresses import Backend
from txvaurien.net.ends import AUTO, Ends
from txvaurien.net.pipe import Pipe
from txvaurien.net.pipeowner import Intake, PipeOwner
from txvaurien.tls.authority import Fixed, Issuer
from txvaurien.tls.backend import BackendContext
from txvaurien.tls.certificates import Credentials, Spoil
from txvaurien.tls.engine import Engine, TlsError
from txvaurien.tls.handshake import RESET, STALLED, Agreed, NotTls, Silent
from txvaurien.tls.keeper import AuthorityKeeper
from txvaurien.tls.pipe import TlsPipe

if TYPE_CHECKING:
    from txvaurien.link import Link
    from txvaurien.protocols.base import WireProtocol

#: Faults that are in the certificate; the others are in what becomes of the handshake.
_SPOILS = {spoil.value: spoil for spoil in Spoil}

#: What to do about a client that speaks no TLS.
PLAIN_CLIENT = (
    "a client speaks no TLS, and this listener does, so that nothing of it is understood;"
    " have it use TLS, or leave --tls (or ssl:) out"
)

#: What to do about a client that says nothing at all.
SILENT_CLIENT = (
    "a client has said nothing where TLS was to begin: it may wait for the server to speak first. Have it"
    " begin with TLS, leave --tls out, or have the protocol terminate the TLS that it begins (mysql, smtp)"
)

#: Makes a connection for whoever wants to know what becomes of it, and for what takes its bytes in.
MakePipe = Callable[[PipeOwner, Intake], Pipe]


class Contexts(Protocol):
    """Certificates to show to clients."""

    def context_for(self, name: str | None, spoil: Spoil = Spoil.NONE) -> SSL.Context:
        """:raises NotLegal: there can be none that is wrong in this way."""


class LinkTls:
    """TLS at the ends of one proxy's links.

    :param places: where a user has named the files, by the name of the flag.
    :raises ConfigError: a file will not do.
    :ivar with_clients: clients speak TLS, from the first byte on or later.
    :ivar with_backend: the backend speaks TLS, from the first byte on or later.
    :ivar first: clients speak TLS from the first byte on.
    :ivar later: the protocol says where both sides begin to.
    """

    def __init__(
        self,
        protocol: WireProtocol,
        ends: Ends,
        backend: Backend,
        keeper: AuthorityKeeper,
        places: Mapping[str, str],
    ) -> None:
        self.later = protocol.begins_tls
        self.first = ends.tls is not None and not self.later
        self.with_clients = self.first or self.later
        self._alpn = protocol.alpn
        self._clients: Contexts | None = None
        if self.with_clients:
            self._clients = self._contexts(ends, backend, keeper, places)
        self._begin_with: dict[Spoil, SSL.Context] = {}
        self.with_backend = self.later or backend.tls is not None
        self._backend: BackendContext | None = None
        if self.with_backend:
            self._backend = BackendContext(backend, ends, protocol.alpn, places)

    def _contexts(
        self, ends: Ends, backend: Backend, keeper: AuthorityKeeper, places: Mapping[str, str]
    ) -> Contexts:
        if ends.tls not in (None, AUTO):
            place = places.get("tls", "--tls")
            credentials = Credentials.read_pair(ends.tls, ends.tls_key or ends.tls, place)
            return Fixed(credentials, self._alpn)
        names = ["localhost", "127.0.0.1", "::1", socket.gethostname()]
        return Issuer(keeper.authority, [*names, *filter(None, [backend.named_host])], self._alpn)

    # The links.

    def greet(self, link: Link, then: Callable[[Link], None] | None) -> None:
        """Agree on TLS with the client, where it speaks that from the first byte on.

        :param then: called when that is done, or nothing is to be done; None if the link is to end anyway.
        """
        pipe = link.client
        if not self.first or not isinstance(pipe, TlsPipe):
            if then is not None:
                then(link)
            return
        self._with_client(link, pipe, then)

    def go_over(self, link: Link, from_client: bytes, from_backend: bytes) -> None:
        """Go over to TLS on both sides.

        :param from_client: what the client has said in TLS already.
        """
        client, backend = link.client, link.backend
        assert isinstance(client, TlsPipe)
        assert isinstance(backend, TlsPipe)
        left = link.chains.held
        backend.secure(
            self.client(),
            partial(self._agreed_with_backend, link),
            link.proxy.timeout,
            early=from_backend,
            plain_left=left(Direction.TO_BACKEND),
        )
        if not link.over:
            self._with_client(link, client, None, from_client, left(Direction.TO_CLIENT))

    def _with_client(
        self,
        link: Link,
        pipe: TlsPipe,
        then: Callable[[Link], None] | None,
        early: bytes = b"",
        plain_left: int = 0,
    ) -> None:
        fault, rule = link.spoiled or ("", None)
        if rule is not None and rule.over:
            fault = ""
        elif fault == STALLED and rule is not None:
            rule.stalled.add(pipe)
        pipe.secure(
            self.server(fault),
            partial(self._agreed_with_client, link, then, fault),
            link.proxy.timeout,
            early=early,
            plain_left=plain_left,
            fault=fault,
            lenient=self.first,
        )

    def _agreed_with_client(
        self, link: Link, then: Callable[[Link], None] | None, fault: str, error: TlsError | None
    ) -> None:
        if isinstance(error, NotTls):
            link.switchover.lose_track(link.to_backend, "the client speaks no TLS, and this listener does")
            link.proxy.advise(PLAIN_CLIENT)
        elif error is not None:
            if isinstance(error, Silent) and not self.later:
                link.proxy.advise(SILENT_CLIENT)
            self._failed(link, Side.CLIENT, error, End.RST if fault == RESET else End.FIN)
        if then is not None and not (link.over or link.half_open):
            then(link)

    def _agreed_with_backend(self, link: Link, error: TlsError | None) -> None:
        if error is not None:
            self._failed(link, Side.BACKEND, error, End.FIN)

    def _failed(self, link: Link, side: Side, error: TlsError, end: End) -> None:
        self._tell(link, side, error)
        link.hang_up(end)

    def _tell(self, link: Link, side: Side, error: TlsError) -> None:
        if side is Side.BACKEND:
            link.proxy.advise(f"no TLS with the backend: {error}{error.advice}")
        link.proxy.event("handshake-failed", link, side=side.value, why=str(error))
        link.why = link.why or f"no TLS with the {side.value}"

    def _broken(self, link: Link, side: Side, error: TlsError, heard: bool) -> None:
        """TLS cannot go on, and the link will end."""
        if not heard:
            # With TLS 1.3 a server says after the handshake that it does not take the client's certificate.
            self._tell(link, side, error)
        link.why = link.why or f"TLS with the {side.value}: {error}"

    # Pipes.

    def wrap(self, side: Side, link: Link, make: MakePipe) -> Pipe:
        """A connection at one end of a link, that speaks TLS or can begin to."""
        client = side is Side.CLIENT
        if not (self.later or (self.first if client else self.with_backend)):
            return make(link, link.traffic)
        lane = link.to_backend if client else link.to_client
        pipe = TlsPipe(link.clock, link, link.traffic, lane, partial(self._broken, link, side))
        pipe.over(make(pipe, pipe), waits=not self.later)
        return pipe

    def shake(self, pipe: Pipe, agreed: Agreed, timeout: float) -> None:
        """Agree on TLS with the backend, from the first byte on.

        :param pipe: one that `wrap` has made.
        """
        assert isinstance(pipe, TlsPipe)
        pipe.secure(self.client(), agreed, timeout)

    def check_fault(self, fault: str) -> None:
        """Nothing, if the handshake with a client can fail in this way.

        :raises NotLegal: it cannot.
        """
        if self._clients is None:
            raise NotLegal("no TLS is spoken with clients here; use --tls auto")
        self._clients.context_for(None, _SPOILS.get(fault, Spoil.NONE))

    # The two sides.

    def server(self, fault: str = "") -> Engine:
        """Our side of TLS with a client."""
        spoil = _SPOILS.get(fault, Spoil.NONE)
        if spoil not in self._begin_with:
            assert self._clients is not None
            context = self._clients.context_for(None, spoil)
            context.set_tlsext_servername_callback(self._named)
            self._begin_with[spoil] = context
        connection = SSL.Connection(self._begin_with[spoil], None)
        connection.set_app_data(spoil)
        connection.set_accept_state()
        return Engine(connection)

    def _named(self, connection: SSL.Connection) -> None:
        """The client has said (SNI, RFC 6066, section 3) whom it wants to speak with."""
        name = connection.get_servername()
        if name is not None and self._clients is not None:
            spoil = connection.get_app_data()
            connection.set_context(self._clients.context_for(name.decode("ascii", "replace"), spoil))

    def client(self) -> Engine:
        """Our side of TLS with the backend."""
        assert self._backend is not None
        return self._backend.engine()
