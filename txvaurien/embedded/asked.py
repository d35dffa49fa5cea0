"""A call of `txvaurien.clients.vocabulary` as a desk gets it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from txvaurien.control.answers import Problem, Refused
from txvaurien.options import DAY, Declared, build, unknown
from txvaurien.planning.faults import FaultReader, FaultT
from txvaurien.planning.rulefields import MOST

#: What is answered: plain JSON values, as the control server says them.
Said = Mapping[str, Any]


class Query(Declared, frozen=True, kw_only=True):
    """What stands behind the ``?`` of requests about faults and links."""

    name: ClassVar[str] = "query"

    position: Annotated[int, Meta(ge=0, le=MOST, description="how many rules come before it")] | None = None
    fired: Annotated[int, Meta(ge=1, description="answer when it has fired so often")] | None = None
    timeout: Annotated[float, Meta(ge=0, le=DAY, description="seconds to wait at most")] = 10.0
    how: Annotated[Literal["rst", "fin"], Meta(description="with a reset, or in order")] = "rst"


@dataclass(frozen=True)
class Asked:
    """One request.

    :param name: what stands behind the second slash of the path.
    """

    name: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)

    def settled(self) -> Query:
        """The query, checked.

        :raises ConfigError: a value will not do.
        """
        return build(Query, self.query, text=True)


#: What answers one kind of request.
Handler = Callable[[Asked], Awaitable[Any]]

#: Each by its method, its path, and whether something is named below that.
Handlers = dict[tuple[str, str, bool], Handler]


def no_such(what: str, name: str, names: Iterable[str]) -> Refused:
    """404: there is nothing of this name."""
    return Refused.because(404, "path", name, str(unknown(what, name, names)))


def read_words(reader: FaultReader, kind: type[FaultT], body: Mapping[str, Any], field: str) -> FaultT:
    """Read the short form of a fault.

    :raises Refused: there is more than that.
    :raises ConfigError: it is not of that form.
    """
    beside = [name for name in body if name != field]
    if beside:
        why = f"this cannot be said beside {field!r}"
        raise Refused(400, [Problem("body", name, why) for name in beside])
    return reader.read_only(kind, body[field], where=field)
