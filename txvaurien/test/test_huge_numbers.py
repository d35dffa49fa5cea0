"""Numbers with more digits than Python reads (`sys.set_int_max_str_digits`), wherever a protocol has one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.protocols.base import WireProtocol
from txvaurien.protocols.http import Http
from txvaurien.protocols.memcache import Memcache
from txvaurien.protocols.mysql import MySQL
from txvaurien.protocols.redis import Redis
from txvaurien.protocols.smtp import Smtp
from txvaurien.protocols.tcp import Tcp
from txvaurien.test import http_samples, memcache_samples, mysql_samples, redis_samples, smtp_samples
from txvaurien.test.redis_announcements import REMAP, TOLD
from txvaurien.testing import TO_CLIENT, Conversation, Recorder

HUGE = b"9" * 5000

#: So many of the numbers of a conversation are tried, and none in pieces that are not small.
MOST, SMALL = 12, 2000

_NUMBER = re.compile(rb"\d+")
#: A number as a string of Redis, with its length before it.
_BULK = re.compile(rb"\$\d+\r\n\d+(?=\r\n)")


def blown_up(conversation: Conversation, number: re.Pattern[bytes] = _NUMBER) -> Iterator[Conversation]:
    """A conversation, several times, each time with one of its numbers larger than any.

    Large pieces have so many that they are left as they are.
    """
    steps = [*conversation]
    places = [
        (at, match)
        for at, (_, data) in enumerate(steps)
        if len(data) < SMALL
        for match in number.finditer(data)
    ]
    for at, match in places[:: 1 + len(places) // MOST]:
        direction, data = steps[at]
        said = b"$%d\r\n%b" % (len(HUGE), HUGE) if match[0].startswith(b"$") else HUGE
        larger = data[: match.start()] + said + data[match.end() :]
        yield [*steps[:at], (direction, larger), *steps[at + 1 :]]


class HugeNumberTests(SynchronousTestCase):
    """A session goes on, or says why it cannot; it never raises anything else."""

    def survives(self, protocol: WireProtocol, conversation: Conversation) -> None:
        """Play it, and ask each exchange for all that somebody may want to know."""
        recorder = Recorder(protocol.session()).play(conversation)
        self.assertEqual(recorder.faults, [])
        for seen in recorder.seen:
            exchange = seen.exchange
            recorder.session.legal(exchange)
            for message in (exchange.message, exchange.response):
                if message is not None:
                    shown = [message.verb, message.targets, message.status, message.log_fields()]
                    self.assertEqual(len(shown), 4)
                    self.assertGreaterEqual(message.head_size, 0)
                    self.assertNotEqual(message.body_size, -1)

    def check(self, protocol: WireProtocol, conversations: Mapping[str, Conversation]) -> None:
        """Each of them, with each of its numbers."""
        for conversation in conversations.values():
            for larger in blown_up(conversation):
                self.survives(protocol, larger)

    def test_http(self) -> None:
        """Lengths, sizes of chunks, statuses, versions, ports."""
        self.check(Http(), {**http_samples.CONVERSATIONS, **http_samples.ENDING})

    def test_memcache(self) -> None:
        """Flags, expirations, lengths, versions."""
        self.check(Memcache(), {**memcache_samples.TEXT, **memcache_samples.BINARY})

    def test_mysql(self) -> None:
        """Numbers in statements and errors."""
        self.check(MySQL(), mysql_samples.CONVERSATIONS)

    def test_smtp(self) -> None:
        """Codes, sizes, parameters."""
        self.check(Smtp(), smtp_samples.CONVERSATIONS)

    def test_tcp(self) -> None:
        """No number means anything."""
        self.check(Tcp(), smtp_samples.CONVERSATIONS)

    def test_redis(self) -> None:
        """Lengths, counts, integers, numbers of keys, ports that a cluster announces."""
        self.check(Redis(), redis_samples.CONVERSATIONS)
        told = {
            name: [redis_samples.ask(command), redis_samples.say(reply)]
            for name, (command, reply, _) in TOLD.items()
        }
        self.check(Redis(remap=REMAP), told)
        for conversation in (*redis_samples.CONVERSATIONS.values(), *told.values()):
            for larger in blown_up(conversation, _BULK):
                self.survives(Redis(remap=REMAP), larger)

    def test_redis_keys(self) -> None:
        """A command that says how many keys follow names none if that is no number of keys."""
        for command in ("EVAL s {} k", "ZUNION {} k", "ZUNIONSTORE d {} k", "LMPOP {} k LEFT"):
            conversation = [redis_samples.ask(command.format(HUGE.decode()))]
            self.survives(Redis(), conversation)
            (seen,) = Recorder(Redis().session()).play(conversation).seen
            self.assertNotIn(HUGE.decode(), seen.targets)

    def test_redis_confirmation(self) -> None:
        """A confirmation with a count that cannot be is a confirmation all the same."""
        reply = b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:" + HUGE + b"\r\n"
        conversation = [redis_samples.ask("SUBSCRIBE a"), (TO_CLIENT, reply)]
        self.survives(Redis(), conversation)
        (seen,) = Recorder(Redis().session()).play(conversation).seen
        self.assertIn(TO_CLIENT, seen.done)
