"""txvaurien.protocols.redis.runs: small messages that are found many at a time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.protocols.redis import Redis
from txvaurien.protocols.redis.asking import SPECIAL
from txvaurien.protocols.redis.heads import first_word
from txvaurien.protocols.redis.replies import Replies
from txvaurien.protocols.redis.resp import Requests
from txvaurien.protocols.redis.runs import RUN_LIMIT, commands, replies
from txvaurien.test.redis_samples import array, bulk, cmd, steady, values
from txvaurien.test.test_redis_resp import messages
from txvaurien.testing import TO_BACKEND, TO_CLIENT

#: Names of all kinds, and strings of all lengths that a pattern may know or not.
WORDS = st.sampled_from([b"GET", b"get", b"HGET", b"", b"mUlTi", b"EXECUTE", b"SUBSCRIBE", b"$3\r\n"])
STRINGS = st.integers(0, 120).map(lambda size: (b"$1\r\n*\r\n" * size)[:size])
COMMANDS = st.builds(lambda word, rest: array(word, *rest), WORDS, st.lists(STRINGS, max_size=6))


class PatternTests(SynchronousTestCase):
    """What the patterns find is what the readers find."""

    @steady
    @given(st.lists(COMMANDS, max_size=12))
    def test_commands(self, told: list[bytes]) -> None:
        """A run of commands is the beginning of what the reader finds, and none of it is special."""
        found = [raw for raw in commands(b"".join(told), 0, RUN_LIMIT) if raw]
        self.assertEqual(found, messages(Requests(), b"".join(told))[: len(found)])
        self.assertEqual({first_word(raw) for raw in found} & SPECIAL, set())

    @steady
    @given(st.lists(values(), max_size=12))
    def test_replies(self, told: list[bytes]) -> None:
        """A run of replies is the beginning of what the reader finds."""
        found = [raw for raw in replies(b"".join(told), 0, RUN_LIMIT) if raw]
        self.assertEqual(found, messages(Replies(), b"".join(told))[: len(found)])

    def test_special(self) -> None:
        """What may be more than a command and its reply is in no run, however it is written."""
        get = cmd("GET", "a")
        for word in SPECIAL:
            for written in (word, word.lower(), word.title()):
                self.assertEqual(commands(get + array(written, b"x"), 0), [get, b""], word)

    def test_usual(self) -> None:
        """What clients say most is found, and so is what they hear."""
        said = [cmd("GET", "a" * 60), cmd("set", "a", "b", "EX", "10"), cmd("PING"), cmd("HGETALL", "h")]
        self.assertEqual(commands(b"".join(said), 0), said)
        heard = [b"+OK\r\n", b":1\r\n", b"-ERR no\r\n", b"$-1\r\n", b"_\r\n", bulk("a" * 60), bulk("")]
        self.assertEqual(replies(b"".join(heard), 0), heard)

    def test_ends_are_skipped(self) -> None:
        """Like the server, the pattern does not compare what ends a string."""
        self.assertEqual(commands(b"*2\r\n$3\r\nGET..$1\r\na..", 0), [b"*2\r\n$3\r\nGET..$1\r\na.."])

    def test_rest(self) -> None:
        """What is not complete, or is large, or is something else ends a run."""
        for rest in (cmd("GET", "a" * 200), cmd(*["a"] * 9), b"PING\r\n", b"*0\r\n"):
            self.assertEqual(commands(cmd("GET", "a") + rest + cmd("PING"), 0)[1:], [b""], rest)
        for rest in (bulk("a" * 200), array("a"), array("a", kind=b">"), b"+a\nb\r\n"):
            self.assertEqual(replies(b":1\r\n" + rest + b"+OK\r\n", 0)[1:], [b""], rest)
        for cut in range(1, len(bulk("a"))):
            self.assertEqual(commands((cmd("GET", "a") * 2)[:-cut], 0)[1:], [b""])
            self.assertEqual(replies((bulk("a") * 2)[:-cut], 0)[1:], [b""])


class SessionTests(SynchronousTestCase):
    """Sessions use runs, and nobody can tell."""

    def test_not_copied(self) -> None:
        """A message that comes alone is given out as the object that it was."""
        session = Redis().session()
        for direction, data in ((TO_BACKEND, cmd("GET", "a")), (TO_CLIENT, bulk("value"))):
            (frame,) = session.receive(direction, data)
            self.assertIs(frame.raw, data)

    def test_one_after_the_other(self) -> None:
        """What has not been given out of a run is still to be had."""
        session = Redis().session()
        for direction, data in ((TO_BACKEND, cmd("GET", "a")), (TO_CLIENT, bulk("value"))):
            frames = iter(session.receive(direction, data * 3))
            self.assertEqual(next(frames).raw, data)
            self.assertEqual(session.rest(direction), data * 2)
            self.assertEqual([frame.raw for frame in frames], [data] * 2)

    def test_long_pipeline(self) -> None:
        """A pipeline far longer than a run, with a transaction in it, is answered in order."""
        session = Redis().session()
        gets, sets = [cmd("GET", str(number)) for number in range(2000)], cmd("SET", "a", "b")
        said = [*gets[:1000], cmd("MULTI"), sets, cmd("EXEC"), *gets[1000:]]
        heard = [bulk(b"v%d" % number) for number in range(2000)]
        heard[1000:1000] = [b"+OK\r\n", b"+QUEUED\r\n", b"*1\r\n+OK\r\n"]
        asked = list(session.receive(TO_BACKEND, b"".join(said)))
        answered = list(session.receive(TO_CLIENT, b"".join(heard)))
        self.assertEqual([frame.raw for frame in asked], said)
        self.assertEqual([frame.raw for frame in answered], heard)
        self.assertEqual([frame.exchange for frame in asked], [frame.exchange for frame in answered])
