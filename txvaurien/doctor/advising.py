"""What a recognised server means for the options of its proxy."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from types import MappingProxyType

from txvaurien.doctor.addressing import told_address
from txvaurien.doctor.answers import (
    CLUSTER,
    OFFERS_TLS,
    OFFERS_ZSTD,
    RAW,
    SENTINEL,
    WANTS_PASSWORD,
    Seen,
)
from txvaurien.doctor.findings import Finding, Level
from txvaurien.options import options_of
from txvaurien.plugins import Registry
from txvaurien.process.definition import Definition
from txvaurien.protocols.base import WireProtocol
from txvaurien.settings.flags import prefix_of

#: Where distributions have the socket of a MySQL on this machine.
SOCKETS = ("/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock", "/tmp/mysql.sock", "/tmp/mysqld.sock")

#: Within which option a protocol says what becomes of TLS that begins in the middle.
_TLS_OPTIONS: Mapping[str, str] = MappingProxyType({"mysql": "tls", "smtp": "starttls"})


@dataclass(frozen=True)
class Case:
    """A proxy, and the server that was found behind it.

    :param seen: None where it was not recognised.
    """

    definition: Definition
    seen: Seen | None
    registry: Registry

    @property
    def protocol(self) -> WireProtocol:
        """The one that is configured."""
        return self.definition.protocol

    def flag(self, option: str) -> str:
        """The flag of an option of that protocol."""
        return f"--{prefix_of('protocols', self.protocol.name)}{option}"

    def place(self, name: str) -> str:
        """Where something of this proxy is said, or would be."""
        return self.definition.places.get(name, f"--{name}")


def advise(case: Case) -> Iterator[Finding]:
    """Whether the protocol fits, and what is in the way of its rules."""
    if case.seen is None:
        yield _unrecognised(case)
    else:
        yield from _recognised(case, case.seen)
    if case.protocol.name == "mysql":
        yield from _local_traps(case)


def _unrecognised(case: Case) -> Finding:
    text = "the server was not recognised: it greets nobody, and answers to none of what it was asked"
    if case.protocol.name == RAW:
        return Finding(Level.NOTE, "protocol", text)
    advice = f"see whether it is {case.protocol.name}; {RAW} suits every server ({case.place('protocol')})"
    level = Level.WARNING if _could_be_told(case.protocol.name) else Level.NOTE
    return Finding(level, "protocol", text, advice)


def _could_be_told(name: str) -> bool:
    return name in {"http", "memcache", "mysql", "redis", "smtp"}


def _recognised(case: Case, seen: Seen) -> Iterator[Finding]:
    if seen.trouble:
        what = f"the server is {seen.words}, and takes no client now: {seen.trouble}"
        yield Finding(Level.ERROR, "backend", what, "see to the server first")
    if seen.protocol == "tls":
        yield _tls_in_the_way(case, seen)
    elif seen.protocol == case.protocol.name:
        yield Finding(Level.OK, "protocol", f"the server speaks {seen.protocol}: it is {seen.words}")
        yield from _traps(case, seen)
    else:
        yield _another(case, seen)


def _tls_in_the_way(case: Case, seen: Seen) -> Finding:
    inside = seen.inside
    within = f", and {inside.words} within it" if inside is not None else ""
    text = f"the server speaks TLS{within}"
    name = inside.protocol if inside is not None else case.protocol.name
    protocol = f" and --protocol {name}" if _framed(case, name) and name != case.protocol.name else ""
    backend = case.definition.backend
    advice = f"write tls:{backend.authority} for it ({case.place('backend')}){protocol}"
    if case.protocol.name == RAW:
        passed = "it is passed through unread, and rules know no verbs"
        return Finding(Level.NOTE, "protocol", f"{text}; {passed}", f"to read it, {advice}")
    text += f": {case.protocol.name} cannot be read in it, each link goes opaque"
    return Finding(Level.ERROR, "protocol", text, advice)


def _another(case: Case, seen: Seen) -> Finding:
    name, known = case.protocol.name, _framed(case, seen.protocol)
    text = f"the server is {seen.words}"
    if name == RAW and known:
        gain = f"{text}: with --protocol {seen.protocol} rules can name its commands, and errors are its own"
        return Finding(Level.NOTE, "protocol", gain, f"set {case.place('protocol')} to {seen.protocol}")
    if name == RAW:
        return Finding(Level.OK, "protocol", f"{text}; {RAW} suits every server")
    instead = seen.protocol if known else RAW
    text += f", which does not speak {name}: each link goes opaque, and no rule on its commands fires"
    if not _could_be_told(name):
        return Finding(Level.WARNING, "protocol", text, f"see whether it should be {instead}")
    return Finding(Level.ERROR, "protocol", text, f"set {case.place('protocol')} to {instead}")


def _framed(case: Case, name: str) -> bool:
    return name != RAW and name in case.registry.names("protocols")


def _traps(case: Case, seen: Seen) -> Iterator[Finding]:
    """What a server of the right protocol has that keeps rules from being followed."""
    yield from _own_tls(case, seen)
    zstd = OFFERS_ZSTD in seen.traits and getattr(case.protocol, "compression", "") == "framed"
    if zstd and find_spec("zstandard") is None:
        text = "the server offers compression with zstd; where a client takes that, its link goes opaque"
        advice = f"install zstandard, or set {case.flag('compression')} to strip"
        yield Finding(Level.WARNING, "protocol", text, advice)
    if seen.traits & {CLUSTER, SENTINEL} and not getattr(case.protocol, "remap", True):
        what = "a node of a cluster" if CLUSTER in seen.traits else "a sentinel"
        text = f"the server is {what}, and tells clients addresses that lead past the proxy"
        yield Finding(Level.WARNING, "protocol", text, f"give each server a proxy, and {case.flag('remap')}")
    if WANTS_PASSWORD in seen.traits:
        text = "the server wants a password, so it was not asked whether it is of a cluster, or a sentinel"
        yield Finding(Level.NOTE, "protocol", text)


def _own_tls(case: Case, seen: Seen) -> Iterator[Finding]:
    """TLS that begins in the middle of a protocol, and what the option for that is set to."""
    name = _TLS_OPTIONS.get(case.protocol.name, "")
    chosen = getattr(case.protocol, name, "")
    if OFFERS_TLS not in seen.traits:
        return
    if chosen == "passthrough":
        text = "the server offers TLS; a client that begins it makes its link opaque, and no rule fires"
        yield Finding(Level.WARNING, "protocol", text, _choose(case, name))
    elif chosen == "strip":
        text = "the server's offer of TLS is taken out; whoever may log in with TLS only cannot"
        yield Finding(Level.NOTE, "protocol", text)


def _choose(case: Case, name: str) -> str:
    """The choices of an option that keep the link readable."""
    (option,) = (each for each in options_of(type(case.protocol)) if each.name == name)
    left = [choice for choice in option.choices if choice != "passthrough"]
    return f"set {case.flag(name)} to {' or '.join(left)}"


def _local_traps(case: Case) -> Iterator[Finding]:
    """Clients of MySQL that never come, and accounts that are others' (manual, 6.2.4 and 8.2.4)."""
    definition = case.definition
    there = next((path for path in SOCKETS if os.path.exists(path)), "")
    text = "clients that are told `localhost` use a Unix socket, and go past the proxy"
    text += " (mysql, libmysqlclient, mysqlclient, PHP's mysqli)"
    text += f"; this machine has {there}" if there else ""
    advice = f"have them connect to {told_address(definition.listen)}"
    yield Finding(Level.WARNING if there else Level.NOTE, "clients", text, advice)
    if definition.backend.text.startswith("unix:"):
        text = "by the Unix socket, every client is one at localhost for the server, and of the proxy's user"
        yield Finding(Level.NOTE, "clients", text, "mind accounts that log in by unix_socket or auth_socket")
