"""The plug-in for pytest, in runs of pytest of their own."""

from __future__ import annotations

import importlib
import re
from importlib.metadata import entry_points

from txvaurien.test.children import ECHO, ChildCase
from txvaurien.test.test_imports import imported, within

#: Tests that note the seeds of their proxies.
_SEEDS = """
import os
import pytest

def note(name, *proxies):
    with open(os.environ["SEEDS"], "a") as file:
        for proxy in proxies:
            print(name, proxy.name, proxy.seed, file=file)

@pytest.mark.parametrize("number", [1, 2])
def test_one(vaurien, echo, number):
    note(f"one {number}", vaurien(echo), vaurien(echo))

class TestClass:
    def test_one(self, vaurien, echo):
        note("class", vaurien(echo), vaurien(echo, seed=5))
"""


class ImportTests(ChildCase):
    """pytest imports the plug-in wherever it is installed."""

    def test_nothing_heavy(self) -> None:
        """To import it is to import nothing of Twisted, and nothing else of ours."""
        modules = imported("import json, sys, txvaurien.pytest_plugin; print(json.dumps(list(sys.modules)))")
        self.assertEqual(within(modules, "twisted"), set())
        self.assertEqual(within(modules, "txvaurien"), {"txvaurien", "txvaurien.pytest_plugin"})

    def test_entry_point(self) -> None:
        """pytest finds it by itself."""
        (point,) = [each for each in entry_points(group="pytest11") if each.name == "vaurien"]
        self.assertIs(point.load(), importlib.import_module("txvaurien.pytest_plugin"))

    def test_no_reactor(self) -> None:
        """A test with a proxy installs no reactor."""
        self.write(
            test_it="""
            import socket, sys
            def test_it(vaurien, echo):
                proxy = vaurien(echo)
                with socket.create_connection((proxy.host, proxy.port), timeout=30) as client:
                    client.sendall(b"hello")
                    assert client.recv(5) == b"hello"
                assert "twisted.internet.reactor" not in sys.modules
            """
        )
        self.assertPassed(self.pytest(), 1)


class FactoryTests(ChildCase):
    """The fixture ``vaurien``."""

    def test_teardown(self) -> None:
        """Proxies end with the test, the last one first, though it has failed: ports and threads are gone."""
        self.write(
            test_it="""
            import socket, threading
            import pytest
            ended, made = [], []
            def test_fails(vaurien, echo):
                for name in ("first", "second"):
                    proxy = vaurien(echo, name=name)
                    proxy.before_close(lambda name=name: ended.append(name))
                    made.append(proxy.port)
                raise ValueError
            def test_ended():
                assert ended == ["second", "first"]
                for port in made:
                    with pytest.raises(ConnectionRefusedError):
                        socket.create_connection(("127.0.0.1", port), timeout=30)
                assert not [each for each in threading.enumerate() if "txvaurien" in each.name]
            """
        )
        self.assertEqual(self.outcomes(self.pytest()), {"test_fails": "FAILED", "test_ended": "PASSED"})

    def test_one_cannot_be_closed(self) -> None:
        """The others are closed all the same, and the error is told."""
        self.write(
            test_it="""
            made = []
            def test_closes(vaurien, echo):
                made.append(vaurien(echo))
                def fail():
                    raise RuntimeError("no end")
                vaurien(echo).before_close(fail)
            def test_closed():
                assert not made[0].running
            """
        )
        said = self.pytest()
        self.assertEqual(self.outcomes(said)["test_closed"], "PASSED")
        self.assertIn("RuntimeError: no end", said)

    def test_no_backend(self) -> None:
        """Somebody has to say where the service is."""
        self.write(test_it="def test_it(vaurien): vaurien()")
        self.assertIn("ConfigError: backend: there is none; say where the service is", self.pytest())

    def test_coroutines(self) -> None:
        """A coroutine of asyncio or of trio awaits its proxy, with pytest-asyncio or with anyio."""
        self.write(
            test_it="""
            import anyio, pytest

            async def use(vaurien, echo):
                proxy = await vaurien.awaitable(echo)
                async with proxy.behavior("delay", sleep=0) as fault:
                    async with await anyio.connect_tcp(proxy.host, proxy.port) as client:
                        await client.send(b"hello")
                        assert await client.receive() == b"hello"
                    assert await fault.wait() == 1

            @pytest.mark.asyncio
            async def test_asyncio(vaurien, echo):
                await use(vaurien, echo)

            @pytest.mark.anyio
            @pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
            async def test_anyio(vaurien, echo, anyio_backend):
                await use(vaurien, echo)
            """
        )
        said = self.pytest("-p", "pytest_asyncio.plugin", "-p", "anyio.pytest_plugin")
        self.assertPassed(said, 3)


class MarkerTests(ChildCase):
    """``@pytest.mark.vaurien``."""

    def test_settings(self) -> None:
        """What a marker says holds for all proxies of the test; the nearest one counts, and the call most."""
        self.write(
            test_it="""
            import pytest
            pytestmark = pytest.mark.vaurien(behavior="10:delay", rules=["dummy"])

            def mix(proxy):
                return [(each["percent"], each["name"]) for each in proxy.plan["mix"]]

            @pytest.mark.vaurien(behavior="20:dummy", protocol="redis")
            def test_nearest(vaurien, echo):
                for proxy in (vaurien(echo), vaurien(backend=echo)):
                    assert mix(proxy) == [(20.0, "dummy")]
                    assert len(proxy.plan["rules"]) == 1
                    assert proxy.url.startswith("redis://")

            def test_call(vaurien, echo):
                assert mix(vaurien(echo)) == [(10.0, "delay")]
                assert mix(vaurien(echo, behavior="")) == []

            @pytest.mark.vaurien(backend="redis://localhost:1", protocol="redis")
            def test_places(vaurien, echo):
                assert vaurien().url.startswith("redis://127.0.0.1:")
                assert vaurien(echo, "tcp").url.startswith("tcp://")
            """
        )
        self.assertPassed(self.pytest("--strict-markers"), 3)

    def test_without_names(self) -> None:
        """Arguments have names; the error shows how."""
        self.write(
            test_it="""
            import pytest
            @pytest.mark.vaurien("5:error")
            def test_it(vaurien): pass
            """
        )
        self.assertIn("takes arguments with their names", self.pytest())

    def test_unknown(self) -> None:
        """What there is no such argument of is an error where the proxy is made."""
        self.write(
            test_it="""
            import pytest
            @pytest.mark.vaurien(behaviour="5:error")
            def test_it(vaurien, echo): vaurien(echo)
            """
        )
        self.assertIn("ConfigError: behaviour: there is no", self.pytest())


class SeedTests(ChildCase):
    """``--vaurien-seed``."""

    def seeds(self, *arguments: str, folder: str = ".") -> dict[str, int]:
        """The seeds of a run, by test and proxy, and that of the header as ``run``."""
        path = self.folder / "seeds"
        path.write_text("")
        said = self.pytest(*arguments, folder=folder, SEEDS=str(path))
        header = re.search(r"^vaurien: --vaurien-seed=(\d+)$", said, re.MULTILINE)
        assert header is not None, said
        noted = [line.rpartition(" ") for line in path.read_text().splitlines()]
        return {"run": int(header[1]), **{name: int(seed) for name, _, seed in noted}}

    def setUp(self) -> None:
        super().setUp()
        below = self.folder / "below"
        below.mkdir()
        (below / "conftest.py").write_text(ECHO)
        (below / "test_seeds.py").write_text(_SEEDS)

    def test_again(self) -> None:
        """The seed that the header shows gives each test its own again, also alone, from anywhere."""
        first = self.seeds()
        again = f"--vaurien-seed={first['run']}"
        self.assertEqual(self.seeds(again), first)
        alone = self.seeds(again, "test_seeds.py::TestClass", folder="below")
        self.assertEqual(alone, {name: first[name] for name in ("run", "class proxy", "class proxy-2")})

    def test_each_its_own(self) -> None:
        """Tests have different seeds, the proxies of one have the same; one that is given one has that."""
        seeds = self.seeds("--vaurien-seed=7")
        self.assertEqual(seeds["run"], 7)
        self.assertEqual(seeds["one 1 proxy"], seeds["one 1 proxy-2"])
        self.assertEqual(len({seeds["one 1 proxy"], seeds["one 2 proxy"], seeds["class proxy"]}), 3)
        self.assertEqual(seeds["class proxy-2"], 5)

    def test_processes(self) -> None:
        """With pytest-xdist all processes have the seed that one has drawn."""
        shared = self.seeds("-p", "xdist.plugin", "-n2")
        self.assertEqual(self.seeds(f"--vaurien-seed={shared['run']}"), shared)

    def test_no_number(self) -> None:
        """It is refused as other options are."""
        self.assertIn("argument --vaurien-seed: invalid int value: 'x'", self.pytest("--vaurien-seed=x"))


class ReportTests(ChildCase):
    """What is told of a test that has failed."""

    def sections(self, said: str) -> list[str]:
        """Those of the plug-in."""
        return re.findall(r"^-+ vaurien -+\n(.*?)(?=^[-=_]{3,})", said, re.MULTILINE | re.DOTALL)

    def test_failed(self) -> None:
        """Each proxy's seed, plan and journal, and how to repeat it; of a test that passes nothing."""
        self.write(
            test_it="""
            def test_fails(vaurien, echo):
                first = vaurien(echo, rules=["delay sleep=2 name=slow"])
                first.toxic("latency", latency=3)
                first.kill()
                second = vaurien(echo, seed=11)
                with second.behavior("hang", name="gone"):
                    assert False
            def test_passes(vaurien, echo):
                vaurien(echo)
            """
        )
        (section,) = self.sections(self.pytest("--vaurien-seed=7"))
        self.assertIn("to repeat it: pytest test_it.py::test_fails --vaurien-seed=7\n", section)
        first, second = section.split("<ChaosProxy ")[1:]
        plan, _, journal = first.partition("journal")
        self.assertRegex(first, r"^proxy \(127.0.0.1:\d+\) for 127.0.0.1:\d+, seed \d+>\n")
        self.assertRegex(plan, r"\n    delay sleep=2.0 .*name=slow")
        self.assertRegex(plan, r"\n    latency latency=3 ")
        self.assertRegex(plan, r"\n    disable how=rst")
        self.assertRegex(journal, r"\n    [\d:.]+  proxy  action name=disable ")
        plan, _, journal = second.partition("journal")
        self.assertIn(", seed 11>\n", plan)
        self.assertIn("\n    no faults\n", plan)
        self.assertRegex(journal, r"plan seed=11: hang .*name=gone\n.*plan seed=11: no faults\n")

    def test_closed_before(self) -> None:
        """Of a proxy that the test has closed itself it is told, too; and of one in a process."""
        self.write(
            test_it="""
            import pytest
            @pytest.mark.parametrize("isolation", ["thread", "process"])
            def test_fails(vaurien, echo, isolation):
                with vaurien(echo, rules=["delay name=slow"], isolation=isolation) as proxy:
                    proxy.kill()
                    assert False
            """
        )
        sections = self.sections(self.pytest())
        self.assertEqual(len(sections), 2)
        for section in sections:
            self.assertRegex(section, r"delay .*name=slow")
            self.assertRegex(section, r"journal, .*:\n +[\d:.]+  proxy ")

    def test_other_phases(self) -> None:
        """It is told as well where a fixture fails, before the test or after it."""
        self.write(
            test_it="""
            import pytest
            @pytest.fixture
            def before(vaurien, echo):
                vaurien(echo, name="early")
                raise ValueError
            @pytest.fixture
            def after():
                yield
                raise ValueError
            def test_before(before): pass
            def test_after(after, vaurien, echo):
                vaurien(echo, name="late")
            def test_never_started(vaurien):
                vaurien("127.0.0.1:1", listen="127.0.0.1:1.5")
            """
        )
        early, late = self.sections(self.pytest())
        self.assertIn("<ChaosProxy early ", early)
        self.assertIn("<ChaosProxy late ", late)

    def test_processes(self) -> None:
        """The processes of pytest-xdist tell it, too."""
        self.write(test_it="def test_fails(vaurien, echo):\n    vaurien(echo)\n    assert False")
        (section,) = self.sections(self.pytest("-p", "xdist.plugin", "-n1"))
        self.assertIn("<ChaosProxy proxy ", section)
