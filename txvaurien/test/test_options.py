"""Options, declared once."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.errors import ConfigError
from txvaurien.options import Declared, build, options_of, summary, unknown, values_of


class Example(Declared, frozen=True, kw_only=True):
    """An example. With more words."""

    name: ClassVar[str] = "example"
    sleep_time: Annotated[float, Meta(ge=0, le=10, description="seconds")] = 1.0
    count: Annotated[int, Meta(ge=1)] = 2
    before: bool = True
    how: Literal["fast", "slow"] = "fast"
    text: str = ""
    limit: float | None = None


class OptionTests(SynchronousTestCase):
    """What the fields say."""

    def test_options(self) -> None:
        """Names with dashes, types, defaults, bounds, choices, help."""
        options = {option.name: option for option in options_of(Example)}
        self.assertEqual(list(options), ["sleep-time", "count", "before", "how", "text", "limit"])
        sleep = options["sleep-time"]
        self.assertEqual((sleep.kind, sleep.default, sleep.minimum, sleep.maximum), ("float", 1.0, 0, 10))
        self.assertEqual((sleep.help, sleep.allowed), ("seconds", "a number from 0 to 10"))
        self.assertEqual(options["count"].allowed, "a whole number of at least 1")
        self.assertEqual(options["how"].choices, ("fast", "slow"))
        self.assertEqual(options["limit"].kind, "float")
        self.assertEqual(summary(Example), "An example. With more words")

    def test_build(self) -> None:
        """Names with dashes or underscores; what is not named has its default."""
        made = build(Example, {"sleep-time": 2, "how": "slow"})
        self.assertEqual((made.sleep_time, made.how, made.count), (2.0, "slow", 2))
        self.assertEqual(build(Example, {"sleep_time": 2.5}).sleep_time, 2.5)
        self.assertEqual(values_of(made)["sleep_time"], 2.0)

    def test_text(self) -> None:
        """Texts are converted; every usual word for true and false is taken."""
        made = build(Example, {"sleep-time": "2.5", "count": "3", "limit": "4"}, text=True)
        self.assertEqual((made.sleep_time, made.count, made.limit), (2.5, 3, 4.0))
        for word, value in (("no", False), ("On", True), ("0", False), ("TRUE", True)):
            self.assertIs(build(Example, {"before": word}, text=True).before, value)

    def test_wrong_values(self) -> None:
        """The place, the value, and what is allowed."""
        for values, text, words in (
            ({"sleep-time": 11}, False, "x.sleep-time: '11' will not do; it must be a number from 0 to 10"),
            ({"sleep-time": "nan"}, True, "x.sleep-time: 'nan' will not do"),
            ({"sleep-time": "2"}, False, "x.sleep-time: '2' will not do"),
            ({"count": 1.5}, False, "x.count: '1.5' will not do; it must be a whole number of at least 1"),
            ({"count": True}, False, "x.count: 'true' will not do"),
            ({"before": "maybe"}, True, "x.before: 'maybe' will not do; it must be true or false"),
            ({"how": "so"}, True, "x.how: 'so' will not do; it must be one of: fast, slow"),
            ({"text": None}, False, "x.text: 'null' will not do; it must be a text"),
        ):
            error = self.assertRaises(ConfigError, build, Example, values, where="x.", text=text)
            self.assertIn(words, str(error))

    def test_unknown_option(self) -> None:
        """An unknown name is never ignored; the near one is suggested, all are listed."""
        error = self.assertRaises(ConfigError, build, Example, {"sleeptime": 1})
        self.assertIn("there is no option 'sleeptime' (did you mean 'sleep-time'?)", str(error))
        self.assertIn("the options of 'example' are: before, count, how, limit, sleep-time, text", str(error))

    def test_unknown_thing(self) -> None:
        """Also where there is nothing to choose from."""
        self.assertEqual(str(unknown("kind", "x", [])), "there is no kind 'x'; the kinds are: none")

    def test_error_at(self) -> None:
        """An error can be told for the place that a user knows it by."""
        error = ConfigError("kind", "there is no such kind", "choose another")
        self.assertEqual(
            str(error.at("vaurien.ini:3: kind")), "vaurien.ini:3: kind: there is no such kind; choose another"
        )
