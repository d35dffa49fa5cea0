"""Faults as text and JSON: what is taken, what is refused and in which words, there and back."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping
from dataclasses import fields
from ipaddress import ip_address, ip_network
from typing import Annotated, Any, ClassVar

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Meta
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.actions import Action
from txvaurien.behaviors.abort import Abort
from txvaurien.behaviors.base import Behavior
from txvaurien.behaviors.blackout import Blackout
from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.dummy import Dummy
from txvaurien.behaviors.error import Error
from txvaurien.errors import ConfigError
from txvaurien.model import Direction
from txvaurien.plan import PlacedToxic
from txvaurien.planning import faults
from txvaurien.planning.faults import FaultReader, describe_action, describe_rule
from txvaurien.planning.rulefields import RULE_FIELDS, RULE_OPTIONS
from txvaurien.plugins import Registry
from txvaurien.protocols.redis import Redis
from txvaurien.rules import EVERY, Rule, Span
from txvaurien.toxics.base import Stage, Toxic


class Muddy(Toxic, frozen=True, kw_only=True):
    """A toxic with attributes."""

    name: ClassVar[str] = "muddy"
    stages: ClassVar[type[Stage]] = Stage

    mud: Annotated[int, Meta(ge=0, le=9, description="how much")] = 1
    grain_size: Annotated[float, Meta(description="how coarse")] = 0.5
    wet: Annotated[bool, Meta(description="with water")] = False


class Ring(Action, frozen=True, kw_only=True):
    """An action with an option."""

    name: ClassVar[str] = "ring"

    times: Annotated[int, Meta(ge=1, le=9, description="how often")] = 1


BEHAVIORS: dict[str, type[Behavior]] = {each.name: each for each in (Dummy, Delay, Error, Abort, Blackout)}


def reader(defaults: Mapping[str, Mapping[str, object]] | None = None) -> FaultReader:
    """Reads faults for redis."""
    registry = Registry(protocols={"redis": Redis}, behaviors=dict(BEHAVIORS), toxics={"muddy": Muddy})
    return FaultReader(registry, Redis(), defaults or {})


def same(rule: Rule, other: Rule) -> bool:
    """Whether two rules say the same; they are never equal."""
    return all(getattr(rule, each.name) == getattr(other, each.name) for each in fields(Rule))


class FaultCase(SynchronousTestCase):
    """Tests that read faults."""

    def setUp(self) -> None:
        self.patch(faults, "ACTIONS", {"ring": Ring})

    def rule(self, words: str) -> Rule:
        """The rule that is meant by words."""
        rule = reader().read(words, where="--rule")
        assert isinstance(rule, Rule)
        return rule

    def refused(self, words: str, share: float = 1.0) -> str:
        """How words are refused."""
        return str(self.assertRaises(ConfigError, reader().read, words, where="--rule", share=share))


class RuleTests(FaultCase):
    """The fields of a rule."""

    def test_short_form(self) -> None:
        """The first word is the behavior; its options and the rule's own fields follow, in any order."""
        rule = self.rule("error verb=set,DEL kind=readonly target=user:* times=2 after=1 every=3 per=link")
        self.assertEqual(rule.behavior, Error(kind="readonly"))
        self.assertEqual((rule.verbs, rule.target), (frozenset({"SET", "DEL"}), "user:*"))
        self.assertEqual((rule.times, rule.after, rule.every, rule.per), (2, 1, 3, "link"))

    def test_defaults(self) -> None:
        """A rule of which nothing is said is for everything, always."""
        self.assertTrue(same(self.rule("dummy"), Rule(Dummy())))
        self.assertIs(self.rule("dummy").message, EVERY)

    def test_empty(self) -> None:
        """What is empty, as in a form that was not filled in, is for everything."""
        words = "dummy verb= target= status= client= link-age= message= at= name="
        self.assertTrue(same(self.rule(words), Rule(Dummy())))
        lists: dict[str, list[str]] = {name: [] for name in ("verb", "status", "client", "at")}
        self.assertTrue(same(reader().rule({"behavior": "dummy", **lists}, where=""), Rule(Dummy())))

    def test_quotes(self) -> None:
        """Words are quoted as in a shell."""
        rule = self.rule("""error kind=custom text='ERR it is "me"' target="a key" """)
        self.assertEqual(rule.behavior, Error(kind="custom", text='ERR it is "me"'))
        self.assertEqual(rule.target, "a key")

    def test_dashes_and_underscores(self) -> None:
        """Both are taken, in fields of the rule and in options."""
        for words in ("dummy link-age=5..6", "dummy link_age=5..6"):
            self.assertEqual(self.rule(words).link_age, Span(5, 6))

    def test_ages(self) -> None:
        """Older than, younger than, and between."""
        for text, span in (
            (">60", Span(60)), (">=60", Span(60)), ("60..", Span(60)), ("<1.5", Span(0, 1.5)),
            ("..1.5", Span(0, 1.5)), ("10..60.5", Span(10, 60.5)), (" 10 .. 60 ", Span(10, 60)),
        ):  # fmt: skip
            self.assertEqual(self.rule(shlex.join(["dummy", f"link-age={text}"])).link_age, span, text)

    def test_messages(self) -> None:
        """Numbers are whole and from 1; > and < leave out the number itself."""
        for text, span in (
            ("3", Span(3, 3)), ("3..5", Span(3, 5)), (">10", Span(11)), (">=10", Span(10)),
            ("<4", Span(0, 3)), ("<=4", Span(0, 4)), ("3..", Span(3)), ("..3", Span(0, 3)),
        ):  # fmt: skip
            self.assertEqual(self.rule(f"dummy message={text}").message, span, text)

    def test_clients(self) -> None:
        """Addresses and networks, IPv6 with brackets or without."""
        rule = self.rule("dummy client=127.0.0.1,10.0.0.0/8,[::1],fd00::/8")
        self.assertEqual(
            rule.clients,
            tuple(ip_network(each) for each in ("127.0.0.1", "10.0.0.0/8", "::1", "fd00::/8")),
        )
        self.assertIn(ip_address("10.1.2.3"), rule.clients[1])

    def test_exchanges(self) -> None:
        """Links and labels, those of unasked messages and of connecting too."""
        self.assertEqual(self.rule("dummy at=3:17,4:u2,5:0").at, {(3, "17"), (4, "u2"), (5, "0")})

    def test_json(self) -> None:
        """JSON has lists, numbers and nulls where text has commas and digits."""
        rule = reader().rule(
            {
                "behavior": "delay", "before": False, "status": [404, "err*"], "verb": ["get", "set"],
                "message": 3, "times": None, "probability": 0.5, "for": 1.5, "name": "mine", "at": ["1:2"],
            },
            where="body",
        )  # fmt: skip
        self.assertEqual(rule.behavior, Delay(before=False))
        self.assertEqual((rule.status, rule.verbs), (("404", "ERR*"), frozenset({"GET", "SET"})))
        self.assertEqual((rule.message, rule.times, rule.probability), (Span(3, 3), None, 0.5))
        self.assertEqual((rule.lifetime, rule.name, rule.at), (1.5, "mine", {(1, "2")}))

    def test_status_as_number(self) -> None:
        """A single status may be a number."""
        rule = reader().rule({"behavior": "delay", "before": False, "status": 404}, where="body")
        self.assertEqual(rule.status, ("404",))

    def test_json_is_strict(self) -> None:
        """Only in text is "2" a number."""
        error = self.assertRaises(
            ConfigError, reader().rule, {"behavior": "delay", "sleep": "2"}, where="body"
        )
        self.assertEqual(
            str(error),
            "body: sleep: '2' will not do; it must be a number from 0 to 86400, in seconds,"
            " or a time such as 500ms or 1m30s",
        )

    def test_times(self) -> None:
        """What is a number of seconds may have a unit, in text and as a text in JSON."""
        rule = reader().read("delay sleep=500ms jitter=.25 link-age=1.5s..1m30s for=2m", where="")
        assert isinstance(rule, Rule)
        self.assertEqual(rule.behavior, Delay(sleep=0.5, jitter=0.25))
        self.assertEqual((rule.link_age, rule.lifetime), (Span(1.5, 90.0), 120.0))
        for text, span in ((">10s", Span(low=10.0)), ("<.5", Span(high=0.5)), ("..1m", Span(high=60.0))):
            rule = reader().rule({"behavior": "delay", "link-age": text, "for": "5s"}, where="")
            self.assertEqual((rule.link_age, rule.lifetime), (span, 5.0))

    def test_point_first(self) -> None:
        """A number in a text may begin with its point."""
        rule, placed = (
            reader().read(words, where="") for words in ("delay probability=.5", "muddy toxicity=.5")
        )
        assert isinstance(rule, Rule)
        assert isinstance(placed, PlacedToxic)
        self.assertEqual((rule.probability, placed.toxicity), (0.5, 0.5))

    def test_mapped_clients(self) -> None:
        """An IPv4 client may be written as IPv6 writes it, also with its network."""
        for text, network in {
            "::ffff:127.0.0.1": "127.0.0.1/32",
            "[::ffff:10.0.0.1]": "10.0.0.1/32",
            "::ffff:10.1.2.3/104": "10.0.0.0/8",
            "::ffff:0:0/96": "0.0.0.0/0",
            "::/0": "::/0",
            "::1": "::1/128",
        }.items():
            rule = reader().rule({"behavior": "delay", "client": text}, where="")
            self.assertEqual(rule.clients, (ip_network(network),), text)

    def test_behavior_defaults(self) -> None:
        """What was set for a behavior in this process holds where the rule says nothing."""
        read = reader({"delay": {"sleep": 5.0, "jitter": 1.0}}).rule
        rule = read({"behavior": "delay", "sleep": "2"}, where="", text=True)
        self.assertEqual(rule.behavior, Delay(sleep=2.0, jitter=1.0))

    def test_every_field_can_be_named(self) -> None:
        """The declared fields, the reserved names and what is read are the same."""
        values = {
            "verb": "GET", "target": "a", "status": "ERR", "client": "::1", "link-age": ">1", "message": "1",
            "at": "1:1", "probability": "0.5", "after": "1", "times": "1", "every": "2", "per": "link",
            "for": "1", "name": "x",
        }  # fmt: skip
        self.assertEqual([option.name for option in RULE_OPTIONS], list(values))
        self.assertEqual(RULE_FIELDS, {"behavior", *values})
        self.assertTrue(all(option.help for option in RULE_OPTIONS))
        rule = reader().rule({"behavior": "abort", **values}, where="", text=True)
        untouched = [each.name for each in fields(Rule) if getattr(rule, each.name) == each.default]
        self.assertEqual(untouched, [])


class RefusedRuleTests(FaultCase):
    """What is wrong with a rule, and how that is said."""

    def test_unknown_names(self) -> None:
        """Suggestions, and everything that there is."""
        self.assertEqual(
            self.refused("errr"),
            "--rule: there is no fault 'errr' (did you mean 'error'?);"
            " the faults are: abort, blackout, delay, dummy, error, muddy, ring",
        )
        said = self.refused("dummy verbb=GET")
        self.assertTrue(
            said.startswith("--rule: verbb: there is no field 'verbb' (did you mean 'verb'?); "), said
        )
        self.assertIn("the fields of a rule with 'dummy' are: after, at, client, every, for, ", said)
        self.assertIn(
            "there is no kind 'readony' (did you mean 'readonly'?)", self.refused("error kind=readony")
        )

    def test_values(self) -> None:
        """The place, the value, and what is allowed."""
        for words, said in {
            "delay sleep=-1": "sleep: '-1' will not do; it must be a number from 0 to 86400",
            "dummy probability=nan": "probability: 'nan' will not do; it must be a number from 0 to 1",
            "dummy probability=1.5": "probability: '1.5' will not do; it must be a number from 0 to 1",
            "dummy times=x": "times: 'x' will not do; it must be a whole number",
            "dummy every=0": "every: '0' will not do; it must be a whole number from 1 to",
            "dummy per=link2": "per: 'link2' will not do; it must be one of: proxy, link",
            "dummy for=0": "for: '0' will not do; it must be a number from 0.001 to 86400",
            "dummy link-age=old": "link-age: 'old' will not do; write for example >60, <500ms or 10..1m30s",
            "dummy link-age=10": "link-age: '10' is a moment that no link is ever met at; write",
            "dummy link-age=nan..": "link-age: 'nan..' will not do",
            "dummy link-age=..": "link-age: '..' will not do",
            "dummy link-age=1..2..3": "link-age: '1..2..3' will not do",
            "dummy link-age=>1x": "link-age: '>1x' will not do",
            "dummy for=1x": "for: '1x' will not do; it must be a number from 0.001 to 86400, in",
            "dummy for=25h": "for: '25h' will not do",
            "dummy probability=.": "probability: '.' will not do",
            "dummy message=0": "message: '0' will not do; write for example 3, 3..5, >10 or <4; the first",
            "dummy message=1.5": "message: '1.5' will not do",
            "dummy message=5..3": "message: '5..3' is an empty range",
            "dummy message=<1": "message: '<1' is an empty range",
            "dummy client=there": "client: 'there' is neither an address nor a network; write for",
            "dummy at=3": "at: '3' is not LINK:EXCHANGE; write for example 3:17",
            "dummy at=0:1": "at: '0:1' is not LINK:EXCHANGE",
            "dummy at=1:01": "at: '1:01' is not LINK:EXCHANGE",
            "dummy verb=S*": "verb: 'S*' is not a verb; name each verb in full",
            "dummy verb=GET,": "verb: 'GET,' has an empty part",
            "dummy name=a/b": "name: 'a/b' will not do; a name has at most 100 printable characters",
        }.items():
            self.assertIn(f"--rule: {said}", self.refused(words))

    def test_form(self) -> None:
        """What is not the short form at all."""
        for words, said in {
            "": "there is no fault; write for example: error kind=readonly verb=SET",
            "error 'a": '"error \'a" cannot be read (No closing quotation)',
            "error readonly": "'readonly' is not FIELD=VALUE; write for example: error kind=readonly",
            "error =x": "'=x' is not FIELD=VALUE",
            "error kind=oom kind=busy": "kind: it stands twice; say it once",
            "dummy link-age=>1 link_age=>2": "link_age: it stands twice, with - and with _",
        }.items():
            self.assertIn(f"--rule: {said}", self.refused(words))

    def test_only_one_kind(self) -> None:
        """Where a rule is expected only behaviors are suggested; other faults are refused."""
        behaviors = "the behaviors are: abort, blackout, delay, dummy, error"
        for kind, words, said in (
            (Rule, "errr", f"there is no behavior 'errr' (did you mean 'error'?); {behaviors}"),
            (Rule, "muddy mud=2", f"its first word names no behavior; {behaviors}"),
            (PlacedToxic, "mudy", "there is no toxic 'mudy' (did you mean 'muddy'?); the toxics are: muddy"),
            (PlacedToxic, "muddy x", "'x' is not FIELD=VALUE; write for example: latency latency=200"),
            (Action, "muddy", "its first word names no action; the actions are: ring"),
            (Action, "", "there is no fault; write for example: slow_accept delay=100"),
        ):
            error = self.assertRaises(ConfigError, reader().read_only, kind, words, where="w")
            self.assertEqual(str(error), f"w: {said}")

    def test_missing_behavior(self) -> None:
        """A rule without a behavior names those that there are; an empty place is left out."""
        error = self.assertRaises(ConfigError, reader().rule, {"verb": "GET"}, where="")
        self.assertEqual(
            str(error), "behavior: it is missing; the behaviors are: abort, blackout, delay, dummy, error"
        )
        error = self.assertRaises(ConfigError, reader().rule, {"behavior": 5}, where="body")
        self.assertEqual(str(error), "body: behavior: 5 will not do; it must be a text")

    def test_wrong_types_in_json(self) -> None:
        """Neither objects nor numbers are taken for texts."""
        for name, value in (("verb", {"a": 1}), ("target", 5), ("at", [1]), ("name", 1), ("times", True)):
            fields_ = {"behavior": "dummy", name: value}
            error = self.assertRaises(ConfigError, reader().rule, fields_, where="body")
            self.assertTrue(str(error).startswith(f"body: {name}: "), error)

    def test_rules_that_could_never_fire(self) -> None:
        """They are refused at once: a status where there is none yet, a verb where nothing is asked."""
        self.assertIn("--rule: status: 'error' acts before the backend", self.refused("error status=OK"))
        self.rule("delay status=OK before=no")
        for narrowed in ("verb=SET", "target=a*"):
            said = self.refused(f"error kind=max-clients {narrowed}")
            name = narrowed.partition("=")[0]
            self.assertIn(f"--rule: {name}: 'error' acts here when a client connects", said)
        self.rule("error kind=max-clients verb=CONNECT")


class ToxicTests(FaultCase):
    """Toxics."""

    def toxic(self, fields_: Mapping[str, object]) -> PlacedToxic:
        """A toxic from JSON."""
        return reader().toxic(fields_, where="body")

    def test_short_form(self) -> None:
        """As a rule, with the fields of a toxic."""
        placed = reader().read("muddy mud=3 grain-size=2 wet=yes stream=upstream toxicity=0.5", where="")
        assert isinstance(placed, PlacedToxic)
        self.assertEqual(placed.toxic, Muddy(mud=3, grain_size=2.0, wet=True))
        self.assertEqual((placed.direction, placed.toxicity), (Direction.TO_BACKEND, 0.5))
        self.assertEqual(placed.name, "muddy_upstream")

    def test_toxiproxy(self) -> None:
        """The body that Toxiproxy's clients send is taken, and so are flat attributes."""
        body = {
            "name": "m",
            "type": "muddy",
            "stream": "downstream",
            "toxicity": 1.0,
            "attributes": {"mud": 2},
        }
        self.assertEqual(self.toxic(body).toxic, Muddy(mud=2))
        self.assertEqual(self.toxic(body).name, "m")
        self.assertEqual(self.toxic({"type": "muddy", "mud": 2}).toxic, Muddy(mud=2))

    def test_refused(self) -> None:
        """Unknown fields, attributes that are none, and values that will not do."""
        for fields_, said in (
            ({}, "type: it is missing; the toxics are: muddy"),
            (
                {"type": "mudy"},
                "type: there is no toxic 'mudy' (did you mean 'muddy'?); the toxics are: muddy",
            ),
            ({"type": "muddy", "attributes": 3}, "attributes: 3 will not do; it must be an object"),
            ({"type": "muddy", "mud": 1, "attributes": {"mud": 1}}, "mud: it stands twice, in attributes"),
            (
                {"type": "muddy", "attributes": {"mut": 1}},
                "mut: there is no attribute 'mut' (did you mean 'mud'?)",
            ),
            (
                {"type": "muddy", "attributes": {"mud": 10}},
                "mud: '10' will not do; it must be a whole number",
            ),
            (
                {"type": "muddy", "stream": "up"},
                "stream: 'up' will not do; it must be one of: upstream, down",
            ),
            ({"type": "muddy", "toxicity": 2}, "toxicity: '2' will not do; it must be a number from 0 to 1"),
            ({"type": "muddy", "name": 2}, "name: 2 will not do; it must be a text"),
        ):
            error = self.assertRaises(ConfigError, self.toxic, fields_)
            self.assertIn(f"body: {said}", str(error))


class ActionTests(FaultCase):
    """Actions."""

    def test_read(self) -> None:
        """By short form and from JSON, there and back."""
        self.assertEqual(reader().read("ring times=3", where=""), Ring(times=3))
        described = describe_action(Ring(times=3))
        self.assertEqual(described, {"action": "ring", "times": 3})
        self.assertEqual(reader().action(described, where=""), Ring(times=3))

    def test_refused(self) -> None:
        """Unknown names and options."""
        for fields_, said in (
            ({"action": "rung"}, "action: there is no action 'rung' (did you mean 'ring'?)"),
            ({"action": "ring", "time": 1}, "there is no option 'time' (did you mean 'times'?)"),
            ({"action": "ring", "times": 0}, "times: '0' will not do; it must be a whole number from 1 to 9"),
        ):
            error = self.assertRaises(ConfigError, reader().action, fields_, where="body")
            self.assertIn(f"body: {said}" if "option" not in said else said, str(error))


class ShareTests(FaultCase):
    """The share that is said apart from the words."""

    def test_share(self) -> None:
        """The probability of a rule, the toxicity of a toxic."""
        rule = reader().read("dummy", where="", share=0.3)
        placed = reader().read("muddy", where="", share=0.3)
        assert isinstance(rule, Rule) and isinstance(placed, PlacedToxic)
        self.assertEqual((rule.probability, placed.toxicity), (0.3, 0.3))

    def test_refused(self) -> None:
        """Not said twice, and not of an action."""
        for words, said in (
            ("dummy probability=1", "probability: the share has been given already"),
            ("muddy toxicity=1", "toxicity: the share has been given already"),
            ("ring", "'ring' is done to the whole proxy, not to a share"),
        ):
            self.assertIn(f"--rule: {said}", self.refused(words, 0.3))


WORD = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_characters=",*?/"), min_size=1)
VERB = WORD.map(str.upper).filter(lambda verb: verb == verb.upper() and not any(map(str.isspace, verb)))
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
COUNT = st.integers(0, 2**53)
NETWORK = st.one_of(
    st.ip_addresses().map(ip_network),
    st.tuples(st.ip_addresses(v=4), st.integers(0, 32)).map(lambda each: ip_network(each, strict=False)),
    st.tuples(st.ip_addresses(v=6), st.integers(0, 128)).map(lambda each: ip_network(each, strict=False)),
)
SECONDS = st.floats(0.001, 1e9, allow_nan=False)
AGE = st.one_of(
    st.just(EVERY),
    SECONDS.map(Span),
    SECONDS.map(lambda high: Span(0, high)),
    st.tuples(SECONDS, SECONDS).filter(lambda ends: ends[0] < ends[1]).map(lambda ends: Span(*ends)),
)
NUMBER = st.integers(1, 2**40)
MESSAGE = st.one_of(
    st.just(EVERY),
    NUMBER.map(Span),
    NUMBER.map(lambda high: Span(0, high)),
    st.tuples(NUMBER, NUMBER).map(lambda ends: Span(min(ends), max(ends))),
)
LABEL = st.one_of(st.integers(0, 2**40).map(str), st.integers(0, 2**40).map("u{}".format))
NAME = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="/"), max_size=20)
BEHAVIOR = st.one_of(
    st.builds(
        Delay,
        sleep=st.floats(0, 86400),
        jitter=st.floats(0, 86400),
        before=st.just(False),
        distribution=st.sampled_from(["uniform", "normal", "pareto"]),
    ),
    st.builds(Abort, reset=st.booleans(), wait=st.booleans(), linger=st.floats(1e-9, 86400)),
    st.builds(Dummy),
)
RULE = st.builds(
    Rule,
    behavior=BEHAVIOR,
    name=NAME,
    verbs=st.frozensets(VERB, max_size=3),
    target=TEXT,
    status=st.lists(VERB, max_size=3).map(tuple),
    clients=st.lists(NETWORK, max_size=3).map(tuple),
    link_age=AGE,
    message=MESSAGE,
    at=st.frozensets(st.tuples(NUMBER, LABEL), max_size=3),
    probability=st.floats(0, 1),
    after=st.none() | COUNT,
    times=st.none() | COUNT,
    every=st.integers(1, 2**53),
    per=st.sampled_from(["proxy", "link"]),
    lifetime=st.none() | st.floats(0.001, 86400),
)
TOXIC = st.builds(
    PlacedToxic,
    st.builds(Muddy, mud=st.integers(0, 9), grain_size=st.floats(allow_nan=False), wet=st.booleans()),
    st.sampled_from(Direction),
    NAME,
    st.floats(0, 1),
)


def words_of(described: Mapping[str, Any]) -> str:
    """The short form of a rule that was described."""
    texts = {
        name: ",".join(value) if isinstance(value, list) else str(value) for name, value in described.items()
    }
    behavior = texts.pop("behavior")
    return shlex.join([behavior, *(f"{name}={value}" for name, value in texts.items())])


class RoundTripTests(FaultCase):
    """What is described is read again as the same."""

    @settings(deadline=None)
    @given(RULE)
    def test_rules_as_json(self, rule: Rule) -> None:
        """A rule survives JSON."""
        again = reader().rule(json.loads(json.dumps(describe_rule(rule))), where="")
        self.assertTrue(same(rule, again), (rule, again))

    @settings(deadline=None)
    @given(RULE)
    def test_rules_as_text(self, rule: Rule) -> None:
        """A rule survives the short form, whatever has to be quoted."""
        again = reader().read(words_of(describe_rule(rule)), where="")
        assert isinstance(again, Rule)
        self.assertTrue(same(rule, again), (rule, again))

    @settings(deadline=None)
    @given(TOXIC)
    def test_toxics(self, placed: PlacedToxic) -> None:
        """A toxic survives JSON, in Toxiproxy's shape."""
        described = placed.describe()
        self.assertEqual(list(described), ["name", "type", "stream", "toxicity", "attributes"])
        again = reader().toxic(json.loads(json.dumps(described)), where="")
        self.assertEqual(
            (again.toxic, again.direction, again.name, again.toxicity),
            (placed.toxic, placed.direction, placed.name, placed.toxicity),
        )

    def test_brief(self) -> None:
        """Only what a rule was given is said of it, and all options of its behavior."""
        self.assertEqual(
            describe_rule(Rule(Blackout(), name="b", times=0, link_age=Span(60, math.inf))),
            {
                "behavior": "blackout",
                "reset": False,
                "existing": False,
                "name": "b",
                "times": 0,
                "link_age": "60..",
            },
        )
