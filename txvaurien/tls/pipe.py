"""A pipe that speaks TLS over another one: the link sees what is said, the other pipe what is sent.

It stands between a link and a connection from the beginning. Until `secure` is called bytes pass as
they are, which is how protocols begin that go over to TLS later (STARTTLS, MySQL).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from txvaurien.net.pipe import DRAIN_TIME, Pipe
from txvaurien.net.pipeowner import Intake, PipeOwner
from txvaurien.tls.engine import Engine, TlsError
from txvaurien.tls.handshake import Agreed, Handshake, NotTls, Silent

#: Why the connection below is not read: the link says so; too much came before TLS began.
_REASON = "link"
_EARLY = "early"

#: How much is kept of what a client says before TLS begins.
_EARLY_LIMIT = 65536

_CLOSED = "the connection was closed during the handshake"
_CUT = "the connection was reset during the handshake"


class TlsPipe(Pipe):
    """A connection that speaks TLS, or will.

    :param broken: told why TLS that was agreed on cannot go on, and whether the peer has said anything in
        it, before the owner is told that it is broken.
    :ivar inner: the connection below. Set by `over`, at once.
    """

    __slots__ = (
        "__weakref__",
        "_broken",
        "_early",
        "_engine",
        "_handshake",
        "_limit",
        "_plain_left",
        "_queue",
        "_timeout",
        "inner",
    )

    def __init__(
        self,
        clock: IReactorTime,
        owner: PipeOwner,
        intake: Intake,
        lane: Any,
        broken: Callable[[TlsError, bool], None],
    ) -> None:
        super().__init__(clock, owner, intake, lane)
        self.inner: Pipe
        self._broken = broken
        self._engine: Engine | None = None
        #: None before and after it, and when nobody wants it any more.
        self._handshake: Handshake | None = None
        self._limit: IDelayedCall | None = None
        self._timeout = 0.0
        #: What came before it was known which side we are; None if it passes as it is.
        self._early: bytearray | None = None
        #: What is said before TLS has been agreed on.
        self._queue: list[bytes] = []
        #: So many bytes that come to be sent were said before TLS began.
        self._plain_left = 0

    def over(self, inner: Pipe, waits: bool) -> None:
        """The connection is there.

        :param waits: TLS will begin with the first byte; nothing passes before `secure` is called.
        """
        self.inner = inner
        if waits:
            self._early = bytearray()

    @property
    def _passes(self) -> bool:
        """Whether bytes pass as they are."""
        return self._engine is None and self._early is None

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
            connection is then as it was, but for an alert, and is to be ended. Not called if it is ended
            before.
        :param timeout: seconds that the handshake may take.
        :param early: what came already and belongs to it.
        :param plain_left: how many of the bytes that come to be sent were said before.
        :param fault: how the handshake is to fail: ``refused``, ``stalled`` (see `release`), ``reset``.
        :param lenient: a peer that does not speak TLS, which its first byte tells, is passed through.
        """
        self._engine = engine
        self._handshake = handshake = Handshake(engine, agreed, fault, lenient)
        self._plain_left = plain_left
        self._timeout = timeout
        if not handshake.stalled:
            self._wait()
        kept, self._early = bytes(self._early or b"") + early, None
        if not plain_left:
            # Nothing more can be said until TLS has been agreed on.
            self.pipe_full(self.inner)
        self.inner.resume(_EARLY)
        self.inner.resume(_REASON)
        if kept or not plain_left:
            self._shake(engine, handshake, kept)
        if self.inner.read_ended:
            self._settle(TlsError(_CLOSED))

    def release(self) -> None:
        """Go on with a handshake that is stalled."""
        handshake = self._handshake
        if handshake is not None and handshake.stalled:
            self._wait()
            self._send(handshake.release())

    def _wait(self) -> None:
        self._limit = self.clock.callLater(self._timeout, self._too_late)

    def _shake(self, engine: Engine, handshake: Handshake, data: bytes) -> None:
        """Go on with the handshake."""
        try:
            done = handshake.receive(data)
        except NotTls as error:
            self._pass_through(data, error)
            return
        except TlsError as error:
            self._send(handshake.take())
            self._settle(error)
            return
        self._send(handshake.take())
        if done:
            self._go_on(engine)

    def _go_on(self, engine: Engine) -> None:
        """TLS has been agreed on."""
        queue, self._queue = self._queue, []
        for data in queue:
            engine.write(data)
        self._send(engine.take())
        if self.ended:
            self._half_close()
        self._settled()
        if not (self.lost or self.resetting):
            self._decrypt(engine)

    def _pass_through(self, data: bytes, error: NotTls) -> None:
        """The peer speaks no TLS: everything passes as it is."""
        self._engine = None
        queue, self._queue = self._queue, []
        for each in queue:
            self.inner.data(each)
        if self.ended:
            self.inner.end()
        self._settled(error)
        if not (self.lost or self.resetting):
            self.intake.take(self.lane, data)

    def _settled(self, error: NotTls | None = None) -> None:
        """It is known how bytes pass, and all that was to be said has been."""
        if self.closing:
            self._handshake = None
            self._stop_limit()
            self._stop_timer()
            self.inner.close()
            return
        if self._reasons:
            self.inner.pause(_REASON)
        self._settle(error)

    def _settle(self, error: TlsError | None) -> None:
        """The handshake is over, in one way or the other."""
        handshake, self._handshake = self._handshake, None
        if handshake is None:
            return
        self._stop_limit()
        self._queue.clear()
        if error is not None and self.closing:
            # What was to be said in TLS will not be said.
            self._stop_timer()
            self.inner.close(0.0)
        else:
            handshake.agreed(error)
            # Where it has failed whoever waited for room has nothing left to wait for.
            self._look_for_room()

    def _too_late(self) -> None:
        self._limit = None
        made = Silent if self._handshake is not None and self._handshake.silent else TlsError
        self._settle(made(f"no TLS has been agreed on within {self._timeout:g} seconds"))

    def _stop_limit(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    # What comes.

    def take(self, lane: Any, data: bytes) -> None:
        """Bytes came over the connection."""
        if self._early is not None:
            if self.closing or self.lost:
                return
            self._early += data
            if len(self._early) > _EARLY_LIMIT:
                self.inner.pause(_EARLY)
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
        if self._handshake is not None:
            self._shake(engine, self._handshake, data)
        elif engine.agreed and not (engine.over or engine.error):
            engine.feed(data)
            self._decrypt(engine)
        # What comes after the end, or when the handshake has failed, is for nobody.

    def _decrypt(self, engine: Engine) -> None:
        data = engine.read()
        if engine.answers:
            self._send(engine.take())
        if data:
            self.intake.take(self.lane, data)
        if self.lost or self.resetting or self.closing:
            return
        if engine.error is not None:
            self._send(engine.take())
            self._broken(engine.error, engine.heard)
            self.owner.pipe_broken(self)
        elif engine.over and not self.read_ended:
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
            if not self._plain_left and self._engine is not None and self._handshake is not None:
                # Only now the peer can know that TLS begins.
                self.pipe_full(self.inner)
                self._shake(self._engine, self._handshake, b"")
        if not data:
            return
        engine = self._engine
        if engine is None and self._early is None:
            self.inner.data(data)
        elif engine is None or self._handshake is not None:
            self._queue.append(data)
        elif engine.agreed:
            engine.write(data)
            self._send(engine.take())

    def preface(self, data: bytes) -> None:
        self.inner.preface(data)

    def _send(self, data: bytes) -> None:
        if data:
            self.inner.data(data)

    def _half_close(self) -> None:
        engine = self._engine
        if self._passes:
            self.inner.end()
        elif engine is not None and engine.agreed:
            engine.end()
            self._send(engine.take())
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
        if self._queue and self._handshake is not None:
            # What is to be said can be said only when TLS has been agreed on.
            self._timer = self.clock.callLater(drain, self.inner.close, 0.0)
        else:
            self._handshake = None
            self._stop_limit()
            self.inner.close(drain)

    def reset(self) -> None:
        if self.resetting or self.lost:
            return
        self.closing = self.ended = self.resetting = True
        self._handshake = None
        self._stop_timer()
        self._stop_limit()
        self.inner.reset()

    def _stop_reading(self) -> None:
        # A handshake has to go on.
        if self._handshake is None and self._early is None:
            self.inner.pause(_REASON)

    def _start_reading(self) -> None:
        self.inner.resume(_REASON)

    def fin_received(self) -> None:
        self.read_ended = True

    def connection_lost(self) -> None:
        super().connection_lost()
        self._stop_limit()
        # It is large, and this pipe and the inner one keep each other until the collector comes.
        self._engine, self._early = None, bytearray()

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
        if self._handshake is None or self._plain_left:
            self._look_for_room()

    def _look_for_room(self) -> None:
        if self.full and not self.inner.full:
            self.full = False
            self.owner.pipe_room(self)

    def pipe_broken(self, pipe: Pipe) -> None:
        """The peer has reset it."""
        self.broken = True
        self._settle(TlsError(_CUT))
        self.owner.pipe_broken(self)

    def pipe_hung_up(self, pipe: Pipe) -> bool:
        """The peer has reset it, and nothing is read."""
        return self.owner.pipe_hung_up(self)

    def pipe_finished(self, pipe: Pipe) -> None:
        """The peer said FIN."""
        pipe.fin_received()
        self.broken = pipe.broken
        if self._handshake is not None:
            self._settle(TlsError(_CLOSED))
        elif not self.read_ended:
            self.owner.pipe_finished(self)

    def pipe_lost(self, pipe: Pipe, reset: bool) -> None:
        """It is gone."""
        pipe.connection_lost()
        self.broken = pipe.broken
        if not self.closing:
            self._settle(TlsError(_CUT if reset else _CLOSED))
        self._stop_limit()
        self._handshake = None
        self.owner.pipe_lost(self, reset)
