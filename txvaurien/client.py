"""The client for programs on Twisted: the vocabulary of `txvaurien.Client`, awaitable."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

from treq.client import HTTPClient
from twisted.internet.abstract import isIPv6Address
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.endpoints import TCP6ClientEndpoint
from twisted.internet.error import ConnectError, ConnectionLost, DNSLookupError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.python.failure import Failure
from twisted.web.client import (
    URI,
    Agent,
    BrowserLikePolicyForHTTPS,
    HTTPConnectionPool,
    RequestTransmissionFailed,
    ResponseFailed,
)
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from txvaurien.clients import proxycalls, vocabulary
from txvaurien.clients.clientproxy import AsyncProxyCommands, AsyncRemovable
from txvaurien.clients.eventstream import STREAM_HEADERS, events_path, is_stream, refuse
from txvaurien.clients.following import AsyncEvents, AsyncPages, AsyncStream
from txvaurien.clients.vocabulary import DEFAULT_PORT, Call, Fields, OptionFields, VaurienError

Answer = TypeVar("Answer")

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)

_NO_ANSWER = (
    ConnectError,
    ConnectionLost,
    DNSLookupError,
    RequestTransmissionFailed,
    ResponseFailed,
    TimeoutError,
    # The host cannot be a name.
    UnicodeError,
)


class Requester(Protocol):
    """What is needed of treq: its module, an `HTTPClient` or `treq.testing.StubTreq`."""

    def request(
        self,
        method: str,
        url: str,
        *,
        data: bytes,
        headers: Headers,
        allow_redirects: bool,
        unbuffered: bool = False,
    ) -> Deferred[Any]:
        """As `treq.request`."""


class AsyncClient(AsyncProxyCommands):
    """Talks to the control server of a proxy; every method is one HTTP request.

    Every method raises `VaurienError`, a ValueError, if the server refuses or does not answer.

    :param timeout: how long to wait for the server, in seconds.
    :param token: what the server wants to be shown; by default what ``VAURIEN_TOKEN`` says.
    :param ca: a PEM file with the certificates to trust with ``https``, by default those of the system.
    :param treq: what makes the requests; by default a client that keeps no connections.
    :param reactor: the reactor to use, by default the global one.
    """

    def __init__(
        self,
        host: str = "localhost",
        port: int = DEFAULT_PORT,
        scheme: str = "http",
        *,
        timeout: float = 30.0,
        token: str | None = None,
        ca: str | None = None,
        treq: Requester | None = None,
        reactor: Any = None,
    ) -> None:
        if reactor is None:
            # At the top it would install a reactor for whoever imports this module.
            from twisted.internet import reactor
        self.url = vocabulary.base_url(scheme, host, port)
        self._timeout = timeout
        self._reactor = reactor
        self._token = vocabulary.token_of(token)
        self._treq = treq or _requester(reactor, scheme, host.strip("[]"), port, ca)

    async def proxies(self) -> list[Fields]:
        """All proxies, by name: where each listens and connects to, and what is set."""
        return await self._carry(proxycalls.list_proxies())

    def proxy(self, name: str) -> AsyncProxyHandle:
        """What concerns one proxy of several: ``client.proxy("redis").set_behavior("hang")``."""
        return AsyncProxyHandle(self, name)

    async def create(
        self, name: str, backend: str, listen: str = "localhost:0", **fields: object
    ) -> AsyncProxyHandle:
        """One more proxy: ``create("cache", "localhost:6379", protocol="redis")``; it listens on return.

        :param fields: ``protocol``, ``options`` (of the protocol), ``enabled``, ``toxics``, ``plan``,
            ``seed``, ``tls`` (``"auto"``), ``backend_tls_verify``, ``accept_proxy``, ``send_proxy``, and
            limits such as ``timeout``.
        """
        made = await self._carry(proxycalls.create_proxy(name, backend, listen, fields))
        return AsyncProxyHandle(self, str(made["name"]), str(made["listen"]))

    async def populate(self, proxies: Sequence[Mapping[str, object]]) -> list[Fields]:
        """Several proxies at once, as Toxiproxy does: those that are just so stay, others are replaced."""
        return await self._carry(proxycalls.populate(proxies))

    async def list_protocols(self) -> dict[str, Fields]:
        """The protocols: their options, and the kinds of errors that they can say."""
        return await self._carry(proxycalls.list_protocols())

    async def list_toxic_types(self) -> dict[str, Fields]:
        """The types of toxics, with their attributes."""
        return await self._carry(proxycalls.list_toxic_types())

    async def health(self) -> Fields:
        """Whether the server is well, its version, and how many proxies it has."""
        return await self._carry(proxycalls.get_health())

    async def version(self) -> Fields:
        """The server's version (``txvaurien``), and that of Toxiproxy whose API it has (``version``)."""
        return await self._carry(proxycalls.get_version())

    async def metrics(self) -> str:
        """The metrics of all proxies, as a text for Prometheus."""
        return await self._carry(proxycalls.get_metrics())

    async def ca(self) -> str:
        """The certificate that clients of proxies with `tls="auto"` have to trust, in PEM."""
        return await self._carry(vocabulary.get_ca())

    async def openapi(self) -> Fields:
        """The HTTP API as an OpenAPI 3.1 document."""
        return await self._carry(proxycalls.get_openapi())

    async def list_behaviors(self) -> list[str]:
        """The names of the behaviors that can be set, sorted."""
        return await self._carry(vocabulary.list_behaviors())

    async def list_options(self) -> dict[str, list[OptionFields]]:
        """The options of each behavior: name, type, default, help and bounds."""
        return await self._carry(vocabulary.list_options())

    async def list_attributes(self) -> dict[str, list[OptionFields]]:
        """The attributes of each type of toxic: name, type, default, help and bounds."""
        return await self._carry(vocabulary.list_attributes())

    async def journal(self, since: int = 0, **filters: object) -> list[Fields]:
        """The records after number `since`, the oldest first.

        :param filters: ``event``, ``link``, ``proxy``, and ``last`` or ``limit``:
            how many at most, from the end or from the beginning.
        """
        return await self._carry(vocabulary.get_journal(since, filters))

    async def events(self, since: int = 0, *, follow: bool = False, **filters: object) -> AsyncEvents:
        """The records after number `since`, one by one; with `follow` the stream of those that come, too.

        What left the server's memory before it was told is one with ``event`` ``lost``, ``from`` and
        ``to``. A stream ends when the server stops; close it if it is left before.

        :param filters: ``event``, ``link``, ``proxy``, and ``last``: begin with the last few.
        """
        if follow:
            return await self._follow(events_path(since, filters))
        pages = AsyncPages(self._carry, since, filters)
        await pages.begin()
        return pages

    async def _follow(self, path: str) -> AsyncEvents:
        stream = AsyncStream(self.url, self._reactor)
        opening = Deferred.fromCoroutine(self._open(path, stream))
        try:
            refused = await opening.addTimeout(self._timeout, self._reactor, _timed_out)
        except _NO_ANSWER as error:
            raise vocabulary.unreachable(self.url, _words(error)) from error
        if refused is not None:
            refuse(path, *refused, self.url)
        return stream

    async def _open(self, path: str, stream: AsyncStream) -> tuple[int, bytes] | None:
        """Deliver what is answered to the stream; give it back, if it is a refusal."""
        said = {**vocabulary.headers_of(b"", self._token), **STREAM_HEADERS}
        headers = Headers({name: [value] for name, value in said.items()})
        # A buffer would keep all that ever came.
        response = await self._treq.request(
            "GET", self.url + path, data=b"", headers=headers, allow_redirects=False, unbuffered=True
        )
        (kind,) = response.headers.getRawHeaders("content-type", [""])[:1]
        if not is_stream(response.code, kind):
            return response.code, await response.content()
        response.deliverBody(stream)
        return None

    async def _carry(self, call: Call[Answer]) -> Answer:
        exchange = Deferred.fromCoroutine(self._request(call.method, call.path, call.body))
        try:
            status, body = await exchange.addTimeout(self._timeout + call.patience, self._reactor, _timed_out)
        except _NO_ANSWER as error:
            raise vocabulary.unreachable(self.url, _words(error)) from error
        return call.answer(status, body, self.url)

    async def _request(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        said = vocabulary.headers_of(body, self._token)
        headers = Headers({name: [value] for name, value in said.items()})
        response = await self._treq.request(
            method, self.url + path, data=body, headers=headers, allow_redirects=False
        )
        return response.code, await response.content()


class AsyncProxyHandle(AsyncProxyCommands, AsyncRemovable):
    """One of the proxies of a server, by its name.

    With `async with` it is removed at the end of the block.

    :ivar name: what it is called.
    :ivar listen: where it listened when this was made; empty if nobody had asked.
    """

    def __init__(self, client: AsyncClient, name: str, listen: str = "") -> None:
        self.name = name
        self.listen = listen
        self._client = client

    @property
    def port(self) -> int:
        """The port in `listen`, 0 where there is none."""
        tail = self.listen.rpartition(":")[2]
        return int(tail) if tail.isdecimal() else 0

    async def describe(self) -> Fields:
        """Where it listens and connects to, whether it is enabled, its toxics, its plan and more."""
        return await self._client._carry(proxycalls.get_proxy(self.name))

    async def change(self, **fields: object) -> None:
        """Change ``listen``, ``backend`` or ``enabled``; where an address changes, its links are cut."""
        said = await self._client._carry(proxycalls.change_proxy(self.name, fields))
        self.listen = str(said["listen"])

    async def enable(self) -> None:
        """Let clients connect."""
        await self.change(enabled=True)

    async def disable(self) -> None:
        """Refuse clients and cut all links; the port stays the proxy's."""
        await self.change(enabled=False)

    async def remove(self) -> None:
        """Remove it, with its port and its links."""
        await self._client._carry(proxycalls.remove_proxy(self.name))

    async def journal(self, since: int = 0, **filters: object) -> list[Fields]:
        """The records of this proxy after number `since`; see `AsyncClient.journal`."""
        return await self._client.journal(since, **filters, proxy=self.name)

    async def events(self, since: int = 0, *, follow: bool = False, **filters: object) -> AsyncEvents:
        """The records of this proxy, one by one; see `AsyncClient.events`."""
        return await self._client.events(since, follow=follow, **filters, proxy=self.name)

    async def _carry(self, call: Call[Answer]) -> Answer:
        return await self._client._carry(proxycalls.below(self.name, call))


@implementer(IAgentEndpointFactory)
class Ipv6Requester:
    """Makes requests to one numeric IPv6 address, which the URLs of treq cannot carry (hyperlink's IDNA)."""

    def __init__(self, reactor: Any, host: str, port: int) -> None:
        self._endpoint = TCP6ClientEndpoint(reactor, host, port)
        self._treq = HTTPClient(Agent.usingEndpointFactory(reactor, self, _pool(reactor)))

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """The same for every URL."""
        return self._endpoint

    def request(
        self,
        method: str,
        url: str,
        *,
        data: bytes,
        headers: Headers,
        allow_redirects: bool,
        unbuffered: bool = False,
    ) -> Deferred[Any]:
        """Ask for the same path of localhost, under which the server knows itself as well."""
        local = urlsplit(url)._replace(netloc="localhost").geturl()
        return self._treq.request(
            method,
            local,
            data=data,
            headers=headers,
            allow_redirects=allow_redirects,
            unbuffered=unbuffered,
        )


def _requester(reactor: Any, scheme: str, host: str, port: int, ca: str | None) -> Requester:
    if not isIPv6Address(host):
        policy = BrowserLikePolicyForHTTPS(None if ca is None else _trust_in(ca))
        return HTTPClient(Agent(reactor, policy, pool=_pool(reactor)))
    if scheme == "https":
        raise VaurienError(f"https to the numeric address {host} is not possible; give the server's name")
    return Ipv6Requester(reactor, host, port)


def _trust_in(ca: str) -> Any:
    """The certificates of a PEM file."""
    from OpenSSL.crypto import Error
    from twisted.internet.ssl import Certificate, trustRootFromCertificates

    try:
        with open(ca, encoding="ascii") as stream:
            found = _PEM.findall(stream.read())
        return trustRootFromCertificates([Certificate.loadPEM(each) for each in found or [""]])
    except (OSError, ValueError, Error) as error:
        raise VaurienError(f"{ca!r} has no certificates to trust ({_words(error)})") from error


def _pool(reactor: Any) -> HTTPConnectionPool:
    # A connection that is kept would be found by trial as left behind.
    return HTTPConnectionPool(reactor, persistent=False)


def _timed_out(result: object, seconds: float) -> Failure:
    # What the cancelled request ends with depends on how far it had come; the cause does not.
    del result
    return Failure(TimeoutError(f"no answer in {seconds:g} seconds"))


def _words(error: Exception) -> str:
    reasons: list[Failure] = getattr(error, "reasons", [])
    return (reasons[0].getErrorMessage() if reasons else str(error)).rstrip(".")
