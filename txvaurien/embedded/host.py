"""Where a proxy of a test runs: in a thread, or in a process."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from txvaurien.clients.vocabulary import VaurienError
from txvaurien.errors import ConfigError

if TYPE_CHECKING:
    from txvaurien.behaviors.base import Behavior
    from txvaurien.clients.blockingproxy import ProxyCommands
    from txvaurien.clients.vocabulary import Call
    from txvaurien.embedded.setting import Setting

Answer = TypeVar("Answer")

#: What `ChaosProxy.on_request` takes.
Edit = Callable[[bytes], bytes]
Side = Literal["request", "response"]


class Gone(VaurienError):
    """The proxy is no longer there, or not in this process; so is all that stood in it.

    What ends at the end of a ``with`` block has ended then (`txvaurien.clients.vocabulary.is_gone`).
    """

    def __init__(self, message: str) -> None:
        super().__init__(message, 404)


class Owner:
    """The process that a proxy belongs to: a fork has copies of its objects, and no part in it."""

    def __init__(self) -> None:
        self._pid = os.getpid()

    @property
    def is_here(self) -> bool:
        """Whether it is this process."""
        return self._pid == os.getpid()

    def check(self) -> None:
        """:raises Gone: it is another one."""
        if not self.is_here:
            raise Gone("the proxy runs in the process that this one was forked from")


class Host(Protocol):
    """A proxy that runs. Every method blocks, for a bounded time, and raises `VaurienError`."""

    @property
    def owner(self) -> Owner:
        """Whose it is."""

    @property
    def listen(self) -> str:
        """Where it listens, with the real port."""

    @property
    def commands(self) -> ProxyCommands:
        """What can be asked of it."""

    def carry(self, call: Call[Answer]) -> Answer:
        """Ask it something else."""

    def edit(self, side: Side, edit: Edit, fields: Mapping[str, object]) -> str:
        """Pass messages of one side through a function; the name of the rule."""

    def add(self, behavior: Behavior, position: int, fields: Mapping[str, object]) -> str:
        """One more rule, of a behavior that the caller has made; its name."""

    def close(self) -> None:
        """End it, and all that belongs to it."""


def begin(setting: Setting, isolation: str) -> Host:
    """Run a proxy; it listens when this returns.

    :raises ConfigError: there is no such isolation, or the backend cannot be.
    :raises ListenError: nothing can listen there.
    """
    if isolation == "thread":
        from txvaurien.embedded.threadhost import ThreadHost

        return ThreadHost(setting)
    if isolation == "process":
        from txvaurien.embedded.processhost import ProcessHost

        return ProcessHost(setting)
    raise ConfigError("isolation", f"{isolation!r} will not do", "it is thread or process")
