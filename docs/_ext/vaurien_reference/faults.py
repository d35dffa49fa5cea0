"""Behaviors, actions, and the fields of rules and toxics."""

from __future__ import annotations

from collections.abc import Mapping

from txvaurien.actions import ACTIONS
from txvaurien.options import Declared, options_of
from txvaurien.planning.faults import ToxicFields
from txvaurien.planning.rulefields import RULE_OPTIONS
from vaurien_reference.installed import our_registry
from vaurien_reference.markdown import doc_of, paragraphs
from vaurien_reference.optiontables import option_rows, option_table


def behaviors() -> str:
    """A section for each behavior."""
    return _sections(our_registry().behaviors)


def actions() -> str:
    """A section for each action."""
    return _sections(ACTIONS)


def rule_fields() -> str:
    """What a rule has beside its behavior and that one's options."""
    return option_rows(RULE_OPTIONS, first="field")


def toxic_fields() -> str:
    """What a toxic has beside its attributes."""
    return option_rows(options_of(ToxicFields), first="field")


def _sections(found: Mapping[str, type[Declared]]) -> str:
    return paragraphs(
        *(paragraphs(f"### {name}", doc_of(found[name]), option_table(found[name])) for name in sorted(found))
    )
