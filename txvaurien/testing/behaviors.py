"""The laws that every behavior keeps, for trial cases that list examples of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from zope.interface.verify import verifyObject

from txvaurien.behaviors.base import Behavior
from txvaurien.interfaces import IBehavior
from txvaurien.testing.declared import OptionLaws


class BehaviorLaws(OptionLaws):
    """A subclass lists `examples`: instances with options that are not all defaults."""

    examples: ClassVar[Sequence[Behavior]]

    def test_interface(self) -> None:
        """Each keeps to the interface."""
        for example in self.examples:
            verifyObject(IBehavior, example)
