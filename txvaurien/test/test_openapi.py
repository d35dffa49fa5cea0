"""/openapi.json: all that there is, described, and only that."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from referencing import Registry as Resources
from referencing.jsonschema import DRAFT202012
from twisted.trial.unittest import SynchronousTestCase

import txvaurien.control
from txvaurien.actions import ACTIONS
from txvaurien.control.api import ControlApi
from txvaurien.control.openapi import document
from txvaurien.control.openapi.operations import OPERATIONS
from txvaurien.control.openapi.routes import MOUNTS, all_routes
from txvaurien.plugins import Registry
from txvaurien.test.control_helpers import ControlCase, registry
from txvaurien.test.test_control_listings import Odd


def operations_of(said: dict[str, Any]) -> dict[str, Any]:
    """Each operation by its method and path."""
    return {
        f"{method.upper()} {path}": operation
        for path, methods in said["paths"].items()
        for method, operation in methods.items()
    }


class DocumentTests(SynchronousTestCase):
    """The document as a whole."""

    def setUp(self) -> None:
        self.document = document(Registry.load())
        self.operations = operations_of(self.document)

    def test_valid(self) -> None:
        """It is one of OpenAPI 3.1."""
        self.assertEqual(self.document["openapi"], "3.1.0")
        validate(self.document)

    def test_odd_plugin(self) -> None:
        """With whatever plug-ins there are."""
        validate(document(Registry(behaviors={"odd": Odd})))

    def test_every_route(self) -> None:
        """Each route is described, and nothing that is none."""
        keys = {route.key for route in all_routes()}
        self.assertEqual(keys - OPERATIONS.keys(), set())
        self.assertEqual(OPERATIONS.keys() - keys, set())
        written = {f"{route.method} {route.path}" for route in all_routes()}
        self.assertEqual(written, self.operations.keys())
        self.assertLess({"PUT /behavior", "GET /proxies/{proxy}/rules/{name}", "POST /populate"}, written)

    def test_every_resource(self) -> None:
        """Each class that has routes is reached from the root."""
        folder = Path(txvaurien.control.__file__).parent
        text = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
        with_routes = set(re.findall(r"^class (\w+):\n(?:(?!^class ).*\n)*?    app = new_app\(", text, re.M))
        self.assertGreater(len(with_routes), 8)
        reached = {mount.api.__name__ for mounts in MOUNTS.values() for mount in mounts}
        self.assertEqual(with_routes, {*reached, ControlApi.__name__})

    def test_described(self) -> None:
        """Each has words, those of its handler, and an identity of its own."""
        identities = [each["operationId"] for each in self.operations.values()]
        self.assertEqual(len(identities), len(set(identities)))
        tags = {tag["name"] for tag in self.document["tags"]}
        for name, operation in self.operations.items():
            self.assertTrue(operation["summary"], name)
            self.assertLessEqual(set(operation["tags"]), tags)
        self.assertEqual(self.operations["POST /rules"]["summary"], "One more rule")

    def test_generated(self) -> None:
        """Behaviors, toxics and actions with their options, told apart by their names."""
        schemas = self.document["components"]["schemas"]
        for union, key, names in (
            ("Rule", "behavior", Registry.load().names("behaviors")),
            ("Toxic", "type", Registry.load().names("toxics")),
            ("Action", "action", sorted(ACTIONS)),
        ):
            self.assertEqual(schemas[union]["discriminator"]["propertyName"], key)
            self.assertEqual(sorted(schemas[union]["discriminator"]["mapping"]), names)
        sleep = schemas["Rule.delay"]["properties"]["sleep"]
        self.assertEqual((sleep["minimum"], sleep["maximum"], sleep["unit"]), (0, 86400.0, "seconds"))
        self.assertIn("probability", schemas["Rule.delay"]["properties"])

    def test_references(self) -> None:
        """No component is missing, and none is without use."""
        used = set(re.findall(r"#/components/schemas/([\w.-]+)", str(self.document)))
        self.assertEqual(used, self.document["components"]["schemas"].keys())

    def test_token(self) -> None:
        """Where a token is wanted that is said, and what comes without it."""
        self.assertNotIn("security", self.document)
        secured = document(Registry.load(), secured=True)
        validate(secured)
        self.assertEqual(secured["security"], [{"token": []}])
        self.assertEqual(secured["components"]["securitySchemes"]["token"]["scheme"], "bearer")
        for operation in operations_of(secured).values():
            self.assertIn("401", operation["responses"])


class AnswerTests(ControlCase):
    """What is answered is what is described."""

    def check(self, method: str, path: str, body: object = b"", described: str = "") -> None:
        """The answer to this is one that the document has."""
        answer = self.client.ask(method, path, body)
        said = document(registry())
        responses = operations_of(said)[f"{method} {described or path}"]["responses"]
        schema = responses[str(answer.status)]["content"]["application/json"]["schema"]
        resource = DRAFT202012.create_resource(said)
        resources: Any = Resources().with_resource("api:", resource)
        validator = Draft202012Validator({"$ref": f"api:{schema['$ref']}"}, registry=resources)
        errors = [error.message for error in validator.iter_errors(answer.said)]
        self.assertEqual(errors, [], f"{method} {path}: {answer.said}")

    def test_listings(self) -> None:
        """Of what can be named."""
        for path in ("/behaviors", "/protocols", "/toxics", "/health", "/version", "/openapi.json"):
            self.check("GET", path)

    def test_faults(self) -> None:
        """Of rules, toxics, actions and scenarios, one and all, in both places."""
        self.check("POST", "/rules", {"behavior": "delay", "verb": "GET", "for": 5, "message": 3})
        self.check("POST", "/rules", {"rule": "error kind=any name=mine"})
        self.check("POST", "/toxics", {"type": "latency"})
        self.check("POST", "/actions/half_open", described="/actions/{name}")
        self.check("PUT", "/scenario", {"scenario": "at 10s: delay for 5s"})
        for path in ("behavior", "backend", "plan", "rules", "actions", "links", "scenario"):
            self.check("GET", f"/{path}")
            self.check("GET", f"/proxies/proxy/{path}", described=f"/proxies/{{proxy}}/{path}")
        self.check("GET", "/rules/mine", described="/rules/{name}")
        self.check("GET", "/proxies/proxy/toxics", described="/proxies/{proxy}/toxics")
        self.check("GET", "/proxies")
        self.check("GET", "/proxies/proxy", described="/proxies/{proxy}")
        self.check("GET", "/journal")
        self.check("GET", "/events")

    def test_refusals(self) -> None:
        """Of what cannot be."""
        self.check("PUT", "/behavior", {"name": "dealy"})
        self.check("GET", "/rules/none", described="/rules/{name}")
        self.check("GET", "/proxies/none", described="/proxies/{proxy}")
        self.check("GET", "/proxies/none/rules", described="/proxies/{proxy}/rules")
        self.check("POST", "/proxies", {"name": "x"})
        self.client.ask("POST", "/rules", {"behavior": "delay", "name": "slow"})
        waiting = self.client.ask("GET", "/rules/slow?fired=1&timeout=0")
        self.assertEqual(waiting.status, 0)
        self.proxy.reactor.advance(0)
        self.assertEqual(self.client.answer().said["fired"], 0)
