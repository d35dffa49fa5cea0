"""The state of one SMTP or LMTP connection, both directions together (RFC 5321, RFC 2033).

Commands and replies are lines, and replies come in the order of the commands
(RFC 2920), so that a queue pairs them. What the client says next is a command
unless the last reply made it a content (354 to DATA) or credentials (334 to AUTH).
"""

from __future__ import annotations

from collections.abc import Iterator

from txvaurien.errors import FramingError
from txvaurien.model import Direction, Exchange, Frame, Message, Refusal, Then
from txvaurien.protocols.base import Session
from txvaurien.protocols.smtp.content import ChunkReader, DotReader, Inbox, chunk_of
from txvaurien.protocols.smtp.messages import (
    CONTENT,
    CREDENTIALS,
    GREET,
    NOTICE,
    UNKNOWN,
    Command,
    Content,
    Credentials,
    Reply,
)
from txvaurien.protocols.smtp.replies import ends_reply, without_starttls

_TOO_EARLY = "the client said more before its STARTTLS was answered"

# Looking a member up costs more than the comparison.
_TO_BACKEND = Direction.TO_BACKEND

#: How many commands may wait for their replies. A mail has 100 recipients at least
#: (RFC 5321, 4.5.3.1.8), and servers stop at some thousands.
PENDING_LIMIT = 10_000

#: How much of a reply that is to be edited is kept until it is complete, in bytes; and how much of
#: what a client says before its STARTTLS is answered.
HOLD_LIMIT = 32 * 1024

_HELLO = frozenset({"EHLO", "HELO", "LHLO"})
_LOGIN = frozenset({"AUTH", CREDENTIALS})
_HANDSHAKE = _HELLO | _LOGIN | {"STARTTLS"}
_UNKNOWN_COMMAND = frozenset({b"500", b"502"})
_UNREADABLE = {
    "STARTTLS": "TLS was agreed on with STARTTLS, and what follows is encrypted;"
    " with the option starttls = terminate the proxy speaks TLS with both sides, and strip takes the offer"
    " away, so that clients stay readable",
    "TURN": "the two sides have changed their parts (TURN)",
    "ATRN": "the two sides have changed their parts (ATRN)",
}


class SmtpFraming(Session):
    """One connection, as long as nothing is refused.

    :param strip: take STARTTLS out of what the server offers.
    :param terminate: say when both sides go over to TLS, and follow them.
    """

    def __init__(self, *, strip: bool, terminate: bool) -> None:
        # Nothing may go out unframed that can turn out to be the last before TLS.
        self.edits = terminate
        self._strip = strip
        #: Both sides may still go over to TLS, and the proxy follows them.
        self._terminates = terminate
        #: The STARTTLS that waits for its reply: nobody can know whether TLS comes next.
        self._starting: Exchange | None = None
        self._from_client, self._from_server = Inbox(), Inbox()
        #: Requests that wait for their reply; None where the client must not see it. They are few,
        #: and an empty deque would take 760 bytes.
        self._pending: list[Exchange | None] = []
        self._heard_client = False
        self._greeted = False
        self._lmtp = False
        #: How many recipients of this mail the client was told are accepted.
        self._recipients = 0
        #: The client's next line is credentials: AUTH was answered with 334.
        self._dialogue = False
        #: The DATA that waits for its reply: nobody can know what the client says next.
        self._data: Exchange | None = None
        #: The DATA or BDAT just yielded, and the content that comes after it.
        self._announcing: Exchange | None = None
        self._offered: Exchange | None = None
        #: The content that the client is sending, or sends next.
        self._content: Exchange | None = None
        self._reader: DotReader | ChunkReader = ChunkReader(0)
        self._begun = False
        #: Nothing of that content is sent on; what is said to it at its end, unless a rule does.
        self._drained = False
        self._drained_answer: tuple[bytes, Then] | None = None
        #: The reply that has begun: whose, how many more belong to it, what of it is held.
        self._replying = False
        self._current: Exchange | None = None
        self._replies_left = 0
        self._held = 0

    def receive(self, direction: Direction, data: bytes) -> Iterator[Frame]:
        if direction is _TO_BACKEND:
            self._from_client.feed(data)
            return self._requests(self._from_client)
        self._from_server.feed(data)
        return self._replies(self._from_server)

    def rest(self, direction: Direction) -> bytes:
        self._held = 0
        inbox = self._from_client if direction is Direction.TO_BACKEND else self._from_server
        return inbox.take(len(inbox))

    # The client.

    def _requests(self, inbox: Inbox) -> Iterator[Frame]:
        while True:
            if self._content is not None:
                frame = self._more_content(inbox, self._content)
                if frame is None:
                    return
                yield frame
            elif not len(inbox):
                return
            elif self._data is not None:
                raise FramingError("the client said more before its DATA was answered")
            elif self._starting is not None:
                self._hold_back(inbox)
                return
            else:
                self._check_first_byte(inbox)
                size = inbox.line_end()
                if not size:
                    return
                if len(self._pending) >= PENDING_LIMIT:
                    raise FramingError(f"the server has left {PENDING_LIMIT} commands unanswered")
                yield self._request(inbox.take(size))
                # Now the link has done with it what is to be done.
                self._announcing = self._offered = None

    def _hold_back(self, inbox: Inbox) -> None:
        """Keep what comes before STARTTLS is answered: it belongs to TLS, where plain text is refused.

        RFC 3207 (section 4) has the client wait; whoever does not may be somebody between it and us.
        """
        if len(inbox) > HOLD_LIMIT:
            raise FramingError(_TOO_EARLY)

    def _check_first_byte(self, inbox: Inbox) -> None:
        if not self._heard_client:
            self._heard_client = True
            if inbox.starts_with(b"\x16"):
                raise FramingError("the client begins with TLS (smtps), which needs --tls auto or --tls FILE")

    def _request(self, line: bytes) -> Frame:
        command = self._message(line)
        verb = command.verb
        if verb == "DATA":
            return self._announce(line, Exchange(command), True, None)
        if verb == "BDAT" and isinstance(command, Command):
            chunk = chunk_of(command.arguments())
            if chunk is not None:
                return self._announce(line, Exchange(command, replies=False), chunk[1], chunk[0])
        exchange = Exchange(command, handshake=verb in _HANDSHAKE)
        self._pending.append(exchange)
        if self._terminates and verb == "STARTTLS":
            self._starting = exchange
        if self._strip and verb in _HELLO:
            self._refresh_edits()
        return Frame(line, exchange)

    def _message(self, line: bytes) -> Command | Credentials:
        command = Command(line)
        if self._dialogue:
            self._dialogue = False
            return Credentials()
        # Some do not wait for the 334: what is no command is better not looked at.
        return Credentials() if command.verb == UNKNOWN and self._last_pending() in _LOGIN else command

    def _last_pending(self) -> str:
        last = self._pending[-1] if self._pending else None
        return last.message.verb if last is not None else ""

    def _announce(self, line: bytes, command: Exchange, final: bool, size: int | None) -> Frame:
        """DATA, or BDAT with the size of its chunk."""
        content = Exchange(Content(final, chunk=size is not None))
        if self._recipients or any(each and each.message.verb == "RCPT" for each in self._pending):
            # Without a recipient there is none to be expected.
            command.announces = content
            self._offered = content
        self._announcing = command
        if size is None:
            self._data = command
            self._pending.append(command)
        else:
            self._expect(content, ChunkReader(size))
        return Frame(line, command)

    def _expect(self, content: Exchange, reader: DotReader | ChunkReader) -> None:
        self._content, self._reader = content, reader
        self._begun = self._drained = False
        self._drained_answer = None

    def _more_content(self, inbox: Inbox, content: Exchange) -> Frame | None:
        size, ended = self._reader.measure(inbox)
        if not (size or ended):
            return None
        first, self._begun = not self._begun, True
        if first and not self._drained:
            self._pending.append(content)
        forward = b"" if self._drained else None
        if ended:
            self._content_ended(content)
        return Frame(inbox.take(size), content, first, ended, forward)

    def _content_ended(self, content: Exchange) -> None:
        self._content = None
        if self._drained_answer is not None:
            line, then = self._drained_answer
            content.answer = Refusal(line * self._copies(content, line), then=then)
        if self._drained:
            self._drained = False
            self._recipients = 0
            self._refresh_edits()

    def _copies(self, content: Exchange, line: bytes) -> int:
        """How many replies a content gets: in LMTP, one for each recipient (RFC 2033, 4.2)."""
        final = isinstance(content.request, Content) and content.request.final
        return self._recipients or 1 if self._lmtp and final and not line.startswith(b"421") else 1

    # The server.

    def _replies(self, inbox: Inbox) -> Iterator[Frame]:
        while len(inbox) > self._held:
            size, last = self._measure_reply(inbox)
            if not size:
                return
            self._check_turn()
            frame = self._reply(inbox.take(size), last)
            why = self._learn(frame.exchange) if frame.last and frame.exchange is not None else ""
            if frame.last and self._starting is not None and frame.exchange is self._starting:
                yield from self._starting_answered(frame)
                continue
            yield frame
            if why:
                raise FramingError(why)

    def _starting_answered(self, frame: Frame) -> Iterator[Frame]:
        """The server has said whether it goes over to TLS.

        What follows it is decided when the frame has gone: until then the client says nothing that counts.
        """
        response = frame.exchange.response if frame.exchange is not None else None
        frame.secures = response is not None and response.status.startswith("2")
        yield frame
        self._starting = None
        if frame.secures:
            self._forget()
        elif len(self._from_client):
            raise FramingError(_TOO_EARLY)

    def _forget(self) -> None:
        """In TLS both sides begin anew, but for the greeting (RFC 3207, section 4.2)."""
        self._terminates = self._dialogue = False
        self._recipients = 0
        self._refresh_edits()

    def _check_turn(self) -> None:
        content = self._content
        if self._reader.ambiguous and content is not None and content in self._pending:
            raise FramingError(
                "the server answered a content that has not ended: it takes a dot after a bare LF for the end"
            )

    def _measure_reply(self, inbox: Inbox) -> tuple[int, bool]:
        """How many bytes of whole lines of one reply are here, and whether it ends with them."""
        size, last = self._held, False
        while not last:
            end = inbox.line_end(size)
            if not end:
                break
            ending = ends_reply(inbox.peek(size, min(end, size + 5)))
            if ending is None:
                if size > self._held:
                    break
                raise FramingError("the server sent a line that does not begin with a reply code")
            size, last = end, ending
        if size and not last and self._holds():
            self._held = size
            if size > HOLD_LIMIT:
                raise FramingError(f"the reply to EHLO has more than {HOLD_LIMIT} bytes")
            return 0, False
        self._held = 0
        return size, last

    def _holds(self) -> bool:
        """Whether this reply has to be complete before anything of it goes on."""
        next_ = self._pending[0] if self._pending else None
        return self._strip and self._greeted and next_ is not None and next_.message.verb in _HELLO

    def _reply(self, raw: bytes, last: bool) -> Frame:
        first = not self._replying
        exchange = self._begin_reply(raw) if first else self._current
        if last:
            self._replies_left -= 1
            # 421 is the last word, also in LMTP.
            last = self._replies_left <= 0 or raw.startswith(b"421")
        self._replying = not last
        forward = None
        if exchange is None:
            forward = b""
        elif self._strip and exchange.message.verb in _HELLO:
            # It was held until it was complete.
            forward = without_starttls(raw)
        if last:
            self._current = None
            if self.edits:
                self._refresh_edits()
        return Frame(raw, exchange, first, last, forward)

    def _begin_reply(self, raw: bytes) -> Exchange | None:
        line = raw[: raw.find(b"\n") + 1 or len(raw)]
        self._replies_left = 1
        if not self._greeted:
            self._greeted = True
            exchange: Exchange | None = Exchange(response=Reply(line, GREET), handshake=True)
        elif self._pending:
            exchange = self._pending.pop(0)
            if exchange is not None:
                exchange.response = Reply(line)
                self._replies_left = self._copies(exchange, line)
        else:
            exchange = Exchange(response=Reply(line, NOTICE))
            if self._content is not None and not self._begun and line[:3] in _UNKNOWN_COMMAND:
                # It does not know BDAT, and will not take a chunk.
                self._content = None
        self._current = exchange
        return exchange

    def _learn(self, exchange: Exchange) -> str:
        """Follow what a reply changes; say why nothing can be followed from here on, if so."""
        verb, status = exchange.message.verb, exchange.response.status if exchange.response else ""
        done = status.startswith("2")
        if verb == "RCPT":
            self._recipients += done
        elif verb == "DATA":
            self._data_answered(exchange, status)
        elif verb in _LOGIN:
            self._dialogue = status == "334"
        elif verb == "MAIL" or verb == "RSET" or verb in _HELLO:
            self._learn_fresh_start(verb, done)
        elif verb == CONTENT:
            return self._learn_content(exchange.request, status)
        elif done and verb in _UNREADABLE and exchange is not self._starting:
            return _UNREADABLE[verb]
        if status == "354" and verb != "DATA":
            return f"the server asks for more after {verb}, in a form that is not known here"
        return ""

    def _learn_content(self, content: Message | None, status: str) -> str:
        if not isinstance(content, Content):
            return ""
        if content.final:
            self._recipients = 0
        unknown = content.chunk and status.encode() in _UNKNOWN_COMMAND
        return "the server does not know BDAT, and takes its chunk for commands" if unknown else ""

    def _learn_fresh_start(self, verb: str, done: bool) -> None:
        if done:
            self._recipients = 0
            if verb in _HELLO:
                self._lmtp = verb == "LHLO"

    def _data_answered(self, exchange: Exchange, status: str) -> None:
        self._data = None
        if status == "354":
            self._expect(exchange.announces or Exchange(Content(True)), DotReader())

    # The end.

    def finish(self, direction: Direction) -> Iterator[Frame]:
        rest = self.rest(direction)
        if direction is Direction.TO_CLIENT:
            if rest or self._replying:
                self._replies_left = 0
                yield self._reply(rest, True)
        elif self._content is not None and self._begun:
            content, self._content = self._content, None
            yield Frame(rest, content, False, True, b"" if self._drained else None)
        elif rest:
            yield Frame(rest, Exchange(self._message(rest), replies=False))

    def _refresh_edits(self) -> None:
        self.edits = (
            self._terminates
            or self._drained
            or (self._replying and self._current is None)
            or any(each is None or (self._strip and each.message.verb in _HELLO) for each in self._pending)
        )
