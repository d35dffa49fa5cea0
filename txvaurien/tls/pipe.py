"""A pipe that speaks TLS over another one: the link sees what is said, the other pipe what is sent.

It stands between a link and a connection from the beginning. Until `secure` is called bytes pass as
they are, which is how protocols begin that go over to TLS later (STARTTLS, MySQL).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from txvaurien.net.pipe import DRAIN_TIME, Intake, Pipe, PipeOwner
from txvaurien.tls.engine import Engine, TlsError
from txvaurien.tls.records import HANDSHAKE_FAILURE, begins_tls, record_size

#: Why the connection below is not read: the link says so.
_REASON = "link"

#: How much is kept of what a client says before TLS begins.
_EARLY_LIMIT = 65536

#: How a handshake can fail, whatever the certificate.
REFUSED = "refused"
STALLED = "stalled"
RESET = "reset"

_CLOSED = "the connection was closed during the handshake"

#: What becomes of a handshake: None if TLS has been agreed on, else why not.
Agreed = Callable[["TlsError | None"], None]


class NotTls(TlsError):
    """The peer speaks something else; what it said passes as it is."""


class TlsPipe(Pipe):
    """A connection that speaks TLS, or will.

    :ivar inner: the connection below. Set by `over`, at once.
    """

    __slots__ = (
        "__weakref__",
        "_agreed",
        "_early",
        "_engine",
        "_fault",
        "_held",
        "_hello",
        "_lenient",
        "_limit",
        "_plain_left",
        "_queue",
        "_released",
        "_timeout",
        "inner",
    )

    def __init__(self, clock: IReactorTime, owner: PipeOwner, intake: Intake, lane: Any) -> None:
        super().__init__(clock, owner, intake, lane)
        self.inner: Pipe
        self._engine: Engine | None = None
        #: Told of the end of the handshake; None before and after it.
        self._agreed: Agreed | None = None
        self._limit: IDelayedCall | None = None
        self._timeout = 0.0
        #: What came before it was known which side we are; None if it passes as it is.
        self._early: bytearray | None = None
        #: What is said before TLS has been agreed on.
        self._queue: list[bytes] = []
        #: So many bytes that come to be sent were said before TLS began.
        self._plain_left = 0
        self._fault = ""
        self._lenient = False
        #: The beginning of a ClientHello that is to be refused.
        self._hello = b""
        #: The rest of our part of a handshake that is stalled.
        self._held: list[bytes] = []
        self._released = False

    def over(self, inner: Pipe, waits: bool) -> None:
        """The connection is there.

        :param waits: TLS will begin with the first byte; nothing passes before `secure` is called.
        """
        self.inner = inner
        if waits:
            self._early = bytearray()

    @property
    def secured(self) -> bool:
        """Whether TLS has been agreed on."""
        return self._engine is not None and self._engine.agreed

    @property
    def protocol(self) -> str:
        """The version of TLS that has been agreed on; ``""`` for none."""
        return self._engine.protocol if self._engine is not None and self._engine.agreed else ""

    @property
    def _passes(self) -> bool:
        """Whether bytes pass as they are."""
        return self._engine is None and self._early is None

    @property
    def _shaking(self) -> bool:
        return self._engine is not None and not self._engine.agreed

    # TLS begins.

    def secure(
        self,
        engine: Engine,
        agreed: Agreed,
        timeout: float,
        *,
        early: bytes = b"",
        plain_left: int = 0,
        fault: str = "",
        lenient: bool = False,
    ) -> None:
        """Speak TLS from here on.

        :param agreed: called once: with None when TLS has been agreed on, else with why it has not; the
            connection is then as it was, but for an alert, and is to be ended.
        :param timeout: seconds that the handshake may take.
        :param early: what came already and belongs to it.
        :param plain_left: how many of the bytes that come to be sent were said before.
        :param fault: how the handshake is to fail: ``refused``, ``stalled`` (see `release`), ``reset``.
        :param lenient: a peer that does not speak TLS, which its first byte tells, is passed through.
        """
        self._engine, self._agreed, self._fault, self._lenient = engine, agreed, fault, lenient
        self._plain_left = plain_left
        self._timeout = timeout
        if fault != STALLED:
            self._wait()
        kept, self._early = bytes(self._early or b"") + early, None
        if not self.full:
            self.full = True
            self.owner.pipe_full(self)
        self.inner.resume("early")
        self.inner.resume(_REASON)
        if kept:
            self._receive(kept)
        else:
            self._shake()
        if self._shaking and self.inner.read_ended:
            self._settle(TlsError(_CLOSED))

    def release(self) -> None:
        """Go on with a handshake that is stalled."""
        if self._released or not self._shaking or self._agreed is None:
            return
        self._released = True
        self._wait()
        held, self._held = self._held, []
        for data in held:
            self.inner.data(data)

    def _wait(self) -> None:
        self._limit = self.clock.callLater(self._timeout, self._too_late)

    def _shake(self) -> None:
        engine = self._engine
        assert engine is not None
        try:
            done = engine.shake()
        except TlsError as error:
            self._flush()
            self._settle(error)
            return
        self._flush()
        if done:
            self._go_on(engine)

    def _go_on(self, engine: Engine) -> None:
        """TLS has been agreed on."""
        if self._fault == RESET:
            self._settle(TlsError("reset after the handshake, as a rule says"))
            return
        queue, self._queue = self._queue, []
        for data in queue:
            engine.write(data)
        if self.ended:
            engine.end()
        self._flush()
        if self.ended:
            self.inner.end()
        if self.closing:
            self._stop_timer()
            self.inner.close()
        elif self._reasons:
            self.inner.pause(_REASON)
        self._settle(None)
        if self.full and not self.inner.full:
            self._has_room()
        if not (self.lost or self.resetting):
            self._decrypt(engine)

    def _settle(self, error: TlsError | None) -> None:
        agreed, self._agreed = self._agreed, None
        self._stop_limit()
        if error is not None and self.closing:
            # What was to be said in TLS will not be said.
            self._stop_timer()
            self.inner.close(0.0)
        elif agreed is not None:
            agreed(error)

    def _too_late(self) -> None:
        self._limit = None
        self._settle(TlsError(f"no TLS has been agreed on within {self._timeout:g} seconds"))

    def _stop_limit(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    # What comes.

    def take(self, lane: Any, data: bytes) -> None:
        """Bytes came over the connection."""
        if self._early is not None:
            self._early += data
            if len(self._early) > _EARLY_LIMIT:
                self.inner.pause("early")
        elif self._engine is None:
            self.intake.take(lane, data)
        else:
            self._receive(data)

    def splices_to(self, lane: Any) -> Any:
        """Nothing passes unseen, but what is passed through anyway."""
        return self.intake.splices_to(lane) if self._passes else None

    def spliced(self, lane: Any, count: int) -> None:
        """So many bytes have passed unseen."""
        self.intake.spliced(lane, count)

    def _receive(self, data: bytes) -> None:
        engine = self._engine
        assert engine is not None
        if not engine.agreed:
            if self._agreed is None:
                # It has failed, and what still comes is for nobody.
                return
            if self._lenient and not begins_tls(data):
                self._pass_through(data)
                return
            self._lenient = False
            if self._fault == REFUSED:
                self._refuse(data)
                return
        engine.feed(data)
        if engine.agreed:
            self._decrypt(engine)
        else:
            self._shake()

    def _pass_through(self, data: bytes) -> None:
        """The peer speaks no TLS: everything passes as it is."""
        self._engine = None
        queue, self._queue = self._queue, []
        for each in queue:
            self.inner.data(each)
        if self.ended:
            self.inner.end()
        self._settle(NotTls("it speaks no TLS"))
        if self.full and not self.inner.full:
            self._has_room()
        self.intake.take(self.lane, data)

    def _refuse(self, data: bytes) -> None:
        """Refuse a whole ClientHello, as a server does with which nothing can be agreed on."""
        self._hello += data
        size = record_size(self._hello)
        if size and len(self._hello) >= size:
            self.inner.data(HANDSHAKE_FAILURE)
            self._settle(TlsError("refused, as a rule says"))

    def _decrypt(self, engine: Engine) -> None:
        was_over = engine.over
        try:
            data = engine.read()
        except TlsError:
            self._flush()
            self.owner.pipe_broken(self)
            return
        if data:
            self.intake.take(self.lane, data)
        if engine.over and not was_over and not self.read_ended and not self.lost:
            self.owner.pipe_finished(self)

    # What is said.

    def data(self, data: bytes) -> None:
        if self.ended or self.lost or self.resetting:
            return
        self.sent += len(data)
        if self._plain_left:
            plain = data[: self._plain_left]
            self._plain_left -= len(plain)
            self.inner.data(plain)
            data = data[len(plain) :]
        if not data:
            return
        engine = self._engine
        if engine is None and self._early is None:
            self.inner.data(data)
        elif engine is not None and engine.agreed:
            engine.write(data)
            self.inner.data(engine.take())
        else:
            self._queue.append(data)

    def _flush(self) -> None:
        """Send what the engine has to say."""
        assert self._engine is not None
        data = self._engine.take()
        if not data:
            return
        if self._fault == STALLED and not self._released:
            self._stall(data)
        else:
            self.inner.data(data)

    def _stall(self, data: bytes) -> None:
        """Send the first record of our part of the handshake, and no more."""
        size = 0 if self._held else record_size(data)
        if size:
            self.inner.data(data[:size])
        self._held.append(data[size:])

    def _half_close(self) -> None:
        engine = self._engine
        if engine is None and self._early is None:
            self.inner.end()
        elif engine is not None and engine.agreed:
            engine.end()
            self._flush()
            self.inner.end()

    # The end.

    def close(self, drain: float = DRAIN_TIME) -> None:
        if self.lost:
            return
        if self.closing:
            self._stop_timer()
            self.inner.close(drain)
            return
        self.closing = True
        self.end()
        self.read_on()
        if self._queue and self._agreed is not None:
            # What is to be said can be said only when TLS has been agreed on.
            self._timer = self.clock.callLater(drain, self.inner.close, 0.0)
        else:
            self._stop_limit()
            self.inner.close(drain)

    def reset(self) -> None:
        if self.resetting or self.lost:
            return
        self.closing = self.ended = self.resetting = True
        self._stop_timer()
        self._stop_limit()
        self.inner.reset()

    def _stop_reading(self) -> None:
        # A handshake has to go on.
        if not self._shaking and self._early is None:
            self.inner.pause(_REASON)

    def _start_reading(self) -> None:
        self.inner.resume(_REASON)

    def fin_received(self) -> None:
        self.read_ended = True

    def connection_lost(self) -> None:
        super().connection_lost()
        self._stop_limit()

    def unsent(self) -> int:
        return self.inner.unsent()

    # What the connection says.

    def pipe_full(self, pipe: Pipe) -> None:
        """It takes no more."""
        if not self.full:
            self.full = True
            self.owner.pipe_full(self)

    def pipe_room(self, pipe: Pipe) -> None:
        """It takes more again."""
        if self.full and not self._shaking:
            self._has_room()

    def _has_room(self) -> None:
        self.full = False
        self.owner.pipe_room(self)

    def pipe_broken(self, pipe: Pipe) -> None:
        """The peer has reset it."""
        self.broken = True
        self.owner.pipe_broken(self)

    def pipe_hung_up(self, pipe: Pipe) -> bool:
        """The peer has reset it, and nothing is read."""
        return self.owner.pipe_hung_up(self)

    def pipe_finished(self, pipe: Pipe) -> None:
        """The peer said FIN."""
        pipe.fin_received()
        self.broken = pipe.broken
        if self._agreed is not None and self._engine is not None:
            self._settle(TlsError(_CLOSED))
        elif not self.read_ended:
            self.owner.pipe_finished(self)

    def pipe_lost(self, pipe: Pipe, reset: bool) -> None:
        """It is gone."""
        pipe.connection_lost()
        self.broken = pipe.broken
        self._stop_limit()
        self._agreed = None
        self.owner.pipe_lost(self, reset)
