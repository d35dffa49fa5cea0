"""Draws that depend on nothing but a seed and what they are for."""

from __future__ import annotations

import hashlib
import random
from typing import TypeGuard

#: A seed that somebody gives has 64 bits: what writes it down, and reads it again, need know no longer ones.
LOWEST, HIGHEST = -(2**63), 2**63 - 1

#: What is said of one that is no such number.
FORM = f"it must be a whole number from {LOWEST} to {HIGHEST}"


def is_seed(value: object) -> TypeGuard[int]:
    """Whether it is a whole number that can be one."""
    return isinstance(value, int) and not isinstance(value, bool) and LOWEST <= value <= HIGHEST


def new_seed() -> int:
    """A seed for a run that was given none; short enough to be typed again."""
    return random.SystemRandom().randrange(2**32)


def digest(seed: int, *key: object) -> int:
    """64 bits that depend on nothing but the arguments."""
    text = repr((seed, *key)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")


def draw(seed: int, *key: object) -> float:
    """A number from 0 up to but not 1 that depends on nothing but the arguments."""
    return (digest(seed, *key) >> 11) / float(1 << 53)
