"""Request bodies: JSON objects, read strictly.

What Python's own reader takes and JSON (RFC 8259) does not know, such as NaN, is
refused; so is a name that stands twice, because one of the two would be ignored.
"""

from __future__ import annotations

import json
import math
from typing import Any

from txvaurien.control.answers import Refused


class _NotAllowed(ValueError):
    """JSON for Python, but not for us. The text says why."""


def read_object(raw: bytes) -> dict[str, Any]:
    """Read a body.

    :raises Refused: 400; it is not a JSON object, or not one that can be taken.
    """
    try:
        said = _read(raw)
    except _NotAllowed as error:
        raise _refused(str(error)) from None
    except UnicodeDecodeError as error:
        raise _refused(f"the body is not UTF-8: {error.reason} at byte {error.start}") from None
    except (ValueError, RecursionError) as error:
        raise _refused(f"the body is not JSON: {error}") from None
    if not isinstance(said, dict):
        raise _refused(f"the body is {_noun(said)}, not a JSON object")
    return said


def _read(raw: bytes) -> object:
    text = raw.decode("utf-8")
    said: object = json.loads(
        text, object_pairs_hook=_distinct, parse_constant=_no_constant, parse_float=_finite
    )
    if "\\u" in text:
        # An escape can stand for half a character, which no answer and no log could show.
        try:
            json.dumps(said, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            raise _NotAllowed("the body has half of a surrogate pair in a string") from None
    return said


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _NotAllowed(f"the name {twice!r} stands twice in one object")
    return found


def _no_constant(name: str) -> object:
    raise _NotAllowed(f"{name} is not JSON; a number must be finite")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _NotAllowed(f"the number {text[:40]} is too large")
    return number


def _noun(said: object) -> str:
    if said is None:
        return "null"
    if isinstance(said, bool):
        return "true or false"
    if isinstance(said, (int, float)):
        return "a number"
    return "a string" if isinstance(said, str) else "a list"


def _refused(why: str) -> Refused:
    return Refused.because(400, "body", "", f'{why}; send an object such as {{"name": "delay", "sleep": 2}}')
