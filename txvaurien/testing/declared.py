"""The laws that everything with options keeps, for trial cases that list examples of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import msgspec

from txvaurien.options import Declared, build, options_of, values_of

if TYPE_CHECKING:
    from twisted.trial.unittest import SynchronousTestCase as Case
else:
    Case = object


class OptionLaws(Case):
    """A subclass lists `examples`: instances with options that are not all defaults."""

    examples: ClassVar[Sequence[Declared]]

    def test_equal(self) -> None:
        """A second with the same options is equal to it."""
        for example in self.examples:
            self.assertEqual(build(type(example), values_of(example)), example)

    def test_options_as_text(self) -> None:
        """Options survive the command line and an INI file, which know only texts."""
        for example in self.examples:
            texts = {name.replace("_", "-"): str(value) for name, value in values_of(example).items()}
            self.assertEqual(build(type(example), texts, text=True), example)

    def test_options_as_json(self) -> None:
        """Options survive JSON."""
        for example in self.examples:
            body = msgspec.json.decode(msgspec.json.encode(values_of(example)))
            self.assertEqual(build(type(example), body), example)

    def test_every_option_is_explained(self) -> None:
        """Help texts, tables and forms are made of it."""
        for example in self.examples:
            for option in options_of(type(example)):
                self.assertTrue(option.help, f"{example.name}: {option.name} has no description")
