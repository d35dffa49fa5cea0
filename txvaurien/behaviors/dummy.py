"""dummy: nothing is done."""

from __future__ import annotations

from typing import ClassVar

from txvaurien.behaviors.base import Behavior


class Dummy(Behavior, frozen=True, kw_only=True):
    """Do nothing: everything passes as it is."""

    name: ClassVar[str] = "dummy"
