"""Where a content ends, and where a line does: the readers, which know nothing of commands."""

from __future__ import annotations

from collections.abc import Sequence

from txvaurien.errors import FramingError

#: How long a line may be until it is complete, in bytes. RFC 5321 allows 512, RFC 4954 allows
#: 12288 for a line of an AUTH dialogue; servers are more generous.
LINE_LIMIT = 16 * 1024

_END = b"\r\n.\r\n"


class Inbox:
    """What was received in one direction and not yielded yet. It remembers how far it has searched."""

    __slots__ = ("_at", "_data", "_searched")

    def __init__(self) -> None:
        self._data = b""
        self._at = 0
        self._searched = 0

    def __len__(self) -> int:
        return len(self._data) - self._at

    def feed(self, data: bytes) -> None:
        """Add what has arrived."""
        if self._at < len(self._data):
            self._searched -= self._at
            data = self._data[self._at :] + data
        else:
            self._searched = 0
        self._data = data
        self._at = 0

    def line_end(self, start: int = 0) -> int:
        """How many bytes there are up to the end of the line that begins at `start`; 0: it is not here.

        :raises FramingError: the line is too long.
        """
        begin = self._at + start
        newline = self._data.find(b"\n", begin if begin > self._searched else self._searched)
        if newline >= 0:
            return newline + 1 - self._at
        self._searched = len(self._data)
        if len(self._data) - begin > LINE_LIMIT:
            raise FramingError(f"a line has more than {LINE_LIMIT} bytes")
        return 0

    def peek(self, start: int, end: int) -> bytes:
        """These bytes, which stay."""
        return self._data[self._at + start : self._at + end]

    def starts_with(self, prefix: bytes) -> bool:
        """Whether it begins so."""
        return self._data.startswith(prefix, self._at)

    def take(self, size: int) -> bytes:
        """Remove the first `size` bytes, or all there are."""
        begin, data = self._at, self._data
        end = begin + size
        if end < len(data):
            self._at = end
            return data[begin:end]
        # An idle link does not keep what came last, which may have been large.
        self._data, self._at, self._searched = b"", 0, 0
        return data[begin:]


class DotReader:
    """Finds the end of DATA's content: a dot alone on its line (RFC 5321, 4.1.1.4).

    Only CRLF ends a line here. A server that also takes a bare LF may see an
    end where this sees none (known as SMTP smuggling): `ambiguous` tells of that.
    """

    __slots__ = ("_tail", "ambiguous")

    def __init__(self) -> None:
        # The command's own line end counts: a content may be nothing but ".\r\n".
        self._tail = b"\r\n"
        self.ambiguous = False

    def measure(self, inbox: Inbox) -> tuple[int, bool]:
        """How many of the bytes that have come belong to the content, and whether it ends there."""
        data = inbox.peek(0, len(inbox))
        seam = self._tail + data[:4]
        found = seam.find(_END)
        if found >= 0:
            return found + len(_END) - len(self._tail), True
        found = data.find(_END)
        if not self.ambiguous:
            # The dot that does end the content is no bare one.
            upto = found + 2 if found >= 0 else len(data)
            self.ambiguous = _has_bare_end(seam, len(seam)) or _has_bare_end(data, upto)
        if found >= 0:
            return found + len(_END), True
        self._tail = (seam if len(data) <= 4 else data)[-4:]
        return len(data), False


def _has_bare_end(data: bytes, upto: int) -> bool:
    return data.find(b"\n.\n", 0, upto) >= 0 or data.find(b"\n.\r\n", 0, upto) >= 0


class ChunkReader:
    """Finds the end of BDAT's chunk, which was announced (RFC 3030)."""

    __slots__ = ("_left",)

    #: Nobody can see another end in it.
    ambiguous = False

    def __init__(self, size: int) -> None:
        self._left = size

    def measure(self, inbox: Inbox) -> tuple[int, bool]:
        """How many of the bytes that have come belong to the chunk, and whether it ends there."""
        size = min(self._left, len(inbox))
        self._left -= size
        return size, not self._left


def chunk_of(arguments: Sequence[bytes]) -> tuple[int, bool] | None:
    """The size of BDAT's chunk and whether it is the last one; None if a server would not take it."""
    if not arguments or len(arguments) > 2 or not arguments[0].isdigit() or len(arguments[0]) > 20:
        return None
    if len(arguments) == 2 and arguments[1].upper() != b"LAST":
        return None
    return int(arguments[0]), len(arguments) == 2
