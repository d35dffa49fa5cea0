"""A server that is restarted: the application is back by itself within ten seconds."""

import threading

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from txvaurien import chaos_proxy


class Counter:
    """Counts visits; while the server is away it tries again, after longer and longer pauses."""

    def __init__(self, url: str) -> None:
        self.client = redis.from_url(url, retry=Retry(NoBackoff(), 0), socket_timeout=5)
        self.in_trouble = threading.Event()
        self.stopped = threading.Event()

    def visits(self) -> object:
        pause = 0.05
        while not self.stopped.is_set():
            try:
                return self.client.get("visits")
            except (redis.ConnectionError, redis.TimeoutError):
                self.in_trouble.set()
                self.stopped.wait(pause)
                # The longest pause is what recovery takes at most, so it is well below the ten seconds.
                pause = min(2 * pause, 2.0)
        return None

    def stop(self) -> None:
        self.stopped.set()
        self.client.close()


def test_back_within_ten_seconds(redis_url: str) -> None:
    with chaos_proxy(redis_url, "redis") as proxy:
        counter = Counter(proxy.url)
        counter.client.set("visits", 7)
        answers: list[object] = []
        visitor = threading.Thread(target=lambda: answers.append(counter.visits()))

        proxy.stop()
        visitor.start()
        assert counter.in_trouble.wait(30)
        assert answers == []
        proxy.start()

        visitor.join(10)
        assert answers == [b"7"]
        counter.stop()
