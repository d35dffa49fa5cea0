"""Every metric there is: its name, what kind it is, its labels, what it says.

Names and units are those of Prometheus: seconds, bytes, ``_total`` for what only grows. The labels
are bounded: names of proxies, rules and toxics are the user's, all others come from a fixed set.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from txvaurien.metrics.figures import Spread

_TOXIPROXY_LABELS = ("direction", "proxy", "listener", "upstream")


@dataclass(frozen=True)
class Family:
    """One metric.

    :param name: without the ``_total`` of a counter.
    :param labels: in the order of the values of its samples.
    :param exchange: it is there only with ``--metrics``.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ("proxy",)
    exchange: bool = False

    @property
    def full_name(self) -> str:
        """The name that is shown."""
        return f"{self.name}_total" if self.kind == "counter" else self.name


@dataclass(frozen=True)
class Sample:
    """One series of a metric at this moment: a `Spread` for a histogram, a number for all others."""

    labels: tuple[str, ...]
    value: float | Spread


@dataclass(frozen=True)
class Collected:
    """One metric with all of its series."""

    family: Family
    samples: list[Sample] = field(default_factory=list)


INFO = Family("vaurien_info", "gauge", "1; the version of txvaurien", ("version",))
JOURNAL_RECORDS = Family("vaurien_journal_records", "counter", "events that the journal was told of", ())
JOURNAL_DROPPED = Family(
    "vaurien_journal_lines_dropped", "counter", "lines that could not be written to the journal's file", ()
)

PROXY_INFO = Family(
    "vaurien_proxy_info",
    "gauge",
    "1; what the proxy speaks, where it listens and connects to",
    ("proxy", "protocol", "listen", "backend"),
)
LINKS = Family("vaurien_links", "counter", "clients that have connected")
LINKS_OPEN = Family("vaurien_links_open", "gauge", "links that stand")
LINKS_OPAQUE = Family("vaurien_links_opaque", "counter", "links whose stream could not be followed")
BYTES = Family("vaurien_bytes", "counter", "bytes that were received for a direction", ("proxy", "direction"))
EXCHANGES = Family(
    "vaurien_exchanges",
    "counter",
    "to_backend: requests; to_client: messages that servers sent unasked",
    ("proxy", "direction"),
)

FAULTS = Family(
    "vaurien_faults_fired",
    "counter",
    "exchanges that a rule fired on; of the mix, its parts by number",
    ("proxy", "rule", "behavior"),
)
MISFIRED = Family(
    "vaurien_faults_misfired",
    "counter",
    "exchanges that a rule fired on, and what it was to say could not be said there",
    ("proxy", "rule", "behavior"),
)
BROKEN = Family("vaurien_behavior_errors", "counter", "exceptions that behaviors raised")
TOXICS = Family("vaurien_toxics", "gauge", "toxics that the proxy has", ("proxy", "type", "stream"))
TOXIC_LINKS = Family(
    "vaurien_toxic_links",
    "counter",
    "links that a toxic has taken one direction of",
    ("proxy", "toxic", "type", "stream"),
)
TOXIC_LINKS_OPEN = Family("vaurien_toxic_links_open", "gauge", "links that are under a toxic")
ACTIONS = Family("vaurien_actions", "gauge", "1 for each action that stands", ("proxy", "action"))

CONNECT_SECONDS = Family(
    "vaurien_backend_connect_seconds", "histogram", "seconds until the backend took a connection"
)
CONNECT_ERRORS = Family(
    "vaurien_backend_connect_errors",
    "counter",
    "links without a backend: refused, timeout, dns, pool (no place was free in time), other",
    ("proxy", "reason"),
)

ANSWERS = Family(
    "vaurien_exchanges_by_verb",
    "counter",
    "by verb and class of status; proxy: a fault answered; none: nobody, or without a status",
    ("proxy", "verb", "status"),
    exchange=True,
)
BACKEND_SECONDS = Family(
    "vaurien_exchange_backend_seconds",
    "histogram",
    "seconds from a request's way out to the first byte of its reply",
    exchange=True,
)
PROXY_SECONDS = Family(
    "vaurien_exchange_proxy_seconds",
    "histogram",
    "seconds that faults and their turn held a request and its reply back",
    exchange=True,
)

WORKERS = Family("vaurien_workers", "gauge", "worker processes that run")
WORKER_DEATHS = Family("vaurien_worker_deaths", "counter", "worker processes that ended unasked")
EVENTS_LOST = Family("vaurien_events_lost", "counter", "events of workers that the journal was not told of")

RECEIVED = Family(
    "toxiproxy_proxy_received_bytes",
    "counter",
    "as Toxiproxy has it: bytes that came from a client (upstream) or from the backend (downstream)",
    _TOXIPROXY_LABELS,
)
SENT = Family(
    "toxiproxy_proxy_sent_bytes",
    "counter",
    "as Toxiproxy has it: bytes that went to the backend (upstream) or to a client (downstream)",
    _TOXIPROXY_LABELS,
)

#: All of them, in the order in which they are shown.
FAMILIES: tuple[Family, ...] = (
    *(INFO, JOURNAL_RECORDS, JOURNAL_DROPPED, PROXY_INFO),
    *(LINKS, LINKS_OPEN, LINKS_OPAQUE, BYTES, EXCHANGES),
    *(FAULTS, MISFIRED, BROKEN, TOXICS, TOXIC_LINKS, TOXIC_LINKS_OPEN, ACTIONS),
    *(CONNECT_SECONDS, CONNECT_ERRORS),
    *(ANSWERS, BACKEND_SECONDS, PROXY_SECONDS),
    *(WORKERS, WORKER_DEATHS, EVENTS_LOST),
    *(RECEIVED, SENT),
)
