"""The API as an OpenAPI 3.1 document, made from the routes and from what is declared.

Paths, methods and descriptions come from the resources (`txvaurien.control.openapi.routes`), schemas of
faults from the options that are installed (`.faults`), the rest is in `.answers` and `.operations`.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from txvaurien import __version__
from txvaurien.control.api import ControlApi
from txvaurien.control.events import EventsApi
from txvaurien.control.journal import JournalApi
from txvaurien.control.metrics import MetricsApi
from txvaurien.control.openapi.answers import answer_schemas
from txvaurien.control.openapi.faults import fault_schemas, ref
from txvaurien.control.openapi.operations import JSON, OPERATIONS, Operation
from txvaurien.control.openapi.proxies import proxy_schemas
from txvaurien.control.openapi.routes import Route, all_routes
from txvaurien.control.proxy import ProxyApi
from txvaurien.control.schemas import Schema, property_of
from txvaurien.control.toxiproxy import OneProxyApi, ToxicsOfProxy, ToxiproxyApi
from txvaurien.journal import EVENTS
from txvaurien.options import Declared, options_of
from txvaurien.plugins import Registry

#: What all routes may refuse: a request that cannot be read, and one of a foreign page.
_ALWAYS = (400, 403)

_NOT_DESCRIBED = Operation("Anything")

#: Where no proxy is needed for an answer.
_OF_ALL = tuple(each.__module__ for each in (ControlApi, ToxiproxyApi, JournalApi, EventsApi, MetricsApi))

#: What stands before the names of handlers in the identity of an operation, where it is not the tag.
_IDENTITIES: Mapping[type, str] = MappingProxyType(
    {ControlApi: "", ProxyApi: "", OneProxyApi: "", ToxiproxyApi: "proxies", ToxicsOfProxy: "toxics"}
)

#: What of a query its option does not say.
_MORE: Mapping[str, Schema] = MappingProxyType({"event": {"enum": ["", *EVENTS]}})

_WHY: Mapping[int, str] = {
    400: "The request will not do.",
    401: "The token is missing, or another one.",
    403: "The request came from a page of another site, or under a foreign name.",
    404: "There is no such thing.",
    408: "It has not happened in that time.",
    409: "It cannot be done as things stand: there is one already, there is none, or the port is taken.",
    413: "The body is too large.",
    415: "The body is not said to be JSON.",
    503: "There are too many at once.",
}


def document(registry: Registry, *, secured: bool = False) -> dict[str, Any]:
    """The whole document.

    :param registry: what can be named.
    :param secured: whether the server wants a token.
    """
    routes = all_routes()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "txvaurien",
            "version": __version__,
            "description": "Control of chaos proxies: what goes wrong, for whom, and when.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": list(_tags(routes)),
        "paths": _paths(routes, secured),
        "components": _components(registry, secured),
        **({"security": [{"token": []}]} if secured else {}),
    }


def _components(registry: Registry, secured: bool) -> dict[str, Any]:
    schemas = {**answer_schemas(), **fault_schemas(registry), **proxy_schemas(registry)}
    token = {"token": {"type": "http", "scheme": "bearer"}}
    return {"schemas": schemas, **({"securitySchemes": token} if secured else {})}


def _tags(routes: list[Route]) -> Iterator[dict[str, str]]:
    for api in {_tag(route.api): route.api for route in routes}.values():
        doc = inspect.getdoc(sys.modules[api.__module__]) or ""
        yield {"name": _tag(api), "description": doc.partition("\n")[0]}


def _tag(api: type) -> str:
    """The module: ``rules``, ``toxiproxy``; that of the root is for the server as a whole."""
    module = api.__module__.rpartition(".")[2]
    return "server" if module == "api" else module


def _paths(routes: list[Route], secured: bool) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    seen: set[str] = set()
    for route in routes:
        method, identity = route.method.lower(), _operation_id(route)
        # One handler may answer two methods.
        identity = f"{identity}_{method}" if identity in seen else identity
        seen.add(identity)
        said = {"operationId": identity, **_operation(route, secured)}
        paths.setdefault(route.path, {})[method] = said
    return paths


def _operation(route: Route, secured: bool) -> dict[str, Any]:
    # A test sees to it that there is none that is not described.
    operation = OPERATIONS.get(route.key, _NOT_DESCRIBED)
    summary, description = route.doc
    said: dict[str, Any] = {
        "tags": [_tag(route.api)],
        "summary": summary,
        "parameters": list(_parameters(route, operation)),
        "responses": _responses(route, operation, secured),
    }
    if description:
        said["description"] = description
    if operation.body:
        content = {JSON: {"schema": ref(operation.body)}}
        said["requestBody"] = {"required": not operation.may_be_empty, "content": content}
    return said


def _operation_id(route: Route) -> str:
    """``rules_add``, and ``proxy_rules_add`` for that of a proxy that is named."""
    named = ["proxy"] if "proxy" in route.parameters else []
    what = _IDENTITIES.get(route.api, _tag(route.api))
    of = [] if route.handler.endswith(what) else [what]
    return "_".join([*named, *of, route.handler])


def _parameters(route: Route, operation: Operation) -> Iterator[dict[str, Any]]:
    for name in route.parameters:
        schema: Schema = {"type": "string", "minLength": 1}
        yield {"name": name, "in": "path", "required": True, "schema": schema}
    if operation.query is not None:
        yield from _query(operation.query)
    for name, text in operation.headers.items():
        yield {"name": name, "in": "header", "description": text, "schema": {"type": "string"}}


def _query(declared: type[Declared]) -> Iterator[dict[str, Any]]:
    for option in options_of(declared):
        schema = {**_not_null(property_of(option)), **_MORE.get(option.attribute, {})}
        yield {"name": option.attribute, "in": "query", "description": option.help, "schema": schema}


def _not_null(schema: Schema) -> Schema:
    """Nothing stands for null in a query."""
    arms: list[Schema] = [each for each in schema.get("anyOf", []) if each != {"type": "null"}]
    return arms[0] if len(arms) == 1 else schema


def _responses(route: Route, operation: Operation, secured: bool) -> dict[str, Any]:
    good: dict[str, Any] = {"description": "It is done." if route.method != "GET" else "What there is."}
    content = {JSON: {"schema": ref(operation.answer)}} if operation.answer else {}
    for media, text in operation.media.items():
        content[media] = {"schema": {"type": "string", "description": text}}
    if content:
        good["content"] = content
    always = {*_ALWAYS, 401} if secured else _ALWAYS
    refused = sorted({*always, *operation.refusals, *_implied(route, operation)})
    return {
        str(operation.status): good,
        **{str(status): _refusal(status, operation) for status in refused},
    }


def _implied(route: Route, operation: Operation) -> Iterator[int]:
    """What comes with being about a proxy, which there may not be, and with having a body."""
    if route.api.__module__ not in _OF_ALL or route.path.startswith("/proxies/"):
        yield 404
    if operation.body:
        yield from (413, 415)


def _refusal(status: int, operation: Operation) -> dict[str, Any]:
    shape = operation.shapes.get(status, operation.refusal)
    return {"description": _WHY[status], "content": {JSON: {"schema": ref(shape)}}}
