"""A link in memory that speaks MySQL, with one rule; the test plays both ends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from txvaurien.behaviors.error import Error
from txvaurien.plan import Plan
from txvaurien.protocols.mysql import MySQL
from txvaurien.rules import Rule
from txvaurien.test import mysql_samples as samples
from txvaurien.test.memory import MemoryProxy
from txvaurien.testing import TO_BACKEND, Step


class Played:
    """A proxy in memory with one rule, whose client is logged in."""

    def __init__(self, kind: str, *verbs: str, steps: Sequence[Step] = (), text: str = "") -> None:
        rule = Rule(Error(kind=kind, text=text), verbs=frozenset(verbs), times=1)
        self.proxy = MemoryProxy(Plan(rules=(rule,), seed=1), MySQL())
        self.client, self.backend = self.proxy.pair()
        self.play(steps or samples.opened())
        self.forget()

    def play(self, steps: Iterable[Step]) -> None:
        """Both sides say these."""
        for direction, data in steps:
            (self.client if direction is TO_BACKEND else self.backend).says(data)

    def forget(self) -> None:
        """Look only at what comes from now on."""
        self.client.received = self.backend.received = b""

    def asks(self, *payloads: bytes, seq: int = 0) -> None:
        """The client says these packets."""
        self.client.says(samples.packets(*payloads, seq=seq))

    def answers(self, *payloads: bytes, seq: int = 1) -> None:
        """The backend says these packets."""
        self.backend.says(samples.packets(*payloads, seq=seq))
