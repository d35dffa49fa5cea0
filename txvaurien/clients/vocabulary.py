"""What clients ask of the control server, and what it answers. No I/O, standard library only.

A `Call` is one request and how its answer is read. `txvaurien.clients.blocking` and
`txvaurien.client` only carry calls, each over a transport of its own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode

from txvaurien.settings.tokens import TOKEN_VARIABLE, can_be_sent

BEHAVIOR = "/behavior"
BEHAVIORS = "/behaviors"
BACKEND = "/backend"
PLAN = "/plan"
RULES = "/rules"
TOXICS = "/toxics"
ACTIONS = "/actions"
LINKS = "/links"
SCENARIO = "/scenario"
JOURNAL = "/journal"
RESET = "/reset"
CA = "/ca.pem"

_TIMED_OUT = 408
_NOT_FOUND = 404

#: What a rule says beside its fields: what it has counted. Whoever sends a rule may leave it in.
COUNTS = ("matched", "fired", "capped", "misfired", "misfire", "expired")

#: The fields of a rule that are numbers, with their types. All others are texts.
RULE_NUMBERS: Mapping[str, str] = MappingProxyType(
    {"probability": "float", "after": "int", "times": "int", "every": "int", "for": "float"}
)

#: The port of the control server, where nobody says otherwise.
DEFAULT_PORT = 8080

#: One part of a mix: ``{"percent": 5.0, "name": "error", "options": {...}}``.
ShareFields = dict[str, Any]

#: One option of a behavior: ``{"name": "sleep", "type": "float", "default": 1.0, ...}``.
OptionFields = dict[str, Any]

#: A rule, a toxic, an action, a link, a record of the journal, a whole plan: as the server says it.
Fields = dict[str, Any]

Answer = TypeVar("Answer")


class VaurienError(ValueError):
    """The control server refused, could not be reached, or is none; or a proxy did not start.

    It is a ValueError because that is what Vaurien's client raised.

    :ivar status: the HTTP status of a refusal, 0 where there was no answer.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class NotFired(VaurienError, TimeoutError):
    """A rule has not fired as often as was waited for.

    :ivar fired: how often it has.
    """

    def __init__(self, message: str, fired: int) -> None:
        super().__init__(message, _TIMED_OUT)
        self.fired = fired


@dataclass(frozen=True)
class Call(Generic[Answer]):
    """One request to the control server."""

    method: str
    path: str
    #: Takes what the caller wants out of a good answer; it may raise LookupError or TypeError.
    read: Callable[[Any], Answer]
    body: bytes = b""
    #: Seconds that the server may take longer than it otherwise may, because it was asked to wait.
    patience: float = 0.0
    #: Whether a good answer is a text, and no JSON.
    is_text: bool = False

    def answer(self, status: int, body: bytes, server: str) -> Answer:
        """What the answer says.

        :param server: the server's base URL, for the error.
        :raises VaurienError: the answer is a refusal, or not one of a control server.
        """
        try:
            good = 200 <= status < 300
            if good and self.is_text:
                return self.read(body.decode())
            said: Any = json.loads(body) if body else {}
            if good:
                return self.read(said)
            problems = said["errors"]
            reasons = [_reason(problem) for problem in problems]
            if status == _TIMED_OUT:
                raise NotFired("; ".join(problem["description"] for problem in problems), said["fired"])
        except NotFired:
            raise
        except (ValueError, LookupError, TypeError):
            raise VaurienError(
                f"{server}{self.path} answered {status}, and not as a control server of txvaurien does;"
                " check the host and the port",
                status,
            ) from None
        raise VaurienError("; ".join(reasons), status)


def get_behavior() -> Call[str]:
    """The name of the current behavior, or the text of the current mix."""
    return Call("GET", BEHAVIOR, lambda said: str(said["behavior"]))


def set_behavior(name: str, options: Mapping[str, object]) -> Call[None]:
    """One behavior for every exchange; or, without options, a mix such as ``5:error,10:delay``."""
    return _put(BEHAVIOR, {**options, "name": name})


def get_mix() -> Call[list[ShareFields]]:
    """The current behaviors with all of their options: what `set_mix` takes."""
    return Call("GET", BEHAVIOR, lambda said: list(said["mix"]))


def set_mix(mix: Sequence[ShareFields]) -> Call[None]:
    """Several behaviors, each with its percentage and its options."""
    return _put(BEHAVIOR, {"mix": list(mix)})


def list_behaviors() -> Call[list[str]]:
    """The names of the behaviors that can be set."""
    return Call("GET", BEHAVIORS, lambda said: [str(name) for name in said["behaviors"]])


def list_options() -> Call[dict[str, list[OptionFields]]]:
    """The options of each behavior, by its name."""
    return Call("GET", BEHAVIORS, lambda said: dict(said["options"]))


def list_attributes() -> Call[dict[str, list[OptionFields]]]:
    """The attributes of each type of toxic, by its name."""
    return Call("GET", BEHAVIORS, lambda said: dict(said["toxics"]["options"]))


def get_backend() -> Call[str]:
    """The address of the backend."""
    return Call("GET", BACKEND, lambda said: str(said["backend"]))


def set_backend(address: str, cut: bool = False) -> Call[None]:
    """Another backend, for the links to come; with `cut` the others are ended."""
    return _put(BACKEND, {"backend": address, **({"cut": True} if cut else {})})


def get_plan() -> Call[Fields]:
    """The mix, the rules, the toxics and the seed: what `set_plan` takes."""
    return Call("GET", PLAN, dict)


def set_plan(plan: Mapping[str, object]) -> Call[None]:
    """A whole plan."""
    return _put(PLAN, plan)


def reset() -> Call[None]:
    """No faults at all."""
    return Call("POST", RESET, _nothing)


def add_rule(behavior: str, fields: Mapping[str, object], position: int | None = None) -> Call[str]:
    """One more rule; its name."""
    query = {} if position is None else {"position": position}
    return _post(_path(RULES, query=query), _fault("rule", "behavior", behavior, fields), _name)


def list_rules() -> Call[list[Fields]]:
    """All rules, with what they have counted."""
    return Call("GET", RULES, lambda said: list(said["rules"]))


def get_rule(name: str) -> Call[Fields]:
    """One rule, with what it has counted."""
    return Call("GET", _path(RULES, name), dict)


def wait_for_rule(name: str, fired: int, timeout: float) -> Call[int]:
    """How often a rule has fired, when that is at least `fired`."""
    path = _path(RULES, name, {"fired": fired, "timeout": timeout})
    return Call("GET", path, lambda said: int(said["fired"]), patience=timeout)


def change_rule(name: str, fields: Mapping[str, object]) -> Call[None]:
    """Other fields for a rule, whose counters start from zero."""
    return Call("PATCH", _path(RULES, name), _nothing, _json(_written(fields)))


def remove_rule(name: str) -> Call[None]:
    """A rule less."""
    return Call("DELETE", _path(RULES, name), _nothing)


def clear_rules() -> Call[int]:
    """No rules any more; how many there were."""
    return Call("DELETE", RULES, lambda said: int(said["removed"]))


def add_toxic(type_: str, fields: Mapping[str, object]) -> Call[str]:
    """One more toxic; its name."""
    return _post(TOXICS, _fault("toxic", "type", type_, fields), _name)


def list_toxics() -> Call[list[Fields]]:
    """All toxics, in their order."""
    return Call("GET", TOXICS, lambda said: list(said["toxics"] if isinstance(said, dict) else said))


def change_toxic(name: str, fields: Mapping[str, object]) -> Call[None]:
    """Other attributes for a toxic."""
    return Call("PATCH", _path(TOXICS, name), _nothing, _json(_written(fields)))


def remove_toxic(name: str) -> Call[None]:
    """A toxic less."""
    return Call("DELETE", _path(TOXICS, name), _nothing)


def start_action(name: str, options: Mapping[str, object]) -> Call[None]:
    """Begin an action of the proxy."""
    if _is_short_form(name):
        return _post(ACTIONS, {**_written(options), "action": name}, _nothing)
    return _post(_path(ACTIONS, name), _written(options), _nothing)


def list_actions() -> Call[list[Fields]]:
    """The actions that stand."""
    return Call("GET", ACTIONS, lambda said: list(said["actions"]))


def stop_action(name: str) -> Call[None]:
    """End an action."""
    return Call("DELETE", _path(ACTIONS, name), _nothing)


def list_links() -> Call[list[Fields]]:
    """All links."""
    return Call("GET", LINKS, lambda said: list(said["links"]))


def kill(link: int | None, how: str) -> Call[int]:
    """End one link, or all; how many there were."""
    path = _path(LINKS, "" if link is None else str(link), {"how": how})
    return Call("DELETE", path, lambda said: int(said["killed"]))


def get_scenario() -> Call[Fields]:
    """How far the scenario is; its ``state`` is ``none`` where there is none."""
    return Call("GET", SCENARIO, dict)


def set_scenario(text: str) -> Call[Fields]:
    """Begin a scenario."""
    return Call("PUT", SCENARIO, dict, _json({"scenario": text}))


def control_scenario(what: str) -> Call[Fields]:
    """``pause`` it, or ``resume`` it."""
    return Call("POST", _path(SCENARIO, what), dict)


def stop_scenario() -> Call[None]:
    """Stop it."""
    return Call("DELETE", SCENARIO, _nothing)


def get_journal(since: int, filters: Mapping[str, object]) -> Call[list[Fields]]:
    """The records after number `since`."""
    return Call("GET", _path(JOURNAL, query={"since": since, **filters}), lambda said: list(said["records"]))


def get_ca() -> Call[str]:
    """The certificate that clients of proxies with ``tls = auto`` have to trust, in PEM."""
    return Call("GET", CA, str, is_text=True)


def is_gone(error: VaurienError) -> bool:
    """Whether it says that there is no such thing (any more)."""
    return error.status == _NOT_FOUND


def base_url(scheme: str, host: str, port: int) -> str:
    """``http://localhost:8080``, with brackets around an IPv6 address.

    :raises VaurienError: there is no such scheme or port.
    """
    if scheme not in {"http", "https"}:
        raise VaurienError(f"the scheme {scheme!r} is not known; it is http or https")
    if not 0 < port < 65536:
        raise VaurienError(f"there is no port {port}; ports are 1 to 65535")
    bracketed = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"{scheme}://{bracketed}:{port}"


def headers_of(body: bytes, token: str) -> dict[str, str]:
    """The headers of a request."""
    headers = {"Content-Type": "application/json"} if body else {}
    return {**headers, "Authorization": f"Bearer {token}"} if token else headers


def token_of(token: str | None) -> str:
    """The token that a client shows: this one, by default that of ``VAURIEN_TOKEN``; ``""`` for none.

    :raises VaurienError: no server has such a token.
    """
    chosen = os.environ.get(TOKEN_VARIABLE, "") if token is None else token
    if chosen and not can_be_sent(chosen):
        raise VaurienError("the token has characters that cannot be sent; copy it again")
    return chosen


def unreachable(server: str, why: object) -> VaurienError:
    """The error for a control server that does not answer."""
    return VaurienError(
        f"there is no control server at {server} ({why}); start the proxy with --http and check --http-port"
    )


def _put(path: str, fields: Mapping[str, object]) -> Call[None]:
    return Call("PUT", path, _nothing, _json(fields))


def _post(path: str, fields: Mapping[str, object], read: Callable[[Any], Answer]) -> Call[Answer]:
    return Call("POST", path, read, _json(fields))


def _json(fields: Mapping[str, object]) -> bytes:
    # JSON knows no NaN and no infinity, and the server says so; here it is said sooner.
    return json.dumps(fields, allow_nan=False).encode()


def _path(path: str, name: str = "", query: Mapping[str, object] | None = None) -> str:
    below = f"/{quote(name, safe='')}" if name else ""
    return f"{path}{below}?{urlencode(query)}" if query else f"{path}{below}"


def _fault(short: str, key: str, name: str, fields: Mapping[str, object]) -> dict[str, object]:
    """The body for a fault; more than one word is the short form."""
    return {**_written(fields), short if _is_short_form(name) else key: name}


def _is_short_form(text: str) -> bool:
    return len(text.split()) > 1


def _written(fields: Mapping[str, object]) -> dict[str, object]:
    """Names that Python keeps for itself have an underscore more: ``for_``."""
    return {name.rstrip("_"): value for name, value in fields.items()}


def _nothing(said: object) -> None:
    """The answer says no more than that it is done."""


def _name(said: Mapping[str, Any]) -> str:
    return str(said["name"])


def _reason(problem: Mapping[str, str]) -> str:
    name, description = problem["name"], problem["description"]
    # The server's words for something unknown need no field in front of them.
    return (
        description if name in {"", "name"} or problem.get("location") == "path" else f"{name}: {description}"
    )
