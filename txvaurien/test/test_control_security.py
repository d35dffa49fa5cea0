"""Nobody controls the proxy from a foreign web page, or without the token."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.control.security import AllowedHosts
from txvaurien.test.control_helpers import TOKEN, Answer, RawClient, guarded, proxy


class AllowedHostsTests(SynchronousTestCase):
    """Under which names the server may be asked."""

    def test_loopback_under_each_of_its_names(self) -> None:
        """Loopback is allowed by name and by address, with a port and without."""
        hosts = AllowedHosts("localhost")
        for host in ("localhost", "LocalHost:8080", "localhost.:80", "127.0.0.1", "127.8.9.1:1", "[::1]:80"):
            self.assertTrue(hosts.allow(host), host)

    def test_anything_else_is_foreign(self) -> None:
        """Other names and addresses are refused, also those that only look like loopback."""
        hosts = AllowedHosts("localhost")
        for host in (
            "evil.example",
            "localhost.evil.example",
            "evil.example:8080",
            "127.0.0.1.evil.example",
            "192.0.2.1",
            "[2001:db8::1]",
            "0.0.0.0",
            "",
            ":8080",
            "localhost:80:80",
            "localhost@evil.example",
            "evil.example#localhost",
            "user@localhost",
            "::1",
            "[::1",
            "localhost ",
        ):
            self.assertFalse(hosts.allow(host), host)

    def test_the_configured_host(self) -> None:
        """The name that the server was told to listen on is one of its own, and so are further ones."""
        hosts = AllowedHosts("Chaos.Test", ["10.0.0.5"])
        self.assertTrue(hosts.allow("chaos.test:8080"))
        self.assertTrue(hosts.allow("10.0.0.5"))
        self.assertTrue(hosts.allow("localhost"))
        self.assertFalse(hosts.allow("other.test"))

    def test_every_interface(self) -> None:
        """Where it listens on every address, any address is right, but still no foreign name."""
        for wildcard in ("0.0.0.0", "::", "[::]"):
            hosts = AllowedHosts(wildcard)
            self.assertTrue(hosts.allow("192.0.2.1:8080"))
            self.assertTrue(hosts.allow("[2001:db8::1]:8080"))
            self.assertFalse(hosts.allow("evil.example"))

    def test_origins(self) -> None:
        """An origin is judged by its host; ``null`` and other schemes are foreign."""
        hosts = AllowedHosts("localhost")
        for origin in ("http://localhost:8080", "https://127.0.0.1", "http://[::1]:3000"):
            self.assertTrue(hosts.allow_origin(origin), origin)
        for origin in ("null", "http://evil.example", "file://localhost", "localhost", "http://localhost/"):
            self.assertFalse(hosts.allow_origin(origin), origin)

    def test_origin_of_any_address(self) -> None:
        """Where every address is listened on, a page is ours only if it asks where it came from."""
        hosts = AllowedHosts("0.0.0.0")
        self.assertTrue(hosts.allow_origin("http://192.0.2.1:8080", "192.0.2.1:8080"))
        self.assertFalse(hosts.allow_origin("http://203.0.113.5", "192.0.2.1:8080"))

    @settings(deadline=None)
    @given(st.text(max_size=40))
    def test_no_text_breaks_it(self, text: str) -> None:
        """Whatever stands in the header, there is an answer."""
        hosts = AllowedHosts("localhost")
        self.assertIn(hosts.allow(text), (True, False))
        self.assertIn(hosts.allow_origin(text), (True, False))


class GuardTests(SynchronousTestCase):
    """What comes past the root of the resource tree."""

    def setUp(self) -> None:
        self.client = RawClient(guarded(proxy()))

    def refused(self, answer: Answer, status: int, location: str, name: str) -> str:
        """The reason of a refusal, which is JSON and has no banner."""
        self.assertEqual(answer.status, status)
        self.assertEqual(answer.headers["content-type"], "application/json")
        self.assertNotIn("server", answer.headers)
        self.assertEqual(answer.said["status"], "error")
        self.assertEqual(answer.problem[:2], (location, name))
        return answer.problem[2]

    def test_a_request_from_here(self) -> None:
        """A program on this machine, which sends no Origin, is served."""
        answer = self.client.get(Host="localhost:8080")
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.said["behavior"], "dummy")
        self.assertNotIn("server", answer.headers)

    def test_a_foreign_host(self) -> None:
        """A rebound name is refused on every path, those that do not exist included."""
        for path in ("/behavior", "/behaviors", "/backend", "/", "/nothing/here", "//", "*"):
            reason = self.refused(self.client.get(path, Host="evil.example"), 403, "header", "Host")
            self.assertIn("evil.example", reason)
            self.assertIn("--http-allow-host", reason)

    def test_a_host_that_is_not_ascii(self) -> None:
        """Raw bytes in the header are refused as any other name is."""
        self.refused(self.client.get(Host="\xff\xfe"), 403, "header", "Host")

    def test_no_host(self) -> None:
        """HTTP/1.1 must have a Host (RFC 9112, 3.2), HTTP/1.0 need not."""
        self.refused(self.client.get(), 400, "header", "Host")
        self.client.send(b"GET /behavior HTTP/1.0\r\n\r\n")
        self.assertEqual(self.client.answer().status, 200)

    def test_two_hosts(self) -> None:
        """Nobody can tell which of two is meant (RFC 9112, 3.2)."""
        self.client.send(b"GET /behavior HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n")
        self.refused(self.client.answer(), 400, "header", "Host")

    def test_a_foreign_origin(self) -> None:
        """A page from elsewhere is refused, and so is one without an origin."""
        for origin in ("https://evil.example", "null", "http://localhost.evil.example"):
            self.refused(self.client.get(Host="localhost", Origin=origin), 403, "header", "Origin")

    def test_our_own_page(self) -> None:
        """A page of this server, or of another on this machine, is served."""
        for origin in ("http://localhost:8080", "http://127.0.0.1:3000"):
            self.assertEqual(self.client.get(Host="localhost:8080", Origin=origin).status, 200)

    def test_cross_site(self) -> None:
        """What a browser marks as cross-site is refused although it has no Origin, as an image has none."""
        answer = self.client.get(Host="localhost", Sec_Fetch_Site="cross-site")
        self.refused(answer, 403, "header", "Sec-Fetch-Site")
        for site in ("same-origin", "same-site", "none"):
            self.assertEqual(self.client.get(Host="localhost", Sec_Fetch_Site=site).status, 200)

    def test_a_refused_request_changes_nothing(self) -> None:
        """A PUT from a foreign page does not reach the proxy."""
        controlled = proxy()
        client = RawClient(guarded(controlled))
        body = b'{"name": "delay"}'
        client.send(
            b"PUT /behavior HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        self.assertEqual(client.answer().status, 403)
        self.assertEqual(controlled.plan.mix_text, "dummy")

    def test_a_path_that_is_not_utf8(self) -> None:
        """The path is refused with a reason, not with a traceback in the log."""
        self.refused(self.client.get("/%ff", Host="localhost"), 400, "path", "")
        self.assertEqual(self.flushLoggedErrors(), [])


class EveryPathTests(SynchronousTestCase):
    """Nothing is forgotten: what is refused is refused on every path, with every method."""

    PATHS = (
        "/",
        "/behavior",
        "/events",
        "/health",
        "/journal",
        "/metrics",
        "/openapi.json",
        "/populate",
        "/proxies",
        "/proxies/none/toxics",
        "/nothing/here",
        "//",
        "*",
        "/%2e%2e/x",
        "http://localhost/behavior",
    )
    METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "NONSENSE")

    def check(self, client: RawClient, status: int, **headers: str) -> None:
        """Every request is refused with this status."""
        for path in self.PATHS:
            for method in self.METHODS:
                answer = client.get(path, method, **headers)
                self.assertEqual(answer.status, status, (method, path))
                self.assertNotIn("access-control-allow-origin", answer.headers)
                if method == "HEAD":
                    self.assertEqual(answer.body, b"")

    def test_host(self) -> None:
        """A rebound name."""
        self.check(RawClient(guarded(proxy())), 403, Host="evil.example")

    def test_origin(self) -> None:
        """A foreign page, which asks in advance, too (OPTIONS)."""
        client = RawClient(guarded(proxy()))
        self.check(client, 403, Host="localhost", Origin="http://evil.example")
        self.check(client, 403, Host="localhost", Sec_Fetch_Site="cross-site")

    def test_token(self) -> None:
        """Nobody without the token learns even which paths there are; a stream is a path like others."""
        client = RawClient(guarded(proxy(), token=TOKEN))
        self.check(client, 401, Host="localhost")
        self.check(client, 401, Host="localhost", Accept="text/event-stream")
        self.check(client, 401, Host="localhost", Authorization="Bearer wrong-wrong-wrong-wrong")


class TokenTests(SynchronousTestCase):
    """The token is asked for where there is one."""

    def setUp(self) -> None:
        self.client = RawClient(guarded(proxy(), token=TOKEN))

    def test_shown(self) -> None:
        """Who shows it is served; the scheme is not case-sensitive (RFC 9110, 11.1)."""
        for scheme in ("Bearer", "bearer", "BEARER "):
            answer = self.client.get(Host="localhost", Authorization=f"{scheme} {TOKEN}")
            self.assertEqual(answer.status, 200, scheme)

    def test_not_shown(self) -> None:
        """Who shows none is told what to do, as RFC 6750, 3 has it."""
        answer = self.client.get(Host="localhost")
        self.assertEqual(answer.status, 401)
        self.assertEqual(answer.headers["www-authenticate"], 'Bearer realm="txvaurien"')
        self.assertEqual(answer.problem[:2], ("header", "Authorization"))
        for advice in ("Authorization: Bearer", "--token", "VAURIEN_TOKEN"):
            self.assertIn(advice, answer.problem[2])

    def test_wrong(self) -> None:
        """Whatever else stands there is refused, and not repeated."""
        for shown in (
            f"Bearer {TOKEN}x",
            f"Bearer {TOKEN[:-1]}",
            f"Bearer {TOKEN} {TOKEN}",
            f"Basic {TOKEN}",
            f"Token {TOKEN}",
            TOKEN,
            "Bearer",
            "Bearer ",
            "",
            "Bearer \xff\xfe",
        ):
            answer = self.client.get(Host="localhost", Authorization=shown)
            self.assertEqual(answer.status, 401, shown)
            self.assertIn('error="invalid_token"', answer.headers["www-authenticate"])
            self.assertNotIn(TOKEN.encode(), answer.raw)

    def test_twice(self) -> None:
        """Of two that are shown none counts."""
        shown = f"Authorization: Bearer {TOKEN}\r\n" * 2
        self.client.send(f"GET /behavior HTTP/1.1\r\nHost: localhost\r\n{shown}\r\n".encode())
        self.assertEqual(self.client.answer().status, 401)

    def test_only_in_the_header(self) -> None:
        """In a query it would stand in logs, so it does not count there."""
        self.assertEqual(self.client.get(f"/behavior?access_token={TOKEN}", Host="localhost").status, 401)

    def test_wrong_host_comes_first(self) -> None:
        """A rebound name does not learn whether it has guessed the token."""
        answer = self.client.get(Host="evil.example", Authorization=f"Bearer {TOKEN}")
        self.assertEqual(answer.status, 403)

    def test_pages_are_refused_with_it(self) -> None:
        """A foreign page may not, whatever it knows."""
        answer = self.client.get(
            Host="localhost", Authorization=f"Bearer {TOKEN}", Origin="http://evil.example"
        )
        self.assertEqual(answer.status, 403)


class TypeTests(SynchronousTestCase):
    """What a body is said to be."""

    BODY = b'{"name": "delay"}'
    FORMS = ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain")

    def setUp(self) -> None:
        self.proxy = proxy()
        self.client = RawClient(guarded(self.proxy))

    def send(self, method: str, path: str, *headers: str, body: bytes = BODY) -> Answer:
        """Send a body with these header lines."""
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", *headers]
        self.client.send("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        return self.client.answer()

    def test_json(self) -> None:
        """JSON under each of its names (RFC 6839, 3.1)."""
        for said in ("application/json", "Application/JSON; charset=utf-8", "application/problem+json"):
            self.assertEqual(self.send("PUT", "/behavior", f"Content-Type: {said}").status, 200, said)

    def test_nothing_is_said(self) -> None:
        """Vaurien's own client says nothing, and is served."""
        self.assertEqual(self.send("PUT", "/behavior").status, 200)

    def test_a_form(self) -> None:
        """What curl says by default is refused; the error tells how to say it."""
        for said in self.FORMS:
            answer = self.send("PUT", "/behavior", f"Content-Type: {said}")
            self.assertEqual((answer.status, answer.headers["accept"]), (415, "application/json"))
            self.assertEqual(answer.problem[:2], ("header", "Content-Type"))
            for words in (said, "--json", "-H 'Content-Type: application/json'"):
                self.assertIn(words, answer.problem[2])
        self.assertEqual(self.proxy.plan.mix_text, "dummy")

    def test_two_types(self) -> None:
        """Nobody can tell which of two is meant."""
        answer = self.send("PUT", "/behavior", "Content-Type: application/json", "Content-Type: text/plain")
        self.assertEqual(answer.status, 415)

    def test_without_a_body(self) -> None:
        """Where there is no body there is nothing to be said of it."""
        for said in self.FORMS:
            answer = self.send("POST", "/reset", f"Content-Type: {said}", body=b"")
            self.assertLess(answer.status, 300, said)

    def test_a_page_of_ours(self) -> None:
        """A page that may ask has to say that it is JSON, which it can only after a preflight."""
        for headers in (
            ["Origin: http://localhost:3000"],
            ["Sec-Fetch-Site: same-site"],
            ["Origin: http://localhost:3000", "Content-Type: text/plain"],
        ):
            for path in ("/behavior", "/proxies", "/populate", "/proxies/proxy/toxics/x"):
                self.assertEqual(self.send("POST", path, *headers).status, 415, (path, headers))
        answer = self.send(
            "PUT", "/behavior", "Origin: http://localhost:3000", "Content-Type: application/json"
        )
        self.assertEqual(answer.status, 200)

    def test_toxiproxys_clients(self) -> None:
        """On the paths that are Toxiproxy's its clients may say what they like, also a name that is odd."""
        for path in ("/proxies", "/proxies/", "/populate", "/proxies/a%2Fb", "/proxies/a/toxics/b", "/reset"):
            for said in self.FORMS:
                answer = self.send("POST", path, f"Content-Type: {said}", body=b"{}")
                self.assertNotEqual(answer.status, 415, (path, said))

    def test_ours_below_a_proxy(self) -> None:
        """What Toxiproxy has not is ours, also below one of its paths."""
        for path in ("/proxies/proxy/behavior", "/proxies/proxy/rules/x", "/proxies/a/toxics/b/c", "/plan"):
            self.assertEqual(self.send("PUT", path, "Content-Type: text/plain").status, 415, path)
