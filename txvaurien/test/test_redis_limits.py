"""txvaurien.protocols.redis: what cannot be followed, and what a request means before it is sent."""

from __future__ import annotations

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.model import Exchange
from txvaurien.protocols.base import Session
from txvaurien.protocols.redis import Redis
from txvaurien.protocols.redis.messages import Request
from txvaurien.protocols.redis.session import RedisSession
from txvaurien.test.redis_samples import CONVERSATIONS, OK, PONG, QUEUED, array, ask, cmd, confirmed, say
from txvaurien.test.redis_told import told
from txvaurien.testing import TO_BACKEND, TO_CLIENT, Recorder, Step, collect

NOPERM = b"-NOPERM no permission\r\n"


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

    def assertGivenUp(self, why: str, *steps: Step) -> None:
        """It cannot be followed any further."""
        self.assertIn(why, Recorder(Redis().session()).play(steps).error)

    def test_relied_on(self) -> None:
        """A mode that was refused, and that what was sent behind it counted on."""
        error = "was refused by the server, and requests were sent behind it as if it were not"
        for commands in (
            ("HELLO 3 AUTH a b", "SUBSCRIBE a", "CLIENT REPLY OFF", "PING"),
            ("MULTI", "CLIENT REPLY OFF", "GET a"),
            ("MULTI", "MULTI", "GET a"),
            ("MULTI", "SUBSCRIBE a"),
            ("MONITOR", "MONITOR", "PING"),
            ("SUBSCRIBE a", "CLIENT REPLY OFF", "PING"),
            ("RESET", "MULTI", "PING"),
        ):
            self.assertGivenUp(f"{commands[0].split()[0]} {error}", ask(*commands), say(NOPERM))
        self.assertGivenUp(f"DISCARD {error}", ask("MULTI", "DISCARD", "PING"), say(OK, NOPERM))
        subscribed = (ask("SUBSCRIBE a"), say(confirmed("subscribe", "a", 1)))
        self.assertGivenUp(f"UNSUBSCRIBE {error}", *subscribed, ask("UNSUBSCRIBE", "MULTI"), say(NOPERM))

    def test_refused_alone(self) -> None:
        """Nothing is given up where nothing counted on it: the modes are what they were."""
        told(ask("HELLO 3 AUTH a b", "CLIENT ID", "SELECT 1"), say(NOPERM, b":1\r\n", OK))
        told(ask("SUBSCRIBE a"), say(NOPERM), ask("CLIENT REPLY SKIP", "PING", "PING"), say(PONG))
        told(ask("MULTI", "DISCARD x", "RESET x", "PING"), say(OK, NOPERM, NOPERM, QUEUED))
        told(ask("MULTI"), say(OK), ask("DISCARD"), say(NOPERM), ask("SUBSCRIBE a"), say(QUEUED))
        told(
            *(ask("SUBSCRIBE a"), say(confirmed("subscribe", "a", 1)), ask("UNSUBSCRIBE a"), say(NOPERM)),
            *(ask("RESET"), say(NOPERM), ask("CLIENT REPLY OFF", "PING"), say(NOPERM, array("pong", ""))),
        )

    def test_silent_hello(self) -> None:
        """With replies off nobody hears whether a log-in failed, and so which protocol is spoken."""
        self.assertGivenUp("nobody will hear", ask("CLIENT REPLY OFF", "HELLO 3 AUTH a b", "PING"))
        told(ask("CLIENT REPLY OFF", "HELLO 3", "PING"))

    def test_never_so(self) -> None:
        """A reply that this command never has is another one's."""
        self.assertGivenUp("CLIENT was answered", ask("CLIENT REPLY ON", "PING"), say(PONG))
        subscribed = (ask("SUBSCRIBE a"), say(confirmed("subscribe", "a", 1)))
        self.assertGivenUp("MULTI was answered", *subscribed, ask("MULTI", "PING"), say(OK))

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
