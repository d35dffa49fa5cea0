"""What is said of a rule apart from its behavior: the fields, as text and JSON, there and back.

They are declared once, as options are, for the command line, INI sections, JSON
bodies, help and tables.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from ipaddress import ip_network
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from txvaurien.errors import ConfigError
from txvaurien.options import DAY, SECONDS, Declared, Option, convert, options_of
from txvaurien.planning.times import seconds_of
from txvaurien.rules import EVERY, Network, Rule, Span

#: The largest count.
MOST = 2**53

#: The longest name.
NAME_LENGTH = 100


# Python reads no number of thousands of digits; no link has come so far as to need twenty.
_LINK = re.compile(r"0{0,18}[1-9][0-9]{0,18}")
_LABEL = re.compile(r"u?(?:0|[1-9][0-9]{0,18})")
_BEYOND = re.compile(r"(?P<sign>[<>]=?)\s*(?P<limit>.+)")

Texts = str | list[str]


class RuleFields(Declared, frozen=True, kw_only=True):
    """The fields of a rule that are not options of its behavior."""

    name: ClassVar[str] = "rule"

    verb: Annotated[Texts, Meta(description="only these verbs, with commas between them")] = ""
    target: Annotated[str, Meta(description="only what is asked of such targets, a glob such as user:*")] = ""
    status: Annotated[
        str | int | list[str | int],
        Meta(description="only replies of such a status, globs such as 5* with commas between them"),
    ] = ""
    client: Annotated[
        Texts, Meta(description="only these clients, addresses or networks with commas between them")
    ] = ""
    link_age: Annotated[
        str, Meta(description="only links that are so old, in seconds: >60, <500ms or 10..1m")
    ] = ""
    message: Annotated[
        str | int, Meta(description="only these of the exchanges of a link: 3, 3..5, >10 or <4")
    ] = ""
    at: Annotated[
        Texts, Meta(description="only these exchanges, LINK:EXCHANGE such as 3:17, with commas between them")
    ] = ""
    probability: Annotated[float, Meta(ge=0, le=1, description="how likely it fires, from 0 to 1")] = 1.0
    after: Annotated[int, Meta(ge=0, le=MOST, description="so many matches pass first")] | None = None
    times: Annotated[int, Meta(ge=0, le=MOST, description="it fires at most so often")] | None = None
    every: Annotated[int, Meta(ge=1, le=MOST, description="it fires at each n-th match")] = 1
    per: Annotated[
        Literal["proxy", "link"], Meta(description="whether it counts over all links or for each of them")
    ] = "proxy"
    lifetime: (
        Annotated[float, SECONDS, Meta(ge=0.001, le=DAY, description="seconds after which it fires no more")]
        | None
    ) = None
    title: Annotated[str, Meta(description="what it is called")] = ""


#: Two fields have names that an attribute of the class cannot have.
_WRITTEN = {"lifetime": "for", "title": "name"}

#: The fields as users write them, for help texts, forms and tables.
RULE_OPTIONS: tuple[Option, ...] = tuple(
    replace(option, attribute=_WRITTEN.get(option.attribute, option.attribute))
    for option in options_of(RuleFields)
)

#: All fields of a rule, as users write them. No option of a behavior may have one of these names.
RULE_FIELDS = frozenset({"behavior", *(option.name for option in RULE_OPTIONS)})

_OPTIONS = {option.attribute: option for option in RULE_OPTIONS}


def read_fields(fields: Mapping[str, object], *, where: str, text: bool = False) -> dict[str, Any]:
    """What `Rule` takes, from fields by their name with underscores.

    :param where: a prefix for the place that an error names.
    :param text: values are texts to be converted.
    :raises ConfigError: a value that a field does not take.
    """
    said: dict[str, Any] = {}
    for name, value in fields.items():
        option = _OPTIONS[name]
        place = f"{where}{option.name}"
        # A text that is read below must not be taken for a number before.
        is_read = text and option.kind == "str" and not option.choices
        plain = value if is_read else convert(option, value, where=place, text=text)
        parameter, read = _READERS.get(name, (name, None))
        said[parameter] = read(plain, place) if read else plain
    return said


def describe_fields(rule: Rule) -> dict[str, Any]:
    """The fields of a rule that are not as they are by default; `read_fields` takes them again."""
    described: dict[str, Any] = {
        "name": rule.name,
        "verb": sorted(rule.verbs),
        "target": rule.target,
        "status": list(rule.status),
        "client": [_network_text(each) for each in rule.clients],
        "link_age": span_text(rule.link_age),
        "message": span_text(rule.message),
        "at": [f"{link}:{label}" for link, label in sorted(rule.at, key=_order)],
        "probability": rule.probability,
        "after": rule.after,
        "times": rule.times,
        "every": rule.every,
        "per": rule.per,
        "for": rule.lifetime,
    }
    return {
        name: value for name, value in described.items() if value != _OPTIONS[name].default and value != []
    }


def span_text(span: Span) -> str:
    """A range as users write it: ``3``, ``3..5``, ``11..`` or ``..10``; ``""`` for every number."""
    low = _number_text(span.low) if span.low > 0 else ""
    high = _number_text(span.high) if span.high != math.inf else ""
    if low == high:
        return low
    return f"{low}..{high}"


def _number_text(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else repr(number)


def _network_text(network: Network) -> str:
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def _order(place: tuple[int, str]) -> tuple[int, bool, int]:
    link, label = place
    return link, label.startswith("u"), int(label.lstrip("u"))


# Reading. Each takes a value that has been checked to be of the right type, and its place.


def _parts(value: str | int | list[Any], where: str) -> list[str]:
    """The texts of a list, or between commas."""
    texts = value if isinstance(value, list) else [value]
    parts = [part.strip() for text in texts if text != "" for part in str(text).split(",")]
    if "" in parts:
        raise ConfigError(
            where, f"{value!r} has an empty part", "leave out the comma, or write what is missing"
        )
    return parts


def _verbs(value: Texts, where: str) -> frozenset[str]:
    verbs = frozenset(part.upper() for part in _parts(value, where))
    odd = [verb for verb in sorted(verbs) if re.search(r"[\s*?]", verb)]
    if odd:
        raise ConfigError(where, f"{odd[0]!r} is not a verb", "name each verb in full: verb=GET,SET")
    return verbs


def _statuses(value: str | int | list[str | int], where: str) -> tuple[str, ...]:
    return tuple(part.upper() for part in _parts(value, where))


def _clients(value: Texts, where: str) -> tuple[Network, ...]:
    return tuple(_client(part, where) for part in _parts(value, where))


def _client(text: str, where: str) -> Network:
    try:
        return ip_network(text.strip("[]"), strict=False)
    except ValueError:
        raise ConfigError(
            where,
            f"{text!r} is neither an address nor a network",
            "write for example 127.0.0.1, 10.0.0.0/8 or fd00::/8",
        ) from None


def _places(value: Texts, where: str) -> frozenset[tuple[int, str]]:
    return frozenset(_place(part, where) for part in _parts(value, where))


def _place(text: str, where: str) -> tuple[int, str]:
    link, _, label = (part.strip() for part in text.partition(":"))
    if not (_LINK.fullmatch(link) and _LABEL.fullmatch(label)):
        raise ConfigError(
            where,
            f"{text!r} is not LINK:EXCHANGE",
            "write for example 3:17, 3:u2 for the second message that the server sent unasked,"
            " 3:0 for the connection itself",
        )
    return int(link), label


def _ages(value: str, where: str) -> Span:
    """Both ends are within: nobody can tell an age of 60 s from one just above it."""
    allowed = "write for example >60, <500ms or 10..1m30s; without a unit it is seconds"
    span = _span(value, where, _seconds, 0.0, allowed)
    if span.low == span.high:
        raise ConfigError(where, f"{value!r} is a moment that no link is ever met at", allowed)
    return span


def _numbers(value: str | int, where: str) -> Span:
    return _span(str(value), where, _count, 1, "write for example 3, 3..5, >10 or <4; the first is 1")


def _span(text: str, where: str, number: Callable[[str], float], step: float, allowed: str) -> Span:
    """:param step: how far the next number is from one that is left out."""
    stripped = text.strip()
    if not stripped:
        return EVERY
    try:
        span = _beyond(stripped, number, step) or _between(stripped, number)
    except ValueError:
        raise ConfigError(where, f"{text!r} will not do", allowed) from None
    if span.low > span.high or span.high < step:
        raise ConfigError(where, f"{text!r} is an empty range", allowed)
    return span


def _beyond(text: str, number: Callable[[str], float], step: float) -> Span | None:
    match = _BEYOND.fullmatch(text)
    if match is None:
        return None
    limit, sign = number(match["limit"]), match["sign"]
    if sign.startswith(">"):
        return Span(low=limit if sign == ">=" else limit + step)
    return Span(high=limit if sign == "<=" else limit - step)


def _between(text: str, number: Callable[[str], float]) -> Span:
    low, dots, high = (part.strip() for part in text.partition(".."))
    if not dots:
        return Span(number(text), number(text))
    if not low and not high:
        raise ValueError
    return Span(number(low) if low else 0, number(high) if high else math.inf)


def _seconds(text: str) -> float:
    seconds = seconds_of(text)
    if seconds is None or seconds == math.inf:
        raise ValueError
    return seconds


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise ValueError
    return count


def read_name(value: str, where: str) -> str:
    """A name that can stand in a URL and on one line.

    :raises ConfigError: it cannot.
    """
    if value and (
        len(value) > NAME_LENGTH or "/" in value or value != value.strip() or not value.isprintable()
    ):
        raise ConfigError(
            where,
            f"{value!r} will not do",
            f"a name has at most {NAME_LENGTH} printable characters, no /, and no space at its ends",
        )
    return value


#: For each field, the parameter of `Rule` and what converts to it; the others are taken as they are.
_READERS: Mapping[str, tuple[str, Callable[[Any, str], Any] | None]] = {
    "verb": ("verbs", _verbs),
    "status": ("status", _statuses),
    "client": ("clients", _clients),
    "link_age": ("link_age", _ages),
    "message": ("message", _numbers),
    "at": ("at", _places),
    "for": ("lifetime", None),
    "name": ("name", read_name),
}
