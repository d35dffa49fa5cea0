"""Which requests have come to a proxy: how often each verb, with each target, as the journal shows them.

It is noted only where somebody asks for it (`chaos_proxy`), because it means looking at each request.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from txvaurien.errors import ConfigError
from txvaurien.links.traffic import Traffic
from txvaurien.links.turns import Turns
from txvaurien.metrics.exchanges import MeteredTraffic, MeteredTurns
from txvaurien.metrics.meter import Meter
from txvaurien.model import Exchange, Message

if TYPE_CHECKING:
    from txvaurien.link import Link
    from txvaurien.proxy import Proxy

#: How many different requests are remembered.
MOST = 10_000

#: How many targets of one request.
MOST_TARGETS = 100

#: How long a target may be that is remembered whole, in characters.
LONGEST = 500


class Passed:
    """Counts requests by verb and targets.

    :ivar missed: how many of them came that are not counted, because too many others had come before.
    """

    def __init__(self) -> None:
        self._counts: dict[tuple[str, tuple[str, ...]], int] = {}
        self.missed = 0

    def note(self, message: Message) -> None:
        """A request has come."""
        kind = _kind(message)
        counts = self._counts
        if kind in counts:
            counts[kind] += 1
        elif len(counts) < MOST:
            counts[kind] = 1
        else:
            self.missed += 1

    def count(self, verb: str = "", target: str = "") -> int:
        """How many have come.

        :param verb: in any case; empty for all.
        :param target: a glob that one of the targets has to match; empty for all.
        """
        wanted = verb.upper()
        return sum(
            count
            for (found, targets), count in self._counts.items()
            # Of ``CONFIG GET`` the first word will do.
            if (not wanted or found == wanted or found.startswith(f"{wanted} "))
            and (not target or any(fnmatchcase(each, target) for each in targets))
        )


def _kind(message: Message) -> tuple[str, tuple[str, ...]]:
    shown = message.log_fields()
    verb, target = shown.get("verb", ""), shown.get("target", "")
    if not target:
        return verb, ()
    targets = message.targets
    if len(targets) == 1 or not _is_plain(target, targets):
        return verb, (target[:LONGEST],)
    return verb, tuple(each[:LONGEST] for each in targets[:MOST_TARGETS])


def _is_plain(shown: str, targets: Sequence[str]) -> bool:
    """Whether what the protocol shows is the first few targets as they are; then the others may be, too."""
    joined = ""
    for target in targets:
        joined = f"{joined} {target}" if joined else target
        if len(joined) >= len(shown):
            break
    return joined == shown


class NotingTurns(Turns):
    """Turns that note each request."""

    __slots__ = ("_passed",)

    def __init__(self, link: Link, passed: Passed) -> None:
        super().__init__(link)
        self._passed = passed

    def admit(self, exchange: Exchange) -> None:
        super().admit(exchange)
        self._passed.note(exchange.message)


class NotingMeteredTurns(MeteredTurns):
    """The same, where the metrics look at each exchange as well."""

    def __init__(self, link: Link, meter: Meter, passed: Passed) -> None:
        super().__init__(link, meter)
        self._passed = passed

    def admit(self, exchange: Exchange) -> None:
        super().admit(exchange)
        self._passed.note(exchange.message)


class NotingMeter(Meter):
    """A meter that gives links parts which note requests."""

    __slots__ = ("passed",)

    def __init__(self, proxy: Proxy) -> None:
        exchanges = proxy.meter is not None and proxy.meter.exchanges
        super().__init__(proxy.protocol, exchanges=exchanges)
        self.passed = Passed()

    def parts(self, link: Link) -> tuple[Turns, Traffic]:
        """The parts of a link that see its exchanges."""
        if self.exchanges:
            turns = NotingMeteredTurns(link, self, self.passed)
            return turns, MeteredTraffic(link, turns)
        return NotingTurns(link, self.passed), Traffic(link)


def note_passed(proxy: Proxy) -> Passed:
    """From now on note which requests come to a proxy, on links to come.

    What its meter has noted of connects until now is forgotten: this is for a proxy that has just begun.
    """
    meter = proxy.meter
    if not isinstance(meter, NotingMeter):
        proxy.meter = meter = NotingMeter(proxy)
    return meter.passed


def passed_of(proxy: Proxy) -> Passed:
    """What has been noted.

    :raises ConfigError: nothing is.
    """
    if not isinstance(proxy.meter, NotingMeter):
        raise ConfigError("", "it is not noted which requests come", "POST /passed before they do")
    return proxy.meter.passed
