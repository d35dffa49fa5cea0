"""error: the protocol's own errors, in place of the backend."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from txvaurien.behaviors.base import Behavior
from txvaurien.errors import ConfigError
from txvaurien.exchange import LiveExchange
from txvaurien.model import Hook, Then, Where
from txvaurien.options import unknown
from txvaurien.protocols.base import WireProtocol

#: How many random bytes `garbage` sends and `inject` puts into a reply.
NOISE = 100

#: The kind that is drawn, with the seed, among those that the server could say.
ANY = "any"

COUNT = 2**31 - 1


class ErrorBase(Behavior, frozen=True, kw_only=True):
    """What `error` and `transient` share."""

    kind: Annotated[
        str,
        Meta(description="which error of the protocol's catalogue; any draws one that the server could say"),
    ] = ANY
    text: Annotated[
        str, Meta(max_length=4096, description="the words of the error, for kinds that take them")
    ] = ""
    garbage: Annotated[
        bool, Meta(description="send random bytes in place of the reply, then close the connection")
    ] = False
    inject: Annotated[
        bool, Meta(description="let the backend reply, and put 100 random bytes into the middle of it")
    ] = False

    def handshakes(self, protocol: WireProtocol) -> bool:
        if self.garbage or self.inject:
            return False
        where = {kind.name: kind.where for kind in protocol.error_kinds}
        return where.get(self.kind) is Where.HANDSHAKE

    def acts(self, protocol: WireProtocol) -> frozenset[Hook]:
        if self.garbage and self.inject:
            raise ConfigError("inject", "garbage and inject exclude each other", "choose one")
        if self.inject:
            return frozenset({Hook.BETWEEN})
        if self.garbage or self.kind == ANY:
            return frozenset({Hook.BEFORE})
        kinds = {kind.name: kind for kind in protocol.error_kinds}
        if self.kind not in kinds:
            raise unknown("kind", self.kind, [*kinds, ANY], where="kind", of=f"protocol {protocol.name!r}")
        return frozenset({Hook.CONNECT if kinds[self.kind].where is Where.CONNECT else Hook.BEFORE})

    def on_connect(self, exchange: LiveExchange) -> bool:
        exchange.refuse(self.kind, self.text)
        return False

    def on_before_handle(self, exchange: LiveExchange) -> bool:
        if self.garbage:
            # Noise may look like the beginning of something: closing keeps the client from waiting for it.
            exchange.reply(exchange.random.randbytes(NOISE), Then.CLOSE)
        else:
            exchange.refuse(self.kind, self.text)
        return False

    def on_between_handle(self, exchange: LiveExchange) -> bool:
        exchange.edit_response(Injection(exchange.random.randbytes(NOISE)))
        return True


class Injection:
    """Puts noise into the middle of the first frame that has a middle."""

    def __init__(self, noise: bytes) -> None:
        self._noise = noise

    def __call__(self, frame: bytes) -> bytes:
        if not frame:
            return frame
        noise, self._noise = self._noise, b""
        middle = len(frame) // 2
        return frame[:middle] + noise + frame[middle:] if noise else frame


class Error(ErrorBase, frozen=True, kw_only=True):
    """Answer with an error of the protocol in place of the backend."""

    name: ClassVar[str] = "error"

    warmup: Annotated[int, Meta(ge=0, le=COUNT, description="exchanges that pass first")] = 0
