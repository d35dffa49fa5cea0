"""http: HTTP/1.0 and HTTP/1.1 (RFC 9110, RFC 9112)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

from msgspec import Meta

from txvaurien.model import ErrorKind
from txvaurien.options import DAY, SECONDS
from txvaurien.protocols.base import WireProtocol
from txvaurien.protocols.http.refusals import KINDS
from txvaurien.protocols.http.session import HttpSession
from txvaurien.proxy import ProxyFactory, ProxyProtocol


class Http(WireProtocol, frozen=True, kw_only=True):
    """HTTP/1: requests and responses, pipelined, chunked, upgraded."""

    name: ClassVar[str] = "http"
    error_kinds: ClassVar[Sequence[ErrorKind]] = KINDS
    too_many_kind: ClassVar[str] = "503"
    unreachable_kind: ClassVar[str] = "502"
    silent_kind: ClassVar[str] = "504"
    alpn: ClassVar[Sequence[bytes]] = (b"http/1.1",)

    overwrite_host_header: Annotated[
        bool, Meta(description="make Host, and the host of a whole URL, the backend's host and port")
    ] = False
    keep_alive: Annotated[
        bool, Meta(description="false: close the connection after each response, as a server would")
    ] = True
    gateway_timeout: Annotated[
        float,
        SECONDS,
        Meta(ge=0, le=DAY, description="seconds after which a silent backend becomes a 504; 0 for never"),
    ] = 0.0
    retry_after: Annotated[
        int, SECONDS, Meta(ge=0, le=int(DAY), description="seconds that 429 and 503 ask the client to wait")
    ] = 1

    @property
    def answer_timeout(self) -> float:
        """See `WireProtocol.answer_timeout`."""
        return self.gateway_timeout

    def session(self) -> HttpSession:
        return HttpSession(self)


class HttpProtocol(ProxyProtocol):
    """The client's end of a link that frames HTTP."""


class HttpFactory(ProxyFactory):
    """Serves HTTP clients on any endpoint: ``endpoint.listen(HttpFactory("localhost:80"))``."""

    protocol = HttpProtocol
    wire: ClassVar[WireProtocol] = Http()
