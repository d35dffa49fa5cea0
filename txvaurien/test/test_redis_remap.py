"""txvaurien.protocols.redis: what clients are told of the addresses that servers announce (``remap``)."""

from __future__ import annotations

from typing import ClassVar

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.errors import FramingError
from txvaurien.model import Exchange
from txvaurien.protocols.base import Session
from txvaurien.protocols.redis import Redis
from txvaurien.protocols.redis.remapping import REPLY_LIMIT
from txvaurien.protocols.redis.session import RedisSession
from txvaurien.test.redis_announcements import (
    AS_THEY_ARE,
    CLUSTER_CONVERSATIONS,
    ID,
    REMAP,
    TOLD,
    integer,
    listed,
    played,
)
from txvaurien.test.redis_samples import (
    CONVERSATIONS,
    DISCARD,
    EMPTY,
    OK,
    PROBE,
    QUEUED,
    array,
    ask,
    bulk,
    cmd,
    say,
    steady,
    values,
)
from txvaurien.testing import TO_BACKEND, TO_CLIENT, Conversation, Recorder, SessionLaws, Step, collect


class RemapLaws(SessionLaws, SynchronousTestCase):
    """Every law of sessions, with a table that is asked for each error and each address."""

    protocol = Redis(remap=REMAP)
    conversations: ClassVar[dict[str, Conversation]] = {
        **CLUSTER_CONVERSATIONS,
        **{
            name: told
            for name, told in CONVERSATIONS.items()
            if "silen" not in name and "replies" not in name
        },
    }
    probe = PROBE
    answers: ClassVar[dict[bytes, bytes]] = {DISCARD: OK, EMPTY: b""}


class RemapTests(SynchronousTestCase):
    """What the client is told."""

    def test_told(self) -> None:
        """Every place where a server announces an address has that of the proxy, and is else the same."""
        for name, (command, reply, told) in TOLD.items():
            self.assertEqual(played(ask(command), say(reply)), told, name)

    def test_in_pieces(self) -> None:
        """The same if the reply comes byte by byte."""
        for name, (command, reply, told) in TOLD.items():
            pieces = [say(reply[at : at + 1]) for at in range(len(reply))]
            self.assertEqual(played(ask(command), *pieces), told, name)

    def test_as_they_are(self) -> None:
        """What is no announcement, or of a node that the table does not know, stays as it is."""
        for name, (command, reply) in AS_THEY_ARE.items():
            self.assertEqual(played(ask(command), say(reply)), reply, name)

    def test_other_conversations(self) -> None:
        """Where no address is announced, not a byte is another."""
        for name, conversation in CONVERSATIONS.items():
            plain = collect(RedisSession(), conversation)
            remapped = collect(Redis(remap=REMAP).session(), conversation)
            self.assertEqual(remapped.forwarded, plain.forwarded, name)
            self.assertEqual(remapped.error, plain.error, name)

    @given(st.lists(values(), max_size=5))
    @steady
    def test_any_answer(self, replies: list[bytes]) -> None:
        """Whatever is said to a command that is looked at: it is passed on, and nothing breaks."""
        for command in (
            "CLUSTER SLOTS",
            "CLUSTER SHARDS",
            "CLUSTER NODES",
            "SENTINEL MASTERS",
            "ROLE",
            "INFO",
        ):
            self.assertEqual(played(ask(*[command] * len(replies)), say(*replies)), b"".join(replies))

    def test_pipeline(self) -> None:
        """In a pipeline each reply is looked at for what it is."""
        names = list(TOLD)
        told = played(
            ask(*[TOLD[name][0] for name in names], "GET k"),
            say(*[TOLD[name][1] for name in names], bulk("10.0.0.1:7000")),
        )
        self.assertEqual(told, b"".join(TOLD[name][2] for name in names) + bulk("10.0.0.1:7000"))

    def test_transaction(self) -> None:
        """In the reply to EXEC those values are looked at that answer a command which asks for addresses."""
        names = [name for name in TOLD if not TOLD[name][1].startswith(b"-")]
        commands = [each for name in names for each in (TOLD[name][0], "LRANGE k 0 -1")]
        theirs = array("10.0.0.1", "7000")
        told = played(
            ask("MULTI", *commands, "EXEC"),
            say(OK, *[QUEUED] * len(commands)),
            say(listed(*[each for name in names for each in (TOLD[name][1], theirs)])),
        )
        wanted = listed(*[each for name in names for each in (TOLD[name][2], theirs)])
        self.assertEqual(told, OK + QUEUED * len(commands) + wanted)

    def test_redirections_in_a_transaction(self) -> None:
        """A command may be redirected behind MULTI, and EXEC may be."""
        moved, told = TOLD["MOVED"][1:]
        replies = (OK, moved, b"-EXECABORT Transaction discarded\r\n", OK, QUEUED, moved)
        heard = played(ask("MULTI", "GET k", "EXEC", "MULTI", "GET k", "EXEC"), say(*replies))
        self.assertEqual(heard, b"".join(replies).replace(moved, told))

    def test_transactions_do_not_mix(self) -> None:
        """What was queued before DISCARD, or in a transaction whose EXEC was refused, is forgotten."""
        pair = array("10.0.0.1", "7000")
        heard = played(
            ask("MULTI", "SENTINEL GET-MASTER-ADDR-BY-NAME m", "DISCARD", "MULTI", "LRANGE k 0 -1", "EXEC"),
            say(OK, QUEUED, OK, OK, QUEUED, listed(pair)),
        )
        self.assertTrue(heard.endswith(listed(pair)))

    def test_no_transaction(self) -> None:
        """Where MULTI was refused, what was sent behind it is carried out at once."""
        command, reply, told = TOLD["SLOTS"]
        refused = b"-NOPERM this user has no permissions to run the 'multi' command\r\n"
        heard = played(ask("MULTI", command, "EXEC"), say(refused, reply, b"-ERR EXEC without MULTI\r\n"))
        self.assertEqual(heard, refused + told + b"-ERR EXEC without MULTI\r\n")

    def test_large_transaction(self) -> None:
        """The reply to EXEC may be a large one."""
        command, reply, told = TOLD["SLOTS"]
        big = bulk("x" * 100_000)
        heard = played(
            ask("MULTI", "GET k", command, "EXEC"), say(OK, QUEUED, QUEUED), say(listed(big, reply))
        )
        self.assertEqual(heard, OK + QUEUED * 2 + listed(big, told))

    def test_inline(self) -> None:
        """A command may be a line of words."""
        command, reply, told = TOLD["SLOTS"]
        self.assertEqual(played((TO_BACKEND, command.encode() + b"\r\n"), say(reply)), told)

    def test_refused_in_transaction(self) -> None:
        """After a refusal the client hears EXECABORT, whatever was queued."""
        session = Redis(remap=REMAP).session()
        recorder = Recorder(session, self.refuse_set)
        recorder.play([ask("MULTI", "CLUSTER SLOTS", "SET a 1", "EXEC", "PING")])
        recorder.play([say(OK, QUEUED, OK, b"+PONG\r\n")])
        self.assertIn(b"-EXECABORT", recorder.forwarded[TO_CLIENT])
        self.assertTrue(recorder.forwarded[TO_BACKEND].endswith(DISCARD + cmd("PING")))

    def refuse_set(self, session: Session, exchange: Exchange) -> bool:
        """Say OOM to a SET."""
        refused = exchange.message.verb == "SET"
        if refused:
            session.refuse(exchange, "oom")
        return refused

    def test_fault_stays(self) -> None:
        """A ``moved`` that the proxy says goes where its text says."""
        session = Redis(remap=REMAP).session()
        recorder = Recorder(session, lambda session, exchange: True)
        recorder.play([ask("GET k")])
        refusal = session.refuse(recorder.seen[0].exchange, "moved", "10.0.0.1:7000")
        self.assertEqual(refusal.to_client.split()[-1], b"10.0.0.1:7000")

    def test_attributes(self) -> None:
        """Attributes before a reply stay."""
        attribute = b"|1\r\n+ttl\r\n:1\r\n"
        command, reply, told = TOLD["SLOTS"]
        self.assertEqual(played(ask(command), say(attribute + reply)), attribute + told)

    def test_push_in_exec(self) -> None:
        """A message in the middle of the reply to EXEC is none of its values (RESP3, Redis 7.0)."""
        push = array("message", "a", "m", kind=b">")
        command, reply, told = TOLD["SLOTS"]
        begin = b"*2\r\n" + push + b":1\r\n"
        heard = played(
            ask("HELLO 3", "MULTI", "PUBLISH a m", command, "EXEC"),
            say(b"%0\r\n", OK, QUEUED, QUEUED, begin + reply),
        )
        self.assertTrue(heard.endswith(begin + told))


class HostTests(SynchronousTestCase):
    """Which node is meant where none is named."""

    def test_asked(self) -> None:
        """An empty host is that of the backend."""
        reply, told = b"-MOVED 1 :7000\r\n", b"-MOVED 1 127.0.0.1:17001\r\n"
        self.assertEqual(played(ask("GET k"), say(reply), backend="10.0.0.2:1"), told)
        self.assertEqual(played(ask("GET k"), say(reply), backend="10.0.0.9:7000"), reply)

    def test_asked_over_ipv6(self) -> None:
        """Also if that has an IPv6 address."""
        heard = played(ask("GET k"), say(b"-MOVED 1 :7000\r\n"), backend="[2001:db8::1]:1")
        self.assertEqual(heard, b"-MOVED 1 ::1:17003\r\n")

    def test_no_backend_address(self) -> None:
        """A backend behind a Unix socket has none: then nothing is replaced."""
        self.assertEqual(played(ask("GET k"), say(b"-MOVED 1 :7000\r\n"), backend=""), b"-MOVED 1 :7000\r\n")

    def test_localhost(self) -> None:
        """localhost and 127.0.0.1 are the same node."""
        for one, other in (("localhost", "127.0.0.1"), ("127.0.0.1", "LOCALHOST")):
            heard = played(
                ask("GET k"), say(f"-MOVED 1 {other}:1\r\n".encode()), remap={f"{one}:1": "10.0.0.1:2"}
            )
            self.assertEqual(heard, b"-MOVED 1 10.0.0.1:2\r\n")


class EventTests(SynchronousTestCase):
    """What sentinels publish."""

    def heard(self, channel: str, message: str, kind: bytes = b"*", pattern: str = "") -> bytes:
        """What a subscriber is told of a message."""
        words = ["pmessage", pattern, channel, message] if pattern else ["message", channel, message]
        subscribe, name = ("PSUBSCRIBE", pattern) if pattern else ("SUBSCRIBE", channel)
        start: list[Step] = [ask("HELLO 3"), say(b"%0\r\n")] if kind == b">" else []
        confirmed = kind + b"3\r\n" + bulk(subscribe.lower()) + bulk(name) + b":1\r\n"
        everything = played(*start, ask(cmd(subscribe, name)), say(confirmed), say(array(*words, kind=kind)))
        return everything.partition(confirmed)[2]

    def test_switch_master(self) -> None:
        """The old and the new address, however it was subscribed to and in both protocols."""
        said, told = "m 10.0.0.1 7000 10.0.0.2 7000", "m 127.0.0.1 17000 127.0.0.1 17001"
        channel = "+switch-master"
        for kind in (b"*", b">"):
            self.assertEqual(self.heard(channel, said, kind), array("message", channel, told, kind=kind))
            wanted = array("pmessage", "*", channel, told, kind=kind)
            self.assertEqual(self.heard(channel, said, kind, "*"), wanted)

    def test_instances(self) -> None:
        """Other events name an instance and its master."""
        for said, told in (
            ("master m 10.0.0.1 7000", "master m 127.0.0.1 17000"),
            ("master m 10.0.0.1 7000 #quorum 1/1", "master m 127.0.0.1 17000 #quorum 1/1"),
            (
                "slave 10.0.0.2:7000 10.0.0.2 7000 @ m 10.0.0.1 7000",
                "slave 127.0.0.1:17001 127.0.0.1 17001 @ m 127.0.0.1 17000",
            ),
        ):
            self.assertEqual(self.heard("+sdown", said), array("message", "+sdown", told))

    def test_other_messages(self) -> None:
        """Whatever else is published stays, on channels with such names, too."""
        for channel, said in (
            ("news", "m 10.0.0.1 7000 10.0.0.2 7000"),
            ("+new-epoch", "10.0.0.1 7000"),
            ("+switch-master", "m 10.0.0.1 7000"),
            ("+sdown", ""),
            ("+sdown", "slave a 10.0.0.1 port"),
        ):
            self.assertEqual(self.heard(channel, said), array("message", channel, said))


class LargeTests(SynchronousTestCase):
    """Replies of any size."""

    def many(self, host: str, port: int, count: int) -> bytes:
        """CLUSTER SLOTS of a large cluster."""
        node = listed(bulk(host), integer(port), bulk(ID))
        return listed(*[listed(integer(number), integer(number), node) for number in range(count)])

    def pieces(self, reply: bytes) -> list[Step]:
        """As a link reads it."""
        return [say(reply[at : at + 50_000]) for at in range(0, len(reply), 50_000)]

    def test_large(self) -> None:
        """More than a head is held back until it is complete; what follows it, is as ever."""
        said, told = self.many("10.0.0.2", 7000, 3000), self.many("127.0.0.1", 17001, 3000)
        self.assertGreater(len(said), 2 * 65536)
        self.assertLess(len(said), REPLY_LIMIT)
        heard = played(ask("CLUSTER SLOTS", "GET k"), *self.pieces(said), say(bulk("v")))
        self.assertEqual(heard, told + bulk("v"))

    def test_too_large(self) -> None:
        """What is larger than the limit is passed on as it is, and the next is looked at again."""
        said = self.many("10.0.0.2", 7000, 20_000)
        self.assertGreater(len(said), REPLY_LIMIT)
        moved, told = TOLD["MOVED"][1:]
        heard = played(ask("CLUSTER SLOTS", "GET k"), *self.pieces(said), say(moved))
        self.assertEqual(heard, said + told)

    def test_large_and_broken_off(self) -> None:
        """If it ends in the middle, the client gets what there is."""
        said = self.many("10.0.0.2", 7000, 3000)[:100_000]
        heard = collect(Redis(remap=REMAP).session(), [ask("CLUSTER SLOTS"), *self.pieces(said)])
        self.assertEqual(heard.forwarded[TO_CLIENT], said)

    def test_large_and_not_followed(self) -> None:
        """If it is no reply in the middle, what was held back is still to be had."""
        said = self.many("10.0.0.2", 7000, 3000)[:70_000] + b"\r\nno reply\r\n" * 10_000
        session = Redis(remap=REMAP).session()
        recorder = Recorder(session).play([ask("CLUSTER SLOTS"), *self.pieces(said)])
        self.assertTrue(recorder.error)
        joined = bytes(recorder.forwarded[TO_CLIENT]) + session.rest(TO_CLIENT)
        self.assertTrue(said.startswith(joined))
        self.assertGreater(len(joined), 70_000 - 1000)

    def test_others_are_not_held(self) -> None:
        """A large value goes on piece by piece."""
        session = Redis(remap=REMAP).session()
        recorder = Recorder(session).play([ask("GET k"), say(b"$1000000\r\n" + b"x" * 100_000)])
        self.assertGreater(len(recorder.forwarded[TO_CLIENT]), 99_000)

    def test_stray(self) -> None:
        """Errors of the framing are those of the session without a table."""
        session = Redis(remap=REMAP).session()
        list(session.receive(TO_BACKEND, cmd("PING")))
        self.assertRaises(FramingError, lambda: list(session.receive(TO_CLIENT, b"+PONG\r\n+PONG\r\n")))
