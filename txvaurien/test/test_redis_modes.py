"""txvaurien.protocols.redis: which commands change what a connection does, and which only look as if."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.errors import NotLegal
from txvaurien.protocols.redis.forecast import Forecast
from txvaurien.protocols.redis.heads import first_word
from txvaurien.protocols.redis.messages import Request
from txvaurien.test.redis_refused import Refused
from txvaurien.test.redis_samples import OK, PONG, QUEUED, array, ask, cmd, say
from txvaurien.test.redis_told import told
from txvaurien.testing import TO_BACKEND, Step

#: As many names as a forecast remembers, and more.
MANY = 5000


class SilentCommandTests(SynchronousTestCase):
    """Commands that are not answered."""

    def answered(self, *commands: Step) -> list[bool]:
        """Of which of these commands an answer is awaited."""
        return [seen.replies for seen in told(*commands).seen]

    def test_acknowledgements(self) -> None:
        """REPLCONF ACK and GETACK are not answered; its other forms are, and so is one that is wrong."""
        forms = ("REPLCONF ACK 7", "replconf getack *", "REPLCONF listening-port 1", "REPLCONF")
        self.assertEqual(self.answered(*map(ask, forms)), [False, False, True, True])

    def test_keys_of_that_name(self) -> None:
        """A key may be called as an acknowledgement is, also in a transaction."""
        self.assertEqual(self.answered(ask("GET ack"), ask("SET GETACK 1")), [True, True])
        recorder = told(ask("MULTI", "GET ack", "EXEC", "PING"), say(OK, QUEUED, array(b"v"), PONG))
        self.assertEqual([seen.reply for seen in recorder.seen], [OK, QUEUED, array(b"v"), PONG])

    def test_wrong_modes(self) -> None:
        """CLIENT REPLY with a word too many changes nothing, even if nobody has read so far as to see it."""
        off = cmd("CLIENT REPLY OFF").replace(b"*3", b"*4", 1)
        for more in (b"x", b"x" * 100_000):
            request = (TO_BACKEND, off + b"$%d\r\n%b\r\n" % (len(more), more))
            self.assertEqual(self.answered(request, ask("GET a")), [True, True])


class NamesTests(SynchronousTestCase):
    """What is subscribed to."""

    def test_bounded(self) -> None:
        """However many channels a client names, only so many are remembered."""
        forecast = Forecast()
        for begin in range(0, 3 * MANY, MANY // 2):
            words = [b"SUBSCRIBE", *(b"c%d" % number for number in range(begin, begin + MANY // 2))]
            raw = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
            self.assertEqual(first_word(raw), b"SUBSCRIBE")
            forecast.apply(b"SUBSCRIBE", Request(raw))
        self.assertLessEqual(sum(map(len, forecast._names.values())), MANY)
        self.assertTrue(forecast.barred)


class MeaninglessTests(SynchronousTestCase):
    """Errors that a server cannot say there."""

    def test_no_key(self) -> None:
        """A command that lacks its key is of no wrong type, and nowhere else."""
        for kind in ("wrongtype", "moved", "ask"):
            self.assertRaises(NotLegal, Refused({"GET": kind}).ask, "GET")
            self.assertEqual(len(self.refusals(kind)), 1)

    def refusals(self, kind: str) -> list[object]:
        """The refusals of a GET that has its key."""
        refused = Refused({"GET": kind})
        refused.ask("GET a")
        return list(refused.refusals)
