"""Random conversations, split at random; random garbage; and h11, which must agree about every message."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import h11
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.error import Error
from txvaurien.plan import Plan
from txvaurien.protocols.http import Http
from txvaurien.protocols.http.bodies import LINE_LIMIT
from txvaurien.protocols.http.framing import HEAD_LIMIT
from txvaurien.rules import Rule
from txvaurien.test.http_samples import CONVERSATIONS, ENDING
from txvaurien.test.memory import MemoryProxy
from txvaurien.testing import TO_BACKEND, TO_CLIENT, Conversation, Recorder, Step, collect, split

#: The same examples in every run: a failure can be repeated, and none comes out of the blue.
steady = settings(max_examples=150, deadline=None, derandomize=True, database=None)

NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,10}", fullmatch=True).map(lambda name: f"X-{name}")
VALUES = st.from_regex(r"[!-~]([ -~]{0,20}[!-~])?", fullmatch=True)
FIELDS = st.lists(st.tuples(NAMES, VALUES), max_size=4).map(
    lambda fields: "".join(f"{name}: {value}\r\n" for name, value in fields).encode()
)
TARGETS = st.from_regex(r"/[a-z0-9/._~-]{0,20}(\?[a-z0-9=&]{0,10})?", fullmatch=True).map(str.encode)
CONTENT = st.binary(max_size=300)


@dataclass(frozen=True)
class Body:
    """A body: what is in it, how its head announces it, and how it goes over the wire."""

    content: bytes
    field: bytes
    wire: bytes


NO_BODY = Body(b"", b"", b"")


@st.composite
def chunked(draw: st.DrawFn) -> Body:
    """A body in chunks, some with extensions, and with trailers or without."""
    parts = draw(st.lists(st.binary(min_size=1, max_size=100), max_size=4))
    extension = draw(st.sampled_from([b"", b";a", b";a=b", b';a="c;d"']))
    wire = b"".join(b"%x%s\r\n%s\r\n" % (len(part), extension, part) for part in parts)
    name = draw(st.sampled_from([b"Transfer-Encoding", b"transfer-encoding"]))
    return Body(b"".join(parts), name + b": chunked\r\n", wire + b"0\r\n" + draw(FIELDS) + b"\r\n")


def sized(content: bytes) -> Body:
    """A body with a length."""
    return Body(content, b"content-length:%d\r\n" % len(content), content)


BODIES = st.one_of(CONTENT.map(sized), chunked())


@dataclass(frozen=True)
class Pair:
    """A request and its response, as they go over the wire, with what is in them."""

    method: bytes
    target: bytes
    request: bytes
    asked: bytes
    interim: bytes
    status: int
    response: bytes
    answered: bytes


@st.composite
def pairs(draw: st.DrawFn) -> Pair:
    """A request and its response."""
    method = draw(st.sampled_from([b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"BREW"]))
    target = draw(TARGETS)
    body = draw(BODIES) if method in {b"POST", b"PUT", b"BREW"} else NO_BODY
    head = b"%s %s HTTP/1.1\r\nHost: x\r\n%s%s\r\n" % (method, target, draw(FIELDS), body.field)
    status = draw(st.sampled_from([200, 201, 204, 304, 404, 503]))
    reply = draw(BODIES)
    answer = b"HTTP/1.1 %d Some Reason\r\n%s%s\r\n" % (status, draw(FIELDS), reply.field)
    interim = draw(st.sampled_from([b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"]))
    empty = method == b"HEAD" or status in {204, 304}
    return Pair(
        method,
        target,
        head + body.wire,
        body.content,
        interim,
        status,
        answer + (b"" if empty else reply.wire),
        b"" if empty else reply.content,
    )


def conversation(told: Sequence[Pair], pipelined: bool) -> Conversation:
    """The pairs in turns, or all requests first."""
    if pipelined:
        asked = b"".join(pair.request for pair in told)
        return [(TO_BACKEND, asked), (TO_CLIENT, b"".join(pair.interim + pair.response for pair in told))]
    steps: list[tuple[bytes, bytes]] = [(pair.request, pair.interim + pair.response) for pair in told]
    return [step for asked, said in steps for step in ((TO_BACKEND, asked), (TO_CLIENT, said))]


def sizes(drawn: Sequence[int]) -> Callable[[], int]:
    """Piece sizes: those that were drawn, over and over."""
    state = {"at": 0}

    def size() -> int:
        state["at"] += 1
        return drawn[state["at"] % len(drawn)]

    return size


PIECES = st.lists(st.integers(1, 200), min_size=1, max_size=8)


class ConversationTests(SynchronousTestCase):
    """Valid conversations are understood, however they are split."""

    @steady
    @given(st.lists(pairs(), min_size=1, max_size=4), st.booleans(), PIECES)
    def test_understood(self, told: list[Pair], pipelined: bool, pieces: list[int]) -> None:
        """Every message begins and ends where it was made to, and is paired with its own."""
        recorder = collect(Http().session(), split(conversation(told, pipelined), sizes(pieces)))
        self.assertEqual((recorder.error, recorder.faults), ("", []))
        asked = [seen for seen in recorder.seen if not seen.unasked]
        self.assertEqual([seen.request for seen in asked], [pair.request for pair in told])
        self.assertEqual([seen.reply for seen in asked], [pair.response for pair in told])
        self.assertEqual([seen.verb.encode() for seen in asked], [pair.method for pair in told])
        self.assertEqual([seen.targets[0].encode() for seen in asked], [pair.target for pair in told])
        self.assertEqual([seen.status for seen in asked], [str(pair.status) for pair in told])
        interim = b"".join(seen.reply for seen in recorder.seen if seen.unasked)
        self.assertEqual(interim, b"".join(pair.interim for pair in told))

    @steady
    @given(pairs())
    def test_h11_agrees(self, pair: Pair) -> None:
        """h11 finds the same end of each message, and the same content in it."""
        recorder = collect(Http().session(), conversation([pair], True))
        asked = next(seen for seen in recorder.seen if not seen.unasked)
        server = h11.Connection(h11.SERVER)
        self.assertEqual(read(server, asked.request), pair.asked)
        client = h11.Connection(h11.CLIENT)
        client.send(h11.Request(method=pair.method, target="/", headers=[("Host", "x")]))
        client.send(h11.EndOfMessage())
        self.assertEqual(read(client, asked.reply), pair.answered)

    @steady
    @given(st.lists(pairs(), min_size=1, max_size=3), st.booleans(), PIECES)
    def test_through_a_link(self, told: list[Pair], pipelined: bool, pieces: list[int]) -> None:
        """What one side sends is what the other gets, with rules and without."""
        for plan in (None, Plan(rules=(Rule(Error(), target="/never here"),), seed=1)):
            through(plan, list(split(conversation(told, pipelined), sizes(pieces))))


def read(connection: h11.Connection, message: bytes) -> bytes:
    """The content of a message that is all that is there."""
    connection.receive_data(message)
    content = b""
    head = connection.next_event()
    assert isinstance(head, h11.Request | h11.Response), head
    while not isinstance(event := connection.next_event(), h11.EndOfMessage):
        assert isinstance(event, h11.Data), event
        content += bytes(event.data)
    assert connection.trailing_data[0] == b"", connection.trailing_data
    return content


def through(plan: Plan | None, steps: Conversation) -> None:
    """Play this through a link, and see that nothing is lost, changed or left."""
    proxy = MemoryProxy(plan, Http())
    client, backend = proxy.pair()
    for direction, data in steps:
        if data:
            (client if direction is TO_BACKEND else backend).says(data)
    client.fins()
    backend.fins()
    said = {way: b"".join(data for each, data in steps if each is way) for way in (TO_BACKEND, TO_CLIENT)}
    assert backend.received == said[TO_BACKEND], (backend.received, said)
    assert client.received == said[TO_CLIENT], (client.received, said)
    assert (client.ended, backend.ended, proxy.links) == ("fin", "fin", {}), (client.ended, backend.ended)


#: Words of which odd streams are made.
WORDS = st.sampled_from(
    [
        b"GET / HTTP/1.1\r\n",
        b"POST /x HTTP/1.0\n",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 101 X\r\n\r\n",
        b"Content-Length: 3\r\n",
        b"Content-Length: 99\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Expect: 100-continue\r\n",
        b"Connection: close\r\n",
        b" folded\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b"3\r\nabc\r\n",
        b"0\r\n\r\n",
        b"ffff\r\n",
        b"abc",
        b":",
    ]
)
ODD = st.lists(
    st.tuples(
        st.sampled_from([TO_BACKEND, TO_CLIENT]),
        st.lists(st.one_of(WORDS, WORDS, st.binary(max_size=20)), max_size=8).map(b"".join),
    ),
    max_size=8,
)


class GarbageTests(SynchronousTestCase):
    """Nothing that anybody says crashes a session, loses a byte, or grows without bound."""

    @settings(steady, max_examples=400)
    @given(ODD, PIECES)
    def test_session(self, steps: list[Step], pieces: list[int]) -> None:
        """Whatever comes: bytes are given out or kept, and are the same for every split."""
        whole = collect(Http().session(), steps)
        for recorder in (whole, collect(Http().session(), split(steps, sizes(pieces)))):
            self.assertEqual(recorder.faults, [])
            for direction in (TO_BACKEND, TO_CLIENT):
                got = recorder.yielded[direction] + recorder.session.rest(direction)
                self.assertTrue(recorder.received[direction].startswith(got))
                if not recorder.error:
                    self.assertEqual(got, recorder.received[direction])
            self.assertEqual(recorder.error, whole.error)
            self.assertEqual(
                [seen.summary() for seen in recorder.seen], [seen.summary() for seen in whole.seen]
            )

    @settings(steady, max_examples=400)
    @given(ODD, PIECES, st.booleans())
    def test_link(self, steps: list[Step], pieces: list[int], framed: bool) -> None:
        """A link passes all of it on, framed or opaque."""
        plan = Plan(rules=(Rule(Error(), target="/never here"),), seed=1) if framed else None
        through(plan, list(split(steps, sizes(pieces))))

    @steady
    @given(st.sampled_from(sorted({**CONVERSATIONS, **ENDING})), st.binary(min_size=1, max_size=40))
    def test_bounded(self, name: str, unit: bytes) -> None:
        """Anything, repeated without end after anything else, is passed on or given up."""
        block = unit * (8192 // len(unit) + 1)
        for direction in (TO_BACKEND, TO_CLIENT):
            recorder = Recorder(Http().session()).play({**CONVERSATIONS, **ENDING}[name])
            for _ in range(2 + 2 * HEAD_LIMIT // len(block)):
                recorder.feed(direction, block)
                self.assertLessEqual(0 if recorder.error else recorder.held(direction), HEAD_LIMIT)
        self.assertLess(LINE_LIMIT, HEAD_LIMIT)
