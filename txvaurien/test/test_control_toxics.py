"""/toxics, in Toxiproxy's shape."""

from __future__ import annotations

from txvaurien.model import Direction
from txvaurien.test.control_faults import FaultCase
from txvaurien.toxics.latency import Latency


class ToxicsTests(FaultCase):
    """GET, POST, PATCH and DELETE."""

    def test_add(self) -> None:
        """What is left out is as Toxiproxy has it: downstream, for all links, named after type and stream."""
        said = self.ask("POST", "/toxics", {"type": "latency", "attributes": {"latency": 200}})
        expected = {
            "name": "latency_downstream",
            "type": "latency",
            "stream": "downstream",
            "toxicity": 1.0,
            "attributes": {"latency": 200, "jitter": 0, "distribution": "uniform"},
        }
        self.assertEqual(said, expected)
        self.assertEqual(self.ask("GET", "/toxics")["toxics"], [expected])
        self.assertEqual(self.ask("GET", "/toxics/latency_downstream"), expected)
        (placed,) = self.proxy.plan.toxics
        self.assertEqual((placed.toxic, placed.direction), (Latency(latency=200), Direction.TO_CLIENT))

    def test_short_form(self) -> None:
        """A toxic may be written as on the command line."""
        self.ask("POST", "/toxics", {"toxic": "latency latency=5 stream=upstream toxicity=0.5"})
        (placed,) = self.proxy.plan.toxics
        self.assertEqual((placed.name, placed.toxicity), ("latency_upstream", 0.5))
        said = self.refused("POST", "/toxics", {"toxic": "delay"})
        self.assertEqual(
            said, ("body", "toxic", "its first word names no toxic; the toxics are: latency, pause")
        )
        said = self.refused("POST", "/toxics", {"toxic": 5})
        self.assertEqual(said[2], 'it must be a text such as "latency latency=200"')

    def test_standing_links(self) -> None:
        """It holds on links that were there before, and removing it lets go of what it held: 204."""
        client, backend = self.memory.pair()
        self.ask("POST", "/toxics", {"type": "pause"})
        client.says(b"GET a\n")
        backend.says(b"A\n")
        self.assertEqual((backend.received, client.received), (b"GET a\n", b""))
        self.ask("DELETE", "/toxics/pause_downstream", status=204)
        self.assertEqual(client.received, b"A\n")
        self.assertEqual(self.ask("GET", "/toxics")["toxics"], [])

    def test_change(self) -> None:
        """PATCH and POST change what they say, and standing links go on with that."""
        self.ask("POST", "/toxics", {"type": "latency", "attributes": {"latency": 60_000, "jitter": 1}})
        client, backend = self.memory.pair()
        client.says(b"GET a\n")
        backend.says(b"A\n")
        self.memory.pass_time(5)
        self.assertEqual(client.received, b"")
        said = self.ask("PATCH", "/toxics/latency_downstream", {"attributes": {"latency": 1}})
        self.assertEqual((said["attributes"]["latency"], said["attributes"]["jitter"]), (1, 1))
        self.memory.pass_time(0.01)
        self.assertEqual(client.received, b"A\n")
        said = self.ask("POST", "/toxics/latency_downstream", {"toxicity": 0.5, "jitter": 0})
        self.assertEqual((said["toxicity"], said["attributes"]["jitter"]), (0.5, 0))

    def test_change_what_stays(self) -> None:
        """Name, type and stream stay; saying them again is no harm."""
        self.ask("POST", "/toxics", {"type": "latency", "name": "far"})
        self.ask("PATCH", "/toxics/far", {"name": "far", "type": "latency", "stream": "downstream"})
        problem = self.refused("PATCH", "/toxics/far", {"stream": "upstream"})
        self.assertEqual(
            problem,
            ("body", "stream", "the stream of a toxic stays 'downstream'; DELETE this one and POST another"),
        )
        self.assertEqual(self.refused("PATCH", "/toxics/far", {"attributes": 5})[1], "attributes")
        self.assertEqual(self.refused("PATCH", "/toxics/far", {"attributes": {"latency": -1}})[1], "latency")

    def test_wrong(self) -> None:
        """What will not do is refused by its field; what there is not, with what there is."""
        for body, name in (
            ({"type": "latncy"}, "type"),
            ({}, "type"),
            ({"type": "latency", "attributes": {"latncy": 1}}, "latncy"),
            ({"type": "latency", "toxicity": 2}, "toxicity"),
            ({"type": "latency", "stream": "sideways"}, "stream"),
        ):
            self.assertEqual(self.refused("POST", "/toxics", body)[:2], ("body", name))
        self.ask("POST", "/toxics", {"type": "pause"})
        self.assertEqual(self.refused("POST", "/toxics", {"type": "pause"}, 409)[1], "name")
        for method in ("GET", "PATCH", "DELETE"):
            problem = self.refused(method, "/toxics/far", b"{}", 404)
            self.assertEqual(problem[2], "there is no toxic 'far'; the toxics are: pause_downstream")

    def test_other_paths(self) -> None:
        """Below it, errors name the paths that there are, as they are from the root."""
        self.assertIn("/toxics, /toxics/<name>", self.refused("GET", "/toxics/a/b", status=404)[2])
        self.assertIn("GET, HEAD, POST", self.refused("DELETE", "/toxics", status=405)[2])
