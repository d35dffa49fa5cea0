"""What is done to the listener and to whole links of a proxy, and stands until it is ended."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from txvaurien.clients.blockingproxy import ProxyCommands
from txvaurien.clients.vocabulary import Fields, VaurienError, is_gone

#: The toxics that `pause` adds.
_PAUSES = {"upstream": "paused_upstream", "downstream": "paused_downstream"}


class Standing:
    """Something that stands until it is ended, at the latest at the end of a ``with`` block."""

    def __init__(self, end: Callable[[], object]) -> None:
        self._end = end
        self._over = False

    def end(self) -> None:
        """End it; it no longer holds when this returns. Nothing happens the second time."""
        if not self._over:
            self._over = True
            self._end()

    def __enter__(self) -> Standing:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def unless_gone(remove: Callable[[], object]) -> None:
    """Remove something that may have been removed already (`reset`)."""
    try:
        remove()
    except VaurienError as error:
        if not is_gone(error):
            raise


def start_action(commands: ProxyCommands, name: str, options: Fields) -> Standing:
    """Begin an action. If it stands already, it is left to whoever has begun it to end it."""
    standing = name in {each["action"] for each in commands.actions()}
    commands.start_action(name, **options)
    return Standing(_nothing if standing else partial(stop_action, commands, name))


def stop_action(commands: ProxyCommands, name: str) -> None:
    """End an action, if it stands."""
    unless_gone(partial(commands.stop_action, name))


def pause(commands: ProxyCommands) -> Standing:
    """Hold all bytes, both ways. If they are held already, it is left to whoever holds them to let go."""
    there = {each["name"] for each in commands.toxics()}
    for stream, name in _PAUSES.items():
        if name not in there:
            commands.add_toxic("pause", name=name, stream=stream)
    return Standing(_nothing if there.issuperset(_PAUSES.values()) else partial(resume, commands))


def resume(commands: ProxyCommands) -> None:
    """Let go of what `pause` holds."""
    for name in _PAUSES.values():
        unless_gone(partial(commands.remove_toxic, name))


def _nothing() -> None:
    """There is nothing to be ended."""
