"""One request to the control server: what it may bring is bounded before it is kept anywhere."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from twisted.internet.interfaces import IDelayedCall, ISSLTransport
from twisted.web.http_headers import Headers
from twisted.web.server import Request

from txvaurien.control.answers import JSON_HEADERS, Refused

#: The largest body that is taken, in bytes.
MAX_BODY = 1 << 20

#: How long a client whose body is refused may take to read why, in seconds.
LINGER = 5.0

_TYPE = b"content-type"


class ControlRequest(Request):
    """A request whose body is bounded.

    The length that is announced decides where there is one, what has come otherwise. Of somebody
    who has not shown the token no body is kept at all. Its channel is of a `ControlSite`.
    """

    content: BytesIO
    _received = 0
    _refused = False
    _known = True
    _types: tuple[bytes, ...] = ()
    _deadline: IDelayedCall | None = None

    def gotLength(self, length: int | None) -> None:
        """The headers are complete; `length` is None for a chunked body."""
        self.content = BytesIO()
        channel: Any = self.channel
        self._known = channel.site.guard.knows(self)
        if length is not None and length > MAX_BODY:
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:
        """A part of the body came. After a refusal the rest is dropped."""
        self._received += len(data)
        if self._refused:
            return
        if self._received > MAX_BODY:
            self._refuse()
        elif self._known:
            self.content.write(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """The request is complete."""
        if self._refused:
            self.channel.loseConnection()
            return
        # Twisted would read a form and keep what it names; here a body is JSON or refused.
        self._types = tuple(self.requestHeaders.getRawHeaders(_TYPE, []))
        self.requestHeaders.removeHeader(_TYPE)
        # It would answer for ``*`` itself, past the guard.
        Request.requestReceived(self, command, b"/*" if path == b"*" else path, version)

    def process(self) -> None:
        """Ask for the answer, with all headers in place."""
        if self._types:
            self.requestHeaders.setRawHeaders(_TYPE, self._types)
        Request.process(self)

    def connectionLost(self, reason: object) -> None:
        """The client is gone."""
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        Request.connectionLost(self, reason)

    def _refuse(self) -> None:
        self._refused = True
        self.content = BytesIO()
        # The client is not to go on, so it must not be told to.
        self.requestHeaders.removeHeader(b"expect")
        channel: Any = self.channel
        if self._known:
            why = f"the body is larger than {MAX_BODY} bytes"
            self._answer(Refused.because(413, "body", "", why), b"Content Too Large")
        else:
            self._answer(channel.site.guard.unknown(self), b"Unauthorized")
        # Closing with input unread would reset the connection, and the reason would be lost.
        end_of_answer(channel.transport)
        self._deadline = channel.callLater(LINGER, channel.transport.abortConnection)

    def _answer(self, refused: Refused, reason: bytes) -> None:
        headers = Headers({name: [value] for name, value in {**JSON_HEADERS, **refused.headers}.items()})
        headers.setRawHeaders(b"content-length", [b"%d" % len(refused.body)])
        headers.setRawHeaders(b"connection", [b"close"])
        self.channel.writeHeaders(b"HTTP/1.1", b"%d" % refused.status, reason, headers)
        self.channel.write(refused.body)


def end_of_answer(transport: Any) -> None:
    """Say that no more comes, and go on reading; TLS knows no half of a connection, and ends."""
    if ISSLTransport.providedBy(transport):
        transport.loseConnection()
    else:
        transport.loseWriteConnection()
