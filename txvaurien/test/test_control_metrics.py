"""GET /metrics."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.test.control_faults import FaultCase
from txvaurien.test.test_imports import imported, within


class MetricsApiTests(FaultCase):
    """The route."""

    def test_text(self) -> None:
        """The text format, with the type that Prometheus expects."""
        client, backend = self.memory.pair()
        client.says(b"GET a\n")
        backend.says(b"OK\n")
        answer = self.client.ask("GET", "/metrics")
        self.assertEqual(answer.status, 200)
        self.assertTrue(answer.headers["content-type"].startswith("text/plain; version="))
        self.assertIn(b'\nvaurien_bytes_total{direction="to_client",proxy="proxy"} 3.0\n', answer.body)

    def test_openmetrics(self) -> None:
        """OpenMetrics for those who accept it."""
        answer = self.client.get("/metrics", Host="localhost", Accept="application/openmetrics-text")
        self.assertTrue(answer.headers["content-type"].startswith("application/openmetrics-text"))
        self.assertTrue(answer.body.endswith(b"# EOF\n"))

    def test_version_that_is_none(self) -> None:
        """Who accepts a version that cannot be gets the text format."""
        accepted = "application/openmetrics-text; version=new"
        answer = self.client.get("/metrics", Host="localhost", Accept=accepted)
        self.assertEqual(answer.status, 200)
        self.assertTrue(answer.headers["content-type"].startswith("text/plain; version="))

    def test_head(self) -> None:
        """HEAD is answered with the same headers, and without a body."""
        answer = self.client.ask("HEAD", "/metrics")
        self.assertEqual((answer.status, answer.body), (200, b""))
        self.assertTrue(answer.headers["content-type"].startswith("text/plain"))
        self.assertGreater(int(answer.headers["content-length"]), 100)

    def test_other_methods(self) -> None:
        """It is only read."""
        self.assertEqual(self.client.ask("POST", "/metrics", {}).status, 405)


class ImportTests(SynchronousTestCase):
    """What it stands on."""

    def test_library(self) -> None:
        """The client library of Prometheus is imported for the first answer, not for the server."""
        program = "import json, sys, txvaurien.control.service; print(json.dumps(list(sys.modules)))"
        modules = imported(program)
        self.assertNotEqual(within(modules, "txvaurien.metrics"), set())
        self.assertEqual(within(modules, "prometheus_client"), set())
