"""What the journal excuses, and what nothing does."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from bench.soak.conn import FIN, RESET
from bench.soak.content import Received, Sent
from bench.soak.facts import Chronicle, Effect, Facts, effect_of_toxic, effect_of_words
from bench.soak.judge import Court, excused
from bench.soak.ledger import Oddity, Record, Stream

CLIENT = "127.0.0.1:50000"


#: A stream that is well, and some that are not: shorter, other bytes, cut.
BAD: list[dict[str, Any]] = [{}, {"length": 2}, {"digest": b""}, {"ending": RESET}]


class Told:
    """A journal of one link, and the client that it was."""

    def __init__(self, **record: Any) -> None:
        self.chronicle = Chronicle()
        self.record = Record("p", "t", CLIENT, begun=10.0, ended=20.0, whole=True, **record)
        self._n = 0
        self.line("link-opened", link=1, client=CLIENT, clock=10.5)

    def line(self, event: str, **fields: Any) -> None:
        """One more line."""
        self._n += 1
        self.chronicle.tell({"n": self._n, "proxy": "p", "event": event, "clock": 15.0, **fields})

    def fired(self, behavior: str, *did: str, exchange: str = "3", **options: Any) -> None:
        """A rule fired."""
        self.line("fired", link=1, behavior=behavior, did=did, exchange=exchange, options=options)

    def judged(self, up: int = 0, down: int = 0, how: str = "client fin") -> list[str]:
        """The link closes: what nothing explains."""
        self.line("link-closed", link=1, clock=20.0, bytes_to_backend=up, bytes_to_client=down, how=how)
        court = Court(self.chronicle)
        assert not court.sit([self.record]), "it is not judged"
        return [each.what for each in court.deviations]


def stream(*, upstream: bool = False, **got: Any) -> Stream:
    """A direction on which all went well, but for what is said."""
    gave = Sent()
    gave.add(b"abc")
    good = {"length": 3, "digest": gave.digest, "at": 3}
    ending = got.pop("ending", FIN)
    return Stream(upstream, gave, Received(**{**good, **got}), FIN, ending, over=True)


class OddityTests(SynchronousTestCase):
    """What a client has met."""

    def met(self, kind: str, exchange: int = 3) -> Told:
        """A link on which this was met."""
        return Told(oddities=[Oddity(kind, exchange, "x")])

    def test_without_a_fault(self) -> None:
        """On a link that no fault has touched nothing may be odd."""
        self.assertEqual(Told().judged(), [])
        for kind in ("cut", "gave up", "error", "garbled", "foreign", "short", "stale"):
            self.assertEqual(len(self.met(kind).judged()), 1, kind)

    def test_cut(self) -> None:
        """A cut is explained by what cuts, and by nothing that only holds."""
        for effect, explained in (("abort", True), ("delay", False)):
            told = self.met("cut")
            told.fired(effect, "close client" if explained else "sleep 1")
            self.assertEqual(not told.judged(), explained, effect)
        for event in ("killed", "idle", "backend-refused", "silent"):
            told = self.met("cut")
            told.line(event, link=1)
            self.assertEqual(told.judged(), [], event)

    def test_a_cut_explains_no_more_than_that(self) -> None:
        """Whatever was cut, what came before was right."""
        for kind in ("garbled", "foreign", "stale", "error"):
            told = self.met(kind)
            told.fired("abort", "close client")
            self.assertEqual(len(told.judged()), 1, kind)

    def test_errors_belong_to_their_exchange(self) -> None:
        """An error is explained where a rule said it, and at no other exchange."""
        for exchange, explained in ((3, True), (4, False)):
            told = self.met("error", exchange)
            told.fired("error", "refuse oom")
            self.assertEqual(not told.judged(), explained, exchange)

    def test_errors_are_of_their_kind(self) -> None:
        """Where the words of an error tell its kind, it is the one that the rule said."""
        for proxy, text, kind, explained in (
            ("http", "503", "503", True),
            ("http", "503", "500", False),
            ("redis", "OOM command not allowed", "oom", True),
            ("redis", "OOM command not allowed", "readonly", False),
            ("redis", "ERR max number of clients reached", "max-clients", True),
        ):
            facts = Facts(proxy, 1, CLIENT, 1.0, said={"3": kind})
            odd = Oddity("error", 3, text)
            self.assertEqual(excused(odd, facts, Effect.SAY), explained, (text, kind))

    def test_what_was_said_is_heard(self) -> None:
        """A good reply to an exchange that was refused is a deviation; a misfire is none."""
        for answered, refused, misfired, good in (
            (5, {3}, False, True),
            (2, set(), False, True),
            (5, set(), False, False),
            (5, set(), True, True),
        ):
            told = Told(answered=answered, refused=refused)
            told.fired("error", "refuse oom")
            if misfired:
                told.line("misfired", link=1, exchange="3", why="x", told=True)
            self.assertEqual(not told.judged(), good, (answered, refused, misfired))

    def test_error_at_the_greeting(self) -> None:
        """What was said in place of the greeting is met at the first exchange."""
        told = self.met("error", 1)
        told.fired("error", "refuse max-clients", exchange="0")
        self.assertEqual(told.judged(), [])

    def test_bent(self) -> None:
        """Bytes that were bent explain what a backend makes of them."""
        for type_, explained in (
            ("corrupt", True),
            ("blackhole", True),
            ("latency", False),
            ("limit_data", False),
        ):
            told = self.met("foreign")
            told.line("toxic", link=1, type=type_, stream="upstream")
            self.assertEqual(not told.judged(), explained, type_)

    def test_standing_link(self) -> None:
        """What a rule does to links that stand is told where they end."""
        self.assertEqual(self.met("cut").judged(how="rule blackout-1"), [])

    def test_actions(self) -> None:
        """An action explains what happened while it stood, on links that stood then."""
        for begun, ended, explained in ((12.0, 14.0, True), (30.0, 40.0, False), (1.0, 5.0, False)):
            told = self.met("cut")
            told.line("action", name="disable", on=True, clock=begun)
            told.line("action", name="disable", on=False, clock=ended)
            self.assertEqual(not told.judged(), explained, begun)

    def test_opaque_and_broken(self) -> None:
        """A link that went opaque, or a behavior that raised, is a deviation by itself."""
        for event, fields in (("opaque", {"direction": "to_client"}), ("broken", {"why": "KeyError"})):
            told = Told()
            told.line(event, link=1, **fields)
            self.assertEqual(len(told.judged()), 1, event)

    def test_unknown_faults(self) -> None:
        """Faults that are not known here may do anything."""
        told = self.met("foreign")
        told.fired("new", "something")
        self.assertEqual(told.judged(), [])
        self.assertEqual(effect_of_toxic("new", "upstream"), Effect.UNKNOWN)


class StreamTests(SynchronousTestCase):
    """What two ends of ours have counted."""

    def test_equal(self) -> None:
        """Without a fault, and under one that only holds, all that was sent has come, and then FIN."""
        for type_ in ("", "latency", "slicer", "pause"):
            for bad in BAD:
                told = Told(streams=(stream(**bad),))
                if type_:
                    told.line("toxic", link=1, type=type_, stream="downstream")
                self.assertEqual(bool(told.judged()), bool(bad), (type_, bad))

    def test_prefix(self) -> None:
        """After a cut less may have come, but nothing else."""
        cases: list[dict[str, Any]] = [{}, {"changed": 1}, {"holes": 1}, {"strange": 1}, {"length": 4}]
        for bad in cases:
            told = Told(streams=(stream(**{"length": 1, "digest": b"", **bad}),))
            told.fired("abort", "close client")
            self.assertEqual(bool(told.judged()), bool(bad), bad)

    def test_by_direction(self) -> None:
        """A toxic explains what happened in its direction, of the kind that it does."""
        for type_, kind in (("corrupt", "changed"), ("blackhole", "holes")):
            for upstream in (True, False):
                for other in ("changed", "holes"):
                    got: dict[str, Any] = {other: 2}
                    told = Told(streams=(stream(upstream=upstream, **got),))
                    told.line("toxic", link=1, type=type_, stream="upstream")
                    explained = upstream and kind == other
                    self.assertEqual(not told.judged(), explained, (type_, upstream, other))

    def test_waits_for_the_other_end(self) -> None:
        """A link is judged when the server knows what came, not before."""
        told = Told(streams=(stream(),), known=True)
        told.record.streams[0].over = False
        told.line("link-closed", link=1, clock=20.0, bytes_to_backend=0, bytes_to_client=0, how="")
        court = Court(told.chronicle)
        self.assertEqual(court.sit([told.record]), [told.record])
        told.record.streams[0].over = True
        self.assertEqual((court.sit([told.record]), court.judged), ([], 1))


class CounterTests(SynchronousTestCase):
    """What the proxy has counted."""

    def test_equal(self) -> None:
        """They are the client's figures, where nothing was cut."""
        self.assertEqual(Told(sent=5, received=7).judged(up=5, down=7), [])
        self.assertEqual(len(Told(sent=5, received=7).judged(up=5, down=8)), 1)
        self.assertEqual(len(Told(sent=5, received=7).judged(up=4, down=8)), 2)

    def test_cut(self) -> None:
        """Of a link that was cut nothing can be said."""
        told = Told(sent=5, received=7)
        told.line("killed", link=1, how="reset")
        self.assertEqual(told.judged(up=1, down=1), [])


class CourtTests(SynchronousTestCase):
    """Which link is whose."""

    def test_ports_come_again(self) -> None:
        """Of two links of one address each belongs to the client that lived then."""
        told = Told(oddities=[Oddity("cut", 0, "x")])
        told.line("killed", link=1, how="reset")
        later = Record("p", "u", CLIENT, begun=30.0, ended=31.0, whole=True)
        told.line("link-opened", link=2, client=CLIENT, clock=30.1)
        told.line("link-closed", link=2, clock=31.0, bytes_to_backend=0, bytes_to_client=0, how="")
        told.line("link-closed", link=1, clock=20.0, bytes_to_backend=0, bytes_to_client=0, how="")
        court = Court(told.chronicle)
        self.assertEqual(court.sit([later, told.record]), [])
        self.assertEqual((court.deviations, court.clean), ([], 1))

    def test_without_a_link(self) -> None:
        """A client that never had a link is explained by an action that stood, at the end of a round."""
        for acted in (True, False):
            chronicle = Chronicle()
            if acted:
                chronicle.tell(
                    {"n": 1, "proxy": "p", "event": "action", "name": "deaf", "on": True, "clock": 9.0}
                )
            court = Court(chronicle)
            record = Record("p", "t", "", begun=10.0, ended=11.0)
            self.assertEqual(court.sit([record]), [record])
            self.assertEqual(court.sit([record], final=True), [])
            self.assertEqual(len(court.deviations), not acted)

    def test_missing_lines(self) -> None:
        """Records that are missing in the journal are counted."""
        chronicle = Chronicle()
        for number in (1, 2, 5):
            chronicle.tell({"n": number, "proxy": "p", "event": "plan", "clock": 1.0})
        self.assertEqual(chronicle.missing, 2)

    def test_words(self) -> None:
        """What a behavior has done is in its own words."""
        self.assertEqual(effect_of_words("dummy", [], {}), Effect.NONE)
        self.assertEqual(effect_of_words("error", ["refuse oom"], {}), Effect.SAY | Effect.CUT)
        self.assertEqual(effect_of_words("error", ["edit response"], {"inject": True}), Effect.ALTER_DOWN)
        self.assertEqual(effect_of_words("truncate", ["edit response"], {}), Effect.CUT)
