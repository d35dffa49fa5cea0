"""SMTP through the proxy to OpenSMTPD, which has no pipelining, no chunks, and AUTH only after STARTTLS."""

from __future__ import annotations

import smtplib
import ssl

from txvaurien.test.mailservers import OpenSMTPD
from txvaurien.test.support import connect
from txvaurien.test.test_smtp_live import DOTS, ENVELOPE, LOOKING, RECIPIENT, SENDER, refusing, swaks
from txvaurien.test.test_smtp_live import LiveCase as Case
from txvaurien.test.test_smtp_real_words import CONTENT, DATA, EHLO, MAIL, last_reply

#: More than the server takes.
_LARGE = b"0123456789\r\n" * 1000 + b".\r\n"
_NOBODY = b"RCPT TO:<eve@example.org>\r\n"


def everything(port: int) -> list[object]:
    """What smtplib can do without TLS; what came of it."""
    with smtplib.SMTP("127.0.0.1", port, local_hostname="me.example.org", timeout=60) as client:
        results: list[object] = [client.helo(), client.ehlo(), client.esmtp_features]
        results += [client.vrfy(RECIPIENT), client.noop(), client.docmd("NONSENSE"), client.docmd("DATA")]
        results += [client.mail(SENDER), client.rset()]
        results.append(client.sendmail(SENDER, [RECIPIENT, "eve@example.org"], DOTS))
        results.append(client.docmd("BDAT", "3"))
    return results


def pipelined(port: int) -> list[bytes]:
    """The replies to commands that do not wait for each other, up to the end."""
    with connect(port) as client, client.makefile("rb") as lines:
        lines.readline()
        client.sendall(b"HELO me\r\n" + ENVELOPE + b"QUIT\r\n")
        return lines.readlines()


def with_tls(port: int) -> object:
    """STARTTLS, a log-in with the right and the wrong password, and a mail; or why there is no TLS."""
    results: list[object] = []
    for password in ("secret", "wrong"):
        with smtplib.SMTP("127.0.0.1", port, local_hostname="me.example.org", timeout=60) as client:
            try:
                results += [client.starttls(), client.login("ann", password), client.ehlo()]
                results.append(client.sendmail(SENDER, RECIPIENT, DOTS))
            except smtplib.SMTPAuthenticationError as error:
                results.append(error.args)
            except ssl.SSLError as error:
                # OpenSMTPD 6.8 with OpenSSL 3 agrees on TLS and then cannot sign: the same must be seen.
                client.close()
                results.append(error.reason)
    return results


class OpenSMTPDTests(Case):
    """In front of OpenSMTPD."""

    async def test_same_as_direct(self) -> None:
        """Every reply and every mail is the same as without a proxy, looked at or not."""
        server = self.start_server(OpenSMTPD())
        direct = await self.in_thread(everything, server.port)
        for plan in (None, LOOKING):
            service = self.proxy(server.port, plan)
            self.assertEqual(await self.in_thread(everything, service.port), direct)
            self.assertEqual(self.opaque, [])
        await self.until(lambda: len(server.mails()) == 3)
        bodies = {mail.partition(b"\n\n")[2] for mail in server.mails()}
        self.assertEqual(bodies, {DOTS.partition(b"\r\n\r\n")[2].replace(b"\r\n", b"\n")})

    async def test_pipelined(self) -> None:
        """It does not offer pipelining; what it answers to a client that does it anyway is the same."""
        server = self.start_server(OpenSMTPD())
        service = self.proxy(server.port, LOOKING)
        both = [await self.in_thread(pipelined, port) for port in (server.port, service.port)]
        self.assertEqual(both[0], both[1])
        self.assertEqual(self.opaque, [])

    async def test_starttls(self) -> None:
        """STARTTLS, and AUTH after it, go as direct: after the 220 nothing is read any more."""
        server = self.start_server(OpenSMTPD())
        service = self.proxy(server.port, LOOKING)
        both = [await self.in_thread(with_tls, port) for port in (server.port, service.port)]
        self.assertEqual(both[0], both[1])
        self.assertEqual(len(self.opaque), 2)

    async def test_strip(self) -> None:
        """Its offer of TLS is taken out, and all else stays."""
        server = self.start_server(OpenSMTPD())
        service = self.proxy(server.port, starttls="strip")
        others, mine = [await self.in_thread(self._offers, port) for port in (server.port, service.port)]
        self.assertEqual(set(others) - set(mine), {"starttls"})
        self.assertEqual({**mine, "starttls": ""}, others)

    @staticmethod
    def _offers(port: int) -> dict[str, str]:
        with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
            client.ehlo()
            return client.esmtp_features

    async def test_swaks(self) -> None:
        """swaks sends a mail, which is delivered."""
        server = self.start_server(OpenSMTPD())
        service = self.proxy(server.port, LOOKING)
        status, text = await self.run_tool(*swaks(service))
        self.assertEqual(status, 0, text)
        await self.until(lambda: len(server.mails()) == 1)
        self.assertEqual(self.opaque, [])

    async def test_in_step(self) -> None:
        """After a refused MAIL, RCPT, DATA or CONTENT the same connection brings a mail in."""
        server = self.start_server(OpenSMTPD())
        for verb, steps in (
            ("MAIL", (EHLO, MAIL)),
            ("RCPT", DATA[:3]),
            ("DATA", DATA),
            ("CONTENT", (*DATA, CONTENT)),
        ):
            service = self.proxy(server.port, refusing("rejected", verb))
            said = await self.in_thread(last_reply, service.port, (*steps, b"RSET\r\n", *DATA[1:], CONTENT))
            self.assertEqual(said[:4], b"250 ", verb)
        await self.until(lambda: len(server.mails()) == 4)

    async def test_codes(self) -> None:
        """550 is its code, too, without an enhanced one; it says 554 where RFC 5321 has 552."""
        server = self.start_server(OpenSMTPD())
        service = self.proxy(server.port, refusing("mailbox-unavailable", "RCPT"))
        both = [
            await self.in_thread(last_reply, port, (EHLO, MAIL, _NOBODY))
            for port in (server.port, service.port)
        ]
        self.assertEqual([said[:4] for said in both], [b"550 "] * 2)
        service = self.proxy(server.port, refusing("too-big", "CONTENT"))
        both = [
            await self.in_thread(last_reply, port, (*DATA, _LARGE)) for port in (server.port, service.port)
        ]
        self.assertEqual([said[:10] for said in both], [b"554 5.3.4 ", b"552 5.3.4 "])
