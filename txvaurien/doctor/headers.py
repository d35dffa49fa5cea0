"""The header of the PROXY protocol before all else: whether the backend takes what the proxy begins with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from txvaurien.doctor.answers import CONFUSED, RAW, Seen
from txvaurien.doctor.findings import Finding, Level
from txvaurien.doctor.probes import PROBES
from txvaurien.doctor.reaching import Way
from txvaurien.doctor.recognising import WaitLimits, greet, recognise
from txvaurien.process.definition import Definition

#: What stands there for each choice of ``--send-proxy``: that the connection is the proxy's own (HAProxy's
#: proxy-protocol.txt, 2.1 and 2.2: UNKNOWN, LOCAL).
HEADERS: Mapping[str, bytes] = MappingProxyType(
    {
        "off": b"",
        "v1": b"PROXY UNKNOWN\r\n",
        "v2": b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0",
    }
)

#: What stands for a server of which only is known that it speaks first, or with a number.
_NOBODY = frozenset({"unknown", "220"})


@dataclass(frozen=True)
class Met:
    """A server that was talked to in one way.

    :param seen: what it is; None where it was not recognised.
    :param unasked: whether it spoke before it was asked.
    """

    way: Way
    seen: Seen | None
    unasked: bool

    @classmethod
    def at(cls, way: Way, greeting: Seen | None, expected: str, waits: WaitLimits) -> Met:
        """Ask a server that has been waited for.

        :param greeting: what it is by its greeting, if there was one.
        """
        return cls(way, greeting or recognise(way, expected, waits), greeting is not None)

    @property
    def content(self) -> bool:
        """Whether it is known, and has not complained of what it has heard first."""
        seen = self.seen
        if seen is None or seen.protocol in _NOBODY or seen.trouble or CONFUSED in seen.traits:
            return False
        # Whoever only answers, and has not been asked yet, has answered to the header.
        return not (self.unasked and seen.protocol in PROBES)

    def fits(self, expected: str) -> bool:
        """Whether it is what is configured, too; `RAW` is always right."""
        return self.content and self.seen is not None and expected in (self.seen.protocol, RAW)


def other_way(way: Way) -> Way:
    """The same without its header; what has none gets one."""
    return replace(way, header=b"" if way.header else HEADERS["v1"])


def better_met(met: Met, expected: str, waits: WaitLimits) -> Met | None:
    """The server, met once more in the other way; None where that is not worth while, or no better."""
    if met.fits(expected) or (met.seen is not None and not met.way.header):
        return None
    way = other_way(met.way)
    _, greeting = greet(way, expected, waits)
    other = Met.at(way, greeting, expected, waits)
    better = (other.content, other.fits(expected)) > (met.content, met.fits(expected))
    return other if better else None


def of_header(definition: Definition, way: Way, words: str) -> Finding:
    """What is wrong with ``--send-proxy``.

    :param way: the one in which the server was recognised.
    :param words: what it is.
    """
    place = definition.places.get("send-proxy", "--send-proxy")
    if way.header:
        text = f"it wants a PROXY protocol header: behind one, the server is {words}"
        return Finding(Level.ERROR, "backend", text, f"set {place} to v1 (or v2)")
    text = f"it takes no PROXY protocol header: without one, the server is {words}"
    return Finding(Level.ERROR, "backend", text, f"leave {place} out")
