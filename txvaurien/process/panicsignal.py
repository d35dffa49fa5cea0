"""SIGUSR1, for those who want everything to be well again at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from txvaurien.process.processsignal import ProcessSignal


class PanicSignal(ProcessSignal):
    """Calls `react` in the reactor's thread at each SIGUSR1; see `ProcessSignal`."""

    def __init__(self, reactor: Any, react: Callable[[], None]) -> None:
        super().__init__("SIGUSR1", reactor, react)
