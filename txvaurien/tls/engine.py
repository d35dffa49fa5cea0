"""TLS without I/O: bytes of the network on one side, bytes of the program on the other.

pyOpenSSL does the work. It takes keys and certificates from memory, and can say close_notify in one
direction and still read the other, which the `ssl` module of the standard library cannot.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from OpenSSL import SSL

#: How much plaintext is taken at once: the largest record there is (RFC 8446, section 5.1).
_RECORD = 16384
_CIPHERTEXT = 65536


class TlsError(Exception):
    """TLS cannot go on; the text says why.

    :param advice: what a user can do about it, as words that follow; ``""`` if nobody knows.
    """

    def __init__(self, why: str, advice: str = "") -> None:
        super().__init__(why)
        self.advice = advice


class Engine:
    """One side of one TLS connection.

    :param connection: over memory, with its side (client or server) set.
    :param check: looks at the peer when the handshake is done; it may raise `TlsError`.
    :param reasons: why the peer's certificate is not taken; filled while it is verified.
    """

    __slots__ = ("_check", "_connection", "_reasons", "agreed", "answers", "error", "heard", "over")

    def __init__(
        self,
        connection: SSL.Connection,
        check: Callable[[SSL.Connection], None] | None = None,
        reasons: Sequence[TlsError] = (),
    ) -> None:
        self._connection = connection
        self._check = check
        self._reasons = reasons
        self.agreed = False
        #: Whether reading may leave something to be sent at once: in TLS 1.2 the answer to a peer that wants
        #: to negotiate anew, for which it waits.
        self.answers = False
        #: The peer has said something in TLS.
        self.heard = False
        #: The peer has said that it will say no more (close_notify).
        self.over = False
        #: Why nothing more can be read or written.
        self.error: TlsError | None = None

    def feed(self, data: bytes) -> None:
        """Bytes came from the network."""
        # A BIO in memory takes all that there is.
        self._connection.bio_write(data)

    def shake(self) -> bool:
        """Go on with the handshake; whether it is done.

        :raises TlsError: it failed. What is still to be sent says so to the peer.
        """
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return False
        except SSL.Error as error:
            raise self._explained(error) from error
        if self._check is not None:
            self._check(self._connection)
        self.answers = self._connection.get_protocol_version() < SSL.TLS1_3_VERSION
        self.agreed = True
        return True

    def read(self) -> bytes:
        """What the peer has said; `over` and `error` tell whether that was the last."""
        parts = []
        try:
            while not (self.over or self.error):
                parts.append(self._connection.recv(_RECORD))
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.over = True
        except SSL.Error as error:
            self.error = self._explained(error)
        if parts:
            self.heard = True
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def write(self, data: bytes) -> None:
        """Say something to the peer; `take` has it encrypted."""
        try:
            self._connection.sendall(data)
        except SSL.Error as error:
            self.error = self.error or self._explained(error)

    def end(self) -> None:
        """Tell the peer that it was the last; what it says itself can still be read."""
        try:
            self._connection.shutdown()
        except SSL.Error:
            # There is nobody any more to be told.
            return

    def take(self) -> bytes:
        """What is to be sent; empty if there is nothing."""
        parts: list[bytes] = []
        try:
            while not parts or len(parts[-1]) == _CIPHERTEXT:
                parts.append(self._connection.bio_read(_CIPHERTEXT))
        except SSL.WantReadError:
            pass
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _explained(self, error: SSL.Error) -> TlsError:
        if self._reasons:
            return self._reasons[0]
        entries = error.args[0] if error.args and isinstance(error.args[0], list) else []
        said = [entry[-1] for entry in entries if entry[-1]]
        return TlsError(said[-1] if said else "the connection was closed")
