"""Options, declared once."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.errors import ConfigError
from txvaurien.options import SECONDS, Declared, build, options_of, summary, unknown, values_of


class Example(Declared, frozen=True, kw_only=True):
    """An example. With more words."""

    name: ClassVar[str] = "example"
    sleep_time: Annotated[float, Meta(ge=0, le=10, description="seconds")] = 1.0
    count: Annotated[int, Meta(ge=1)] = 2
    before: bool = True
    how: Literal["fast", "slow"] = "fast"
    text: str = ""
    limit: float | None = None
    share: Annotated[float, Meta(gt=0, le=1)] = 1.0
    size: Annotated[float, Meta(gt=0)] = 1.0


class Timed(Declared, frozen=True, kw_only=True):
    """Options that are times."""

    name: ClassVar[str] = "timed"
    wait: Annotated[float, SECONDS, Meta(ge=0, le=100)] = 1.0
    whole: Annotated[int, SECONDS, Meta(ge=1)] = 1
    until: Annotated[float, SECONDS, Meta(ge=1)] | None = None


class OptionTests(SynchronousTestCase):
    """What the fields say."""

    def test_options(self) -> None:
        """Names with dashes, types, defaults, bounds, choices, help."""
        options = {option.name: option for option in options_of(Example)}
        self.assertEqual(
            list(options), ["sleep-time", "count", "before", "how", "text", "limit", "share", "size"]
        )
        sleep = options["sleep-time"]
        self.assertEqual((sleep.kind, sleep.default, sleep.minimum, sleep.maximum), ("float", 1.0, 0, 10))
        self.assertEqual((sleep.help, sleep.allowed), ("seconds", "a number from 0 to 10"))
        self.assertEqual(options["count"].allowed, "a whole number of at least 1")
        self.assertEqual(options["how"].choices, ("fast", "slow"))
        self.assertEqual(options["limit"].kind, "float")
        self.assertEqual(options["share"].allowed, "a number above 0 and up to 1")
        self.assertEqual(options["size"].allowed, "a number above 0")
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

    def test_point_first(self) -> None:
        """A number in a text may begin with its point, if it need not be whole."""
        for word, value in ((".5", 0.5), ("0.25", 0.25), ("1.", None), (".", None), ("..5", None)):
            if value is None:
                self.assertRaises(ConfigError, build, Example, {"sleep-time": word}, text=True)
            else:
                self.assertEqual(build(Example, {"sleep-time": word}, text=True).sleep_time, value)
        self.assertRaises(ConfigError, build, Example, {"sleep-time": "-.5"}, text=True)
        self.assertEqual(build(Example, {"limit": "-.5"}, text=True).limit, -0.5)
        self.assertRaises(ConfigError, build, Example, {"count": ".5"}, text=True)
        self.assertRaises(ConfigError, build, Example, {"sleep-time": ".5"})
        self.assertEqual(build(Example, {"text": ".5"}, text=True).text, ".5")

    def test_seconds(self) -> None:
        """A time may have a unit; a number without one is of seconds, and a text only where all are."""
        for values, text in (
            ({"wait": "1m30s", "whole": "2m", "until": "1500ms"}, True),
            ({"wait": "90", "whole": "120", "until": "1.5"}, True),
            ({"wait": "1m30s", "whole": "2m", "until": "1500ms"}, False),
            ({"wait": 90, "whole": 120, "until": 1.5}, False),
        ):
            self.assertEqual(build(Timed, values, text=text), Timed(wait=90.0, whole=120, until=1.5))
        self.assertEqual(build(Timed, {"wait": ".5"}, text=True).wait, 0.5)
        self.assertEqual([option.unit for option in options_of(Timed)], ["seconds"] * 3)
        self.assertEqual({option.unit for option in options_of(Example)}, {""})

    def test_wrong_seconds(self) -> None:
        """What is no time, out of bounds, or has no unit in JSON."""
        allowed = "it must be a number from 0 to 100, in seconds, or a time such as 500ms or 1m30s"
        texts = ("2m", "1x", "-1", "-1s", "nan", "")
        for value, text in [*((each, True) for each in texts), ("90", False)]:
            error = self.assertRaises(ConfigError, build, Timed, {"wait": value}, text=text)
            self.assertEqual(str(error), f"wait: {value!r} will not do; {allowed}")
        self.assertRaises(ConfigError, build, Timed, {"whole": "1500ms"}, text=True)
        self.assertRaises(ConfigError, build, Example, {"sleep-time": "5s"}, text=True)

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
        self.assertIn(
            "the options of 'example' are: before, count, how, limit, share, size, sleep-time, text",
            str(error),
        )

    def test_unknown_thing(self) -> None:
        """Also where there is nothing to choose from."""
        self.assertEqual(str(unknown("kind", "x", [])), "there is no kind 'x'; the kinds are: none")

    def test_error_at(self) -> None:
        """An error can be told for the place that a user knows it by."""
        error = ConfigError("kind", "there is no such kind", "choose another")
        self.assertEqual(
            str(error.at("vaurien.ini:3: kind")), "vaurien.ini:3: kind: there is no such kind; choose another"
        )
