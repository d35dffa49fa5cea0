"""The poller: who can be read, who can be written, who is gone."""

from __future__ import annotations

import errno
import select
import socket
from types import SimpleNamespace
from typing import Any

from twisted.internet.interfaces import IReactorFDSet
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from txvaurien.net import poller
from txvaurien.net.poller import ROUNDS, Poller, poller_of
from txvaurien.test.peers import reset


@implementer(IReactorFDSet)
class Readers:
    """A reactor, as far as the poller needs one."""

    def __init__(self) -> None:
        self.readers: list[Any] = []
        self.delayed: list[Any] = []

    def callLater(self, seconds: float, call: Any) -> None:
        assert seconds == 0
        self.delayed.append(call)

    def addReader(self, reader: Any) -> None:
        self.readers.append(reader)

    def removeReader(self, reader: Any) -> None:
        self.readers.remove(reader)

    def addWriter(self, writer: Any) -> None:
        raise NotImplementedError

    removeWriter = addWriter

    def removeAll(self) -> list[Any]:
        raise NotImplementedError

    getReaders = getWriters = removeAll


class Limited:
    """An epoll that takes nothing (epoll(7), max_user_watches)."""

    closed = False

    def fileno(self) -> int:
        return 1000

    def register(self, descriptor: int, mask: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def close(self) -> None:
        self.closed = True


class Watched:
    """One end of a connection, and what it was told."""

    def __init__(self, poller: Poller) -> None:
        self.poller = poller
        self.mine, self.peer = _connected()
        self.mine.setblocking(False)
        self.told: list[str] = []
        self.then: Any = None
        #: Whether it reads what there is, when it is told.
        self.reads = False

    def watch(self, read: bool, write: bool = False) -> None:
        self.poller.watch(self.mine.fileno(), self, read, write)

    def _note(self, what: str) -> None:
        self.told.append(what)
        if self.then is not None:
            self.then()

    def readable(self) -> None:
        if self.reads:
            self.mine.recv(100)
        self._note("readable")

    def writable(self) -> None:
        self._note("writable")

    def gone(self) -> None:
        self.poller.forget(self.mine.fileno())
        self._note("gone")

    def failed(self, error: Exception) -> None:
        self.told.append(type(error).__name__)


def _connected() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        one = socket.create_connection(listener.getsockname())
        return one, listener.accept()[0]


class PollerTests(SynchronousTestCase):
    """Without a reactor that turns."""

    def setUp(self) -> None:
        self.reactor = Readers()
        self.poller = Poller(self.reactor)

    def watched(self) -> Watched:
        made = Watched(self.poller)
        self.addCleanup(made.mine.close)
        self.addCleanup(made.peer.close)
        self.addCleanup(self.poller.forget, made.mine.fileno())
        return made

    def wait(self) -> None:
        """As a reactor does: sleep until the poller's descriptor can be read."""
        select.select([self.poller], [], [], 10)
        self.poller.doRead()

    def test_reading(self) -> None:
        """A socket is told as long as there is something to read, and it wants to know."""
        one = self.watched()
        one.watch(read=True)
        self.poller.doRead()
        self.assertEqual(one.told, [])
        one.peer.sendall(b"x")
        self.wait()
        self.wait()
        one.watch(read=False)
        self.poller.doRead()
        self.assertEqual(one.told, ["readable", "readable"])

    def test_writing(self) -> None:
        """A socket is told that there is room."""
        one = self.watched()
        one.watch(read=True, write=True)
        self.wait()
        one.watch(read=True, write=False)
        self.poller.doRead()
        self.assertEqual(one.told, ["writable"])

    def test_both(self) -> None:
        """Room first: what is read may have to be written."""
        one = self.watched()
        one.peer.sendall(b"x")
        one.watch(read=True, write=True)
        select.select([one.mine], [], [], 10)
        self.poller.doRead()
        self.assertEqual(one.told, ["writable", "readable"])

    def test_gone(self) -> None:
        """A reset is noticed although nothing is read, and once."""
        one = self.watched()
        one.watch(read=False)
        reset(one.peer)
        self.wait()
        self.poller.doRead()
        self.assertEqual(one.told, ["gone"])

    def test_fin_is_no_reset(self) -> None:
        """Who does not read is not told of a FIN: there may be bytes before it."""
        one = self.watched()
        one.watch(read=False)
        one.peer.sendall(b"x")
        one.peer.shutdown(socket.SHUT_WR)
        self.poller.doRead()
        self.assertEqual(one.told, [])

    def test_reactor(self) -> None:
        """The reactor has a reader only while there is something to watch."""
        one, other = self.watched(), self.watched()
        self.assertEqual((self.reactor.readers, self.poller.fileno()), ([], -1))
        one.watch(read=True)
        other.watch(read=True)
        self.assertEqual(self.reactor.readers, [self.poller])
        self.poller.forget(one.mine.fileno())
        self.poller.forget(one.mine.fileno())
        self.assertEqual(self.reactor.readers, [self.poller])
        self.poller.forget(other.mine.fileno())
        self.assertEqual((self.reactor.readers, self.poller.fileno()), ([], -1))
        one.watch(read=True)
        self.assertEqual(self.reactor.readers, [self.poller])

    def test_not_watched(self) -> None:
        """Where the kernel watches no more that is an error, and nothing is left of it."""
        one = self.watched()
        limited = Limited()
        self.patch(poller, "select", SimpleNamespace(epoll=lambda: limited))
        self.assertRaises(OSError, one.watch, read=True)
        self.assertEqual((self.reactor.readers, self.poller.fileno(), limited.closed), ([], -1, True))
        self.patch(poller, "select", select)
        one.peer.sendall(b"x")
        one.watch(read=True)
        self.wait()
        self.assertEqual(one.told, ["readable"])

    def test_handed_on(self) -> None:
        """Whoever watches a descriptor last is told, although it wants to know the same."""
        one, other = self.watched(), self.watched()
        one.watch(read=True)
        self.poller.watch(one.mine.fileno(), other, True, False)
        one.peer.sendall(b"x")
        self.wait()
        self.assertEqual((one.told, other.told), ([], ["readable"]))

    def test_ended_by_another(self) -> None:
        """One that is forgotten while events are handled is not told any more."""
        one, other = self.watched(), self.watched()
        for each, rest in ((one, other), (other, one)):
            each.watch(read=True)
            each.reads = True
            each.then = lambda rest=rest: self.poller.forget(rest.mine.fileno())
            each.peer.sendall(b"x")
        select.select([one.mine], [], [], 10)
        select.select([other.mine], [], [], 10)
        self.poller.doRead()
        self.assertEqual(sorted(one.told + other.told), ["readable"])

    def test_closed_before_it_is_forgotten(self) -> None:
        """Closing takes a descriptor out of the epoll; forgetting it after that is no error."""
        one = self.watched()
        one.watch(read=True)
        descriptor = one.mine.fileno()
        one.mine.close()
        self.poller.forget(descriptor)
        self.assertEqual(self.reactor.readers, [])

    def test_exception(self) -> None:
        """A mistake in one link does not keep the others from being told; it is told of that."""
        one, other = self.watched(), self.watched()
        for each in (one, other):
            each.watch(read=True)
            each.reads = True
            each.peer.sendall(b"x")
        one.then = lambda: 1 / 0
        select.select([other.mine], [], [], 10)
        select.select([one.mine], [], [], 10)
        self.poller.doRead()
        self.assertEqual((one.told, other.told), (["readable", "ZeroDivisionError"], ["readable"]))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_again_where_several_speak(self) -> None:
        """What has come while several were handled is handled in the same turn, and the turn ends."""
        one, other = self.watched(), self.watched()
        for each in (one, other):
            each.watch(read=True)
            each.reads = True
            each.then = lambda each=each: each.peer.sendall(b"x")
            each.peer.sendall(b"x")
            select.select([each.mine], [], [], 10)
        self.poller.doRead()
        self.assertEqual((one.told, other.told), (["readable"] * ROUNDS, ["readable"] * ROUNDS))

    def test_busy(self) -> None:
        """Busy polling sees what comes while it polls, and ends."""
        self.poller = Poller(self.reactor, busy=0.0005)
        one = self.watched()
        one.watch(read=True)

        def more() -> None:
            one.mine.recv(1)
            if len(one.told) < 3:
                one.peer.sendall(b"x")

        one.then = more
        one.peer.sendall(b"x")
        self.wait()
        self.assertEqual(one.told, ["readable"] * 3)

    def test_afterwards(self) -> None:
        """What is to be done after the events is done when the last of them has been handled."""
        ones = [self.watched(), self.watched()]
        done: list[int] = []

        def then() -> None:
            self.poller.afterwards(lambda: done.append(sum(len(each.told) for each in ones)))

        for one in ones:
            one.watch(read=True)
            one.reads, one.then = True, then
            one.peer.sendall(b"x")
            select.select([one.mine], [], [], 10)
        self.poller.doRead()
        self.assertEqual((done, self.reactor.delayed), ([2, 2], []))

    def test_afterwards_alone(self) -> None:
        """Where there are no events it is done in the reactor's next turn; so is what comes of it."""
        done: list[str] = []

        def first() -> None:
            done.append("first")
            self.poller.afterwards(lambda: done.append("last"))

        self.poller.afterwards(first)
        self.poller.afterwards(lambda: done.append("second"))
        self.assertEqual((done, len(self.reactor.delayed)), ([], 1))
        self.reactor.delayed[0]()
        self.assertEqual(done, ["first", "second", "last"])

    def test_afterwards_fails(self) -> None:
        """A mistake in one does not keep the others from being done."""
        done: list[str] = []
        self.poller.afterwards(lambda: 1 / 0)
        self.poller.afterwards(lambda: done.append("other"))
        self.reactor.delayed[0]()
        self.assertEqual(done, ["other"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_number_of_another(self) -> None:
        """A socket that is closed so gives its number to no other one while events are handled."""
        one, other = self.watched(), self.watched()
        made: list[socket.socket] = []

        def end_both() -> None:
            for each in (one, other):
                self.poller.forget(each.mine.fileno())
                self.poller.afterwards(each.mine.close)
            made.append(socket.socket())

        numbers = {one.mine.fileno(), other.mine.fileno()}
        for each in (one, other):
            each.watch(read=True)
            each.then = end_both
            each.peer.sendall(b"x")
            select.select([each.mine], [], [], 10)
        self.poller.doRead()
        self.addCleanup(made[0].close)
        self.assertNotIn(made[0].fileno(), numbers)
        self.assertEqual((one.mine.fileno(), other.mine.fileno(), len(made)), (-1, -1, 1))

    def test_no_descriptors(self) -> None:
        """A reactor that watches no descriptors has no poller."""
        self.assertIsNone(poller_of(Clock()))
        self.assertIsInstance(poller_of(self.reactor), Poller)
