"""`ChaosFactory`: the proxies of a test, and what is told of them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txvaurien import ChaosFactory, ChaosProxy, ConfigError, ListenError
from txvaurien.embedded.factory import seed_of_test

#: Nothing is there, and nobody connects.
_NOWHERE = "127.0.0.1:1"


class FactoryTests(SynchronousTestCase):
    """Proxies in this process."""

    def factory(self, **settings: object) -> ChaosFactory:
        """One that ends with the test."""
        made = ChaosFactory(7, settings)
        self.addCleanup(made.close)
        return made

    def test_common(self) -> None:
        """All have what they have in common; a call says what is different."""
        factory = self.factory(protocol="redis", rules=["delay name=slow"])
        common = factory(_NOWHERE)
        own = factory(_NOWHERE, "tcp", seed=8, rules=(), name="own")
        self.assertEqual((common.seed, common.name, len(common.plan["rules"])), (7, "proxy", 1))
        self.assertEqual((own.seed, own.name, own.plan["rules"]), (8, "own", []))
        self.assertEqual([common.url[:8], own.url[:6]], ["redis://", "tcp://"])
        self.assertEqual(factory(_NOWHERE).name, "proxy-3")

    def test_not_started(self) -> None:
        """One that cannot be made or started leaves nothing, and is told of as far as it was made."""
        factory = self.factory()
        self.assertRaises(ConfigError, factory, "redis://:6379")
        self.assertEqual(factory.describe(), "")
        first = factory(_NOWHERE)
        self.assertRaises(ListenError, factory, _NOWHERE, listen=first.address)
        self.assertTrue(
            factory.describe().endswith(f"<ChaosProxy proxy-2 (not running) for {_NOWHERE}, seed 7>")
        )

    def test_closed_twice(self) -> None:
        """What was told when it was closed is told afterwards; to close again does nothing."""
        factory = self.factory()
        factory(_NOWHERE, rules=["delay name=slow"])
        before = factory.describe()
        self.assertIn("name=slow", before)
        factory.close()
        factory.close()
        self.assertEqual(factory.describe(), before)

    def test_cannot_be_asked(self) -> None:
        """A proxy that does not answer is told of as far as possible: the test's failure is what counts."""
        factory = self.factory()
        factory(_NOWHERE)

        def fail(proxy: ChaosProxy, since: int = 0, **filters: object) -> None:
            raise RuntimeError("lost")

        self.patch(ChaosProxy, "journal", fail)
        told = factory.describe()
        self.assertIn("seed 7>\n  plan:\n    no faults\n", told)
        self.assertTrue(told.endswith("\n  it cannot be asked for more: RuntimeError: lost"), told)


class SeedTests(SynchronousTestCase):
    """`seed_of_test`."""

    def test_depends(self) -> None:
        """It is always the same for the same names, and another for others or another run."""
        seeds = [
            seed_of_test(7, "a.py", "test"),
            seed_of_test(8, "a.py", "test"),
            seed_of_test(7, "a.py", "test2"),
            seed_of_test(7, "b.py", "test"),
        ]
        self.assertEqual(seeds[0], seed_of_test(7, "a.py", "test"))
        self.assertEqual(len(set(seeds)), 4)
        self.assertTrue(all(0 <= seed < 2**32 for seed in seeds))
