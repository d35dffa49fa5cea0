"""smtp with `starttls = terminate`: both sides go over to TLS, and the link stays visible. In memory."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.abort import Abort
from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.error import Error
from txvaurien.behaviors.tls import Tls
from txvaurien.model import Direction
from txvaurien.net.ends import Ends
from txvaurien.plan import PlacedToxic, Plan
from txvaurien.protocols.smtp import Smtp
from txvaurien.rules import Rule
from txvaurien.test.memory import MemoryProxy
from txvaurien.test.smtp_talk import BODY, BYE, DATA, GREETING, MAIL, OK, QUIT, RCPT, REAL_GO_AHEAD, REJECTED
from txvaurien.test.tls_talk import (
    UNVERIFIED,
    TlsPeer,
    client_engine,
    converse,
    keeper,
    server_engine,
    verifying,
)
from txvaurien.tls.certificates import Spoil
from txvaurien.toxics.latency import Latency

EHLO = b"EHLO me\r\n"
OFFERS = b"250-mx\r\n250-STARTTLS\r\n250 PIPELINING\r\n"
STARTTLS = b"STARTTLS\r\n"
READY = b"220 2.0.0 Ready to start TLS\r\n"
NOT_NOW = b"454 4.7.0 TLS not available due to local problem\r\n"


def one(kind: str, verb: str) -> Plan:
    """Refuse the first of these."""
    return Plan(rules=(Rule(Error(kind=kind), verbs=frozenset({verb}), times=1),), seed=1)


class Talk:
    """A client and a server, the first of which has said EHLO, with a proxy between them."""

    def __init__(self, plan: Plan | None = None, ends: Ends = UNVERIFIED, seconds: float = 0.0) -> None:
        self.proxy = MemoryProxy(plan, Smtp(starttls="terminate"), ends=ends, keeper=keeper())
        client, backend = self.proxy.pair()
        self.client, self.backend = TlsPeer(client), TlsPeer(backend)
        self.seconds = seconds
        self.backend.says(GREETING)
        self.go_on()
        self.client.forget()
        assert self.asks(EHLO, OFFERS) == (EHLO, OFFERS)

    def go_on(self) -> None:
        """Until nobody has anything more to say; before and after the time that toxics take."""
        converse(self.proxy, self.client, self.backend)
        if self.seconds:
            self.proxy.pass_time(self.seconds)
            converse(self.proxy, self.client, self.backend)

    def asks(self, request: bytes, reply: bytes) -> tuple[bytes, bytes]:
        """What the server hears of a request, and the client of its reply."""
        self.client.says(request)
        self.go_on()
        heard = self.backend.forget()
        if heard and reply:
            self.backend.says(reply)
            self.go_on()
        return heard, self.client.forget()

    def goes_over(self, sizes: Iterator[int] | None = None, spoil: Spoil = Spoil.NONE) -> None:
        """Both sides do, one after the other, as the protocol has it."""
        if sizes is not None:
            self.client.sizes, self.backend.sizes = itertools.tee(sizes)
        self.client.says(STARTTLS)
        self.go_on()
        assert self.backend.forget() == STARTTLS
        self.backend.says(READY)
        self.backend.goes_over(server_engine(spoil))
        self.go_on()
        if self.client.heard:
            self.client.goes_over(client_engine(), READY)
        self.go_on()

    def mail(self) -> list[bytes]:
        """A mail in TLS, from EHLO to QUIT; what the client hears."""
        said = ((EHLO, OFFERS), (MAIL, OK), (RCPT, OK), (DATA, REAL_GO_AHEAD), (BODY, OK), (QUIT, BYE))
        return [self.asks(request, reply)[1] for request, reply in said]

    def happened(self, name: str) -> list[dict[str, Any]]:
        """The events of this name."""
        return self.proxy.named(name)


WHOLE = [OFFERS, OK, OK, REAL_GO_AHEAD, OK, BYE]


class GoingOverTests(SynchronousTestCase):
    """Both sides go over to TLS when the server has said that it is ready."""

    def test_both_sides(self) -> None:
        """A mail passes in TLS, and there is no second greeting."""
        talk = Talk()
        talk.goes_over()
        self.assertEqual((talk.client.agreed, talk.backend.agreed), (True, True))
        self.assertEqual(talk.mail(), WHOLE)
        self.assertEqual(talk.happened("opaque"), [])

    def test_every_split(self) -> None:
        """Wherever the bytes of the request and its reply are cut, TLS begins behind them."""
        for cut in range(1, len(READY) + 12):
            talk = Talk()
            talk.goes_over(itertools.chain((cut,), itertools.repeat(1 << 20)))
            self.assertEqual(talk.asks(EHLO, OFFERS), (EHLO, OFFERS), cut)

    def test_byte_by_byte(self) -> None:
        """Both sides say everything one byte at a time."""
        talk = Talk()
        talk.goes_over(itertools.repeat(1))
        self.assertEqual(talk.mail(), WHOLE)

    def test_lmtp(self) -> None:
        """In LMTP a content is answered once for each recipient, in TLS too."""
        talk = Talk(one("rejected", "CONTENT"))
        talk.goes_over()
        for request, reply in ((b"LHLO me\r\n", OFFERS), (MAIL, OK), (RCPT, OK), (RCPT, OK)):
            self.assertEqual(talk.asks(request, reply), (request, reply))
        self.assertEqual(talk.asks(DATA, b""), (b"RSET\r\n", b"354 End data with <CR><LF>.<CR><LF>\r\n"))
        talk.backend.says(OK)
        self.assertEqual(talk.asks(BODY, b"")[1], REJECTED * 2)

    def test_forgotten(self) -> None:
        """Recipients of before do not count in TLS: a DATA is left to the server (RFC 3207, 4.2)."""
        talk = Talk(one("rejected", "CONTENT"))
        talk.asks(MAIL, OK)
        talk.asks(RCPT, OK)
        talk.goes_over()
        no = b"503 5.5.1 Error: need RCPT command\r\n"
        self.assertEqual(talk.asks(DATA, no), (DATA, no))

    def test_not_now(self) -> None:
        """Where the server says 454 nothing changes; a later STARTTLS is another try."""
        talk = Talk()
        self.assertEqual(talk.asks(STARTTLS, NOT_NOW), (STARTTLS, NOT_NOW))
        self.assertEqual(talk.asks(MAIL, OK), (MAIL, OK))
        talk.goes_over()
        self.assertEqual(talk.mail(), WHOLE)

    def test_again(self) -> None:
        """In TLS a STARTTLS is a command like others, which servers refuse."""
        talk = Talk()
        talk.goes_over()
        no = b"554 5.5.1 Error: TLS already active\r\n"
        self.assertFalse(talk.proxy.links[1].session.edits)
        self.assertEqual(talk.asks(STARTTLS, no), (STARTTLS, no))
        self.assertEqual(talk.mail(), WHOLE)

    def test_again_after_all(self) -> None:
        """If a server takes it nevertheless, what follows is TLS in TLS, which nobody reads."""
        talk = Talk()
        talk.goes_over()
        self.assertEqual(talk.asks(STARTTLS, READY), (STARTTLS, READY))
        self.assertIn("encrypted", talk.happened("opaque")[0]["why"])
        self.assertEqual(talk.asks(b"\x16\3\1", b"\x16\3\3"), (b"\x16\3\1", b"\x16\3\3"))

    def test_toxics(self) -> None:
        """While the reply is inside a toxic, TLS does not overtake it."""
        for direction in Direction:
            talk = Talk(Plan(toxics=(PlacedToxic(Latency(latency=500), direction),), seed=1), seconds=1)
            talk.goes_over()
            self.assertEqual(talk.mail(), WHOLE, direction)


class EarlyTests(SynchronousTestCase):
    """Who says too much before TLS begins: CVE-2011-0411 and its like."""

    def test_commands(self) -> None:
        """Commands behind STARTTLS are not said in TLS: they are taken for TLS, which they are not."""
        talk = Talk()
        talk.client.says(STARTTLS + MAIL + RCPT)
        talk.go_on()
        self.assertEqual(talk.backend.forget(), STARTTLS)
        talk.backend.says(READY)
        talk.backend.goes_over(server_engine())
        talk.go_on()
        (failed,) = talk.happened("handshake-failed")
        self.assertEqual(failed["side"], "client")
        self.assertEqual(talk.backend.heard, b"")
        self.assertEqual(talk.client.transport.ended, "fin")

    def test_replies(self) -> None:
        """Replies behind the 220 are not taken for what was said in TLS."""
        talk = Talk()
        talk.client.says(STARTTLS)
        talk.go_on()
        talk.backend.says(READY + OK)
        talk.go_on()
        self.assertEqual(talk.client.forget(), READY)
        (failed,) = talk.happened("handshake-failed")
        self.assertEqual(failed["side"], "backend")

    def test_refused_by_the_server(self) -> None:
        """If there will be no TLS they pass, as they would without a proxy, but nobody reads them."""
        talk = Talk()
        talk.client.says(STARTTLS + MAIL)
        talk.go_on()
        self.assertEqual(talk.backend.forget(), STARTTLS)
        talk.backend.says(NOT_NOW)
        talk.go_on()
        self.assertEqual((talk.client.forget(), talk.backend.forget()), (NOT_NOW, MAIL))
        self.assertIn("before its STARTTLS", talk.happened("opaque")[0]["why"])
        self.assertEqual(talk.asks(RCPT, OK + OK), (RCPT, OK + OK))

    def test_refused_by_a_rule(self) -> None:
        """If a rule refuses the STARTTLS they are commands like others."""
        talk = Talk(one("tls-unavailable", "STARTTLS"))
        self.assertEqual(talk.asks(STARTTLS + MAIL, OK), (MAIL, NOT_NOW + OK))
        self.assertEqual(talk.happened("opaque"), [])

    def test_too_much(self) -> None:
        """What is held back has a bound."""
        talk = Talk()
        talk.client.says(STARTTLS + b"NOOP\r\n" * 10_000)
        talk.go_on()
        self.assertIn("before its STARTTLS", talk.happened("opaque")[0]["why"])
        self.assertEqual(len(talk.backend.forget()), len(STARTTLS) + 60_000)

    def test_hang_up(self) -> None:
        """A client that goes away before the answer leaves nothing behind."""
        talk = Talk()
        talk.client.says(STARTTLS)
        talk.go_on()
        talk.client.transport.fins()
        talk.backend.says(READY)
        talk.backend.goes_over(server_engine())
        talk.go_on()
        talk.proxy.pass_time(60)
        self.assertEqual((talk.client.transport.lost, talk.backend.transport.lost), (True, True))


class RuleTests(SynchronousTestCase):
    """Rules fire before, during and after the change."""

    def test_refused(self) -> None:
        """A refused STARTTLS leaves the link plain, and the server has not heard of it."""
        talk = Talk(one("tls-unavailable", "STARTTLS"))
        self.assertEqual(talk.asks(STARTTLS, b""), (b"", NOT_NOW))
        self.assertEqual(talk.mail(), WHOLE)

    def test_delayed(self) -> None:
        """A delay, before STARTTLS or before its reply, puts the change off and nothing else."""
        talk = Talk(Plan(rules=(Rule(Delay(sleep=2), verbs=frozenset({"STARTTLS"})),), seed=1), seconds=3)
        talk.goes_over()
        self.assertEqual(talk.mail(), WHOLE)

    def test_reply_lost(self) -> None:
        """If the reply is cut off, both ends go: the server is in TLS, and the client never will be."""
        talk = Talk(Plan(rules=(Rule(Abort(), verbs=frozenset({"STARTTLS"})),), seed=1))
        talk.client.says(STARTTLS)
        talk.go_on()
        talk.backend.says(READY)
        talk.go_on()
        self.assertEqual(talk.client.heard, b"")
        self.assertEqual((talk.client.transport.ended, talk.backend.transport.ended), ("fin", "fin"))

    def test_command(self) -> None:
        """An error in TLS, and both sides stay in step."""
        talk = Talk(one("greylisted", "RCPT"))
        talk.goes_over()
        self.assertEqual(talk.asks(EHLO, OFFERS), (EHLO, OFFERS))
        self.assertEqual(talk.asks(MAIL, OK), (MAIL, OK))
        heard, said = talk.asks(RCPT, b"")
        self.assertEqual((heard, said[:9]), (b"", b"451 4.7.1"))
        self.assertEqual(talk.asks(RCPT, OK), (RCPT, OK))

    def test_content(self) -> None:
        """A refused content is kept from the server in TLS as it is outside of it."""
        talk = Talk(one("rejected", "CONTENT"))
        talk.goes_over()
        for request, reply in ((EHLO, OFFERS), (MAIL, OK), (RCPT, OK)):
            talk.asks(request, reply)
        self.assertEqual(talk.asks(DATA, OK), (b"RSET\r\n", b"354 End data with <CR><LF>.<CR><LF>\r\n"))
        self.assertEqual(talk.asks(BODY, b""), (b"", REJECTED))
        self.assertEqual(talk.mail(), WHOLE)

    def test_greeting(self) -> None:
        """An error in place of the greeting is said in plain text."""
        proxy = MemoryProxy(
            one("connect-unavailable", "CONNECT"),
            Smtp(starttls="terminate"),
            ends=UNVERIFIED,
            keeper=keeper(),
        )
        client = proxy.client()
        self.assertTrue(client.received.startswith(b"421 4.3.2"))
        self.assertEqual(client.ended, "fin")

    def test_credentials(self) -> None:
        """What is said to log in shows nowhere."""
        talk = Talk(one("auth-failed", "CREDENTIALS"))
        talk.goes_over()
        talk.asks(EHLO, OFFERS)
        talk.asks(b"AUTH LOGIN\r\n", b"334 VXNlcm5hbWU6\r\n")
        heard, said = talk.asks(b"aHVudGVyMg==\r\n", b"501 5.7.0 Cancelled\r\n")
        self.assertEqual((heard, said[:3]), (b"*\r\n", b"535"))
        self.assertNotIn("aHVudGVyMg", repr(talk.proxy.events))

    def test_handshake(self) -> None:
        """The behavior `tls` makes the handshake fail where STARTTLS begins it."""
        kinds = ((Tls(kind="refused"), "fin"), (Tls(kind="reset"), "rst"), (Tls(kind="expired"), "fin"))
        for fault, ended in kinds:
            talk = Talk(Plan.only(fault, seed=1))
            talk.goes_over()
            self.assertEqual(talk.client.heard, b"")
            self.assertEqual(talk.client.transport.ended, ended, fault.kind)
            self.assertEqual(talk.happened("handshake-failed")[0]["side"], "client")

    def test_stalled(self) -> None:
        """A handshake that stands still goes on when the rule goes."""
        talk = Talk(Plan.only(Tls(kind="stalled"), seed=1))
        talk.goes_over()
        talk.proxy.pass_time(1000)
        self.assertFalse(talk.client.agreed)
        talk.proxy.proxy.set_plan(Plan(seed=1))
        talk.go_on()
        self.assertEqual(talk.mail(), WHOLE)


class VerifyingTests(SynchronousTestCase):
    """The server's certificate is verified."""

    def test_known(self) -> None:
        """One of an authority that is named will do."""
        talk = Talk(ends=verifying(Path(self.mktemp())))
        talk.goes_over()
        self.assertEqual(talk.mail(), WHOLE)

    def test_not_taken(self) -> None:
        """One that will not do ends the link."""
        talk = Talk(ends=verifying(Path(self.mktemp())))
        talk.goes_over(spoil=Spoil.UNKNOWN_AUTHORITY)
        (failed,) = talk.happened("handshake-failed")
        self.assertEqual(failed["side"], "backend")
        self.assertEqual(talk.client.transport.ended, "fin")
