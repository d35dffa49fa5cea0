"""The toxics that have to do with how a link ends: slow_close, timeout, reset_peer, limit_data."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.errors import ConfigError
from txvaurien.model import Ending
from txvaurien.options import build
from txvaurien.testing.toxics import Bench
from txvaurien.toxics.limit_data import LimitData
from txvaurien.toxics.reset_peer import ResetPeer
from txvaurien.toxics.slow_close import SlowClose
from txvaurien.toxics.timeout import Timeout


class SlowCloseTests(SynchronousTestCase):
    """slow_close."""

    def test_end_is_late(self) -> None:
        """Bytes go at once, the end after the delay, whichever it is."""
        for ending in Ending:
            bench = Bench(SlowClose(delay=1500))
            bench.says(b"abc")
            self.assertEqual(bench.out.received, b"abc")
            bench.ends(ending)
            bench.clock.advance(1.4375)
            self.assertEqual(bench.out.endings, [])
            bench.settle()
            self.assertEqual(bench.out.endings, [(1.5, ending.value)])

    def test_nothing(self) -> None:
        """Zero holds nothing, and makes no timer."""
        bench = Bench(SlowClose())
        bench.ends()
        self.assertEqual((bench.out.ended, bench.clock.getDelayedCalls()), (["fin"], []))

    def test_change(self) -> None:
        """A change holds for an end that is waiting, counted from when it came."""
        bench = Bench(SlowClose(delay=60_000))
        bench.ends()
        bench.clock.advance(1.0)
        bench.stage.update(SlowClose(delay=3000))
        bench.settle()
        self.assertEqual(bench.out.endings, [(3.0, "fin")])


class TimeoutTests(SynchronousTestCase):
    """timeout."""

    def test_closes(self) -> None:
        """Data is lost, and the link closed so long after the toxic came, whatever was said meanwhile."""
        bench = Bench(Timeout(timeout=2000))
        for _ in range(5):
            bench.says(b"abc")
            bench.clock.advance(0.5)
        self.assertEqual((bench.out.pieces, bench.out.endings), ([], [(2.0, "cut")]))
        self.assertEqual(bench.clock.getDelayedCalls(), [])

    def test_silence(self) -> None:
        """The link is closed even if nothing was ever said."""
        bench = Bench(Timeout(timeout=2000))
        bench.settle()
        self.assertEqual(bench.out.endings, [(2.0, "cut")])

    def test_never(self) -> None:
        """With zero it is not closed, and no timer runs."""
        bench = Bench(Timeout())
        bench.says(b"abc")
        bench.clock.advance(86400.0)
        self.assertEqual((bench.out.pieces, bench.out.ended), ([], []))
        self.assertEqual(bench.clock.getDelayedCalls(), [])

    def test_removal_closes(self) -> None:
        """Taken away it closes the link, because bytes are missing: as Toxiproxy does."""
        for toxic in (Timeout(), Timeout(timeout=2000)):
            bench = Bench(toxic)
            bench.stage.release()
            self.assertEqual((bench.out.ended, bench.clock.getDelayedCalls()), (["cut"], []))

    def test_lets_go(self) -> None:
        """A client that gives up is let go at once; the time still runs for a half-close only."""
        for ending, left in ((Ending.FIN, 1), (Ending.CLOSE, 0), (Ending.RESET, 0)):
            bench = Bench(Timeout(timeout=2000))
            bench.says(b"abc")
            bench.ends(ending)
            self.assertEqual(bench.out.endings, [(0.0, ending.value)])
            self.assertEqual(len(bench.clock.getDelayedCalls()), left)
        bench = Bench(Timeout(timeout=2000))
        bench.ends()
        bench.settle()
        self.assertEqual(bench.out.endings, [(0.0, "fin"), (2.0, "cut")])

    def test_change(self) -> None:
        """A change begins the time anew, or ends it."""
        bench = Bench(Timeout(timeout=2000))
        bench.clock.advance(1.5)
        bench.stage.update(Timeout(timeout=1000))
        bench.settle()
        self.assertEqual(bench.out.endings, [(2.5, "cut")])
        bench = Bench(Timeout(timeout=2000))
        bench.stage.update(Timeout())
        self.assertEqual(bench.clock.getDelayedCalls(), [])
        bench.stage.update(Timeout(timeout=500))
        bench.settle()
        self.assertEqual(bench.out.endings, [(0.5, "cut")])

    def test_never_full(self) -> None:
        """What is lost needs no room: the source is read on, so that its end is seen."""
        bench = Bench(Timeout())
        bench.out.full = True
        self.assertFalse(bench.stage.full)


class ResetPeerTests(SynchronousTestCase):
    """reset_peer."""

    def test_at_the_first_bytes(self) -> None:
        """With zero, the link breaks when something is said; until then it stands."""
        bench = Bench(ResetPeer())
        bench.clock.advance(60.0)
        self.assertEqual(bench.out.ended, [])
        bench.says(b"abc")
        self.assertEqual((bench.out.pieces, bench.out.endings), ([], [(60.0, "broken")]))
        self.assertEqual(bench.clock.getDelayedCalls(), [])

    def test_after_a_while(self) -> None:
        """The time runs from the first bytes, whatever comes after them; all is lost."""
        bench = Bench(ResetPeer(timeout=1000))
        bench.clock.advance(10.0)
        for _ in range(4):
            bench.says(b"abc")
            bench.clock.advance(0.25)
        self.assertEqual((bench.out.pieces, bench.out.endings), ([], [(11.0, "broken")]))

    def test_once(self) -> None:
        """What still comes after the reset does nothing."""
        bench = Bench(ResetPeer())
        bench.says(b"abc")
        bench.stage.data(b"def")
        bench.stage.update(ResetPeer(timeout=1))
        bench.settle()
        self.assertEqual(bench.out.ended, ["broken"])

    def test_end_starts_it(self) -> None:
        """FIN and the closing of the link start the time as bytes do, and are not passed on."""
        for ending in (Ending.FIN, Ending.CLOSE):
            bench = Bench(ResetPeer(timeout=1000))
            bench.ends(ending)
            bench.settle()
            self.assertEqual(bench.out.endings, [(1.0, "broken")])

    def test_reset_goes_through(self) -> None:
        """A reset need not be made again: it goes on at once."""
        bench = Bench(ResetPeer(timeout=1000))
        bench.says(b"abc")
        bench.ends(Ending.RESET)
        bench.settle()
        self.assertEqual(bench.out.endings, [(0.0, "reset")])

    def test_removal(self) -> None:
        """Taken away before the time is up, the link lives on, and an end that came is passed on."""
        bench = Bench(ResetPeer(timeout=1000))
        bench.says(b"abc")
        bench.ends()
        bench.stage.release()
        self.assertEqual((bench.out.endings, bench.clock.getDelayedCalls()), ([(0.0, "fin")], []))

    def test_change(self) -> None:
        """A change holds for a time that runs, counted from the first bytes; over already, it is now."""
        for timeout, when in ((3000, 3.0), (1500, 1.5), (500, 1.0), (0, 1.0)):
            bench = Bench(ResetPeer(timeout=60_000))
            bench.says(b"abc")
            bench.clock.advance(1.0)
            bench.stage.update(ResetPeer(timeout=timeout))
            bench.settle()
            self.assertEqual(bench.out.endings, [(when, "broken")])

    def test_change_before(self) -> None:
        """A change before the first bytes starts nothing."""
        bench = Bench(ResetPeer(timeout=1000))
        bench.stage.update(ResetPeer())
        self.assertEqual((bench.out.ended, bench.clock.getDelayedCalls()), ([], []))


class LimitDataTests(SynchronousTestCase):
    """limit_data."""

    def test_exactly(self) -> None:
        """So many bytes pass and no more, however they come; at the last of them the link is closed."""
        for size in (1, 3, 7, 10, 100):
            bench = Bench(LimitData(bytes=10))
            for _ in range(10):
                bench.says(bytes(size))
            self.assertEqual((len(bench.out.received), bench.out.ended), (10, ["cut"]), size)

    def test_one_less(self) -> None:
        """A byte before the limit, nothing has happened yet."""
        bench = Bench(LimitData(bytes=10))
        bench.says(bytes(9))
        self.assertEqual((len(bench.out.received), bench.out.ended), (9, []))
        bench.ends()
        self.assertEqual(bench.out.ended, ["fin"])

    def test_nothing(self) -> None:
        """With zero it is closed at the first bytes, and not before."""
        bench = Bench(LimitData())
        self.assertEqual(bench.out.ended, [])
        bench.says(b"a")
        self.assertEqual((bench.out.pieces, bench.out.ended), ([], ["cut"]))

    def test_closed_once(self) -> None:
        """What still comes after that is lost, and does nothing."""
        bench = Bench(LimitData(bytes=2))
        bench.says(b"abc")
        bench.stage.data(b"d")
        bench.stage.end(Ending.FIN)
        bench.stage.update(LimitData(bytes=1))
        self.assertEqual((bench.out.received, bench.out.ended), (b"ab", ["cut"]))

    def test_change(self) -> None:
        """What has passed stays counted."""
        bench = Bench(LimitData(bytes=10))
        bench.says(bytes(8))
        bench.stage.update(LimitData(bytes=20))
        bench.says(bytes(8))
        self.assertEqual(bench.out.ended, [])
        bench.says(bytes(8))
        self.assertEqual((len(bench.out.received), bench.out.ended), (20, ["cut"]))

    def test_change_below(self) -> None:
        """A limit that is reached already closes the link then; not where nothing has passed."""
        bench = Bench(LimitData(bytes=10))
        bench.stage.update(LimitData())
        self.assertEqual(bench.out.ended, [])
        bench.stage.update(LimitData(bytes=10))
        bench.says(bytes(8))
        bench.stage.update(LimitData(bytes=8))
        self.assertEqual((len(bench.out.received), bench.out.ended), (8, ["cut"]))


class BoundsTests(SynchronousTestCase):
    """What the options take."""

    def test_refused(self) -> None:
        """Nothing negative, no fractions, no texts; the error says what would be right."""
        for toxic, name in (
            (SlowClose, "delay"),
            (Timeout, "timeout"),
            (ResetPeer, "timeout"),
            (LimitData, "bytes"),
        ):
            for value in (-1, 0.5, "much"):
                error = self.assertRaises(ConfigError, build, toxic, {name: value})
                self.assertIn("a whole number from 0", str(error))
