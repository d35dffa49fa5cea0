"""The lines of replies (RFC 5321, 4.2.1), and what EHLO's say (4.1.1.1)."""

from __future__ import annotations


def ends_reply(head: bytes) -> bool | None:
    """Whether a line is the last one of its reply; None if it belongs to no reply.

    :param head: the first bytes of the line, at least four if it has so many.
    """
    if not (head[:3].isdigit() and 0x32 <= head[0] <= 0x35):
        return None
    after = head[3:4]
    if after == b"-":
        return False
    return True if after in (b" ", b"\r", b"\n") else None


def without_starttls(raw: bytes) -> bytes:
    """The reply to EHLO without the offer of STARTTLS (RFC 3207); all the rest as it was."""
    lines = raw.splitlines(keepends=True)
    kept = [line for line in lines if line[4:].upper().split()[:1] != [b"STARTTLS"] or line is lines[0]]
    if len(kept) < len(lines):
        kept[-1] = kept[-1][:3] + b" " + kept[-1][4:]
    return b"".join(kept)
