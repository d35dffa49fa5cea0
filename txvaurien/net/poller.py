"""Reading and writing many sockets with little between the event and the code.

A reactor wraps every event in logging and dispatch that cost more than a small
message does. So the sockets of links are watched by an epoll of their own, whose
descriptor is one reader in whatever reactor runs; all that is ready is handled in
one go. Where there is no epoll, or the reactor watches no descriptors, transports
read and write as Twisted has them do.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any, Protocol

from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.logger import Logger
from zope.interface import implementer

from txvaurien.net.splicing import POSSIBLE, PipePool

#: How many events are taken at once.
EVENTS = 256

#: How many times in a row events are taken before the reactor does its other work.
ROUNDS = 8

#: How long busy polling may keep the reactor from its other work, in seconds.
BUSY_LIMIT = 0.001

_READ = 1  # select.EPOLLIN, where there is none
_WRITE = 4
_GONE = 8 | 16  # EPOLLERR, EPOLLHUP: reported whether one asks for them or not

log = Logger()


class Polled(Protocol):
    """What is watched."""

    def readable(self) -> None:
        """There is something to read, or an error to be found by reading."""

    def writable(self) -> None:
        """There is room to write, or an error to be found by writing."""

    def gone(self) -> None:
        """The peer is gone, and nobody reads or writes at the moment."""

    def failed(self, error: Exception) -> None:
        """One of these has raised this, and nobody knows how far it got."""


@implementer(IReadDescriptor)
class Poller:
    """Tells sockets that they can be read or written.

    :param reactor: provides IReactorFDSet; it is told of the poller while there is anything to watch.
    :param busy: seconds to go on polling after an event, before the reactor may sleep again.
    """

    def __init__(self, reactor: Any, busy: float = 0.0) -> None:
        self._reactor = reactor
        self._busy = busy
        self._epoll: select.epoll | None = None
        self._watched: dict[int, tuple[Polled, int]] = {}
        #: What is to be done when the events that were taken have been handled.
        self._after: list[Callable[[], object]] = []
        self._handling = False
        #: For streams that do not pass through Python; None where that cannot be.
        self.pipes = PipePool() if POSSIBLE else None

    def watch(self, descriptor: int, polled: Polled, read: bool, write: bool) -> None:
        """Tell `polled` of these events from now on, and of no others.

        :raises OSError: the kernel watches no more (no descriptor is left for an epoll, or the limit
            of epoll(7) is reached); then it is not watched.
        """
        mask = (_READ if read else 0) | (_WRITE if write else 0)
        before = self._watched.get(descriptor)
        if before is None:
            self._register(descriptor, mask)
        elif before[1] != mask and self._epoll is not None:
            self._epoll.modify(descriptor, mask)
        elif before[0] is polled:
            return
        self._watched[descriptor] = polled, mask

    def _register(self, descriptor: int, mask: int) -> None:
        if self._epoll is None:
            self._epoll = select.epoll()
            self._reactor.addReader(self)
        try:
            self._epoll.register(descriptor, mask)
        except OSError:
            self._end_if_idle()
            raise

    def forget(self, descriptor: int) -> None:
        """Watch it no longer."""
        if self._watched.pop(descriptor, None) is None or self._end_if_idle() or self._epoll is None:
            return
        try:
            self._epoll.unregister(descriptor)
        except OSError:
            # One that has been closed is out already.
            return

    def _end_if_idle(self) -> bool:
        """Give up the epoll if there is nothing to watch; whether that is so."""
        if self._watched or self._epoll is None:
            return False
        epoll, self._epoll = self._epoll, None
        self._reactor.removeReader(self)
        epoll.close()
        if self.pipes is not None:
            self.pipes.close()
        return True

    def afterwards(self, call: Callable[[], object]) -> None:
        """Call this when no event is being handled.

        A descriptor is closed so: its number could be that of the next connection, which would be
        told of events that were meant for this one.
        """
        if not (self._handling or self._after):
            self._reactor.callLater(0, self._do_after)
        self._after.append(call)

    def _do_after(self) -> None:
        while self._after:
            calls, self._after = self._after, []
            for call in calls:
                try:
                    call()
                except Exception:
                    log.failure("the end of a link failed")

    # What the reactor calls.

    def fileno(self) -> int:
        """The descriptor of the epoll."""
        return -1 if self._epoll is None else self._epoll.fileno()

    def doRead(self) -> None:
        """Something is ready."""
        if not self._busy:
            # Where several links speak, others will have spoken meanwhile: that saves a turn of the reactor.
            rounds = 1
            while self._take() > 1 and rounds < ROUNDS:
                rounds += 1
            return
        now = monotonic()
        last, until = now, now + BUSY_LIMIT
        while now - last < self._busy and now < until:
            if self._take():
                last = now
            now = monotonic()

    def _take(self) -> int:
        """Handle what is ready; how many events there were."""
        epoll, watched = self._epoll, self._watched
        if epoll is None:
            return 0
        events = epoll.poll(0, EVENTS)
        self._handling = True
        for descriptor, event in events:
            # What came before may have ended this one.
            found = watched.get(descriptor)
            if found is None:
                continue
            polled, mask = found
            try:
                if event & _WRITE and mask & _WRITE:
                    polled.writable()
                    if event == _WRITE or watched.get(descriptor) is not found:
                        continue
                if mask & _READ:
                    polled.readable()
                elif event & _GONE:
                    polled.gone()
            except Exception as error:
                log.failure("a link failed")
                self.afterwards(partial(polled.failed, error))
        self._handling = False
        if self._after:
            self._do_after()
        return len(events)

    def logPrefix(self) -> str:
        """For the log."""
        return "links"

    def connectionLost(self, reason: object) -> None:
        """The reactor ends."""


def poller_of(reactor: Any, busy: float = 0.0) -> Poller | None:
    """A poller for this reactor; None where there can be none."""
    if hasattr(select, "epoll") and IReactorFDSet.providedBy(reactor):
        return Poller(reactor, busy)
    return None
