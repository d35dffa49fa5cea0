"""The plug-in for pytest: the fixture ``vaurien``, the marker of that name, and ``--vaurien-seed``.

pytest imports it wherever txvaurien is installed, so it imports nothing but pytest until a test asks for a
proxy, and never a reactor.
"""

from __future__ import annotations

import shlex
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from txvaurien.embedded.factory import ChaosFactory

_MARKER = "vaurien"
_SEED = pytest.StashKey[int]()
_FACTORY = pytest.StashKey["ChaosFactory"]()

#: How the seed comes to the processes of pytest-xdist.
_WORKER_INPUT = "vaurien_seed"


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--vaurien-seed``."""
    parser.getgroup("vaurien", "txvaurien: faults between a test and a service").addoption(
        "--vaurien-seed",
        type=int,
        metavar="N",
        help="what all faults of the run are drawn from; by default drawn, and shown in the header",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Draw the seed, if the run has none, and make the marker known."""
    config.addinivalue_line(
        "markers",
        f"{_MARKER}(**settings): arguments of txvaurien.chaos_proxy for the proxies that the test makes"
        ' with the fixture vaurien, such as behavior="5:error" or isolation="process"',
    )
    config.stash[_SEED] = _seed_of_run(config)


def pytest_report_header(config: pytest.Config) -> str:
    """The seed, to be used again."""
    return f"vaurien: --vaurien-seed={config.stash[_SEED]}"


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """All processes of pytest-xdist have one seed."""
    node.workerinput[_WORKER_INPUT] = node.config.stash[_SEED]


@pytest.fixture
def vaurien(request: pytest.FixtureRequest) -> Iterator[ChaosFactory]:
    """Makes proxies for the test: ``proxy = vaurien("redis://localhost:6379", protocol="redis")``.

    They end with the test, the last one first.
    """
    from txvaurien.embedded.factory import ChaosFactory, seed_of_test

    seed = seed_of_test(request.config.stash[_SEED], *_names(request.node))
    factory = ChaosFactory(seed, _marked(request.node))
    request.node.stash[_FACTORY] = factory
    try:
        yield factory
    finally:
        factory.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """Have the proxies of a test that failed tell what they did."""
    outcome = yield
    report: pytest.TestReport = outcome.get_result()
    factory = item.stash.get(_FACTORY, None)
    if report.failed and factory is not None:
        told = factory.describe()
        if told:
            report.sections.append(("vaurien", f"{_again(item)}\n{told}"))


def _seed_of_run(config: pytest.Config) -> int:
    worker: dict[str, int] = getattr(config, "workerinput", {})
    given: int | None = worker.get(_WORKER_INPUT, config.getoption("--vaurien-seed"))
    if given is not None:
        return given
    from txvaurien.planning.seeds import new_seed

    return new_seed()


def _names(item: pytest.Item) -> list[str]:
    """The file, the class and the function, with its parameters.

    The node id will not do: what it begins with depends on which files are named on the command line.
    """
    file = item.path.name
    return [file, *(node.name for node in item.listchain() if isinstance(node, (pytest.Class, pytest.Item)))]


def _marked(item: pytest.Item) -> dict[str, Any]:
    """What the markers say, each argument as the nearest one has it."""
    settings: dict[str, Any] = {}
    for marker in item.iter_markers(_MARKER):
        if marker.args:
            raise pytest.UsageError(
                f"{item.nodeid}: the marker {_MARKER} takes arguments with their names,"
                f' such as @pytest.mark.{_MARKER}(behavior="5:error"), not {marker.args[0]!r}'
            )
        settings = {**marker.kwargs, **settings}
    return settings


def _again(item: pytest.Item) -> str:
    return f"to repeat it: pytest {shlex.quote(item.nodeid)} --vaurien-seed={item.config.stash[_SEED]}"
