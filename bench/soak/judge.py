"""What may not happen to a link, given what was done to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from bench.soak.facts import Chronicle, Effect, Facts, Line
from bench.soak.ledger import Oddity, Record, Stream

_BENT = Effect.ALTER_UP | Effect.ALTER_DOWN | Effect.LOSE_UP | Effect.LOSE_DOWN | Effect.UNKNOWN
_DOWN = Effect.ALTER_DOWN | Effect.LOSE_DOWN | Effect.UNKNOWN

#: By the kind of an oddity: which effects on the link excuse it, any of them.
#: What a backend says to bytes that were bent on their way excuses nearly everything.
EXCUSES: Mapping[str, Effect] = MappingProxyType(
    {
        "cut": Effect.CUT | _BENT,
        "short": Effect.CUT | _BENT,
        "gave up": Effect.HOLD | _BENT,
        "garbled": _BENT,
        "foreign": _BENT,
        "stale": _BENT,
        "error": _BENT,
    }
)

#: Effects that leave every byte where it was.
HARMLESS = Effect.HOLD


@dataclass(frozen=True)
class Deviation:
    """Something that happened and that no fault explains.

    :ivar lines: what the journal says of the link.
    """

    proxy: str
    link: int
    what: str
    effects: str = ""
    record: Record | None = None
    lines: tuple[Line, ...] = ()


@dataclass
class Verdict:
    """What became of one record.

    :ivar clean: no fault has touched the link.
    """

    clean: bool
    deviations: list[Deviation] = field(default_factory=list)


def judge(record: Record, facts: Facts, effects: Effect) -> Verdict:
    """Compare what a client has seen with what the journal says of its link.

    :param effects: all that may have been done to it.
    """
    found = [_text(odd) for odd in record.oddities if not excused(odd, facts, effects)]
    if facts.broken:
        found.append(f"a behavior raised: {facts.broken}")
    if facts.opaque and not effects & _BENT:
        found.append("the link went opaque, and nothing had bent what was said")
    found += _unsaid(record, facts, effects)
    found += _miscounted(record, facts, effects)
    for stream in record.streams:
        found += _misheard(stream, record, effects)
    deviations = [
        Deviation(facts.proxy, facts.number, what, str(effects), record, tuple(facts.lines)) for what in found
    ]
    return Verdict(effects == Effect.NONE, deviations)


def excused(odd: Oddity, facts: Facts, effects: Effect) -> bool:
    """Whether something that was done to the link explains this."""
    if effects & EXCUSES.get(odd.kind, Effect.UNKNOWN):
        return True
    if odd.kind != "error":
        return False
    said = facts.said
    # What was said in place of the greeting is read as the first reply.
    if "any" in said or "0" in said:
        return True
    if odd.exchange == 0:
        return bool(said)
    kind = said.get(str(odd.exchange))
    return kind is not None and _is_of(facts.proxy, kind, odd.text)


def _is_of(proxy: str, kind: str, text: str) -> bool:
    """Whether an error is of that kind, where its words tell."""
    if proxy == "http":
        return text == kind
    # Redis begins an error with its kind, but for those that have none of their own.
    return proxy != "redis" or text.startswith("ERR ") or text.lower().startswith(kind)


def _text(odd: Oddity) -> str:
    return f"{odd.kind}: {odd.text}" + (f" (exchange {odd.exchange})" if odd.exchange else "")


def _unsaid(record: Record, facts: Facts, effects: Effect) -> list[str]:
    """What a rule said is what the client has heard, if it has heard anything."""
    if effects & _BENT:
        return []
    said = {int(exchange): kind for exchange, kind in facts.said.items() if exchange.isdecimal()}
    return [
        f"the journal says that exchange {exchange} was refused with {kind}, and the client had a good reply"
        for exchange, kind in said.items()
        if 0 < exchange <= record.answered and exchange not in record.refused
    ]


def _miscounted(record: Record, facts: Facts, effects: Effect) -> list[str]:
    """The proxy's own figures are those of the client, where every byte has passed."""
    if facts.closed is None or effects & ~HARMLESS or not record.whole or record.rude:
        return []
    pairs = (
        ("bytes_to_backend", "sent", record.sent),
        ("bytes_to_client", "received", record.received),
    )
    return [
        f"the journal says {name} {facts.closed[name]}, and the client {word} {mine}"
        for name, word, mine in pairs
        if facts.closed[name] != mine
    ]


def _misheard(stream: Stream, record: Record, effects: Effect) -> list[str]:
    """What an end has received is what the other has sent, as far as the faults let it."""
    way = "to the backend" if stream.upstream else "to the client"
    lost = Effect.LOSE_UP if stream.upstream else Effect.LOSE_DOWN
    altered = Effect.ALTER_UP if stream.upstream else Effect.ALTER_DOWN
    if Effect.UNKNOWN in effects or (lost in effects and altered in effects):
        return []
    got, found = stream.received, []
    # Of a client that resets before its first word has got through, the backend never knows.
    unheard = stream.upstream and record.rude and not record.known
    as_wanted = unheard or stream.wanted in ("", stream.ending)
    if not (effects & ~HARMLESS or record.oddities or as_wanted):
        found.append(f"{way} the stream ended with {stream.ending!r} in place of {stream.wanted!r}")
    whole = got.length == stream.sent.length and got.digest == stream.sent.digest
    if not whole and not effects & ~HARMLESS and record.whole and not record.rude:
        found.append(f"{way} went {stream.sent.length} bytes and came {got.length}: {got}")
    if got.length > stream.sent.length and altered not in effects:
        found.append(f"{way} came {got.length} bytes, of which {stream.sent.length} had been sent")
    if (got.changed or got.strange) and altered not in effects:
        found.append(f"{way} bytes came that were not sent: {got}")
    if got.holes and lost not in effects:
        found.append(f"{way} bytes are missing in the middle: {got}")
    return found


class Court:
    """Joins records with links, and judges them.

    :ivar deviations: everything that nothing explains.
    :ivar judged: how many records, and how many of them of links without any fault.
    :ivar effects: what was done to each link, by the token of its record.
    """

    def __init__(self, chronicle: Chronicle) -> None:
        self.chronicle = chronicle
        self.deviations: list[Deviation] = []
        self.judged = 0
        self.clean = 0
        self.effects: dict[str, Effect] = {}
        self._links: dict[tuple[str, str], list[Facts]] = {}

    def sit(self, waiting: list[Record], final: bool = False) -> list[Record]:
        """Judge those whose links have closed.

        :param final: nothing more will come: what has no link now never had one.
        :return: those that have to wait.
        """
        for facts in self.chronicle.closed:
            self._links.setdefault((facts.proxy, facts.client), []).append(facts)
        self.chronicle.closed.clear()
        later = []
        for record in waiting:
            facts_of = self._link_of(record) if record.settled or final else None
            if facts_of is not None:
                self._judge(record, facts_of)
            elif final:
                self._without_link(record)
            else:
                later.append(record)
        return later

    def leftover(self) -> list[Facts]:
        """Links that no client knows of; they are forgotten."""
        left = [facts for each in self._links.values() for facts in each]
        self._links.clear()
        return left

    def _link_of(self, record: Record) -> Facts | None:
        """Ports are used again: of several links it is the one that lived when the client did."""
        links = self._links.get((record.proxy, record.client), [])
        for facts in links:
            if facts.opened >= record.begun and facts.opened <= record.ended + 10.0:
                links.remove(facts)
                return facts
        return None

    def _judge(self, record: Record, facts: Facts) -> None:
        effects = self.effects[record.token] = self.chronicle.effects_on(facts)
        verdict = judge(record, facts, effects)
        self.judged += 1
        self.clean += verdict.clean
        self.deviations += verdict.deviations

    def _without_link(self, record: Record) -> None:
        self.judged += 1
        spells = self.chronicle.spells_between(record.proxy, record.begun - 1.0, record.ended)
        if not spells:
            seen = "; ".join(_text(odd) for odd in record.oddities) or "nothing odd"
            what = (
                f"no link of the journal is that of the client {record.client or '(not connected)'}: {seen}"
            )
            self.deviations.append(Deviation(record.proxy, 0, what, record=record))
