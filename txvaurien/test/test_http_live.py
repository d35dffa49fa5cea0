"""http in front of real servers, with real clients: the same through the proxy as direct."""

from __future__ import annotations

import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import requests
from twisted.internet.defer import gatherResults

from txvaurien.behaviors.abort import Abort
from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.error import Error
from txvaurien.behaviors.truncate import Truncate
from txvaurien.plan import Plan
from txvaurien.planning.mix import Share
from txvaurien.protocols.http import Http
from txvaurien.rules import Rule
from txvaurien.test.http_clients import FRAMED, Seen, curl, read_sized, seen
from txvaurien.test.http_servers import PythonServer
from txvaurien.test.peers import ScriptedBackend, read_all
from txvaurien.test.servers import free_port
from txvaurien.test.support import ProxyCase, connect

MEGABYTES = 5_000_000

#: Each of these is asked of the Python server, with and without the proxy.
FEATURES = [
    ("GET", "/echo?a=b&c=%20", None),
    ("POST", "/echo", b"x=1"),
    ("PUT", "/echo", bytes(MEGABYTES)),
    ("DELETE", "/echo", None),
    ("OPTIONS", "/echo", None),
    ("PATCH", "/echo", b"{}"),
    ("HEAD", f"/bytes/{MEGABYTES}", None),
    ("GET", "/bytes/0", None),
    ("GET", f"/bytes/{MEGABYTES}", None),
    ("GET", f"/chunks/{MEGABYTES}", None),
    ("GET", "/chunks/0", None),
    ("GET", f"/close/{MEGABYTES}", None),
    ("GET", "/events/5", None),
    ("GET", "/hints", None),
    ("GET", "/status/204", None),
    ("GET", "/status/304", None),
    ("POST", "/status/409", b"body"),
    ("GET", "/status/503", None),
]


def with_requests(base: str) -> list[Seen]:
    """All features, on one session of requests."""
    got = []
    with requests.Session() as session:
        for method, path, body in FEATURES:
            if path == "/hints":
                # http.client takes every 1xx but 100 for the answer, and mistakes the next one.
                continue
            answer = session.request(method, base + path, data=body, timeout=60, headers={"Host": "x"})
            got.append(seen(answer.status_code, answer.reason, answer.headers.items(), answer.content))
    return got


def with_httpx(base: str) -> list[Seen]:
    """All features, on one client of httpx; request bodies in chunks."""
    got = []

    def chunked(body: bytes) -> Iterator[bytes]:
        yield from (body[at : at + 65_536] for at in range(0, len(body), 65_536))

    with httpx.Client(timeout=60, headers={"Host": "x"}) as client:
        for method, path, body in FEATURES:
            answer = client.request(method, base + path, content=chunked(body) if body else None)
            fields = answer.headers.multi_items()
            got.append(seen(answer.status_code, answer.reason_phrase, fields, answer.content))
    return got


def with_curl(base: str) -> list[tuple[int, bytes]]:
    """What needs a client that shows chunks, expects 100 Continue, or speaks HTTP/1.0."""
    upload = ("-T", "-", "-H", "Expect: 100-continue", "-H", "Host: x")
    code = ("-o", "/dev/null", "-w", "%{http_code} %{size_download} %{num_connects}\n")
    data = "@" + __file__
    return [
        curl("-H", "Host: x", base + "/echo"),
        curl("-0", "-H", "Host: x", base + "/echo"),
        curl("-H", "Host: x", "-H", "Expect: 100-continue", "--data-binary", data, base + "/echo"),
        curl(*upload, base + "/echo"),
        curl("-H", "Expect: 100-continue", "--data-binary", data, *code, base + "/unwilling"),
        curl("--raw", base + "/chunks/100000"),
        curl(*code, *[f"{base}/bytes/{size}" for size in (0, 1, 70_000, 1_000_000)]),
        curl("-I", base + "/bytes/12345", *code),
    ]


class PassThroughTests(ProxyCase):
    """What clients see is what they see without the proxy."""

    def setUp(self) -> None:
        self.server = self.start_server(PythonServer())

    async def same(self, client: Callable[[str], list[Any]], plan: Plan | None = None) -> None:
        """This client gets the same from the server and through the proxy."""
        proxy = self.start_proxy(Http(), self.server.port, plan)
        direct = await self.in_thread(client, f"http://127.0.0.1:{self.server.port}")
        through = await self.in_thread(client, f"http://127.0.0.1:{proxy.port}")
        for one, other in zip(direct, through, strict=True):
            self.assertEqual(one, other)

    async def test_requests(self) -> None:
        """requests."""
        await self.same(with_requests)

    async def test_requests_framed(self) -> None:
        """requests, with rules."""
        await self.same(with_requests, FRAMED)

    async def test_httpx(self) -> None:
        """httpx, which sends its bodies in chunks here."""
        await self.same(with_httpx)

    async def test_httpx_framed(self) -> None:
        """httpx, with rules."""
        await self.same(with_httpx, FRAMED)

    async def test_curl(self) -> None:
        """curl: HTTP/1.0, 100 Continue, chunks as they are."""
        await self.same(with_curl)

    async def test_curl_framed(self) -> None:
        """curl, with rules."""
        await self.same(with_curl, FRAMED)

    async def test_pipelined(self) -> None:
        """Many requests in one write: the answers come in order."""
        paths = [f"/bytes/{size}" for size in (5, 0, 70_000, 3)] * 20

        def ask(port: int) -> list[bytes]:
            with connect(port) as sock:
                sock.sendall(
                    b"".join(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path.encode() for path in paths)
                )
                answers = sock.makefile("rb")
                return [read_sized(answers) for _ in paths]

        for plan in (None, FRAMED):
            proxy = self.start_proxy(Http(), self.server.port, plan)
            got = await self.in_thread(ask, proxy.port or 0)
            self.assertEqual([len(each) for each in got], [int(path.split("/")[2]) for path in paths])

    async def test_upgrade(self) -> None:
        """After the handshake of a WebSocket, both sides talk as they like."""

        def talk(port: int) -> tuple[bytes, bytes]:
            with connect(port) as sock:
                key = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\n" + key
                sock.sendall(b"GET /socket HTTP/1.1\r\nHost: x\r\n" + upgrade + b"\r\n")
                answers = sock.makefile("rb")
                head = b"".join(iter(answers.readline, b"\r\n"))
                sock.sendall(b"\x00abc\nGET / HTTP/1.1\n")
                said = answers.readline() + answers.readline()
                sock.shutdown(socket.SHUT_WR)
                return head, said + answers.read()

        for plan in (None, FRAMED):
            proxy = self.start_proxy(Http(), self.server.port, plan)
            head, said = await self.in_thread(talk, proxy.port or 0)
            # The accept key is the example of RFC 6455 section 1.3.
            self.assertIn(b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", head)
            self.assertEqual(said, b"cba\x00\n1.1/PTTH / TEG\n")

    async def test_events_come_one_by_one(self) -> None:
        """A client reads the first event while the last is not even sent."""

        def read(port: int) -> list[str]:
            with httpx.stream("GET", f"http://127.0.0.1:{port}/events/100", timeout=30) as answer:
                return [line for line in answer.iter_lines() if line]

        proxy = self.start_proxy(Http(), self.server.port, FRAMED)
        events = await self.in_thread(read, proxy.port or 0)
        self.assertEqual(events, [f"data: {number}" for number in range(100)])


class ChaosTests(ProxyCase):
    """Under faults of all kinds, whoever gets an answer gets the one to its own request."""

    async def test_in_step(self) -> None:
        """Every answer is the request's own, or an error, or an exception; nothing is left behind."""
        server = self.start_server(PythonServer())
        faults = ((20.0, Error()), (10.0, Truncate()), (10.0, Abort()), (10.0, Delay(sleep=0.001)))
        mix = tuple(Share(percent, Rule(behavior)) for percent, behavior in faults)
        service = self.start_proxy(Http(), server.port, Plan(mix=mix, seed=7))

        def ask(number: int) -> set[str]:
            with httpx.Client(base_url=f"http://127.0.0.1:{service.port}", timeout=60) as client:
                return {outcome(client, f"/echo/{number}/{size}", size * 1000) for size in range(60)}

        got = await gatherResults([self.in_thread(ask, number) for number in range(5)])
        expected = {"ok", "500", "501", "502", "503", "RemoteProtocolError"}
        self.assertEqual(set().union(*got), expected)
        await self.until(lambda: not service.proxy.links)


def outcome(client: httpx.Client, path: str, size: int) -> str:
    """What becomes of a request: ``ok`` if the answer is the one to it, a code, or an exception."""
    try:
        answer = client.post(path, content=bytes(size))
    except httpx.HTTPError as error:
        return type(error).__name__
    if answer.status_code != 200:
        return str(answer.status_code)
    told = answer.json()
    return "ok" if (told["path"], told["size"]) == (path, size) else f"{path} was answered {told}"


class TruncateTests(ProxyCase):
    """What clients make of a reply whose end is the connection's, when that comes too early."""

    async def test_until_the_end(self) -> None:
        """A FIN looks like the end, as the docs say; after RST every client knows better."""
        server = self.start_server(PythonServer())
        kept = 1000
        for reset, expected in ((False, ["200"] * 2), (True, ["ChunkedEncodingError", "ReadError"])):
            behavior = Truncate(keep=kept, reset=reset)
            port = self.start_proxy(Http(), server.port, behavior).port
            url = f"http://127.0.0.1:{port}/close/{MEGABYTES}"
            got = [await self.in_thread(fetched, get, url) for get in (requests.get, httpx.get)]
            self.assertEqual(got, expected)


def fetched(get: Callable[..., Any], url: str) -> str:
    """The code of the reply, or the name of the exception; the content is read."""
    try:
        answer = get(url, timeout=60)
    except Exception as error:
        return type(error).__name__
    return str(answer.status_code) if len(answer.content) < MEGABYTES else "whole"


class GatewayTests(ProxyCase):
    """What the proxy says of its backend, as clients read it."""

    async def test_unreachable(self) -> None:
        """Nobody listens there: 502."""
        service = self.start_proxy(Http(), free_port())
        answer = await self.in_thread(requests.get, f"http://127.0.0.1:{service.port}/", timeout=30)
        self.assertEqual((answer.status_code, answer.reason), (502, "Bad Gateway"))

    async def test_unreachable_for_an_upload(self) -> None:
        """The client learns it also where it sends a body."""
        service = self.start_proxy(Http(), free_port())
        answer = await self.in_thread(
            requests.post, f"http://127.0.0.1:{service.port}/", data=b"body", timeout=30
        )
        self.assertEqual(answer.status_code, 502)

    async def test_silent(self) -> None:
        """A server that says nothing: 504."""
        app = self.start_server(PythonServer())
        service = self.start_proxy(Http(gateway_timeout=0.05), app.port)
        base = f"http://127.0.0.1:{service.port}"
        answer = await self.in_thread(requests.get, base + "/silent/30", timeout=30)
        self.assertEqual((answer.status_code, answer.reason), (504, "Gateway Timeout"))

    def base_of(self, script: Callable[[socket.socket], None]) -> str:
        """The address of a proxy with little patience, in front of a backend that does this."""
        backend = ScriptedBackend(script)
        self.addCleanup(backend.stop)
        return f"http://127.0.0.1:{self.start_proxy(Http(gateway_timeout=0.1), backend.port).port}/"

    async def test_silent_before_the_body(self) -> None:
        """A server that does not even say 100 Continue: curl gets the 504 with its body unsent."""

        def only_read(peer: socket.socket) -> None:
            read_all(peer)

        base = self.base_of(only_read)
        expects = ("-H", "Expect: 100-continue", "--expect100-timeout", "50", "--data-binary", "body")
        shown = ("-o", "/dev/null", "-w", "%{http_code} %{size_upload}")
        got = await self.in_thread(curl, *expects, *shown, base)
        self.assertEqual(got, (0, b"504 0"))

    async def test_upload_that_nobody_reads(self) -> None:
        """A server that takes the connection and nothing else: 504, long before the upload is through."""
        over = threading.Event()

        def not_even_read(_: socket.socket) -> None:
            over.wait(60)

        base = self.base_of(not_even_read)
        self.addCleanup(over.set)
        with tempfile.NamedTemporaryFile() as file:
            # A hole: it costs no disk.
            file.truncate(20_000_000_000)
            shown = ("-o", "/dev/null", "-w", "%{http_code} %{size_upload}")
            _, written = await self.in_thread(curl, "-T", file.name, "-H", "Expect:", *shown, base)
        code, sent = written.split()
        self.assertEqual(code, b"504")
        self.assertLess(int(sent), 20_000_000_000)
