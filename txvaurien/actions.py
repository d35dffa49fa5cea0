"""Actions of a proxy: what is done to its listener, or to whole links.

An action is no stage of a stream: it stands until it is stopped, for the proxy
as a whole. `Actions` starts and stops them, one at a time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from msgspec import Meta
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from txvaurien.errors import ConfigError
from txvaurien.model import Then
from txvaurien.options import DAY, SECONDS, Declared, unknown, values_of

if TYPE_CHECKING:
    from txvaurien.net.gate import Gate
    from txvaurien.proxy import Proxy

#: What ends an action that has begun. It may take a bounded time, and may be called again if it fails.
End = Callable[[], "Awaitable[None] | None"]

How = Annotated[Literal["fin", "rst"], Meta(description="how links are cut: with FIN or with RST")]

_THEN = MappingProxyType({"fin": Then.CLOSE, "rst": Then.RESET})


class Action(Declared, frozen=True, kw_only=True):
    """Base class of actions. An instance holds options and nothing that changes."""

    async def begin(self, proxy: Proxy) -> End:
        """Take effect, in a bounded time.

        :return: what ends it again.
        :raises ConfigError: it cannot be done to this proxy; nothing has changed.
        """
        raise NotImplementedError(f"{type(self).__name__} does nothing")

    def goes_on(self, before: Action) -> bool:
        """Whether what `before`, one of the same name, has begun serves this one just as well."""
        return self == before


class Disable(Action, frozen=True, kw_only=True):
    """Stop listening, and cut all links.

    Clients are refused. The port stays the proxy's, and it listens there again afterwards.
    """

    name: ClassVar[str] = "disable"
    how: How = "fin"

    async def begin(self, proxy: Proxy) -> End:
        """Close the listener, then cut the links."""
        gate = _gate(proxy, self)
        await gate.close()
        proxy.kill(_THEN[self.how])
        return gate.open

    def goes_on(self, before: Action) -> bool:
        """There is nothing left to cut, and to listen for a moment would let clients in."""
        return True


class Deaf(Action, frozen=True, kw_only=True):
    """Take no connection: SYNs go unanswered.

    Standing links go on. Linux and TCP ports only.
    """

    name: ClassVar[str] = "deaf"

    async def begin(self, proxy: Proxy) -> End:
        """Keep the queue of the listening socket full."""
        gate = _gate(proxy, self)
        await gate.deafen()
        return gate.hear


class SlowAccept(Action, frozen=True, kw_only=True):
    """Take one connection at a time, with a pause after each, as a busy server does.

    The kernel completes handshakes meanwhile, as far as the backlog goes.
    """

    name: ClassVar[str] = "slow_accept"
    delay: Annotated[int, Meta(ge=1, le=int(DAY) * 1000, description="milliseconds for each connection")] = (
        1000
    )

    async def begin(self, proxy: Proxy) -> End:
        """Accept by the clock."""
        gate = _gate(proxy, self)
        gate.pause(self.name)
        accepting = _Accepting(gate, proxy.clock, self.delay / 1000)

        def end() -> None:
            accepting.stop()
            gate.resume(self.name)

        return end


class _Accepting:
    """One connection every so many seconds. A LoopingCall would install a reactor."""

    def __init__(self, gate: Gate, clock: IReactorTime, seconds: float) -> None:
        self._gate = gate
        self._clock = clock
        self._seconds = seconds
        self._call = clock.callLater(seconds, self._accept)

    def _accept(self) -> None:
        self._call = self._clock.callLater(self._seconds, self._accept)
        self._gate.accept_one()

    def stop(self) -> None:
        self._call.cancel()


class HalfOpen(Action, frozen=True, kw_only=True):
    """The backend is gone, and the client is not told.

    Standing links lose their backend, new ones get none; what the client says goes
    nowhere. Afterwards these links are reset.
    """

    name: ClassVar[str] = "half_open"

    async def begin(self, proxy: Proxy) -> End:
        """Take the backend from every link, and from those that come."""
        proxy.half_open = True
        for link in list(proxy.links.values()):
            link.lose_backend()
        return partial(self._end, proxy)

    def _end(self, proxy: Proxy) -> None:
        proxy.half_open = False
        for link in list(proxy.links.values()):
            if link.half_open:
                link.kill(Then.RESET, self.name)


class KillIdle(Action, frozen=True, kw_only=True):
    """Cut links on which nothing has been said for so long.

    A link is cut at most a hundredth of that time late.
    """

    name: ClassVar[str] = "kill_idle"
    idle: Annotated[
        float, SECONDS, Meta(ge=0.01, le=DAY, description="seconds without a byte in either direction")
    ] = 60.0
    how: How = "fin"

    async def begin(self, proxy: Proxy) -> End:
        """Look at the links, now and whenever one may have been idle for long enough."""
        return _IdleWatch(proxy, self).stop


class _IdleWatch:
    """One timer for all links of a proxy."""

    def __init__(self, proxy: Proxy, action: KillIdle) -> None:
        self._proxy = proxy
        self._action = action
        self._call: IDelayedCall
        self._look()

    def _look(self) -> None:
        idle, now = self._action.idle, self._proxy.clock.seconds()
        # A link that comes later is due later than that.
        next_due = now + idle
        for link in list(self._proxy.links.values()):
            due = link.last_bytes + idle
            if link.over and not link.chains.holding:
                continue
            if due <= now:
                self._proxy.event("idle", link, seconds=idle)
                link.kill(_THEN[self._action.how], self._action.name)
            else:
                next_due = min(next_due, due)
        # Many links that fall due one after the other are not to mean as many rounds.
        self._call = self._proxy.clock.callLater(max(next_due - now, idle / 100), self._look)

    def stop(self) -> None:
        self._call.cancel()


def _gate(proxy: Proxy, action: Action) -> Gate:
    if proxy.gate is None:
        raise ConfigError(
            action.name,
            "the proxy has no listener of its own now",
            "this needs a ProxyService that runs, not a ProxyFactory on an endpoint",
        )
    return proxy.gate


#: Every action there is, by name.
ACTIONS: Mapping[str, type[Action]] = MappingProxyType(
    {action.name: action for action in (Disable, Deaf, SlowAccept, HalfOpen, KillIdle)}
)


class Actions:
    """The actions of one proxy: those that stand, in the order in which they began.

    What is asked for while something else is under way waits for its turn. Whoever
    asked may go away: what has begun is completed.
    """

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._standing: dict[str, Action] = {}
        self._ends: dict[str, End] = {}
        self._turn = DeferredLock()

    @property
    def standing(self) -> Mapping[str, Action]:
        """Those that stand now, by name."""
        return MappingProxyType(self._standing)

    async def start(self, action: Action) -> None:
        """Begin; it replaces one of the same name. Returns when it has taken effect.

        :raises ConfigError: it cannot be done to this proxy.
        :raises ListenError: the one that it replaces cannot be ended.
        """
        await self._in_turn(partial(self._start, action))

    async def stop(self, name: str) -> None:
        """End; returns when that has taken effect. Nothing happens if it does not stand.

        :raises ConfigError: there is no such action.
        :raises ListenError: the port is not to be had any more; the action still stands.
        """
        await self._in_turn(partial(self._stop_known, name))

    async def stop_all(self) -> None:
        """End all, the last one first.

        :raises ListenError: as `stop`; the others have ended.
        """
        await self._in_turn(self._stop_all)

    def _in_turn(self, work: Callable[[], Coroutine[Any, Any, None]]) -> Deferred[None]:
        # Not the Deferred of the work itself: to cancel what this gives is to stop waiting for it.
        done: Deferred[None] = Deferred()
        self._turn.run(lambda: Deferred.fromCoroutine(work())).addCallbacks(done.callback, done.errback)
        return done

    async def _start(self, action: Action) -> None:
        before = self._standing.get(action.name)
        if before == action:
            return
        if before is None or not action.goes_on(before):
            await self._stop(action.name)
            self._ends[action.name] = await self._begin(action)
        self._standing[action.name] = action
        self._tell(action, on=True)

    async def _begin(self, action: Action) -> End:
        return await action.begin(self._proxy)

    async def _stop_known(self, name: str) -> None:
        if name not in ACTIONS and name not in self._standing:
            raise unknown("action", name, ACTIONS)
        await self._stop(name)

    async def _stop(self, name: str) -> None:
        if name not in self._standing:
            return
        ended = self._ends[name]()
        if ended is not None:
            await ended
        action = self._standing.pop(name)
        del self._ends[name]
        self._tell(action, on=False)

    async def _stop_all(self) -> None:
        errors = []
        for name in reversed(list(self._standing)):
            try:
                await self._stop(name)
            except Exception as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def _tell(self, action: Action, *, on: bool) -> None:
        self._proxy.event("action", None, name=action.name, options=values_of(action), on=on)
        self._proxy.log.info(
            "{name}: {action} {what}",
            name=self._proxy.name,
            action=action.name,
            what="stands from now on" if on else "has ended",
        )
