"""Proxies in a file of JSON, as Toxiproxy has it."""

from __future__ import annotations

from pathlib import Path

from txvaurien.config import Settings
from txvaurien.errors import ConfigError
from txvaurien.settings.proxyobjects import is_json, read_objects
from txvaurien.test.registries import Chatty
from txvaurien.test.test_config import ConfigCase

TWO = """\
[
  {
    "name": "one",
    "listen": "localhost:1",
    "upstream": "localhost:9"
  },
  {"name": "two", "listen": "localhost:2", "upstream": "localhost:8",
   "enabled": false, "toxics": [{"type": "latency", "stream": "upstream", "attributes": {"latency": 5}}]}
]
"""


class ReadTests(ConfigCase):
    """`is_json` and `read_objects`."""

    def test_told_by_content(self) -> None:
        """A list of objects is JSON, and what begins with a section is not, whatever stands before."""
        for text in (TWO, "[]", " \n[ \n]", "{}", '\n{"name"'):
            self.assertTrue(is_json(text), text)
        for text in ("", "[vaurien]", "# [{", "[proxy:x]\n{", "; x\n[]"):
            self.assertFalse(is_json(text), text)

    def test_objects(self) -> None:
        """Each object knows in which line it begins."""
        one, two = read_objects(TWO, "F")
        self.assertEqual((one.fields["name"], one.where), ("one", "F:2"))
        self.assertEqual((two.fields["enabled"], two.where), (False, "F:7"))
        self.assertEqual(read_objects("[]", "F"), ())
        places = [each.where for each in read_objects('[{}\n,{}, \n\n {"a": "[{,\\n"}\n,\n{}]', "F")]
        self.assertEqual(places, ["F:1", "F:2", "F:4", "F:6"])

    def test_wrong(self) -> None:
        """What is no list of objects is an error with its line."""
        for text, said in (
            ('[\n{"name": }]', "F:2: this is not JSON (expecting value); write [{"),
            ("[{}]\n\nx", "F:3: this is not JSON (extra data)"),
            ("[{", "F:1: this is not JSON (expecting property name"),
            ('\n{"name": "x"}', "F:2: this is no list of proxies; write [{"),
            ('[\n{},\n\n["x"]]', 'F:4: ["x"] is no proxy'),
            ('[{},\n{"seed": 1, "seed": 2}]', "F:2: seed: it is set twice in one object; say it once"),
        ):
            error = self.assertRaises(ConfigError, read_objects, text, "F")
            self.assertEqual(str(error)[: len(said)], said)


class SettingsTests(ConfigCase):
    """``--config`` with such a file."""

    def json(self, text: str, *arguments: str) -> Settings:
        """Settings from this file and this command line."""
        self.path = self.mktemp()
        Path(self.path).write_text(text, encoding="utf-8")
        return self.load("--config", self.path, *arguments)

    def said(self, text: str, *arguments: str) -> str:
        """What is wrong with them."""
        error = self.assertRaises(ConfigError, self.json, text, *arguments)
        return str(error).replace(self.path, "F")

    def test_proxies(self) -> None:
        """They are there from the start, with their toxics, and no main one."""
        one, two = self.json(TWO).definitions
        self.assertEqual((one.name, one.listen.port, one.backend.port, one.enabled), ("one", 1, 9, True))
        (placed,) = two.plan.toxics
        self.assertEqual((two.enabled, placed.name), (False, "latency_upstream"))
        self.assertEqual(one.places["proxy"], f"{self.path}:2: listen")

    def test_as_toxiproxy(self) -> None:
        """With --no-proxy the control server runs for them; without it there is none."""
        self.assertFalse(self.json(TWO).control)
        self.assertTrue(self.json(TWO, "--no-proxy").control)
        self.assertEqual(self.json("[]", "--no-proxy").definitions, [])

    def test_main(self) -> None:
        """The command line can add a main proxy, which has what it says of rules."""
        settings = self.json(TWO, "--backend=localhost:5", "--rule=delay")
        self.assertEqual([each.name for each in settings.definitions], ["proxy", "one", "two"])
        self.assertEqual(len(settings.definition.plan.rules), 1)
        self.assertIn("--rule: there is no main proxy", self.said(TWO, "--rule=delay"))

    def test_command_line(self) -> None:
        """What a file does not say of limits, seed, workers and protocols is as on the command line."""
        text = (
            '[{"name": "a", "upstream": "h:1", "timeout": 3, "protocol": "chatty", "options": {"keep_alive":'
            ' false}}, {"name": "b", "upstream": "h:1", "limits": {"idle-timeout": 4}, "plan": {"seed": 5}}]'
        )
        common = ("--timeout=6", "--idle-timeout=7", "--seed=8", "--backlog=9", "--workers=2")
        a, b = self.json(text, *common, "--busy-poll=1", "--protocol-chatty-greeting=hi").definitions
        self.assertEqual((a.limits.timeout, a.limits.idle_timeout, a.plan.seed), (3.0, 7.0, 8))
        self.assertEqual((b.limits.timeout, b.limits.idle_timeout, b.plan.seed), (6.0, 4.0, 5))
        self.assertEqual((a.backlog, a.workers, a.busy_poll), (9, 2, 1e-6))
        self.assertEqual(a.protocol, Chatty(greeting="hi", keep_alive=False))

    def test_wrong(self) -> None:
        """Whatever is wrong names the file, the line of the object and the field."""
        for text, said in (
            (
                '[\n{"name": "a", "upstrem": "h:1"}]',
                "F:2: upstrem: there is no field 'upstrem' (did you mean 'u",
            ),
            ('[\n{"upstream": "h:1"}]', "F:2: name: it is missing"),
            ('[{"name": "a", "upstream": "h"}]', "F:1: upstream: 'h' is not an address"),
            ('[{"name": "a", "upstream": "h:1", "options": 3}]', "F:1: options: 3 will not do"),
            (TWO.replace("two", "one"), "F:7: listen: there is a proxy 'one' already; the other is F:2: lis"),
            (TWO.replace("localhost:2", "0.0.0.0:1"), "F:7: listen: the proxy 'one' listens there already"),
        ):
            self.assertEqual(self.said(text)[: len(said)], said)
