"""SIGHUP."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.process.hangupsignal import HangupSignal


class Reactor:
    """Does at once what signals want done."""

    def callFromThread(self, callable: Callable[..., Any], *args: object, **kwargs: object) -> None:
        """Now."""
        callable(*args, **kwargs)


class HangupSignalTests(SynchronousTestCase):
    """`HangupSignal`."""

    def setUp(self) -> None:
        before = signal.signal(signal.SIGHUP, lambda number, frame: self.did.append("before"))
        self.addCleanup(signal.signal, signal.SIGHUP, before)
        self.did: list[str] = []

    def make(self) -> Any:
        """What reads settings again, here only the words for it."""
        self.did.append("make")
        return self

    def begin(self) -> None:
        """Read them."""
        self.did.append("begin")

    def stop(self) -> None:
        """No more."""
        self.did.append("stop")

    def test_made_once(self) -> None:
        """What reads settings is made at the first signal, and told of each; at the end it is stopped."""
        hangup = HangupSignal(Reactor(), self.make)
        hangup.install()
        self.assertEqual(self.did, [])
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGHUP)
        self.assertEqual(self.did, ["make", "begin", "begin"])
        hangup.remove()
        os.kill(os.getpid(), signal.SIGHUP)
        self.assertEqual(self.did[3:], ["stop", "before"])

    def test_no_signal(self) -> None:
        """Where none came nothing is made, nor stopped."""
        hangup = HangupSignal(Reactor(), self.make)
        hangup.install()
        hangup.remove()
        self.assertEqual(self.did, [])
