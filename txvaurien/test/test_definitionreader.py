"""Definitions from JSON objects."""

from __future__ import annotations

from typing import Any

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.errors import ConfigError
from txvaurien.net.ends import Ends
from txvaurien.options import values_of
from txvaurien.plan import Plan
from txvaurien.planning.faults import describe_plan
from txvaurien.plugins import Registry
from txvaurien.process.definition import Definition
from txvaurien.process.definitionreader import DefinitionReader, MissingField
from txvaurien.process.limits import Limits
from txvaurien.test.registries import registry

REDIS: dict[str, object] = {"name": "redis", "upstream": "localhost:6379"}


class ReaderCase(SynchronousTestCase):
    """Reads definitions."""

    def setUp(self) -> None:
        self.reader = DefinitionReader(registry())

    def read(self, where: str = "", known_only: bool = True, **fields: object) -> Definition:
        """A definition of what is needed, and these fields."""
        return self.reader.read({**REDIS, **fields}, where=where, known_only=known_only)

    def wrong(self, where: str = "", known_only: bool = True, **fields: object) -> ConfigError:
        """The error of such a definition."""
        error: ConfigError = self.assertRaises(ConfigError, self.read, where, known_only, **fields)
        return error


class FieldsTests(ReaderCase):
    """What is read."""

    def test_least(self) -> None:
        """A name and an upstream are enough: tcp, on a free port of loopback, enabled, no fault."""
        made = self.read()
        self.assertEqual((made.name, made.backend.text), ("redis", "localhost:6379"))
        self.assertEqual((made.listen.host, made.listen.port), ("127.0.0.1", 0))
        self.assertEqual((made.protocol.name, made.enabled, made.plan), ("tcp", True, Plan()))
        self.assertEqual(made.limits, Limits())

    def test_empty_listen_is_none(self) -> None:
        """An empty listen is any port of loopback, as some clients send it for what was not given."""
        self.assertEqual(self.read(listen="").listen.host, "127.0.0.1")

    def test_all(self) -> None:
        """Every field is taken."""
        made = self.read(
            listen="127.0.0.1:7000",
            enabled=False,
            toxics=[{"type": "latency", "attributes": {"latency": 5}}],
            protocol="chatty",
            options={"greeting": "hi"},
            plan={"mix": "5:error", "rules": ["delay sleep=1"]},
            seed=7,
            timeout=5,
            pool_max_size=3,
        )
        self.assertEqual((made.listen.port, made.enabled), (7000, False))
        self.assertEqual(values_of(made.protocol), {"keep_alive": True, "greeting": "hi"})
        self.assertEqual([each.name for each in made.plan.toxics], ["latency_downstream"])
        self.assertEqual((made.plan.mix_text, len(made.plan.rules), made.plan.seed), ("5:error", 1, 7))
        self.assertEqual((made.limits.timeout, made.limits.pool_max_size), (5.0, 3))

    def test_defaults_of_behaviors(self) -> None:
        """What was set for a behavior at the start holds in a plan that does not say it."""
        reader = DefinitionReader(registry(), {"delay": {"sleep": 9.0}})
        made = reader.read({**REDIS, "plan": {"rules": ["delay"]}})
        self.assertEqual(describe_plan(made.plan)["rules"][0]["sleep"], 9.0)

    def test_given_out_and_taken_in(self) -> None:
        """What GET gives of a proxy makes the same proxy again."""
        toxics = [{"type": "latency", "attributes": {"latency": 5, "jitter": 0}}]
        first = self.read(toxics=toxics, seed=3, idle_timeout=60)
        plan = {**describe_plan(first.plan), "seed": 3}
        again = self.read(
            listen=first.listen.text,
            enabled=True,
            toxics=plan["toxics"],
            protocol="tcp",
            options={},
            plan=plan,
            links=4,
            main=False,
            limits=values_of(first.limits),
        )
        self.assertEqual(describe_plan(again.plan), describe_plan(first.plan))
        self.assertEqual((again.plan.seed, again.limits), (3, first.limits))


class WrongTests(ReaderCase):
    """What is said of what cannot be."""

    def test_missing(self) -> None:
        """A name and an upstream are needed, and the error knows which is missing; empty is missing."""
        for field in ("name", "upstream"):
            for fields in ({**REDIS, field: ""}, {each: REDIS[each] for each in REDIS if each != field}):
                error = self.assertRaises(MissingField, self.reader.read, fields, where="[2]")
                self.assertEqual((error.field, error.where), (field, f"[2]: {field}"))

    def test_places(self) -> None:
        """Each error names its field, below the place that was given."""
        wrong: dict[str, dict[str, Any]] = {
            "name": {"name": "a/b"},
            "listen": {"listen": "nowhere"},
            "upstream": {"upstream": "nowhere"},
            "enabled": {"enabled": "yes"},
            "toxics": {"toxics": {}},
            "toxics[0].type": {"toxics": [{"type": "latenzy"}]},
            "toxics[0].latency": {"toxics": [{"type": "latency", "attributes": {"latency": -1}}]},
            "protocol": {"protocol": "redys"},
            "options": {"protocol": "chatty", "options": {"mood": 1}},
            "options.keep_alive": {"protocol": "chatty", "options": {"keep_alive": 5}},
            "plan.mix": {"plan": {"mix": "101:error"}},
            "plan.rules[0].behavior": {"plan": {"rules": [{"behavior": "eror"}]}},
            "plan.modes": {"plan": {"modes": []}},
            "plan": {"plan": []},
            "seed": {"seed": 2**63},
            "plan.seed": {"plan": {"seed": -(2**63) - 1}},
            "limits.idle_timeou": {"limits": {"idle_timeou": 5}},
            "timeout": {"timeout": 0},
            "upstrem": {"upstrem": "x"},
        }
        for place, fields in wrong.items():
            self.assertEqual(self.wrong(**fields).where, place)
            self.assertEqual(self.wrong("f.json: [1]", **fields).where, f"f.json: [1]: {place}")

    def test_seed(self) -> None:
        """A seed is a whole number of 64 bits."""
        for seed in (-(2**63), 2**63 - 1):
            self.assertEqual(self.read(seed=seed).plan.seed, seed)
        for wrong in (1.5, True, "7", 2**63, -(2**63) - 1, int("9" * 3000)):
            error = self.wrong(seed=wrong)
            self.assertEqual(error.where, "seed")
            self.assertLess(len(str(error)), 200)

    def test_unknown_field_is_refused(self) -> None:
        """An unknown field is refused, with those that there are and a guess."""
        error = self.wrong(enabeld=True)
        self.assertIn("did you mean 'enabled'?", error.what)
        self.assertIn("upstream", error.allowed)

    def test_two_toxics_of_one_name(self) -> None:
        """Two toxics of one name are refused."""
        self.assertEqual(self.wrong(toxics=[{"type": "latency"}] * 2).where, "toxics")

    def test_said_twice(self) -> None:
        """What stands in the plan and beside it has to be the same."""
        self.assertEqual(self.wrong(seed=1, plan={"seed": 2}).where, "seed")
        plan = {"toxics": ["pause"]}
        self.assertEqual(self.wrong(toxics=[{"type": "latency"}], plan=plan).where, "toxics")
        self.assertEqual(self.wrong(timeout=1, limits={"timeout": 2}).where, "timeout")


class EndsTests(ReaderCase):
    """How clients and the backend are spoken to."""

    def test_flat(self) -> None:
        """Each has a field of its own, with dashes or without."""
        fields = {
            **REDIS,
            "tls": "auto",
            "send-proxy": "v2",
            "accept_proxy": True,
            "backend_tls_verify": False,
        }
        made = self.reader.read(fields)
        ends = Ends(tls="auto", send_proxy="v2", accept_proxy=True, backend_tls_verify=False)
        self.assertEqual(made.ends, ends)
        self.assertEqual(self.read().ends, Ends())

    def test_files(self) -> None:
        """They can be named by whoever starts the process, and errors of the start say where that was."""
        fields = {**REDIS, "tls": "x.pem", "backend-tls-ca": "y"}
        made = self.reader.read(fields, where="f.json:3", files=True)
        self.assertEqual(made.ends, Ends(tls="x.pem", backend_tls_ca="y"))
        self.assertEqual(made.places["backend-tls-ca"], "f.json:3: backend_tls_ca")
        self.assertEqual(self.wrong(tls="x.pem").where, "tls")

    def test_auto_is_no_file(self) -> None:
        """Only of a certificate does `auto` mean that there is no file."""
        for name in ("tls-key", "backend_tls_ca", "backend_tls_cert", "backend_tls_key"):
            error: Any = self.assertRaises(ConfigError, self.reader.read, {**REDIS, name: "auto"})
            self.assertEqual(error.where, name)
            self.assertEqual(self.reader.read({**REDIS, name: None}).ends, Ends())


class TolerantTests(ReaderCase):
    """What Toxiproxy's clients send."""

    def test_unknown_fields_pass_with_a_warning(self) -> None:
        """An unknown field, in a toxic and its attributes too, is left out, and the log says so."""
        toxic = {"type": "latency", "colour": 1, "attributes": {"latency": 5, "latenzy": 6}}
        with capturedLogs() as said:
            made = self.read(known_only=False, Upstream="x:1", toxics=[toxic])
        self.assertEqual(made.plan.toxics[0].describe()["attributes"]["latency"], 5)
        self.assertEqual([event["name"] for event in said], ["Upstream", "colour", "latenzy"])

    def test_null_is_nothing(self) -> None:
        """Null is as if nothing were said."""
        nothing: dict[str, Any] = dict.fromkeys(("listen", "enabled", "toxics", "plan", "seed", "timeout"))
        with capturedLogs() as said:
            self.assertEqual(self.read(known_only=False, **nothing), self.read())
        toxic = {"type": "latency", "stream": None, "toxicity": None, "attributes": None}
        made = self.read(known_only=False, toxics=[toxic]).plan.toxics[0]
        self.assertEqual((made.stream, made.toxicity), ("downstream", 1.0))
        self.assertEqual(list(said), [])

    def test_whole_numbers_with_a_point(self) -> None:
        """1000.0 is taken where a whole number is meant, for every attribute of all toxics; 1000.5 is not."""
        reader, toxics = DefinitionReader(Registry.load()), Registry.load().toxics
        for name, declared in toxics.items():
            for attribute, value in values_of(declared()).items():
                if type(value) is int:
                    said = [{"type": name, "attributes": {attribute: 1000.0}}]
                    made = reader.read({**REDIS, "toxics": said}, known_only=False).plan.toxics[0]
                    found = made.describe()["attributes"][attribute]
                    self.assertEqual((found, type(found)), (1000, int), (name, attribute))
        said = [{"type": "latency", "attributes": {"latency": 1000.5}}]
        self.assertEqual(self.wrong("", known_only=False, toxics=said).where, "toxics[0].latency")

    def test_stream_in_any_case(self) -> None:
        """A stream may be written in capitals, as Toxiproxy takes it."""
        made = self.read(known_only=False, toxics=[{"type": "latency", "stream": "Upstream"}])
        self.assertEqual(made.plan.toxics[0].name, "latency_upstream")

    def test_wrong_values_are_wrong(self) -> None:
        """What cannot be is refused all the same."""
        wrong: list[dict[str, Any]] = [
            {"toxics": [{"type": "x"}]},
            {"toxics": [{}]},
            {"enabled": 1},
            {"listen": "x"},
        ]
        for fields in wrong:
            self.wrong("", known_only=False, **fields)
