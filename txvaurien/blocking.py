"""The blocking client, for tests and scripts: needs nothing but the standard library."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TypeVar

from txvaurien import vocabulary
from txvaurien.vocabulary import DEFAULT_PORT, Call, OptionFields, ShareFields

Answer = TypeVar("Answer")


class Client:
    """Talks to the control server of a proxy; every method is one HTTP request.

    Every method raises `VaurienError`, a ValueError, if the server refuses or does not answer.

    :param port: the control port; `http_port` is the same, as `start_proxy` calls it.
    :param timeout: how long to wait for the server, in seconds.
    """

    def __init__(
        self,
        host: str = "localhost",
        port: int = DEFAULT_PORT,
        scheme: str = "http",
        *,
        http_port: int | None = None,
        timeout: float = 30.0,
    ) -> None:
        port = port if http_port is None else http_port
        self.url = vocabulary.base_url(scheme, host, port)
        self._host = host
        self._port = port
        self._scheme = scheme
        self._timeout = timeout

    def get_behavior(self) -> str:
        """The name of the current behavior, or the text of the current mix."""
        return self._carry(vocabulary.get_behavior())

    def set_behavior(self, name: str, **options: object) -> None:
        """Set one behavior; or, without options, a mix such as ``5:error,10:delay``."""
        self._carry(vocabulary.set_behavior(name, options))

    def get_mix(self) -> list[ShareFields]:
        """The current behaviors with all of their options: what `set_mix` takes."""
        return self._carry(vocabulary.get_mix())

    def set_mix(self, mix: Sequence[ShareFields]) -> None:
        """Set several behaviors, each with its percentage and its options."""
        self._carry(vocabulary.set_mix(mix))

    @contextmanager
    def with_behavior(self, name: str, **options: object) -> Iterator[None]:
        """Set a behavior for the time of a ``with`` block, then put back what was there.

        What was there comes back with its options, and a mix as a mix; what it counts
        (``warmup``, ``agitate``) begins anew.
        """
        before = self.get_mix()
        self.set_behavior(name, **options)
        try:
            yield
        finally:
            self.set_mix(before)

    def list_behaviors(self) -> list[str]:
        """The names of the behaviors that can be set, sorted."""
        return self._carry(vocabulary.list_behaviors())

    def list_options(self) -> dict[str, list[OptionFields]]:
        """The options of each behavior: name, type, default, help and bounds."""
        return self._carry(vocabulary.list_options())

    def get_backend(self) -> str:
        """The address of the backend."""
        return self._carry(vocabulary.get_backend())

    def set_backend(self, address: str) -> None:
        """Send the links to come to another backend."""
        self._carry(vocabulary.set_backend(address))

    def _carry(self, call: Call[Answer]) -> Answer:
        try:
            status, body = self._request(call.method, call.path, call.body)
        except (OSError, HTTPException, UnicodeError) as error:
            # UnicodeError: the host cannot be a name.
            raise vocabulary.unreachable(self.url, _words(error)) from error
        return call.answer(status, body, self.url)

    def _request(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        kind = HTTPSConnection if self._scheme == "https" else HTTPConnection
        headers = {"Content-Type": "application/json"} if body else {}
        connection = kind(self._host, self._port, timeout=self._timeout)
        try:
            connection.request(method, path, body or None, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


def _words(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__).lower()
