"""What framing costs, beside the two system calls of a message: `python -m bench.framers`.

Each session is fed from the samples of the tests, one read a step, without a socket. The yardstick is one
send and one recv of as many bytes over a TCP connection of this machine. All times are processor time, so
that other work on the machine counts little.
"""

from __future__ import annotations

import argparse
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from bench.process import HOST
from bench.report import figure, piped

if TYPE_CHECKING:
    from bench.framecases import Case

ROUNDS = 7

#: So many steps are taken before the clock is looked at, which costs as much as a small one.
BATCH = 100


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.framers", description=__doc__)
    parser.add_argument("--ours", type=Path, metavar="FOLDER", help="the tree to measure")
    parser.add_argument("--seconds", type=float, default=0.1, metavar="S", help="processor time of a sample")
    options = parser.parse_args(arguments)
    if options.ours:
        sys.path.insert(0, str(options.ours.resolve()))
    # Only now it is known which tree the sessions come from.
    from bench.framecases import cases

    head = ["protocol", "message", "bytes a read", "us a read", "us of send and recv", "share"]
    print("\n".join(piped([head, *(line(case, options.seconds) for case in cases())])))
    return 0


def line(case: Case, seconds: float) -> list[str]:
    """The cells of one case: medians of rounds that take the session and the sockets in turn."""
    ours, bare = [], []
    with pair() as (near, far):
        for _ in range(ROUNDS):
            ours.append(framing(case, seconds))
            bare.append(sending(near, far, bytes(case.size), seconds))
    cost, floor = median(ours), median(bare)
    share = f"{cost / floor:.2f}"
    return [case.protocol.name, case.what, f"{case.size:,}", figure(cost), figure(floor), share]


def framing(case: Case, seconds: float) -> float:
    """Microseconds that the session takes for one step, on a link that has been logged in."""
    session = case.protocol.session()
    for direction, data in case.start:
        list(session.receive(direction, data))
    steps, count = [*case.repeated] * max(1, BATCH // len(case.repeated)), 0
    begin = time.process_time()
    end = begin + seconds
    while (now := time.process_time()) < end:
        for direction, data in steps:
            for _ in session.receive(direction, data):
                pass
        count += len(steps)
    return (now - begin) / count * 1e6


def sending(near: socket.socket, far: socket.socket, data: bytes, seconds: float) -> float:
    """Microseconds of one send and one recv of these bytes."""
    count, size, steps = 0, len(data), [data] * BATCH
    begin = time.process_time()
    end = begin + seconds
    while (now := time.process_time()) < end:
        for step in steps:
            near.send(step)
            got = len(far.recv(size))
            while got < size:
                got += len(far.recv(size))
        count += BATCH
    return (now - begin) / count * 1e6


@contextmanager
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a TCP connection of this machine."""
    with socket.create_server((HOST, 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    with near, far:
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        yield near, far


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
