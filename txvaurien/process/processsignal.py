"""A signal that this process is sent, for the reactor to act upon."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Any


class ProcessSignal:
    """Calls `react` in the reactor's thread at each signal.

    :param name: what it is called, such as ``SIGUSR1``.
    :param reactor: provides IReactorFromThreads.

    Where there is no such signal, or this is not the thread that gets signals, nothing happens.
    """

    def __init__(self, name: str, reactor: Any, react: Callable[[], None]) -> None:
        self._name = name
        self._reactor = reactor
        self._react = react
        self._installed = False
        self._before: Any = None

    def install(self) -> None:
        """From now on."""
        number = getattr(signal, self._name, None)
        if number is not None and threading.current_thread() is threading.main_thread():
            self._before = signal.signal(number, self._received)
            self._installed = True

    def remove(self) -> None:
        """No longer; what was there before is there again."""
        self._installed = False
        before, self._before = self._before, None
        if before is not None:
            signal.signal(getattr(signal, self._name), before)

    def _received(self, number: int, frame: object) -> None:
        # A signal comes in the middle of anything.
        self._reactor.callFromThread(self._act)

    def _act(self) -> None:
        if self._installed:
            self._react()
