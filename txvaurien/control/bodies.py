"""Request bodies: JSON objects, read strictly.

What Python's own reader takes and JSON (RFC 8259) does not know, such as NaN, is
refused; so is a name that stands twice, because one of the two would be ignored.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any

from txvaurien.control.answers import Refused

#: How deep objects and lists may stand in one another. Nothing that is taken needs more than ten.
MAX_DEPTH = 32


_TOO_DEEP = f"the body has more than {MAX_DEPTH} lists or objects within one another"


class _NotAllowed(ValueError):
    """JSON for Python, but not for us. The text says why."""


def read_object(raw: bytes) -> dict[str, Any]:
    """Read a body.

    :raises Refused: 400; it is not a JSON object, or not one that can be taken.
    """
    said = _read_any(raw)
    if not isinstance(said, dict):
        raise _refused(f"the body is {_noun(said)}, not a JSON object")
    return said


def read_list(raw: bytes) -> list[Any]:
    """Read a body that is a list.

    :raises Refused: 400; it is not a JSON list, or not one that can be taken.
    """
    said = _read_any(raw)
    if not isinstance(said, list):
        raise Refused.because(400, "body", "", f"the body is {_noun(said)}, not a JSON list")
    return said


def _read_any(raw: bytes) -> object:
    try:
        return _read(raw)
    except _NotAllowed as error:
        raise _refused(str(error)) from None
    except UnicodeDecodeError as error:
        raise _refused(f"the body is not UTF-8: {error.reason} at byte {error.start}") from None
    except RecursionError:
        raise _refused(_TOO_DEEP) from None
    except ValueError as error:
        raise _refused(f"the body is not JSON: {error}") from None


def _read(raw: bytes) -> object:
    text = raw.decode("utf-8")
    said: object = json.loads(
        text, object_pairs_hook=_distinct, parse_constant=_no_constant, parse_float=_finite
    )
    if text.count("{") + text.count("[") > MAX_DEPTH:
        _check_depth(said)
    if "\\u" in text:
        # An escape can stand for half a character, which no answer and no log could show.
        try:
            json.dumps(said, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            raise _NotAllowed("the body has half of a surrogate pair in a string") from None
    return said


def _check_depth(said: object) -> None:
    """:raises _NotAllowed: it is deeper than whoever goes through it should have to go."""
    level = [said]
    for _ in range(MAX_DEPTH + 1):
        level = [
            each
            for outer in level
            if isinstance(outer, (dict, list))
            for each in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return
    raise _NotAllowed(_TOO_DEEP)


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        [(twice, _)] = Counter(name for name, _ in pairs).most_common(1)
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
    if isinstance(said, str):
        return "a string"
    return "a list" if isinstance(said, list) else "an object"


def _refused(why: str) -> Refused:
    return Refused.because(400, "body", "", f'{why}; send an object such as {{"name": "delay", "sleep": 2}}')
