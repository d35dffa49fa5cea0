"""What schemathesis is told that a schema cannot say (SCHEMATHESIS_HOOKS names this module).

Texts that have a grammar of their own become ones that will do, addresses ones of loopback, times short.
Names are few, so that what the server keeps is bounded. What is wrong stays wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from schemathesis import Case, HookContext, hook

#: Texts in fields of these names.
_TEXTS: Mapping[str, str] = MappingProxyType(
    {
        "at": "3:17",
        "backend": "127.0.0.1:9",
        "client": "127.0.0.0/8",
        "link_age": ">60",
        "listen": "127.0.0.1:0",
        "message": "3..5",
        "mix": "5:error,10:delay",
        "rule": "delay sleep=0 name=short",
        "rules": "delay sleep=0 times=1",
        "scenario": "at 10s: delay for 5s",
        # Few behaviors wait for the reply, which alone has one.
        "status": "",
        "toxic": "pause",
        "toxics": "latency",
        "upstream": "127.0.0.1:9",
        "verb": "GET",
    }
)

#: How many names there are of each kind.
_NAMES = 6


#: Behaviors that act when a client connects, before there is a verb.
_AT_CONNECT = ("tls",)
_OF_REQUESTS = frozenset({"verb", "target", "status"})


@hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Mend a request before it is sent."""
    del context, kwargs
    if case.method == "DELETE" and case.path == "/proxies/{proxy}":
        # The main proxy stays, or most paths would be about none.
        case.path_parameters["proxy"] = "name 0"
    case.body = _named(_mended(case.body))
    if isinstance(case.query, dict):
        case.query = _short(case.query)


def _named(body: Any) -> Any:
    """A rule without a name is given one of its own: then there is no end of them."""
    if isinstance(body, dict) and "behavior" in body and body.get("name", "") == "":
        return {**body, "name": f"name {len(body) % _NAMES}"}
    return body


def _mended(value: Any, field: str = "") -> Any:
    if isinstance(value, dict) and value.get("behavior") in _AT_CONNECT:
        value = {name: each for name, each in value.items() if name not in _OF_REQUESTS}
    if isinstance(value, dict):
        return {name: _mended(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [_mended(each, field) for each in value]
    if field == "message" and value == 0:
        return 1
    if field == "status" and type(value) is int:
        return ""
    return _text(value, field) if isinstance(value, str) else value


def _text(text: str, field: str) -> str:
    if field in _TEXTS:
        return _TEXTS[field]
    if field == "name":
        return _name(text)
    if field == "action" and not re.fullmatch("[a-z_]+", text):
        return "half_open"
    return text


def _name(text: str) -> str:
    """One of a few; the text of a mix, which is a name with a colon; what is no name at all stays."""
    if re.fullmatch("[a-z_]+", text) or "/" in text or len(text) > 100 or not text:
        return text
    return "5:error,10:delay" if ":" in text else f"name {len(text) % _NAMES}"


def _short(query: Mapping[str, Any]) -> dict[str, Any]:
    """Nobody waits for long, and counts from one end only."""
    short = {name: _moment(value) if name in ("wait", "timeout") else value for name, value in query.items()}
    if "fired" in short:
        short.setdefault("timeout", "0.01")
    if "last" in short:
        short.pop("limit", None)
    return short


def _moment(value: Any) -> Any:
    try:
        return "0.01" if 0 < float(value) <= 86400 else value
    except (TypeError, ValueError):
        return value
