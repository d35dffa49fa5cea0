"""What every behavior shares: options, and hooks that do nothing."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, ClassVar

from zope.interface import implementer

from txvaurien.interfaces import IBehavior
from txvaurien.model import Hook
from txvaurien.options import Declared

if TYPE_CHECKING:
    from txvaurien.exchange import LiveExchange
    from txvaurien.protocols.base import WireProtocol

#: What a hook returns: True or None to go on, False to stop, or an awaitable of that.
HookResult = bool | None | Awaitable["bool | None"]


@implementer(IBehavior)
class Behavior(Declared, frozen=True, kw_only=True):
    """Base class of behaviors. Override the hooks that should do something.

    An option called ``warmup`` is how many exchanges the rule lets pass first,
    one called ``agitate`` how many times it fires at most: the plan counts them.
    """

    #: Whether it can do something only where TLS is spoken with clients.
    needs_tls: ClassVar[bool] = False

    def acts(self, protocol: WireProtocol) -> frozenset[Hook]:
        """The hooks that the class overrides."""
        del protocol
        mine: Any = type(self)
        return frozenset(
            hook for hook in Hook if getattr(mine, hook.value) is not getattr(Behavior, hook.value)
        )

    def handshakes(self, protocol: WireProtocol) -> bool:
        """Whether it is meant for logging in, and for nothing else."""
        del protocol
        return False

    def on_connect(self, exchange: LiveExchange) -> HookResult:
        """Nothing is done."""
        return True

    def on_before_handle(self, exchange: LiveExchange) -> HookResult:
        """Nothing is done."""
        return True

    def on_between_handle(self, exchange: LiveExchange) -> HookResult:
        """Nothing is done."""
        return True

    def on_after_handle(self, exchange: LiveExchange) -> HookResult:
        """Nothing is done."""
        return True
