"""The laws of DESIGN.md section 10, to be inherited by the trial cases of every protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, ClassVar

from zope.interface.verify import verifyObject

from txvaurien.errors import FramingError, NotLegal
from txvaurien.interfaces import ISession, IWireProtocol
from txvaurien.model import Connect, Direction, Exchange, Frame, Missed, Refusal, Then, Where
from txvaurien.protocols.base import Session, WireProtocol
from txvaurien.testing.recorder import (
    TO_BACKEND,
    TO_CLIENT,
    Conversation,
    Recorder,
    Seen,
    Step,
    collect,
    runs,
    split,
    upto,
)

if TYPE_CHECKING:
    from twisted.trial.unittest import SynchronousTestCase as _Case
else:
    _Case = object

#: Longer conversations are fed in this many pieces where others go byte by byte.
MOST_PIECES = 20_000


class SessionLaws(_Case):
    """A mixin for trial cases: the laws of DESIGN.md section 10, for one protocol."""

    #: An instance with the options that the conversations are meant for.
    protocol: ClassVar[WireProtocol]
    #: Sample streams by name: at least one for each thing that the protocol can do.
    conversations: ClassVar[Mapping[str, Conversation]]
    #: A request and its reply that fit at any point, to see that the session is in step.
    probe: ClassVar[Conversation] = ()
    #: What the backend answers to each `Refusal.to_backend`.
    answers: ClassVar[Mapping[bytes, bytes]] = {}
    #: The text given with kinds that take one.
    texts: ClassVar[Mapping[str, str]] = {"custom": "ERR boom"}
    #: Kinds that end the link in the middle of a reply.
    cut_short: ClassVar[frozenset[str]] = frozenset()
    #: How many bytes a session may keep to itself in a direction.
    held_limit: ClassVar[int] = 65_536
    #: How many random splits, and random streams, are tried of each kind.
    draws: ClassVar[int] = 20

    def answer(self, session: Session, told: bytes) -> bytes:
        """What the backend answers to this `Refusal.to_backend` of `session`; by default as in `answers`."""
        del session
        return self.answers[told]

    def test_interfaces(self) -> None:
        """The protocol provides IWireProtocol and its sessions provide ISession."""
        verifyObject(IWireProtocol, self.protocol)
        verifyObject(ISession, self.protocol.session())
        names = [kind.name for kind in self.protocol.error_kinds]
        self.assertEqual(len(names), len(set(names)), "the catalogue has a name twice")
        special = {self.protocol.too_many_kind, self.protocol.unreachable_kind} - {""}
        self.assertLessEqual(special, set(names))

    def test_frames(self) -> None:
        """`first` and `last` are where they belong, and nothing is lost or edited unasked."""
        for name, conversation in self.conversations.items():
            recorder = collect(self.protocol.session(), conversation)
            self.assertEqual(recorder.faults, [], name)
            self._complete(recorder, name)

    def test_any_split(self) -> None:
        """However the stream is split, the messages are the same ones."""
        for name, conversation in self.conversations.items():
            expected = collect(self.protocol.session(), runs(conversation))
            for how, pieces in self._splits(conversation):
                recorder = collect(self.protocol.session(), pieces)
                self._same(recorder, expected, f"{name}, {how}")

    def test_abandoned(self) -> None:
        """`rest` has all that was not yielded, also if the link stops in the middle."""
        for name, conversation in self.conversations.items():
            steps = runs(conversation)
            for at, (direction, data) in enumerate(steps):
                recorder = Recorder(self.protocol.session()).play(steps[:at])
                if data and not recorder.error:
                    held = recorder.received[direction][len(recorder.yielded[direction]) :]
                    first = self._first(recorder.session.receive(direction, data))
                    rest = recorder.session.rest(direction)
                    self.assertEqual(first + rest, bytes(held) + data, name)

    def test_garbage(self) -> None:
        """Whatever comes, only FramingError is raised, and not a byte is lost."""
        for seed in range(self.draws):
            random = Random(seed)
            stream = [
                (random.choice(list(Direction)), random.randbytes(random.randint(1, 200)))
                for _ in range(random.randint(1, 8))
            ]
            self._complete(collect(self.protocol.session(), stream), f"garbage, seed {seed}")

    def test_mutations(self) -> None:
        """The same for conversations with some of their bytes changed, lost or doubled."""
        for name, conversation in self.conversations.items():
            for seed in range(self.draws):
                random = Random(seed)
                stream = [(direction, _mutated(data, random)) for direction, data in runs(conversation)]
                pieces = split(stream, _sizes(random))
                self._complete(collect(self.protocol.session(), pieces), f"{name}, seed {seed}")

    def test_bounded(self) -> None:
        """A session that is fed without end never keeps more than `held_limit` bytes."""
        endless = (b"A", b"1", b"\r\n", b"\0", b"\xff", b"$", b"A: b\r\n")
        for name, conversation in {"nothing": (), **self.conversations}.items():
            for unit in endless:
                for direction in Direction:
                    recorder = Recorder(self.protocol.session()).play(conversation)
                    self._flood(recorder, direction, unit, name)

    def test_connect_kinds(self) -> None:
        """What can be said on connect is said without a request, and ends or keeps the link."""
        kinds = {kind.name: kind for kind in self.protocol.error_kinds}
        exchange = Exchange(request=Connect())
        for name in self.protocol.session().legal(exchange):
            refusal = self.protocol.session().refuse(exchange, name, self.texts.get(name, ""))
            self.assertIs(kinds[name].where, Where.CONNECT, name)
            self.assertTrue(refusal.to_client or refusal.then is not Then.KEEP, name)
            self.assertEqual(refusal.to_backend, b"", name)

    def test_refused_before(self) -> None:
        """Each legal refusal of a request that was not sent leaves the session in step."""
        for name, scene, kind in self._refusable(sent=False):
            recorder, refusal = self._refuse(scene, kind, sent=False)
            answered = scene.number + (refusal.edit is not None)
            self._settle(recorder, scene.expected.seen[:answered])
            self._in_step(recorder, refusal, f"{name}: {kind} for {scene.seen.verb}")

    def test_refused_between(self) -> None:
        """The same for requests that the backend has, and whose reply still comes."""
        for name, scene, kind in self._refusable(sent=True):
            recorder, refusal = self._refuse(scene, kind, sent=True)
            self._settle(recorder, scene.expected.seen[: scene.number + 1])
            self._in_step(recorder, refusal, f"{name}: {kind} for {scene.seen.verb}, sent")

    def test_refusals_are_replies(self) -> None:
        """What a refusal says to the client is what a server could have answered there."""
        for name, scene, kind in self._refusable(sent=False):
            said = _said(self._refuse(scene, kind, sent=False)[1], scene.seen.reply)
            if said and scene.seen.replies and kind not in self.cut_short:
                recorder = scene.play(self.protocol.session())
                self._settle(recorder, scene.expected.seen[: scene.number])
                seen = recorder.seen[scene.number]
                if seen.reply or recorder.error:
                    # It was answered before the request was complete, or nothing behind it can be followed.
                    continue
                frames = recorder.feed(TO_CLIENT, said)
                where = f"{name}: {kind} for {seen.verb}: {said!r}"
                self.assertEqual((recorder.error, recorder.faults), ("", []), where)
                self.assertEqual({frame.exchange for frame in frames if frame.raw}, {seen.exchange}, where)
                self.assertIn(TO_CLIENT, seen.done, where)

    def test_not_legal(self) -> None:
        """A kind that `legal` does not list is refused with NotLegal."""
        for name, conversation in self.conversations.items():
            recorder = Recorder(self.protocol.session(), self._refused_in_vain).play(conversation)
            expected = collect(self.protocol.session(), conversation)
            self._same(recorder.end(), expected, f"{name}: after NotLegal")

    def _refused_in_vain(self, session: Session, exchange: Exchange) -> bool:
        legal = session.legal(exchange)
        for kind in self.protocol.error_kinds:
            if kind.name not in legal:
                self.assertRaises(NotLegal, session.refuse, exchange, kind.name, "")
        return False

    def _splits(self, conversation: Conversation) -> Iterator[tuple[str, Iterable[Step]]]:
        total = sum(len(data) for _, data in conversation)
        piece = -(-total // MOST_PIECES)
        yield f"pieces of {piece}", split(conversation, lambda: piece)
        for seed in range(self.draws):
            yield f"seed {seed}", split(conversation, _sizes(Random(seed)))

    def _same(self, recorder: Recorder, expected: Recorder, where: str) -> None:
        self.assertEqual(recorder.error, expected.error, where)
        self.assertEqual(recorder.faults, [], where)
        for one, other in zip(recorder.seen, expected.seen, strict=False):
            self.assertEqual(one.summary(), other.summary(), where)
        self.assertEqual(len(recorder.seen), len(expected.seen), where)
        self.assertEqual(recorder.forwarded, expected.forwarded, where)
        self._complete(recorder, where)

    def _complete(self, recorder: Recorder, where: str) -> None:
        """What was not yielded is what `rest` has, or came after the session had given up."""
        for direction in Direction:
            received, yielded = recorder.received[direction], recorder.yielded[direction]
            rest = recorder.session.rest(direction)
            self.assertTrue(received.startswith(yielded + rest), f"{where}: {direction} bytes changed")
            if not recorder.error:
                self.assertEqual(len(yielded + rest), len(received), f"{where}: {direction} bytes lost")

    def _flood(self, recorder: Recorder, direction: Direction, unit: bytes, name: str) -> None:
        block = unit * (8192 // len(unit))
        for blocks in range(2 + 3 * self.held_limit // len(block)):
            recorder.feed(direction, block)
            held = recorder.held(direction)
            if recorder.error or (blocks and not held):
                return
            self.assertLessEqual(held, self.held_limit, f"{name}, then {unit!r} without end")

    def _first(self, frames: Iterable[Frame]) -> bytes:
        try:
            return next((frame.raw for frame in frames), b"")
        except FramingError:
            return b""

    def _refusable(self, *, sent: bool) -> Iterator[tuple[str, _Scene, str]]:
        """Every conversation up to each of its requests, with each kind that is legal there."""
        for name, conversation in self.conversations.items():
            expected = collect(self.protocol.session(), conversation)
            for number in range(self._whole(conversation, expected)):
                if not expected.seen[number].unasked:
                    scene = _Scene(conversation, expected, number)
                    for kind in scene.legal(self.protocol.session(), sent):
                        yield name, scene, kind

    def _whole(self, conversation: Conversation, expected: Recorder) -> int:
        """How many exchanges come before the first that was cut short, by a FIN or an error."""
        recorder = Recorder(self.protocol.session()).play(step for step in conversation if step[1])
        for number, (one, other) in enumerate(zip(expected.seen, recorder.seen, strict=False)):
            halves = (one.request, one.reply, TO_BACKEND in one.done)
            unheard = expected.error and one.replies and TO_CLIENT not in one.done
            if unheard or halves != (other.request, other.reply, TO_BACKEND in other.done):
                return number
        return len(recorder.seen)

    def _refuse(self, scene: _Scene, kind: str, *, sent: bool) -> tuple[Recorder, Refusal]:
        said: list[Refusal] = []

        def refuse(session: Session, exchange: Exchange) -> bool:
            said.append(session.refuse(exchange, kind, self.texts.get(kind, "")))
            return True

        session = self.protocol.session()
        recorder = scene.play(session, None if sent else refuse)
        if sent:
            refuse(session, recorder.seen[scene.number].exchange)
        return recorder, said[0]

    def _settle(self, recorder: Recorder, expected: Sequence[Seen]) -> None:
        """Let the backend say what it still owes to these exchanges."""
        for seen, wanted in zip(list(recorder.seen), expected, strict=False):
            if len(seen.reply) < len(wanted.reply):
                recorder.feed(TO_CLIENT, wanted.reply[len(seen.reply) :])
            self.assertEqual(seen.reply, wanted.reply)

    def _in_step(self, recorder: Recorder, refusal: Refusal, where: str) -> None:
        """The answer to what was told to the backend is swallowed; then `probe` pairs up."""
        answer = self.answer(recorder.session, refusal.to_backend) if refusal.to_backend else b""
        if answer:
            frames = recorder.feed(TO_CLIENT, answer)
            self.assertEqual({frame.exchange for frame in frames if frame.raw}, {None}, where)
        if refusal.then is Then.KEEP and self.probe:
            before = len(recorder.seen)
            (_, request), (_, reply) = self.probe
            recorder.feed(TO_BACKEND, request)
            self.assertEqual(len(recorder.seen), before + 1, where)
            if recorder.seen[-1].replies:
                recorder.feed(TO_CLIENT, reply)
                self.assertEqual(recorder.seen[-1].reply, reply, where)
                self.assertIn(TO_CLIENT, recorder.seen[-1].done, where)
        self.assertEqual(recorder.faults, [], where)
        if refusal.then is Then.KEEP:
            # A link that ends need not understand what the backend still says.
            self.assertEqual(recorder.error, "", where)


@dataclass
class _Scene:
    """A conversation up to the end of one request, which is number `number` of those seen."""

    conversation: Conversation
    expected: Recorder
    number: int

    @property
    def seen(self) -> Seen:
        return self.expected.seen[self.number]

    def play(self, session: Session, refuse: Callable[[Session, Exchange], bool] | None = None) -> Recorder:
        """Play it with this request refused, if so wanted."""
        sent = sum(len(seen.request) for seen in self.expected.seen[: self.number + 1])

        def decide(session: Session, exchange: Exchange) -> bool:
            chosen = len(recorder.seen) == self.number + 1
            return chosen and refuse is not None and refuse(session, exchange)

        recorder = Recorder(session, decide)
        return recorder.play(upto(self.conversation, sent))

    def legal(self, session: Session, sent: bool) -> Sequence[str]:
        """The kinds that can be said to this request, before or after it was sent."""
        found: list[str] = []

        def ask(session: Session, exchange: Exchange) -> bool:
            found.extend(session.legal(exchange))
            return False

        recorder = self.play(session, None if sent else ask)
        if self.number >= len(recorder.seen):
            # What was sent became a request only when the client said FIN.
            return found
        exchange = recorder.seen[self.number].exchange
        if sent and not recorder.error and exchange.response is None:
            ask(session, exchange)
        return found


def _said(refusal: Refusal, reply: bytes) -> bytes:
    """What the client gets, where the backend would say `reply`."""
    if refusal.edit is None:
        return refusal.to_client
    edited = refusal.edit(reply)
    return edited.data if isinstance(edited, Missed) else edited


def _sizes(random: Random) -> Callable[[], int]:
    return lambda: random.choice((1, 1, 2, 3, 7, 20, 64, 1000, 30_000))


def _mutated(data: bytes, random: Random) -> bytes:
    if not data:
        return data
    at = random.randrange(len(data))
    upto = at + random.randint(1, 4)
    new = random.choice((b"", random.randbytes(1), data[at:upto] * 2, b"\r\n", b"-1", b"99"))
    return data[:at] + new + data[upto:]
