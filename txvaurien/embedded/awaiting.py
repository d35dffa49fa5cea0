"""`ChaosProxy` for coroutines of asyncio, trio and Twisted: the same words, and what waits is awaited.

Each call blocks a thread of its own, and no event loop (`txvaurien.embedded.outcome`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from txvaurien.clients.clientproxy import AsyncProxyCommands
from txvaurien.clients.vocabulary import Call, Fields
from txvaurien.embedded.faults import ChaosFault
from txvaurien.embedded.links import LinkInfo
from txvaurien.embedded.outcome import begun, in_thread
from txvaurien.embedded.standing import Standing

if TYPE_CHECKING:
    from ssl import SSLContext

    from txvaurien.behaviors.base import Behavior
    from txvaurien.clients.blockingproxy import Toxic
    from txvaurien.embed import ChaosProxy
    from txvaurien.embedded.host import Edit

Answer = TypeVar("Answer")
EndedT = TypeVar("EndedT", bound="Ended")


class AsyncCommands(AsyncProxyCommands):
    """All that `txvaurien.client.AsyncClient` can ask of a proxy."""

    def __init__(self, proxy: ChaosProxy) -> None:
        self._proxy = proxy

    async def _carry(self, call: Call[Answer]) -> Answer:
        return await in_thread(lambda: self._proxy.carry(call))


class Ended(Protocol):
    """What stands until it is ended."""

    async def end(self, *raised: object) -> None:
        """End it."""


class AsyncStanding:
    """Something that stands until it is ended, at the latest at the end of an ``async with`` block."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing

    async def end(self, *raised: object) -> None:
        """End it; it no longer holds when this returns. Nothing happens the second time."""
        await in_thread(self._standing.end, shielded=True)


class AsyncChaosFault:
    """A behavior that was added. It is removed at the end of an ``async with`` block.

    What it has counted, and `exchanges`, can be asked for afterwards as well.

    :ivar name: what it is called.
    """

    def __init__(self, fault: ChaosFault) -> None:
        self.name = fault.name
        self._fault = fault

    async def fired(self) -> int:
        """How often it has fired until now."""
        return await in_thread(lambda: self._fault.fired)

    async def matched(self) -> int:
        """How many exchanges it was for until now."""
        return await in_thread(lambda: self._fault.matched)

    async def exchanges(self) -> list[Fields]:
        """The journal's records of the exchanges that it fired on, the oldest first."""
        return await in_thread(lambda: self._fault.exchanges)

    async def wait(self, n: int = 1, timeout: float = 10.0) -> int:
        """Return how often it has fired, when that is at least `n`.

        :raises NotFired: a TimeoutError; it was less often in `timeout` seconds.
        """
        return await in_thread(lambda: self._fault.wait(n, timeout))

    async def remove(self) -> None:
        """Remove it; what it held is let go when this returns."""
        await in_thread(self._fault.remove, shielded=True)

    async def end(self, *raised: object) -> None:
        """As `remove`; it may have been removed already. Raises what a function of the test has raised."""
        await in_thread(lambda: self._fault.__exit__(*raised), shielded=True)


class AsyncChaosToxic:
    """A toxic that was added. It is removed at the end of an ``async with`` block.

    :ivar name: what it is called.
    """

    def __init__(self, toxic: Toxic) -> None:
        self.name = toxic.name
        self._toxic = toxic

    async def change(self, **fields: object) -> None:
        """Change attributes, or the toxicity."""
        await in_thread(lambda: self._toxic.change(**fields))

    async def remove(self) -> None:
        """Remove it; what it held is let go when this returns."""
        await in_thread(self._toxic.remove, shielded=True)

    async def end(self, *raised: object) -> None:
        """As `remove`; it may have been removed already."""
        await in_thread(self._toxic.__exit__, shielded=True)


class Pending(Generic[EndedT]):
    """What is about to begin: with ``await`` until it is ended, with ``async with`` for a block."""

    def __init__(self, begin: Callable[[], Awaitable[EndedT]]) -> None:
        self._begin = begin
        self._begun: EndedT | None = None

    def __await__(self) -> Generator[Any, Any, EndedT]:
        return self._begin().__await__()

    async def __aenter__(self) -> EndedT:
        self._begun = await self._begin()
        return self._begun

    async def __aexit__(self, *raised: object) -> None:
        if self._begun is not None:
            await self._begun.end(*raised)


class AsyncChaosProxy:
    """A proxy that runs beside a test; see `ChaosProxy`, which `blocking` is."""

    def __init__(self, proxy: ChaosProxy) -> None:
        self.blocking = proxy
        #: All that can be asked of a proxy: rules, toxics, actions, the scenario.
        self.commands = AsyncCommands(proxy)

    def __repr__(self) -> str:
        return repr(self.blocking)

    async def start(self) -> AsyncChaosProxy:
        """Run, and listen; after `stop`, listen again at the same port. Nothing happens if it does.

        :raises ConfigError: the backend's name is unknown, or it is the proxy itself.
        :raises ListenError: nothing can listen there.
        """
        blocking = self.blocking
        await begun(blocking.start, lambda _: blocking.close())
        return self

    async def close(self) -> None:
        """End it, with its links, its port, and its thread or process. Nothing happens the second time."""
        await in_thread(self.blocking.close, shielded=True)

    # What needs no waiting.

    def before_close(self, tell: Callable[[], object]) -> None:
        """Have this called whenever it is about to be closed, in a thread, while it can still be asked."""
        self.blocking.before_close(tell)

    @property
    def running(self) -> bool:
        """Whether it has been started, and not closed."""
        return self.blocking.running

    @property
    def name(self) -> str:
        """What it is called."""
        return self.blocking.name

    @property
    def seed(self) -> int:
        """What all draws depend on."""
        return self.blocking.seed

    @property
    def host(self) -> str:
        """The host that clients connect to."""
        return self.blocking.host

    @property
    def port(self) -> int:
        """The port that clients connect to."""
        return self.blocking.port

    @property
    def address(self) -> str:
        """``127.0.0.1:40001``."""
        return self.blocking.address

    @property
    def url(self) -> str:
        """The URL or DSN of the backend, with host and port of the proxy."""
        return self.blocking.url

    def dsn(self, other: str) -> str:
        """Another URL or DSN, with host and port of the proxy."""
        return self.blocking.dsn(other)

    @property
    def ca_pem(self) -> str:
        """The certificate that clients have to trust with ``tls="auto"``."""
        return self.blocking.ca_pem

    @property
    def ca_file(self) -> str:
        """A file with `ca_pem`, which is there until the proxy is closed."""
        return self.blocking.ca_file

    def ssl_context(self) -> SSLContext:
        """A context for clients that trusts `ca_pem`, and nobody else."""
        return self.blocking.ssl_context()

    # Faults.

    def behavior(
        self, behavior: str | Behavior, *, position: int = 0, **fields: object
    ) -> Pending[AsyncChaosFault]:
        """Do something to exchanges: ``async with proxy.behavior("error", kind="loading") as fault``."""
        return self._fault(lambda: self.blocking.behavior(behavior, position=position, **fields))

    def on_request(self, edit: Edit, **fields: object) -> Pending[AsyncChaosFault]:
        """Pass requests through a function, from bytes to bytes, in the proxy's thread."""
        return self._fault(lambda: self.blocking.on_request(edit, **fields))

    def on_response(self, edit: Edit, **fields: object) -> Pending[AsyncChaosFault]:
        """As `on_request`, for what the backend answers."""
        return self._fault(lambda: self.blocking.on_response(edit, **fields))

    def _fault(self, add: Callable[[], ChaosFault]) -> Pending[AsyncChaosFault]:
        async def begin() -> AsyncChaosFault:
            return AsyncChaosFault(await begun(add, lambda fault: fault.__exit__()))

        return Pending(begin)

    def toxic(self, type_: str, /, **fields: object) -> Pending[AsyncChaosToxic]:
        """Do something to the bytes of links: ``async with proxy.toxic("latency", latency=200)``."""

        async def begin() -> AsyncChaosToxic:
            add = partial(self.blocking.toxic, type_, **fields)
            return AsyncChaosToxic(await begun(add, lambda toxic: toxic.__exit__()))

        return Pending(begin)

    async def set_behavior(self, name: str, **options: object) -> None:
        """Do this to all exchanges from now on; or a mix, such as ``5:error,10:delay``."""
        await in_thread(lambda: self.blocking.set_behavior(name, **options))

    async def plan(self) -> Fields:
        """The mix, the rules, the toxics and the seed: what `set_plan` takes."""
        return await self.commands.plan()

    async def set_plan(self, plan: Fields) -> None:
        """Set a whole plan at once."""
        await self.commands.set_plan(plan)

    async def reset(self) -> None:
        """Remove every fault: the mix, rules, toxics, actions and the scenario."""
        await in_thread(self.blocking.reset)

    # What is done to the listener, and to whole links.

    def kill(self, how: str = "rst") -> Pending[AsyncStanding]:
        """Cut all links, with ``rst`` or ``fin``, and refuse new ones until `restore`."""
        return self._standing(lambda: self.blocking.kill(how))

    async def restore(self) -> None:
        """Take clients again, at the same port, after `kill` or `stop`."""
        await in_thread(self.blocking.restore)

    def stop(self) -> Pending[AsyncStanding]:
        """Be gone as a service that was shut down: links end with FIN, clients are refused until `start`."""
        return self._standing(self.blocking.stop)

    def pause(self) -> Pending[AsyncStanding]:
        """Hold all bytes, both ways; `resume` lets them go, and none is lost."""
        return self._standing(self.blocking.pause)

    async def resume(self) -> None:
        """Undo `pause`: what was held goes on, in order."""
        await in_thread(self.blocking.resume)

    def half_open(self) -> Pending[AsyncStanding]:
        """Lose the backend, and do not tell the clients."""
        return self._standing(self.blocking.half_open)

    def deaf(self) -> Pending[AsyncStanding]:
        """Leave SYNs unanswered. Linux only."""
        return self._standing(self.blocking.deaf)

    def repoint(self, backend: str, *, cut: bool = False) -> Pending[AsyncStanding]:
        """Send the links to come to another backend; at the end of a block, to the one before."""
        return self._standing(lambda: self.blocking.repoint(backend, cut=cut))

    def _standing(self, begin_it: Callable[[], Standing]) -> Pending[AsyncStanding]:
        async def begin() -> AsyncStanding:
            return AsyncStanding(await begun(begin_it, Standing.end))

        return Pending(begin)

    async def disconnect_all(self, older_than: float = 0.0, how: str = "rst") -> int:
        """End all links that are at least so many seconds old; how many there were."""
        return await in_thread(lambda: self.blocking.disconnect_all(older_than, how))

    # What has passed.

    async def links(self) -> list[LinkInfo]:
        """The links that stand now, the oldest first."""
        return await in_thread(lambda: self.blocking.links)

    async def wait_for_links(self, n: int = 0, timeout: float = 10.0) -> list[LinkInfo]:
        """The links, when there are exactly `n`.

        :raises LinksDiffer: a TimeoutError; there is another number of them after `timeout` seconds.
        """
        return await in_thread(lambda: self.blocking.wait_for_links(n, timeout))

    async def saw(self, verb: str = "", target: str = "") -> int:
        """How many requests of this kind have come since it was started."""
        return await in_thread(lambda: self.blocking.saw(verb, target))

    async def events(self) -> list[Fields]:
        """The records of the journal, the oldest first, as far as they are kept."""
        return await self.journal()

    async def journal(self, since: int = 0, **filters: object) -> list[Fields]:
        """The records after number `since`."""
        return await in_thread(lambda: self.blocking.journal(since, **filters))
