"""The rows of the table: which load, before which backend, through which proxies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench import workloads
from bench.backends import BODY_MB, VALUE_MB
from bench.proxies import PEERS, TOXICS
from bench.stats import DIRECT
from bench.workloads import Workload

_TCP = (DIRECT, "ours-tcp", "ours-busy", *PEERS)
_BOTH = (DIRECT, "ours-tcp", "ours-busy", "ours-framed", "ours-framed-busy", *PEERS)
_FRAMED = (DIRECT, "ours-tcp", "ours-framed", "haproxy", "toxiproxy")
_COST = ("ours-framed", "ours-journal", "ours-control", "ours-metrics")


@dataclass(frozen=True)
class Row:
    """One load. `work` is None where idle links are counted and weighed, `links` of them."""

    name: str
    title: str
    unit: str
    backend: str
    work: Workload | None
    proxies: tuple[str, ...]
    #: What the framed modes are told to speak.
    protocol: str = "tcp"
    less_is_better: bool = False
    links: int = 0
    #: Whether the memory of the proxy is worth a column.
    memory: bool = False
    #: Whether it is one of those that `--quick` takes.
    quick: bool = False


_ROWS = (
    Row("bulk", "bulk, one connection", "MB/s", "source", workloads.bulk, _TCP, quick=True),
    Row(
        "redis-c1",
        "redis-benchmark -c 1",
        "requests/s",
        "redis",
        workloads.redis("-c", "1"),
        _BOTH,
        "redis",
        quick=True,
    ),
    Row(
        "redis-c50",
        "redis-benchmark -c 50",
        "requests/s",
        "redis",
        workloads.redis("-c", "50", first=3000),
        _BOTH,
        "redis",
        quick=True,
    ),
    Row(
        "redis-p16",
        "redis-benchmark -c 50 -P 16",
        "requests/s",
        "redis",
        workloads.redis("-c", "50", "-P", "16", first=30_000),
        _BOTH,
        "redis",
        quick=True,
    ),
    Row("wrk", "wrk -c 64, 612 bytes", "requests/s", "web", workloads.wrk(), _BOTH, "http", quick=True),
    Row(
        "connections",
        "new connections a second (wrk -c 64, Connection: close)",
        "connections/s",
        "web",
        workloads.wrk("-H", "Connection: close"),
        _BOTH,
        "http",
        quick=True,
    ),
    Row(
        "idle",
        "memory of an idle link (of 1,000)",
        "KB/link",
        "redis",
        None,
        ("ours-tcp", "ours-framed", *PEERS),
        "redis",
        less_is_better=True,
        links=1000,
        quick=True,
    ),
    Row(
        "idle-10000",
        "memory of an idle link (of 10,000, or as many as descriptors allow)",
        "KB/link",
        "redis",
        None,
        ("ours-tcp", "ours-framed", "haproxy", "nginx", "portforward", "toxiproxy"),
        "redis",
        less_is_better=True,
        links=10_000,
    ),
    Row(
        "mysql",
        "sysbench oltp_read_only, 4 threads",
        "queries/s",
        "mariadb",
        workloads.mysql,
        _FRAMED,
        "mysql",
    ),
    Row(
        "memcache",
        "memcslap get, 8 threads",
        "requests/s",
        "memcached",
        workloads.memcache,
        _FRAMED,
        "memcache",
    ),
    Row("smtp", "smtp-source -s 8, 4 KB a mail", "mails/s", "mail", workloads.smtp, _FRAMED, "smtp"),
    Row(
        "redis-value",
        f"GET of a redis value of {VALUE_MB} MB",
        "MB/s",
        "redis-value",
        workloads.redis_value,
        _FRAMED,
        "redis",
        memory=True,
    ),
    Row(
        "http-body",
        f"HTTP body of {BODY_MB} MB",
        "MB/s",
        "web",
        workloads.http_body,
        _FRAMED,
        "http",
        memory=True,
    ),
    Row(
        "delay5",
        "p50 with 5 % of the requests delayed (redis-benchmark -c 1)",
        "us",
        "redis",
        workloads.redis("-c", "1", metric="p50_latency_ms"),
        ("ours-framed", "ours-delay5"),
        "redis",
        less_is_better=True,
    ),
    Row(
        "toxics-bulk",
        "bulk through each toxic",
        "MB/s",
        "source",
        workloads.bulk,
        ("ours-tcp", *(f"ours-{name}" for name in TOXICS)),
    ),
    Row(
        "toxics-c50",
        "redis-benchmark -c 50 through each toxic",
        "requests/s",
        "redis",
        workloads.redis("-c", "50", first=3000),
        ("ours-tcp", *(f"ours-{name}" for name in TOXICS)),
    ),
    Row(
        "journal",
        "redis-benchmark -c 50 with journal, with control server, with metrics",
        "requests/s",
        "redis",
        workloads.redis("-c", "50", first=3000),
        _COST,
        "redis",
    ),
    Row(
        "journal-links",
        "new connections a second with journal, with control server, with metrics",
        "connections/s",
        "web",
        workloads.wrk("-H", "Connection: close"),
        _COST,
        "http",
    ),
    Row(
        "workers",
        "redis-benchmark -c 50 with two workers",
        "requests/s",
        "redis",
        workloads.redis("-c", "50", first=3000),
        (DIRECT, "ours-tcp", "ours-workers", "ours-framed", "ours-framed-workers"),
        "redis",
    ),
)

ROWS: Mapping[str, Row] = {row.name: row for row in _ROWS}
