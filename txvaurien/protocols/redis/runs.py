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


def _string() -> bytes:
    """Bulk strings of up to 69 bytes. What ends them is skipped, not compared, as the server does."""
    tens = []
    for ten in range(7):
        units = b"|".join(b"%d\r\n.{%d}" % (unit, 10 * ten + unit + 2) for unit in range(10))
        tens.append(b"%d(?:%s)" % (ten, units) if ten else units)
    return rb"\$(?:" + b"|".join(tens) + b")"


def _command() -> bytes:
    """Commands that mean no more than that one reply will come."""
    strings = _string()
    counts = (b"%d\r\n(?:%s){%d}" % (count, strings, count) for count in range(1, _MOST_WORDS + 1))
    # Longer names that begin like a special one are few, and lose nothing but time.
    special = b"|".join(_any_case(word) for word in sorted(SPECIAL) if word)
    plain = rb"(?=\d\r\n\$3\r)|(?!\d\r\n\$(?:0|\d+\r\n(?:" + special + rb")))"
    return rb"\*(?:" + plain + rb")(?:" + b"|".join(counts) + b")"


def _any_case(word: bytes) -> bytes:
    """A pattern for a word; faster than one for which case is ignored."""
    return b"".join(b"[%c%c]" % (letter, letter + 32) for letter in word)


def _reply() -> bytes:
    """Replies that are one value, and are no push."""
    return _string() + rb"|[-+:][^\r\n]{0,%d}\r\n|\$-1\r\n|_\r\n" % _LONGEST_LINE


def _run_of(message: bytes) -> re.Pattern[bytes]:
    """What finds messages one behind the other; the rest is found as an empty one."""
    return re.compile(b"(" + message + b")|.+", re.DOTALL)


#: From a position on: the commands that are there, and ``b""`` if something else comes next.
commands = _run_of(_command()).findall
#: The same for replies.
replies = _run_of(_reply()).findall
