"""Tests of error-in-rows: the backend's rows, cut by an error."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.model import Exchange, Missed
from txvaurien.protocols.mysql import MySQL, wire
from txvaurien.test import mysql_samples as samples
from txvaurien.test.mysql_played import Played
from txvaurien.testing import TO_BACKEND, TO_CLIENT, Recorder, Step, frames_of

CUT = wire.error(1317, "70100", "Query execution was interrupted")
QUERY = samples.query("SELECT id FROM stock")
FETCH = b"\x1c\7\0\0\0\2\0\0\0"
LAST_ROW = wire.STATUS_AUTOCOMMIT | 0x80
PROGRESS = b"\xff\xff\xff\1\1\2\x10\x27\0\x0bcopy to tmp"


def exchange_of(recorder: Recorder, request: bytes) -> Exchange:
    """The exchange of a request, which the backend gets."""
    recorder.feed(TO_BACKEND, request)
    assert not recorder.error, recorder.error
    return recorder.seen[-1].exchange


def sizes(seed: int) -> Iterator[int]:
    """How long pieces are: one byte each, one piece, or anything."""
    random = Random(seed)
    while True:
        yield 1 if seed == 0 else 1 << 26 if seed == 1 else random.randint(1, 40)


class Cutter:
    """A session whose client has asked something, and the reply to it, edited as `error-in-rows` does."""

    def __init__(self, request: bytes, steps: Sequence[Step] = ()) -> None:
        recorder = Recorder(MySQL().session()).play(steps or samples.opened())
        self.session = recorder.session
        edit = self.session.refuse(exchange_of(recorder, request), "error-in-rows").edit
        assert edit is not None
        self.edit = edit
        self.missed = ""

    def cut(self, reply: bytes, seed: int = 0) -> bytes:
        """What the client gets of a reply that comes in pieces."""
        got, at, size = b"", 0, sizes(seed)
        while at < len(reply):
            step = next(size)
            for frame in frames_of(self.session, TO_CLIENT, reply[at : at + step]):
                got += self._edited(frame.forward)
            at += step
        return got

    def _edited(self, data: bytes) -> bytes:
        if self.missed:
            return data
        edited = self.edit(data)
        if isinstance(edited, Missed):
            self.missed = edited.why
            return edited.data
        return edited


class PlainTests(SynchronousTestCase):
    """The ordinary protocol: the same whatever the pieces."""

    def check(
        self, request: bytes, reply: Sequence[bytes], passed: Sequence[bytes], *steps: Step, seq: int = 1
    ) -> None:
        """Of the payloads of a reply, the client gets these and the error."""
        for seed in range(8):
            cutter = Cutter(samples.packets(request), steps)
            got = cutter.cut(samples.packets(*reply, seq=seq), seed)
            self.assertEqual(got, samples.packets(*passed, CUT, seq=seq), f"seed {seed}")
            self.assertEqual(cutter.missed, "")

    def missed(self, request: bytes, reply: Sequence[bytes], *steps: Step) -> None:
        """The reply passes as it is, and the rule has not fired."""
        for seed in range(8):
            cutter = Cutter(samples.packets(request), steps)
            raw = samples.packets(*reply, seq=1)
            self.assertEqual(cutter.cut(raw, seed), raw)
            self.assertIn("no rows", cutter.missed)

    def test_text(self) -> None:
        """Text rows: definitions, their end and one row are the backend's; the error has the next number."""
        reply = samples.rows(b"1", b"22", b"")
        self.check(QUERY, reply, reply[:4])

    def test_modern(self) -> None:
        """The same where rows end with an OK."""
        reply = samples.rows(b"1", b"22", modern=True)
        self.check(QUERY, reply, reply[:3], *samples.opened(samples.MODERN))

    def test_one_row(self) -> None:
        """With one row the error comes after it."""
        reply = samples.rows(b"1")
        self.check(QUERY, reply, reply[:4])

    def test_no_row(self) -> None:
        """With none it stands in place of the end of rows."""
        for modern in (False, True):
            reply = samples.rows(modern=modern)
            steps = samples.opened(samples.MODERN if modern else samples.PLAIN)
            self.check(QUERY, reply, reply[:-1], *steps)

    def test_binary(self) -> None:
        """Binary rows of an execution, with and without EOF packets."""
        self.check(
            samples.EXECUTE_FIRST,
            samples.BINARY_RESULT,
            samples.BINARY_RESULT[:4],
            *samples.opened(),
            samples.up(samples.PREPARE),
            samples.down(*samples.PREPARE_REPLY),
        )
        modern = [b"\1", samples.column(), samples.BINARY_ROW, samples.BINARY_ROW, samples.ok(header=0xFE)]
        self.check(
            samples.EXECUTE_FIRST, modern, modern[:3], *samples.opened(samples.MODERN), *PREPARED_MODERN
        )

    def test_fetch(self) -> None:
        """Rows that are fetched of a cursor have no definitions; nor need there be rows."""
        steps = (*samples.opened(), samples.up(samples.PREPARE), samples.down(*samples.PREPARE_REPLY))
        row, end = samples.BINARY_ROW, samples.eof(LAST_ROW)
        self.check(FETCH, [row, row, end], [row], *steps)
        self.check(FETCH, [end], [], *steps)
        steps = (*samples.opened(samples.MODERN), *PREPARED_MODERN)
        self.check(FETCH, [row, samples.ok(LAST_ROW, header=0xFE)], [row], *steps)

    def test_several(self) -> None:
        """The first result that has rows is cut, and those behind it are gone with them."""
        first = samples.rows(b"1", b"2", status=samples.MORE)
        reply = [samples.ok(samples.MORE), *first, *samples.rows(b"3")]
        self.check(samples.query("SELECT 1 INTO @a; SELECT 1; SELECT 2"), reply, reply[:5])

    def test_progress(self) -> None:
        """Reports of progress pass, and are counted."""
        reply = [b"\1", samples.column(), samples.eof(), PROGRESS, b"\0011", samples.eof()]
        self.check(QUERY, reply, reply[:5], *samples.opened(mariadb=True))

    def test_long_row(self) -> None:
        """A row of several packets passes whole."""
        definitions = samples.rows(b"")[:3]
        long = b"\xfd\xff\xff\xff" + bytes(wire.MAX_PAYLOAD - 4)
        for row in ([long, b"rest"], [long, b""]):
            raw = samples.packets(*definitions, *row, b"\1x", samples.eof(), seq=1)
            got = Cutter(samples.packets(QUERY)).cut(raw, seed=1)
            expected = samples.packets(*definitions, *row, CUT, seq=1)
            self.assertTrue(got == expected)

    def test_ok(self) -> None:
        """An OK, a chain of them, an error and a request for a file are no result sets."""
        self.missed(QUERY, [samples.ok()])
        self.missed(QUERY, [samples.ok(samples.MORE), samples.ok(samples.MORE), samples.ok()])
        self.missed(QUERY, [samples.err()])
        self.missed(QUERY, [samples.ok(samples.MORE), samples.err()])
        self.missed(QUERY, [b"\xfba.csv"])

    def test_error_of_the_server(self) -> None:
        """An error before the first row is the server's own."""
        self.missed(QUERY, [*samples.rows()[:-1], samples.err(1317)])

    def test_held_at_the_server(self) -> None:
        """What a server keeps for a cursor that was not asked for is no rows."""
        held = samples.eof(wire.STATUS_AUTOCOMMIT | wire.STATUS_CURSOR_EXISTS)
        self.missed(QUERY, [b"\1", samples.column(), held])

    def test_nothing_is_kept(self) -> None:
        """What passes is not held back until the row is whole."""
        cutter = Cutter(samples.packets(QUERY))
        definitions = samples.packets(*samples.rows(b"")[:3], seq=1)
        row = samples.packets(b"\xfc\x40\x1f" + b"y" * 8000, seq=4)
        self.assertEqual(cutter.cut(definitions + row[:6000], seed=1), definitions + row[:6000])
        self.assertEqual(cutter.cut(row[6000:], seed=1), row[6000:] + samples.packets(CUT, seq=5))


PREPARED_MODERN: Sequence[Step] = (
    samples.up(samples.PREPARE),
    samples.down(samples.PREPARED, samples.column(b"?"), samples.column(b"?"), samples.column()),
)


class CompressedTests(SynchronousTestCase):
    """The compressed protocol: what passes is packed anew, with numbers in a row."""

    def inside(self, raw: bytes) -> tuple[bytes, list[int]]:
        """The packets inside, and the numbers of those around them."""
        inside, numbers = b"", []
        while raw:
            length, before = int.from_bytes(raw[:3], "little"), int.from_bytes(raw[4:7], "little")
            body = raw[7 : 7 + length]
            inside += zlib.decompress(body) if before else body
            numbers.append(raw[3])
            raw = raw[7 + length :]
        return inside, numbers

    def replies(self, *payloads: bytes) -> Iterator[bytes]:
        """A reply as servers may pack it: in one packet or in several, deflated or not."""
        raw = samples.packets(*payloads, seq=1)
        for size in (len(raw), len(raw) // 3):
            for plain in (False, True):
                pieces = [raw[at : at + size] for at in range(0, len(raw), size)]
                packed = samples.squeezed([(TO_CLIENT, piece) for piece in pieces], plain=plain)
                yield b"".join(
                    data[:3] + bytes((1 + number,)) + data[4:] for number, (_, data) in enumerate(packed)
                )

    def asked(self) -> Cutter:
        """A client that has asked for rows."""
        request = samples.squeezed([samples.up(QUERY)])[0][1]
        return Cutter(request, samples.opened(samples.PLAIN | wire.CLIENT_COMPRESS))

    def test_cut(self) -> None:
        """The client gets the same as in the ordinary protocol."""
        payloads = samples.rows(b"1", b"22" * 40, b"3")
        for reply in self.replies(*payloads):
            for seed in range(8):
                inside, numbers = self.inside(self.asked().cut(reply, seed))
                self.assertEqual(inside, samples.packets(*payloads[:4], CUT, seq=1))
                self.assertEqual(numbers, [n % 256 for n in range(1, len(numbers) + 1)])

    def test_missed(self) -> None:
        """A reply without rows is the same inside."""
        payloads = [samples.ok(samples.MORE), samples.ok(info=b"what has changed" * 300)]
        for reply in self.replies(*payloads):
            for seed in range(3):
                cutter = self.asked()
                inside, numbers = self.inside(cutter.cut(reply, seed))
                self.assertEqual(inside, samples.packets(*payloads, seq=1))
                self.assertEqual(numbers, [n % 256 for n in range(1, len(numbers) + 1)])
                self.assertIn("no rows", cutter.missed)


class LinkTests(SynchronousTestCase):
    """On a link."""

    def test_drained(self) -> None:
        """The backend gets the request; the rest of its reply is dropped, and the next one is in step."""
        played = Played("error-in-rows", "SELECT")
        played.asks(QUERY)
        self.assertEqual(played.backend.received, samples.packets(QUERY))
        reply = samples.rows(b"1", b"22", b"333")
        played.answers(*reply[:5])
        self.assertEqual(played.client.received, samples.packets(*reply[:4], CUT, seq=1))
        played.forget()
        # The client, which has its error, goes on at once.
        played.asks(b"\x0e")
        played.answers(*reply[5:], seq=6)
        self.assertEqual(played.client.received, b"")
        played.answers(samples.ok())
        self.assertEqual(played.client.received, samples.packets(samples.ok(), seq=1))
        self.assertEqual((played.proxy.named("misfired"), played.proxy.named("opaque")), ([], []))

    def test_misfired(self) -> None:
        """Where there is nothing to cut, the rule has not fired, and fires at the next occasion."""
        played = Played("error-in-rows", "SELECT")
        played.asks(samples.query("SELECT 1 INTO @a"))
        played.answers(samples.ok())
        self.assertEqual(played.client.received, samples.packets(samples.ok(), seq=1))
        self.assertEqual(len(played.proxy.named("misfired")), 1)
        played.forget()
        played.asks(QUERY)
        reply = samples.rows(b"1")
        played.answers(*reply)
        self.assertEqual(played.client.received, samples.packets(*reply[:4], CUT, seq=1))

    def test_transaction(self) -> None:
        """What the backend says at the end of the rows that were cut is heard: a transaction is open."""
        cutter = Cutter(samples.packets(QUERY))
        cutter.cut(samples.packets(*samples.rows(b"1", b"2", status=wire.STATUS_IN_TRANS), seq=1))
        update = samples.packets(samples.query("UPDATE stock SET n = 1"))
        (frame,) = frames_of(cutter.session, TO_BACKEND, update)
        assert frame.exchange is not None
        self.assertEqual(cutter.session.refuse(frame.exchange, "deadlock").to_backend, samples.ROLLBACK)

    def test_legal(self) -> None:
        """It can be said to what may answer with rows, an execution that opens a cursor not among them."""
        recorder = Recorder(MySQL().session()).play(samples.opened())
        recorder.play([samples.up(samples.PREPARE), samples.down(*samples.PREPARE_REPLY)])
        for number, text in ((8, b"CALL p()"), (9, b"DELETE FROM stock")):
            prepared = bytes((0, number)) + bytes(10)
            recorder.play([samples.up(b"\x16" + text), samples.down(prepared)])
        cursor = b"\x17\7\0\0\0\1\1\0\0\0" + b"\0\0" + b"\1z" + b"\1\0\0\0"
        for request, legal in (
            (QUERY, True),
            (samples.query("CALL p()"), True),
            (samples.query("UPDATE stock SET n = 1"), False),
            (samples.EXECUTE_FIRST, True),
            (cursor, False),
            (b"\x17\x08\0\0\0\0\1\0\0\0", True),
            (b"\x17\x09\0\0\0\0\1\0\0\0", False),
            (FETCH, True),
            (b"\x1a\7\0\0\0", False),
        ):
            exchange = exchange_of(recorder, samples.packets(request))
            self.assertEqual("error-in-rows" in recorder.session.legal(exchange), legal, request)
