"""One handshake, and how it can be made to fail whatever the certificate."""

from __future__ import annotations

from collections.abc import Callable

from txvaurien.tls.engine import Engine, TlsError
from txvaurien.tls.records import HANDSHAKE_FAILURE, begins_record, begins_tls, record_size

#: The faults that are not in the certificate.
REFUSED = "refused"
STALLED = "stalled"
RESET = "reset"

#: What becomes of a handshake: None if TLS has been agreed on, else why not.
Agreed = Callable[["TlsError | None"], None]


class NotTls(TlsError):
    """The peer speaks something else; what it said passes as it is."""


class Silent(TlsError):
    """The peer has said nothing at all in time: it waits for us to speak first, and not in TLS."""


class Handshake:
    """What comes, and what is to be sent, until TLS has been agreed on.

    :param agreed: who wants to know the end of it.
    :param fault: how it is to fail: ``refused``, ``stalled`` (see `release`), ``reset``.
    :param lenient: whether the peer may speak something else, which its first byte tells.
    """

    __slots__ = ("_engine", "_fault", "_lenient", "_said", "_stalled", "agreed")

    def __init__(self, engine: Engine, agreed: Agreed, fault: str, lenient: bool) -> None:
        self.agreed = agreed
        self._engine = engine
        self._fault = fault
        #: None when it is known that the peer speaks TLS.
        self._lenient: bool | None = lenient
        #: What is sent in the place of what the engine has to say.
        self._said = b""
        #: What is not sent of it, until it is released; None where nothing is held.
        self._stalled: bytearray | None = bytearray() if fault == STALLED else None

    @property
    def stalled(self) -> bool:
        """Whether it waits to be released."""
        return self._stalled is not None

    @property
    def silent(self) -> bool:
        """Whether the peer has said nothing yet."""
        return self._lenient is not None

    def receive(self, data: bytes) -> bool:
        """Go on, with what the peer has said; whether TLS has been agreed on.

        :raises NotTls: the peer speaks something else, and may.
        :raises TlsError: it failed. What is still to be sent says so to the peer.
        """
        if data and self._lenient is not None:
            self._recognise(data)
        if self._fault == REFUSED:
            self._refuse(data)
            return False
        if data:
            self._engine.feed(data)
        done = self._engine.shake()
        if done and self._fault == RESET:
            raise TlsError("reset after the handshake, as a rule says")
        return done

    def _recognise(self, data: bytes) -> None:
        if self._lenient and not begins_tls(data):
            raise NotTls("it speaks no TLS")
        if not begins_record(data):
            raise TlsError("it speaks no TLS")
        self._lenient = None

    def _refuse(self, data: bytes) -> None:
        """Refuse a whole ClientHello, as a server does with which nothing can be agreed on."""
        hello = self._said = self._said + data
        if 0 < record_size(hello) <= len(hello):
            self._said = HANDSHAKE_FAILURE
            raise TlsError("refused, as a rule says")

    def take(self) -> bytes:
        """What is to be sent; empty if there is nothing."""
        if self._fault == REFUSED:
            return self._said if self._said is HANDSHAKE_FAILURE else b""
        data = self._engine.take()
        if self._stalled is None or not data:
            return data
        # The first record, and no more.
        size = 0 if self._stalled else record_size(data)
        self._stalled += data[size:]
        return data[:size]

    def release(self) -> bytes:
        """Let it go on that was stalled; what is to be sent at once."""
        held, self._stalled = self._stalled, None
        return bytes(held or b"")
