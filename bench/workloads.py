"""The load generators: each loads one port for a while and says how fast that went.

They are C programs wherever there is a good one, so that what is measured is not the generator.
"""

from __future__ import annotations

import csv
import io
import re
import socket
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass

from bench.backends import BODY_MB, PAGE, VALUE_MB, sysbench
from bench.process import HOST, Failed, output_of, tool

MB = 1 << 20
#: Seconds without a byte after which a stream is given up.
_PATIENCE = 20.0


@dataclass(frozen=True)
class Outcome:
    """What one run gave."""

    #: In the unit of the row.
    value: float
    #: How many messages or MB passed: what processor time is divided by.
    operations: float


@dataclass
class Target:
    """One proxy, as a load generator sees it, over all rounds."""

    port: int
    #: How long a run shall take, about.
    seconds: float
    #: Operations a second in the last run, from which the next one gets its size.
    rate: float = 0.0
    #: This run is thrown away but for its rate.
    warming: bool = False

    def count(self, first: int) -> int:
        """How many operations to do; `first` where nothing is known yet."""
        return max(first, int(self.rate * self.seconds)) if self.rate else first


#: Loads the target once.
Workload = Callable[[Target], Outcome]


def redis(*options: str, first: int = 1000, metric: str = "rps") -> Workload:
    """redis-benchmark with GET and these options.

    :param metric: a column of its CSV: ``rps``, or ``p50_latency_ms``, which is turned into microseconds.
    """

    def run(target: Target) -> Outcome:
        count = target.count(first)
        base = [tool("redis-benchmark", "redis-tools"), "-h", HOST, "-p", str(target.port)]
        text = output_of([*base, "-n", str(count), "-t", "get", "--csv", *options])
        row = redis_row(text)
        target.rate = float(row["rps"])
        value = float(row[metric]) * (1000 if metric.endswith("_ms") else 1)
        return Outcome(value, count)

    return run


def redis_row(text: str) -> dict[str, str]:
    """The one row of redis-benchmark's CSV, which may come after warnings."""
    start = text.find('"test"')
    if start < 0:
        raise Failed(f"redis-benchmark (it must be of Redis 7 or later) printed no table: {text[-300:]}")
    return next(csv.DictReader(io.StringIO(text[start:])))


def wrk(*options: str) -> Workload:
    """wrk with one thread and 64 connections for the small page; requests a second."""

    def run(target: Target) -> Outcome:
        if target.warming:
            return _one_page(target.port)
        # It takes whole seconds.
        seconds = max(1, round(target.seconds))
        base = [tool("wrk", "wrk"), "-t1", "-c64", f"-d{seconds}s", *options]
        text = output_of([*base, f"http://{HOST}:{target.port}/page"])
        if "Socket errors" in text or "Non-2xx" in text:
            raise Failed(f"wrk met errors: {text}")
        count = number(r"(\d+) requests in", text)
        return Outcome(number(r"Requests/sec:\s+([\d.]+)", text), count)

    return run


def _one_page(port: int) -> Outcome:
    with urllib.request.urlopen(f"http://{HOST}:{port}/page", timeout=10) as answer:
        if len(answer.read()) != PAGE:
            raise Failed("the page is not whole")
    return Outcome(1.0, 1)


def number(pattern: str, text: str) -> float:
    """The number that `pattern` finds in what a program printed."""
    found = re.search(pattern, text)
    if found is None:
        raise Failed(f"{pattern!r} is not in what was printed: {text[-300:]}")
    return float(found[1])


def bulk(target: Target) -> Outcome:
    """One connection, read as fast as it comes, for the time given; MB a second."""
    buffer = bytearray(MB)
    with socket.create_connection((HOST, target.port), timeout=_PATIENCE) as client:
        begin = time.perf_counter()
        end = begin + target.seconds
        total = 0
        while time.perf_counter() < end:
            got = client.recv_into(buffer)
            if not got:
                raise Failed("the stream ended")
            total += got
        taken = time.perf_counter() - begin
    return Outcome(total / MB / taken, total / MB)


def redis_value(target: Target) -> Outcome:
    """GET of the large value; MB a second."""
    size = VALUE_MB * MB
    return _download(target, b"*2\r\n$3\r\nGET\r\n$5\r\nlarge\r\n", b"$%d\r\n" % size, size + 2)


def http_body(target: Target) -> Outcome:
    """GET of the large file; MB a second."""
    request = b"GET /large HTTP/1.1\r\nHost: bench\r\n\r\n"
    return _download(target, request, b"\r\n\r\n", BODY_MB * MB)


def _download(target: Target, request: bytes, head_end: bytes, size: int) -> Outcome:
    """Ask once, and read `size` bytes after the head."""
    buffer = bytearray(MB)
    with socket.create_connection((HOST, target.port), timeout=_PATIENCE) as client:
        begin = time.perf_counter()
        client.sendall(request)
        head = b""
        while head_end not in head:
            head += _some(client.recv(65536))
        left = size - len(head.partition(head_end)[2])
        while left:
            left -= len(_some(memoryview(buffer)[: client.recv_into(buffer, min(left, MB))]))
        taken = time.perf_counter() - begin
    return Outcome(size / MB / taken, size / MB)


def mysql(target: Target) -> Outcome:
    """sysbench oltp_read_only with four connections; queries a second."""
    seconds = max(1, round(target.seconds))
    text = output_of([*sysbench(target.port), "--threads=4", f"--time={seconds}", "run"])
    return Outcome(number(r"queries:\s+\d+\s+\(([\d.]+) per sec", text), number(r"queries:\s+(\d+)", text))


def memcache(target: Target) -> Outcome:
    """memcslap of libmemcached with 8 threads, one get after the other; gets a second."""
    each = target.count(2000) // 8
    base = [tool("memcslap", "libmemcached-tools"), f"--servers={HOST}:{target.port}", "--test=get"]
    text = output_of([*base, "--concurrency=8", f"--execute-number={each}"])
    target.rate = 8 * each / number(r"Time to get .*threads:\s+([\d.]+) seconds", text)
    # Each key was set once before.
    return Outcome(target.rate, 9 * each)


def smtp(target: Target) -> Outcome:
    """smtp-source of Postfix with 8 sessions and mails of 4 KB, one a session; mails a second."""
    count = target.count(200)
    program = tool("smtp-source", "postfix")
    begin = time.perf_counter()
    output_of([program, "-s", "8", "-m", str(count), "-l", "4096", f"{HOST}:{target.port}"])
    target.rate = count / (time.perf_counter() - begin)
    return Outcome(target.rate, count)


def _some(data: bytes | memoryview) -> bytes | memoryview:
    if not data:
        raise Failed("the stream ended too early")
    return data
