"""What a session keeps between exchanges: nothing of what has gone through."""

from __future__ import annotations

import gc
import types
from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.model import Direction
from txvaurien.plugins import Registry
from txvaurien.test import mysql_samples as mysql

UP, DOWN = Direction.TO_BACKEND, Direction.TO_CLIENT

#: More than a head, and as much as one read may bring.
LARGE = b"x" * 60_000
#: Heads may be kept, and what is so short.
FEW = 6_000

Steps = Sequence[tuple[Direction, bytes]]

TALKS: dict[str, Steps] = {
    "tcp": ((UP, LARGE), (DOWN, LARGE)),
    "redis": (
        (UP, b"*2\r\n$4\r\nECHO\r\n$60000\r\n" + LARGE + b"\r\n"),
        (DOWN, b"$60000\r\n" + LARGE + b"\r\n"),
        (UP, b"*1\r\n$4\r\nPING\r\n" * 4_000),
        (DOWN, b"+PONG\r\n" * 4_000),
    ),
    "http": (
        (UP, b"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n" + LARGE),
        (DOWN, b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n" + LARGE),
    ),
    "memcache": (
        (UP, b"set a 0 0 60000\r\n" + LARGE + b"\r\n"),
        (DOWN, b"STORED\r\n"),
        (UP, b"get a\r\n"),
        (DOWN, b"VALUE a 0 60000\r\n" + LARGE + b"\r\nEND\r\n"),
    ),
    "smtp": (
        (DOWN, b"220 a\r\n"),
        (UP, b"HELO a\r\n"),
        (DOWN, b"250 a\r\n"),
        (UP, b"MAIL FROM:<a@a.a>\r\n"),
        (DOWN, b"250 a\r\n"),
        (UP, b"RCPT TO:<a@a.a>\r\n"),
        (DOWN, b"250 a\r\n"),
        (UP, b"DATA\r\n"),
        (DOWN, b"354 a\r\n"),
        (UP, b"\r\n".join([LARGE[:900]] * 60) + b"\r\n.\r\n"),
        (DOWN, b"250 a\r\n"),
    ),
    "mysql": (
        *mysql.opened(),
        mysql.up(mysql.query("SELECT '" + LARGE.decode() + "'")),
        mysql.down(*mysql.rows(*[LARGE[:200]] * 200)),
    ),
}


def kept(root: object) -> int:
    """How many bytes of data can be reached from an object, without what is code."""
    code = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType)
    seen, waiting, size = {id(root)}, [root], 0
    while waiting:
        each = waiting.pop()
        size += len(each) if isinstance(each, (bytes, bytearray)) else 0
        for other in gc.get_referents(each):
            if id(other) not in seen and not isinstance(other, code):
                seen.add(id(other))
                waiting.append(other)
    return size


class IdleTests(SynchronousTestCase):
    """After large messages, with everything answered."""

    def test_nothing_is_kept(self) -> None:
        """A session does not hold on to the last bytes that it was given, whatever protocol."""
        registry = Registry.load()
        self.assertEqual(set(TALKS), set(registry.names("protocols")))
        for name, steps in TALKS.items():
            session = registry.protocol(name).session()
            for direction, data in steps:
                given = b"".join(frame.raw for frame in session.receive(direction, data))
                self.assertEqual(given, data, name)
            self.assertLess(kept(session), FEW, name)

    def test_it_is_seen(self) -> None:
        """What is held, because it is not complete, would be seen."""
        session = Registry.load().protocol("redis").session()
        list(session.receive(UP, b"*1\r\n$4000\r\n" + LARGE[:3_000]))
        list(session.receive(DOWN, b"$4000\r\n" + LARGE[:3_500]))
        self.assertGreater(kept(session), FEW)
