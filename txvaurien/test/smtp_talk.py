"""A client and a mail server with a proxy in memory between them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.base import Behavior
from txvaurien.behaviors.error import Error
from txvaurien.exchange import LiveExchange
from txvaurien.plan import Plan
from txvaurien.protocols.smtp import Smtp
from txvaurien.rules import Rule
from txvaurien.test.memory import MemoryProxy

GREETING = b"220 mx ESMTP\r\n"
OK = b"250 2.0.0 Ok\r\n"
MAIL = b"MAIL FROM:<ann@example.org>\r\n"
RCPT = b"RCPT TO:<bob@example.org>\r\n"
DATA = b"DATA\r\n"
REAL_GO_AHEAD = b"354 go ahead\r\n"
BODY = b"Subject: x\r\n\r\nbody\r\n.\r\n"
RSET = b"RSET\r\n"
QUIT = b"QUIT\r\n"
BYE = b"221 2.0.0 Bye\r\n"
REJECTED = b"554 5.7.1 End-of-data rejected: Access denied\r\n"
STORAGE = b"452 4.3.1 Insufficient system storage\r\n"
CLOSING = b"421 4.3.2 Service not available, closing transmission channel\r\n"


class Lose(Behavior, frozen=True, kw_only=True):
    """Say yes, do nothing: the mail that is lost."""

    name = "lose"

    def on_before_handle(self, exchange: LiveExchange) -> bool:
        exchange.reply(b"250 2.0.0 Ok: queued\r\n")
        return False


class LateRefusal(Behavior, frozen=True, kw_only=True):
    """Refuse after a while, when the backend has been promised a content."""

    name = "late"
    kind: str = "rejected"

    async def on_before_handle(self, exchange: LiveExchange) -> bool:
        await exchange.sleep(1)
        exchange.refuse(self.kind)
        return False


class Talk:
    """A client and a server with a proxy between them; each says lines and checks what it got."""

    def __init__(self, case: SynchronousTestCase, *rules: Rule, starttls: str = "passthrough") -> None:
        protocol = Smtp(starttls="strip" if starttls == "strip" else "passthrough")
        self.case = case
        self.proxy = MemoryProxy(Plan(rules=rules, seed=1), protocol)
        self.client, self.backend = self.proxy.pair()
        self.server_says(GREETING)

    def client_says(self, data: bytes, arrives: bytes | None = None) -> None:
        """The client says this; the server gets `arrives`, or the same."""
        self.client.says(data)
        self.case.assertEqual(self.backend.received, data if arrives is None else arrives)
        self.backend.received = b""

    def server_says(self, data: bytes, arrives: bytes | None = None) -> None:
        """The server says this; the client gets `arrives`, or the same."""
        self.backend.says(data)
        self.client_has(data if arrives is None else arrives)

    def client_has(self, data: bytes) -> None:
        """The client has got this since the last time."""
        self.case.assertEqual(self.client.received, data)
        self.client.received = b""

    def envelope(self) -> None:
        """A sender and a recipient, taken by the server."""
        for line in (b"EHLO me\r\n", MAIL, RCPT):
            self.client_says(line)
            self.server_says(OK)

    def mail(self) -> None:
        """A whole mail goes through, and QUIT: both sides are in step."""
        self.envelope()
        self.client_says(DATA)
        self.server_says(REAL_GO_AHEAD)
        self.client_says(BODY)
        self.server_says(OK)
        self.client_says(QUIT)
        self.server_says(BYE)
        self.case.assertEqual(self.proxy.named("opaque"), [])


def once(kind: str, verb: str) -> Rule:
    """Refuse the first message of this verb."""
    return Rule(Error(kind=kind), verbs=frozenset({verb}), times=1)


def on(behavior: Behavior, verb: str) -> Rule:
    """Do this to the first message of this verb."""
    return Rule(behavior, verbs=frozenset({verb}), times=1)
