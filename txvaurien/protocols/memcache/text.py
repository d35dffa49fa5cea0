"""The text protocol with its meta commands (doc/protocol.txt of memcached)."""

from __future__ import annotations

import re
from typing import ClassVar

from txvaurien.errors import FramingError
from txvaurien.model import Message
from txvaurien.protocols.memcache.commands import (
    ERRORS,
    ITEMS,
    UNKNOWN,
    VA,
    VALUE,
    Answer,
    TextReply,
    TextRequest,
    data_length,
    read_command,
)
from txvaurien.protocols.memcache.dialect import Dialect
from txvaurien.protocols.memcache.flow import LINE_LIMIT, UNTIL_NEWLINE
from txvaurien.protocols.memcache.messages import Asked, Request

_MULTIGETS = (b"get ", b"gets ", b"gat ", b"gats ")

#: What may follow the parts of a reply that go on: more of the same, or its end.
_ENDS = (b"END", b"EN", b"OK", b"RESET", *ERRORS)

#: After these lines something follows that is of the same reply; after OK it may be the log of a `watch`.
_MORE = (VALUE, VA, *ITEMS, b"OK")

#: The line before a value, as nearly all are, and the end of a reply that has some.
_VALUE_LINE = re.compile(rb"VALUE [^ \n]{1,250} \d{1,10} (\d{1,10})(?: \d{1,20})?\r\n")
_END = b"END\r\n"

_WATCH = Answer.WATCH


class TextDialect(Dialect):
    """Lines, some of them followed by data.

    :param login: the server wants a name and a password before anything else
        (memcached ``-Y``): they are the data of the first ``set``.
    """

    lines: ClassVar[bool] = True
    no_op: ClassVar[bytes] = b"mn\r\n"
    no_op_reply: ClassVar[bytes] = b"MN"

    def __init__(self, *, login: bool = False) -> None:
        super().__init__()
        self._logging_in = login
        self._watched = False

    def next_request(self) -> tuple[Asked, int] | None:
        flow = self.asked
        line = flow.line()
        if line is None:
            return self._long_request() if flow.size() >= LINE_LIMIT else None
        self._check_line(line)
        request, length = read_command(line)
        return self._ask(request), len(line) + length

    def _long_request(self) -> tuple[Asked, int]:
        """A get may have any number of keys: those that fit into the limit are its targets."""
        flow = self.asked
        head = flow.buffer[flow.at : flow.at + LINE_LIMIT].lstrip(b" ")
        if not head.startswith(_MULTIGETS):
            raise FramingError(f"a command line of more than {LINE_LIMIT} bytes")
        return self._ask(read_command(head[: head.rindex(b" ")])[0]), UNTIL_NEWLINE

    def _check_line(self, line: bytes) -> None:
        if self._watched:
            raise FramingError("the server sends its log on this connection (watch)")
        if not 32 <= line[0] < 127 and line[0] not in b"\r\n":
            raise FramingError("neither a command of the text protocol nor a binary request")

    def _ask(self, request: TextRequest) -> Asked:
        if self._logging_in and request.verb == "SET":
            # A log-in is always answered.
            return Asked(TextRequest(request.line, request.command, Answer.LINE), handshake=True)
        return Asked(request, replies=request.replies)

    def whole_request(self, data: bytes) -> Asked | None:
        end = data.find(b"\n", 0, LINE_LIMIT) + 1
        if not end or self._watched:
            return None
        request, length = read_command(data if end == len(data) else data[:end])
        if end + length != len(data) or request.command is UNKNOWN:
            return None
        return self._ask(request)

    def next_part(self) -> tuple[bytes, int, bool] | None:
        flow = self.said
        if self._watched:
            raise FramingError("the server sends its log on this connection (watch)")
        line = flow.line()
        if line is None:
            if flow.size() >= LINE_LIMIT:
                raise FramingError(f"a line of more than {LINE_LIMIT} bytes in a reply")
            return None
        if flow.exchange is not None and not line.startswith((VALUE, *ITEMS, *_ENDS)):
            raise FramingError("a reply of several parts goes on with something else")
        if not line.startswith((VALUE, VA)):
            return line, len(line), line.startswith(ITEMS)
        length = data_length(line)
        if length is None:
            raise FramingError("a value without its length")
        return line, len(line) + length + 2, line.startswith(VALUE)

    def whole_reply(self, data: bytes) -> bytes | None:
        if self._watched:
            return None
        end = data.find(b"\n", 0, LINE_LIMIT) + 1
        if end and end == len(data):
            return None if data.startswith(_MORE) else data
        if data.startswith(VA):
            line = data[:end]
            length = data_length(line)
            return None if length is None or len(data) != end + length + 2 else line
        first = value = _VALUE_LINE.match(data) if data.endswith(_END) else None
        while value is not None:
            # The value is followed by a newline, and that by the next or the end.
            at = value.end() + int(value[1]) + 2
            value = _VALUE_LINE.match(data, at)
        return first[0] if first and at + len(_END) == len(data) else None

    def reply(self, head: bytes, request: Request | None) -> Message:
        if isinstance(request, TextRequest) and request.answer is _WATCH:
            self._watched = head.startswith(b"OK")
        if self._logging_in and head.startswith(b"STORED"):
            self._logging_in = False
        return TextReply(head)

    def stray(self, head: bytes) -> bool:
        return head.startswith(ERRORS)
