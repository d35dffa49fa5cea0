"""/plan, /reset, /scenario, /journal, and /backend with what goes with it."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred

from txvaurien.errors import ConfigError
from txvaurien.net.addresses import Backend
from txvaurien.test.control_faults import FaultCase

_PLAN: dict[str, Any] = {
    "mix": [{"percent": 5, "name": "error", "options": {"kind": "any"}}],
    "rules": [
        {"behavior": "delay", "sleep": 0, "name": "slow", "verb": "GET"},
        {"behavior": "hang", "times": 0},
    ],
    "toxics": [{"type": "latency", "attributes": {"latency": 5}}],
    "seed": 9,
}


class PlanTests(FaultCase):
    """GET and PUT /plan."""

    def test_whole(self) -> None:
        """A plan is set at once, and what GET gives out PUT takes in."""
        self.ask("PUT", "/plan", _PLAN)
        said = self.ask("GET", "/plan")
        self.assertEqual((said["seed"], said["mix"][0]["percent"]), (9, 5.0))
        self.assertEqual([rule["name"] for rule in said["rules"]], ["slow", "hang-1"])
        self.assertEqual(said["toxics"][0]["name"], "latency_downstream")
        self.ask("PUT", "/plan", {})
        self.assertEqual(self.ask("GET", "/plan"), {"mix": [], "rules": [], "toxics": [], "seed": 9})
        self.ask("PUT", "/plan", said)
        self.assertEqual(self.ask("GET", "/plan"), said)

    def test_what_rules_say(self) -> None:
        """Rules are taken with the counters that GET /rules shows; they keep what they have counted."""
        self.ask("PUT", "/plan", _PLAN)
        client, _ = self.memory.pair()
        client.says(b"GET a\n")
        said = self.ask("GET", "/rules")
        self.ask("PUT", "/plan", said)
        self.assertEqual(self.ask("GET", "/rules"), said)
        self.assertEqual(said["rules"][0]["fired"], 1)

    def test_short_forms(self) -> None:
        """Rules and toxics may be written as on the command line, and so may the mix."""
        rules = ["delay sleep=.5 name=slow", {"behavior": "hang"}]
        toxics = ["latency latency=5 toxicity=.5"]
        self.ask("PUT", "/plan", {"mix": "5:error,10:delay", "rules": rules, "toxics": toxics})
        said = self.ask("GET", "/plan")
        self.assertEqual(
            [(each["percent"], each["name"]) for each in said["mix"]], [(5, "error"), (10, "delay")]
        )
        self.assertEqual([rule["name"] for rule in said["rules"]], ["slow", "hang-1"])
        self.assertEqual((said["rules"][0]["sleep"], said["toxics"][0]["toxicity"]), (0.5, 0.5))

    def test_what_stays_goes_on(self) -> None:
        """A rule that the new plan has just so keeps its counters; one that is otherwise begins anew."""
        self.ask("PUT", "/plan", _PLAN)
        client, _ = self.memory.pair()
        client.says(b"GET a\n")
        self.ask("PUT", "/plan", {**self.ask("GET", "/plan"), "mix": []})
        self.assertEqual(self.ask("GET", "/rules/slow")["fired"], 1)
        self.ask("PUT", "/plan", {"rules": [{"behavior": "delay", "sleep": 1, "name": "slow"}]})
        self.assertEqual(self.ask("GET", "/rules/slow")["fired"], 0)

    def test_wrong(self) -> None:
        """Where a part will not do nothing has changed, and the part is named."""
        for body, name in (
            ({"mix": [{"percent": 101, "name": "error"}]}, "mix"),
            ({"mix": [{"percent": 1, "name": "eror"}]}, "mix[0].name"),
            ({"rules": [{"behavior": "delay"}, {"behavior": "delay", "sleep": -1}]}, "rules[1].sleep"),
            ({"rules": {"behavior": "delay"}}, "rules"),
            ({"rules": [5]}, "rules"),
            ({"rules": ["delay", "latency"]}, "rules[1]"),
            ({"rules": ["delay sleep=-1"]}, "rules[0].sleep"),
            ({"toxics": ["delay"]}, "toxics[0]"),
            ({"mix": "5:eror"}, "mix"),
            ({"toxics": [{"type": "x"}]}, "toxics[0].type"),
            ({"toxics": [{"type": "pause"}, {"type": "pause"}]}, "toxic"),
            ({"seed": "x"}, "seed"),
            ({"seed": True}, "seed"),
            ({"rule": []}, "rule"),
        ):
            self.assertEqual(self.refused("PUT", "/plan", body)[:2], ("body", name))


class ResetTests(FaultCase):
    """POST /reset."""

    def test_everything(self) -> None:
        """Mix, rules, toxics, actions and the scenario are gone, and what was held goes on."""
        self.ask("POST", "/rules", {"behavior": "hang"}, 201)
        client, backend = self.memory.pair()
        client.says(b"GET a\n")
        self.ask("PUT", "/behavior", {"name": "delay"})
        self.ask("POST", "/toxics", {"type": "pause"})
        self.ask("POST", "/actions/kill_idle")
        self.ask("PUT", "/scenario", {"scenario": "at 0: delay for 60s"})
        self.ask("POST", "/reset", status=204)
        self.assertEqual(backend.received, b"GET a\n")
        said = self.ask("GET", "/plan")
        self.assertEqual((said["mix"], said["rules"], said["toxics"]), ([], [], []))
        self.assertEqual(self.ask("GET", "/actions")["actions"], [])
        self.assertEqual(self.ask("GET", "/scenario"), {"state": "none"})


class ScenarioTests(FaultCase):
    """/scenario."""

    def test_play(self) -> None:
        """A scenario is begun with its text, and tells how far it is."""
        self.assertEqual(self.ask("GET", "/scenario"), {"state": "none"})
        said = self.ask("PUT", "/scenario", {"scenario": "at 1s: delay sleep=2 for 5s\nrepeat 2"})
        self.assertEqual((said["state"], said["round"], said["rounds"]), ("running", 1, 2))
        self.memory.pass_time(1)
        self.assertEqual(self.names(), ["scenario-1"])
        self.assertEqual(
            [each["fault"] for each in self.ask("GET", "/scenario")["active"]], ["delay sleep=2"]
        )
        self.memory.pass_time(5, 1, 5)
        self.assertEqual((self.ask("GET", "/scenario")["state"], self.names()), ("done", []))

    def test_pause(self) -> None:
        """Its time can stand still, and go on."""
        self.ask("PUT", "/scenario", {"scenario": "at 2s: delay for 5s"})
        self.memory.pass_time(1)
        self.assertEqual(self.ask("POST", "/scenario/pause")["state"], "paused")
        self.memory.pass_time(100)
        self.assertEqual(self.names(), [])
        self.assertEqual(self.ask("POST", "/scenario/resume")["state"], "running")
        self.memory.pass_time(1)
        self.assertEqual(self.names(), ["scenario-1"])

    def test_stop(self) -> None:
        """Stopped, or put in place of another, nothing of it is left; then there is none to stop."""
        self.ask("PUT", "/scenario", {"scenario": "at 0: delay for 5s"})
        self.ask("PUT", "/scenario", {"scenario": "at 0: hang for 5s"})
        self.assertEqual([rule.behavior.name for rule in self.proxy.plan.rules], ["hang"])
        self.ask("DELETE", "/scenario")
        self.assertEqual((self.names(), self.ask("GET", "/scenario")), ([], {"state": "none"}))
        problem = self.refused("DELETE", "/scenario", b"", 404)
        self.assertEqual(problem, ("path", "scenario", "no scenario is played; PUT one first"))

    def test_wrong(self) -> None:
        """A mistake names its line, and what is played goes on; what is not played cannot be paused."""
        self.assertEqual(self.refused("POST", "/scenario/pause", b"", 409)[0], "path")
        self.ask("PUT", "/scenario", {"scenario": "at 0: delay for 5s"})
        problem = self.refused("PUT", "/scenario", {"scenario": "\nat 1s: dely for 5s"})
        self.assertEqual(problem[1], "scenario:2")
        self.assertEqual(self.names(), ["scenario-1"])
        self.assertEqual(self.refused("PUT", "/scenario", {"text": "x"})[1], "text")
        problem = self.refused("PUT", "/scenario", {})
        self.assertEqual(problem, ("body", "scenario", 'it must be a text such as "at 10s: blackout for 5s"'))


class JournalTests(FaultCase):
    """GET /journal."""

    def test_records(self) -> None:
        """What has happened, the oldest first, from a number on."""
        self.ask("POST", "/rules", {"behavior": "delay", "sleep": 0, "verb": "GET"}, 201)
        client, _ = self.memory.pair()
        client.says(b"GET a\n")
        said = self.ask("GET", "/journal")
        events = [record["event"] for record in said["records"]]
        self.assertEqual(events[:3], ["plan", "link-opened", "fired"])
        self.assertEqual((said["first"], said["last"]), (1, len(events)))
        later = self.ask("GET", "/journal?since=2")["records"]
        self.assertEqual(later, said["records"][2:])

    def test_filters(self) -> None:
        """Others can be left out, and there may be too many."""
        for _ in range(3):
            self.memory.pair()
        self.ask("POST", "/toxics", {"type": "pause"})
        said = self.ask("GET", "/journal?event=link-opened&limit=2")["records"]
        self.assertEqual([record["link"] for record in said], [1, 2])
        self.assertEqual({record["link"] for record in self.ask("GET", "/journal?link=3")["records"]}, {3})
        self.assertEqual(self.ask("GET", "/journal?proxy=other")["records"], [])
        self.assertEqual(self.refused("GET", "/journal?since=x")[:2], ("querystring", "since"))

    def test_last(self) -> None:
        """The last of those that are asked for, the oldest first; however many there may be."""
        for _ in range(3):
            self.memory.pair()
        self.ask("POST", "/toxics", {"type": "pause"})
        said = self.ask("GET", "/journal?event=link-opened&last=2")["records"]
        self.assertEqual([record["link"] for record in said], [2, 3])
        self.assertEqual(self.ask("GET", "/journal?since=3&last=2000"), self.ask("GET", "/journal?since=3"))
        for query in ("last=0", "last=1&limit=1"):
            self.assertEqual(self.refused("GET", f"/journal?{query}")[:2], ("querystring", "last"))

    def test_many(self) -> None:
        """A thousand are told of where nobody says how many; `last` may ask for more."""
        for number in range(1500):
            self.proxy.event("idle", None, seconds=number)
        first, last = (self.ask("GET", f"/journal{query}")["records"] for query in ("", "?last=1200"))
        self.assertEqual([first[0]["n"], first[-1]["n"]], [1, 1000])
        self.assertEqual([last[0]["n"], last[-1]["n"]], [301, 1500])

    def test_unknown_event(self) -> None:
        """An event that there is not: the answer says which there are, and which may be meant."""
        location, name, said = self.refused("GET", "/journal?event=fird")
        self.assertEqual((location, name), ("querystring", "event"))
        self.assertIn(
            "there is no event 'fird' (did you mean 'fired'?); the events are: acted, action, ", said
        )
        self.assertEqual(self.ask("GET", "/journal?event=")["records"], [])


class BackendTests(FaultCase):
    """PUT /backend, beside what Vaurien knew of it."""

    def test_cut(self) -> None:
        """Standing links stay where they are, unless they are to be cut."""
        client, _ = self.memory.pair()
        self.ask("PUT", "/backend", {"backend": "127.0.0.1:1"})
        self.assertEqual(client.ended, "")
        self.ask("PUT", "/backend", {"backend": "127.0.0.1:2", "cut": True})
        self.assertEqual(client.ended, "fin")
        self.assertEqual(self.refused("PUT", "/backend", {"backend": "127.0.0.1:3", "cut": 1})[1], "cut")
        self.assertEqual(self.proxy.backend.text, "127.0.0.1:2")

    def test_name(self) -> None:
        """A name is looked up first, and nothing stands still meanwhile."""
        looked_up: list[Deferred[None]] = []

        def look_up(*_: object) -> Deferred[None]:
            looked_up.append(Deferred())
            return looked_up[-1]

        self.patch(Backend, "look_up", look_up)
        for result, status in ((None, 200), (ConfigError("backend", "there is no such host"), 400)):
            answer = self.client.ask("PUT", "/backend", {"backend": "one.example:1"})
            self.assertEqual(answer.status, 0)
            self.ask_another()
            if result is None:
                looked_up[-1].callback(None)
            else:
                looked_up[-1].errback(result)
            self.assertEqual(self.client.answer().status, status)
        self.assertEqual(self.proxy.backend.text, "one.example:1")

    def ask_another(self) -> None:
        """Another client is answered."""
        other, self.client = self.client, type(self.client)(self.root)
        self.ask("GET", "/backend")
        self.client = other

    def test_itself(self) -> None:
        """The proxy is not its own backend."""

        class Gate:
            """Stands over a port."""

            address = IPv4Address("TCP", "127.0.0.1", 8000)

        gate: Any = Gate()
        self.proxy.gate = gate
        problem = self.refused("PUT", "/backend", {"backend": "localhost:8000"})
        self.assertEqual(problem[1], "backend")
        self.assertIn("is where the proxy itself listens", problem[2])
