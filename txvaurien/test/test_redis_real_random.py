"""The session in step with a real redis-server, whatever is asked in whatever mode, and refused."""

from __future__ import annotations

from random import Random

from txvaurien.model import Exchange, Refusal
from txvaurien.protocols.redis import Redis
from txvaurien.protocols.redis.asking import SPECIAL
from txvaurien.protocols.redis.forecast import reply_mode
from txvaurien.protocols.redis.heads import first_word
from txvaurien.protocols.redis.messages import Request
from txvaurien.test.redis_peer import Between, Peer, RealCase
from txvaurien.test.redis_samples import bulk, cmd
from txvaurien.testing import Recorder

#: What a client may ask for; some of it more often than the rest.
COMMANDS = (
    *("GET k", "SET k v", "INCR k", "DEL k", "LPUSH l x", "LRANGE l 0 -1", "MGET k l", "TYPE k"),
    *("PING", "PING hello", "NONSENSE", "GET", "BLPOP nothing 0.001", "EVAL return{1,'x'} 0"),
    *("MULTI", "MULTI", "MULTI", "EXEC", "EXEC", "EXEC", "EXEC x", "DISCARD", "DISCARD x"),
    *("WATCH k", "UNWATCH", "SELECT 1"),
    *("HELLO", "HELLO 2", "HELLO 3", "HELLO 3", "HELLO 9", "HELLO 3 AUTH who x"),
    *("RESET", "RESET x", "AUTH wrong", "CLIENT ID", "CLIENT TRACKING ON", "CLIENT TRACKING OFF", "MONITOR"),
    *("SUBSCRIBE a", "SUBSCRIBE a b", "SUBSCRIBE", "PSUBSCRIBE a* b*", "SSUBSCRIBE s"),
    *("UNSUBSCRIBE", "UNSUBSCRIBE a x", "PUNSUBSCRIBE", "SUNSUBSCRIBE", "PUBLISH a text"),
    *("CLIENT REPLY ON", "CLIENT REPLY OFF", "CLIENT REPLY SKIP", "CLIENT REPLY SKIP", "CLIENT REPLY"),
    *("EVALSHA ffffffffffffffffffffffffffffffffffffffff 0", "REPLCONF ACK 1", ""),
)

#: What another client does meanwhile.
OTHERS = ("PUBLISH a text", "PUBLISH b text", "SPUBLISH s text", "SET k v", "DEL k", "LPUSH l x")

#: What cannot be followed, as it says.
UNFOLLOWED = (
    "takes effect inside of the reply to EXEC",
    "was refused by the server, and",
    "nobody will hear whether this HELLO failed",
)


class Talk:
    """A conversation that is drawn at random.

    :param refusals: the share of the requests that are refused, some of them when the backend has them.
    """

    def __init__(self, port: int, other: Peer, seed: int, refusals: float) -> None:
        self.random = Random(seed)
        self.refusals = refusals
        #: Refuse only what leaves another session, that only hears of it, able to follow.
        self.clearly = seed % 2 == 0
        self.other = other
        self.between = Between(port, self.decide)
        self.tags = 0

    def tag(self) -> bytes:
        """A command whose reply tells whose it is."""
        self.tags += 1
        return cmd("ECHO", f"tag:{self.tags}")

    def drawn(self) -> list[str | bytes]:
        """Some commands to be sent in one go; each second one says which it is."""
        said: list[str | bytes] = []
        for _ in range(self.random.randint(1, 12)):
            command = self.random.choice(COMMANDS)
            said += [cmd(command) if command else b"\r\n", self.tag()]
        return said

    def decide(self, exchange: Exchange) -> Refusal | None:
        """Refuse it, or another one that has been sent, or nothing."""
        if self.random.random() < self.refusals / 4:
            self.deny()
        kinds = self.kinds(exchange)
        if not kinds or self.random.random() > self.refusals:
            return None
        kind = self.random.choice(kinds)
        return self.between.recorder.session.refuse(exchange, kind, self.text(kind))

    def kinds(self, exchange: Exchange) -> list[str]:
        """What may be drawn."""
        kinds = list(self.between.recorder.session.legal(exchange))
        if not self.clearly:
            return kinds
        return [] if is_mode(exchange) else [kind for kind in kinds if kind != "noauth"]

    def deny(self) -> None:
        """Refuse one of those that the backend has, and of whose reply nothing has come."""
        recorder = self.between.recorder
        sent = [each.exchange for each in recorder.seen[-8:] if each.exchange.sent and not each.reply]
        sent = [exchange for exchange in sent if exchange.replies and exchange not in self.between.refused]
        if sent and not recorder.error:
            exchange = self.random.choice(sent)
            kinds = self.kinds(exchange)
            if kinds:
                kind = self.random.choice(kinds)
                self.between.deny(exchange, kind, self.text(kind))

    def text(self, kind: str) -> str:
        """For the kinds that want one."""
        return {"custom": "ERR custom", "moved": "10.0.0.1:7000", "ask": "10.0.0.1:7000"}.get(kind, "")

    def hold(self) -> str:
        """Talk, then go out of whatever mode it is in; return what could not be followed, if so."""
        between, recorder = self.between, self.between.recorder
        for _ in range(8):
            between.say(*self.drawn())
            if self.random.random() < self.refusals:
                self.deny()
            if self.random.random() < 0.3:
                self.other.call(*self.random.choices(OTHERS, k=3))
            if self.random.random() < 0.7:
                between.settle()
        self.refusals = 0.0
        between.say("CLIENT REPLY ON", "DISCARD", "RESET", "CLIENT REPLY ON", cmd("ECHO", "end"))
        between.settle()
        return recorder.error


def is_mode(exchange: Exchange) -> bool:
    """Whether it may change a mode."""
    request = exchange.request
    return isinstance(request, Request) and first_word(request.raw) in SPECIAL


def asks_for_silence(exchange: Exchange) -> bool:
    """Whether it is CLIENT REPLY."""
    return isinstance(exchange.request, Request) and bool(reply_mode(exchange.request))


class RandomTests(RealCase):
    """Conversations in all modes, with a server that really is in those modes."""

    def setUp(self) -> None:
        self.server = self.start()
        self.other = self.peer(self.server)

    def talk(self, seed: int, refusals: float) -> str:
        """One conversation; what the session could not follow, if so."""
        talk = Talk(self.server.port, self.other, seed, refusals)
        try:
            error = talk.hold()
        finally:
            talk.between.close()
        if not error:
            where = f"seed {seed}"
            self.assertPaired(talk.between.recorder, where)
            self.assertFalse(talk.between.recorder.session.edits, where)
            self.assertLikely(talk.between, where)
        return error

    def assertPaired(self, recorder: Recorder, where: str) -> None:
        """Each ECHO is answered by its own words, if it was answered at all and not by an error."""
        self.assertEqual(recorder.faults, [], where)
        for seen in recorder.seen:
            request = seen.exchange.request
            if seen.verb == "ECHO" and seen.status == "OK" and isinstance(request, Request):
                self.assertIn(seen.reply, (bulk(request.args[1]), b"+QUEUED\r\n"), where)
        last = [seen for seen in recorder.seen if not seen.unasked][-1]
        self.assertEqual(last.reply, bulk("end"), where)

    def assertLikely(self, between: Between, where: str) -> None:
        """What the client heard is a conversation with a server that refused these of itself."""
        client = Recorder(Redis().session()).play(between.heard)
        if self.in_the_dark(between) or any(map(client.error.__contains__, UNFOLLOWED)):
            return
        self.assertEqual(client.error, "", where)
        self.assertPaired(client, where)
        asked = [seen for seen in between.recorder.seen if not seen.unasked]
        theirs = [seen for seen in client.seen if not seen.unasked]
        for seen, heard in zip(asked, theirs, strict=True):
            if seen.exchange in between.refused:
                self.assertEqual(heard.reply, between.refused[seen.exchange].to_client, where)

    def in_the_dark(self, between: Between) -> bool:
        """Whether something was refused of which nobody but the proxy can know what that means.

        That is what changes a mode, refused without a word; a silence, behind which an error may be
        anybody's; and NOAUTH, which no server says to one command and not to the next.
        """
        return any(
            said.to_client.startswith(b"-NOAUTH")
            or asks_for_silence(exchange)
            or (is_mode(exchange) and not said.to_client)
            for exchange, said in between.refused.items()
        )

    def assertFollowed(self, errors: list[str]) -> None:
        """Most conversations were followed to their end, and the others given up for a good reason."""
        given_up = [error for error in errors if error]
        self.assertLess(len(given_up), len(errors) / 2)
        self.assertEqual([error for error in given_up if not any(map(error.__contains__, UNFOLLOWED))], [])

    def test_followed(self) -> None:
        """Every reply finds its request."""
        self.assertFollowed([self.talk(seed, 0.0) for seed in range(100)])

    def test_refused(self) -> None:
        """The same when some of them are refused, before they are sent or after."""
        self.assertFollowed([self.talk(seed, 0.2) for seed in range(1000, 1100)])

    def test_rarely_refused(self) -> None:
        """The same with refusals that leave time to get deep into a mode."""
        self.assertFollowed([self.talk(seed, 0.03) for seed in range(2000, 2100)])
