"""The mix of a plan as JSON: what GET /behavior says and what PUT /behavior takes."""

from __future__ import annotations

from typing import ClassVar

from txvaurien.behaviors.base import Behavior
from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.error import Error
from txvaurien.control.security import AllowedHosts, Guard
from txvaurien.plan import Plan
from txvaurien.planning.mix import Share
from txvaurien.rules import Rule
from txvaurien.test.control_helpers import ControlCase, RawClient, api, guarded, registry


class Patient(Behavior, frozen=True, kw_only=True):
    """Has an option of two words."""

    name: ClassVar[str] = "patient"
    how_long: float = 1.0


class GetBehaviorTests(ControlCase):
    """GET /behavior."""

    def test_a_single_behavior(self) -> None:
        """The name is where Vaurien said it; the options, the mix and the seed stand beside it."""
        self.proxy.set_plan(Plan.only(Delay(sleep=2.5, before=False)))
        options = {"sleep": 2.5, "before": False, "jitter": 0.0, "distribution": "uniform"}
        expected = {
            "behavior": "delay",
            "options": options,
            "mix": [{"percent": 100.0, "name": "delay", "options": options}],
            "seed": 7,
        }
        self.assertEqual(self.get("/behavior").said, expected)

    def test_a_mix(self) -> None:
        """A mix is named by its text, and has no options of its own."""
        mix = (Share(5.0, Rule(Error())), Share(12.5, Rule(Delay(sleep=3.0))))
        self.proxy.set_plan(Plan(mix=mix))
        said = self.get("/behavior").said
        self.assertEqual((said["behavior"], said["options"]), ("5:error,12.5:delay", {}))
        shares = [(each["percent"], each["name"]) for each in said["mix"]]
        self.assertEqual(shares, [(5, "error"), (12.5, "delay")])
        self.assertEqual(said["mix"][1]["options"]["sleep"], 3.0)

    def test_nothing_set(self) -> None:
        """A plan without a mix is dummy."""
        self.proxy.set_plan(Plan())
        said = self.get("/behavior").said
        self.assertEqual((said["behavior"], said["mix"]), ("dummy", []))


class PutBehaviorTests(ControlCase):
    """PUT /behavior."""

    def test_a_name_with_options(self) -> None:
        """The body that Vaurien's client sends: the name, and the options beside it."""
        self.put({"name": "delay", "sleep": 2})
        (share,) = self.proxy.plan.mix
        self.assertEqual((share.percent, share.rule.behavior), (100.0, Delay(sleep=2.0)))

    def test_post(self) -> None:
        """Older clients of Vaurien use POST."""
        self.assertEqual(self.client.ask("POST", "/behavior", {"name": "delay"}).status, 200)
        self.assertEqual(self.proxy.plan.mix_text, "delay")

    def test_the_text_of_a_mix(self) -> None:
        """The name may be a mix as on the command line."""
        self.put({"name": "5:error, 10:delay"})
        self.assertEqual(self.proxy.plan.mix_text, "5:error,10:delay")

    def test_a_mix_as_text(self) -> None:
        """Where a mix stands it may be the text of one, too."""
        self.put({"mix": "5:error, 10:delay"})
        self.assertEqual(self.proxy.plan.mix_text, "5:error,10:delay")

    def test_times(self) -> None:
        """What is a number of seconds may be a text with a unit."""
        self.put({"name": "delay", "sleep": "1m30s"})
        self.assertEqual(self.proxy.plan.mix[0].rule.behavior, Delay(sleep=90.0))

    def test_a_mix_with_options(self) -> None:
        """Each behavior of a mix has its percentage and its options."""
        error = {"percent": 5, "name": "error", "options": {"inject": True}}
        self.put({"mix": [error, {"percent": 10, "name": "delay"}]})
        self.assertEqual(
            [(share.percent, share.rule.behavior) for share in self.proxy.plan.mix],
            [(5.0, Error(inject=True)), (10.0, Delay())],
        )

    def test_what_get_says_can_be_put(self) -> None:
        """The mix that GET gives out, put back, is the mix that was there, to the last digit."""
        third = 100.0 / 3.0
        mix = (Share(third, Rule(Error(kind="any", warmup=3))), Share(third, Rule(Delay(sleep=0.1))))
        for plan in (Plan(mix=mix), Plan(), Plan.only(Delay(jitter=0.5))):
            self.proxy.set_plan(plan)
            said = self.get("/behavior").said
            self.put({"name": "dummy"})
            self.put({"mix": said["mix"]})
            self.assertEqual(self.get("/behavior").said, said)
            self.assertEqual(
                [(share.percent, share.rule.behavior) for share in self.proxy.plan.mix],
                [(share.percent, share.rule.behavior) for share in plan.mix],
            )

    def test_dashes(self) -> None:
        """Names of options are taken with dashes and with underscores, but not in both ways at once."""
        known = registry()
        known.behaviors["patient"] = Patient
        known_api = api(self.proxy, names=known)
        client = RawClient(Guard(known_api.resource(), AllowedHosts("localhost")))
        for name in ("how-long", "how_long"):
            client.ask("PUT", "/behavior", {"name": "patient", name: 5})
            self.assertEqual(self.proxy.plan.mix[0].rule.behavior, Patient(how_long=5.0))
        answer = client.ask("PUT", "/behavior", {"name": "patient", "how-long": 1, "how_long": 2})
        self.assertEqual((answer.status, answer.problem[1]), (400, "how_long"))

    def test_each_put_is_a_new_activation(self) -> None:
        """Setting the same behavior again makes a new rule, so that its counters start from zero."""
        self.put({"name": "transient"})
        (first,) = self.proxy.plan.mix
        self.put({"name": "transient"})
        (second,) = self.proxy.plan.mix
        self.assertIsNot(first.rule, second.rule)

    def test_rules_and_seed_stay(self) -> None:
        """Only the mix is set: the rules of the plan stay the same objects, and so does the seed."""
        rule = Rule(Delay(), verbs=frozenset({"GET"}))
        self.proxy.set_plan(Plan(rules=(rule,), seed=42))
        self.put({"name": "error"})
        self.assertIs(self.proxy.plan.rules[0], rule)
        self.assertEqual(self.get("/behavior").said["seed"], 42)

    def test_defaults_of_the_start(self) -> None:
        """What was set for a behavior at start holds where the body says nothing else."""
        client = RawClient(guarded(self.proxy, {"delay": {"sleep": 9.0, "jitter": 1.0}}))
        client.ask("PUT", "/behavior", {"name": "delay", "jitter": 0.5})
        self.assertEqual(self.proxy.plan.mix[0].rule.behavior, Delay(sleep=9.0, jitter=0.5))
        client.ask("PUT", "/behavior", {"name": "50:delay"})
        self.assertEqual(self.proxy.plan.mix[0].rule.behavior, Delay(sleep=9.0, jitter=1.0))


class RefusedBehaviorTests(ControlCase):
    """What PUT /behavior does not take, and that the reason is said."""

    def test_unknown_name(self) -> None:
        """An unknown behavior is an error of the field "name", which Vaurien's client looks for."""
        ((name, description),) = self.refused({"name": "dealy"})
        self.assertEqual(name, "name")
        self.assertIn("did you mean 'delay'?", description)
        self.assertIn("delay, dummy, error, transient", description)

    def test_no_name(self) -> None:
        """A body without a name, or with one that is no string, is told what names there are."""
        for body in ({}, {"sleep": 2}, {"name": None}, {"name": 5}, {"name": ["delay"]}):
            ((name, description),) = self.refused(body)
            self.assertEqual(name, "name")
            self.assertIn("delay, dummy, error, transient", description)

    def test_unknown_options(self) -> None:
        """Every unknown field is named, not only the first."""
        errors = self.refused({"name": "delay", "slep": 2, "colour": "red"})
        self.assertEqual([name for name, _ in errors], ["slep", "colour"])
        self.assertIn("did you mean 'sleep'?", errors[0][1])

    def test_bad_values(self) -> None:
        """A value of the wrong type or out of bounds is refused with what is allowed, never converted."""
        values: list[object] = [-1, "2", True, None, [], {}, 1e9, 10**40]
        for value in values:
            ((name, description),) = self.refused({"name": "delay", "sleep": value})
            self.assertEqual(name, "sleep")
            self.assertIn("it must be a number from 0 to 86400", description)

    def test_options_that_do_not_fit_together(self) -> None:
        """What the behavior itself refuses is said with the option that it names."""
        ((name, description),) = self.refused({"name": "error", "inject": True, "garbage": True})
        self.assertEqual(name, "inject")
        self.assertIn("exclude each other", description)

    def test_options_beside_a_mix(self) -> None:
        """Nobody could say to which behavior of the mix they belong."""
        errors = self.refused({"name": "5:error,10:delay", "sleep": 2})
        self.assertEqual(errors[0][0], "sleep")
        errors = self.refused({"mix": [], "name": "delay"})
        self.assertEqual(errors[0][0], "name")

    def test_bad_percentages(self) -> None:
        """Percentages that are none, and more than 100 together."""
        self.assertIn("110", self.refused({"name": "50:error,60:delay"})[0][1])
        self.assertEqual(self.refused({"name": "x:error"})[0][0], "name")
        mix = [{"percent": 50, "name": "error"}, {"percent": 60, "name": "delay"}]
        self.assertEqual(self.refused({"mix": mix})[0][0], "mix")

    def test_a_mix_that_is_none(self) -> None:
        """Each part of a mix is checked, and the error says which part it is."""
        clash = {"inject": True, "garbage": True}
        cases: list[tuple[object, str]] = [
            ("dely", "mix"),
            ("5:delay,10", "mix"),
            (5, "mix"),
            (None, "mix"),
            (["delay"], "mix[0]"),
            ([{"percent": 5, "name": "dummy"}, 5], "mix[1]"),
            ([{"name": "delay"}], "mix[0].percent"),
            ([{"percent": True, "name": "delay"}], "mix[0].percent"),
            ([{"percent": 5}], "mix[0].name"),
            ([{"percent": 5, "name": "dealy"}], "mix[0].name"),
            ([{"percent": 5, "name": "delay", "options": []}], "mix[0].options"),
            ([{"percent": 5, "name": "delay", "option": {}}], "mix[0].option"),
            ([{"percent": 5, "name": "delay", "options": {"slep": 1}}], "mix[0].options.slep"),
            ([{"percent": 5, "name": "delay", "options": {"sleep": -1}}], "mix[0].options.sleep"),
            ([{"percent": 5, "name": "error", "options": clash}], "mix[0].options.inject"),
            ([{"percent": -5, "name": "delay"}], "mix"),
        ]
        for mix, name in cases:
            self.assertEqual(self.refused({"mix": mix})[0][0], name, mix)

    def test_names_beyond_ascii(self) -> None:
        """A name in any script is shown as it was sent."""
        self.assertIn("déjà-vu", self.refused({"name": "déjà-vu"})[0][1])


class BehaviorsTests(ControlCase):
    """GET /behaviors."""

    def test_names_and_options(self) -> None:
        """Names are sorted; each option is described as its declaration says."""
        said = self.get("/behaviors").said
        self.assertEqual(said["behaviors"], ["delay", "dummy", "error", "transient"])
        self.assertEqual(set(said["options"]), set(said["behaviors"]))
        self.assertEqual(set(said["help"]), set(said["behaviors"]))
        sleep = {
            "name": "sleep",
            "type": "float",
            "default": 1.0,
            "help": "seconds to wait",
            "choices": [],
            "minimum": 0,
            "maximum": 86400,
            "unit": "seconds",
        }
        self.assertEqual(said["options"]["delay"][0], sleep)
        distribution = said["options"]["delay"][3]
        self.assertEqual(distribution["type"], "str")
        self.assertEqual(distribution["choices"], ["uniform", "normal", "pareto"])
        self.assertEqual(said["options"]["dummy"], [])
