"""Protocols: options, catalogue, verbs."""

from __future__ import annotations

from txvaurien.model import ErrorKind
from txvaurien.protocols.base import WireProtocol
from vaurien_reference.installed import our_registry
from vaurien_reference.markdown import code, codes, doc_of, escaped, paragraphs, table
from vaurien_reference.optiontables import option_table

#: The kinds that are said by themselves, by the attribute that names them.
_BY_ITSELF = (
    ("unreachable_kind", "where the backend cannot be reached"),
    ("too_many_kind", "to a client that has waited in vain for a place in the pool"),
    ("silent_kind", "when the backend owes an answer for too long"),
)


def protocols() -> str:
    """A section for each protocol."""
    found = our_registry().protocols
    return paragraphs(*(_section(found[name]) for name in sorted(found)))


def _section(protocol: type[WireProtocol]) -> str:
    name = protocol.name
    return paragraphs(
        f"## {name}",
        doc_of(protocol),
        f"### Options of {name}",
        option_table(protocol),
        f"### Errors of {name}",
        table(("kind", "where", "drawn by `any`", ""), [_kind(each) for each in protocol.error_kinds]),
        f"### Said by {name} without a rule",
        _by_itself(protocol),
        f"### Verbs of {name}",
        f"{codes(protocol.verbs)}." if protocol.verbs else "Those of the server: there is no fixed list.",
    )


def _kind(kind: ErrorKind) -> tuple[str, str, str, str]:
    return code(kind.name), kind.where.value, "yes" if kind.drawn else "no", escaped(kind.help)


def _by_itself(protocol: type[WireProtocol]) -> str:
    """What is said when there is no fault of ours."""
    said = [(getattr(protocol, attribute), when) for attribute, when in _BY_ITSELF]
    rows = [(code(kind) if kind else "none: the connection is reset", when) for kind, when in said]
    return table(("kind", "when"), rows)
