"""docs/from-others.md: what stands on the right is run."""

from __future__ import annotations

import re
from textwrap import indent

from txvaurien.test.children import PageCase

#: What the rows of the tables are run with.
_ROWS = """
import redis

def use(proxy):
    with redis.Redis(host=proxy.host, port=proxy.port) as client:
        client.ping()

def standing(proxy):
    plan = proxy.plan
    return [*plan["rules"], *plan["toxics"], *proxy.commands.actions()]
"""

_FAULT = re.compile(r"with proxy\.(?!repoint)")


class FromOthersTests(PageCase):
    """docs/from-others.md."""

    name = "from-others.md"

    def test_blocks(self) -> None:
        """The blocks that are ours are a file of tests."""
        self.write(test_blocks="".join(self.blocks("python here")))
        self.run_tests(5)

    def test_rows(self) -> None:
        """What stands on the right of the tables does something, for its time and no longer."""
        cells = [row.split(" | ")[-1] for row in re.findall(r"^\| (.+) \|$", self.page, re.MULTILINE)]
        codes = [code for cell in cells for code in re.findall(r"`([^`]+)`", cell) if code != "with"]
        self.assertGreater(len(codes), 50)
        self.write(test_rows=_ROWS + "".join(map(self.written, range(len(codes)), codes)))
        self.run_tests(len(codes))

    def written(self, number: int, code: str) -> str:
        """A test that runs one row."""
        return f"def test_{number}(vaurien):\n{indent(self.body_of(code), '    ')}"

    def body_of(self, code: str) -> str:
        """The lines of a test, with a proxy that is there already."""
        begin = f"from txvaurien import chaos_proxy\nproxy = vaurien({self.backend!r}, 'redis')\n"
        if code.startswith("async with"):
            within = indent(f"{code}\n    assert await proxy.links() == []", "    ")
            return f"{begin}import asyncio\nasync def main():\n{within}\nasyncio.run(main())\n"
        if not code.endswith(":"):
            return f"{begin}{code}\n"
        if not _FAULT.match(code):
            return f"{begin}{code}\n    use(proxy)\n"
        return f"{begin}{code}\n    assert standing(proxy)\nassert not standing(proxy)\nuse(proxy)\n"
