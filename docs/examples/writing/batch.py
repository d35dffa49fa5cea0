"""Two behaviors: large batches are slow, or refused; and replies that are not quite right."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from txvaurien.behaviors.base import Behavior
from txvaurien.exchange import LiveExchange
from txvaurien.model import Hook
from txvaurien.options import DAY, SECONDS, unknown
from txvaurien.protocols.base import WireProtocol


class Batch(Behavior, frozen=True, kw_only=True):
    """Wait for each target that is asked for, and refuse requests that have too many."""

    name: ClassVar[str] = "batch"

    each: Annotated[float, SECONDS, Meta(ge=0, le=DAY, description="seconds to wait for each target")] = 0.05
    limit: Annotated[int, Meta(ge=0, le=1000, description="targets at most; 0 for no limit")] = 0
    kind: Annotated[
        str, Meta(description="which error is said beyond the limit; any draws one that the server could say")
    ] = "any"

    def acts(self, protocol: WireProtocol) -> frozenset[Hook]:
        kinds = [*(kind.name for kind in protocol.error_kinds), "any"]
        if self.kind not in kinds:
            raise unknown("kind", self.kind, kinds, where="kind", of=f"protocol {protocol.name!r}")
        return frozenset({Hook.BEFORE})

    async def on_before_handle(self, exchange: LiveExchange) -> bool:
        count = len(exchange.targets)
        if self.limit and count > self.limit:
            exchange.refuse(self.kind)
            return False
        await exchange.sleep(self.each * count)
        return True


class Shift(Behavior, frozen=True, kw_only=True):
    """Put another digit in the place of each digit of a reply. Its length stays."""

    name: ClassVar[str] = "shift"

    def on_between_handle(self, exchange: LiveExchange) -> bool:
        by = exchange.random.randint(1, 9)
        digits = b"0123456789"
        table = bytes.maketrans(digits, digits[by:] + digits[:by])
        exchange.edit_response(lambda frame: frame.translate(table))
        return True
