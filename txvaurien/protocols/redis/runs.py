"""Runs of small messages, found with one call: what most of the bytes of most links are.

A pattern knows messages by their lengths, and tells them apart in the speed of the `re` module. What
is large, rare or not complete it does not know; that is left to the readers (`Requests`, `Replies`).
"""

from __future__ import annotations

import re

from txvaurien.protocols.redis.asking import SPECIAL

#: How many bytes are looked at in one go, so that there is a bound to the messages found.
RUN_LIMIT = 8192

#: How many words a command may have.
_MOST_WORDS = 5

#: How long a line of a reply may be.
_LONGEST_LINE = 128


def _string(first: int) -> bytes:
    """Bulk strings of `first` to 99 bytes. What ends them is skipped, not compared, as servers do."""
    tens = []
    for ten in range(10):
        sizes = [(unit, 10 * ten + unit) for unit in range(10) if 10 * ten + unit >= first]
        units = b"|".join(b"%d\r\n.{%d}" % (unit, size + 2) for unit, size in sizes)
        tens.append((b"%d(?:%s)" % (ten, units)) if ten else units)
    return rb"\$(?:" + b"|".join(tens) + b")"


def _command() -> bytes:
    """Commands that mean no more than that one reply will come."""
    # Longer names that begin like that are few, and lose nothing but time.
    special = b"|".join(sorted(SPECIAL - {b""}))
    strings = _string(0)
    counts = (b"%d\r\n(?:%s){%d}" % (count, strings, count) for count in range(1, _MOST_WORDS + 1))
    return rb"\*(?!\d\r\n\$(?:0|\d+\r\n(?i:" + special + rb")))(?:" + b"|".join(counts) + b")"


def _reply() -> bytes:
    """Replies that are one value, and are no push."""
    return _string(0) + rb"|[-+:][^\r\n]{0,%d}\r\n|\$-1\r\n|_\r\n" % _LONGEST_LINE


def _run_of(message: bytes) -> re.Pattern[bytes]:
    """What finds messages one behind the other; the rest is found as an empty one."""
    return re.compile(b"(" + message + b")|.+", re.DOTALL)


#: From a position on: the commands that are there, and ``b""`` if something else comes next.
commands = _run_of(_command()).findall
#: The same for replies.
replies = _run_of(_reply()).findall
