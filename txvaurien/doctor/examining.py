"""Everything that the doctor looks at, in order."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace

from twisted.internet.abstract import isIPv6Address
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress

from txvaurien.config import MAIN, Settings
from txvaurien.doctor import addressing
from txvaurien.doctor.addressing import examine_listen, passing_backend, path_of
from txvaurien.doctor.advising import Case, advise
from txvaurien.doctor.findings import Finding, Level
from txvaurien.doctor.headers import HEADERS, Met, better_met, of_header, other_way
from txvaurien.doctor.kernel import Kernel
from txvaurien.doctor.owntls import of_listener
from txvaurien.doctor.reaching import Attempt, Way, places_of
from txvaurien.doctor.recognising import WaitLimits, greet, recognise
from txvaurien.doctor.tlsprobe import Certified, Terms, certified, of_certificate
from txvaurien.doctor.verbs import near_verbs
from txvaurien.errors import ConfigError
from txvaurien.net.addresses import Listen
from txvaurien.net.endpoints import numeric
from txvaurien.net.itself import reaches, reaches_path
from txvaurien.net.names import Place
from txvaurien.process.definition import Definition
from txvaurien.settings.described import Described
from txvaurien.settings.dryrun import plan_lines

#: How many backends are talked to at one time.
_AT_ONE_TIME = 8


@dataclass(frozen=True)
class Examiner:
    """Looks at the proxies of some settings.

    :param probe: whether backends are connected to.
    """

    settings: Settings
    kernel: Kernel
    waits: WaitLimits
    probe: bool = True

    def proxies(self) -> Iterator[Finding]:
        """All proxies, in the order of the configuration; their backends are talked to at the same time."""
        described = self.settings.described
        with ThreadPoolExecutor(_AT_ONE_TIME) as pool:
            for each, found in zip(described, pool.map(self._proxy, described), strict=True):
                about = "proxy" if each.name == MAIN else f"proxy {each.name}"
                yield from (replace(finding, about=about) for finding in found)

    def _proxy(self, described: Described) -> list[Finding]:
        definition = described.definition
        found = list(self._listen(definition))
        found += of_listener(definition, self.settings)
        found += self._backend(definition)
        found += [Finding(Level.OK, "plan", line) for line in plan_lines(definition.plan)]
        found += near_verbs(definition)
        seed = definition.plan.seed
        found.append(Finding(Level.OK, "plan", f"seed {'drawn at the start' if seed is None else seed}"))
        if described.scenario is not None:
            words = f"{described.scenario.where} can be read; --dry-run shows its times"
            found.append(Finding(Level.OK, "scenario", words))
        return found

    def _listen(self, definition: Definition) -> Iterator[Finding]:
        option = definition.places.get("proxy", "--proxy")
        yield from examine_listen(definition.listen, option, self.kernel)
        if not definition.enabled:
            yield Finding(Level.NOTE, "listen", "it is disabled, so it does not listen until it is enabled")

    def _backend(self, definition: Definition) -> Iterator[Finding]:
        backend, where = definition.backend, definition.places.get("backend", "--backend")
        try:
            backend.resolve(where)
            places = places_of(backend)
        except ConfigError as error:
            yield Finding(Level.ERROR, "backend", error.what, f"{error.allowed} ({where})")
            return
        except OSError as error:
            text = f"there is no way to {backend.text!r}: {error.strerror or error}"
            yield Finding(Level.ERROR, "backend", text, f"see to the name of its interface ({where})")
            return
        if places is None:
            yield Finding(Level.NOTE, "backend", f"{backend.text}: this kind of endpoint is not tried here")
            return
        for family, address in places:
            if family != socket.AF_UNIX:
                yield from passing_backend(str(address[0]), int(address[1]), self.kernel)
        one = next((name for place in places if (name := self._ours(place))), "")
        if one == definition.name:
            text = f"{backend.text!r} is where the proxy itself listens"
            yield Finding(Level.ERROR, "backend", text, f"give the address of the server ({where})")
        elif one:
            yield Finding(Level.OK, "backend", f"{backend.text} is the proxy {one} of this configuration")
        elif self.probe:
            yield from _Backend(definition, places, self).examine()

    def _ours(self, place: Place) -> str:
        """The proxy that listens there, or ``""``."""
        for each in self.settings.definitions:
            if _leads(place, each.listen):
                return each.name
        return ""


class _Backend:
    """The backend of one proxy, which is talked to."""

    def __init__(self, definition: Definition, places: Sequence[Place], examiner: Examiner) -> None:
        self._definition = definition
        self._places = places
        self._waits = examiner.waits
        self._registry = examiner.settings.registry
        self._backend = definition.backend
        self._terms = Terms.of(definition)
        self._option = definition.places.get("backend", "--backend")

    def examine(self) -> Iterator[Finding]:
        """Reach it, look at its certificate, recognise it, and say what follows."""
        expected = self._definition.protocol.name
        met = [greet(way, expected, self._waits, wait=self._backend.tls is None) for way in self._ways()]
        attempts = [attempt for attempt, _ in met]
        yield from self._reached(attempts)
        first = next((number for number, each in enumerate(attempts) if not each.error), None)
        if first is None:
            return
        way, greeting = self._ways()[first], met[first][1]
        if self._backend.tls is not None:
            yield from self._secured(way)
        else:
            yield from self._plain(Met.at(way, greeting, expected, self._waits))

    def _plain(self, met: Met) -> Iterator[Finding]:
        better = better_met(met, self._definition.protocol.name, self._waits)
        if better is not None and better.seen is not None:
            met = better
            yield of_header(self._definition, better.way, better.seen.words)
        yield from advise(Case(self._definition, met.seen, self._registry))
        if met.seen is not None and met.seen.protocol == "tls":
            with suppress(OSError, ValueError):
                yield from of_certificate(certified(met.way, self._terms), verified=False)

    def _ways(self) -> Sequence[Way]:
        header = HEADERS[self._definition.ends.send_proxy]
        return [Way(place, name=self._terms.name, header=header) for place in self._places]

    def _reached(self, attempts: Sequence[Attempt]) -> Iterator[Finding]:
        good = [each for each in attempts if not each.error]
        text = ", ".join(_said(each) for each in attempts)
        if [each.shown for each in attempts] != [self._backend.text]:
            text = f"{self._backend.text}: {text}"
        if not good:
            advice = f"start the server, or give the address of another ({self._option})"
            yield Finding(Level.ERROR, "backend", text, advice)
            return
        yield Finding(Level.OK, "backend", text)
        # Of localhost the second address is only for what listens on nothing else.
        if attempts[0].error and self._backend.host != "localhost":
            text = f"the first address, {attempts[0].shown}, is tried in vain for each link"
            yield Finding(Level.WARNING, "backend", text, f"write {good[0].shown} ({self._option})")

    def _secured(self, way: Way) -> Iterator[Finding]:
        try:
            shown = certified(way, self._terms)
        except (OSError, ValueError) as error:
            way = other_way(way)
            other = self._certified(way)
            if other is None:
                yield self._without_tls(other_way(way), str(error))
                return
            shown = other
            yield of_header(self._definition, way, f"one of {shown.version}")
        yield from of_certificate(shown, verified=self._terms.verify)
        within = replace(way, context=self._terms.with_whomever())
        expected = self._definition.protocol.name
        _, greeting = greet(within, expected, self._waits)
        met = Met.at(within, greeting, expected, self._waits)
        yield from advise(Case(self._definition, met.seen, self._registry))

    def _certified(self, way: Way) -> Certified | None:
        """What the server shows, if TLS comes about in this way."""
        with suppress(OSError, ValueError):
            return certified(way, self._terms)
        return None

    def _without_tls(self, way: Way, why: str) -> Finding:
        seen = recognise(way, self._definition.protocol.name, self._waits)
        text = f"the server does not speak TLS ({f'it is {seen.words}' if seen else why})"
        return Finding(
            Level.ERROR, "tls", text, f"write {self._backend.authority} without tls: ({self._option})"
        )


def _leads(place: Place, listen: Listen) -> bool:
    """Whether what connects to `place` would meet what listens there."""
    family, address = place
    if family == socket.AF_UNIX:
        path = "" if listen.host else path_of(listen.text)
        return bool(path) and reaches_path(UNIXAddress(path.encode()), address[0])
    for each in addressing.bindings_of(listen):
        kind = IPv6Address if isIPv6Address(each.host) else IPv4Address
        if numeric(each.host) and reaches(kind("TCP", each.host, each.port), address[0], address[1]):
            return True
    return False


def _said(attempt: Attempt) -> str:
    if attempt.error:
        return f"{attempt.shown} {attempt.error}"
    return f"{attempt.shown} connects in {attempt.seconds * 1000:.1f} ms"
