"""mysql with `tls = terminate`: both sides go over to TLS, and the link stays visible. In memory."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.blackout import Blackout
from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.dummy import Dummy
from txvaurien.behaviors.error import Error
from txvaurien.behaviors.tls import Tls
from txvaurien.model import Direction
from txvaurien.net.ends import Ends
from txvaurien.plan import PlacedToxic, Plan
from txvaurien.protocols.mysql import MySQL, wire
from txvaurien.rules import Rule
from txvaurien.test import mysql_samples as samples
from txvaurien.test.memory import MemoryProxy
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
from txvaurien.toxics.blackhole import Blackhole
from txvaurien.toxics.latency import Latency

#: What the client can; the server of the samples can everything.
SECURE = samples.PLAIN | wire.CLIENT_SSL
GREETING = samples.packets(samples.greeting())
REQUEST = samples.packets(samples.login(SECURE)[:32], seq=1)
LOGIN = samples.packets(samples.login(SECURE), seq=2)
WELCOME = samples.packets(samples.ok(), seq=3)
UPDATE = samples.packets(samples.query("UPDATE stock SET n = 1"))
SELECT = samples.packets(samples.query("SELECT id FROM stock"))
ROWS = samples.packets(*samples.rows(b"1", b"2"), seq=1)


def one(kind: str, *verbs: str) -> Plan:
    """Refuse the first of these."""
    return Plan(rules=(Rule(Error(kind=kind), verbs=frozenset(verbs), times=1),), seed=1)


class Talk:
    """A client and a server that have greeted each other, with a proxy between them."""

    def __init__(self, plan: Plan | None = None, greeting: bytes = GREETING, ends: Ends = UNVERIFIED) -> None:
        self.proxy = MemoryProxy(plan, MySQL(tls="terminate"), ends=ends, keeper=keeper())
        client, backend = self.proxy.pair()
        self.client, self.backend = TlsPeer(client), TlsPeer(backend)
        self.backend.says(greeting)
        self.go_on()

    def go_on(self) -> None:
        """Until nobody has anything more to say."""
        converse(self.proxy, self.client, self.backend)

    def asks_for_tls(self, sizes: Iterator[int] | None = None, request: bytes = REQUEST) -> None:
        """The client does, and does not wait: nobody will answer that."""
        if sizes is not None:
            self.client.sizes = sizes
        self.client.forget()
        self.client.says(request)
        self.client.goes_over(client_engine())
        self.go_on()

    def goes_over(
        self,
        sizes: Iterator[int] | None = None,
        spoil: Spoil = Spoil.NONE,
        request: bytes = REQUEST,
    ) -> None:
        """Both sides do."""
        self.asks_for_tls(sizes, request)
        self.backend.goes_over(server_engine(spoil), request)
        self.go_on()

    def asks(self, request: bytes, reply: bytes) -> tuple[bytes, bytes]:
        """What the server hears of a request, and the client of its reply."""
        self.client.says(request)
        self.go_on()
        heard = self.backend.forget()
        if heard:
            self.backend.says(reply)
            self.go_on()
        return heard, self.client.forget()

    def logs_in(self) -> None:
        """In TLS."""
        self.goes_over()
        self.asks(LOGIN, WELCOME)

    def late(self, seconds: float) -> None:
        """Until nobody has anything more to say, before this time and after it."""
        self.go_on()
        self.proxy.pass_time(seconds)
        self.go_on()

    def happened(self, name: str) -> list[dict[str, Any]]:
        """The events of this name."""
        return self.proxy.named(name)


class GoingOverTests(SynchronousTestCase):
    """Both sides go over to TLS when the client asks for it."""

    def test_both_sides(self) -> None:
        """The log-in and all that follows pass as they are said, each side in its own TLS."""
        talk = Talk()
        self.assertEqual(talk.client.heard, GREETING)
        talk.goes_over()
        self.assertEqual((talk.client.agreed, talk.backend.agreed), (True, True))
        self.assertEqual(talk.asks(LOGIN, WELCOME), (LOGIN, WELCOME))
        self.assertEqual(talk.asks(SELECT, ROWS), (SELECT, ROWS))
        self.assertEqual(talk.happened("opaque"), [])
        self.assertNotIn(b"ann", talk.proxy.links[1].session.rest(Direction.TO_BACKEND))

    def test_every_split(self) -> None:
        """Wherever the bytes around the request are cut, TLS begins behind its last one."""
        for cut in range(len(REQUEST) + 12):
            talk = Talk()
            talk.goes_over(itertools.chain((cut,), itertools.repeat(1 << 20)))
            self.assertEqual(talk.asks(LOGIN, WELCOME), (LOGIN, WELCOME), cut)

    def test_byte_by_byte(self) -> None:
        """Both sides say everything one byte at a time, from the greeting to the rows."""
        talk = Talk()
        talk.backend.sizes = itertools.repeat(1)
        talk.goes_over(itertools.repeat(1))
        for request, reply in ((LOGIN, WELCOME), (SELECT, ROWS)):
            self.assertEqual(talk.asks(request, reply), (request, reply))

    def test_large(self) -> None:
        """A result of 16 MB comes through whole."""
        talk = Talk()
        talk.logs_in()
        text = b"\xfd" + (16_000_000).to_bytes(3, "little") + b"x" * 16_000_000
        reply = samples.packets(b"\1", samples.column(), samples.eof(), text, samples.eof(), seq=1)
        heard, said = talk.asks(SELECT, reply)
        self.assertEqual(heard, SELECT)
        self.assertTrue(said == reply)

    def test_compressed(self) -> None:
        """The compressed protocol begins in TLS after the log-in, and rules fire in it."""
        talk = Talk(one("deadlock", "UPDATE"))
        wanted = samples.login(SECURE | wire.CLIENT_COMPRESS)
        talk.goes_over(request=samples.packets(wanted[:32], seq=1))
        login = samples.packets(wanted, seq=2)
        self.assertEqual(talk.asks(login, WELCOME), (login, WELCOME))
        heard, said = talk.asks(squeezed(UPDATE, 0), b"")
        self.assertEqual(heard, b"")
        self.assertIn(b"\x01\xff" + (1213).to_bytes(2, "little"), said)
        asked, answered = squeezed(SELECT, 0), squeezed(ROWS, 1)
        self.assertEqual(talk.asks(asked, answered), (asked, answered))

    def test_what_counts(self) -> None:
        """As in servers, what counts is what the client said when it asked for TLS, not later."""
        talk = Talk()
        talk.goes_over()
        login = samples.packets(samples.login(SECURE | wire.CLIENT_COMPRESS), seq=2)
        self.assertEqual(talk.asks(login, WELCOME), (login, WELCOME))
        self.assertEqual(talk.asks(SELECT, ROWS), (SELECT, ROWS))
        self.assertEqual(talk.happened("opaque"), [])

    def test_toxics(self) -> None:
        """While the request is inside a toxic, TLS does not overtake it."""
        for stream in Direction:
            placed = PlacedToxic(Latency(latency=500), stream)
            talk = Talk(Plan(toxics=(placed,), seed=1))
            talk.late(1)
            talk.client.forget()
            talk.client.says(REQUEST)
            talk.client.goes_over(client_engine())
            talk.late(1)
            talk.backend.goes_over(server_engine(), REQUEST)
            talk.late(1)
            for request, reply in ((LOGIN, WELCOME), (SELECT, ROWS)):
                talk.client.says(request)
                talk.late(1)
                self.assertEqual(talk.backend.forget(), request, stream)
                talk.backend.says(reply)
                talk.late(1)
                self.assertEqual(talk.client.forget(), reply, stream)

    def test_toxic_that_loses(self) -> None:
        """Where the request never comes out of a toxic, the handshake is given up in time."""
        placed = PlacedToxic(Blackhole(), Direction.TO_BACKEND)
        talk = Talk(Plan(toxics=(placed,), seed=1))
        talk.asks_for_tls()
        self.assertEqual(talk.backend.heard, b"")
        talk.proxy.pass_time(talk.proxy.proxy.timeout)
        self.assertEqual(talk.happened("handshake-failed")[0]["side"], "backend")

    def test_without(self) -> None:
        """A client that does not ask logs in plainly, and rules fire for it."""
        talk = Talk(one("deadlock", "UPDATE"))
        talk.client.forget()
        login = samples.packets(samples.login(), seq=1)
        welcome = samples.packets(samples.ok(), seq=2)
        self.assertEqual(talk.asks(login, welcome), (login, welcome))
        self.assertFalse(talk.proxy.links[1].session.edits)
        heard, said = talk.asks(UPDATE, b"")
        self.assertEqual((heard, said[3:7]), (b"", b"\x01\xff" + (1213).to_bytes(2, "little")))

    def test_not_offered(self) -> None:
        """Where the server offers no TLS the client is offered none."""
        greeting = samples.packets(samples.greeting(samples.EVERYTHING & ~wire.CLIENT_SSL))
        talk = Talk(greeting=greeting)
        self.assertEqual(talk.client.forget(), greeting)
        self.assertFalse(talk.proxy.links[1].session.edits)
        login = samples.packets(samples.login(), seq=1)
        self.assertEqual(talk.asks(login, WELCOME), (login, WELCOME))

    def test_plain_text_after_the_request(self) -> None:
        """What comes behind the request in plain text is taken for TLS, and reaches nobody."""
        talk = Talk()
        talk.client.says(REQUEST + LOGIN + UPDATE)
        talk.go_on()
        talk.backend.goes_over(server_engine(), REQUEST)
        talk.go_on()
        self.assertEqual(talk.backend.heard, b"")
        (failed,) = talk.happened("handshake-failed")
        self.assertEqual(failed["side"], "client")
        self.assertEqual(talk.client.transport.ended, "fin")

    def test_server_that_goes_on(self) -> None:
        """What the server says in plain text behind the request is not taken for what is said in TLS."""
        talk = Talk()
        talk.asks_for_tls()
        talk.backend.says(WELCOME)
        talk.go_on()
        self.assertEqual(talk.client.heard, b"")
        (failed,) = talk.happened("handshake-failed")
        self.assertEqual(failed["side"], "backend")


class RuleTests(SynchronousTestCase):
    """Rules fire before, during and after the change."""

    def test_command(self) -> None:
        """An error stands in place of a reply, in TLS; the next command is answered by the server."""
        talk = Talk(one("deadlock", "UPDATE"))
        talk.logs_in()
        heard, said = talk.asks(UPDATE, b"")
        self.assertEqual(heard, b"")
        self.assertEqual(said[3:13], b"\x01\xff" + (1213).to_bytes(2, "little") + b"#40001")
        self.assertEqual(talk.asks(SELECT, ROWS), (SELECT, ROWS))

    def test_log_in(self) -> None:
        """A refused log-in has the number that follows the client's."""
        talk = Talk(one("access-denied", "LOGIN"))
        talk.goes_over()
        heard, said = talk.asks(LOGIN, b"")
        self.assertEqual((heard, said[3:7]), (b"", b"\x03\xff" + (1045).to_bytes(2, "little")))
        self.assertEqual(talk.client.transport.ended, "fin")

    def test_request_for_tls(self) -> None:
        """The request itself can be named: the link is closed, and the server has heard of nothing."""
        talk = Talk(one("gone-away", "SSL_REQUEST"))
        talk.asks_for_tls()
        self.assertEqual((talk.backend.heard, talk.client.transport.ended), (b"", "fin"))

    def test_named(self) -> None:
        """A rule that does nothing to the request does not keep TLS from beginning."""
        talk = Talk(Plan(rules=(Rule(Dummy(), verbs=frozenset({"SSL_REQUEST"})),), seed=1))
        talk.goes_over()
        self.assertEqual(talk.asks(LOGIN, WELCOME), (LOGIN, WELCOME))

    def test_delayed(self) -> None:
        """A request that is held back takes with it what the client has said in TLS already."""
        talk = Talk(Plan(rules=(Rule(Delay(sleep=2), verbs=frozenset({"SSL_REQUEST"})),), seed=1))
        talk.asks_for_tls()
        self.assertEqual(talk.backend.heard, b"")
        talk.late(3)
        talk.backend.goes_over(server_engine(), REQUEST)
        talk.go_on()
        self.assertEqual(talk.asks(LOGIN, WELCOME), (LOGIN, WELCOME))

    def test_blackout(self) -> None:
        """A link that ends at the request: what the client has said in TLS already reaches nobody."""
        talk = Talk(Plan(rules=(Rule(Blackout(), verbs=frozenset({"SSL_REQUEST"})),), seed=1))
        talk.asks_for_tls()
        self.assertEqual((talk.backend.heard, talk.client.heard), (b"", b""))
        self.assertEqual((talk.client.transport.ended, talk.happened("opaque")), ("fin", []))

    def test_on_connect(self) -> None:
        """An error in place of the greeting is said in plain text, as servers do it."""
        plan = Plan(rules=(Rule(Error(kind="too-many-connections"), verbs=frozenset({"CONNECT"})),), seed=1)
        proxy = MemoryProxy(plan, MySQL(tls="terminate"), ends=UNVERIFIED, keeper=keeper())
        client = proxy.client()
        self.assertIn(b"Too many connections", client.received)
        self.assertEqual(client.ended, "fin")

    def test_password(self) -> None:
        """In TLS the password may be said as it is; no event shows it, nor a refusal."""
        talk = Talk(one("access-denied", "AUTH"))
        talk.goes_over()
        full = samples.packets(b"\1\4", seq=3)
        self.assertEqual(talk.asks(LOGIN, full), (LOGIN, full))
        heard, said = talk.asks(samples.packets(b"hunter2\0", seq=4), b"")
        self.assertEqual((heard, said[3:7]), (b"", b"\x05\xff" + (1045).to_bytes(2, "little")))
        self.assertNotIn("hunter2", repr(talk.proxy.events))

    def test_handshake(self) -> None:
        """The behavior `tls` makes the handshake fail where the protocol begins it."""
        for fault, ended in ((Tls(kind="refused"), "fin"), (Tls(kind="reset"), "rst")):
            talk = Talk(Plan.only(fault, seed=1))
            talk.goes_over()
            self.assertEqual(talk.client.heard, b"")
            self.assertEqual(talk.client.transport.ended, ended, fault.kind)
            self.assertEqual(talk.happened("handshake-failed")[0]["side"], "client")

    def test_certificates(self) -> None:
        """A certificate with which something is wrong is refused by the client, and the link ends."""
        for kind in ("expired", "unknown-authority"):
            talk = Talk(Plan.only(Tls(kind=kind), seed=1))
            talk.goes_over()
            self.assertNotEqual(talk.client.failed, "", kind)
            self.assertEqual(talk.happened("handshake-failed")[0]["side"], "client", kind)
            self.assertEqual(talk.client.transport.ended, "fin", kind)


class StalledTests(SynchronousTestCase):
    """A handshake that stands still goes on when the rule goes."""

    def test_removed(self) -> None:
        """The client is logged in then as if nothing had been."""
        talk = Talk(Plan.only(Tls(kind="stalled"), seed=1))
        talk.goes_over()
        talk.proxy.pass_time(1000)
        talk.go_on()
        self.assertFalse(talk.client.agreed)
        talk.proxy.proxy.set_plan(Plan(seed=1))
        talk.go_on()
        self.assertEqual(talk.asks(LOGIN, WELCOME), (LOGIN, WELCOME))


class VerifyingTests(SynchronousTestCase):
    """The server's certificate is verified."""

    def test_known(self) -> None:
        """One of an authority that is named will do."""
        talk = Talk(ends=verifying(Path(self.mktemp())))
        talk.goes_over()
        self.assertEqual(talk.asks(LOGIN, WELCOME), (LOGIN, WELCOME))

    def test_not_taken(self) -> None:
        """One that will not do ends the link; the log says what to do."""
        faults: Sequence[Spoil] = (Spoil.UNKNOWN_AUTHORITY, Spoil.EXPIRED, Spoil.WRONG_NAME)
        for spoil in faults:
            talk = Talk(ends=verifying(Path(self.mktemp())))
            talk.goes_over(spoil=spoil)
            (failed,) = talk.happened("handshake-failed")
            self.assertEqual(failed["side"], "backend", spoil)
            self.assertEqual(talk.client.transport.ended, "fin", spoil)
            self.assertEqual(talk.client.heard, b"")


def squeezed(data: bytes, seq: int) -> bytes:
    """One packet of the compressed protocol."""
    body = zlib.compress(data)
    return len(body).to_bytes(3, "little") + bytes((seq,)) + len(data).to_bytes(3, "little") + body
