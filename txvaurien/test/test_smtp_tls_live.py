"""`starttls = terminate` in front of real mail servers, with clients that verify whom they speak with."""

from __future__ import annotations

import smtplib
import ssl
import subprocess
from pathlib import Path
from typing import Any

from txvaurien.behaviors.error import Error
from txvaurien.behaviors.tls import Tls
from txvaurien.model import Direction
from txvaurien.net.ends import Ends
from txvaurien.plan import PlacedToxic, Plan
from txvaurien.protocols.smtp import Smtp
from txvaurien.rules import Rule
from txvaurien.service import ProxyService
from txvaurien.test.mailservers import Aiosmtpd, Postfix
from txvaurien.test.servers import ServerProcess, require, wait_until
from txvaurien.test.support import ProxyCase
from txvaurien.test.test_smtp_live import DOTS, LARGE, RECIPIENT, SENDER
from txvaurien.tls.authority import Authority
from txvaurien.tls.certificates import Spoil
from txvaurien.toxics.latency import Latency


class Shown(Aiosmtpd):
    """aiosmtpd with this certificate."""

    def __init__(self, authority: Authority, spoil: Spoil = Spoil.NONE) -> None:
        super().__init__()
        self._pem = authority.issue(["127.0.0.1"], spoil).pem()

    def command(self) -> Any:
        command = super().command()
        for name in ("cert.pem", "key.pem"):
            (self.folder / name).write_bytes(self._pem)
        return command


class TlsCase(ProxyCase):
    """A server with a certificate of an authority of its own, and a proxy that trusts that one."""

    def setUp(self) -> None:
        """The authorities, and their files."""
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.authority = Authority.make()
        self.server_ca = self._written("server-ca.pem", self.authority.pem)

    def _written(self, name: str, data: bytes) -> str:
        (self.folder / name).write_bytes(data)
        return str(self.folder / name)

    def postfix(self) -> Postfix:
        """A Postfix that wants TLS before it takes a mail."""
        file = self._written("server.pem", self.authority.issue(["127.0.0.1"]).pem())
        return self.start_server(
            Postfix(
                f"smtpd_tls_cert_file = {file}",
                f"smtpd_tls_key_file = {file}",
                "smtpd_tls_security_level = encrypt",
            )
        )

    def secured(self, server: ServerProcess, plan: Plan | None = None, ends: Ends | None = None) -> int:
        """The port of a proxy; `self.ca` is the file with its authority."""
        ends = ends or Ends(backend_tls_ca=self.server_ca)
        service = self.start_proxy(Smtp(starttls="terminate"), server.port, plan, ends=ends, timeout=10.0)
        self.ca = self._written("proxy-ca.pem", service.proxy.keeper.authority.pem)
        return self._watched(service)

    def _watched(self, service: ProxyService) -> int:
        self.service = service
        self.events: list[tuple[str, dict[str, Any]]] = []
        service.proxy.observers.append(lambda name, link, fields: self.events.append((name, fields)))
        assert service.port is not None
        return service.port

    def happened(self, name: str) -> list[dict[str, Any]]:
        """The events of this name."""
        return [fields for event, fields in self.events if event == name]


def send(port: int, ca: str, *mails: bytes) -> list[object]:
    """Send these after STARTTLS, verifying the server; what came of each."""
    came: list[object] = []
    with smtplib.SMTP("127.0.0.1", port, local_hostname="me.example.org", timeout=60) as client:
        client.starttls(context=ssl.create_default_context(cafile=ca))
        for mail in mails:
            try:
                came.append(client.sendmail(SENDER, RECIPIENT, mail))
            except smtplib.SMTPException as error:
                came.append((type(error).__name__, *error.args[:1]))
    return came


def outcome(port: int, ca: str) -> tuple[str, str]:
    """What smtplib makes of a server: the class of its exception, and its words."""
    try:
        with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
            client.starttls(context=ssl.create_default_context(cafile=ca))
            client.noop()
    except (OSError, smtplib.SMTPException) as error:
        return type(error).__name__, str(error).partition(" (_ssl.c")[0]
    return "", ""


def dialogue(port: int, ca: str, lines: str) -> str:
    """What is said to these lines after STARTTLS, to OpenSSL's client."""
    where = ("-starttls", "smtp", "-connect", f"127.0.0.1:{port}", "-CAfile", ca)
    command = [require("openssl", "openssl"), "s_client", *where, "-verify_return_error", "-quiet", "-crlf"]
    done = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


def once(kind: str, verb: str) -> Plan:
    """The first such message is refused."""
    return Plan(rules=(Rule(Error(kind=kind), verbs=frozenset({verb}), times=1),), seed=1)


class PostfixTests(TlsCase):
    """In front of a Postfix that wants TLS."""

    async def test_mails(self) -> None:
        """Mails get there, large ones too, and a rule fires inside of TLS."""
        server = self.postfix()
        port = self.secured(server, once("rejected", "CONTENT"))
        came = await self.in_thread(send, port, self.ca, DOTS, DOTS, LARGE)
        self.assertEqual(came, [("SMTPDataError", 554), {}, {}])
        await self.in_thread(wait_until, lambda: len(server.mails()) == 2, lambda: "no mails")
        self.assertEqual(self.happened("opaque"), [])

    async def test_tls_unavailable(self) -> None:
        """A refused STARTTLS leaves the link plain: Postfix, which has not heard of it, wants it first."""
        port = self.secured(self.postfix(), once("tls-unavailable", "STARTTLS"))

        def script() -> tuple[Any, Any, Any]:
            with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
                first = client.docmd("STARTTLS")[0]
                wants = client.mail(SENDER)[0]
                client.starttls(context=ssl.create_default_context(cafile=self.ca))
                return first, wants, client.sendmail(SENDER, RECIPIENT, DOTS)

        self.assertEqual(await self.in_thread(script), (454, 530, {}))

    async def test_slow(self) -> None:
        """Toxics in both directions do not keep TLS from beginning."""
        server = self.postfix()
        for direction in Direction:
            placed = PlacedToxic(Latency(latency=30, jitter=20), direction)
            port = self.secured(server, Plan(toxics=(placed,), seed=1))
            self.assertEqual(await self.in_thread(send, port, self.ca, DOTS), [{}])

    async def test_openssl(self) -> None:
        """OpenSSL's own client verifies the proxy's certificate; QUIT is answered, and TLS ends in order."""
        port = self.secured(self.postfix())
        done = await self.in_thread(dialogue, port, self.ca, "EHLO me\nQUIT\n")
        self.assertIn("221 2.0.0 Bye", done)
        self.assertNotIn("unexpected eof", done)
        self.assertIn("verify failed", await self.in_thread(dialogue, port, self.server_ca, "QUIT\n"))


class HandshakeTests(TlsCase):
    """Handshakes that fail, as smtplib sees it."""

    async def test_certificates(self) -> None:
        """It says the same as to a server that has such a certificate."""
        good = self.start_server(Shown(self.authority))
        self.assertEqual(await self.in_thread(outcome, good.port, self.server_ca), ("", ""))
        for spoil in (Spoil.EXPIRED, Spoil.WRONG_NAME, Spoil.UNKNOWN_AUTHORITY):
            real = self.start_server(Shown(self.authority, spoil))
            seen = await self.in_thread(outcome, real.port, self.server_ca)
            self.assertEqual(seen[0], "SSLCertVerificationError")
            port = self.secured(good, Plan.only(Tls(kind=spoil.value), seed=1))
            self.assertEqual(await self.in_thread(outcome, port, self.ca), seen)

    async def test_refused(self) -> None:
        """A server with which no parameters can be agreed on."""
        port = self.secured(self.start_server(Shown(self.authority)), Plan.only(Tls(kind="refused"), seed=1))
        name, words = await self.in_thread(outcome, port, self.ca)
        self.assertEqual(name, "SSLError")
        self.assertIn("handshake failure", words.lower())

    async def test_reset(self) -> None:
        """A connection that is reset when TLS has been agreed on."""
        port = self.secured(self.start_server(Shown(self.authority)), Plan.only(Tls(kind="reset"), seed=1))
        name, _ = await self.in_thread(outcome, port, self.ca)
        self.assertIn(name, ("ConnectionResetError", "SMTPServerDisconnected"))
        await self.until(lambda: not self.service.proxy.links)

    async def test_stalled(self) -> None:
        """When the rule goes, the mail is sent after all."""
        port = self.secured(self.start_server(Shown(self.authority)), Plan.only(Tls(kind="stalled"), seed=1))
        waiting = self.in_thread(send, port, self.ca, DOTS)
        await self.until(lambda: bool(self.happened("fired")))
        for _ in range(20):
            await self.turn()
        self.service.proxy.set_plan(Plan(seed=1))
        self.assertEqual(await waiting, [{}])

    async def test_server_not_trusted(self) -> None:
        """The client sees an end, and nothing hangs."""
        port = self.secured(self.start_server(Shown(self.authority)), ends=Ends())
        name, _ = await self.in_thread(outcome, port, self.ca)
        self.assertNotEqual(name, "")
        await self.until(lambda: not self.service.proxy.links)
        self.assertEqual([each["side"] for each in self.happened("handshake-failed")], ["backend"])
