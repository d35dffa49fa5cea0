"""A mail server and a client in memory, to see whether both believe the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

OK = b"250 2.0.0 Ok\r\n"

#: A mail as one side knows it: its recipients and its content.
Mail = tuple[tuple[bytes, ...], bytes]


class ModelServer:
    """As strict as RFC 5321 allows: a command at the wrong moment is a 503, and remembered."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.wrong: list[bytes] = []
        self._input = b""
        self._sender = False
        self._recipients: list[bytes] = []
        self._chunks = b""
        self._chunk: tuple[int, bool] | None = None
        self._in_content = False
        self._steps_of_login = 0

    def feed(self, data: bytes) -> bytes:
        """Take bytes; what is answered."""
        self._input += data
        answers = b""
        while True:
            answer = self._next()
            if answer is None:
                return answers
            answers += answer

    def _next(self) -> bytes | None:
        if self._chunk is not None:
            return self._take_chunk(*self._chunk)
        if self._in_content:
            return self._take_content()
        line, found, rest = self._input.partition(b"\r\n")
        if not found:
            return None
        self._input = rest
        return self._login(line) if self._steps_of_login else self._command(line)

    def _take_content(self) -> bytes | None:
        content, found, rest = (b"\r\n" + self._input).partition(b"\r\n.\r\n")
        if not found:
            return None
        self._input, self._in_content = rest, False
        return self._done(content[2:] + b"\r\n" if content else b"")

    def _take_chunk(self, size: int, last: bool) -> bytes | None:
        if len(self._input) < size:
            return None
        chunk, self._input, self._chunk = self._input[:size], self._input[size:], None
        if not self._recipients:
            return b"503 5.5.1 Error: need RCPT command\r\n"
        self._chunks += chunk
        return self._done(self._chunks) if last else OK

    def _done(self, content: bytes) -> bytes:
        self.mails.append((tuple(self._recipients), content))
        self._forget()
        return OK

    def _forget(self) -> None:
        self._sender, self._recipients, self._chunks = False, [], b""

    def _login(self, line: bytes) -> bytes:
        self._steps_of_login = 0 if line == b"*" else self._steps_of_login - 1
        if line == b"*":
            return b"501 5.7.0 Authentication aborted\r\n"
        return b"334 cGFzcw==\r\n" if self._steps_of_login else b"235 2.7.0 Ok\r\n"

    def _command(self, line: bytes) -> bytes:
        verb, _, argument = line.partition(b" ")
        answer = {
            b"MAIL": self._mail,
            b"RCPT": self._rcpt,
            b"DATA": self._data,
            b"BDAT": self._bdat,
            b"AUTH": self._auth,
            b"RSET": self._rset,
            b"NOOP": lambda argument: OK,
        }.get(verb)
        if answer is None:
            self.wrong.append(line)
            return b"500 5.5.2 Error: command not recognized\r\n"
        return answer(argument)

    def _mail(self, argument: bytes) -> bytes:
        if self._sender:
            self.wrong.append(b"nested MAIL")
            return b"503 5.5.1 Error: nested MAIL command\r\n"
        self._sender = True
        return OK

    def _rcpt(self, argument: bytes) -> bytes:
        if not self._sender:
            return b"503 5.5.1 Error: need MAIL command\r\n"
        if b"nobody" in argument:
            return b"550 5.1.1 unknown\r\n"
        self._recipients.append(argument)
        return OK

    def _data(self, argument: bytes) -> bytes:
        if not self._recipients:
            return b"554 5.5.1 Error: no valid recipients\r\n"
        self._in_content = True
        return b"354 End data with <CR><LF>.<CR><LF>\r\n"

    def _bdat(self, argument: bytes) -> bytes:
        size, _, last = argument.partition(b" ")
        self._chunk = int(size), last == b"LAST"
        return b""

    def _auth(self, argument: bytes) -> bytes:
        self._steps_of_login = 2
        return b"334 dXNlcg==\r\n"

    def _rset(self, argument: bytes) -> bytes:
        self._forget()
        return OK


@dataclass
class Letter:
    """What the client is to send. Contents end with CRLF, and no line of theirs begins with a dot."""

    recipients: Sequence[bytes]
    content: bytes
    chunks: int = 0
    pipelined: bool = False
    login: bool = False


@dataclass
class ModelClient:
    """Sends letters as RFC 5321, 2920 and 3030 say, and believes what it is told.

    :param ask: sends bytes and returns so many replies.
    """

    ask: Callable[[bytes, int], list[bytes]]
    mails: list[Mail] = field(default_factory=list)

    def send(self, letter: Letter) -> None:
        """Send one letter; after a failure, RSET."""
        if letter.login:
            self._login()
        if not self._send(letter):
            assert self.ask(b"RSET\r\n", 1) == [b"250"]

    def _login(self) -> None:
        for line in (b"AUTH LOGIN\r\n", b"dXNlcg==\r\n", b"cGFzcw==\r\n"):
            (code,) = self.ask(line, 1)
            if code != b"334":
                return

    def _send(self, letter: Letter) -> bool:
        envelope = [
            b"MAIL FROM:<ann@example.org>\r\n",
            *(b"RCPT " + to + b"\r\n" for to in letter.recipients),
        ]
        start = [] if letter.chunks else [b"DATA\r\n"]
        if letter.pipelined:
            codes = self.ask(b"".join(envelope + start), len(envelope + start))
        else:
            codes = [self.ask(line, 1)[0] for line in envelope]
            good = codes[0] == b"250" and b"250" in codes[1:]
            if not good:
                return False
            codes += [self.ask(line, 1)[0] for line in start]
        accepted = tuple(to for to, code in zip(letter.recipients, codes[1:], strict=False) if code == b"250")
        if letter.chunks:
            return codes[0] == b"250" and bool(accepted) and self._in_chunks(letter, accepted)
        return codes[-1] == b"354" and self._content(letter, accepted)

    def _content(self, letter: Letter, accepted: tuple[bytes, ...]) -> bool:
        # After a 354 there is no way back, also without a recipient (RFC 2920, 3.1).
        (code,) = self.ask((letter.content if accepted else b"") + b".\r\n", 1)
        return self._believe(code, letter, accepted)

    def _in_chunks(self, letter: Letter, accepted: tuple[bytes, ...]) -> bool:
        size = -(-len(letter.content) // letter.chunks) or 1
        pieces = [letter.content[at : at + size] for at in range(0, len(letter.content), size)] or [b""]
        last = len(pieces) - 1
        lines = [
            b"BDAT %d%s\r\n%s" % (len(p), b" LAST" if n == last else b"", p) for n, p in enumerate(pieces)
        ]
        codes = self.ask(b"".join(lines), len(lines)) if letter.pipelined else []
        for line in lines[len(codes) :]:
            codes += self.ask(line, 1)
            if codes[-1] != b"250":
                return False
        if any(code != b"250" for code in codes):
            return False
        return self._believe(codes[-1], letter, accepted)

    def _believe(self, code: bytes, letter: Letter, accepted: tuple[bytes, ...]) -> bool:
        if code == b"250":
            self.mails.append((accepted, letter.content))
        # Refused or not, the mail is over: no RSET is needed after a content.
        return letter.chunks == 0 or code == b"250"
