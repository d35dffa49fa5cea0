"""The proxies of one test: made with what they have in common, closed in reverse order."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from txvaurien.embed import ChaosProxy, chaos_proxy
from txvaurien.embedded.lastwords import LastWords
from txvaurien.errors import ConfigError
from txvaurien.planning.seeds import digest

if TYPE_CHECKING:
    from txvaurien.embedded.awaiting import AsyncChaosProxy

#: Short enough to be typed again, as `txvaurien.planning.seeds.new_seed` has them.
_SEEDS = 2**32


def seed_of_test(seed: int, *names: str) -> int:
    """The seed of a test, out of that of the run: it does not depend on which other tests there are."""
    return digest(seed, "test", *names) % _SEEDS


class ChaosFactory:
    """Makes proxies as `txvaurien.chaos_proxy` does, and starts them.

    :param seed: of all that are not given one.
    :param settings: arguments of `chaos_proxy` where the call says nothing else.
    """

    def __init__(self, seed: int, settings: Mapping[str, Any] | None = None) -> None:
        self._common: dict[str, Any] = {"seed": seed, **(settings or {})}
        self._told: list[LastWords] = []
        self._closing = ExitStack()

    def __call__(self, backend: str = "", protocol: str | None = None, **settings: Any) -> ChaosProxy:
        """A proxy that listens, for the rest of the test; see `txvaurien.chaos_proxy`.

        The second is called ``proxy-2``, so that it does not draw what the first one draws.

        :raises ConfigError: something that is set cannot be.
        :raises ListenError: nothing can listen there.
        """
        return self._made(backend, protocol, settings).start()

    async def awaitable(
        self, backend: str = "", protocol: str | None = None, **settings: Any
    ) -> AsyncChaosProxy:
        """The same for coroutines, which do not block while it starts."""
        return await self._made(backend, protocol, settings).awaitable().start()

    def close(self) -> None:
        """End all of them, the last one first. `describe` has something to say afterwards, too."""
        self._closing.close()

    def describe(self) -> str:
        """What is to be known about a test that failed; empty if there was no proxy."""
        return "\n".join(map(str, self._told))

    def _made(self, backend: str, protocol: str | None, settings: Mapping[str, Any]) -> ChaosProxy:
        places = {"backend": backend, "protocol": protocol}
        said = {"name": self._next_name(), **self._common, **settings}
        said.update({name: value for name, value in places.items() if value})
        if not said.get("backend"):
            raise ConfigError("backend", "there is none", "say where the service is, as host:port or a URL")
        proxy = chaos_proxy(**said)
        self._told.append(LastWords(proxy))
        self._closing.callback(proxy.close)
        return proxy

    def _next_name(self) -> str:
        return f"proxy-{len(self._told) + 1}" if self._told else "proxy"
