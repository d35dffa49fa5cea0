"""The metrics for StatsD: sent over UDP every few seconds, as Vaurien did.

A line is ``name:value|type`` (StatsD's docs/metric_types.md): ``c`` for what was counted since the last
time, ``g`` for how things are, ``ms`` for times. Several lines go into one datagram.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from twisted.application.service import Service
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from txvaurien.errors import ConfigError
from txvaurien.metrics.families import Collected, Family, Sample
from txvaurien.metrics.figures import Spread
from txvaurien.net.addresses import HIGHEST_PORT

if TYPE_CHECKING:
    from txvaurien.metrics.watcher import Metrics

#: Seconds between two times.
INTERVAL = 5.0

#: Bytes of a datagram that no network between here and there has to cut in pieces (StatsD's advice for
#: Ethernet).
MOST_BYTES = 1432

#: Where StatsD listens if nobody says otherwise.
PORT = 8125

_ADDRESS = re.compile(r"(?:\[(?P<v6>[^\]]+)\]|(?P<name>[^:\[\]\s]+))(?::(?P<port>\d{1,20}))?", re.ASCII)

#: What has a meaning in a name, or in a line; where dots part a name, each part is without them.
_SPECIAL = re.compile(r"[^A-Za-z0-9_-]")

#: What only Prometheus has a use for.
_LEFT_OUT = ("vaurien_info", "vaurien_proxy_info", "toxiproxy_")

Series = tuple[Family, tuple[str, ...]]


class Wire(Protocol):
    """A socket of UDP that is connected."""

    def send(self, data: bytes, /) -> int:
        """Send one datagram."""

    def close(self) -> None:
        """It is needed no more."""


def parse_address(text: str, where: str = "--statsd") -> tuple[str, int]:
    """``host``, ``host:port`` or ``[IPv6]:port``.

    :raises ConfigError: it is none of them.
    """
    match = _ADDRESS.fullmatch(text.strip())
    port = int(match["port"] or PORT) if match else 0
    if match is None or not 0 < port <= HIGHEST_PORT:
        raise ConfigError(where, f"{text!r} will not do", "it must be host:port, such as localhost:8125")
    return match["v6"] or match["name"], port


def connect(host: str, port: int, where: str = "--statsd") -> socket.socket:
    """A socket that sends there. The name is looked up once, which takes its time.

    :raises ConfigError: there is no such host.
    """
    try:
        (family, kind, number, _, address), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        made = socket.socket(family, kind, number)
        made.setblocking(False)
        made.connect(address)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(where, f"{host!r} cannot be reached ({reason})", "name another host") from error
    return made


class Lines:
    """Makes lines of metrics.

    :param prefix: what all names begin with; empty for nothing.
    """

    def __init__(self, prefix: str = "vaurien") -> None:
        self._prefix = [part for part in prefix.split(".") if part]
        self._before: dict[Series, float | Spread] = {}

    def lines(self, collected: Iterable[Collected]) -> Iterator[bytes]:
        """What is to be sent now. What has not moved since the last time is left out, if it is no gauge."""
        before, self._before = self._before, {}
        for each in collected:
            if not each.family.full_name.startswith(_LEFT_OUT):
                for sample in each.samples:
                    yield from self._of(each.family, sample, before.get((each.family, sample.labels)))

    def _of(self, family: Family, sample: Sample, before: float | Spread | None) -> Iterator[bytes]:
        self._before[family, sample.labels] = sample.value
        name = self._name(family, sample.labels)
        if isinstance(sample.value, Spread):
            yield from _times(name, sample.value, before if isinstance(before, Spread) else Spread())
        elif family.kind == "gauge":
            yield f"{name}:{sample.value:g}|g".encode()
        else:
            # Where it is less than before it has begun anew.
            known = before if isinstance(before, int | float) and before <= sample.value else 0
            if sample.value > known:
                yield f"{name}:{int(sample.value - known)}|c".encode()

    def _name(self, family: Family, labels: tuple[str, ...]) -> str:
        """``vaurien.PROXY.bytes.to_backend``: the proxy, the metric, its other labels."""
        proxy, others = (labels[:1], labels[1:]) if family.labels[:1] == ("proxy",) else ((), labels)
        parts = [
            *self._prefix,
            *proxy,
            family.name.removeprefix("vaurien_").removesuffix("_seconds"),
            *others,
        ]
        return ".".join(_SPECIAL.sub(_safe, part) or "_" for part in parts)


def _safe(character: re.Match[str]) -> str:
    """``_``; beyond ASCII its bytes in UTF-8, ``_c3_a9``, so that names of other alphabets stay apart."""
    return "_" if character[0].isascii() else "".join(f"_{byte:02x}" for byte in character[0].encode())


def _times(name: str, now: Spread, before: Spread) -> Iterator[bytes]:
    """The times that are new: for each class their mean, as a sample that stands for all of them."""
    for count, last, total, earlier in zip(now.counts, before.counts, now.sums, before.sums, strict=True):
        new = count - last
        if new > 0:
            mean = max(0.0, 1000 * (total - earlier) / new)
            share = f"|@{1 / new:.9g}" if new > 1 else ""
            yield f"{name}:{mean:.6g}|ms{share}".encode()


def datagrams(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Lines put together, no more than `MOST_BYTES` at once; one that is longer has one of its own."""
    waiting: list[bytes] = []
    size = 0
    for line in lines:
        if waiting and size + len(line) > MOST_BYTES:
            yield b"\n".join(waiting)
            waiting, size = [], 0
        waiting.append(line)
        size += len(line) + 1
    if waiting:
        yield b"\n".join(waiting)


class StatsdService(Service):
    """Sends the metrics every few seconds, and a last time when it is stopped.

    :param wire: is closed at the end. What it does not take (OSError) is lost, as datagrams may be.
    """

    log = Logger()

    def __init__(self, metrics: Metrics, wire: Wire, clock: IReactorTime, prefix: str = "vaurien") -> None:
        self._metrics = metrics
        self._wire = wire
        self._clock = clock
        self._lines = Lines(prefix)
        self._next: IDelayedCall | None = None
        self._failing = False

    def startService(self) -> None:
        """Begin."""
        Service.startService(self)
        self._wait()

    def stopService(self) -> Deferred[None]:
        """Send what is left; fires when that is done."""
        Service.stopService(self)
        if self._next is not None:
            self._next.cancel()
            self._next = None
        return ensureDeferred(self._finish())

    async def _finish(self) -> None:
        await self._tell()
        self._wire.close()

    def _wait(self) -> None:
        self._next = self._clock.callLater(INTERVAL, self._due)

    def _due(self) -> None:
        self._next = None
        ensureDeferred(self._tell()).addBoth(self._told)

    def _told(self, result: Any) -> None:
        if result is not None:
            self.log.failure("the metrics cannot be sent to StatsD", result)
        if self.running and self._next is None:
            self._wait()

    async def _tell(self) -> None:
        for datagram in datagrams(self._lines.lines(await self._metrics.collect())):
            try:
                self._wire.send(datagram)
                self._failing = False
            except OSError as error:
                # One line for each time that it stops working: UDP may lose what it likes.
                if not self._failing:
                    self.log.warn("StatsD does not take the metrics now: {why}", why=error.strerror)
                self._failing = True
