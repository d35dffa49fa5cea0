"""SMTP and LMTP through the proxy, with real servers and real clients."""

from __future__ import annotations

import smtplib
import socket
import subprocess
from typing import Any

from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.error import Error
from txvaurien.plan import Plan
from txvaurien.protocols.smtp import Smtp
from txvaurien.rules import Rule
from txvaurien.service import ProxyService
from txvaurien.test.mailservers import Aiosmtpd, Postfix, SmtpSink
from txvaurien.test.servers import require
from txvaurien.test.support import ProxyCase, connect

SENDER, RECIPIENT = "ann@example.org", "bob@example.org"
DOTS = b"Subject: dots\r\n\r\n.\r\n..\r\n.one\r\nlast .\r\n"
LARGE = b"Subject: large\r\n\r\n" + b".0123456789 abcdef\r\n" * 150_000

#: A plan in which everything is looked at, and nothing is done.
LOOKING = Plan(rules=(Rule(Error(), verbs=frozenset({"XCLIENT"})),), seed=1)


def everything(port: int) -> list[object]:
    """All that smtplib can do; what came of it."""
    results: list[object] = []
    with smtplib.SMTP("127.0.0.1", port, local_hostname="me.example.org", timeout=60) as client:
        results += [client.helo(), client.ehlo(), client.esmtp_features]
        results += [client.vrfy(RECIPIENT), client.expn("all"), client.noop(), client.docmd("NONSENSE")]
        results += [client.mail(SENDER), client.rset(), client.docmd("DATA"), client.docmd("BDAT", "3")]
        some = [RECIPIENT, "refuse-451-4.7.1@example.org", "eve@example.org"]
        results.append(client.sendmail(SENDER, some, DOTS))
        eight_bit = "Subject: äöü\r\n\r\nß\r\n".encode()
        results.append(client.sendmail("jürgen@exämple.org", some, eight_bit, ["SMTPUTF8", "BODY=8BITMIME"]))
        results.append(client.sendmail("", RECIPIENT, LARGE))
    return results + [
        login(port, mechanism, word) for mechanism in MECHANISMS for word in ("secret", "wrong")
    ]


MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5")


def login(port: int, mechanism: str, password: str) -> object:
    """Log in, and send a mail if that went well."""
    with smtplib.SMTP("127.0.0.1", port, local_hostname="me.example.org", timeout=60) as client:
        client.ehlo()
        client.user, client.password = "ann", password
        step: Any = getattr(client, "auth_" + mechanism.lower().replace("-", "_"))
        try:
            return client.auth(mechanism, step), client.sendmail(SENDER, RECIPIENT, DOTS)
        except smtplib.SMTPAuthenticationError as error:
            return error.args


class Dialogue:
    """A client that says exactly what it is told to."""

    def __init__(self, port: int) -> None:
        self._socket = connect(port)
        self._lines = self._socket.makefile("rb")
        self.reply()

    def reply(self) -> bytes:
        """The last line of the next reply."""
        while True:
            line = self._lines.readline()
            if line[3:4] != b"-":
                return line.rstrip()

    def say(self, data: bytes, replies: int = 1) -> list[bytes]:
        """Send bytes; the codes of so many replies."""
        self.send(data)
        return [self.reply()[:3] for _ in range(replies)]

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self._socket.sendall(data)

    def close(self) -> None:
        """Hang up."""
        self._lines.close()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


ENVELOPE = f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{RECIPIENT}>\r\n".encode()


def refused_and_not(port: int, refused: tuple[bytes, int], whole: tuple[bytes, int]) -> list[bytes]:
    """A mail, another one, and the end: the codes of all replies from the greeting on."""
    dialogue = Dialogue(port)
    codes = dialogue.say(b"EHLO me\r\n")
    for data, replies in (refused, whole):
        *commands, content = data.split(b"DATA\r\n", 1)
        if commands:
            codes += dialogue.say(commands[0] + b"DATA\r\n", replies - 1)
            codes += dialogue.say(content) if codes[-1] == b"354" else []
        else:
            codes += dialogue.say(data, replies)
    codes += dialogue.say(b"QUIT\r\n")
    dialogue.close()
    return codes


def two_lmtp_mails(port: int) -> list[bytes]:
    """The codes of all replies to two mails for two recipients each."""
    dialogue = Dialogue(port)
    codes = dialogue.say(b"LHLO me\r\n")
    for _ in range(2):
        codes += dialogue.say(ENVELOPE + b"RCPT TO:<eve@example.org>\r\nDATA\r\n", 4)
        codes += dialogue.say(b"Subject: y\r\n\r\nend\r\n.\r\n", 2)
    dialogue.close()
    return codes


class LiveCase(ProxyCase):
    """What the cases share."""

    def proxy(self, port: int, plan: Plan | None = None, **options: Any) -> ProxyService:
        """A proxy; what it saw that it could not follow is in `self.opaque`."""
        service = self.start_proxy(Smtp(**options), port, plan)
        self.opaque: list[str] = []
        service.proxy.observers.append(self._observe)
        return service

    def _observe(self, event: str, link: int, fields: dict[str, Any]) -> None:
        if event == "opaque":
            self.opaque.append(fields["why"])

    async def run_tool(self, *command: str) -> tuple[int, str]:
        """Run a program; its exit status, and all that it printed."""
        done = await self.in_thread(run_to_end, *command)
        return done.returncode, done.stdout.decode(errors="replace")


class AiosmtpdTests(LiveCase):
    """In front of aiosmtpd."""

    async def test_same_as_direct(self) -> None:
        """Every reply and every mail is the same as without a proxy, looked at or not."""
        server = self.start_server(Aiosmtpd())
        direct = await self.in_thread(everything, server.port)
        mails = server.mails()
        self.assertEqual(len(mails), 6)
        for plan in (None, LOOKING):
            service = self.proxy(server.port, plan)
            self.assertEqual(await self.in_thread(everything, service.port), direct)
            self.assertEqual(server.mails()[-6:], mails)
            self.assertEqual(self.opaque, [])

    async def test_starttls(self) -> None:
        """STARTTLS is agreed on through the proxy, which then does not follow any more."""
        server = self.start_server(Aiosmtpd())
        service = self.proxy(server.port, LOOKING)
        await self.in_thread(self._with_tls, service.port)
        self.assertEqual(len(server.mails()), 1)
        self.assertEqual(len(self.opaque), 1)

    async def test_strip(self) -> None:
        """The client does not learn that there is STARTTLS, all else it does."""
        server = self.start_server(Aiosmtpd())
        service = self.proxy(server.port, starttls="strip")
        with self.assertRaises(smtplib.SMTPNotSupportedError):
            await self.in_thread(self._with_tls, service.port)
        mine, others = [await self.in_thread(self._features, port) for port in (service.port, server.port)]
        self.assertEqual(set(others) - set(mine), {"starttls"})
        self.assertEqual(self.opaque, [])

    @staticmethod
    def _with_tls(port: int) -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
            client.starttls()
            client.sendmail(SENDER, RECIPIENT, DOTS)

    @staticmethod
    def _features(port: int) -> dict[str, str]:
        with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
            client.ehlo()
            return client.esmtp_features

    async def test_swaks(self) -> None:
        """swaks sends a mail, with and without log-in."""
        server = self.start_server(Aiosmtpd())
        service = self.proxy(server.port, LOOKING)
        login = ("--auth-user", "ann", "--auth-password", "secret", "--auth")
        for number, options in enumerate(((), (*login, "PLAIN"), (*login, "LOGIN")), 1):
            status, text = await self.run_tool(*swaks(service), *options)
            self.assertEqual(status, 0, text)
            self.assertEqual(len(server.mails()), number)
        self.assertEqual(self.opaque, [])

    async def test_real_words(self) -> None:
        """A wrong password is answered as this server answers it."""
        server = self.start_server(Aiosmtpd())
        service = self.proxy(server.port, refusing("auth-failed", "CREDENTIALS"))
        self.assertEqual(
            await self.in_thread(login, server.port, "LOGIN", "wrong"),
            await self.in_thread(login, service.port, "LOGIN", "secret"),
        )


def swaks(service: ProxyService) -> tuple[str, ...]:
    """swaks, with what it needs to send a mail through this proxy."""
    where = ("--server", "127.0.0.1", "--port", str(service.port), "--helo", "me.example.org")
    return (require("swaks", "swaks"), *where, "--from", SENDER, "--to", RECIPIENT)


def run_to_end(*command: str) -> subprocess.CompletedProcess[bytes]:
    """Run a program, both its outputs in one."""
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=100, check=False)


def refusing(kind: str, verb: str, times: int = 1) -> Plan:
    """The first such message is refused."""
    return Plan(rules=(Rule(Error(kind=kind), verbs=frozenset({verb}), times=times),), seed=1)


class PostfixTests(LiveCase):
    """In front of Postfix, which takes chunks and pipelines."""

    async def test_chunks_and_pipelines(self) -> None:
        """BDAT, PIPELINING and DATA give the same codes and the same mails as direct."""
        server = self.start_server(Postfix())
        service = self.proxy(server.port, LOOKING)
        chunks = (ENVELOPE + b"BDAT 14\r\nSubject: x\r\n\r\nBDAT 6 LAST\r\n.\r\nab\n", 4)
        dots = (ENVELOPE + b"DATA\r\nSubject: y\r\n\r\n..\r\nend\r\n.\r\n", 4)
        codes = [
            await self.in_thread(refused_and_not, port, chunks, dots) for port in self._both(server, service)
        ]
        self.assertEqual(codes[0], codes[1])
        self.assertEqual(codes[0], [b"250"] * 7 + [b"354", b"250", b"221"])
        await self._delivered(server, 4)
        self.assertEqual(sum(mail.endswith(b"\n.\nab\n") for mail in server.mails()), 2)
        self.assertEqual(sum(mail.endswith(b"\n.\nend\n") for mail in server.mails()), 2)
        self.assertEqual(self.opaque, [])

    async def test_in_step(self) -> None:
        """After a refused DATA, CONTENT or BDAT the same connection brings the next mail in."""
        server = self.start_server(Postfix())
        service = self.proxy(server.port)
        dots = ENVELOPE + b"DATA\r\nSubject: y\r\n\r\n..\r\nend\r\n.\r\n"
        chunk = ENVELOPE + b"BDAT 14 LAST\r\nSubject: x\r\n\r\n"
        tries = (
            ("rejected", "CONTENT", (dots, 4), [b"250", b"250", b"354", b"554"]),
            ("rejected", "CONTENT", (chunk, 3), [b"250", b"250", b"554"]),
            ("insufficient-storage", "BDAT", (chunk, 3), [b"250", b"250", b"452"]),
            ("local-error", "DATA", (dots, 4), [b"250", b"250", b"451"]),
            ("mailbox-busy", "RCPT", (dots, 4), [b"250", b"450", b"554"]),
        )
        for number, (kind, verb, refused, expected) in enumerate(tries, 1):
            service.proxy.set_plan(refusing(kind, verb))
            whole = (b"RSET\r\n" + dots, 5) if verb in ("DATA", "RCPT") else (dots, 4)
            codes = await self.in_thread(refused_and_not, service.port, refused, whole)
            after = [b"250"] * (whole[1] - 2) + [b"354", b"250", b"221"]
            self.assertEqual(codes, [b"250", *expected, *after], (kind, verb))
            await self._delivered(server, number)
        self.assertEqual(self.opaque, [])

    async def test_swaks(self) -> None:
        """swaks pipelines, and the mail is delivered."""
        server = self.start_server(Postfix())
        service = self.proxy(server.port, LOOKING)
        status, text = await self.run_tool(*swaks(service), "--pipeline")
        self.assertEqual(status, 0, text)
        await self._delivered(server, 1)
        self.assertEqual(self.opaque, [])

    async def _delivered(self, server: Postfix, mails: int) -> None:
        await self.until(lambda: len(server.mails()) == mails)

    @staticmethod
    def _both(server: Postfix, service: ProxyService) -> tuple[int, int]:
        assert service.port is not None
        return server.port, service.port


class LoadTests(LiveCase):
    """Many mails on many connections, with Postfix's tools."""

    async def test_smtp(self) -> None:
        """Two thousand mails on twenty connections at once, a connection each: no error."""
        await self._load((), ("-m", "2000", "-s", "20", "-l", "5000", "-r", "3"))

    async def test_long_links(self) -> None:
        """The same where connections are kept."""
        await self._load((), ("-d", "-m", "2000", "-s", "20", "-l", "5000", "-r", "3"))

    async def test_lmtp(self) -> None:
        """The same with LMTP, where each recipient is answered."""
        await self._load(("-L",), ("-L", "-m", "1000", "-s", "20", "-l", "5000", "-r", "3"))

    async def test_looked_at(self) -> None:
        """The same where some commands are delayed."""
        few = Plan(rules=(Rule(Delay(sleep=0.01), verbs=frozenset({"CONTENT", "RCPT"}), every=50),), seed=1)
        await self._load((), ("-m", "1000", "-s", "20", "-l", "5000", "-r", "3"), few)

    async def _load(self, sink: tuple[str, ...], source: tuple[str, ...], plan: Plan | None = None) -> None:
        server = self.start_server(SmtpSink(*sink))
        service = self.proxy(server.port, plan)
        where = f"127.0.0.1:{service.port}"
        command = require("smtp-source", "postfix")
        self.assertEqual(await self.run_tool(command, *source, "-f", SENDER, "-t", RECIPIENT, where), (0, ""))
        await self.until(lambda: not service.proxy.links)
        self.assertEqual(self.opaque, [])

    async def test_refused_lmtp(self) -> None:
        """A refused content is refused to each recipient, and the next mail goes in."""
        server = self.start_server(SmtpSink("-L"))
        service = self.proxy(server.port, refusing("rejected", "CONTENT"))
        codes = await self.in_thread(two_lmtp_mails, service.port)
        start = [b"250", b"250", b"250", b"354"]
        self.assertEqual(codes, [b"250", *start, b"554", b"554", *start, b"250", b"250"])

    async def test_lmtp_with_swaks(self) -> None:
        """swaks speaks LMTP to several recipients."""
        server = self.start_server(SmtpSink("-L"))
        service = self.proxy(server.port, LOOKING)
        options = ("--protocol", "LMTP", "--to", f"{RECIPIENT},eve@example.org")
        status, text = await self.run_tool(*swaks(service), *options)
        self.assertEqual(status, 0, text)
        self.assertEqual(self.opaque, [])
