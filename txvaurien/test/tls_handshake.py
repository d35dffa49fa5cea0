"""TLS handshakes in memory: a context of the proxy's on one side, Python's own client on the other."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Sequence

from cryptography import x509
from OpenSSL import SSL


def trusting(
    *authorities: bytes, alpn: Sequence[str] = (), version: ssl.TLSVersion | None = None
) -> ssl.SSLContext:
    """What a strict client needs that trusts these authorities (PEM) and nobody else.

    :param version: the only version of TLS that it speaks, if any.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    for authority in authorities:
        context.load_verify_locations(cadata=authority.decode())
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


class Handshake:
    """One handshake, from `run` on.

    :param session: what the client would like to resume.
    """

    def __init__(
        self,
        server: SSL.Context,
        client: ssl.SSLContext,
        name: str = "app.example",
        session: ssl.SSLSession | None = None,
    ) -> None:
        self._to_client = ssl.MemoryBIO()
        self._to_server = ssl.MemoryBIO()
        self.client = client.wrap_bio(self._to_client, self._to_server, server_hostname=name, session=session)
        self.server = SSL.Connection(server, None)
        self.server.set_accept_state()

    def run(self) -> Handshake:
        """Both to the end, and the tickets after it.

        :raises ssl.SSLError: what the client says against the server.
        """
        while not self._client_done():
            self._serve()
        self._serve()
        self.server.send(b"hello")
        self._carry()
        assert self.client.read(5) == b"hello"
        return self

    @property
    def shown(self) -> x509.Certificate:
        """The server's certificate."""
        der = self.client.getpeercert(binary_form=True)
        assert der is not None
        return x509.load_der_x509_certificate(der)

    def _client_done(self) -> bool:
        try:
            self.client.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def _serve(self) -> None:
        waiting = self._to_server.read()
        if waiting:
            self.server.bio_write(waiting)
        with contextlib.suppress(SSL.WantReadError):
            self.server.do_handshake()
        self._carry()

    def _carry(self) -> None:
        try:
            while True:
                self._to_client.write(self.server.bio_read(65536))
        except SSL.WantReadError:
            return


def verify_code(server: SSL.Context, client: ssl.SSLContext, name: str = "app.example") -> int:
    """OpenSSL's number of what the client says against the server's certificate; 0 for nothing."""
    try:
        Handshake(server, client, name).run()
    except ssl.SSLCertVerificationError as error:
        return error.verify_code
    return 0
