"""SIGHUP, for those who have changed the file and want it to be read again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from txvaurien.process.processsignal import ProcessSignal

if TYPE_CHECKING:
    from txvaurien.process.reloading import Reloader


class HangupSignal(ProcessSignal):
    """Has settings read again at each SIGHUP; see `ProcessSignal`.

    :param make: makes what reads them, at the first signal. Few processes get one.
    """

    def __init__(self, reactor: Any, make: Callable[[], Reloader]) -> None:
        super().__init__("SIGHUP", reactor, self._begin)
        self._make = make
        self._reloader: Reloader | None = None

    def _begin(self) -> None:
        if self._reloader is None:
            self._reloader = self._make()
        self._reloader.begin()

    def remove(self) -> None:
        """No longer; what is under way begins nothing more."""
        super().remove()
        if self._reloader is not None:
            self._reloader.stop()
