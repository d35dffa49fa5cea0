"""The blocking client, for tests and scripts: needs nothing but the standard library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, TypeVar

from txvaurien.clients import proxycalls, vocabulary
from txvaurien.clients.blockingproxy import ProxyCommands, Removable
from txvaurien.clients.eventstream import SILENCE, Events, events_path, open_stream, pages
from txvaurien.clients.vocabulary import DEFAULT_PORT, Call, Fields, OptionFields, VaurienError

if TYPE_CHECKING:
    from ssl import SSLContext

Answer = TypeVar("Answer")


class Client(ProxyCommands):
    """Talks to the control server of a proxy; every method is one HTTP request.

    Every method raises `VaurienError`, a ValueError, if the server refuses or does not answer.

    :param port: the control port; `http_port` is the same, as `start_proxy` calls it.
    :param timeout: how long to wait for the server, in seconds.
    :param token: what the server wants to be shown; by default what ``VAURIEN_TOKEN`` says.
    :param ca: a PEM file with the certificates to trust with ``https``, by default those of the system.
    """

    def __init__(
        self,
        host: str = "localhost",
        port: int = DEFAULT_PORT,
        scheme: str = "http",
        *,
        http_port: int | None = None,
        timeout: float = 30.0,
        token: str | None = None,
        ca: str | None = None,
    ) -> None:
        port = port if http_port is None else http_port
        self.url = vocabulary.base_url(scheme, host, port)
        self._host = host
        self._port = port
        self._scheme = scheme
        self._timeout = timeout
        self._token = vocabulary.token_of(token)
        self._context = _trusting(ca) if scheme == "https" else None

    def proxies(self) -> list[Fields]:
        """All proxies, by name: where each listens and connects to, and what is set."""
        return self._carry(proxycalls.list_proxies())

    def proxy(self, name: str) -> ProxyHandle:
        """What concerns one proxy of several: ``client.proxy("redis").set_behavior("hang")``."""
        return ProxyHandle(self, name)

    def create(self, name: str, backend: str, listen: str = "localhost:0", **fields: object) -> ProxyHandle:
        """One more proxy: ``create("cache", "localhost:6379", protocol="redis")``; it listens on return.

        :param fields: ``protocol``, ``options`` (of the protocol), ``enabled``, ``toxics``, ``plan``,
            ``seed``, ``tls`` (``"auto"``), ``backend_tls_verify``, ``accept_proxy``, ``send_proxy``, and
            limits such as ``timeout``.
        """
        made = self._carry(proxycalls.create_proxy(name, backend, listen, fields))
        return ProxyHandle(self, str(made["name"]), str(made["listen"]))

    def populate(self, proxies: Sequence[Mapping[str, object]]) -> list[Fields]:
        """Several proxies at once, as Toxiproxy does: those that are just so stay, others are replaced."""
        return self._carry(proxycalls.populate(proxies))

    def list_protocols(self) -> dict[str, Fields]:
        """The protocols: their options, and the kinds of errors that they can say."""
        return self._carry(proxycalls.list_protocols())

    def list_toxic_types(self) -> dict[str, Fields]:
        """The types of toxics, with their attributes."""
        return self._carry(proxycalls.list_toxic_types())

    def health(self) -> Fields:
        """Whether the server is well, its version, and how many proxies it has."""
        return self._carry(proxycalls.get_health())

    def version(self) -> Fields:
        """The server's version (``txvaurien``), and that of Toxiproxy whose API it has (``version``)."""
        return self._carry(proxycalls.get_version())

    def metrics(self) -> str:
        """The metrics of all proxies, as a text for Prometheus."""
        return self._carry(proxycalls.get_metrics())

    def ca(self) -> str:
        """The certificate that clients of proxies with `tls="auto"` have to trust, in PEM."""
        return self._carry(vocabulary.get_ca())

    def openapi(self) -> Fields:
        """The HTTP API as an OpenAPI 3.1 document."""
        return self._carry(proxycalls.get_openapi())

    def list_behaviors(self) -> list[str]:
        """The names of the behaviors that can be set, sorted."""
        return self._carry(vocabulary.list_behaviors())

    def list_options(self) -> dict[str, list[OptionFields]]:
        """The options of each behavior: name, type, default, help and bounds."""
        return self._carry(vocabulary.list_options())

    def list_attributes(self) -> dict[str, list[OptionFields]]:
        """The attributes of each type of toxic: name, type, default, help and bounds."""
        return self._carry(vocabulary.list_attributes())

    def journal(self, since: int = 0, **filters: object) -> list[Fields]:
        """The records after number `since`, the oldest first.

        :param filters: ``event``, ``link``, ``proxy``, and ``last`` or ``limit``:
            how many at most, from the end or from the beginning.
        """
        return self._carry(vocabulary.get_journal(since, filters))

    def events(self, since: int = 0, *, follow: bool = False, **filters: object) -> Events:
        """The records after number `since`, one by one; with `follow` the stream of those that come, too.

        What left the server's memory before it was told is one with ``event`` ``lost``, ``from`` and
        ``to``. A stream ends when the server stops; close it if it is left before.

        :param filters: ``event``, ``link``, ``proxy``, and ``last``: begin with the last few.
        """
        if not follow:
            return Events(pages(self._carry, since, filters), lambda: None)
        headers = vocabulary.headers_of(b"", self._token)
        connection = self._connection(max(self._timeout, SILENCE))
        try:
            return open_stream(connection, events_path(since, filters), headers, self.url)
        except (OSError, HTTPException, UnicodeError) as error:
            raise vocabulary.unreachable(self.url, _words(error)) from error

    def _carry(self, call: Call[Answer]) -> Answer:
        try:
            status, body = self._request(call.method, call.path, call.body, self._timeout + call.patience)
        except (OSError, HTTPException, UnicodeError) as error:
            # UnicodeError: the host cannot be a name.
            raise vocabulary.unreachable(self.url, _words(error)) from error
        return call.answer(status, body, self.url)

    def _connection(self, timeout: float) -> HTTPConnection:
        if self._context is None:
            return HTTPConnection(self._host, self._port, timeout=timeout)
        return HTTPSConnection(self._host, self._port, timeout=timeout, context=self._context)

    def _request(self, method: str, path: str, body: bytes, timeout: float) -> tuple[int, bytes]:
        headers = vocabulary.headers_of(body, self._token)
        connection = self._connection(timeout)
        try:
            connection.request(method, path, body or None, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


def _trusting(ca: str | None) -> SSLContext:
    # It takes a while to import.
    import ssl

    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise VaurienError(f"{ca!r} has no certificates to trust ({_words(error)})") from error


class ProxyHandle(ProxyCommands, Removable):
    """One of the proxies of a server, by its name.

    With `with` it is removed at the end of the block.

    :ivar name: what it is called.
    :ivar listen: where it listened when this was made; empty if nobody had asked.
    """

    def __init__(self, client: Client, name: str, listen: str = "") -> None:
        self.name = name
        self.listen = listen
        self._client = client

    @property
    def port(self) -> int:
        """The port in `listen`, 0 where there is none."""
        tail = self.listen.rpartition(":")[2]
        return int(tail) if tail.isdecimal() else 0

    def describe(self) -> Fields:
        """Where it listens and connects to, whether it is enabled, its toxics, its plan and more."""
        return self._client._carry(proxycalls.get_proxy(self.name))

    def change(self, **fields: object) -> None:
        """Change ``listen``, ``backend`` or ``enabled``; where an address changes, its links are cut."""
        said = self._client._carry(proxycalls.change_proxy(self.name, fields))
        self.listen = str(said["listen"])

    def enable(self) -> None:
        """Let clients connect."""
        self.change(enabled=True)

    def disable(self) -> None:
        """Refuse clients and cut all links; the port stays the proxy's."""
        self.change(enabled=False)

    def remove(self) -> None:
        """Remove it, with its port and its links."""
        self._client._carry(proxycalls.remove_proxy(self.name))

    def journal(self, since: int = 0, **filters: object) -> list[Fields]:
        """The records of this proxy after number `since`; see `Client.journal`."""
        return self._client.journal(since, **filters, proxy=self.name)

    def events(self, since: int = 0, *, follow: bool = False, **filters: object) -> Events:
        """The records of this proxy, one by one; see `Client.events`."""
        return self._client.events(since, follow=follow, **filters, proxy=self.name)

    def _carry(self, call: Call[Answer]) -> Answer:
        return self._client._carry(proxycalls.below(self.name, call))


def _words(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__).lower()
