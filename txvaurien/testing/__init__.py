"""Helpers for people who write protocols, behaviors and toxics: drive one by hand, and the laws it must keep.

A test case inherits the laws by listing sample streams::

    class EchoLaws(SessionLaws, SynchronousTestCase):
        protocol = Echo()
        conversations = {"one": [(TO_BACKEND, b"hello\\n"), (TO_CLIENT, b"hello\\n")]}
        probe = [(TO_BACKEND, b"ping\\n"), (TO_CLIENT, b"ping\\n")]

For the tests of programs on Twisted, `JoinedProxy` joins a client and a backend in memory.

Nothing here imports the reactor, and every draw is seeded: a failure can be repeated.
"""

from __future__ import annotations

from txvaurien.testing.behaviors import BehaviorLaws
from txvaurien.testing.inmemory import JoinedProxy, WireEnd
from txvaurien.testing.laws import SessionLaws
from txvaurien.testing.recorder import (
    TO_BACKEND,
    TO_CLIENT,
    Conversation,
    Recorder,
    Seen,
    Step,
    collect,
    frames_of,
    runs,
    split,
    upto,
)
from txvaurien.testing.toxics import Bench, Receiver, ToxicLaws

__all__ = [
    "TO_BACKEND",
    "TO_CLIENT",
    "BehaviorLaws",
    "Bench",
    "Conversation",
    "JoinedProxy",
    "Receiver",
    "Recorder",
    "Seen",
    "SessionLaws",
    "Step",
    "ToxicLaws",
    "WireEnd",
    "collect",
    "frames_of",
    "runs",
    "split",
    "upto",
]
