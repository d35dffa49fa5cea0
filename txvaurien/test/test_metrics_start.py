"""The options of the metrics, and what a process makes of them."""

from __future__ import annotations

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.config import load
from txvaurien.errors import ConfigError
from txvaurien.metrics.statsd import StatsdService
from txvaurien.tap import VaurienService
from txvaurien.test.registries import registry


def service(*arguments: str) -> VaurienService:
    """What a command line makes; it has not started."""
    settings = load(["--backend=127.0.0.1:9", *arguments], registry(), {})
    return VaurienService(settings, MemoryReactorClock())


class StartTests(SynchronousTestCase):
    """`VaurienService`, as far as it is about metrics."""

    def started(self, *arguments: str) -> VaurienService:
        """A service that runs until the test ends."""
        made = service("--proxy=127.0.0.1:0", "--http-port=0", *arguments)
        made.proxies.startService()
        self.addCleanup(made.proxies.stopService)
        return made

    def test_nobody_reads(self) -> None:
        """Where nobody would read them nothing is measured."""
        made = self.started()
        self.assertIsNone(made.metrics)
        self.assertIsNone(made.proxies.main.proxy.meter)

    def test_control(self) -> None:
        """With the control server proxies are measured, but not their exchanges."""
        meter = self.started("--http").proxies.main.proxy.meter
        assert meter is not None
        self.assertFalse(meter.exchanges)

    def test_exchanges(self) -> None:
        """--metrics has exchanges noted, too."""
        meter = self.started("--http", "--metrics").proxies.main.proxy.meter
        assert meter is not None
        self.assertTrue(meter.exchanges)

    def test_statsd(self) -> None:
        """--statsd needs no control server."""
        made = self.started("--statsd=127.0.0.1:9", "--metrics")
        (statsd,) = [each for each in made if isinstance(each, StatsdService)]
        self.addCleanup(statsd.stopService)
        self.assertIsNone(made.control_service)
        self.assertIsNotNone(made.proxies.main.proxy.meter)

    def test_for_nobody(self) -> None:
        """--metrics that nobody would read is an error, and says what to add."""
        error = self.assertRaises(ConfigError, service, "--metrics")
        self.assertEqual(str(error), "--metrics: nobody would read them; add --http, or --statsd HOST:PORT")

    def test_wrong_address(self) -> None:
        """An address of StatsD that is none is an error of the option."""
        error = self.assertRaises(ConfigError, service, "--statsd=a:b")
        self.assertTrue(str(error).startswith("--statsd: 'a:b' will not do"), error)
