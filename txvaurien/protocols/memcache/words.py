"""What the words for both protocols are made with."""

from __future__ import annotations

#: The commands that store a value.
STORES = ("SET", "ADD", "REPLACE", "APPEND", "PREPEND")


class Unsayable(Exception):
    """memcached does not say this to this request."""


def one_line(text: str) -> bytes:
    """A text of the user's, so that it cannot end the reply that it is part of."""
    return " ".join(text.split()).encode(errors="replace")
