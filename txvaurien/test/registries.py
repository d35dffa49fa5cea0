"""What can be named in the tests of configuration: a few of ours, and a user's own."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from txvaurien.behaviors.base import Behavior
from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.dummy import Dummy
from txvaurien.behaviors.error import Error
from txvaurien.plugins import Registry
from txvaurien.protocols.base import WireProtocol
from txvaurien.protocols.tcp import Tcp
from txvaurien.toxics.latency import Latency
from txvaurien.toxics.pause import Pause


class Chatty(WireProtocol, frozen=True, kw_only=True):
    """A protocol with options, one of which Vaurien had as well."""

    name: ClassVar[str] = "chatty"

    keep_alive: Annotated[bool, Meta(description="whether links stay open")] = True
    greeting: Annotated[str, Meta(description="what is said first")] = "hello"


class Flaky(Behavior, frozen=True, kw_only=True):
    """A behavior of a user's own."""

    name: ClassVar[str] = "flaky"

    how_often: Annotated[int, Meta(ge=1, le=9, description="how often")] = 1
    limit: Annotated[float, Meta(ge=0, description="when it ends")] | None = None
    mood: Annotated[Literal["good", "bad"], Meta(description="its mood")] = "good"


def registry() -> Registry:
    """tcp and chatty; dummy, delay and error; latency and pause."""
    return Registry(
        protocols={"tcp": Tcp, "chatty": Chatty},
        behaviors={"dummy": Dummy, "delay": Delay, "error": Error},
        toxics={"latency": Latency, "pause": Pause},
    )
