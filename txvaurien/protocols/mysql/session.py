"""One link's conversation: frames of requests and replies, and what they change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from txvaurien.errors import FramingError
from txvaurien.model import Direction, Exchange, Frame, Refusal
from txvaurien.protocols.base import Session
from txvaurien.protocols.mysql.answers import Answer, Authentication, Prepared, Result
from txvaurien.protocols.mysql.compressed import CompressedStream, algorithm_of
from txvaurien.protocols.mysql.context import COMPRESSION, TLS, Context, Handshake
from txvaurien.protocols.mysql.messages import (
    Command,
    Content,
    Execute,
    Greeting,
    Login,
    Notice,
    Reply,
    Request,
    TlsRequest,
)
from txvaurien.protocols.mysql.refusals import Refusals
from txvaurien.protocols.mysql.requests import Requests
from txvaurien.protocols.mysql.statements import Statements
from txvaurien.protocols.mysql.stream import HEAD_LIMIT, Stream
from txvaurien.protocols.mysql.wire import (
    COM_RESET_CONNECTION,
    COM_STMT_CLOSE,
    COM_STMT_EXECUTE,
    COM_STMT_FETCH,
    COM_STMT_RESET,
    COM_STMT_SEND_LONG_DATA,
    MAX_PAYLOAD,
    is_progress,
)

if TYPE_CHECKING:
    from txvaurien.protocols.mysql import MySQL

# Looking a member up costs more than the comparison.
_TO_CLIENT = Direction.TO_CLIENT

_TLS_WORDS = (
    "the client asked for TLS, as most drivers do by themselves when the server offers it;"
    " set --protocol-mysql-tls terminate to have the proxy speak TLS with both sides, or strip to take the"
    " offer away, or switch TLS off in the driver"
)


class MySQLSession(Session):
    """See `ISession`. The server greets, the client logs in; then commands are answered in order."""

    def __init__(self, options: MySQL) -> None:
        stripped = TLS if options.tls == "strip" else 0
        self._stripped = stripped | (COMPRESSION if options.compression == "strip" else 0)
        #: Both sides may go over to TLS, and the proxy follows them.
        self._terminates = options.tls == "terminate"
        # Nothing may go out unframed that can turn out to be the last before TLS.
        self.edits = bool(self._stripped) or self._terminates
        self._context = Context()
        self._statements = Statements()
        #: Replies that are due, in order: seldom more than one, and an empty deque would take 760 bytes.
        self._due: list[Answer] = []
        self._reader = Requests(self._context, self._statements, self._due)
        self._refusals = Refusals(self._context, self._statements, self._due)
        self._up, self._down = Stream(), Stream()
        self._greeted = False
        self._handshake: Handshake | None = None
        #: The compressed protocol begins after the frame that is being given out.
        self._compressing = False
        #: The request that is half way in.
        self._asking: Exchange | None = None
        #: The reply that is half way in.
        self._answer: Answer | None = None
        self._answering: Exchange | None = None
        #: Some of it was given out; its present packet is not at its end; that is its last one.
        self._yielded = False
        self._inside = False
        self._over = False
        #: The exchange that the backend never heard of, if it is the latest.
        self._withdrawn: Exchange | None = None

    def receive(self, direction: Direction, data: bytes) -> Iterable[Frame]:
        if direction is _TO_CLIENT:
            self._down.feed(data)
            return self._replies()
        if self._is_command(data):
            return self._said_at_once(data)
        self._up.feed(data)
        return self._requests()

    def finish(self, direction: Direction) -> Iterator[Frame]:
        rest = self.rest(direction)
        if direction is Direction.TO_BACKEND:
            exchange, self._asking = self._asking, None
            if exchange is not None and isinstance(exchange.request, Request):
                exchange.request.whole = True
            if rest or exchange is not None:
                yield Frame(rest, exchange or Exchange(Request(b""), replies=False), exchange is None)
        elif rest or self._yielded:
            yield self._last_of_all(rest)

    def _last_of_all(self, rest: bytes) -> Frame:
        """What is left of a reply that was cut off."""
        if self._answer is None and self._answering is None and self._due:
            self._answer, self._answering = self._due[0], self._due[0].exchange
        exchange = self._answering
        if exchange is None and self._answer is None:
            exchange = Exchange()
        if exchange is not None and exchange.response is None:
            exchange.response = Reply(b"")
        first, self._yielded = not self._yielded, False
        return Frame(rest, exchange, first, True, None if exchange else b"")

    def rest(self, direction: Direction) -> bytes:
        return (self._up if direction is Direction.TO_BACKEND else self._down).rest()

    # Requests.

    def _requests(self) -> Iterator[Frame]:
        while True:
            first = self._asking is None
            exchange = self._asking or self._ask()
            if exchange is None:
                return
            request = exchange.request
            assert isinstance(request, Request)
            ended = self._up.go_on() and self._up.settled
            request.seq, request.outer = self._up.seq, self._up.outer
            request.whole = request.whole or ended
            self._asking = None if ended else exchange
            if ended:
                self._refusals.complete(exchange)
            raw = self._up.cut()
            if raw or ended:
                edited = self._mended(request, raw) if first else None
                secures = ended and self._terminates and isinstance(request, TlsRequest)
                yield Frame(raw, exchange, first, ended, edited, secures=secures)
            if exchange is not self._withdrawn:
                self._given(request, first, ended)
            if not ended:
                return

    def _is_command(self, data: bytes) -> bool:
        """Whether this is a command, whole and no more, as nearly always when a client speaks."""
        # The two zeros: it is no longer than 64 KB, and the first packet of its message.
        return (
            self._reader.at_ease
            and not self.edits
            and self._asking is None
            and not self._up.waiting
            and 4 < len(data) <= HEAD_LIMIT
            and data[2:4] == b"\0\0"
            and data[0] | data[1] << 8 == len(data) - 4
        )

    def _said_at_once(self, data: bytes) -> Iterable[Frame]:
        exchange = self._reader.command(data[4:])
        request = exchange.request
        assert isinstance(request, Request)
        request.whole = True
        frame = Frame(data, exchange)
        if isinstance(request, Execute) and (request.code != COM_STMT_EXECUTE or request.leaves_long_data):
            return self._then_noted(frame, exchange, request)
        return (frame,)

    def _then_noted(self, frame: Frame, exchange: Exchange, request: Execute) -> Iterator[Frame]:
        yield frame
        if exchange is not self._withdrawn:
            self._executed(request)

    def _ask(self) -> Exchange | None:
        """Look at the head of the next request; None if it is not there yet."""
        if not self._greeted and self._up.waiting:
            raise FramingError("the client speaks before the server has greeted it")
        head = self._up.head()
        if head is None:
            return None
        exchange = self._reader.read(head, self._up.seq)
        request = exchange.request
        assert isinstance(request, Request)
        content = isinstance(request, Content)
        request.seq, request.outer = self._up.seq, self._up.outer
        request.whole = self._up.length < MAX_PAYLOAD and not (content and self._up.length)
        self._up.take(until_empty=content)
        return exchange

    def _mended(self, request: Request, raw: bytes) -> bytes | None:
        """What is sent on in place of the first frame of a request; None for the frame itself."""
        if not self.edits or not isinstance(request, Execute) or self._context.compressed:
            return None
        return self._statements.mended(request, raw, self._context.capabilities)

    def _given(self, request: Request, first: bool, last: bool) -> None:
        """The backend has got a frame of this request: take note of what that does.

        :raises FramingError: what follows is TLS, and not for us.
        """
        if first and isinstance(request, Execute):
            self._executed(request)
        elif first and isinstance(request, Login):
            self.edits = False
        elif last and isinstance(request, TlsRequest) and not self._terminates:
            raise FramingError(_TLS_WORDS)

    def _executed(self, request: Execute) -> None:
        statement, code = request.statement, request.code
        if code == COM_STMT_CLOSE:
            self._statements.close(request.head)
        elif statement is None:
            return
        elif code == COM_STMT_SEND_LONG_DATA:
            statement.long_data = True
        elif code != COM_STMT_FETCH:
            statement.long_data = False
            if code != COM_STMT_RESET:
                statement.types = b""
        self.edits = self.edits and (self._edits_replies or self._statements.edits)

    # Replies.

    def _replies(self) -> Iterator[Frame]:
        while True:
            if self._inside:
                self._inside = not self._down.go_on()
            elif not self._over:
                if self._answer is not None and (self._answer.rows or self._answer.left > 1):
                    self._pass_over(self._answer)
                head = self._down.head()
                if head is None:
                    break
                if self._answer is not None and head[:1] != b"\xff":
                    self._over = self._answer.packet(head, self._down.length)
                else:
                    self._over = self._read(head)
                self._inside = not self._down.take()
            if self._inside or (self._over and not self._down.settled):
                break
            if self._over:
                yield self._complete()
                if self._compressing:
                    self._compress()
        if self._answer is not None or self._answering is not None:
            raw = self._down.cut()
            if raw:
                yield self._part(raw)

    def _pass_over(self, answer: Answer) -> None:
        """Pass over packets that are there and that nobody has to look at."""
        if answer.rows:
            self._down.take_rows(MAX_PAYLOAD)
        else:
            answer.left -= self._down.take_rows(answer.left - 1)

    def _read(self, head: bytes) -> bool:
        """Look at the head of the next packet, and find what it belongs to; whether that ends with it."""
        if not self._greeted:
            return self._greeting(head)
        answer = self._due[0] if self._due else None
        if answer is None:
            if head[:1] != b"\xff":
                raise FramingError("the server speaks without being asked")
            self._answering = Exchange(response=Notice(head, "NOTICE"))
            return True
        if is_progress(head):
            if self._answer is None:
                self._answering = Exchange(response=Notice(head, "PROGRESS"))
            return self._answer is None
        return self._continue(answer, head)

    def _greeting(self, head: bytes) -> bool:
        if head[:1] != b"\xff":
            if self._down.length > len(head):
                raise FramingError("the server's greeting is longer than any that is known")
            self._handshake = Handshake.read(head)
            self._context.greeted(self._handshake)
        self._answering = Exchange(response=Greeting(head), handshake=True)
        return True

    def _continue(self, answer: Answer, head: bytes) -> bool:
        over = answer.packet(head, self._down.length)
        if self._answer is None:
            self._answer, self._answering = answer, answer.exchange
            if answer.exchange is not None:
                answer.exchange.response = answer.reply(head)
        return over

    def _part(self, raw: bytes) -> Frame:
        """A part of the reply that is half way in."""
        first, self._yielded = not self._yielded, True
        exchange = self._answering
        return Frame(raw, exchange, first, False, None if exchange else b"")

    def _complete(self) -> Frame:
        """The last frame of a reply, or of what the server says unasked."""
        raw, first = self._down.cut(), not self._yielded
        exchange, answer = self._answering, self._answer
        self._answering = self._answer = None
        self._over = self._yielded = False
        forward = None if exchange else b""
        if answer is not None:
            self._due.pop(0)
            self._answered(answer)
            if exchange is None:
                self.edits = self._edits_replies or self._statements.edits
        elif not self._greeted:
            self._greeted = True
            self.edits = self._terminates and bool(self._context.offered & TLS)
            if self._handshake is not None and self._stripped:
                forward = self._handshake.without(raw, self._stripped)
        return Frame(raw, exchange, first, True, forward)

    def _answered(self, answer: Answer) -> None:
        """A whole reply is here: take note of what it changes."""
        if isinstance(answer, Result):
            if answer.content is not None:
                self._context.content = answer.content
                self._context.asked_with = (self._down.seq, self._down.outer)
        elif isinstance(answer, Authentication):
            self._authenticated(answer)
        elif isinstance(answer, Prepared):
            if answer.number is not None:
                self._statements.prepared(answer.number, answer.statement)
        elif answer.exchange is not None:
            request, response = answer.exchange.request, answer.exchange.response
            reset = isinstance(request, Command) and request.code == COM_RESET_CONNECTION
            if reset and response is not None and response.status == "OK":
                self._statements.clear()

    def _authenticated(self, answer: Authentication) -> None:
        self._context.dialogue = not (answer.accepted or answer.refused)
        if answer.accepted:
            self._statements.clear()
            compresses = self._context.capabilities & COMPRESSION
            self._compressing = bool(compresses) and not self._context.logged_in
            self._context.logged_in = True

    def _compress(self) -> None:
        """From here on both sides speak the compressed protocol.

        :raises FramingError: in a way that cannot be read here.
        """
        self._compressing, self._context.compressed = False, True
        algorithm = algorithm_of(self._context.capabilities)
        up, down = CompressedStream(algorithm), CompressedStream(algorithm)
        up.feed(self._up.rest())
        down.feed(self._down.rest())
        self._up, self._down = up, down

    # What the proxy says itself.

    def legal(self, exchange: Exchange) -> Sequence[str]:
        return self._refusals.legal(exchange)

    def refuse(self, exchange: Exchange, kind: str, text: str = "") -> Refusal:
        refusal = self._refusals.refuse(exchange, kind, text)
        if not exchange.sent and refusal.edit is None:
            self._withdrawn = exchange
        self.edits = self.edits or self._edits_replies or self._statements.edits
        return refusal

    def withdraw(self, exchange: Exchange) -> bytes | None:
        told = self._refusals.withdraw(exchange)
        self._withdrawn = exchange
        self.edits = self.edits or self._edits_replies or self._statements.edits
        return told

    @property
    def _edits_replies(self) -> bool:
        """Whether the backend has been told something, the answer to which is not for the client."""
        return any(answer.exchange is None for answer in self._due)
