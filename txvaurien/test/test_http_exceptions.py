"""What real HTTP clients make of errors and faults: the same as of those of real servers."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable

import httpx
import requests
from twisted.internet.defer import Deferred

from txvaurien.behaviors.abort import Abort
from txvaurien.behaviors.base import Behavior
from txvaurien.behaviors.error import Error
from txvaurien.behaviors.hang import Hang
from txvaurien.behaviors.truncate import Truncate
from txvaurien.protocols.http import Http
from txvaurien.test.exceptions_http import (
    CURL,
    EXPECTED,
    HTTPX,
    KINDS,
    OF_A_FAULT,
    OF_A_STATUS,
    REQUESTS,
    URLLIB,
)
from txvaurien.test.http_clients import curl
from txvaurien.test.http_servers import NginxServer, PythonServer
from txvaurien.test.support import ProxyCase

#: How long clients wait where nothing comes, in seconds: enough for a busy machine where something does.
SHORT, LONG = 0.2, 60.0

#: More than nginx wants at /small.
BODY = b"more than nothing"


def _requests(url: str, timeout: float) -> None:
    requests.post(url, data=BODY, timeout=timeout).raise_for_status()


def _httpx(url: str, timeout: float) -> None:
    httpx.post(url, content=BODY, timeout=timeout).raise_for_status()


def _urllib(url: str, timeout: float) -> None:
    with urllib.request.urlopen(url, data=BODY, timeout=timeout) as answer:
        answer.read()


def _curl(url: str, timeout: float) -> None:
    arguments = ("--fail", "-m", str(timeout), "-o", "/dev/null", "--data-binary", BODY.decode(), url)
    status, _ = curl(*arguments)
    if status:
        raise SystemExit(status)


CLIENTS: dict[str, Callable[[str, float], None]] = {
    REQUESTS: _requests,
    HTTPX: _httpx,
    URLLIB: _urllib,
    CURL: _curl,
}

FAULTS: dict[str, Behavior] = {
    "truncate": Truncate(),
    "truncate reset=true": Truncate(reset=True),
    "abort": Abort(),
    "hang": Hang(),
    "error garbage=true": Error(garbage=True),
}


def raised(client: str, url: str, timeout: float = LONG) -> str:
    """What a client raises, by its full name; ``""`` for nothing."""
    try:
        CLIENTS[client](url, timeout)
    except SystemExit as error:
        return f"exit status {error.code}"
    except Exception as error:
        return f"{type(error).__module__}.{type(error).__name__}"
    return ""


class ExceptionTests(ProxyCase):
    """Each kind and each fault, driven through each client."""

    def setUp(self) -> None:
        self.server = self.start_server(PythonServer())

    def raised(self, behavior: Behavior, client: str, timeout: float = LONG) -> Deferred[str]:
        """What a client raises through a proxy that does this."""
        service = self.start_proxy(Http(), self.server.port, behavior)
        return self.in_thread(raised, client, f"http://127.0.0.1:{service.port}/echo", timeout)

    async def test_kinds(self) -> None:
        """Each kind of the catalogue becomes the exception that clients have for it."""
        for kind, client, _, expected in EXPECTED:
            if kind in KINDS:
                self.assertEqual(await self.raised(Error(kind=kind), client), expected, (kind, client))

    async def test_faults(self) -> None:
        """Faults below the message become what clients raise when a connection breaks."""
        for fault, client, _, expected in EXPECTED:
            if fault in FAULTS:
                timeout = SHORT if fault == "hang" else LONG
                got = await self.raised(FAULTS[fault], client, timeout)
                self.assertEqual(got, expected, (fault, client))

    def test_table(self) -> None:
        """Every kind and every fault is in the table once for each client."""
        keys = [(kind, client) for kind, client, _, _ in EXPECTED]
        self.assertEqual(len(keys), len(set(keys)))
        self.assertEqual(set(KINDS), {kind.name for kind in Http().error_kinds})
        self.assertEqual(set(FAULTS), set(OF_A_FAULT))

    async def test_python_server(self) -> None:
        """A real server's errors become the same exceptions."""
        for kind in KINDS:
            url = f"http://127.0.0.1:{self.server.port}/status/{kind}"
            for client, expected in OF_A_STATUS.items():
                self.assertEqual(await self.in_thread(raised, client, url), expected, (kind, client))


class NginxTests(ProxyCase):
    """The proxy's errors beside those of nginx."""

    async def test_same_head(self) -> None:
        """Code, media type and the fields that belong to the code are those of nginx."""
        nginx = self.start_server(NginxServer())
        direct = f"http://127.0.0.1:{nginx.port}"
        paths = {**{str(code): f"/code/{code}" for code in nginx.codes}, **NGINX_PATHS}
        for kind, path in paths.items():
            service = self.start_proxy(Http(), nginx.port, Error(kind=kind))
            if kind == "429":
                await self.in_thread(ask, direct + path)
            real = await self.in_thread(ask, direct + path)
            ours = await self.in_thread(ask, f"http://127.0.0.1:{service.port}{path}")
            self.assertEqual(ours.status_code, real.status_code, kind)
            for name in ("Content-Type", "WWW-Authenticate"):
                told, wanted = (each.headers.get(name, "") for each in (ours, real))
                self.assertEqual(told.partition(";")[0].split(" ")[0], wanted.split(" ")[0], (kind, name))


#: Where nginx answers so for a reason of its own.
NGINX_PATHS = {"401": "/secret", "413": "/small", "429": "/busy", "502": "/down"}


def ask(url: str) -> requests.Response:
    """A browser's request, with a body."""
    return requests.post(url, data=BODY, headers={"Accept": "text/html"}, timeout=LONG)
