"""What the tests of http through a whole link, in memory, share."""

from __future__ import annotations

import re

from txvaurien.behaviors.base import Behavior
from txvaurien.options import build
from txvaurien.plan import Plan
from txvaurien.protocols.http import Http
from txvaurien.rules import Rule
from txvaurien.test.http_samples import response
from txvaurien.test.memory import MemoryProxy

SWITCHED = response("101 Switching Protocols", "Upgrade: websocket")


def proxy(plan: Plan | Behavior | None = None, **options: object) -> MemoryProxy:
    """A proxy for http with these options of the protocol."""
    return MemoryProxy(plan, build(Http, options))


def on(verb: str, behavior: Behavior, target: str = "") -> Plan:
    """A plan with one rule."""
    return Plan(rules=(Rule(behavior, verbs=frozenset({verb}), target=target),), seed=1)


def status(said: bytes) -> list[bytes]:
    """The codes of the responses in this stream."""
    return re.findall(rb"HTTP/1\.1 (\d{3}) ", said)
