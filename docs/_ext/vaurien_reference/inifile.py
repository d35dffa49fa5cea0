"""The INI file: its sections, and the lines of each."""

from __future__ import annotations

from txvaurien.options import Option, options_of
from txvaurien.planning.rulefields import RULE_OPTIONS
from txvaurien.settings.flags import Common
from txvaurien.settings.proxysections import INHERITED, SectionFields
from vaurien_reference.markdown import escaped, name, table
from vaurien_reference.optiontables import HEAD, default_text, option_rows

#: The name of a rule is that of its section.
_SECTION_IS_NAMED = "name"


def of_process() -> str:
    """The lines of ``[vaurien]``."""
    return option_rows(options_of(Common), first="line")


def of_proxy() -> str:
    """The lines of ``[proxy:NAME]``."""
    return table(("line", *HEAD[1:]), [_of_proxy(each) for each in options_of(SectionFields)])


def of_rule() -> str:
    """The lines of ``[rule:NAME]``."""
    return option_rows((each for each in RULE_OPTIONS if each.name != _SECTION_IS_NAMED), first="line")


def _of_proxy(option: Option) -> tuple[str, str, str, str]:
    default = "that of `[vaurien]`" if option.attribute in INHERITED else default_text(option)
    return name(option.name), default, escaped(option.allowed), escaped(option.help)
