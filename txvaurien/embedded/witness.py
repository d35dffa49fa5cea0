"""Asking a proxy which requests have passed it; see `txvaurien.journals.passed`. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from txvaurien.clients.vocabulary import Call, VaurienError

PASSED = "/passed"


def begin_noting() -> Call[None]:
    """From now on note which requests come. Nothing happens the second time."""
    return Call("POST", PASSED, lambda said: None)


def count_passed(verb: str, target: str) -> Call[int]:
    """How many requests of this kind have come."""
    query = urlencode({name: value for name, value in {"verb": verb, "target": target}.items() if value})
    return Call("GET", f"{PASSED}?{query}" if query else PASSED, _count)


def _count(said: Mapping[str, Any]) -> int:
    count = int(said["count"])
    if not count and said["missed"]:
        raise VaurienError(
            f"none is known of, but {said['missed']} requests came after as many different ones as are"
            " remembered; let a rule count instead: behavior('delay', sleep=0, verb=..., target=...).matched"
        )
    return count
