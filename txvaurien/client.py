"""The client for programs on Twisted: the vocabulary of `txvaurien.Client`, awaitable."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
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
    HTTPConnectionPool,
    RequestTransmissionFailed,
    ResponseFailed,
)
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from txvaurien import vocabulary
from txvaurien.vocabulary import DEFAULT_PORT, Call, OptionFields, ShareFields, VaurienError

Answer = TypeVar("Answer")

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
        self, method: str, url: str, *, data: bytes, headers: Headers, allow_redirects: bool
    ) -> Deferred[Any]:
        """As `treq.request`."""


class AsyncClient:
    """Talks to the control server of a proxy; every method is one HTTP request.

    Every method raises `VaurienError`, a ValueError, if the server refuses or does not answer.

    :param timeout: how long to wait for the server, in seconds.
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
        treq: Requester | None = None,
        reactor: Any = None,
    ) -> None:
        if reactor is None:
            # At the top it would install a reactor for whoever imports this module.
            from twisted.internet import reactor
        self.url = vocabulary.base_url(scheme, host, port)
        self._timeout = timeout
        self._reactor = reactor
        self._treq = treq or _requester(reactor, scheme, host.strip("[]"), port)

    async def get_behavior(self) -> str:
        """The name of the current behavior, or the text of the current mix."""
        return await self._carry(vocabulary.get_behavior())

    async def set_behavior(self, name: str, **options: object) -> None:
        """Set one behavior; or, without options, a mix such as ``5:error,10:delay``."""
        await self._carry(vocabulary.set_behavior(name, options))

    async def get_mix(self) -> list[ShareFields]:
        """The current behaviors with all of their options: what `set_mix` takes."""
        return await self._carry(vocabulary.get_mix())

    async def set_mix(self, mix: Sequence[ShareFields]) -> None:
        """Set several behaviors, each with its percentage and its options."""
        await self._carry(vocabulary.set_mix(mix))

    @asynccontextmanager
    async def with_behavior(self, name: str, **options: object) -> AsyncIterator[None]:
        """Set a behavior for the time of an ``async with`` block, then put back what was there.

        What was there comes back with its options, and a mix as a mix; what it counts
        (``warmup``, ``agitate``) begins anew.
        """
        before = await self.get_mix()
        await self.set_behavior(name, **options)
        try:
            yield
        finally:
            await self.set_mix(before)

    async def list_behaviors(self) -> list[str]:
        """The names of the behaviors that can be set, sorted."""
        return await self._carry(vocabulary.list_behaviors())

    async def list_options(self) -> dict[str, list[OptionFields]]:
        """The options of each behavior: name, type, default, help and bounds."""
        return await self._carry(vocabulary.list_options())

    async def get_backend(self) -> str:
        """The address of the backend."""
        return await self._carry(vocabulary.get_backend())

    async def set_backend(self, address: str) -> None:
        """Send the links to come to another backend."""
        await self._carry(vocabulary.set_backend(address))

    async def _carry(self, call: Call[Answer]) -> Answer:
        exchange = Deferred.fromCoroutine(self._request(call.method, call.path, call.body))
        try:
            status, body = await exchange.addTimeout(self._timeout, self._reactor, _timed_out)
        except _NO_ANSWER as error:
            raise vocabulary.unreachable(self.url, _words(error)) from error
        return call.answer(status, body, self.url)

    async def _request(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        headers = Headers({"Content-Type": ["application/json"]} if body else {})
        response = await self._treq.request(
            method, self.url + path, data=body, headers=headers, allow_redirects=False
        )
        return response.code, await response.content()


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
        self, method: str, url: str, *, data: bytes, headers: Headers, allow_redirects: bool
    ) -> Deferred[Any]:
        """Ask for the same path of localhost, under which the server knows itself as well."""
        local = urlsplit(url)._replace(netloc="localhost").geturl()
        return self._treq.request(method, local, data=data, headers=headers, allow_redirects=allow_redirects)


def _requester(reactor: Any, scheme: str, host: str, port: int) -> Requester:
    if not isIPv6Address(host):
        return HTTPClient(Agent(reactor, pool=_pool(reactor)))
    if scheme == "https":
        raise VaurienError(f"https to the numeric address {host} is not possible; give the server's name")
    return Ipv6Requester(reactor, host, port)


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
