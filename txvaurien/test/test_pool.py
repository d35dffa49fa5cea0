"""The pool: places for backend connections."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.net.pool import Pool, PoolTimeout
from txvaurien.test.memory import MemoryProxy


class PoolTests(SynchronousTestCase):
    """Places, and the queue for them."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.pool = Pool(self.clock, 1, 30.0)

    def test_without_limit(self) -> None:
        """Nobody waits."""
        pool = Pool(self.clock, None, 30.0)
        for _ in range(100):
            self.assertIsNone(self.successResultOf(pool.acquire()))
        self.assertEqual(pool.open, 100)

    def test_take(self) -> None:
        """A place is taken at once if one is free, and nobody is put into the queue if not."""
        self.assertEqual([self.pool.take(), self.pool.take()], [True, False])
        self.assertEqual((self.pool.open, self.pool.waiting), (1, 0))
        self.pool.release()
        self.assertTrue(self.pool.take())

    def test_in_order(self) -> None:
        """Who has waited longest is next."""
        self.successResultOf(self.pool.acquire())
        first, second = self.pool.acquire(), self.pool.acquire()
        self.assertEqual(self.pool.waiting, 2)
        self.pool.release()
        self.successResultOf(first)
        self.assertNoResult(second)
        self.pool.release()
        self.successResultOf(second)
        self.pool.release()
        self.assertEqual((self.pool.open, self.clock.getDelayedCalls()), (0, []))

    def test_timeout(self) -> None:
        """Waiting has an end, and the error says what to do."""
        self.successResultOf(self.pool.acquire())
        waiting = self.pool.acquire()
        self.clock.advance(30.0)
        error = self.failureResultOf(waiting, PoolTimeout)
        self.assertEqual(
            error.getErrorMessage(),
            "no backend connection came free within 30 s: 1 are open and 1 clients wait;"
            " raise --pool-max-size, or --pool-timeout",
        )
        self.assertEqual(self.pool.waiting, 0)

    def test_cancel(self) -> None:
        """Who leaves the queue is not served, and leaves no timer."""
        self.successResultOf(self.pool.acquire())
        waiting = self.pool.acquire()
        waiting.addErrback(lambda _: None)
        waiting.cancel()
        self.assertEqual((self.pool.waiting, self.clock.getDelayedCalls()), (0, []))


class PooledProxyTests(SynchronousTestCase):
    """A proxy with a limit."""

    def setUp(self) -> None:
        self.proxy = MemoryProxy(pool_max_size=1, pool_timeout=5.0)

    def test_waits_for_a_place(self) -> None:
        """The second client is connected when the first has gone; what it said waits as well."""
        first, backend = self.proxy.pair()
        second = self.proxy.client()
        second.says(b"get a\n")
        self.assertEqual(self.proxy.reactor.tcpClients, [])
        first.fins()
        backend.fins()
        self.assertEqual(self.proxy.backend().received, b"get a\n")

    def test_too_many(self) -> None:
        """Who has waited in vain gets the protocol's words for it, then FIN."""
        self.proxy.pair()
        second = self.proxy.client()
        self.proxy.pass_time(5.0)
        self.assertEqual((second.received, second.ended), (b"-full\n", "fin"))

    def test_leaving_the_queue(self) -> None:
        """A client that goes while it waits takes no place."""
        first, backend = self.proxy.pair()
        self.proxy.client().resets()
        third = self.proxy.client()
        first.fins()
        backend.fins()
        self.proxy.backend().says(b"!hello\n")
        self.assertEqual(third.received, b"!hello\n")
        self.assertEqual(self.proxy.proxy.pool.open, 1)

    def test_refused_gives_the_place_back(self) -> None:
        """A backend that refuses takes no place for good."""
        for _ in range(3):
            self.proxy.client()
            self.proxy.refuse()
            self.proxy.pass_time()
        self.assertEqual((self.proxy.proxy.pool.open, self.proxy.links), (0, {}))

    def test_gone_while_dialling(self) -> None:
        """Nor does a client that goes while the backend is dialled."""
        self.proxy.client().resets()
        self.assertEqual((self.proxy.proxy.pool.open, self.proxy.links), (0, {}))
