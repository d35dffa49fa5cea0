"""http in front of nginx: files, ranges, uploads, HTTP/2, many links, a gigabyte."""

from __future__ import annotations

import resource
from typing import Any

import httpx
import requests

from txvaurien.behaviors.base import Behavior
from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.error import Error
from txvaurien.behaviors.truncate import Truncate
from txvaurien.plan import Plan
from txvaurien.protocols.http import Http
from txvaurien.service import ProxyService
from txvaurien.test.http_app import pieces
from txvaurien.test.http_clients import FRAMED, Seen, curl, seen
from txvaurien.test.http_servers import NginxServer, PythonServer
from txvaurien.test.peers import read_all
from txvaurien.test.support import ProxyCase, connect

MEGABYTES = 5_000_000

#: What nginx is asked for, on connections that do not last.
PATHS = ("/", "/none", "/large")


class NginxTests(ProxyCase):
    """nginx behind the proxy."""

    def setUp(self) -> None:
        self.nginx = self.start_server(NginxServer())

    def base(self, plan: Plan | Behavior | None = None, **options: Any) -> str:
        """The address of a new proxy in front of it."""
        return f"http://127.0.0.1:{self.start_proxy(Http(**options), self.nginx.port, plan).port}"

    async def test_same(self) -> None:
        """Pages, ranges, conditions, compression, errors, uploads: the same as direct."""

        def ask(base: str) -> list[Seen]:
            got = []
            with httpx.Client(timeout=60, headers={"Host": "x"}) as client:
                tag = client.get(base + "/index.html").headers["etag"]
                for method, path, fields in (
                    ("GET", "/", {}),
                    ("HEAD", "/large", {}),
                    ("GET", "/large", {"Range": "bytes=1000-70000"}),
                    ("GET", "/large", {"Range": "bytes=0-10,20-30"}),
                    ("GET", "/index.html", {"If-None-Match": tag}),
                    ("GET", "/zip", {"Accept-Encoding": "gzip", "Range": "bytes=0-100000"}),
                    ("GET", "/none", {}),
                    ("GET", "/down", {}),
                    ("POST", "/index.html", {}),
                    ("DELETE", "/dav/none", {}),
                ):
                    answer = client.request(method, base + path, headers=fields)
                    told = answer.headers.multi_items()
                    if "multipart" in answer.headers.get("content-type", ""):
                        # The boundary is drawn for each answer.
                        told = [("content-length", answer.headers["content-length"])]
                        got.append(seen(answer.status_code, answer.reason_phrase, told, b""))
                        continue
                    got.append(seen(answer.status_code, answer.reason_phrase, told, answer.content))
                upload = client.put(base + "/dav/file", content=b"".join(pieces(MEGABYTES)))
                got.append(seen(upload.status_code, upload.reason_phrase, [], b""))
                fetched = client.get(base + "/dav/file")
                got.append(seen(fetched.status_code, fetched.reason_phrase, [], fetched.content))
                client.delete(base + "/dav/file")
            return got

        direct = await self.in_thread(ask, f"http://127.0.0.1:{self.nginx.port}")
        for plan in (None, FRAMED):
            through = await self.in_thread(ask, self.base(plan))
            for one, other in zip(direct, through, strict=True):
                self.assertEqual(one, other)

    async def test_http2(self) -> None:
        """HTTP/2 with prior knowledge passes unread, with rules and without."""
        for plan in (None, FRAMED):
            service = self.start_proxy(Http(), self.nginx.http2, plan)
            shown = ("-o", "/dev/null", "-w", "%{http_version} %{http_code} %{size_download}")
            url = f"http://127.0.0.1:{service.port}/large"
            got = await self.in_thread(curl, "--http2-prior-knowledge", *shown, url)
            self.assertEqual(got, (0, b"2 200 %d" % self.nginx.large))
            self.assertEqual(service.proxy.stats.opaque, 1)

    async def test_a_gigabyte(self) -> None:
        """1 GB comes whole, framed, and nothing of it is kept."""
        base = self.base(FRAMED)
        before = memory()
        status, written = await self.in_thread(
            curl, base + "/huge", "-o", "/dev/null", "-w", "%{http_code} %{size_download}"
        )
        self.assertEqual((status, written), (0, b"200 %d" % self.nginx.huge))
        self.assertLess(memory() - before, 50_000)

    async def test_many_links(self) -> None:
        """200 clients at once, each on a link of its own."""
        service = self.start_proxy(Http(), self.nginx.port, FRAMED)

        def ask() -> set[int]:
            base = f"http://127.0.0.1:{service.port}"
            sessions = [requests.Session() for _ in range(200)]
            codes = {session.get(base + "/", timeout=60).status_code for session in sessions}
            codes |= {session.get(base + "/none", timeout=60).status_code for session in sessions}
            for session in sessions:
                session.close()
            return codes

        self.assertEqual(await self.in_thread(ask), {200, 404})
        await self.until(lambda: not service.proxy.links)

    async def test_overwritten_host(self) -> None:
        """The server sees its own name."""
        app = self.start_server(PythonServer())
        service = self.start_proxy(Http(overwrite_host_header=True), app.port)
        answer = await self.in_thread(requests.get, f"http://127.0.0.1:{service.port}/echo", timeout=30)
        self.assertIn(["host", f"127.0.0.1:{app.port}"], answer.json()["fields"])

    async def test_overwritten_host_of_a_url(self) -> None:
        """nginx goes by the URL in the request line, and says 400 to two Hosts, as without the proxy."""
        service = self.start_proxy(Http(overwrite_host_header=True), self.nginx.port)

        def ask(port: int, line: str, *fields: str) -> tuple[bytes, bytes]:
            with connect(port) as sock:
                head = (f"{line} HTTP/1.1", *fields, "Connection: close", "", "")
                sock.sendall("\r\n".join(head).encode())
                said, _ = read_all(sock)
            return said.split()[1], said.rpartition(b"\r\n\r\n")[2]

        whole, host = "GET http://example.org:81/host", "Host: other.org"
        self.assertEqual(
            await self.in_thread(ask, self.nginx.port, whole, host), (b"200", b"example.org other.org")
        )
        ours = f"127.0.0.1 127.0.0.1:{self.nginx.port}".encode()
        self.assertEqual(await self.in_thread(ask, service.port or 0, whole, host), (b"200", ours))
        for line, *fields in (
            ("GET /host", host, host),
            ("GET http://user@example.org/host", host),
            ("GET http:///host", host),
        ):
            codes = [(await self.in_thread(ask, port, line, *fields))[0] for port in self.ports(service)]
            self.assertEqual(codes, [b"400", b"400"], line)

    def ports(self, service: ProxyService) -> tuple[int, int]:
        """Of the server, and of the proxy."""
        return self.nginx.port, service.port or 0

    async def test_no_keep_alive(self) -> None:
        """Each request of a session needs a connection of its own, and gets its answer."""
        service = self.start_proxy(Http(keep_alive=False), self.nginx.port)

        def ask() -> list[tuple[int, str, int]]:
            base = f"http://127.0.0.1:{service.port}"
            with requests.Session() as session:
                answers = [session.get(base + path, timeout=30) for path in PATHS]
            return [(each.status_code, each.headers["Connection"], len(each.content)) for each in answers]

        got = await self.in_thread(ask)
        self.assertEqual([each[:2] for each in got], [(200, "close"), (404, "close"), (200, "close")])
        self.assertEqual(got[2][2], self.nginx.large)
        self.assertEqual(service.proxy.stats.links, 3)

    async def test_live_on_a_pooled_connection(self) -> None:
        """A fault set while a client keeps its connection holds for its next request."""
        service = self.start_proxy(Http(), self.nginx.port)
        session = requests.Session()
        self.addCleanup(session.close)
        url = f"http://127.0.0.1:{service.port}/"
        first = await self.in_thread(session.get, url, timeout=30)
        service.proxy.set_plan(Plan.only(Error(kind="503")))
        second = await self.in_thread(session.get, url, timeout=30)
        service.proxy.set_plan(Plan())
        third = await self.in_thread(session.get, url, timeout=30)
        self.assertEqual([each.status_code for each in (first, second, third)], [200, 503, 200])
        self.assertEqual(service.proxy.stats.links, 1)

    async def test_late_reply(self) -> None:
        """A delayed reply is late for its client, and the same."""
        answer = await self.in_thread(requests.get, self.base(Delay(sleep=0.01, before=False)), timeout=30)
        self.assertEqual((answer.status_code, answer.content), (200, b"hello"))

    async def test_truncated(self) -> None:
        """curl says that bytes are missing, of a file and of chunks."""
        base = self.base(Truncate())
        status, _ = await self.in_thread(curl, base + "/index.html")
        self.assertEqual(status, 18)
        status, _ = await self.in_thread(curl, "--compressed", base + "/zip")
        self.assertEqual(status, 18)


def memory() -> int:
    """The most memory that this process has had, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
