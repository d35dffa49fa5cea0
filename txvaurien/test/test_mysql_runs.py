"""txvaurien.protocols.mysql: messages that arrive whole, and packets that nobody has to look at."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.protocols.mysql import MySQL, wire
from txvaurien.test import mysql_samples as samples
from txvaurien.testing import TO_BACKEND, TO_CLIENT, Conversation, collect, split

COLUMNS = [samples.column(name) for name in (b"a", b"bb", b"cc", b"dd", b"eee")]
SELECT = samples.up(samples.query("SELECT a, bb, cc, dd, eee FROM t"))
MODERN = samples.PLAIN | wire.CLIENT_DEPRECATE_EOF


def replies() -> Iterator[tuple[str, Conversation]]:
    """Replies with many definitions, behind a log-in, each with a request before and a ping after it."""
    count, row = bytes((len(COLUMNS),)), b"\0011" * len(COLUMNS)
    whole = [count, *COLUMNS, samples.eof(), *[row] * 40, samples.eof()]
    modern = [count, *COLUMNS, *[row] * 40, samples.ok(header=0xFE)]
    numbers = b"\0\7\0\0\0\5\0\3\0\0\0\0"
    prepared = [numbers, *COLUMNS[:3], samples.eof(), *COLUMNS, samples.eof()]
    prepare = samples.up(b"\x16SELECT a, bb, cc, dd, eee FROM t WHERE a IN (?, ?, ?)")
    for name, capabilities, request, reply in (
        ("rows", samples.PLAIN, SELECT, whole),
        ("rows, modern", MODERN, SELECT, modern),
        ("error among definitions", samples.PLAIN, SELECT, [*whole[:4], samples.err(1317)]),
        ("error among rows", samples.PLAIN, SELECT, [*whole[:20], samples.err(1317)]),
        ("prepared", samples.PLAIN, prepare, prepared),
        ("prepared, modern", MODERN, prepare, [numbers, *COLUMNS[:3], *COLUMNS]),
    ):
        yield name, [*samples.opened(capabilities), request, samples.down(*reply), *samples.PING]


NUMBER = b"\7\0\0\0"
PREPARED = [samples.up(b"\x16SELECT 1"), samples.down(b"\0" + NUMBER + b"\0\0\0\0\0\0\0")]


class UnseenTests(SynchronousTestCase):
    """Definitions and rows are passed over, and the end of a reply is found all the same."""

    def test_any_split(self) -> None:
        """Each reply is the whole reply, at once as in pieces, and the link goes on in step."""
        for name, conversation in replies():
            wanted = [data for direction, data in conversation[-4:] if direction is TO_CLIENT]
            for size in (1, 7, 50, 10_000):
                recorder = collect(MySQL().session(), split(conversation, partial(int, size)))
                self.assertEqual((recorder.error, recorder.faults), ("", []), name)
                self.assertEqual([seen.reply for seen in recorder.seen[-2:]], wanted, f"{name}, {size}")

    def test_one_frame(self) -> None:
        """A reply that arrives whole is one frame, and the object that it was."""
        for name, conversation in replies():
            session = MySQL().session()
            *start, (_, reply), _, _ = conversation
            for direction, data in start:
                list(session.receive(direction, data))
            (frame,) = session.receive(TO_CLIENT, reply)
            self.assertIs(frame.raw, reply, name)
            self.assertEqual((frame.first, frame.last), (True, True), name)


class WholeCommandTests(SynchronousTestCase):
    """A command that comes alone needs no stream."""

    def test_not_copied(self) -> None:
        """It is given out as the object that it was, with its place in the queue."""
        session = MySQL().session()
        for direction, data in samples.opened():
            list(session.receive(direction, data))
        (asked,) = session.receive(*SELECT)
        self.assertIs(asked.raw, SELECT[1])
        (answered,) = session.receive(*samples.down(samples.ok()))
        self.assertIs(asked.exchange, answered.exchange)

    def test_two_at_once(self) -> None:
        """Two commands in one read are two."""
        session = MySQL().session()
        for direction, data in samples.opened():
            list(session.receive(direction, data))
        frames = list(session.receive(TO_BACKEND, SELECT[1] * 2))
        self.assertEqual([frame.raw for frame in frames], [SELECT[1]] * 2)

    def test_noted_when_given(self) -> None:
        """That parts of a parameter wait at the server is noted only if the backend gets them."""
        for withdrawn in (False, True):
            session = MySQL().session()
            for direction, data in [*samples.opened(), *PREPARED]:
                list(session.receive(direction, data))
            for frame in session.receive(*samples.up(b"\x18" + NUMBER + b"\0\0part")):
                assert frame.exchange is not None
                if withdrawn:
                    session.withdraw(frame.exchange)
            execute = next(iter(session.receive(*samples.up(b"\x17" + NUMBER + b"\0\1\0\0\0"))))
            assert execute.exchange is not None
            told = session.withdraw(execute.exchange)
            self.assertEqual(told, None if withdrawn else samples.packets(b"\x1a" + NUMBER))
