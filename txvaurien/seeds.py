"""Draws that depend on nothing but a seed and what they are for."""

from __future__ import annotations

import hashlib
import random


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
