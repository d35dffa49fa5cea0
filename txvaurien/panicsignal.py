"""SIGUSR1, for those who want everything to be well again at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Any


class PanicSignal:
    """Calls `react` in the reactor's thread at each SIGUSR1.

    :param reactor: provides IReactorFromThreads.

    Where there is no such signal, or this is not the thread that gets signals, nothing happens.
    """

    def __init__(self, reactor: Any, react: Callable[[], None]) -> None:
        self._reactor = reactor
        self._react = react
        self._before: Any = None

    def install(self) -> None:
        """From now on."""
        if hasattr(signal, "SIGUSR1") and threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGUSR1, self._received)

    def remove(self) -> None:
        """No longer; what was there before is there again."""
        before, self._before = self._before, None
        if before is not None:
            signal.signal(signal.SIGUSR1, before)

    def _received(self, number: int, frame: object) -> None:
        # A signal comes in the middle of anything.
        self._reactor.callFromThread(self._react)
