"""txvaurien.protocols.redis: which reply belongs to which request."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import ClassVar

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.model import Exchange
from txvaurien.protocols.base import Session
from txvaurien.protocols.redis import Redis
from txvaurien.protocols.redis.messages import Request
from txvaurien.protocols.redis.session import RedisSession
from txvaurien.test.redis_samples import (
    CONVERSATIONS,
    DISCARD,
    EMPTY,
    OK,
    PONG,
    PROBE,
    VALUES,
    array,
    ask,
    cmd,
    say,
    steady,
    values,
)
from txvaurien.testing import (
    TO_BACKEND,
    TO_CLIENT,
    Conversation,
    Recorder,
    SessionLaws,
    Step,
    collect,
    split,
)

#: Those in which something is not answered.
SILENCES = {name: told for name, told in CONVERSATIONS.items() if "silence" in name or "replies" in name}


class RedisLaws(SessionLaws, SynchronousTestCase):
    """Every law that sessions have to keep."""

    protocol = Redis()
    conversations: ClassVar[dict[str, Conversation]] = {
        name: told for name, told in CONVERSATIONS.items() if name not in SILENCES
    }
    probe = PROBE
    answers: ClassVar[dict[bytes, bytes]] = {DISCARD: OK, EMPTY: b""}

    def answer(self, session: Session, told: bytes) -> bytes:
        """With replies off, DISCARD is not answered."""
        return self.answers[told] if session.edits else b""


class SilenceLaws(RedisLaws):
    """The same where some commands are not answered.

    There NOAUTH is no reply like others: it says that they are answered after all.
    """

    conversations = SILENCES
    cut_short = frozenset({"noauth"})


def told(*steps: Step) -> Recorder:
    """What was seen of a conversation, which must have been understood."""
    recorder = Recorder(Redis().session()).play(steps)
    assert not recorder.error, recorder.error
    assert not recorder.faults, recorder.faults
    return recorder


class MatchingTests(SynchronousTestCase):
    """Replies and requests find each other, and what nobody asked for is told apart."""

    def assertTold(self, name: str, *wanted: str) -> None:
        """Each of `wanted` is ``VERB targets: status``; ``*`` before what was sent unasked."""
        recorder = told(*CONVERSATIONS[name])
        found = []
        for seen in recorder.seen:
            status = seen.status if seen.reply else "nothing" if seen.replies else "silent"
            words = " ".join([seen.verb, *seen.targets])
            found.append(f"{'*' * seen.unasked}{words}: {status}".replace(": OK", ""))
        self.assertEqual(found, list(wanted))

    def test_pipeline(self) -> None:
        """Replies come in the order of the requests; an error's first word is the status."""
        self.assertTold("pipeline", "SET a", "GET a", "INCR a", "LPUSH a: WRONGTYPE", "MGET a b")

    def test_values(self) -> None:
        """A reply of whatever type is one reply."""
        recorder = told(*CONVERSATIONS["values"])
        self.assertEqual([seen.reply for seen in recorder.seen], list(VALUES))

    def test_inline(self) -> None:
        """Inline commands are requests; an empty line is one without a name, and not answered."""
        recorder = told(*CONVERSATIONS["inline"])
        verbs = [seen.verb for seen in recorder.seen]
        self.assertEqual(verbs, ["PING", "SET", "GET", "", "", "EXISTS"])
        self.assertEqual([seen.replies for seen in recorder.seen], [True, True, True, False, False, True])
        request = recorder.seen[1].exchange.request
        assert isinstance(request, Request)
        self.assertEqual(request.args, [b"set", b"k", b"aA\n b"])
        self.assertEqual(recorder.seen[2].targets, ("it's",))

    def test_transaction(self) -> None:
        """In a transaction each command is answered, by QUEUED; EXEC has one reply."""
        self.assertTold("transaction", "WATCH k", "MULTI", "SET k", "GET k", "EXEC", "GET k")

    def test_pubsub_resp2(self) -> None:
        """A subscription takes a confirmation for each channel; messages may come in between."""
        self.assertTold(
            "pubsub, RESP2",
            "SUBSCRIBE a b",
            "PSUBSCRIBE p*",
            "PING",
            "PING",
            "GET k: ERR",
            "SUBSCRIBE a",
            "*MESSAGE a: ",
            "*MESSAGE b: ",
            "*PMESSAGE pq: ",
            "*MESSAGE __redis__:invalidate: ",
            "SSUBSCRIBE s",
            "UNSUBSCRIBE",
            "PUNSUBSCRIBE",
            "UNSUBSCRIBE",
            "SUNSUBSCRIBE s",
            "LRANGE l",
            "*SMESSAGE s: ",
        )

    def test_confirmations(self) -> None:
        """All confirmations are the reply; without arguments there are as many as subscriptions stand."""
        seen = {each.exchange: each for each in told(*CONVERSATIONS["pubsub, RESP2"]).seen}.values()
        counts = [each.reply.count(b"subscribe") for each in seen if "SUBSCRIBE" in each.verb]
        self.assertEqual(counts, [2, 1, 1, 1, 2, 1, 1, 1])
        self.assertTrue(all(TO_CLIENT in each.done for each in seen))

    def test_pubsub_resp3(self) -> None:
        """Pushes come before and between replies; an array that looks like one is a reply."""
        self.assertTold(
            "pubsub, RESP3",
            "HELLO",
            "SUBSCRIBE a b",
            "GET k",
            "LRANGE l",
            "UNSUBSCRIBE",
            "PING",
            "*MESSAGE a: ",
            "*INVALIDATE k: ",
            "*INVALIDATE a b: ",
            "*INVALIDATE: ",
            "*TRACKING-REDIR-BROKEN: ",
        )

    def test_shard_moves(self) -> None:
        """An end of a subscription that nobody asked for is counted, and is nobody's reply."""
        self.assertTold(
            "a shard moves away",
            "SSUBSCRIBE a b",
            "*SUNSUBSCRIBE a: ",
            "*SMESSAGE b: ",
            "SUNSUBSCRIBE",
            "PING",
        )

    def test_subscription_refused(self) -> None:
        """One error ends a subscription to whatever many channels."""
        self.assertTold("subscription refused", "SUBSCRIBE a b c: NOPERM", "SUBSCRIBE: ERR", "GET k")

    def test_monitor(self) -> None:
        """Lines of MONITOR are told from replies until RESET; a second MONITOR is not answered."""
        self.assertTold(
            "monitor",
            "PING",
            "MONITOR",
            "GET k: ERR",
            "*MONITOR: ",
            "*MONITOR: ",
            "MONITOR: silent",
            "PING",
            "RESET",
            "ECHO",
        )

    def test_reset(self) -> None:
        """RESET ends RESP3, subscriptions and a transaction."""
        self.assertTold("reset", "HELLO", "SUBSCRIBE a", "MULTI", "GET k", "RESET", "GET k", "SUBSCRIBE b")

    def test_replies_off(self) -> None:
        """With replies off nothing is answered but what turns them on, and RESET."""
        self.assertTold(
            "replies off",
            "GET a",
            "CLIENT: silent",
            "SET a: silent",
            "SET b: silent",
            "CLIENT: silent",
            "PING: silent",
            "CLIENT",
            "GET a",
            "CLIENT: silent",
            "MULTI: silent",
            "SET a: silent",
            "EXEC: silent",
            "HELLO: silent",
            "RESET",
            "PING",
        )

    def test_replies_skipped(self) -> None:
        """SKIP is for the next command, be it an empty one, and for itself."""
        seen = told(*CONVERSATIONS["replies skipped"]).seen
        silent = " ".join(each.verb or "-" for each in seen if not each.replies)
        self.assertEqual(silent, "CLIENT SET CLIENT - CLIENT CLIENT PING CLIENT CLIENT RESET CLIENT MULTI")

    def test_pubsub_with_replies_off(self) -> None:
        """Confirmations come with replies off, errors do not."""
        self.assertTold(
            "pubsub with replies off",
            "CLIENT: silent",
            "SUBSCRIBE a",
            "GET k: silent",
            "CLIENT",
            "PING",
            "CLIENT: silent",
            "SUBSCRIBE: nothing",
            "RESET",
            "PING",
        )

    def test_silence_refused(self) -> None:
        """An error where none could come says that the silence was not granted."""
        self.assertTold("silence refused", "CLIENT: NOAUTH", "PING")

    def test_forbidden_behind_a_silence(self) -> None:
        """A command behind a silence can be forbidden without that."""
        self.assertTold("forbidden behind a silence", "CLIENT: silent", "SET a: silent", "GET b: NOPERM")

    def test_handshake(self) -> None:
        """Logging in is marked as such, for rules to leave it alone."""
        marked = {seen.verb for seen in told(*CONVERSATIONS["log in"]).seen if seen.exchange.handshake}
        self.assertEqual(marked, {"AUTH", "HELLO"})

    def test_full(self) -> None:
        """What a full server says before it was asked for anything is unasked."""
        self.assertTold("full", "*ERR: ERR")

    def test_halves(self) -> None:
        """What was begun is given out when its side sends FIN; half a request is not answered."""
        recorder = collect(Redis().session(), CONVERSATIONS["broken off"])
        self.assertEqual([seen.replies for seen in recorder.seen], [True, False])
        self.assertEqual(recorder.seen[0].reply, b"*2\r\n$1\r\na\r\n$5\r\nab")
        self.assertEqual((recorder.held(TO_BACKEND), recorder.held(TO_CLIENT)), (0, 0))


class OpaqueTests(SynchronousTestCase):
    """What cannot be followed is said to be so, behind the last message that can."""

    def assertEnds(self, name: str, why: str, *verbs: str) -> None:
        """After exactly these requests."""
        recorder = collect(Redis().session(), CONVERSATIONS[name])
        self.assertIn(why, recorder.error)
        self.assertEqual([seen.verb for seen in recorder.seen], list(verbs))

    def test_replication(self) -> None:
        """Behind PSYNC comes a stream of another kind. PSYNC itself is still a message."""
        self.assertEnds("replication", "replication stream", "PING", "PSYNC")

    def test_trouble_in_exec(self) -> None:
        """A subscription that takes effect inside of EXEC breaks its reply."""
        self.assertEnds("trouble in EXEC", "SUBSCRIBE takes effect", "MULTI", "SUBSCRIBE", "EXEC")
        for command in ("CLIENT REPLY OFF", "MONITOR", "PUNSUBSCRIBE", "HELLO 3"):
            recorder = Recorder(Redis().session()).play([ask("MULTI", command, "EXEC")])
            self.assertIn("takes effect inside of the reply to EXEC", recorder.error)
            told(ask("MULTI", command, "DISCARD", "PING"))

    def test_stray(self) -> None:
        """A reply that nobody asked for ends it, and is not lost."""
        recorder = collect(Redis().session(), CONVERSATIONS["stray"])
        self.assertIn("nobody asked for", recorder.error)
        self.assertEqual(recorder.session.rest(TO_CLIENT), OK)

    def test_silence_too_late(self) -> None:
        """A silence that was not granted, and was relied on, leaves replies nobody waits for."""
        recorder = collect(Redis().session(), CONVERSATIONS["silence refused, too late"])
        self.assertIn("CLIENT was refused by the server, and 1 requests", recorder.error)

    def test_withdrawn(self) -> None:
        """A PSYNC that the backend never hears of ends nothing."""
        recorder = Recorder(Redis().session(), _withdraw(b"PSYNC"))
        recorder.play([ask("PSYNC ? -1", "PING"), say(PONG)])
        self.assertEqual((recorder.error, recorder.seen[1].reply), ("", PONG))


def _withdraw(word: bytes) -> Callable[[Session, Exchange], bool]:
    """Keep requests of this name from the backend."""

    def decide(session: Session, exchange: Exchange) -> bool:
        wanted = isinstance(exchange.request, Request) and exchange.request.args[0] == word
        if wanted:
            session.withdraw(exchange)
        return wanted

    return decide


class LazyTests(SynchronousTestCase):
    """What a request changes depends on whether the backend gets it."""

    def test_decided_later(self) -> None:
        """A MULTI that is withdrawn begins no transaction: the next request is not queued."""
        session = Redis().session()
        frames = iter(session.receive(TO_BACKEND, cmd("MULTI") + cmd("EVALSHA x 1 k")))
        multi = next(frames).exchange
        assert multi is not None
        session.withdraw(multi)
        evalsha = next(frames).exchange
        assert evalsha is not None
        self.assertIn("noscript", session.legal(evalsha))

    def test_taken_up_again(self) -> None:
        """A link may drop the frames it has not taken, and ask anew when more has come."""
        data = b"".join(cmd(each) for each in ("CLIENT REPLY SKIP", "GET a", "MULTI", "GET b", "EXEC"))
        session = Redis().session()
        seen = []
        chunks: list[bytes] = [data, *[b""] * 4]
        for chunk in chunks:
            frame = next(iter(session.receive(TO_BACKEND, chunk)))
            assert frame.exchange is not None
            seen.append((frame.exchange.message.verb, frame.exchange.replies))
        self.assertEqual(
            seen, [("CLIENT", False), ("GET", False), ("MULTI", True), ("GET", True), ("EXEC", True)]
        )
        self.assertEqual(session.rest(TO_BACKEND), b"")

    def test_fire_and_forget(self) -> None:
        """Any number of requests that are not answered take no room."""
        session = RedisSession()
        for _ in session.receive(TO_BACKEND, cmd("CLIENT REPLY OFF") + cmd("SET a 1") * 10_000):
            pass
        self.assertEqual(len(session._matcher.pending), 1)


class RandomTests(SynchronousTestCase):
    """Any pipeline of valid commands, with any replies, in any pieces."""

    @steady
    @given(st.lists(st.tuples(st.integers(0, 4), values()), max_size=12), st.integers())
    def test_pipelines(self, drawn: list[tuple[int, bytes]], seed: int) -> None:
        """Each request gets its own reply, pushes go to nobody."""
        push = array("invalidate", "k", kind=b">")
        commands = ["GET a", "EVALSHA abc 0", "LRANGE l 0 -1", "PING", "HGETALL h"]
        requests = [cmd(commands[which]) for which, _ in drawn]
        stream = [ask("HELLO 3", *requests), say(b"%0\r\n", *[push + value for _, value in drawn])]
        random = Random(seed)
        pieces = split(stream, lambda: random.choice((1, 2, 7, 30, 500)))
        recorder = told(*pieces)
        asked = [seen for seen in recorder.seen if not seen.unasked]
        self.assertEqual([seen.request for seen in asked[1:]], requests)
        self.assertEqual([seen.reply for seen in asked[1:]], [value for _, value in drawn])
        self.assertEqual(len(recorder.seen) - len(asked), len(drawn))
