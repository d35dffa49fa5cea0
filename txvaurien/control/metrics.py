"""The metrics over HTTP: ``GET /metrics``, as Prometheus reads it; see docs/metrics.md."""

from __future__ import annotations

from klein.resource import KleinResource
from twisted.web.iweb import IRequest

from txvaurien.control.app import new_app
from txvaurien.metrics.watcher import Metrics


class MetricsApi:
    """The resource of the metrics, wherever it is mounted."""

    app = new_app()

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def resource(self) -> KleinResource:
        """The resource."""
        return self.app.resource()

    @app.route("/", methods=["GET"])
    async def get(self, request: IRequest) -> bytes:
        """All of them, in the text format, or in that of OpenMetrics for those who accept it."""
        # Its library is heavy, and few need it.
        from txvaurien.metrics.prometheus import render

        accepted = request.getHeader(b"accept") or b""
        body, content_type = render(await self._metrics.collect(), accepted.decode("latin-1"))
        request.setHeader(b"content-type", content_type.encode("ascii"))
        request.setHeader(b"cache-control", b"no-store")
        request.setHeader(b"x-content-type-options", b"nosniff")
        request.setHeader(b"content-length", b"%d" % len(body))
        return body
