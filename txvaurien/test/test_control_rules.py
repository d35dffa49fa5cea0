"""/rules."""

from __future__ import annotations

from txvaurien.behaviors.delay import Delay
from txvaurien.rules import Rule
from txvaurien.test.control_faults import FaultCase


class RulesTests(FaultCase):
    """GET, POST, PATCH and DELETE."""

    def test_add(self) -> None:
        """A rule has its fields flat, and is told back with its name and its counters at zero."""
        said = self.ask("POST", "/rules", {"behavior": "delay", "sleep": 2, "verb": "set", "times": 2}, 201)
        (rule,) = self.proxy.plan.rules
        self.assertEqual((rule.behavior, rule.verbs, rule.times), (Delay(sleep=2.0), {"SET"}, 2))
        self.assertEqual((said["name"], said["verb"], said["sleep"]), ("delay-1", ["SET"], 2.0))
        counts = [said[count] for count in ("matched", "fired", "capped", "misfired", "expired")]
        self.assertEqual(counts, [0, 0, 0, 0, False])

    def test_short_form(self) -> None:
        """A rule may be written as on the command line."""
        self.ask("POST", "/rules", {"rule": "delay sleep=2 verb=SET name=mine"}, 201)
        self.assertEqual(self.names(), ["mine"])
        self.assertEqual(self.refused("POST", "/rules", {"rule": "latency"})[:2], ("body", "rule"))
        self.assertEqual(self.refused("POST", "/rules", {"rule": "delay", "times": 2})[1], "times")
        said = self.refused("POST", "/rules", {"rule": "latency"})[2]
        self.assertEqual(said, "its first word names no behavior; the behaviors are: delay, error, hang")
        said = self.refused("POST", "/rules", {"rule": 5})[2]
        self.assertEqual(said, 'it must be a text such as "error kind=readonly verb=SET"')

    def test_what_get_says(self) -> None:
        """A rule can be sent again as it was told, with its counters, which are passed over."""
        added = self.ask("POST", "/rules", {"rule": "delay sleep=0 verb=GET after=1 for=1m"}, 201)
        client, _ = self.memory.pair()
        client.says(b"GET a\nGET b\n")
        said = self.ask("GET", "/rules/delay-1")
        self.assertEqual((said["matched"], said["fired"]), (2, 1))
        self.assertEqual(self.ask("PATCH", "/rules/delay-1", said), added)
        self.ask("DELETE", "/rules/delay-1")
        self.assertEqual(self.ask("POST", "/rules", said, 201), added)

    def test_position(self) -> None:
        """By default a rule comes last; its place can be chosen."""
        for name, query in (("a", ""), ("b", ""), ("c", "?position=0"), ("d", "?position=1")):
            self.ask("POST", f"/rules{query}", {"behavior": "delay", "name": name}, 201)
        self.assertEqual(self.names(), ["c", "d", "a", "b"])
        said = self.ask("GET", "/rules")
        self.assertEqual([each["name"] for each in said["rules"]], ["c", "d", "a", "b"])
        problem = self.refused("POST", "/rules?position=-1", {"behavior": "delay"})
        self.assertEqual(problem[:2], ("querystring", "position"))

    def test_counts(self) -> None:
        """A rule tells how many exchanges it was for, and how often it has fired."""
        self.ask("POST", "/rules", {"behavior": "delay", "sleep": 0, "verb": "GET", "after": 1}, 201)
        client, _ = self.memory.pair()
        client.says(b"GET a\nSET b\nGET c\nGET d\n")
        self.memory.pass_time(0, 0)
        said = self.ask("GET", "/rules/delay-1")
        self.assertEqual((said["matched"], said["fired"], said["after"]), (3, 2, 1))

    def test_wrong(self) -> None:
        """What will not do is refused by its field."""
        for body, name in (
            ({"behavior": "dealy"}, "behavior"),
            ({}, "behavior"),
            ({"behavior": "delay", "slep": 1}, "slep"),
            ({"behavior": "delay", "probability": 2}, "probability"),
            ({"behavior": "error", "kind": "nix"}, "kind"),
        ):
            self.assertEqual(self.refused("POST", "/rules", body)[:2], ("body", name))
        self.ask("POST", "/rules", {"behavior": "delay", "name": "a"}, 201)
        problem = self.refused("POST", "/rules", {"behavior": "delay", "name": "a"}, 409)
        self.assertEqual(problem, ("body", "name", "there is a rule 'a' already; PATCH or DELETE it"))

    def test_change(self) -> None:
        """PATCH changes what it says, takes away what it says is null, and begins to count anew."""
        self.ask("POST", "/rules", {"behavior": "delay", "sleep": 2, "verb": "GET", "times": 1}, 201)
        self.ask("POST", "/rules", {"behavior": "error"}, 201)
        client, _ = self.memory.pair()
        client.says(b"GET a\n")
        said = self.ask("PATCH", "/rules/delay-1", {"sleep": 3, "times": None, "link-age": ">5"})
        self.assertEqual((said["fired"], said["sleep"], said["verb"]), (0, 3.0, ["GET"]))
        self.assertEqual((said["link_age"], "times" in said), ("5..", False))
        self.assertEqual(self.names(), ["delay-1", "error-1"])

    def test_change_the_behavior(self) -> None:
        """Another behavior keeps the fields of the rule and none of the options of the old one."""
        self.ask("POST", "/rules", {"behavior": "delay", "sleep": 2, "verb": "GET"}, 201)
        said = self.ask("PATCH", "/rules/delay-1", {"behavior": "hang"})
        self.assertEqual((said["behavior"], said["verb"], "sleep" in said), ("hang", ["GET"], False))

    def test_change_what_cannot_be(self) -> None:
        """A mistake leaves the rule as it is, and its name stays."""
        self.ask("POST", "/rules", {"behavior": "delay"}, 201)
        self.assertEqual(self.refused("PATCH", "/rules/delay-1", {"sleep": -1})[1], "sleep")
        self.assertIn("stays", self.refused("PATCH", "/rules/delay-1", {"name": "x"})[2])
        self.ask("PATCH", "/rules/delay-1", {"name": "delay-1"})
        self.assertEqual(self.refused("PATCH", "/rules/x", {}, 404)[0], "path")

    def test_remove(self) -> None:
        """What is removed has let go of what it held when the answer comes."""
        self.ask("POST", "/rules", {"behavior": "hang"}, 201)
        client, backend = self.memory.pair()
        client.says(b"GET a\n")
        self.assertEqual(backend.received, b"")
        self.ask("DELETE", "/rules/hang-1")
        self.assertEqual(backend.received, b"GET a\n")
        problem = self.refused("DELETE", "/rules/hang-1", status=404)
        self.assertEqual(problem[:2], ("path", "hang-1"))
        self.assertEqual(problem[2], "there is no rule 'hang-1'; the rules are: none")

    def test_clear(self) -> None:
        """All are gone, with what they held, and nothing else."""
        self.ask("POST", "/toxics", {"type": "latency"})
        for name in "ab":
            self.ask("POST", "/rules", {"behavior": "hang", "name": name}, 201)
        client, backend = self.memory.pair()
        client.says(b"GET a\n")
        self.assertEqual(self.ask("DELETE", "/rules"), {"status": "ok", "removed": 2})
        self.assertEqual(backend.received, b"GET a\n")
        self.assertEqual((self.names(), len(self.proxy.plan.toxics)), ([], 1))
        self.assertEqual(self.ask("DELETE", "/proxies/proxy/rules"), {"status": "ok", "removed": 0})

    def test_names_in_paths(self) -> None:
        """A name may have any characters that a path can carry."""
        self.proxy.add_rule(Rule(Delay(), name="my rule ✓"))
        self.ask("GET", "/rules/my%20rule%20%E2%9C%93")
        self.ask("DELETE", "/rules/my%20rule%20%E2%9C%93")
        self.assertEqual(self.names(), [])


class WaitTests(FaultCase):
    """GET /rules/{name}?fired=N."""

    def setUp(self) -> None:
        super().setUp()
        self.ask("POST", "/rules", {"behavior": "delay", "sleep": 0, "verb": "GET", "name": "r"}, 201)
        self.talker, _ = self.memory.pair()
        self.others = len(self.proxy.observers)

    def tearDown(self) -> None:
        """Whoever waited has left nothing behind."""
        self.memory.pass_time()
        self.assertEqual(len(self.proxy.observers), self.others)
        self.assertFalse(self.proxy.active.rules and self.proxy.active.rules[0].awaited)
        self.assertEqual(self.memory.reactor.getDelayedCalls(), [])

    def test_at_once(self) -> None:
        """What has happened need not be waited for."""
        self.talker.says(b"GET a\nGET b\n")
        self.memory.pass_time()
        self.assertEqual(self.ask("GET", "/rules/r?fired=2")["fired"], 2)

    def test_later(self) -> None:
        """The answer comes when the rule has fired so often, with the count of then."""
        waiting = self.wait_for("/rules/r?fired=2&timeout=10")
        self.talker.says(b"GET a\n")
        self.assertEqual(waiting.answer().status, 0)
        self.memory.pass_time()
        self.talker.says(b"GET b\n")
        self.memory.pass_time()
        answer = self.answered(waiting)
        self.assertEqual((answer.status, answer.said["fired"]), (200, 2))

    def test_time_is_up(self) -> None:
        """After the time that was asked for the answer is 408, and says how often it has fired."""
        waiting = self.wait_for("/rules/r?fired=2&timeout=10")
        self.talker.says(b"GET a\n")
        self.memory.pass_time(9.9)
        self.assertEqual(waiting.answer().status, 0)
        self.memory.pass_time(0.2)
        answer = self.answered(waiting)
        self.assertEqual((answer.status, answer.said["fired"]), (408, 1))
        said = ("querystring", "fired", "'r' has fired once in 10 seconds, not 2")
        self.assertEqual(answer.problem, said)

    def test_removed(self) -> None:
        """A rule that is removed meanwhile is 404, whoever removed it; other changes are no matter."""
        waiting = self.wait_for("/rules/r?fired=1")
        self.ask("POST", "/rules", {"behavior": "delay"}, 201)
        self.memory.pass_time()
        self.assertEqual(waiting.answer().status, 0)
        self.proxy.remove_rule("r")
        self.memory.pass_time()
        answer = self.answered(waiting)
        self.assertEqual((answer.status, answer.problem[2]), (404, "the rule has been removed meanwhile"))

    def test_expired(self) -> None:
        """A rule whose time is over will not fire any more, and nobody waits for it."""
        self.ask("PATCH", "/rules/r", {"for": 5})
        waiting = self.wait_for("/rules/r?fired=1&timeout=100")
        self.memory.pass_time(5, 0)
        answer = self.answered(waiting)
        self.assertEqual(answer.status, 408)
        self.assertEqual(answer.problem[2], "'r' has fired 0 times and expired; it will not fire 1 times")
        self.refused("GET", "/rules/r?fired=1", status=408)

    def test_client_leaves(self) -> None:
        """Nothing waits on for a client that has gone."""
        waiting = self.wait_for("/rules/r?fired=1")
        waiting.leave()

    def test_wrong(self) -> None:
        """What is asked for has to make sense."""
        for query, name in (("fired=0", "fired"), ("fired=x", "fired"), ("fired=1&timeout=-1", "timeout")):
            self.assertEqual(self.refused("GET", f"/rules/r?{query}")[:2], ("querystring", name))
        self.assertIn("it stands twice", self.refused("GET", "/rules/r?fired=1&fired=2")[2])
        self.assertIn("no option 'fird'", self.refused("GET", "/rules/r?fird=1")[2])
        self.refused("GET", "/rules/x?fired=1", status=404)
