"""The catalogue next to what Postfix says when it is brought to it, and to how it authenticates."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import BinaryIO

from txvaurien.behaviors.error import Error
from txvaurien.plan import Plan
from txvaurien.test.mailservers import Postfix
from txvaurien.test.servers import free_port
from txvaurien.test.support import connect
from txvaurien.test.test_smtp_live import ENVELOPE, LOOKING, MECHANISMS, LiveCase, login, refusing

Steps = Sequence[bytes]

EHLO = b"EHLO me\r\n"
MAIL, RCPT = (line + b"\r\n" for line in ENVELOPE.splitlines())
CONTENT = b"Subject: x\r\n\r\nbody\r\n.\r\n"
CHUNK = b"BDAT 16 LAST\r\nSubject: x\r\n\r\nab"
DATA = (EHLO, MAIL, RCPT, b"DATA\r\n")
#: A wrong password, in two ways.
PLAIN = b"AUTH PLAIN AGFubgB3cm9uZw==\r\n"
LOGIN = (EHLO, b"AUTH LOGIN YW5u\r\n", b"d3Jvbmc=\r\n")

#: What it is about, which Postfix puts before its words.
_SUBJECT = re.compile(rb"^(... [245]\.\d+\.\d+ )<[^>]*>: ")

_SASL = "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: {folder}/users\n"
_NO_DAEMON = "pwcheck_method: saslauthd\nsaslauthd_path: {folder}/none\nmech_list: PLAIN LOGIN\n"

#: Nothing is put off until RCPT: each command is told at once.
_AT_ONCE = "smtpd_delay_reject = no"
_PARTICULAR = (
    _AT_ONCE,
    "virtual_mailbox_maps = inline:{ ann@example.org=box/, bob@example.org=box/, busy@example.org=box/ }",
    "show_user_unknown_table_name = no",
    "smtpd_reject_unlisted_sender = yes",
    "smtpd_recipient_restrictions = check_recipient_access inline:{{busy@example.org = 450 4.2.0 busy}}",
    "header_checks = regexp:{{/^Subject:/ REJECT}}",
    "message_size_limit = 1000",
    "smtpd_tls_cert_file = /none",
)


def last_reply(port: int, steps: Steps) -> bytes:
    """Say these, each after the reply to the one before; the last line of the last reply."""
    with connect(port) as client, client.makefile("rb") as lines:
        said = one_reply(lines)
        for step in steps:
            client.sendall(step)
            said = one_reply(lines)
        return said


def last_words(port: int, steps: Steps) -> bytes:
    """The same where the server closes after that: the last reply, and what comes until the end."""
    with connect(port) as client, client.makefile("rb") as lines:
        said = one_reply(lines)
        for step in steps:
            client.sendall(step)
            said = one_reply(lines)
        return said + lines.read()


def one_reply(lines: BinaryIO) -> bytes:
    """The last line of the next reply."""
    while True:
        line = lines.readline()
        if line[3:4] != b"-":
            return line


def without_subject(reply: bytes) -> bytes:
    """The reply, without the address or command that Postfix puts before its words."""
    return _SUBJECT.sub(rb"\1", reply)


class WordsTests(LiveCase):
    """The same bytes, but for the address that the real ones are about."""

    async def both(self, server: Postfix, kind: str, verb: str, steps: Steps) -> list[bytes]:
        """The reply to the last of these, from the server, and from a proxy that refuses it."""
        service = self.proxy(server.port, refusing(kind, verb))
        return [await self.in_thread(last_reply, port, steps) for port in (server.port, service.port)]

    async def assertSame(self, server: Postfix, kind: str, verb: str, steps: Steps) -> None:
        """Both say the same, but for the address."""
        real, said = await self.both(server, kind, verb, steps)
        self.assertEqual(said, without_subject(real), (kind, verb))

    async def assertSameCodes(self, server: Postfix, kind: str, verb: str, steps: Steps) -> None:
        """The same where the server's words are those of somebody else."""
        real, said = await self.both(server, kind, verb, steps)
        self.assertEqual(said[:10], real[:10], (kind, verb))

    async def test_one_mail(self) -> None:
        """550, 552, 450 and 454 of a server that is particular."""
        server = self.start_server(Postfix(*_PARTICULAR))
        await self._users(server)
        await self._contents(server)
        await self._sizes(server)
        busy = (EHLO, MAIL, b"RCPT TO:<busy@example.org>\r\n")
        await self.assertSameCodes(server, "mailbox-busy", "RCPT", busy)
        await self.assertSame(server, "tls-unavailable", "STARTTLS", (EHLO, b"STARTTLS\r\n"))

    async def _users(self, server: Postfix) -> None:
        kind = "mailbox-unavailable"
        await self.assertSame(server, kind, "MAIL", (EHLO, b"MAIL FROM:<eve@example.org>\r\n"))
        await self.assertSame(server, kind, "RCPT", (EHLO, MAIL, b"RCPT TO:<eve@example.org>\r\n"))
        await self.assertSame(server, kind, "VRFY", (EHLO, b"VRFY eve@example.org\r\n"))

    async def _contents(self, server: Postfix) -> None:
        for steps in ((*DATA, CONTENT), (EHLO, MAIL, RCPT, CHUNK)):
            await self.assertSame(server, "mailbox-unavailable", "CONTENT", steps)

    async def _sizes(self, server: Postfix) -> None:
        await self.assertSame(server, "too-big", "MAIL", (EHLO, b"MAIL FROM:<> SIZE=2000\r\n"))
        await self.assertSame(server, "too-big", "CONTENT", (*DATA, b"0123456789\r\n" * 200 + b".\r\n"))
        chunk = b"BDAT 2000 LAST\r\n" + b"12345678\r\n" * 200
        await self.assertSame(server, "too-big", "BDAT", (EHLO, MAIL, RCPT, chunk))

    async def test_access(self) -> None:
        """554 to each step that a restriction rejects."""
        chunked = (EHLO, MAIL, RCPT, CHUNK)
        cases: dict[str, tuple[tuple[str, Steps], ...]] = {
            "sender": (("MAIL", (EHLO, MAIL)),),
            "recipient": (("RCPT", (EHLO, MAIL, RCPT)),),
            "data": (("DATA", DATA), ("BDAT", chunked)),
            "end_of_data": (("CONTENT", (*DATA, CONTENT)), ("CONTENT", chunked)),
        }
        for name, steps_of in cases.items():
            server = self.start_server(Postfix(f"smtpd_{name}_restrictions = reject", _AT_ONCE))
            for verb, steps in steps_of:
                await self.assertSame(server, "rejected", verb, steps)

    async def test_local_errors(self) -> None:
        """451 where a table cannot be had, and where the cleanup server gives up."""
        server = self.start_server(Postfix("virtual_mailbox_maps = fail:broken"))
        await self.assertSame(server, "local-error", "RCPT", (EHLO, MAIL, RCPT))
        server = self.start_server(Postfix("header_checks = fail:broken"))
        await self.assertSame(server, "local-error", "CONTENT", (*DATA, CONTENT))

    async def test_put_off(self) -> None:
        """451 4.7.1 as of a filter that puts mail off."""
        server = self.start_server(Postfix("smtpd_milters = inet:127.0.0.1:1"))
        await self.assertSame(server, "greylisted", "MAIL", (EHLO, MAIL))

    async def test_storage(self) -> None:
        """452 of a full disk."""
        server = self.start_server(Postfix("queue_minfree = 100000000000000"))
        await self.assertSame(server, "insufficient-storage", "MAIL", (EHLO, MAIL))

    async def test_authentication(self) -> None:
        """454 without Cyrus SASL's daemon, but for the reason; the code of 535, which gives reasons, too."""
        for kind, sasl in (("auth-temporary", _NO_DAEMON), ("auth-failed", _SASL)):
            server = self.start_server(Postfix(sasl=sasl))
            for verb, steps in (("AUTH", (EHLO, PLAIN)), ("CREDENTIALS", LOGIN)):
                await self.assertSameCodes(server, kind, verb, steps)
                if kind == "auth-temporary":
                    real, said = await self.both(server, kind, verb, steps)
                    self.assertEqual(said, real.partition(b": ")[0] + b"\r\n")


class ConnectTests(LiveCase):
    """What is said in place of the greeting, and what ends a connection."""

    async def test_busy(self) -> None:
        """421 of postscreen that has no server to hand a client over to, which then closes."""
        server = self.start_server(Postfix(screened=True))
        real = await self.in_thread(last_words, server.port, ())
        for plan in (Plan.only(Error(kind="connect-unavailable"), seed=1), None):
            service = self.proxy(server.port if plan else free_port(), plan)
            self.assertEqual(await self.in_thread(last_words, service.port, ()), real)

    async def test_rejected(self) -> None:
        """554 of a server that wants nothing of this client."""
        server = self.start_server(Postfix("smtpd_client_restrictions = reject", _AT_ONCE))
        real = await self.in_thread(last_reply, server.port, ())
        service = self.proxy(server.port, Plan.only(Error(kind="connect-rejected"), seed=1))
        self.assertEqual(await self.in_thread(last_reply, service.port, ()), without_subject(real))

    async def test_closing(self) -> None:
        """421 in the middle is the last word of both. Postfix's code and words say why it does that."""
        server = self.start_server(Postfix("smtpd_hard_error_limit = 1", "smtpd_error_sleep_time = 0"))
        steps = (EHLO, b"NONSENSE\r\n")
        # This server answers, and says its last word unasked.
        real = await self.in_thread(last_words, server.port, steps)
        service = self.proxy(server.port, refusing("service-unavailable", "UNKNOWN"))
        said = await self.in_thread(last_words, service.port, steps)
        self.assertEqual(real[:4], b"500 ")
        self.assertRegex(real.partition(b"\n")[2], rb"^421 4\.7\.0 [^\n]+\n$")
        self.assertRegex(said, rb"^421 4\.3\.2 [^\n]+\n$")


class LoginTests(LiveCase):
    """AUTH with Cyrus SASL behind Postfix."""

    async def test_same_as_direct(self) -> None:
        """Right and wrong passwords with each mechanism, from smtplib; nothing goes opaque."""
        server = self.start_server(Postfix(sasl=_SASL))
        server.add_user("ann", "secret")
        service = self.proxy(server.port, LOOKING)
        for mechanism in MECHANISMS:
            for password in ("secret", "wrong"):
                results = [
                    await self.in_thread(login, port, mechanism, password)
                    for port in (server.port, service.port)
                ]
                self.assertEqual(results[0], results[1], (mechanism, password))
        self.assertEqual(self.opaque, [])
