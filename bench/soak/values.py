"""Values that tell which key and which version they are of, and a store's word for them."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from bench.soak.ledger import Record
from bench.soak.visit import Scene, Wrong

#: The version of what is not there.
NOTHING = 0


def value_of(scene: Scene, key: str, version: int, size: int) -> bytes:
    """Its head says what it is; the rest is derived from that. Between ``<`` and ``>`` it is plain to see."""
    head = f"<{key}|{version}|{size}|".encode()
    return head + scene.source(f"value {key} {version}", size).whole() + b">"


def drawn_size(draw: random.Random, largest: int) -> int:
    """Mostly small ones."""
    return draw.choice((1, 20, 200, 200, 3000, 20_000, largest if draw.random() < 0.3 else 50))


@dataclass
class Store:
    """What one client has put under the keys of its own, and what may be there now.

    :ivar number: of the exchange that was asked for last.
    """

    scene: Scene
    record: Record
    draw: random.Random
    largest: int
    number: int = 0
    _version: int = 0
    #: By key: the versions, with their sizes, of which one is there.
    _there: dict[str, dict[int, int]] = field(default_factory=dict)

    def key(self) -> str:
        """One of a few, which nobody else has, even with some bytes changed."""
        return f"{self.record.token}:{self.draw.randint(1, 5)}:{self.record.token[::-1]}"

    def next(self) -> int:
        """Another exchange; its number."""
        self.number += 1
        return self.number

    def new_value(self, key: str) -> tuple[int, int, bytes]:
        """A version, its size, and the bytes."""
        self._version += 1
        size = drawn_size(self.draw, self.largest)
        return self._version, size, value_of(self.scene, key, self._version, size)

    def stored(self, key: str, version: int, size: int = 0) -> None:
        """The server has said that this is there now; `NOTHING` for nothing."""
        self._there[key] = {version: size}

    def may_be_stored(self, key: str, version: int, size: int = 0) -> None:
        """It may be there now, or what was there before."""
        self._there.setdefault(key, {NOTHING: 0})[version] = size

    def check(self, key: str, found: bytes | None, number: int) -> bool:
        """What was read is what is there. False if there is nothing, where something should be.

        :raises Wrong: it is something else.
        """
        there = self._there.get(key, {NOTHING: 0})
        if found is None:
            return NOTHING in there
        for version, size in there.items():
            if version != NOTHING and found == value_of(self.scene, key, version, size):
                self._there[key] = {version: size}
                return True
        wanted = " or ".join(f"{version} of {size} bytes" for version, size in there.items())
        raise Wrong("stale", f"{key}: {len(found)} bytes, {found[:60]!r}, in place of {wanted}", number)
