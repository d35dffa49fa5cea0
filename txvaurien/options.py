"""An option is declared once, as a typed field, and used everywhere.

A behavior or a protocol subclasses `Declared`::

    class Delay(Behavior):
        '''Wait before going on.'''
        name: ClassVar[str] = "delay"
        sleep: Annotated[float, SECONDS, Meta(ge=0, le=DAY, description="seconds to wait")] = 1.0

From the fields come the flags of the command line, the INI options, the JSON
body and its validation, schemas and the tables of the docs. msgspec does the
conversion and the checking: one declaration gives validation, conversion from
text and JSON Schema, which would be three libraries otherwise.
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, TypeVar

import msgspec
from msgspec import Meta

from txvaurien.errors import ConfigError
from txvaurien.planning.times import seconds_of, seconds_with_unit

#: An upper bound for every option that is a time: a day, in seconds.
DAY = 86400.0

#: Marks an option that is a number of seconds: as a text it may have a unit, such as ``1m30s``.
SECONDS = Meta(extra_json_schema={"unit": "seconds"})

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})
# A number that begins with its decimal point: msgspec takes none of these.
_POINT = re.compile(r"^(?P<sign>-?)\.(?=\d)")


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """Base of everything that has options: an immutable set of typed fields."""

    name: ClassVar[str]


DeclaredT = TypeVar("DeclaredT", bound=Declared)


@dataclass(frozen=True)
class Option:
    """One declared option, as help texts, forms and tables need it.

    :param unit: ``seconds`` for a time, else ``""``.
    :param check: raises ConfigError for values that the type takes and the option does not; declared
        as ``Meta(extra={"check": function})``.
    """

    attribute: str
    type: Any
    default: Any
    help: str
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    #: The least that it cannot be: it must be above that.
    above: float | None = None
    unit: str = ""
    check: Callable[[Any], object] | None = None

    @property
    def name(self) -> str:
        """The name that users write, with dashes."""
        return self.attribute.replace("_", "-")

    @property
    def kind(self) -> str:
        """``bool``, ``int``, ``float`` or ``str``; ``dict`` for texts by name."""
        return str(_plain(self.type).__name__)

    @property
    def allowed(self) -> str:
        """What a value must be, in words."""
        if self.choices:
            return "one of: " + ", ".join(self.choices)
        noun = {"bool": "true or false", "int": "a whole number", "float": "a number"}
        noun["dict"] = "pairs such as a=b,c=d, each name once"
        words = noun.get(self.kind, "a text")
        if self.minimum is not None and self.maximum is not None:
            words += f" from {_bound(self.minimum)} to {_bound(self.maximum)}"
        elif self.minimum is not None:
            words += f" of at least {_bound(self.minimum)}"
        elif self.above is not None and self.maximum is not None:
            words += f" above {_bound(self.above)} and up to {_bound(self.maximum)}"
        elif self.above is not None:
            words += f" above {_bound(self.above)}"
        elif self.maximum is not None:
            words += f" of at most {_bound(self.maximum)}"
        return f"{words}, in seconds, or a time such as 500ms or 1m30s" if self.unit else words


@cache
def options_of(declared: type[Declared]) -> tuple[Option, ...]:
    """The options that a class declares, in the order of the declaration."""
    # Annotations are texts, which have to be compiled each time that they are looked at.
    return tuple(_option(field) for field in msgspec.structs.fields(declared))


def summary(declared: type[Declared]) -> str:
    """The first line of a class's docstring, without the full stop."""
    doc = inspect.getdoc(declared) or ""
    return doc.partition("\n")[0].rstrip(".")


def build(
    declared: type[DeclaredT],
    values: Mapping[str, object],
    *,
    where: str = "",
    text: bool = False,
) -> DeclaredT:
    """Make an instance from option values by name.

    :param values: names may be written with ``-`` or ``_``.
    :param where: a prefix for the place that an error names.
    :param text: values are texts (command line, INI) to be converted.
    :raises ConfigError: an unknown name, or a value that the option does not take.
    """
    known = {option.attribute: option for option in options_of(declared)}
    chosen: dict[str, object] = {}
    for name, value in values.items():
        option = known.get(name.replace("-", "_"))
        if option is None:
            raise unknown(
                "option",
                name,
                [option.name for option in known.values()],
                where=where,
                of=f"{declared.name!r}",
            )
        chosen[option.attribute] = convert(option, value, where=f"{where}{name}", text=text)
    return declared(**chosen)


def convert(option: Option, value: object, *, where: str, text: bool = False) -> object:
    """Check one value, and convert it if it is a text."""
    meant = _meant(option, value, text) if isinstance(value, str) else _number(option, value)
    try:
        converted: object = msgspec.convert(meant, option.type, strict=not text)
    # The other is for half a character: what a command line has in the place of bytes that are no UTF-8.
    except (msgspec.ValidationError, UnicodeEncodeError):
        shown = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        raise ConfigError(where, f"{shown!r} will not do", f"it must be {option.allowed}") from None
    if option.check is not None:
        try:
            option.check(converted)
        except ConfigError as error:
            raise error.at(where) from None
    return converted


def _meant(option: Option, value: str, text: bool) -> object:
    """What a text stands for; the text itself if it is for msgspec to say, or stands for nothing.

    :param text: numbers are texts; else only a time with its unit is one.
    """
    if option.unit:
        seconds = seconds_of(value) if text else seconds_with_unit(value)
        return value if seconds is None else _whole(seconds) if option.kind == "int" else seconds
    if option.kind == "dict":
        return _pairs(value)
    if text and option.kind == "bool":
        return _boolean(value)
    return _POINT.sub(r"\g<sign>0.", value, count=1) if text and option.kind == "float" else value


def _number(option: Option, value: object) -> object:
    """A whole number may be written as 5.0: for JSON that is the same, and some clients write all so."""
    if isinstance(value, float) and option.kind == "int" and value.is_integer():
        return int(value)
    return value


def _whole(seconds: float) -> float | int:
    return int(seconds) if seconds.is_integer() else seconds


def nearest(name: str, choices: Iterable[str]) -> str:
    """What was probably meant; ``""`` if nothing comes near."""
    # Only mistakes need it, and imports are most of a start.
    import difflib

    return next(iter(difflib.get_close_matches(name, list(choices), 1)), "")


def unknown(what: str, name: str, choices: Iterable[str], *, where: str = "", of: str = "") -> ConfigError:
    """The error for a name that does not exist: it lists those that do."""
    names = sorted(choices)
    near = nearest(name.replace("_", "-"), names)
    guess = f" (did you mean {near!r}?)" if near else ""
    of = f" of {of}" if of else ""
    choice = ", ".join(names) if names else "none"
    several = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    return ConfigError(
        where.rstrip(": "), f"there is no {what} {name!r}{guess}", f"the {several}{of} are: {choice}"
    )


def values_of(instance: Declared) -> dict[str, Any]:
    """The options of an instance as plain values by attribute name, for JSON."""
    return {field: getattr(instance, field) for field in instance.__struct_fields__}


def plain_values(instance: Declared) -> dict[str, Any]:
    """The options of an instance as JSON has them, by attribute name."""
    plain: dict[str, Any] = msgspec.to_builtins(values_of(instance), enc_hook=repr)
    return plain


def _bound(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else str(value)


def _boolean(value: str) -> object:
    lowered = value.strip().lower()
    if lowered in _TRUE:
        return True
    return False if lowered in _FALSE else value


def _pairs(value: str) -> object:
    """``a=b,c=d`` as a dictionary; the text itself if it is no such list, or says something twice."""
    parts = [part.partition("=") for part in re.split(r"[,\s]+", value) if part]
    found = {name: meant for name, equals, meant in parts if equals}
    return found if len(found) == len(parts) else value


def _option(field: msgspec.structs.FieldInfo) -> Option:
    base, metas = _unpack(field.type)
    choices: tuple[str, ...] = ()
    if typing.get_origin(_plain_alias(base)) is Literal:
        choices = tuple(str(choice) for choice in typing.get_args(_plain_alias(base)))
    return Option(
        attribute=field.name,
        type=field.type,
        default=field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory(),
        help=next((meta.description for meta in metas if meta.description), ""),
        choices=choices,
        minimum=next((meta.ge for meta in metas if meta.ge is not None), None),
        maximum=next((meta.le for meta in metas if meta.le is not None), None),
        above=next((meta.gt for meta in metas if meta.gt is not None), None),
        unit="seconds" if SECONDS in metas else "",
        check=next((meta.extra["check"] for meta in metas if meta.extra and "check" in meta.extra), None),
    )


def _unpack(type_: Any) -> tuple[Any, list[Meta]]:
    """The one plain type of a declaration, and what is said of it: ``float`` for ``float | None``.

    The bounds of an optional number stand inside the union, where msgspec wants them.
    """
    if typing.get_origin(type_) is Annotated:
        inner, *said = typing.get_args(type_)
        base, metas = _unpack(inner)
        return base, [meta for meta in said if isinstance(meta, Meta)] + metas
    if typing.get_origin(type_) in (typing.Union, types.UnionType):
        return _unpack(next(arm for arm in typing.get_args(type_) if arm is not type(None)))
    return type_, []


def _plain_alias(type_: Any) -> Any:
    return _unpack(type_)[0]


def _plain(type_: Any) -> type:
    base = _plain_alias(type_)
    return str if typing.get_origin(base) is Literal else base
