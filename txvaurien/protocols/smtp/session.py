"""What is said in place of the server, so that both sides stay in step.

Once a backend has answered DATA with 354 it must be given a content: a content
cannot be refused any more. So the verdict on a content falls just before its
DATA or BDAT is sent (`Exchange.announces`), and the command of a refused
content is not sent at all: the session answers DATA itself, and the backend is
told RSET, because for the client this mail is over.
"""

from __future__ import annotations

from collections.abc import Sequence

from txvaurien.errors import NotLegal
from txvaurien.model import Connect, Exchange, Message, Refusal, Then, Where
from txvaurien.protocols.smtp.catalogue import CATALOGUE, words_of
from txvaurien.protocols.smtp.content import DotReader
from txvaurien.protocols.smtp.framing import SmtpFraming
from txvaurien.protocols.smtp.messages import CONTENT, CREDENTIALS, GREET, Content

#: Once the backend has these, and may say yes, only closing keeps both sides in step.
_NO_WAY_BACK = frozenset({"DATA", "BDAT", "STARTTLS", "AUTH", CREDENTIALS})

#: What the proxy answers to a DATA that it does not send.
GO_AHEAD = b"354 End data with <CR><LF>.<CR><LF>\r\n"
_RESET = b"RSET\r\n"
_CANCEL = b"*\r\n"


class SmtpSession(SmtpFraming):
    """One connection, with words for errors."""

    def legal(self, exchange: Exchange) -> Sequence[str]:
        message = exchange.message
        if isinstance(message, Connect) or message.verb == GREET:
            return [name for name, entry in CATALOGUE.items() if entry.kind.where is Where.CONNECT]
        if exchange.unasked or not self._greeted or (exchange is self._content and self._drained):
            # Before the greeting, whatever is said would be taken for the greeting.
            return ()
        names = [name for name, entry in CATALOGUE.items() if message.verb in entry.verbs]
        if self._is_too_late(exchange, message):
            return [name for name in names if CATALOGUE[name].closes]
        return names

    def _is_too_late(self, exchange: Exchange, message: Message) -> bool:
        """Whether the backend went on to where nothing but closing leads back."""
        verb = message.verb
        if not exchange.sent:
            return verb == CONTENT and exchange is not self._offered
        if verb == "MAIL":
            # What was pipelined after it may be a DATA, and then RSET would be its content.
            return not self._pending or self._pending[-1] is not exchange
        return verb in _NO_WAY_BACK or (verb == "RCPT" and self._lmtp)

    def refuse(self, exchange: Exchange, kind: str, text: str = "") -> Refusal:
        verb = exchange.message.verb
        if kind not in self.legal(exchange):
            raise NotLegal(f"{kind} cannot be said to {verb} here")
        line, then = words_of(kind, verb, text)
        if isinstance(exchange.message, Connect) or exchange.unasked:
            return Refusal(line, then=then)
        if exchange.sent:
            return Refusal(line * self._copies(exchange, line), self._undo(exchange), then)
        if verb == "BDAT" and self._announcing is exchange:
            # The chunk comes first, then its turn.
            return Refusal(b"", self._drain((line, then)))
        if exchange is self._offered and self._lmtp:
            # Only at its end is it known how many recipients were accepted.
            self._withhold()
            return Refusal(b"", self._drain((line, then)))
        return Refusal(line, self._take_out(exchange) or b"", then)

    def withdraw(self, exchange: Exchange) -> bytes | None:
        if exchange.message.verb == CONTENT and not self._drained and exchange is not self._offered:
            raise NotLegal("the backend expects the content already; act at once, before the first await")
        return self._take_out(exchange)

    def _take_out(self, exchange: Exchange) -> bytes | None:
        """Take a request that is not sent out of the queue; what must be told to the backend."""
        verb = exchange.message.verb
        if exchange is self._offered:
            self._withhold()
            return self._drain(None)
        if exchange is self._announcing and verb == "BDAT":
            return self._drain((b"", Then.KEEP))
        if exchange in self._pending:
            self._pending.remove(exchange)
        if exchange is self._starting:
            self._starting = None
        if exchange is self._data:
            self._data = self._offered = None
        if verb == CREDENTIALS:
            return self._hide(_CANCEL)
        self._refresh_edits()
        return None

    def _withhold(self) -> None:
        """Answer the command that announces a content, so that the backend never hears of it."""
        command = self._announcing
        if command is None or self._offered is None:
            return
        command.answer = Refusal(GO_AHEAD if command is self._data else b"")
        if command is self._data:
            self._pending.remove(command)
            self._data = None
            self._expect(self._offered, DotReader())

    def _drain(self, answer: tuple[bytes, Then] | None) -> bytes:
        """Send nothing of the content that comes; the mail is over for the backend, too."""
        self._drained, self._drained_answer = True, answer
        self._offered = None
        return self._hide(_RESET)

    def _undo(self, exchange: Exchange) -> bytes:
        """What takes back a request that the backend has carried out, or will."""
        request = exchange.request
        chunk = isinstance(request, Content) and not request.final
        return self._hide(_RESET) if chunk or exchange.message.verb == "MAIL" else b""

    def _hide(self, told: bytes) -> bytes:
        """The answer to what the backend is told is not for the client."""
        self._pending.append(None)
        self._refresh_edits()
        return told
