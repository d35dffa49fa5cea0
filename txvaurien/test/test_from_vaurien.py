"""docs/from-vaurien.md: what it says of us is done, with a real Redis."""

from __future__ import annotations

import inspect
import re
import shutil
from types import MappingProxyType

from txvaurien import Client, start_proxy
from txvaurien.options import options_of
from txvaurien.plugins import Registry
from txvaurien.test.servers import RedisServer
from txvaurien.test.shellpages import ROOT, PageFollower

#: The arguments of Vaurien's `start_proxy`.
ARGUMENTS = (
    *("proxy_host", "proxy_port", "backend_host", "backend_port", "protocol", "http", "warmup"),
    *("http_host", "http_port", "options", "log_level", "log_output"),
)

#: The options of Vaurien's behaviors, and what the page names besides.
OPTIONS = {
    "delay": {"sleep", "before", "jitter", "distribution"},
    "error": {"inject", "warmup", "kind", "garbage"},
    "transient": {"inject", "warmup", "agitate"},
}

EXAMPLE = ROOT / "docs" / "examples" / "writing" / "lazy.py"


class FromVaurienTests(PageFollower):
    """Commands, files, calls."""

    files = MappingProxyType({"ini": ["vaurien.ini"]})

    def setUp(self) -> None:
        super().setUp()
        self.needs(curl="curl", redis_cli="redis-tools")
        server = RedisServer()
        self.addCleanup(server.stop)
        server.start()
        self.replaced["6379"] = str(server.port)
        self.ports(8000)
        shutil.copy(EXAMPLE, self.folder)

    def test_page(self) -> None:
        """Each command can be given, and says what stands below it."""
        self.assertEqual(self.follow("from-vaurien.md"), 18)

    def test_in_a_test(self) -> None:
        """A test case as one wrote it for Vaurien passes."""
        (block,) = self.blocks("python here")
        port = self.replaced["8000"]
        block = block.replace("start_proxy(", f"start_proxy(proxy_port={port}, log_level='error', ")
        (self.folder / "test_mine.py").write_text(block, encoding="utf-8")
        self.assertIn("Ran 1 test", self.says("python -W error -m unittest test_mine"))

    def test_signatures(self) -> None:
        """What is called in a test takes what it took, in the same order."""
        known = list(inspect.signature(start_proxy).parameters)
        self.assertEqual(known[: len(ARGUMENTS)], list(ARGUMENTS))
        self.assertEqual(list(inspect.signature(Client).parameters)[:3], ["host", "port", "scheme"])

    def test_not_started(self) -> None:
        """A proxy that does not start is a ValueError, with what it had said."""
        port = int(self.replaced["8000"])
        error = self.assertRaises(ValueError, start_proxy, proxy_port=port, http=False, protocol="nonsense")
        self.assertIn("there is no protocol 'nonsense'", str(error))

    def test_behaviors(self) -> None:
        """The options in the table of behaviors are there."""
        _, _, table = self.page("from-vaurien.md").partition("## Behaviors\n")
        registry = Registry.load()
        for name, options in OPTIONS.items():
            self.assertIn(f"| `{name}`", table)
            self.assertLessEqual(options, {each.name for each in options_of(registry.behaviors[name])})

    def test_example(self) -> None:
        """The behavior of the page is that of the file."""
        (block,) = self.blocks("python example")
        self.assertIn(block, EXAMPLE.read_text(encoding="utf-8"))

    def test_options(self) -> None:
        """Each option in the table of the command line is taken as the table says."""
        _, _, table = self.page("from-vaurien.md").partition("## The command line")
        rows = re.findall(r"^\| (.+?) \| .* \| (.*) \|$", table.partition("## The file")[0], re.MULTILINE)
        self.assertEqual(len(rows), 11)
        for options in ("--sync", "--async-mode", "--bufsize 8192", "--protocol-redis-reuse-socket"):
            self.assertIn("does nothing any more", self.says(f"vaurien {options} --dry-run"))
        gone = self.says("vaurien --statsd.enabled --dry-run", failing=True)
        self.assertIn("statsd.enabled", gone)
        said = self.says("vaurien --statsd localhost:8125 --pool-max-size 100 --idle-timeout 30 --dry-run")
        self.assertIn("StatsD at localhost:8125", said)

    def test_precedence(self) -> None:
        """The command line beats the file."""
        (self.folder / "one.ini").write_text("[vaurien]\nprotocol = redis\nseed = 1\n", encoding="utf-8")
        said = self.says("vaurien --config one.ini --seed 2 --dry-run")
        self.assertIn("protocol redis, seed 2", said)

    def blocks(self, kind: str) -> list[str]:
        """The fenced blocks of a kind."""
        return re.findall(rf"^```{kind}\n(.*?)^```", self.page("from-vaurien.md"), re.MULTILINE | re.DOTALL)
