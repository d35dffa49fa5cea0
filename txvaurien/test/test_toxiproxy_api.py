"""Toxiproxy's HTTP API: shapes, defaults, status codes and error texts."""

from __future__ import annotations

import json
import socket
from io import BytesIO
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.internet.error import ConnectionRefusedError
from twisted.logger import capturedLogs
from twisted.web.test.requesthelper import DummyRequest

from txvaurien.control.toxiproxy import VERSION, OneProxyApi
from txvaurien.process.member import Member
from txvaurien.test.manyproxies import ProxiesCase
from txvaurien.test.servers import free_port

#: The fields of a proxy that Toxiproxy has, and ours.
FIELDS = {"name", "listen", "upstream", "enabled", "toxics"}
ENDS = {"tls", "backend_tls_verify", "accept_proxy", "send_proxy"}
OURS = {"protocol", "options", "plan", "links", "limits", "main", *ENDS}


class ApiCase(ProxiesCase):
    """Asks a control server that listens."""

    def setUp(self) -> None:
        super().setUp()
        self.url = f"http://127.0.0.1:{self.start_control()}"

    async def say(self, method: str, path: str, body: object = None, status: int = 200) -> Any:
        """What is answered, with this status."""
        found, said, headers = await self.request(method, self.url + path, body)
        self.assertEqual(found, status, said)
        if said is not None:
            self.assertEqual(headers["content-type"], "application/json")
        return said

    async def wrong(self, method: str, path: str, body: object, status: int, text: str) -> None:
        """The error that Toxiproxy answers, beside ours."""
        said = await self.say(method, path, body, status)
        self.assertEqual((said["error"], said["status"]), (text, status))
        self.assertEqual(set(said["errors"][0]), {"location", "name", "description"})

    async def bad(self, method: str, path: str, body: object, *words: str) -> None:
        """A body that will not do: 400, and what is said of it."""
        said = await self.say(method, path, body, 400)
        self.assertTrue(said["error"].startswith("bad request body: "), said)
        for word in words:
            self.assertIn(word, said["error"])

    def proxy(self, name: str = "redis", **fields: object) -> dict[str, object]:
        """The body that makes a proxy."""
        return {"name": name, "upstream": f"127.0.0.1:{self.backend}", **fields}

    async def create(self, name: str = "redis", **fields: object) -> Any:
        """Make a proxy."""
        return await self.say("POST", "/proxies", self.proxy(name, **fields), 201)

    async def refuses(self, listen: str | int) -> None:
        """Nothing listens there."""
        try:
            await self.connect(listen)
        except ConnectionRefusedError:
            return
        raise self.failureException(f"{listen} takes clients")


class ProxiesTests(ApiCase):
    """``/proxies``."""

    async def test_create(self) -> None:
        """201, with the real port; it serves clients at once."""
        said = await self.create(listen="localhost:0")
        self.assertEqual(set(said), FIELDS | OURS)
        self.assertRegex(said["listen"], r"^127\.0\.0\.1:[1-9]\d*$")
        self.assertEqual((said["name"], said["enabled"], said["toxics"]), ("redis", True, []))
        self.assertEqual(said["upstream"], f"127.0.0.1:{self.backend}")
        self.assertEqual((said["protocol"], said["main"], said["links"]), ("tcp", True, 0))
        self.assertEqual(await self.ask(said["listen"]), b"one:hello")

    async def test_create_with_everything(self) -> None:
        """Toxics and our own fields are there from the first connection on."""
        said = await self.create(
            toxics=[{"type": "latency", "attributes": {"latency": 1}}],
            protocol="redis",
            plan={"rules": ["delay sleep=0"]},
            seed=7,
            idle_timeout=60,
        )
        self.assertEqual([each["name"] for each in said["toxics"]], ["latency_downstream"])
        self.assertEqual((said["protocol"], said["plan"]["seed"]), ("redis", 7))
        self.assertEqual((len(said["plan"]["rules"]), said["plan"]["toxics"]), (1, said["toxics"]))
        self.assertEqual(said["limits"]["idle_timeout"], 60.0)

    async def test_given_out_and_taken_in(self) -> None:
        """What GET gives makes the same proxy again, and PATCH takes it without changing anything."""
        await self.create(toxics=[{"type": "latency"}], plan={"mix": "5:delay"}, seed=3)
        said = await self.say("GET", "/proxies/redis")
        link = await self.connect(said["listen"])
        await link.ask(b"x")
        self.assertEqual((await self.say("PATCH", "/proxies/redis", said))["links"], 1)
        await self.say("DELETE", "/proxies/redis", status=204)
        again = await self.say("POST", "/proxies", said, 201)
        self.assertEqual(again, said)

    async def test_create_disabled(self) -> None:
        """A proxy that is created disabled does not listen."""
        port = free_port()
        said = await self.create(listen=f"127.0.0.1:{port}", enabled=False)
        self.assertFalse(said["enabled"])
        await self.refuses(port)

    async def test_create_is_atomic(self) -> None:
        """Where a toxic is wrong, or the port is taken, there is no proxy."""
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        port = free_port()
        toxics = [{"type": "latency"}, {"type": "latency", "attributes": {"latency": -1}}]
        body = self.proxy(listen=f"127.0.0.1:{port}", toxics=toxics)
        await self.bad("POST", "/proxies", body, "toxics[1].latency")
        await self.bad("POST", "/proxies", self.proxy(toxics=[{"type": "pause"}] * 2), "pause_downstream")
        await self.refuses(port)
        body = self.proxy(listen=f"127.0.0.1:{taken.getsockname()[1]}", toxics=[{"type": "pause"}])
        said = await self.say("POST", "/proxies", body, 409)
        self.assertIn("the port is in use", said["error"])
        self.assertEqual(await self.say("GET", "/proxies"), {})

    async def test_create_wrong(self) -> None:
        """Toxiproxy's texts, and what is wrong with the body."""
        missing = "missing required field: "
        await self.wrong("POST", "/proxies", {"upstream": "localhost:1"}, 400, f"{missing}name")
        await self.wrong("POST", "/proxies", {"name": "", "upstream": "localhost:1"}, 400, f"{missing}name")
        await self.wrong("POST", "/proxies", {"name": "redis"}, 400, f"{missing}upstream")
        await self.bad("POST", "/proxies", None, "the body is empty")
        await self.wrong("POST", "/proxies", self.proxy(toxics=[{"type": "x"}]), 400, "invalid toxic type")
        await self.bad("POST", "/proxies", b"{", "not JSON")
        await self.bad("POST", "/proxies", [], "a list")
        await self.bad("POST", "/proxies", self.proxy(enabled="yes"), "enabled", "true or false")
        await self.bad("POST", "/proxies", self.proxy(listen=5), "listen")
        await self.bad("POST", "/proxies", self.proxy(listen="nowhere"), "host:port")
        for text in ("unix:/tmp/x.sock", "ssl:443:privateKey=x", "tcp:0", "stdio:"):
            await self.bad("POST", "/proxies", self.proxy(listen=text), "listen", "host:port")
        await self.create()
        await self.wrong("POST", "/proxies", self.proxy(), 409, "proxy already exists")

    async def test_unknown_fields(self) -> None:
        """An unknown field passes, and the log warns of it; null is nothing."""
        with capturedLogs() as said:
            await self.create(colour="red", toxics=None, listen=None)
        self.assertIn("colour", [event.get("name") for event in said])

    async def test_content_types(self) -> None:
        """Clients may say what they like of the type of a body, or nothing."""
        for number, kind in enumerate(
            ("application/json", "text/plain", "application/x-www-form-urlencoded")
        ):
            body = self.proxy(f"p{number}")
            status, _, _ = await self.request("POST", f"{self.url}/proxies", body, Content_Type=kind)
            self.assertEqual(status, 201, kind)

    async def test_list(self) -> None:
        """All by name, in their order."""
        self.assertEqual(await self.say("GET", "/proxies"), {})
        for name in ("b", "a"):
            await self.create(name)
        said = await self.say("GET", "/proxies")
        self.assertEqual(list(said), ["b", "a"])
        self.assertEqual(said["a"], await self.say("GET", "/proxies/a"))
        self.assertFalse(said["a"]["main"])

    async def test_methods(self) -> None:
        """What cannot be done is told with what can."""
        said = await self.say("DELETE", "/proxies", status=405)
        self.assertIn("GET, HEAD, POST", said["error"])
        await self.say("GET", "/populate", status=405)
        await self.say("POST", "/version", status=405)


class ProxyTests(ApiCase):
    """``/proxies/{name}``."""

    async def test_get(self) -> None:
        """As it was created, and how many links there are."""
        made = await self.create()
        link = await self.connect(made["listen"])
        await link.ask(b"x")
        self.assertEqual(await self.say("GET", "/proxies/redis"), {**made, "links": 1})

    async def test_delete(self) -> None:
        """204; its links have ended and its port is free."""
        made = await self.create()
        link = await self.connect(made["listen"])
        await link.ask(b"x")
        self.assertIsNone(await self.say("DELETE", "/proxies/redis", status=204))
        await link.ended
        await self.refuses(made["listen"])

    async def test_not_found(self) -> None:
        """404 for every method, and for its toxics."""
        for method, path in (
            ("GET", ""),
            ("PATCH", ""),
            ("POST", ""),
            ("DELETE", ""),
            ("GET", "/toxics"),
            ("POST", "/toxics"),
            ("GET", "/toxics/x"),
            ("PATCH", "/toxics/x"),
            ("DELETE", "/toxics/x"),
        ):
            await self.wrong(method, f"/proxies/redis{path}", {}, 404, "proxy not found")
        said = await self.say("GET", "/proxies/redis/plan", status=404)
        self.assertEqual(said["status"], "error")

    async def test_disable_and_enable(self) -> None:
        """With PATCH, and with POST as older clients do."""
        made = await self.create()
        for method in ("PATCH", "POST"):
            link = await self.connect(made["listen"])
            await link.ask(b"x")
            said = await self.say(method, "/proxies/redis", {"enabled": False})
            self.assertEqual(said, {**made, "enabled": False})
            await link.ended
            await self.refuses(made["listen"])
            self.assertEqual(await self.say(method, "/proxies/redis", {"enabled": True}), made)
            self.assertEqual(await self.ask(made["listen"]), b"one:hello")

    async def test_addresses(self) -> None:
        """What differs is changed, and cuts the links; what is the same is left alone."""
        made, other, port = await self.create(), self.start_backend(b"two:"), free_port()
        link = await self.connect(made["listen"])
        await link.ask(b"x")
        same = {name: made[name] for name in ("name", "listen", "upstream", "enabled")}
        await self.say("POST", "/proxies/redis", same)
        self.assertEqual(await link.ask(b"x"), b"one:x")
        said = await self.say("PATCH", "/proxies/redis", {"upstream": f"127.0.0.1:{other}"})
        await link.ended
        self.assertEqual((said["upstream"], said["listen"]), (f"127.0.0.1:{other}", made["listen"]))
        said = await self.say("PATCH", "/proxies/redis", {"listen": f"127.0.0.1:{port}"})
        self.assertEqual(said["listen"], f"127.0.0.1:{port}")
        self.assertEqual(await self.ask(port), b"two:hello")
        await self.refuses(made["listen"])

    async def test_while_it_changes(self) -> None:
        """What is asked for while another change is under way has taken effect, too, when it is answered."""
        made, port = await self.create(), free_port()
        back = {name: made[name] for name in ("listen", "upstream", "enabled")}
        other = {"listen": f"127.0.0.1:{port}", "upstream": "127.0.0.1:1", "enabled": False}
        for there in (other, {"enabled": False}):
            await self.say("PATCH", "/proxies/redis", back)
            asked = [ensureDeferred(self.change(body)) for body in (there, back)]
            await asked[0]
            said = await asked[1]
            self.assertEqual({name: said[name] for name in back}, back)

    async def change(self, body: dict[str, Any]) -> Any:
        """What is answered to a PATCH; what can be done at once has been done when this is suspended."""
        request: Any = DummyRequest([])
        request.content = BytesIO(json.dumps(body).encode())
        return json.loads(await OneProxyApi(self.proxies, "redis").change(request))

    async def test_wrong(self) -> None:
        """What cannot be is refused, and nothing has changed."""
        made = await self.create()
        await self.bad("PATCH", "/proxies/redis", {"enabled": 1}, "enabled")
        for text in ("unix:/tmp/x", "tcp:0", "", 5):
            await self.bad("PATCH", "/proxies/redis", {"listen": text}, "listen")
        await self.bad("PATCH", "/proxies/redis", {"upstream": "nowhere"}, "upstream")
        await self.bad("PATCH", "/proxies/redis", {"upstream": made["listen"]}, "listens")
        await self.bad("PATCH", "/proxies/redis", {"name": "other"}, "POST another")
        await self.bad("PATCH", "/proxies/redis", {"protocol": "redis"}, "POST another")
        await self.bad("PATCH", "/proxies/redis", {"timeout": 5}, "POST another")
        await self.bad("PATCH", "/proxies/redis", {"plan": {"mix": "delay"}}, "/plan")
        await self.bad("PATCH", "/proxies/redis", b"[", "JSON")
        await self.bad("PATCH", "/proxies/redis", None, "empty")
        self.assertEqual(await self.say("GET", "/proxies/redis"), made)

    async def test_unknown_fields(self) -> None:
        """An unknown field passes with a warning; so do toxics, which are not changed so."""
        made = await self.create()
        with capturedLogs() as said:
            body = {"colour": 1, "toxics": [{"type": "pause"}]}
            self.assertEqual(await self.say("POST", "/proxies/redis", body), made)
        formats = [event.get("log_format") or "" for event in said]
        self.assertTrue(any("has no field" in each for each in formats))
        self.assertTrue(any("toxics are not changed so" in each for each in formats))

    async def test_sent_back(self) -> None:
        """What was given to a client may come back, though it could not be set so over HTTP."""
        path = f"{self.mktemp()}.sock"
        self.proxies.put(self.define("unix", listen=f"unix:{path}", upstream="unix:x", enabled=False))
        said = await self.say("GET", "/proxies/unix")
        body = {name: said[name] for name in ("name", "listen", "upstream", "toxics")}
        self.assertTrue((await self.say("POST", "/proxies/unix", {**body, "enabled": True}))["enabled"])
        enabled = await self.say("GET", "/proxies/unix")
        self.assertTrue((await self.say("POST", "/proxies/unix", enabled))["enabled"])
        await self.say("POST", "/proxies/unix", {**enabled, "enabled": False})

    async def test_names(self) -> None:
        """A name may have spaces, signs and any letters; no / in it, and %2F is not one of the path."""
        for name, path in (
            ("my redis", "my%20redis"),
            ("größe", "gr%C3%B6%C3%9Fe"),
            ("100%", "100%25"),
            ("a?b#c", "a%3Fb%23c"),
            ("%2F", "%252F"),
        ):
            await self.create(name)
            self.assertEqual((await self.say("GET", f"/proxies/{path}"))["name"], name)
            await self.say("POST", f"/proxies/{path}/toxics", {"type": "pause"})
            self.assertEqual(len(await self.say("GET", f"/proxies/{path}/toxics")), 1)
            self.assertEqual((await self.say("GET", f"/proxies/{path}/plan"))["mix"], [])
            await self.say("DELETE", f"/proxies/{path}", status=204)
        for name in ("a/b", " a", "a\n", "x" * 101):
            await self.bad("POST", "/proxies", self.proxy(name), "name")
        await self.create("a")
        await self.wrong("DELETE", "/proxies/a%2Ftoxics", None, 404, "proxy not found")
        await self.wrong("GET", "/proxies/a%2Fplan", None, 404, "proxy not found")
        await self.say("GET", "/proxies/a")


class ToxicsTests(ApiCase):
    """``/proxies/{name}/toxics``."""

    def setUp(self) -> None:
        super().setUp()
        self.path = "/proxies/redis/toxics"

    async def test_defaults(self) -> None:
        """Downstream, for all links, named after type and stream; 200, as Toxiproxy has it."""
        await self.create()
        said = await self.say("POST", self.path, {"type": "latency", "attributes": {"latency": 100}})
        self.assertEqual(said["attributes"].pop("distribution"), "uniform")
        expected = {"name": "latency_downstream", "type": "latency", "stream": "downstream", "toxicity": 1}
        self.assertEqual(said, {**expected, "attributes": {"latency": 100, "jitter": 0}})
        self.assertEqual((await self.say("GET", self.path))[0]["name"], "latency_downstream")
        self.assertEqual((await self.say("GET", "/proxies"))["redis"]["toxics"][0]["type"], "latency")

    async def test_all_of_toxiproxys(self) -> None:
        """Each type, with its attributes as Toxiproxy names them, in both directions."""
        await self.create()
        types = {
            "latency": {"latency": 1, "jitter": 2},
            "bandwidth": {"rate": 3},
            "slow_close": {"delay": 4},
            "timeout": {"timeout": 5},
            "reset_peer": {"timeout": 6},
            "slicer": {"average_size": 7, "size_variation": 2, "delay": 8},
            "limit_data": {"bytes": 9},
        }
        for kind, attributes in types.items():
            for stream in ("upstream", "downstream"):
                body = {"type": kind, "stream": stream, "toxicity": 0, "attributes": attributes}
                said = await self.say("POST", self.path, body)
                self.assertEqual({name: said["attributes"][name] for name in attributes}, attributes)
                self.assertEqual((said["name"], said["toxicity"]), (f"{kind}_{stream}", 0))

    async def test_change(self) -> None:
        """PATCH and POST change attributes and toxicity; what is not said, or null, stays."""
        await self.create()
        await self.say("POST", self.path, {"type": "latency", "attributes": {"latency": 100, "jitter": 5}})
        path = f"{self.path}/latency_downstream"
        said = await self.say("PATCH", path, {"attributes": {"latency": 200.0}, "toxicity": 0.5})
        self.assertEqual((said["attributes"]["latency"], said["attributes"]["jitter"]), (200, 5))
        body = {"toxicity": None, "attributes": None, "stream": "Downstream", "colour": 1}
        self.assertEqual(await self.say("POST", path, body), said)
        self.assertEqual(await self.say("POST", path, said), said)
        self.assertEqual(await self.say("GET", path), said)

    async def test_remove(self) -> None:
        """204, and what it held has gone on; twice is 404."""
        made = await self.create()
        await self.say("POST", self.path, {"type": "pause"})
        link = await self.connect(made["listen"])
        answer = link.ask(b"x")
        await self.say("DELETE", f"{self.path}/pause_downstream", status=204)
        self.assertEqual(await answer, b"one:x")
        await self.wrong("DELETE", f"{self.path}/pause_downstream", None, 404, "toxic not found")

    async def test_removed_under_load(self) -> None:
        """Of whatever type, with data on its way, it is gone when the answer comes, and never hangs."""
        made = await self.create()
        attributes = {"latency": {"latency": 3_600_000}, "bandwidth": {"rate": 0}}
        for kind in self.registry.toxics:
            for stream in ("upstream", "downstream"):
                body = {"type": kind, "stream": stream, "attributes": attributes.get(kind, {})}
                name = (await self.say("POST", self.path, body))["name"]
                link = await self.connect(made["listen"])
                transport: Any = link.transport
                transport.write(b"x" * 200_000)
                await self.say("DELETE", f"{self.path}/{name}", status=204)
                await link.leave()
        self.assertEqual(await self.say("GET", self.path), [])

    async def test_wrong(self) -> None:
        """Toxiproxy's texts and codes."""
        await self.create()
        await self.wrong("POST", self.path, {"type": "latenzy"}, 400, "invalid toxic type")
        await self.wrong("POST", self.path, {}, 400, "invalid toxic type")
        stream = "stream was invalid, can be either upstream or downstream"
        for said in ("sideways", "", 5):
            await self.wrong("POST", self.path, {"type": "latency", "stream": said}, 400, stream)
        await self.bad("POST", self.path, {"type": "latency", "toxicity": 2}, "toxicity")
        await self.bad("POST", self.path, {"type": "latency", "attributes": {"latency": "x"}}, "latency")
        await self.bad("POST", self.path, {"type": "latency", "attributes": 5}, "attributes")
        await self.bad("POST", self.path, b"{", "JSON")
        await self.say("POST", self.path, {"type": "latency"})
        await self.wrong("POST", self.path, {"type": "latency"}, 409, "toxic already exists")
        path = f"{self.path}/latency_downstream"
        await self.bad("PATCH", path, {"attributes": {"latency": -1}}, "latency")
        await self.bad("PATCH", path, {"type": "pause"}, "the type of a toxic stays")
        await self.bad("PATCH", path, None, "empty")
        for method in ("GET", "PATCH", "POST", "DELETE"):
            await self.wrong(method, f"{self.path}/far", {}, 404, "toxic not found")

    async def test_unknown_attributes(self) -> None:
        """An unknown attribute passes with a warning, as in Toxiproxy."""
        await self.create()
        with capturedLogs() as said:
            await self.say("POST", self.path, {"type": "latency", "attributes": {"latenzy": 5}})
        self.assertIn("latenzy", [event.get("name") for event in said])


class PopulateTests(ApiCase):
    """``POST /populate``."""

    async def populate(self, *proxies: object) -> list[Any]:
        """The proxies that it answers with."""
        said = await self.say("POST", "/populate", list(proxies), 201)
        self.assertEqual(set(said), {"proxies"})
        return list(said["proxies"])

    async def test_new(self) -> None:
        """They are made in their order, enabled unless it is said otherwise."""
        said = await self.populate(self.proxy("b"), self.proxy("a", enabled=False))
        self.assertEqual([(each["name"], each["enabled"]) for each in said], [("b", True), ("a", False)])
        self.assertEqual(await self.ask(said[0]["listen"]), b"one:hello")
        self.assertEqual(await self.populate(), [])

    async def test_equal_ones_stay(self) -> None:
        """One that is there just so stays: its links, its toxics, and disabled if it was."""
        body = self.proxy(listen=f"127.0.0.1:{free_port()}")
        (made,) = await self.populate(body)
        await self.say("POST", "/proxies/redis/toxics", {"type": "latency"})
        link = await self.connect(made["listen"])
        await link.ask(b"x")
        (said,) = await self.populate(body)
        self.assertEqual(
            ([each["name"] for each in said["toxics"]], said["links"]), (["latency_downstream"], 1)
        )
        self.assertEqual(await link.ask(b"x"), b"one:x")
        await self.say("PATCH", "/proxies/redis", {"enabled": False})
        self.assertFalse((await self.populate(body))[0]["enabled"])

    async def test_others_are_replaced(self) -> None:
        """One that differs in an address, or in what we have besides, is made anew."""
        other, port = self.start_backend(b"two:"), free_port()
        member = await self.member(listen=f"127.0.0.1:{port}")
        link = await self.connect(port)
        await link.ask(b"x")
        changes: tuple[dict[str, Any], ...] = (
            {"upstream": f"127.0.0.1:{other}"},
            {"protocol": "redis"},
            {"plan": {"mix": "delay"}},
            {"toxics": [{"type": "latency"}]},
            {"seed": 9},
            {"timeout": 3},
            {"listen": f"127.0.0.1:{free_port()}"},
        )
        for change in changes:
            await self.populate({**self.proxy(listen=f"127.0.0.1:{port}"), **change})
            self.assertIsNot(self.proxies.get("redis"), member, change)
            await self.say("DELETE", "/proxies/redis", status=204)
            member = await self.member(listen=f"127.0.0.1:{port}")
        await link.ended

    async def member(self, **fields: object) -> Member:
        """A proxy that there is then."""
        await self.populate(self.proxy("redis", **fields))
        return self.proxies.get("redis")

    async def test_nothing_where_one_is_wrong(self) -> None:
        """What can be known before is: then nothing is done."""
        good = self.proxy("good")
        for bad, text in (
            ({"upstream": "localhost:1"}, "missing required field: name at proxy 2"),
            ({"name": "bad"}, "missing required field: upstream at proxy 2"),
            ({"name": "bad", "upstream": "localhost:1", "toxics": [{"type": "x"}]}, "invalid toxic type"),
        ):
            await self.wrong("POST", "/populate", [good, bad], 400, text)
        await self.bad("POST", "/populate", [good, good], "[1]: name", "two proxies called 'good'")
        await self.bad("POST", "/populate", [good, 5], "[1]")
        await self.bad("POST", "/populate", good, "not a JSON list")
        await self.bad("POST", "/populate", b"[", "JSON")
        self.assertEqual(await self.say("GET", "/proxies"), {})

    async def test_port_taken(self) -> None:
        """Those before it stay, and are told of beside the error; those after it are not made."""
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        bad = self.proxy("bad", listen=f"127.0.0.1:{taken.getsockname()[1]}")
        said = await self.say("POST", "/populate", [self.proxy("a"), bad, self.proxy("b")], 409)
        self.assertIn("the port is in use", said["error"])
        self.assertEqual((said["status"], [each["name"] for each in said["proxies"]]), (409, ["a"]))
        self.assertEqual(list(await self.say("GET", "/proxies")), ["a"])


class PlaceTests(ApiCase):
    """The fields that errors name."""

    async def test_upstream(self) -> None:
        """A backend that will not do is called ``upstream``, in a change as at the start."""
        made = await self.create()
        for method, path, body in (
            ("PATCH", "/proxies/redis", {"upstream": made["listen"]}),
            ("PATCH", "/proxies/redis", {"upstream": self.url.removeprefix("http://")}),
            ("POST", "/proxies", self.proxy("other", upstream=self.url.removeprefix("http://"))),
        ):
            said = await self.say(method, path, body, 400)
            self.assertEqual(said["errors"][0]["name"], "upstream", body)

    async def test_name_in_listen(self) -> None:
        """Where it listens is an address, for a name would have to be looked up; localhost will do."""
        made = await self.create(listen="LocalHost:0")
        for method, path in (("POST", "/proxies"), ("PATCH", "/proxies/redis")):
            for host in ("myhost.example", "127.1", "localhost.localdomain"):
                body = {**self.proxy("redis"), "listen": f"{host}:0"}
                await self.bad(method, path, body, "listen", "numeric address")
        await self.say("PATCH", "/proxies/redis", {"listen": made["listen"]})

    async def test_limits(self) -> None:
        """A limit that there is not is named."""
        said = await self.say("POST", "/proxies", self.proxy(limits={"idle_timeou": 5}), 400)
        self.assertEqual(said["errors"][0]["name"], "limits.idle_timeou")
        self.assertIn("did you mean 'idle_timeout'?", said["errors"][0]["description"])

    async def test_seed(self) -> None:
        """A seed has 64 bits."""
        await self.create()
        asked = (
            ("POST", "/proxies", self.proxy("b", seed=2**63)),
            ("PUT", "/proxies/redis/plan", {"seed": -(2**64)}),
        )
        for method, path, body in asked:
            _, said, _ = await self.request(method, self.url + path, body, Content_Type="application/json")
            self.assertEqual(said["errors"][0]["name"], "seed")
            self.assertIn(f"to {2**63 - 1}", said["errors"][0]["description"])

    async def test_slash(self) -> None:
        """A path with a slash behind it is as without."""
        await self.create()
        for path in ("/proxies/redis", "/proxies/redis/toxics", "/proxies/redis/rules", "/proxies"):
            self.assertEqual(await self.say("GET", f"{path}/"), await self.say("GET", path))
        said = await self.say("GET", "/proxies/far/", status=404)
        self.assertIn("there is no proxy 'far'", said["errors"][0]["description"])
        said = await self.say("GET", "/proxies/redis/rulez", status=404)
        self.assertIn("/proxies/redis/rules", said["errors"][0]["description"])


class StrictTests(ApiCase):
    """``?strict=true``, which our own clients say: what there is not is refused by name."""

    async def test_strict(self) -> None:
        """Of a proxy, its toxics and their attributes, on every path; what there is passes, null as well."""
        await self.bad("POST", "/proxies?strict=true", self.proxy(colour="red"), "colour")
        toxic = {"type": "latency", "attributes": {"latenzy": 5}}
        await self.bad("POST", "/proxies?strict=true", self.proxy(toxics=[toxic]), "toxics[0].latenzy")
        part = self.proxy(colour="red")
        await self.bad("POST", "/populate?strict=true", [self.proxy("a"), part], "[1]: colour")
        self.assertEqual(len(self.proxies), 0)
        made = await self.say("POST", "/proxies?strict=true", self.proxy(seed=None), 201)
        await self.say("PATCH", "/proxies/redis?strict=true", made)
        await self.say("POST", "/populate?strict=true", [made], 201)
        await self.bad("PATCH", "/proxies/redis?strict=true", {"colour": 5}, "colour")
        path = "/proxies/redis/toxics"
        await self.bad("POST", f"{path}?strict=true", toxic, "latenzy")
        await self.bad("POST", f"{path}?strict=true", {"type": "latency", "latenzy": 5}, "latenzy")
        await self.say("POST", f"{path}?strict=true", {"type": "latency", "attributes": {"latency": 5.0}})
        await self.bad(
            "PATCH", f"{path}/latency_downstream?strict=true", {"attributes": {"jiter": 5}}, "jiter"
        )

    async def test_other_queries(self) -> None:
        """What else stands there passes, as in Toxiproxy; what strict is not is refused."""
        await self.say("POST", "/proxies?strict=false&pretty=1", self.proxy(colour="red"), 201)
        await self.bad("POST", "/proxies?strict=perhaps", self.proxy("other"), "true or false")


class RestTests(ApiCase):
    """``/reset``, ``/version``."""

    async def test_reset(self) -> None:
        """204 with no body: every toxic is gone, and every proxy enabled."""
        made = await self.create(toxics=[{"type": "latency"}])
        await self.say("PATCH", "/proxies/redis", {"enabled": False})
        self.assertIsNone(await self.say("POST", "/reset", status=204))
        self.assertEqual(await self.say("GET", "/proxies/redis"), await self.without_faults(made))

    async def without_faults(self, made: Any) -> Any:
        """A proxy as it is when it has no toxics."""
        return {**made, "toxics": [], "plan": {**made["plan"], "toxics": []}}

    async def test_version(self) -> None:
        """That of Toxiproxy, which clients look at, and ours."""
        said = await self.say("GET", "/version")
        self.assertEqual(said["version"], VERSION)
        self.assertIn("txvaurien", said)

    async def test_the_only_one_is_the_main_one(self) -> None:
        """What is made so can be asked for at the root too, while it is the only one."""
        await self.create()
        self.assertEqual((await self.say("GET", "/backend"))["backend"], f"127.0.0.1:{self.backend}")
        await self.create("other")
        said = await self.say("GET", "/backend", status=404)
        self.assertIn("there are several proxies: other, redis", said["errors"][0]["description"])
