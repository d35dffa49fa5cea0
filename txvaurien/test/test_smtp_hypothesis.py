"""Random conversations, random faults, random splits."""

from __future__ import annotations

from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.error import Error
from txvaurien.model import Direction
from txvaurien.plan import Plan
from txvaurien.protocols.smtp import Smtp
from txvaurien.protocols.smtp.catalogue import CATALOGUE, CUSTOM
from txvaurien.rules import Rule
from txvaurien.test.memory import MemoryProxy, MemoryTransport
from txvaurien.test.smtp_model import Letter, ModelClient, ModelServer
from txvaurien.testing import Recorder

#: Repeatable: a failure is there for everybody, every time.
often = settings(
    derandomize=True, deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow]
)

#: Every kind after which the link goes on, with each verb that it can be said to.
FAULTS = sorted(
    (name, verb)
    for name, entry in CATALOGUE.items()
    for verb in entry.verbs & {"MAIL", "RCPT", "DATA", "BDAT", "CONTENT", "AUTH", "CREDENTIALS"}
    if not entry.closes and name != CUSTOM
)

lines = st.lists(
    st.text("ab \t.:<>", max_size=12).map(lambda text: ("x" + text).encode() + b"\r\n"), max_size=6
)
letters = st.builds(
    Letter,
    recipients=st.lists(
        st.sampled_from([b"TO:<bob@a>", b"TO:<eve@b>", b"TO:<nobody@a>"]), min_size=1, max_size=3
    ),
    content=lines.map(b"".join),
    chunks=st.integers(0, 3),
    pipelined=st.booleans(),
    login=st.booleans(),
)
rules = st.lists(
    st.builds(
        lambda fault, probability: Rule(
            Error(kind=fault[0]), verbs=frozenset({fault[1]}), probability=probability
        ),
        st.sampled_from(FAULTS),
        st.sampled_from([0.2, 0.5, 1.0]),
    ),
    max_size=4,
)


class World:
    """A client, a proxy and a server; bytes go in pieces of random sizes."""

    def __init__(self, plan: Plan, seed: int, faulty: int) -> None:
        #: After so many pieces there are no faults any more.
        self.faulty = faulty
        self.proxy = MemoryProxy(plan, Smtp())
        self.near, self.far = self.proxy.pair()
        self.server = ModelServer()
        self.random = Random(seed)
        self._heard = 0
        self._seen = 0
        self.pieces(self.far, b"220 model\r\n")

    def pieces(self, end: MemoryTransport, data: bytes) -> None:
        """Say this in pieces."""
        while data:
            size = self.random.choice((1, 2, 3, 10, 1000))
            end.says(data[:size])
            self.faulty -= 1
            if self.faulty == 0:
                self.proxy.proxy.set_plan(Plan())
            data = data[size:]

    def ask(self, data: bytes, replies: int) -> list[bytes]:
        """What the client says, and the codes that it gets for that."""
        self._seen = len(self.near.received)
        self.pieces(self.near, data)
        while self._heard < len(self.far.received):
            heard, self._heard = self.far.received[self._heard :], len(self.far.received)
            self.pieces(self.far, self.server.feed(heard))
        codes = [line[:3] for line in self.near.received[self._seen :].splitlines()]
        assert len(codes) == replies, (data, codes, self.far.received)
        return codes


class RandomTests(SynchronousTestCase):
    """Whatever is refused, client and server believe the same."""

    @often
    @given(st.lists(letters, min_size=1, max_size=4), rules, st.integers(0, 2**16), st.integers(1, 100))
    def test_in_step(self, sent: list[Letter], faults: list[Rule], seed: int, faulty: int) -> None:
        """Each command has its reply; the server has the mails that the client was told it has."""
        world = World(Plan(rules=tuple(faults), seed=seed), seed, faulty)
        client = ModelClient(world.ask)
        for letter in sent:
            client.send(letter)
        self.assertEqual(world.server.mails, client.mails)
        self.assertEqual(world.server.wrong, [])
        self.assertEqual(world.proxy.named("opaque"), [])

    @often
    @given(st.lists(st.tuples(st.sampled_from(list(Direction)), st.binary(max_size=200)), max_size=12))
    def test_garbage(self, stream: list[tuple[Direction, bytes]]) -> None:
        """Nothing that comes raises, and not a byte is lost."""
        for starttls in ("passthrough", "strip"):
            protocol = Smtp(starttls="strip" if starttls == "strip" else "passthrough")
            recorder = Recorder(protocol.session()).play(step for step in stream if step[1]).end()
            for direction in Direction:
                kept = recorder.yielded[direction] + recorder.session.rest(direction)
                self.assertTrue(recorder.received[direction].startswith(kept))
                if not recorder.error:
                    self.assertEqual(recorder.received[direction], kept)

    @often
    @given(st.text("EHLODATMBRCPS <>@:=.\r\n0123456789", max_size=60))
    def test_any_line(self, line: str) -> None:
        """Every property of every command can be asked for."""
        recorder = Recorder(Smtp().session())
        recorder.feed(Direction.TO_BACKEND, line.encode() + b"\r\n")
        for seen in recorder.seen:
            message = seen.exchange.message
            self.assertLessEqual(set(message.log_fields()), {"verb", "target", "status"})
            self.assertTrue(all(isinstance(each, str) for each in message.targets))
