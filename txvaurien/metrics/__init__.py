"""Metrics: what proxies count and measure, for Prometheus (``GET /metrics``) and StatsD (``--statsd``).

- `families`: every metric there is, with its labels.
- `figures`: what one process knows of one proxy, as plain values that can be added up.
- `meter`: what is noted while traffic flows; `exchanges` is how a link notes it.
- `watcher`: all proxies of the process.
- `prometheus`: the text for ``GET /metrics``. For StatsD see `txvaurien.metrics.statsd`.
"""
