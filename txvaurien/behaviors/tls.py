"""tls: the handshake fails, in one of the ways in which handshakes fail."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from txvaurien.behaviors.base import Behavior
from txvaurien.exchange import LiveExchange


class Tls(Behavior, frozen=True, kw_only=True):
    """Have the TLS handshake with the client fail. It is for proxies that speak TLS (`--tls`).

    `refused` answers with the alert handshake_failure; `stalled` sends the first record of the
    server's part and then nothing, until the rule is removed or the client goes; `reset` cuts with RST when
    the handshake is done. The others are certificates with which something is wrong; but for the last two
    they need an authority that clients trust.
    """

    name: ClassVar[str] = "tls"
    needs_tls: ClassVar[bool] = True

    kind: Annotated[
        Literal[
            "refused",
            "stalled",
            "reset",
            "expired",
            "not-yet-valid",
            "wrong-name",
            "unknown-authority",
            "self-signed",
        ],
        Meta(description="how it fails"),
    ] = "refused"

    def on_connect(self, exchange: LiveExchange) -> bool:
        exchange.fail_handshake(self.kind)
        return True
