"""txvaurien.protocols.redis: which reply belongs to which request."""

from __future__ import annotations

from random import Random
from typing import ClassVar

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.protocols.base import Session
from txvaurien.protocols.redis import Redis
from txvaurien.protocols.redis.messages import Request
from txvaurien.test.redis_samples import (
    CONVERSATIONS,
    DISCARD,
    EMPTY,
    OK,
    PROBE,
    VALUES,
    array,
    ask,
    bulk,
    cmd,
    say,
    steady,
    values,
)
from txvaurien.test.redis_told import told
from txvaurien.testing import (
    TO_BACKEND,
    TO_CLIENT,
    Conversation,
    SessionLaws,
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

    def test_message_inside_of_exec(self) -> None:
        """A transaction that publishes to its own client: the message is in the reply, and not counted."""
        recorder = told(*CONVERSATIONS["a message inside of EXEC"])
        self.assertEqual([seen.reply for seen in recorder.seen[-1:]], [bulk("v")])

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
        """Confirmations come with replies off, errors do not: subscribed in RESP2, nothing turns them on."""
        self.assertTold(
            "pubsub with replies off",
            "CLIENT: silent",
            "SUBSCRIBE a",
            "GET k: silent",
            "CLIENT: silent",
            "PING: silent",
            "SUBSCRIBE b",
            "*MESSAGE a: ",
            "UNSUBSCRIBE",
            "CLIENT",
            "PING",
            "CLIENT: silent",
            "SUBSCRIBE: silent",
            "RESET",
            "PING",
        )

    def test_pubsub_with_replies_off_resp3(self) -> None:
        """In RESP3 a subscribed client may ask for anything, until it goes back to RESP2."""
        self.assertTold(
            "pubsub with replies off, RESP3",
            "HELLO",
            "CLIENT: silent",
            "SUBSCRIBE a",
            "GET k: silent",
            "CLIENT",
            "PING",
            "CLIENT: silent",
            "HELLO: silent",
            "CLIENT: silent",
            "UNSUBSCRIBE a",
            "CLIENT",
            "PING",
        )

    def test_silence_barred(self) -> None:
        """A subscribed client of RESP2 is told that it can have neither silence nor a transaction."""
        self.assertTold(
            "silence that is barred",
            "SUBSCRIBE a",
            "CLIENT: ERR",
            "MULTI: ERR",
            "PING",
            "UNSUBSCRIBE a",
            "CLIENT: silent",
            "GET k: silent",
            "GET k",
        )

    def test_silence_refused(self) -> None:
        """An error where none could come says that the silence was not granted."""
        self.assertTold("silence refused", "CLIENT: NOAUTH", "PING")

    def test_forbidden_behind_a_silence(self) -> None:
        """A command behind a silence can be forbidden without that."""
        self.assertTold("forbidden behind a silence", "CLIENT: silent", "SET a: silent", "GET b: NOPERM")

    def test_error_behind_a_silence(self) -> None:
        """What there is nothing wrong with was not meant by an error about its arguments."""
        error = b"-ERR wrong number of arguments for 'client|reply' command\r\n"
        recorder = told(ask("CLIENT REPLY SKIP", "SET a 1", "CLIENT REPLY", "GET a"), say(error, bulk("1")))
        self.assertEqual([seen.reply for seen in recorder.seen], [b"", b"", error, bulk("1")])

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
