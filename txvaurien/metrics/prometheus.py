"""The metrics as Prometheus reads them, written by its client library.

Imported for the first ``GET /metrics``, and not before: nobody else needs that library.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from txvaurien.metrics.families import Collected, Family, Sample
from txvaurien.metrics.figures import BOUNDS, Spread


class _Collector(Collector):
    """What has been collected, in the library's own words."""

    def __init__(self, collected: Iterable[Collected]) -> None:
        self._collected = collected

    def collect(self) -> Iterator[Metric]:
        """Each metric."""
        for each in self._collected:
            yield _metric(each.family, each.samples)


def render(collected: Iterable[Collected], accept: str = "") -> tuple[bytes, str]:
    """All metrics, with those of the process.

    :param accept: the header of the request: OpenMetrics where it is asked for, else the text format.
    :return: the text, and its content type.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(collected))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    try:
        encode, content_type = choose_encoder(accept)
    except (TypeError, ValueError):
        # The library compares versions as numbers, and they may be anything.
        encode, content_type = choose_encoder("")
    return encode(registry), content_type


def _metric(family: Family, samples: Sequence[Sample]) -> Metric:
    if family.kind == "histogram":
        return _histogram(family, samples)
    made = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric = made(family.name, family.help, labels=family.labels)
    for sample in samples:
        assert not isinstance(sample.value, Spread)
        metric.add_metric(sample.labels, sample.value)
    return metric


def _histogram(family: Family, samples: Sequence[Sample]) -> Metric:
    metric = HistogramMetricFamily(family.name, family.help, labels=family.labels)
    for sample in samples:
        assert isinstance(sample.value, Spread)
        metric.add_metric(sample.labels, list(_buckets(sample.value)), sample.value.sum)
    return metric


def _buckets(spread: Spread) -> Iterator[tuple[str, float]]:
    """Each upper end, and how many were not longer."""
    up_to = 0
    for end, count in zip((*BOUNDS, float("inf")), spread.counts, strict=True):
        up_to += count
        yield "+Inf" if end == float("inf") else str(end), up_to
