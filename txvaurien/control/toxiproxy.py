"""Toxiproxy's HTTP API (version 2.12), for its clients in every language.

A proxy is ``{"name": "redis", "listen": "127.0.0.1:26379", "upstream": "localhost:6379", "enabled": true,
"toxics": [...]}`` with additions of ours: ``protocol``, ``options``, ``plan``, ``links`` (how many there
are), ``limits``, how both ends are spoken to (``tls``, ``send_proxy`` ...) and ``main``.

- ``GET /proxies``: all by name; ``POST /proxies``: one more, with its faults, or nothing at all.
- ``GET``, ``PATCH`` (or POST), ``DELETE /proxies/{name}``.
- ``GET``, ``POST /proxies/{name}/toxics``; ``GET``, ``PATCH`` (or POST), ``DELETE`` of ``/{toxic}`` below it.
- ``POST /populate``: a list of proxies; those that are there just so stay.
- ``GET /version``.

Errors are ``{"error": "proxy not found", "status": 404, "errors": [...]}``. An unknown field passes, with
a warning in the log; with ``?strict=true`` it is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

from klein.resource import KleinResource
from msgspec import Meta
from twisted.logger import Logger
from twisted.web.iweb import IRequest

from txvaurien import __version__
from txvaurien.control.answers import Problem, Refused
from txvaurien.control.app import mounted, new_app, query_of, say
from txvaurien.control.bodies import read_list, read_object
from txvaurien.control.faultedits import NoToxic, ToxicExists, Toxics
from txvaurien.control.proxyjson import (
    backend_of,
    describe_proxy,
    enabled_of,
    fixed_problems,
    listen_of,
    read_definition,
    stays,
)
from txvaurien.errors import ConfigError, ListenError
from txvaurien.options import Declared
from txvaurien.process.definition import Definition
from txvaurien.process.definitionreader import (
    ALL_FIELDS,
    DefinitionReader,
    MissingField,
    known_of,
    tolerant_toxic,
)
from txvaurien.process.member import Member
from txvaurien.process.proxies import NoProxy, Proxies, ProxyExists

#: What its clients are told: the version of Toxiproxy that this does as.
VERSION = "2.12.0"

#: What Toxiproxy calls what is wrong.
_TEXTS: Mapping[type[BaseException], str] = {
    NoProxy: "proxy not found",
    ProxyExists: "proxy already exists",
    NoToxic: "toxic not found",
    ToxicExists: "toxic already exists",
}
_FIELDS_OF_TOXICS = {
    "type": "invalid toxic type",
    "stream": "stream was invalid, can be either upstream or downstream",
}
_PLACE_OF_TOXIC = re.compile(r"(?:.*toxics\[\d+\]\.)?(type|stream)", re.DOTALL)
_PART_OF_POPULATE = re.compile(r"\[(\d+)\]: ")


def as_toxiproxy(refused: Refused, error: BaseException) -> Refused:
    """A refusal with what Toxiproxy would say beside what we say."""
    more = {**refused.more, "error": _text(refused, refused.__cause__ or error), "status": refused.status}
    return Refused(refused.status, refused.problems, refused.headers, more)


def _text(refused: Refused, error: BaseException) -> str:
    for kind, text in _TEXTS.items():
        if isinstance(error, kind):
            return text
    if isinstance(error, MissingField):
        part = _PART_OF_POPULATE.match(error.where)
        return f"missing required field: {error.field}" + (f" at proxy {int(part[1]) + 1}" if part else "")
    if isinstance(error, ConfigError):
        place = _PLACE_OF_TOXIC.fullmatch(error.where)
        return _FIELDS_OF_TOXICS[place[1]] if place else f"bad request body: {error}"
    said = "; ".join(problem.description for problem in refused.problems)
    return f"bad request body: {said}" if refused.status == 400 else said


class Strictness(Declared, frozen=True, kw_only=True):
    """How what is unknown is taken."""

    name: ClassVar[str] = "query"

    strict: Annotated[
        bool, Meta(description="refuse fields that there are not, which pass otherwise, as in Toxiproxy")
    ] = False


class ToxiproxyApi:
    """The resource of what concerns no single proxy: ``/proxies``, ``/populate`` and ``/version``."""

    app = new_app(as_toxiproxy)

    def __init__(self, proxies: Proxies) -> None:
        self._proxies = proxies
        self._reader = DefinitionReader(proxies.registry, proxies.defaults)

    def resource(self) -> KleinResource:
        """The resource."""
        return self.app.resource()

    @app.route("/version", methods=["GET"])
    def version(self, request: IRequest) -> bytes:
        """The version of Toxiproxy whose API this is, and our own."""
        return say(request, {"version": VERSION, "txvaurien": __version__})

    @app.route("/proxies", methods=["GET"])
    async def list_proxies(self, request: IRequest) -> bytes:
        """All proxies by name, in the order in which they were made."""
        return say(request, {member.name: await self._describe(member) for member in self._proxies})

    @app.route("/proxies", methods=["POST"])
    async def create(self, request: IRequest) -> bytes:
        """One more proxy, with its toxics; where something is wrong there is nothing."""
        said = read_object(_body(request))
        definition = read_definition(self._reader, said, strict=_is_strict(request))
        member = await self._proxies.add(definition)
        return say(request, await self._describe(member), 201)

    @app.route("/populate", methods=["POST"])
    async def populate(self, request: IRequest) -> bytes:
        """Several proxies: one that is there just so stays, others are made or replaced.

        Nothing is done where one of them cannot be. A port that is taken shows only when those
        before it are done; these are told of, and stay.
        """
        parts, strict = read_list(_body(request)), _is_strict(request)
        done: list[Member] = []
        try:
            for said, definition in self._read_all(parts, strict):
                done.append(await self._put(said, definition))
        except (ConfigError, ListenError) as error:
            status = 409 if isinstance(error, ListenError) else 400
            problem = Problem.of(error) if isinstance(error, ConfigError) else _of_server(error)
            raise Refused(status, [problem], more=await self._all_of(done)) from error
        return say(request, await self._all_of(done), 201)

    async def _all_of(self, members: Sequence[Member]) -> dict[str, Any]:
        return {"proxies": [await self._describe(member) for member in members]}

    def _read_all(self, parts: Sequence[Any], strict: bool) -> list[tuple[dict[str, Any], Definition]]:
        found: dict[str, tuple[dict[str, Any], Definition]] = {}
        for number, said in enumerate(parts):
            where = f"[{number}]"
            if not isinstance(said, dict):
                raise ConfigError(where, "it is not a proxy", "send a list of objects")
            definition = read_definition(self._reader, said, where, strict=strict)
            if definition.name in found:
                what = f"there are two proxies called {definition.name!r}"
                raise ConfigError(f"{where}: name", what, "each has a name of its own")
            found[definition.name] = said, definition
        return list(found.values())

    async def _put(self, said: Mapping[str, Any], definition: Definition) -> Member:
        return await self._proxies.replace(definition, unless=lambda old: stays(old, said, definition))

    async def _describe(self, member: Member) -> dict[str, Any]:
        return await describe_proxy(member, self._proxies)


class OneProxyApi:
    """The resource of one proxy, as far as it is Toxiproxy's.

    :param name: what it is called; there need not be such a proxy.
    """

    app = new_app(as_toxiproxy)
    log = Logger()

    def __init__(self, proxies: Proxies, name: str) -> None:
        self._proxies = proxies
        self._name = name

    def resource(self) -> KleinResource:
        """The resource."""
        return self.app.resource()

    @app.route("/", methods=["GET"])
    async def get(self, request: IRequest) -> bytes:
        """One proxy."""
        return say(request, await describe_proxy(self._proxies.get(self._name), self._proxies))

    @app.route("/", methods=["PATCH", "POST"])
    async def change(self, request: IRequest) -> bytes:
        """Change where it listens and connects to, and whether it is enabled: what differs, and no more."""
        said = known_of(read_object(_body(request)), ALL_FIELDS, "a proxy", strict=_is_strict(request))
        now = await describe_proxy(self._proxies.get(self._name), self._proxies)
        problems = fixed_problems(now, said)
        if problems:
            raise Refused(400, problems)
        if said.get("toxics", now["toxics"]) != now["toxics"]:
            self.log.info("{name}: its toxics are not changed so, but below /toxics", name=self._name)
        member = await self._change(said, now)
        return say(request, await describe_proxy(member, self._proxies))

    async def _change(self, said: Mapping[str, Any], now: Mapping[str, Any]) -> Member:
        # What differs is seen when it is its turn: another change may be under way.
        listen, backend, enabled = listen_of(said, now), backend_of(said, now), enabled_of(said)
        try:
            return await self._proxies.change(self._name, listen=listen, backend=backend, enabled=enabled)
        except ConfigError as error:
            if error.where != "backend":
                raise
            raise error.at("upstream") from error

    @app.route("/", methods=["DELETE"])
    async def remove(self, request: IRequest) -> bytes:
        """Remove a proxy: its port is free and its links have ended. 204."""
        await self._proxies.remove(self._name)
        return _nothing(request)

    @app.route("/toxics", branch=True)
    def toxics(self, request: IRequest) -> KleinResource:
        """See `ToxicsOfProxy`."""
        return mounted(request, ToxicsOfProxy(self._proxies.get(self._name)).resource())


class ToxicsOfProxy:
    """The resource of the toxics of one proxy, which takes what Toxiproxy takes."""

    app = new_app(as_toxiproxy)

    def __init__(self, member: Member) -> None:
        self._types = member.reader.registry.toxics
        self._toxics = Toxics(member.proxy, member.reader)

    def resource(self) -> KleinResource:
        """The resource."""
        return self.app.resource()

    @app.route("/", methods=["GET"])
    def list_toxics(self, request: IRequest) -> bytes:
        """All toxics, in their order."""
        return say(request, self._toxics.describe())

    @app.route("/", methods=["POST"])
    async def add(self, request: IRequest) -> bytes:
        """One more toxic."""
        said = read_object(_body(request))
        strict = _is_strict(request)
        fields = said if "toxic" in said else tolerant_toxic(said, self._types, strict=strict)
        return say(request, await self._toxics.add(fields))

    @app.route("/<name>", methods=["GET"])
    def get(self, request: IRequest, name: str) -> bytes:
        """One toxic."""
        return say(request, self._toxics.find(name))

    @app.route("/<name>", methods=["PATCH", "POST"])
    async def change(self, request: IRequest, name: str) -> bytes:
        """The same toxic with other attributes, or for another share of links."""
        old = self._toxics.find(name)
        said = read_object(_body(request))
        fields = tolerant_toxic({**said, "type": old["type"]}, self._types, strict=_is_strict(request))
        fields["type"] = said.get("type") or old["type"]
        return say(request, await self._toxics.change(name, fields))

    @app.route("/<name>", methods=["DELETE"])
    async def remove(self, request: IRequest, name: str) -> bytes:
        """Remove a toxic; what it held has been let go. 204."""
        await self._toxics.remove(name)
        return _nothing(request)


def is_toxiproxys(request: Any) -> bool:
    """Whether a request for something below ``/proxies/{name}`` is one of Toxiproxy's.

    :param request: its `postpath` is what comes behind the name.
    """
    return request.postpath[:1] in ([], [b""], [b"toxics"])


def _is_strict(request: IRequest) -> bool:
    """:raises Refused: 400; what is said of that is neither true nor false."""
    return query_of(request, Strictness, known_only=False).strict


def _body(request: IRequest) -> bytes:
    """The body; not all clients say that it is JSON.

    :raises Refused: 400; there is none.
    """
    content: Any = request.content
    raw: bytes = content.read()
    if not raw:
        raise Refused.because(400, "body", "", "the body is empty; send JSON")
    return raw


def _nothing(request: IRequest) -> bytes:
    request.setResponseCode(204)
    return b""


def _of_server(error: ListenError) -> Problem:
    return Problem("server", "", str(error))
