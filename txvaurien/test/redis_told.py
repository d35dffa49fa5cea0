"""Play a conversation that a redis session has to understand."""

from __future__ import annotations

from txvaurien.protocols.redis import Redis
from txvaurien.testing import Recorder, Step


def told(*steps: Step) -> Recorder:
    """What was seen of a conversation, which must have been understood."""
    recorder = Recorder(Redis().session()).play(steps)
    assert not recorder.error, recorder.error
    assert not recorder.faults, recorder.faults
    return recorder
