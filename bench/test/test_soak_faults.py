"""Which faults are drawn, and how the journal's file is read."""

from __future__ import annotations

import itertools
import json
import os
import random
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bench.soak.facts import ACTION_EFFECTS, BEHAVIOR_EFFECTS, TOXIC_EFFECTS
from bench.soak.faults import LONGEST, Deck, Fault, Offer
from bench.soak.tail import Tail
from txvaurien.actions import ACTIONS
from txvaurien.control.plans import describe_options
from txvaurien.options import build
from txvaurien.planning.faults import FaultReader
from txvaurien.plugins import Registry

REGISTRY = Registry.load()


def offer() -> Offer:
    """What the control API tells, of all that is installed."""
    told = {
        **describe_options(REGISTRY.behaviors),
        "toxics": describe_options(REGISTRY.toxics),
        "actions": describe_options(ACTIONS),
    }
    return Offer.told(told, ["oom", "custom"], ["GET"])


def dealt(seed: int, count: int = 400) -> list[Fault]:
    """The first faults of a deck."""
    return list(itertools.islice(Deck(offer(), random.Random(seed)), count))


class DeckTests(SynchronousTestCase):
    """Faults."""

    def test_all(self) -> None:
        """Everything that is installed is done, in each round of the deck."""
        count = len(Deck(offer(), random.Random(1))._cards())
        done = {(fault.kind, fault.name) for fault in dealt(3, count)}
        wanted = {("rule", name) for name in REGISTRY.behaviors} | {
            ("mix", name) for name in REGISTRY.behaviors
        }
        wanted |= {("toxic", name) for name in REGISTRY.toxics} | {("action", name) for name in ACTIONS}
        self.assertEqual(wanted - done, set())

    def test_seed(self) -> None:
        """The same seed deals the same, another one something else."""
        self.assertEqual(dealt(5), dealt(5))
        self.assertNotEqual(dealt(5), dealt(6))

    def test_bounded(self) -> None:
        """Every fault ends, before clients lose their patience."""
        self.assertTrue(all(0 < fault.seconds <= LONGEST for fault in dealt(7)))

    def test_valid(self) -> None:
        """Options are such as the proxy takes: what it refuses is where a rule makes no sense."""
        reader = FaultReader(REGISTRY, REGISTRY.protocol("redis"))
        for fault in dealt(9):
            if fault.kind == "toxic":
                reader.toxic(dict(fault.body), where="toxic")
            elif fault.kind == "action":
                build(ACTIONS[fault.name], fault.body)

    def test_known(self) -> None:
        """What each fault may do is known; one that is not may do anything, and nothing is checked then."""
        self.assertEqual(set(TOXIC_EFFECTS), set(REGISTRY.toxics))
        self.assertEqual(set(BEHAVIOR_EFFECTS), set(REGISTRY.behaviors))
        self.assertEqual(set(ACTION_EFFECTS), set(ACTIONS))


class TailTests(SynchronousTestCase):
    """The file of a journal."""

    def setUp(self) -> None:
        """One that is not there yet."""
        self.path = Path(self.mktemp())
        self.tail = Tail(self.path)
        self.addCleanup(self.tail.close)

    def write(self, text: str) -> None:
        """Add this."""
        with self.path.open("a") as file:
            file.write(text)

    def numbers(self) -> list[int]:
        """What is read now."""
        return [line["n"] for line in self.tail.lines()]

    def test_grows(self) -> None:
        """Whole lines are read once, half ones when the rest is there."""
        self.assertEqual(self.numbers(), [])
        self.write('{"n":1}\n{"n":2}\n{"n"')
        self.assertEqual(self.numbers(), [1, 2])
        self.write(":3}\n")
        self.assertEqual(self.numbers(), [3])
        self.assertEqual(self.numbers(), [])

    def test_rotation(self) -> None:
        """What was added to a file before it was put aside is read, and then the next file."""
        self.write('{"n":1}\n')
        self.assertEqual(self.numbers(), [1])
        self.write('{"n":2}\n')
        os.rename(self.path, f"{self.path}.1")
        self.assertEqual(self.numbers(), [2])
        self.write(json.dumps({"n": 3}) + "\n")
        self.assertEqual(self.numbers(), [3])
