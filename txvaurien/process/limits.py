"""What bounds one proxy, apart from its plan."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from txvaurien.options import DAY, SECONDS, Declared

#: The shortest limit that a time may set, in seconds.
_MOMENT = 0.001


class Limits(Declared, frozen=True, kw_only=True):
    """Times and numbers that one proxy keeps to."""

    name: ClassVar[str] = "proxy"

    timeout: Annotated[
        float,
        SECONDS,
        Meta(ge=_MOMENT, le=DAY, description="seconds that connecting to the backend may take"),
    ] = 30.0
    idle_timeout: (
        Annotated[
            float,
            SECONDS,
            Meta(ge=_MOMENT, le=DAY, description="seconds after which a silent link is closed"),
        ]
        | None
    ) = None
    pool_max_size: (
        Annotated[int, Meta(ge=1, description="backend connections at most; further clients wait")] | None
    ) = None
    pool_timeout: Annotated[
        float,
        SECONDS,
        Meta(ge=0, le=DAY, description="seconds that a client may wait for a backend connection"),
    ] = 30.0
    on_desync: Annotated[
        Literal["opaque", "close"],
        Meta(description="a stream that is not of the protocol: pass it through unread, or end the link"),
    ] = "opaque"
    max_active_faults: (
        Annotated[
            int, Meta(ge=0, description="faults at one time at most; what comes beyond passes unharmed")
        ]
        | None
    ) = None
