"""docs/control.md: what stands there can be used as it stands there."""

from __future__ import annotations

import ast
import importlib
import json
import re
import shlex

from txvaurien.ctl import commands as ctlcommands
from txvaurien.ctl import parser as ctlparser
from txvaurien.test.control_faults import FaultCase
from txvaurien.test.test_fault_docs import DocsCase


class PageTests(DocsCase):
    """Commands and blocks."""

    def setUp(self) -> None:
        self.text = self.page("control.md")

    def test_vaurienctl(self) -> None:
        """Every vaurienctl command is one."""
        lines = re.findall(r"^    (?:cat .* \| )?vaurienctl (.*?)(?: > .*)?$", self.text, re.MULTILINE)
        self.assertGreater(len(lines), 30)
        for line in lines:
            chosen, rest = ctlparser.make_parser().parse_known_args(shlex.split(line))
            self.assertTrue(chosen.run is ctlcommands.set_behavior or not rest, line)

    def test_python(self) -> None:
        """What is Python is Python; what it imports is there."""
        (block,) = self.blocks(self.text, "python")
        imports = [node for node in ast.parse(block).body if isinstance(node, ast.ImportFrom)]
        self.assertTrue(imports)
        for node in imports:
            module = importlib.import_module(node.module or "")
            for each in node.names:
                self.assertTrue(hasattr(module, each.name), f"{node.module}.{each.name}")


class JsonTests(FaultCase, DocsCase):
    """The bodies in the tables of docs/control.md."""

    def bodies(self, path: str) -> list[object]:
        """Those in the row of a request."""
        (row,) = re.findall(rf"^\| `{re.escape(path)}`.* \| (.*) \|$", self.page("control.md"), re.MULTILINE)
        found = re.findall(r"`(\{[^`…]*\})`", row)
        self.assertTrue(found, path)
        return [json.loads(each) for each in found]

    def test_bodies(self) -> None:
        """Each is taken."""
        for body in self.bodies("PUT /behavior"):
            self.ask("PUT", "/behavior", body)
        for body in self.bodies("PUT /plan"):
            self.ask("PUT", "/plan", body)
        self.ask("POST", "/reset", status=204)
        for number, body in enumerate(self.bodies("POST /rules")):
            # The kind is one of Redis.
            said = json.loads(json.dumps(body).replace("readonly", "any").replace("kind=any ", ""))
            self.ask("POST", f"/rules?position={number}", said, 201)
        for body in self.bodies("POST /toxics"):
            self.ask("POST", "/toxics", body)
            self.ask("DELETE", "/toxics/latency_downstream", status=204)
        self.ask("POST", "/toxics", {"type": "latency"})
        for body in self.bodies("PATCH /toxics/NAME"):
            self.ask("PATCH", "/toxics/latency_downstream", body)
        for body in self.bodies("POST /actions"):
            self.ask("POST", "/actions", body)
        self.ask("DELETE", "/actions/kill_idle")
