"""A behavior of a user's own, which workers have to find by themselves."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from txvaurien.behaviors.base import Behavior, HookResult
from txvaurien.exchange import LiveExchange


class Flaky(Behavior, frozen=True, kw_only=True):
    """Say something else."""

    name: ClassVar[str] = "flaky"

    word: Annotated[str, Meta(description="what is said")] = "hello"

    def on_before_handle(self, exchange: LiveExchange) -> HookResult:
        """Answer with the word."""
        exchange.reply(f"+{self.word}\r\n".encode())
        return False
