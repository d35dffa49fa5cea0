"""Links that are opened, used once, and then left alone."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from bench.process import HOST, Failed
from bench.usage import usage

#: Connections that are made before the first of them is used: a burst that the backlog has to hold.
_BURST = 250
_PING, _PONG = b"PING\r\n", b"+PONG\r\n"


def most_links(wanted: int) -> int:
    """How many links a proxy can have: each takes two descriptors of those that a process may open."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(wanted, (limit - 200) // 2)


@contextmanager
def held(port: int, count: int) -> Iterator[None]:
    """Have `count` links to a redis-server through `port`, each of which was answered one PING.

    :raises Failed: one of them was not answered.
    """
    with ExitStack() as stack:
        for begin in range(0, count, _BURST):
            burst = [_connected(port, stack) for _ in range(min(_BURST, count - begin))]
            for link in burst:
                link.sendall(_PING)
            for link in burst:
                _expect(link, _PONG)
        yield


def kilobytes_per_link(pid: int, port: int, count: int) -> float:
    """How much the memory of a proxy grows for each of `count` idle links."""
    with held(port, 20):
        # What is only allocated at the first link is no link's.
        pass
    before = usage(pid).memory
    with held(port, count):
        return (usage(pid).memory - before) / count


def _connected(port: int, stack: ExitStack) -> socket.socket:
    try:
        return stack.enter_context(socket.create_connection((HOST, port), timeout=20))
    except OSError as error:
        raise Failed(f"a link was not accepted: {error}") from error


def _expect(link: socket.socket, answer: bytes) -> None:
    try:
        got = link.recv(len(answer))
    except OSError as error:
        raise Failed(f"a link was not answered: {error}") from error
    if got != answer:
        raise Failed(f"a link was answered {got!r}")
