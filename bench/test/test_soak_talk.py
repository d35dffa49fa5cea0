"""The clients and servers of the soak, with nothing between them, and what becomes of mails."""

from __future__ import annotations

import asyncio
import random
from functools import partial
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bench.soak import tcp, visit, web
from bench.soak.conn import Warden
from bench.soak.content import Pad
from bench.soak.facts import Effect
from bench.soak.ledger import Ledger, Record
from bench.soak.mail import REFUSED, TAKEN, UNKNOWN, Mail, PostOffice, content_of, stuffed
from bench.soak.tcp import Hello
from bench.soak.values import NOTHING, Store


def scene() -> visit.Scene:
    """One where nobody thinks."""
    return visit.Scene(Pad(1), Warden(20.0), Ledger(), pace=0.0)


async def visits(count: int) -> list[Record]:
    """Some of tcp and of http, straight to the servers."""
    here = scene()
    tcp_server = tcp.TcpServer(here)
    talks: list[tuple[str, visit.Talk, asyncio.Server]] = [
        ("tcp", partial(tcp.talk, here, tcp_server), await here.warden.serve(0, tcp_server.handle)),
        ("http", partial(web.talk, here), await here.warden.serve(0, web.WebServer(here).handle)),
    ]
    for name, talk, server in talks:
        port = server.sockets[0].getsockname()[1]
        for number in range(count):
            await visit.visit(here, name, port, random.Random(number), talk)
        server.close()
    return here.ledger.waiting


class TalkTests(SynchronousTestCase):
    """Talks of clients with our servers."""

    def test_direct(self) -> None:
        """Where nothing is between them nothing is odd, and each end has what the other sent."""
        records = asyncio.run(visits(12))
        for record in records:
            self.assertEqual(record.oddities, [])
            if record.rude:
                continue
            self.assertTrue(record.whole)
            for stream in record.streams:
                self.assertEqual(
                    (stream.received.length, stream.received.digest, stream.ending),
                    (stream.sent.length, stream.sent.digest, "fin"),
                )
        self.assertEqual(len(records), 24)

    def test_hello(self) -> None:
        """A hello is read as it was written, and is not believed if a byte of it is another."""
        hello = Hello("12345678", 1, 2, 3, 4)
        data = hello.encode()
        self.assertEqual((Hello.decode(data), len(data)), (hello, tcp.HELLO_SIZE))
        for place in range(len(data)):
            bent = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
            self.assertIsNone(Hello.decode(bent))


class StoreTests(SynchronousTestCase):
    """What may be under a key."""

    def setUp(self) -> None:
        """A store with one value."""
        self.store = Store(scene(), Record("redis", "token"), random.Random(1), largest=100)
        self.version, self.size, self.value = self.store.new_value("k")
        self.store.stored("k", self.version, self.size)

    def test_there(self) -> None:
        """What was stored is there, and nothing else is taken for it."""
        self.assertTrue(self.store.check("k", self.value, 1))
        self.assertFalse(self.store.check("k", None, 1))
        for other in (
            self.value + b"x",
            self.value[:-1],
            self.store.new_value("k")[2],
            self.store.new_value("l")[2],
        ):
            self.assertRaises(visit.Wrong, self.store.check, "k", other, 1)

    def test_in_doubt(self) -> None:
        """Where nobody knows, the next reading tells, and holds from then on."""
        version, size, value = self.store.new_value("k")
        self.store.may_be_stored("k", version, size)
        self.assertTrue(self.store.check("k", value, 1))
        self.assertRaises(visit.Wrong, self.store.check, "k", self.value, 2)

    def test_nothing(self) -> None:
        """What was deleted is not there."""
        self.store.stored("k", NOTHING)
        self.assertTrue(self.store.check("k", None, 1))
        self.assertRaises(visit.Wrong, self.store.check, "k", self.value, 2)


class MailTests(SynchronousTestCase):
    """What has become of mails."""

    def setUp(self) -> None:
        """A post office, and a folder of a server."""
        self.office = PostOffice(scene())
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.effects = {"t": Effect.CUT}

    def sent(self, fate: str, copies: int = 1, cut: int = 0) -> list[str]:
        """One mail of this fate, of which there are so many copies: what nothing explains."""
        mail = Mail("t-1", 500, Record("smtp", "t"), fate)
        self.office.mails[mail.nonce] = mail
        content = content_of(self.office.scene, mail.nonce, mail.size)
        for number in range(copies):
            kept = content[: len(content) - cut]
            (self.folder / f"{number}.mail").write_bytes(b"envelope\r\n" + kept)
        return self.office.count(self.folder, self.effects, tainted=False)

    def test_fates(self) -> None:
        """Taken ones are there once, refused ones are not; of others nobody knows."""
        for fate, good in ((TAKEN, {1}), (REFUSED, {0}), (UNKNOWN, {0, 1})):
            for copies in (0, 1, 2):
                self.assertEqual(not self.sent(fate, copies), copies in good, (fate, copies))
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_whole(self) -> None:
        """A mail that is there is there to its end, unless its link has lost something."""
        self.assertEqual(len(self.sent(TAKEN, cut=5)), 1)
        self.effects = {"t": Effect.LOSE_UP}
        self.assertEqual(self.sent(TAKEN, cut=5), [])

    def test_of_nobody(self) -> None:
        """A mail that nobody sent is explained by bytes that were bent."""
        (self.folder / "1.mail").write_bytes(b"envelope\r\nX-Nonce: other\r\n\r\n")
        self.assertEqual(len(self.office.count(self.folder, {}, tainted=False)), 1)
        (self.folder / "1.mail").write_bytes(b"envelope\r\nX-Nonce: other\r\n\r\n")
        self.assertEqual(self.office.count(self.folder, {}, tainted=True), [])

    def test_dots(self) -> None:
        """Lines that begin with a dot get another one, and the end is one by itself."""
        self.assertEqual(stuffed(b".a\r\nb\r\n..c\r\n"), b"..a\r\nb\r\n...c\r\n.\r\n")
