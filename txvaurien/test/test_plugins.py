"""Finding protocols and behaviors."""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints
from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txvaurien import plugins
from txvaurien.behaviors.base import Behavior
from txvaurien.behaviors.delay import Delay
from txvaurien.errors import ConfigError
from txvaurien.interfaces import IBehavior, ISession, IToxic, IWireProtocol
from txvaurien.plugins import Installed, Registry
from txvaurien.protocols.tcp import Tcp
from txvaurien.toxics.latency import Latency


class Verbose(Behavior, frozen=True, kw_only=True):
    """Has an option that every rule has."""

    name: ClassVar[str] = "verbose"
    verb: str = ""


class Counting(Behavior, frozen=True, kw_only=True):
    """Has an option of the name of what every rule counts."""

    name: ClassVar[str] = "counting"
    fired: int = 0


class Streaming(Latency, frozen=True, kw_only=True):
    """Has an option that every toxic has."""

    name: ClassVar[str] = "streaming"
    stream: str = ""


class InstalledTests(SynchronousTestCase):
    """Entry points that nobody has looked up yet."""

    def setUp(self) -> None:
        points = {
            "delay": "txvaurien.behaviors.delay:Delay",
            "away": "no.such.module:Class",
            "verbose": f"{__name__}:Verbose",
        }
        found = [EntryPoint(name, path, "txvaurien.behaviors") for name, path in points.items()]
        self.patch(plugins, "entry_points", lambda: EntryPoints(found))
        self.warned: list[str] = []
        self.patch(plugins, "log", self)
        self.found: Installed[Behavior] = Installed("behaviors", found)

    def warn(self, format: str, **values: object) -> None:
        """In place of the log."""
        self.warned.append(format.format(**values))

    def test_names(self) -> None:
        """The names are there before anything is imported, so nothing is warned of."""
        self.assertEqual(self.found.names(), {"delay", "away", "verbose"})
        self.assertEqual(Registry.load().names("behaviors"), ["away", "delay", "verbose"])
        self.assertEqual(self.warned, [])

    def test_broken(self) -> None:
        """What cannot be imported, or has an option that cannot be, is not there; one warning says why."""
        self.assertIs(self.found["delay"], Delay)
        self.assertEqual(self.warned, [])
        for _ in range(2):
            self.assertNotIn("away", self.found)
            self.assertEqual(list(self.found), ["delay"])
            self.assertEqual(len(self.found), 1)
        self.assertEqual(len(self.warned), 2)
        expected = "the plug-in away (no.such.module:Class) cannot be loaded: No module named 'no'"
        self.assertIn(expected, self.warned)
        self.assertIn("'verb' cannot be an option", "".join(self.warned))

    def test_unknown(self) -> None:
        """The error for a broken one is that for an unknown name, with the names that can be used."""
        error = self.assertRaises(ConfigError, Registry.load().behavior, "away", where="--behavior")
        self.assertIn("there is no behavior 'away'", str(error))
        self.assertIn("the behaviors are: delay", str(error))

    def test_replaced(self) -> None:
        """A class of the user's own stands in for an installed one of that name, which is not imported."""
        self.found["away"] = Delay
        self.assertIs(self.found["away"], Delay)
        self.assertEqual(self.warned, [])
        del self.found["away"]
        del self.found["verbose"]
        self.assertEqual(list(self.found), ["delay"])
        self.assertEqual(self.warned, [])


class RegistryTests(SynchronousTestCase):
    """What is installed can be named."""

    def setUp(self) -> None:
        self.registry = Registry.load()

    def test_ours(self) -> None:
        """Ours are found through their entry points, under their own names."""
        self.assertLessEqual(
            {"abort", "blackout", "delay", "dummy", "error", "hang", "transient"},
            set(self.registry.behaviors),
        )
        self.assertLessEqual({"redis", "tcp"}, set(self.registry.protocols))
        for name, found in {**self.registry.behaviors, **self.registry.protocols}.items():
            self.assertEqual(found.name, name)

    def test_contract(self) -> None:
        """Each keeps to its interface, with all its options at their defaults."""
        for behavior in self.registry.behaviors:
            verifyObject(IBehavior, self.registry.behavior(behavior))
        for name in self.registry.protocols:
            protocol = self.registry.protocol(name)
            verifyObject(IWireProtocol, protocol)
            verifyObject(ISession, protocol.session())

    def test_options(self) -> None:
        """Options are checked."""
        self.assertEqual(self.registry.behavior("delay", {"sleep": "3"}, text=True), Delay(sleep=3.0))
        self.assertEqual(self.registry.protocol("tcp"), Tcp())
        self.assertRaises(ConfigError, self.registry.behavior, "delay", {"slep": 3})

    def test_unknown(self) -> None:
        """An unknown name: an error that lists the names."""
        error = self.assertRaises(ConfigError, self.registry.behavior, "dely", where="--behavior")
        self.assertIn("--behavior: there is no behavior 'dely' (did you mean 'delay'?)", str(error))
        self.assertIn("abort, blackout, delay, dummy, error, hang, tls, transient", str(error))
        error = self.assertRaises(ConfigError, self.registry.protocol, "gopher")
        self.assertIn("tcp", str(error))

    def test_own_class(self) -> None:
        """A class of the user's own is known in this registry and in no other."""
        self.registry.add("behaviors", "mine", "txvaurien.behaviors.hang.Hang", where="x.ini:3: callable")
        self.assertEqual(self.registry.behavior("mine").name, "hang")
        self.assertNotIn("mine", Registry.load().behaviors)

    def test_toxics(self) -> None:
        """Toxics are found as behaviors are, with their attributes."""
        self.assertLessEqual({"latency", "timeout"}, set(self.registry.toxics))
        for name, found in self.registry.toxics.items():
            self.assertEqual(found.name, name)
            verifyObject(IToxic, self.registry.toxic(name))
        self.assertEqual(self.registry.toxic("latency", {"latency": "3"}, text=True), Latency(latency=3))
        error = self.assertRaises(ConfigError, self.registry.toxic, "latncy", where="type")
        self.assertIn("type: there is no toxic 'latncy' (did you mean 'latency'?)", str(error))

    def test_reserved_options(self) -> None:
        """An option that could not be told from a field of a rule or of a toxic is refused, with a reason."""
        for group, name, words in (
            ("behaviors", "Verbose", "'verb' cannot be an option: every rule has it; give it another name"),
            ("behaviors", "Counting", "'fired' cannot be an option: every rule has it"),
            ("toxics", "Streaming", "'stream' cannot be an option: every toxic has it"),
        ):
            path = f"{__name__}.{name}"
            error = self.assertRaises(ConfigError, self.registry.add, group, "mine", path, where="x.ini:3")
            self.assertTrue(str(error).startswith(f"x.ini:3: {words}"), error)
        self.assertNotIn("mine", self.registry.behaviors)

    def test_name_of_another_kind(self) -> None:
        """Faults of two kinds cannot have one name: the first word says which is meant."""
        path = "txvaurien.toxics.latency.Latency"
        error = self.assertRaises(ConfigError, self.registry.add, "toxics", "delay", path, where="x.ini:3")
        self.assertEqual(str(error), "x.ini:3: behavior 'delay' is there already; choose another name")
        path = "txvaurien.behaviors.hang.Hang"
        error = self.assertRaises(ConfigError, self.registry.add, "behaviors", "deaf", path, where="x.ini:3")
        self.assertEqual(str(error), "x.ini:3: action 'deaf' is there already; choose another name")

    def test_own_class_that_is_none(self) -> None:
        """What cannot be imported, or is something else, is named."""
        for path, words in (
            ("no.such.module.Class", "cannot be imported"),
            ("txvaurien.plan.Nothing", "cannot be imported"),
            ("nodots", "cannot be imported"),
            ("txvaurien.plan.Plan", "is not a subclass of txvaurien.behaviors.base.Behavior"),
        ):
            error = self.assertRaises(
                ConfigError, self.registry.add, "behaviors", "mine", path, where="x.ini:3: callable"
            )
            self.assertIn(words, str(error))
            self.assertTrue(str(error).startswith("x.ini:3: callable"), error)
