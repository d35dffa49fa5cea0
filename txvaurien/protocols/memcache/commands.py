"""The commands of the text protocol: what follows a line, and how it is answered.

From doc/protocol.txt of memcached, and for lines that are not as they should be from what
memcached 1.6 does: a storage command whose line it cannot read has no data (what follows is
taken for a command), a wrong number of words is answered even if one of them is ``noreply``.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass

from txvaurien.model import Message
from txvaurien.protocols.memcache.messages import Request

KEY_LIMIT = 250
#: The data of a storage command, the newline included, is at most as long as an int can say.
DATA_LIMIT = 2**31 - 1 - 2

ERRORS = (b"ERROR", b"CLIENT_ERROR ", b"SERVER_ERROR ")
#: Lines that are followed by data.
VALUE, VA = b"VALUE ", b"VA "
#: Lines of replies that go on until an END (``mg`` is what a crawler's mgdump says, and ends in EN).
ITEMS = (b"STAT ", b"ITEM ", b"PREFIX ", b"key=", b"mg ")

#: The longest length that a server can mean.
_DIGITS = 10

#: With more digits a number is out of range for strtol(), whatever it is; leading zeros apart, which nobody
#: writes.
_NUMBER_SIZE = 40

_NUMBER = re.compile(rb"[\t-\r]*[+-]?\d{1,%d}(?![^\t-\r\0])" % _NUMBER_SIZE)


class Answer(enum.Enum):
    """What a command is answered with."""

    NOTHING = "nothing"
    LINE = "one line"
    LINES = "one line, or several that an END ends"
    VALUES = "values and an END"
    META = "a line with a code of two letters, with VA a value"
    WATCH = "OK, and from then on a log"


# Looked up for each message: a member of an enumeration is slow to find.
_NOTHING, _LINE, _LINES = Answer.NOTHING, Answer.LINE, Answer.LINES
_VALUES, _META = Answer.VALUES, Answer.META

#: What a get is answered with, what no command without values is, and what no single line begins with.
_GOT = (VALUE, b"END", *ERRORS)
_DATA = (VALUE, VA)
_NOT_A_LINE = (*_DATA, *ITEMS)


@dataclass(frozen=True)
class Command:
    """One command.

    :param least: how many words its line has at least, the command itself included.
    :param noreply: the first word that may be ``noreply``; 0 if none may.
    :param noreply_of: the only subcommand that takes a ``noreply``; empty for all.
    :param length: the word that is the length of the data which follows; 0 for no data.
    :param numbers: other words that have to be numbers, else there is no data.
    :param targets: from which word to before which they say what it is asked of.
    """

    verb: str
    answer: Answer = Answer.LINE
    least: int = 1
    most: int = 99
    noreply: int = 0
    noreply_of: bytes = b""
    length: int = 0
    numbers: tuple[int, ...] = ()
    targets: tuple[int, int | None] = (1, 2)


#: How many words the line of a `_store` has at least, and what follows the first of them where it has no
#: more and is as it should be.
_STORE_WORDS = 5
_STORE = re.compile(rb" [^ \r\n]{1,250} \d{1,10} \d{1,10} (\d{1,9})\r\n")


def _store(verb: str) -> Command:
    return Command(verb, least=_STORE_WORDS, most=6, noreply=4, length=4, numbers=(2, 3))


def _meta(verb: str, least: int = 2, length: int = 0) -> Command:
    return Command(verb, Answer.META, least=least, most=19, length=length)


_NO_KEY = (0, 0)

COMMANDS = {
    each.verb.lower().encode(): each
    for each in (
        Command("GET", Answer.VALUES, targets=(1, None)),
        Command("GETS", Answer.VALUES, targets=(1, None)),
        Command("BGET", Answer.VALUES, targets=(1, None)),
        Command("GAT", Answer.VALUES, targets=(2, None)),
        Command("GATS", Answer.VALUES, targets=(2, None)),
        *map(_store, ("SET", "ADD", "REPLACE", "APPEND", "PREPEND")),
        Command("CAS", least=6, most=7, noreply=5, length=4, numbers=(2, 3, 5)),
        Command("INCR", least=3, most=4, noreply=2),
        Command("DECR", least=3, most=4, noreply=2),
        Command("TOUCH", least=3, most=4, noreply=2),
        Command("DELETE", least=2, most=4, noreply=2),
        Command("FLUSH_ALL", most=3, noreply=1, targets=_NO_KEY),
        Command("VERBOSITY", least=2, most=3, noreply=1, targets=_NO_KEY),
        Command("CACHE_MEMLIMIT", least=2, most=3, noreply=1, targets=_NO_KEY),
        Command("VERSION", targets=_NO_KEY),
        Command("SHUTDOWN", targets=_NO_KEY),
        Command("REFRESH_CERTS", noreply=1, targets=_NO_KEY),
        Command("QUIT", Answer.NOTHING, targets=_NO_KEY),
        Command("STATS", Answer.LINES),
        Command("LRU_CRAWLER", Answer.LINES),
        Command("LRU", least=2, noreply=1),
        Command("SLABS", noreply=2, noreply_of=b"automove"),
        Command("EXTSTORE", least=2, noreply=1),
        Command("WATCH", Answer.WATCH),
        _meta("MG"),
        _meta("MD"),
        _meta("MA"),
        _meta("ME"),
        _meta("MS", least=3, length=2),
        Command("MN", Answer.META, targets=_NO_KEY),
    )
}

#: A word that is no command may be anything: a value that was taken for one, a password. It is not shown.
UNKNOWN = Command("UNKNOWN", targets=_NO_KEY)

#: What quiet meta commands are answered with; errors always are (protocol.txt, "q: noreply semantics").
_LOUD = {
    "MG": (b"VA", b"HD", b"OK"),
    "MS": (b"NS", b"EX", b"NF"),
    "MD": (b"NF", b"EX"),
    # An increment that creates the item tells so, others that succeed do not.
    "MA": (b"VA", b"HD", b"OK", b"NF", b"NS", b"EX"),
    "ME": (b"ME", b"EN"),
}

_CODES = (b"HD", b"VA", b"EN", b"NF", b"NS", b"EX", b"ME", b"MN", b"OK")


class TextRequest(Request):
    """A command line."""

    __slots__ = ("answer", "command", "line", "quiet", "replies")

    def __init__(self, line: bytes, command: Command, answer: Answer, *, quiet: bool = False) -> None:
        self.line = line
        self.command = command
        #: NOTHING for ``noreply``, LINE for a line that can only be answered by an error.
        self.answer = answer
        self.quiet = quiet
        self.replies = answer is not _NOTHING

    @property
    def verb(self) -> str:
        """The command in upper case; UNKNOWN for what is none."""
        return self.command.verb

    @property
    def targets(self) -> Sequence[str]:
        """The keys; for STATS and the like the first argument."""
        words = words_of(self.line)[slice(*self.command.targets)]
        return [word.decode(errors="backslashreplace") for word in words]

    @property
    def malformed(self) -> bool:
        """Whether it has the wrong number of words."""
        return not self.command.least <= len(words_of(self.line)) <= self.command.most

    def flag(self, letter: bytes) -> bytes | None:
        """The token of a meta flag (``b""`` if it has none), or None if the flag is not there."""
        words = words_of(self.line)[2:]
        return next((word[1:] for word in words if word[:1] == letter), None)

    def answered_by(self, head: bytes) -> bool:
        """Whether a reply that begins with this line can be the one to this request."""
        if self.quiet:
            # That a command is unknown is not said of one that is well-formed.
            if head.startswith(ERRORS[1:]):
                return True
            return _code(head) in _LOUD[self.verb] and self._echoed(head)
        answer = self.answer
        if answer is _VALUES:
            return head.startswith(_GOT)
        if answer is _META:
            return _code(head) in _CODES or head.startswith(ERRORS)
        return not head.startswith(_DATA if answer is _LINES else _NOT_A_LINE)

    def _echoed(self, head: bytes) -> bool:
        """Whether the opaque and the key that the reply repeats, if it does, are those of this request."""
        for word in words_of(head)[1:]:
            if word[:1] == b"O" and word[1:] != self.flag(b"O"):
                return False
            if word[:1] == b"k" and word[1:] != words_of(self.line)[1]:
                return False
        return True


class TextReply(Message):
    """The first line of a reply."""

    __slots__ = ("_line",)

    def __init__(self, line: bytes) -> None:
        self._line = line

    @property
    def status(self) -> str:
        """Its first word (STORED, VALUE, SERVER_ERROR, HD); OK if that is data, such as a number."""
        word = self._line.split(None, 1)[0].rstrip(b":") if self._line.strip() else b""
        return word.decode() if word.replace(b"_", b"").isalpha() and word.isupper() else "OK"

    @property
    def head_size(self) -> int:
        """The length of its first line; 0 for a list, which has no head."""
        return 0 if self._line.startswith(ITEMS) else len(self._line)

    @property
    def body_size(self) -> int | None:
        """The length of the (first) value; 0 if it has none, None for a list."""
        if self._line.startswith(ITEMS):
            return None
        return data_length(self._line) or 0


def _code(line: bytes) -> bytes:
    """The code of a meta reply; VALUE and END are none."""
    return line[:2] if line[2:3] in (b" ", b"\r", b"\n") else b""


def words_of(line: bytes) -> list[bytes]:
    """The words of a line. Only spaces part them; the line's end is no part of the last one."""
    text = line[:-2] if line.endswith(b"\r\n") else line.removesuffix(b"\n")
    words = text.split(b" ")
    return [word for word in words if word] if b"" in words else words


def data_length(line: bytes) -> int | None:
    """The length of the data that follows the line of a reply; None if it has to say it and does not."""
    at = 3 if line.startswith(VALUE) else 1 if line.startswith(VA) else 0
    if not at:
        return 0
    words = words_of(line)
    if len(words) <= at or not words[at].isdigit() or len(words[at]) > _DIGITS:
        return None
    return int(words[at])


def read_command(line: bytes) -> tuple[TextRequest, int]:
    """Read a command line.

    :return: the request, and the length of the data that follows, with its newline.
    """
    word, space, _ = line.partition(b" ")
    command = COMMANDS.get(word if space else word.rstrip(b"\r\n"))
    if command is not None and command.answer is _VALUES:
        return TextRequest(line, command, _VALUES), 0
    if command is not None and command.least == _STORE_WORDS and (store := _STORE.match(line, len(word))):
        return TextRequest(line, command, _LINE), int(store[1]) + 2
    words = words_of(line)
    if command is None:
        command = COMMANDS.get(words[0], UNKNOWN) if words else UNKNOWN
    if not command.least <= len(words) <= command.most:
        return TextRequest(line, command, _LINE), 0
    length = _length(command, words) if command.length else 0
    if command.answer is _META:
        quiet = b" q" in line and command.verb != "MN" and any(word[:1] == b"q" for word in words[2:])
        return TextRequest(line, command, _META, quiet=quiet), length
    answer = _NOTHING if _noreply(command, words) else command.answer
    return TextRequest(line, command, answer), length


def _noreply(command: Command, words: Sequence[bytes]) -> bool:
    if words[-1] != b"noreply" or not 0 < command.noreply < len(words):
        return False
    return not command.noreply_of or words[1] == command.noreply_of


def _length(command: Command, words: Sequence[bytes]) -> int:
    length = _number(words[command.length])
    if length is None or not 0 <= length < DATA_LIMIT or len(words[1]) > KEY_LIMIT:
        return 0
    if any(_number(words[at]) is None for at in command.numbers):
        return 0
    return length + 2


def _number(word: bytes) -> int | None:
    if word.isdigit() and len(word) <= _NUMBER_SIZE:
        return int(word)
    found = _NUMBER.match(word)
    return int(found[0]) if found else None
