"""What master and workers say to each other."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.workers import wire


class LinesTests(SynchronousTestCase):
    """`Lines`."""

    def test_pieces(self) -> None:
        """Any split of the stream gives the same lines."""
        stream = b"one\n\nthree three\nfour\n"
        for size in range(1, len(stream) + 1):
            lines = wire.Lines()
            pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
            found = [line for piece in pieces for line in lines.feed(piece)]
            self.assertEqual(found, [b"one", b"", b"three three", b"four"], size)

    def test_unfinished(self) -> None:
        """A line without its end is not given out."""
        lines = wire.Lines()
        self.assertEqual(lines.feed(b"one\ntw"), [b"one"])
        self.assertEqual(lines.feed(b"o"), [])
        self.assertEqual(lines.feed(b"\n"), [b"two"])


class EncodeTests(SynchronousTestCase):
    """There and back."""

    def test_orders(self) -> None:
        """An order is the same at the other end, and takes one line."""
        placed = wire.Placed(3, {"behavior": "error", "name": "a\nb"}, expired=True)
        plan = wire.SetPlan(7, [wire.Part(5.0, placed)], [placed], [])
        for order in (plan, wire.Expire(3), wire.Kill("reset", 4), wire.Sync(1, links=True), wire.Stop()):
            line = wire.encode(order)
            self.assertEqual(line.count(b"\n"), 1)
            self.assertEqual(wire.order(line), order)

    def test_reports(self) -> None:
        """So is a report."""
        for said in (wire.Ready(), wire.Done(4, [{"id": 2}]), wire.Gone(9), wire.Logged("warn", "a", "b\nc")):
            self.assertEqual(wire.report(wire.encode(said)), said)

    def test_odd_event(self) -> None:
        """An event can be told whatever a behavior has put into it; of an object only its type."""
        line = wire.encode_event("fired", 3, {"verb": "\udc80", "options": {"secret": object()}})
        told = wire.report(line)
        assert isinstance(told, wire.Event)
        self.assertEqual((told.event, told.link), ("fired", 3))
        self.assertEqual(told.fields["options"], {"secret": "(object)"})
