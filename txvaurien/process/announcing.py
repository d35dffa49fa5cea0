"""What the log says of a proxy when it begins."""

from __future__ import annotations

from collections.abc import Iterator

from twisted.logger import Logger

from txvaurien.net.ends import AUTO
from txvaurien.plan import Plan
from txvaurien.process.member import Member
from txvaurien.proxy import Proxy

_log = Logger(namespace="txvaurien")


def announce(member: Member) -> None:
    """Say in the log that there is a proxy, where, and what it does."""
    proxy = member.proxy
    _log.info(
        "{name} on {where} for {backend}: protocol {protocol}, behavior {behavior}{more}, seed {seed}",
        name=proxy.name,
        where=where_it_listens(member) + _tls(proxy),
        backend=proxy.backend.text,
        protocol=proxy.protocol.name,
        behavior=proxy.plan.mix_text,
        more="".join(f", {what} {name}" for what, name in _named(proxy.plan)),
        seed=proxy.seed,
    )


def where_it_listens(member: Member) -> str:
    """The address in the words of the user, with the real port."""
    if member.service is None or not member.running:
        return f"{member.listen or 'no listener of its own'} (disabled)"
    return _where(member.service.listen, member.service.port)


def _tls(proxy: Proxy) -> str:
    """What clients have to know of TLS."""
    if proxy.tls is None or not proxy.tls.with_clients:
        return ""
    begins = ", once the protocol begins it" if proxy.tls.later else ""
    if proxy.ends.tls in (None, AUTO):
        return f" (TLS{begins}; clients have to trust its authority, see --tls-ca-out)"
    return f" (TLS{begins})"


def _named(plan: Plan) -> Iterator[tuple[str, str]]:
    """What a plan has beside its mix."""
    yield from (("rule", rule.name) for rule in plan.rules)
    yield from (("toxic", placed.name) for placed in plan.toxics)


def _where(text: str, port: int | None) -> str:
    """An address with its real port, where the user left that to the kernel."""
    head, colon, tail = text.rpartition(":")
    return f"{head}:{port}" if colon and port and tail in {"", "0"} else text
