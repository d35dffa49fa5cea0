"""Times, as users write them."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.errors import ConfigError
from txvaurien.planning.times import TIMES, read_time, seconds_of, seconds_with_unit, time_text


class TimeTests(SynchronousTestCase):
    """`read_time`, and what it is made of."""

    def test_units(self) -> None:
        """Hours, minutes, seconds and milliseconds, joined from the largest to the smallest."""
        for text, seconds in {
            "0s": 0.0, "500ms": 0.5, "10s": 10.0, "1.5s": 1.5, ".5s": 0.5, "2m": 120.0, "1h": 3600.0,
            "1m30s": 90.0, "1h1m1s1ms": 3661.001, "1000h": 3600000.0, "0.1ms": 0.0001,
        }.items():  # fmt: skip
            self.assertEqual(read_time(text, ""), seconds, text)
            self.assertEqual(seconds_with_unit(text), seconds, text)

    def test_bare(self) -> None:
        """A number without a unit is one of seconds."""
        for text, seconds in {"0": 0.0, "10": 10.0, "1.5": 1.5, ".5": 0.5, "1e3": 1000.0}.items():
            self.assertEqual(read_time(text, ""), seconds, text)
            self.assertIsNone(seconds_with_unit(text), text)

    def test_refused(self) -> None:
        """What is no time, and what is too long."""
        for text in (
            "", "s", "1x", "30s1m", "1s1s", "-1s", "-1", "1e3s", "nan", "inf", "1 s", ".s", "\u0661s"
        ):  # fmt: skip
            error = self.assertRaises(ConfigError, read_time, text, "f:1")
            self.assertEqual(str(error), f"f:1: {text!r} is not a time; {TIMES}")
            self.assertIsNone(seconds_of(text), text)
        for text in ("1001h", "1e9", "1e999"):
            error = self.assertRaises(ConfigError, read_time, text, "f:1")
            self.assertEqual(str(error), f"f:1: {text!r} is too long; the longest time is 1000h")

    def test_shown(self) -> None:
        """Tables show seconds, to the millisecond."""
        shown = [time_text(seconds) for seconds in (0.0, 10.0, 0.125, 90.5, 0.0001)]
        self.assertEqual(shown, ["0.0s", "10.0s", "0.125s", "90.5s", "0.0s"])

    @settings(deadline=None)
    @given(st.integers(0, 999), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
    def test_all(self, hours: int, minutes: int, seconds: int, milliseconds: int) -> None:
        """Any time comes out as it went in."""
        text = f"{hours}h{minutes}m{seconds}s{milliseconds}ms"
        expected = hours * 3600 + minutes * 60 + seconds + milliseconds / 1000
        self.assertAlmostEqual(read_time(text, ""), expected)
