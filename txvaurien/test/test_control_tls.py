"""TLS and the PROXY protocol over HTTP: proxies that speak them, and /ca.pem."""

from __future__ import annotations

import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.client import AsyncClient
from txvaurien.clients.blocking import Client, ProxyHandle
from txvaurien.clients.vocabulary import VaurienError
from txvaurien.net.ends import Ends
from txvaurien.process.proxies import Proxies
from txvaurien.test.control_helpers import ControlCase, RawClient, guarded, proxy
from txvaurien.test.support import connect
from txvaurien.test.test_toxiproxy_api import ENDS, ApiCase
from txvaurien.tls.authority import Authority
from txvaurien.tls.keeper import AuthorityKeeper

USUAL = {"tls": None, "backend_tls_verify": True, "accept_proxy": False, "send_proxy": "off"}


def ends_of(said: Any) -> dict[str, object]:
    """What is said of both ends of a proxy."""
    return {name: said[name] for name in USUAL}


class ProxyTests(ApiCase):
    """Proxies as JSON."""

    async def test_usual(self) -> None:
        """Without a word there is none of it."""
        self.assertEqual(ends_of(await self.create()), USUAL)
        self.assertEqual(ENDS, USUAL.keys())

    async def test_given_out_and_taken_in(self) -> None:
        """What GET gives makes the same proxy again, PATCH takes it, and populate leaves it alone."""
        said: dict[str, Any] = {
            "tls": "auto",
            "backend_tls_verify": False,
            "accept_proxy": True,
            "send_proxy": "v2",
        }
        self.assertEqual(ends_of(await self.create(**said)), said)
        shown = await self.say("GET", "/proxies/redis")
        self.assertEqual(await self.say("PATCH", "/proxies/redis?strict=true", shown), shown)
        before = self.proxies.get("redis")
        await self.say("POST", "/populate", [shown], 201)
        self.assertIs(self.proxies.get("redis"), before)
        await self.say("DELETE", "/proxies/redis", status=204)
        self.assertEqual(await self.say("POST", "/proxies?strict=true", shown, 201), shown)

    async def test_populate(self) -> None:
        """A proxy that is to speak otherwise is another one."""
        await self.create(tls="auto")
        before = self.proxies.get("redis")
        await self.say("POST", "/populate", [self.proxy(**{"send-proxy": "v1"})], 201)
        now = self.proxies.get("redis")
        self.assertIsNot(now, before)
        self.assertEqual((now.proxy.ends.tls, now.proxy.ends.send_proxy), (None, "v1"))

    async def test_stays(self) -> None:
        """How both ends are spoken to is not changed: that is another proxy."""
        await self.create(tls="auto")
        for said in ({"tls": "file"}, {"send-proxy": "v1"}, {"accept_proxy": True}, {"backend_tls_ca": "/x"}):
            answer = await self.say("PATCH", "/proxies/redis", said, 400)
            (problem,) = answer["errors"]
            self.assertIn(problem["name"], said)
            self.assertIn("POST another", problem["description"])
        self.assertEqual(self.proxies.get("redis").proxy.ends, Ends(tls="auto"))

    async def test_files(self) -> None:
        """Nobody has files read over HTTP, in whichever form they are named."""
        for name in ("tls", "tls_key", "tls-key", "backend_tls_ca", "backend-tls-cert", "backend_tls_key"):
            for value in ("/etc/passwd", 5, "" if name == "tls" else "auto"):
                await self.bad(
                    "POST", "/proxies", {**self.proxy(), name: value}, name, "where the process is started"
                )
        await self.bad("POST", "/proxies", self.proxy(send_proxy="v3"), "send_proxy", "v1")
        self.assertEqual(len(self.proxies), 0)

    async def test_files_are_not_shown(self) -> None:
        """Of a certificate in a file nothing is told but that there is one."""
        file = self.certificate()
        ends = Ends(tls=file, tls_key=file)
        self.proxies.put(replace(self.define("redis"), ends=ends))
        said = await self.say("GET", "/proxies/redis")
        self.assertEqual(said["tls"], "file")
        self.assertNotIn(file, str(said))
        await self.say("PATCH", "/proxies/redis", said)
        await self.bad("POST", "/proxies", {**said, "name": "another"}, "tls", "give auto")

    def certificate(self) -> str:
        """A file with a certificate and its key."""
        path = Path(self.mktemp())
        path.write_bytes(Authority.make().issue(["localhost"]).pem())
        return str(path)

    async def test_backend(self) -> None:
        """A backend with TLS may say how it is verified, and by which name."""
        upstream = f"tls:127.0.0.1:{self.backend}:verify=no:name=cache.example"
        said = await self.say("POST", "/proxies", {"name": "redis", "upstream": upstream}, 201)
        self.assertEqual(said["upstream"], upstream)
        tls = self.proxies.get("redis").proxy.backend.tls
        assert tls is not None
        self.assertEqual((tls.name, tls.verify), ("cache.example", False))
        other = f"tls:127.0.0.1:{self.backend}"
        changed = await self.say("PATCH", "/proxies/redis", {"upstream": other})
        self.assertEqual(changed["upstream"], other)
        await self.bad(
            "PATCH", "/proxies/redis", {"upstream": f"{other}:ca=/etc/ssl"}, "without more arguments"
        )

    async def test_openapi(self) -> None:
        """The description has them, with what they can be."""
        schemas = (await self.say("GET", "/openapi.json"))["components"]["schemas"]
        self.assertEqual(schemas["Proxy"]["properties"]["tls"]["enum"], ["auto", "file", None])
        new = schemas["NewProxy"]["properties"]
        self.assertEqual(new["tls"]["anyOf"][0]["enum"], ["auto", None])
        self.assertEqual(new["send_proxy"]["anyOf"][0]["enum"], ["off", "v1", "v2"])
        self.assertEqual({name for name in new if "tls" in name}, {"tls", "backend_tls_verify"})


class LiveTests(ApiCase):
    """Clients on real sockets."""

    def greet(self, listen: str, pem: str) -> bytes:
        """What a client is answered that speaks TLS, and trusts this authority."""
        context = ssl.create_default_context(cadata=pem)
        with (
            connect(int(listen.rpartition(":")[2])) as plain,
            context.wrap_socket(plain, server_hostname="app.example") as client,
        ):
            client.sendall(b"hello")
            return client.recv(100)

    async def test_blocking(self) -> None:
        """`Client` creates a proxy that speaks TLS, and knows whom its clients have to trust."""

        def use(client: Client) -> tuple[str, bytes]:
            made = client.create("a", f"127.0.0.1:{self.backend}", tls="auto")
            pem = client.ca()
            return pem, self.greet(made.listen, pem)

        pem, answer = await deferToThread(use, self.client())
        self.assertEqual((pem, answer), (self.proxies.keeper.authority.pem.decode(), b"one:hello"))

    async def test_awaited(self) -> None:
        """`AsyncClient` does, too; it may ask for the authority first."""
        client = AsyncClient(port=self.control)
        pem = await client.ca()
        made = await client.create("a", f"127.0.0.1:{self.backend}", tls="auto")
        self.assertEqual(await deferToThread(self.greet, made.listen, pem), b"one:hello")

    async def test_faults(self) -> None:
        """A rule makes the handshake fail, and a proxy without TLS has none that could."""
        client = self.client()
        secured = await deferToThread(client.create, "a", f"127.0.0.1:{self.backend}", tls="auto")
        rule = await deferToThread(secured.add_rule, "tls kind=wrong-name")
        with self.assertRaisesRegex(ssl.SSLCertVerificationError, "Hostname mismatch"):
            await deferToThread(self.greet, secured.listen, await deferToThread(client.ca))
        self.assertEqual(await deferToThread(rule.wait), 1)
        plain = await deferToThread(client.create, "b", f"127.0.0.1:{self.backend}")
        misfiring = await deferToThread(plain.add_rule, "tls kind=reset name=r")
        self.assertEqual(await self.ask(plain.listen), b"one:hello")
        self.assertEqual(await deferToThread(self.misfires, plain), (0, 1), misfiring.name)

    def misfires(self, handle: ProxyHandle) -> tuple[int, int]:
        """How often the only rule has fired, and how often it could not."""
        (rule,) = handle.rules()
        return rule["fired"], rule["misfired"]

    def setUp(self) -> None:
        super().setUp()
        self.control = int(self.url.rpartition(":")[2])

    def client(self) -> Client:
        """A blocking client."""
        return Client(port=self.control)


class AuthorityTests(ControlCase):
    """GET /ca.pem."""

    def test_pem(self) -> None:
        """A certificate in PEM, the same each time; there is one, once somebody asks."""
        answer = self.client.ask("GET", "/ca.pem")
        self.assertEqual((answer.status, answer.headers["content-type"]), (200, "application/x-pem-file"))
        self.assertEqual(answer.headers["cache-control"], "no-store")
        self.assertTrue(answer.body.startswith(b"-----BEGIN CERTIFICATE-----\n"))
        self.assertNotIn(b"PRIVATE", answer.body)
        self.assertEqual(self.client.ask("GET", "/ca.pem").body, answer.body)
        self.assertEqual(self.proxy.keeper.authority.pem, answer.body)

    def test_other_methods(self) -> None:
        """It is only read."""
        self.assertEqual(self.client.ask("POST", "/ca.pem", {}).status, 405)
        self.assertEqual(self.client.ask("HEAD", "/ca.pem").body, b"")

    def test_secured(self) -> None:
        """It is told to whoever shows the token, and to no foreign page."""
        client = RawClient(guarded(proxy(), token="secret"))
        self.assertEqual(client.get("/ca.pem", Host="localhost").status, 401)
        self.assertEqual(client.get("/ca.pem", Host="localhost", Authorization="Bearer secret").status, 200)
        self.assertEqual(self.client.get("/ca.pem", Host="evil.example").status, 403)

    def test_no_authority(self) -> None:
        """A file of --tls-ca that will not do is told of."""
        self.proxy.keeper = AuthorityKeeper("/nowhere.pem")
        answer = RawClient(guarded(self.proxy)).ask("GET", "/ca.pem")
        self.assertEqual(answer.status, 409)
        self.assertIn("/nowhere.pem", answer.problem[2])


class KeeperTests(SynchronousTestCase):
    """Whose authority it is."""

    def test_adopted(self) -> None:
        """Where somebody else has made the proxy, it is the one of that."""
        made = proxy()
        self.assertIs(Proxies.of(made).keeper, made.keeper)
        keeper = AuthorityKeeper()
        self.assertIs(Proxies.of(made, keeper=keeper).keeper, keeper)


class UnreachableTests(SynchronousTestCase):
    """Where there is no server."""

    def test_ca(self) -> None:
        """It is an error like all others."""
        self.assertRaises(VaurienError, Client(port=1).ca)
