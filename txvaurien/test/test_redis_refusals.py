"""txvaurien.protocols.redis.refusing: both sides go on in step after a refusal."""

from __future__ import annotations

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.errors import NotLegal
from txvaurien.model import Connect, Exchange, Frame, Refusal, Then
from txvaurien.protocols.base import Session
from txvaurien.protocols.redis import Redis
from txvaurien.protocols.redis.catalogue import KINDS
from txvaurien.test.redis_refused import EXECABORT, NOAUTH, READONLY, Refused
from txvaurien.test.redis_samples import DISCARD, EMPTY, OK, PONG, QUEUED, ask, cmd, confirmed, say
from txvaurien.testing import TO_BACKEND, TO_CLIENT, Recorder


class PlainTests(SynchronousTestCase):
    """Refusals of single commands."""

    def test_in_a_pipeline(self) -> None:
        """The backend never hears of it, and the others get their own replies."""
        refused = Refused({"INCR": "readonly"})
        self.assertEqual(refused.ask("SET a 1", "INCR a", "GET a"), cmd("SET a 1") + cmd("GET a"))
        self.assertEqual(refused.refusals, [Refusal(READONLY)])
        refused.say(OK, b"$1\r\n1\r\n")
        self.assertEqual(refused.statuses(), ["OK", "", "OK"])
        self.assertFalse(refused.session.edits)

    def test_big(self) -> None:
        """A value that is too big to hold is refused at its head, and its body drained."""
        refused = Refused({"SET": "oom"})
        big = cmd("SET", "k", "v" * 200_000)
        refused.recorder.feed(TO_BACKEND, big + cmd("GET k"))
        self.assertEqual(refused.recorder.seen[0].request, big)
        refused.say(b"$-1\r\n")
        self.assertEqual(refused.recorder.seen[1].reply, b"$-1\r\n")

    def test_connect(self) -> None:
        """On connect only a full server has words, and it closes."""
        session = Redis().session()
        exchange = Exchange(Connect())
        self.assertEqual(list(session.legal(exchange)), ["max-clients"])
        full = Refusal(b"-ERR max number of clients reached\r\n", then=Then.CLOSE)
        self.assertEqual(session.refuse(exchange, Redis.too_many_kind), full)
        for kind in KINDS:
            if kind.name != "max-clients":
                self.assertRaises(NotLegal, session.refuse, exchange, kind.name, "ERR x")

    def test_not_legal(self) -> None:
        """The error names the kind and the command. A bad text spoils nothing."""
        refused = Refused({"GET": "readonly"})
        error = self.assertRaises(NotLegal, refused.ask, "GET a")
        self.assertEqual(str(error), "readonly cannot be said to GET here")
        refused = Refused({"GET": "custom"}, text="two\r\nlines")
        self.assertRaises(NotLegal, refused.ask, "GET a")
        self.assertEqual(refused.ask("PING"), cmd("PING"))
        unasked = Exchange(response=refused.recorder.seen[0].exchange.request)
        self.assertEqual(refused.session.legal(unasked), ())

    def test_empty(self) -> None:
        """A command of no words has no answer, so nothing is said to it."""
        recorder = Recorder(Redis().session()).play([(TO_BACKEND, b"*0\r\n")])
        self.assertEqual(recorder.session.legal(recorder.seen[0].exchange), ())

    def test_subscription(self) -> None:
        """One error for all channels; in RESP2 the client is not subscribed by it."""
        refused = Refused({"SUBSCRIBE": "noperm"})
        self.assertEqual(refused.ask("SUBSCRIBE a b", "PING"), cmd("PING"))
        self.assertEqual(refused.say(PONG), PONG)

    def test_monitor_and_hello(self) -> None:
        """Refused, they change nothing."""
        refused = Refused({"MONITOR": "busy", "HELLO": "noauth"})
        refused.ask("MONITOR", "HELLO 3", "SUBSCRIBE a", "ECHO x")
        refused.say(confirmed("subscribe", "a", 1), b"+1.0 [ is no line of MONITOR\r\n")
        self.assertEqual(refused.statuses(), ["", "", "OK", "OK"])


class TransactionTests(SynchronousTestCase):
    """A refusal inside of a transaction spoils it, as the server's own would."""

    def test_spoilt(self) -> None:
        """EXEC goes to the backend as DISCARD, whose OK the client hears as EXECABORT."""
        refused = Refused({"SET": "oom"})
        self.assertEqual(refused.ask("MULTI", "SET a 1", "INCR b"), cmd("MULTI") + cmd("INCR b"))
        self.assertTrue(refused.session.edits)
        self.assertEqual(refused.ask("EXEC", "GET a"), DISCARD + cmd("GET a"))
        self.assertEqual(refused.say(OK, QUEUED), OK + QUEUED)
        self.assertTrue(refused.session.edits)
        self.assertEqual(refused.say(OK, b"$-1\r\n"), EXECABORT + b"$-1\r\n")
        self.assertFalse(refused.session.edits)
        self.assertEqual(refused.statuses(), ["OK", "", "OK", "EXECABORT", "OK"])

    def test_bytes_are_told_from_edits(self) -> None:
        """The frames hold what was received; only what is forwarded differs."""
        refused = Refused({"SET": "oom"})
        refused.ask("MULTI", "SET a 1")
        frames = list(refused.session.receive(TO_BACKEND, cmd("exec")))
        self.assertEqual([(frame.raw, frame.forward) for frame in frames], [(cmd("exec"), DISCARD)])
        refused.say(OK)
        frames = list(refused.session.receive(TO_CLIENT, OK))
        self.assertEqual([(frame.raw, frame.forward) for frame in frames], [(OK, EXECABORT)])

    def test_discarded_by_the_client(self) -> None:
        """DISCARD and RESET end the spoilt transaction, and the next one is clean."""
        for word, reply in (("DISCARD", OK), ("RESET", b"+RESET\r\n")):
            refused = Refused({"SET": "oom"})
            refused.ask("MULTI", "SET a 1", word)
            self.assertFalse(refused.session.edits)
            self.assertEqual(refused.ask("MULTI", "EXEC"), cmd("MULTI") + cmd("EXEC"))
            self.assertEqual(refused.say(OK, reply, OK, b"*0\r\n"), OK + reply + OK + b"*0\r\n")

    def test_no_transaction_after_all(self) -> None:
        """The backend refused MULTI: EXEC without MULTI is what the client hears."""
        refused = Refused({"SET": "oom"})
        refused.ask("MULTI", "SET a 1", "EXEC")
        heard = refused.say(NOAUTH, b"-ERR DISCARD without MULTI\r\n")
        self.assertEqual(heard, NOAUTH + b"-ERR EXEC without MULTI\r\n")
        self.assertFalse(refused.session.edits)

    def test_multi_refused_by_the_backend(self) -> None:
        """When the backend's refusal of MULTI is known, the next commands are not taken for queued."""
        refused = Refused({})
        refused.ask("MULTI", "GET a")
        refused.say(NOAUTH, NOAUTH)
        refused.ask("EVALSHA x 1 k")
        self.assertIn("noscript", refused.session.legal(refused.recorder.seen[-1].exchange))

    def test_multi_refused(self) -> None:
        """Behind a refused MULTI commands are carried out one by one, and EXEC is alone."""
        refused = Refused({"MULTI": "noauth"})
        self.assertEqual(refused.ask("MULTI", "SET a 1", "EXEC"), cmd("SET a 1") + cmd("EXEC"))
        alone = b"-ERR EXEC without MULTI\r\n"
        self.assertEqual(refused.say(OK, alone), OK + alone)

    def test_exec_refused(self) -> None:
        """The backend is told to DISCARD; the client hears the reason."""
        refused = Refused({"EXEC": "oom"})
        passed = refused.ask("MULTI", "SET a 1", "EXEC", "GET a")
        self.assertEqual(passed, cmd("MULTI") + cmd("SET a 1") + cmd("GET a"))
        (refusal,) = refused.refusals
        wrapped = b"-EXECABORT Transaction discarded because of: OOM command not allowed when"
        self.assertEqual(refusal.to_backend, DISCARD)
        self.assertTrue(refusal.to_client.startswith(wrapped))
        self.assertTrue(refused.session.edits)

    def test_exec_moved(self) -> None:
        """A cluster redirects EXEC by the keys that are queued."""
        refused = Refused({"EXEC": "moved"}, text="10.0.0.1:7000")
        refused.ask("MULTI", "PING", "SET foo 1", "EXEC")
        self.assertEqual(refused.refusals, [Refusal(b"-MOVED 12182 10.0.0.1:7000\r\n", DISCARD)])

    def test_answer_to_discard(self) -> None:
        """The answer to DISCARD belongs to no exchange, wherever it stands."""
        refused = Refused({"EXEC": "readonly"})
        refused.ask("MULTI", "SET a 1", "EXEC")
        self.assertEqual(refused.say(OK, QUEUED), OK + QUEUED)
        frames = list(refused.session.receive(TO_CLIENT, OK))
        self.assertEqual([(frame.exchange, frame.forward) for frame in frames], [(None, b"")])
        refused.ask("GET a")
        self.assertEqual(refused.say(b"$-1\r\n"), b"$-1\r\n")

    def test_exec_depends_on_the_queue(self) -> None:
        """EXEC can be refused for what is queued, and for nothing else."""
        always = {"busy", "noauth", "noperm", "execabort", "custom"}
        key = {"loading", "masterdown", "clusterdown", "moved", "ask"}
        for queued, kinds in (
            ("INFO", set()),
            ("PING", {"loading", "masterdown"}),
            ("GET a", key),
            ("DEL a", key | {"readonly", "misconf", "noreplicas"}),
            ("MSET a 1 b 2", key | {"readonly", "misconf", "noreplicas", "oom", "tryagain", "crossslot"}),
        ):
            legal = legal_of("MULTI", queued, "INFO", "EXEC")
            self.assertEqual(set(legal), kinds | always, queued)

    def test_watched(self) -> None:
        """EXEC alone is refused without a word to the backend."""
        refused = Refused({"EXEC": "noauth"})
        refused.ask("WATCH a", "EXEC")
        (refusal,) = refused.refusals
        self.assertEqual(refusal.to_backend, b"")
        self.assertTrue(refusal.to_client.startswith(b"-EXECABORT Transaction discarded because of: NOAUTH"))

    def test_late(self) -> None:
        """A queued command can be taken for refused until the transaction is told to end."""
        refused = Refused({})
        refused.ask("MULTI", "SET a 1")
        refused.say(OK)
        self.assertEqual(refused.late(1, "oom").to_backend, b"")
        self.assertEqual(refused.say(QUEUED), QUEUED)
        self.assertEqual(refused.ask("EXEC"), DISCARD)
        self.assertEqual(refused.say(OK), EXECABORT)

    def test_too_late(self) -> None:
        """Not once EXEC is on its way; EXEC itself not at all."""
        refused = Refused({})
        refused.ask("MULTI", "SET a 1", "EXEC")
        for number in (1, 2):
            self.assertRaises(NotLegal, refused.late, number)
        refused.ask("MULTI")
        self.assertRaises(NotLegal, refused.late, 1)

    def test_late_while_exec_is_handed_out(self) -> None:
        """Not either when the link has EXEC in its hands."""
        refused = Refused({})
        refused.ask("MULTI", "SET a 1")
        frames = iter(refused.session.receive(TO_BACKEND, cmd("EXEC")))
        self.assertIsInstance(next(frames), Frame)
        self.assertRaises(NotLegal, refused.late, 1)


def legal_of(*commands: str) -> list[str]:
    """What can be said to the last of these."""
    found: list[str] = []

    def decide(session: Session, exchange: Exchange) -> bool:
        found[:] = session.legal(exchange)
        return False

    Recorder(Redis().session(), decide).play([ask(*commands)])
    return found


class SentTests(SynchronousTestCase):
    """Refusals of what the backend has already: the reply is drained, the session waits for it."""

    def test_plain(self) -> None:
        """The real reply still belongs to the exchange."""
        refused = Refused({})
        refused.ask("SET a 1", "GET a")
        self.assertEqual(refused.late(0), Refusal(b"-LOADING Redis is loading the dataset in memory\r\n"))
        refused.say(OK, b"$1\r\n1\r\n")
        self.assertEqual([seen.reply for seen in refused.recorder.seen], [OK, b"$1\r\n1\r\n"])

    def test_state(self) -> None:
        """What has changed the connection cannot be taken for refused."""
        for command in (
            "SELECT 1",
            "HELLO 3",
            "AUTH x",
            "SUBSCRIBE a",
            "PUNSUBSCRIBE",
            "RESET",
            "QUIT",
            "MONITOR",
            "EXEC",
            "CLIENT REPLY OFF",
            "CLIENT SETNAME x",
            "DISCARD",
            "WATCH a",
        ):
            refused = Refused({})
            refused.ask(command)
            self.assertEqual(refused.session.legal(refused.recorder.seen[0].exchange), (), command)
            self.assertRaises(NotLegal, refused.late, 0, "noauth")

    def test_multi(self) -> None:
        """MULTI is undone, and the next command is carried out at once."""
        refused = Refused({})
        refused.ask("MULTI")
        self.assertEqual(refused.late(0, "noauth"), Refusal(NOAUTH, DISCARD))
        self.assertTrue(refused.session.edits)
        refused.ask("EVALSHA x 1 k")
        self.assertIn("noscript", refused.session.legal(refused.recorder.seen[1].exchange))
        self.assertEqual(refused.say(OK, OK, b"$-1\r\n"), OK + b"$-1\r\n")
        self.assertEqual(refused.statuses(), ["OK", "OK"])

    def test_multi_at_once(self) -> None:
        """The same while the link has MULTI in its hands."""
        refused = Refused({})
        frames = iter(refused.session.receive(TO_BACKEND, cmd("MULTI") + cmd("PING")))
        multi = next(frames).exchange
        assert multi is not None
        multi.sent = True
        self.assertEqual(refused.session.refuse(multi, "noauth").to_backend, DISCARD)
        self.assertEqual([frame.forward for frame in frames], [cmd("PING")])
        self.assertEqual(refused.say(OK + OK + PONG), OK + PONG)

    def test_multi_too_late(self) -> None:
        """Once something stands behind MULTI, it cannot be undone any more."""
        refused = Refused({})
        refused.ask("MULTI", "SET a 1")
        self.assertRaises(NotLegal, refused.late, 0)

    def test_multi_without_effect(self) -> None:
        """A MULTI that a subscribed client cannot have, or that was refused, leaves nothing to discard."""
        refused = Refused({})
        refused.ask("SUBSCRIBE a")
        refused.say(confirmed("subscribe", "a", 1))
        refused.ask("MULTI", "PING")
        self.assertRaises(NotLegal, refused.late, 1)
        refused = Refused({})
        refused.ask("MULTI")
        refused.say(NOAUTH)
        self.assertRaises(NotLegal, refused.late, 0, "noperm")


class WithdrawTests(SynchronousTestCase):
    """Requests that somebody else answers, or nobody."""

    def test_plain(self) -> None:
        """The others find their replies, and nothing is told to the backend."""
        told: list[bytes | None] = []
        recorder = Recorder(Redis().session(), withdrawing("GET", told))
        recorder.play([ask("SET a 1", "GET a", "INCR a"), say(OK, b":2\r\n")])
        self.assertEqual([seen.reply for seen in recorder.seen], [OK, b"", b":2\r\n"])
        self.assertEqual(told, [None])

    def test_exec(self) -> None:
        """A transaction whose EXEC never comes is discarded: its end is what the client was told."""
        told: list[bytes | None] = []
        recorder = Recorder(Redis().session(), withdrawing("EXEC", told))
        recorder.play([ask("MULTI", "SET a 1", "EXEC", "PING"), say(OK, QUEUED, OK, PONG)])
        self.assertEqual(told, [DISCARD])
        self.assertEqual([seen.reply for seen in recorder.seen], [OK, QUEUED, b"", PONG])

    def test_skipped(self) -> None:
        """It was the one to be skipped."""
        told: list[bytes | None] = []
        recorder = Recorder(Redis().session(), withdrawing("GET", told))
        recorder.play([ask("CLIENT REPLY SKIP", "GET a", "PING"), say(PONG)])
        self.assertEqual(told, [EMPTY])
        self.assertEqual(recorder.seen[-1].reply, PONG)


def withdrawing(verb: str, told: list[bytes | None]) -> Callable[[Session, Exchange], bool]:
    """Keep requests of this verb from the backend; `told` is what it is told for them."""

    def decide(session: Session, exchange: Exchange) -> bool:
        wanted = exchange.message.verb == verb
        if wanted:
            told.append(session.withdraw(exchange))
        return wanted

    return decide
