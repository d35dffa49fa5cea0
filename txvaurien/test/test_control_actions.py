"""/actions and /links."""

from __future__ import annotations

from txvaurien.test.control_faults import FaultCase


class ActionsTests(FaultCase):
    """What is done to the whole proxy."""

    def test_start_and_stop(self) -> None:
        """An action has begun, and has ended, when the answer comes."""
        client, backend = self.memory.pair()
        self.assertEqual(self.ask("POST", "/actions/half_open"), {"action": "half_open"})
        self.memory.pass_time()
        self.assertEqual((backend.ended != "", client.ended), (True, ""))
        said = self.ask("GET", "/actions")
        self.assertEqual(said["actions"], [{"action": "half_open"}])
        self.assertIn("deaf", said["available"])
        self.assertEqual(self.ask("GET", "/actions/half_open"), {"action": "half_open"})
        self.ask("DELETE", "/actions/half_open")
        self.assertEqual(self.ask("GET", "/actions")["actions"], [])

    def test_options(self) -> None:
        """Options are the body, or stand in the short form; the same action again replaces the first."""
        self.ask("POST", "/actions/kill_idle", {"idle": 5, "how": "rst"})
        said = self.ask("POST", "/actions", {"action": "kill_idle idle=7"})
        self.assertEqual(said, {"action": "kill_idle", "idle": 7.0, "how": "fin"})
        self.assertEqual(self.ask("GET", "/actions")["actions"], [said])
        self.ask("DELETE", "/actions/kill_idle")

    def test_wrong(self) -> None:
        """What there is not, does not stand, will not do or is impossible here is refused."""
        self.assertEqual(self.refused("POST", "/actions/daef", b"", 404)[:2], ("path", "daef"))
        self.assertIn("did you mean 'deaf'?", self.refused("POST", "/actions/daef", b"", 404)[2])
        self.assertIn("no standing action 'deaf'", self.refused("DELETE", "/actions/deaf", b"", 404)[2])
        self.assertEqual(self.refused("POST", "/actions/kill_idle", {"idle": 0})[1], "idle")
        said = self.refused("POST", "/actions", {"action": "delay"})
        self.assertEqual(said[:2], ("body", "action"))
        self.assertIn("its first word names no action; the actions are: deaf, disable,", said[2])
        said = self.refused("POST", "/actions", {"action": ""})
        self.assertEqual(said[2], 'it must be a text such as "slow_accept delay=100"')
        # Nothing listens here.
        self.assertIn("ProxyService", self.refused("POST", "/actions/deaf")[2])


class LinksTests(FaultCase):
    """The links that stand."""

    def test_list(self) -> None:
        """Each link tells who it is and what has passed."""
        client, backend = self.memory.pair()
        client.says(b"GET a\n")
        backend.says(b"A\n")
        self.memory.pass_time(2)
        self.memory.client()
        first, second = self.ask("GET", "/links")["links"]
        self.assertEqual(
            first,
            {
                "id": 1,
                "client": "127.0.0.1:40000",
                "seconds": 2.0,
                "idle": 2.0,
                "exchanges": 1,
                "bytes_to_backend": 6,
                "bytes_to_client": 2,
                "opaque": first["opaque"],
            },
        )
        self.assertFalse(first["opaque"])
        self.assertEqual(self.ask("GET", "/links/2"), second)

    def test_kill(self) -> None:
        """One link is ended by its number, with RST by default."""
        one, _ = self.memory.pair()
        other, _ = self.memory.pair()
        self.assertEqual(self.ask("DELETE", "/links/2"), {"status": "ok", "killed": 1})
        self.assertEqual((one.ended, other.ended), ("", "rst"))

    def test_kill_all(self) -> None:
        """All of them, with FIN if that is asked for."""
        clients = [self.memory.pair()[0] for _ in range(3)]
        self.assertEqual(self.ask("DELETE", "/links?how=fin")["killed"], 3)
        self.assertEqual([client.ended for client in clients], ["fin"] * 3)

    def test_wrong(self) -> None:
        """A link that is not there is 404, another way to end one 400."""
        for number in ("1", "x", "-1", "%D9%A1", "9" * 5000):
            self.assertEqual(self.refused("DELETE", f"/links/{number}", b"", 404)[0], "path")
        problem = self.refused("DELETE", "/links?how=gently")
        self.assertEqual(problem[:2], ("querystring", "how"))
        self.assertIn("rst, fin", problem[2])
