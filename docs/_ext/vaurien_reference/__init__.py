"""Sphinx extension: the reference pages, made from what the package declares.

Where a page says ``<!-- generated: NAME -->`` the text that `GENERATORS` has under that name is put in
its place, before the page is parsed. So a page can still be read where nothing is built, and headings,
anchors and links of what is generated are those of any page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from pygments.lexers.shell import BashLexer
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from txvaurien import model
from txvaurien.exchange import LiveExchange
from vaurien_reference import (
    commandline,
    faults,
    httpapi,
    inifile,
    interfaces,
    protocols,
    pythonapi,
    vaurienctl,
)

#: What makes each text, which is Markdown.
GENERATORS: Mapping[str, Callable[[], str]] = MappingProxyType(
    {
        "actions": faults.actions,
        "behaviors": faults.behaviors,
        "command-line": commandline.command_line,
        "http-api": httpapi.http_api,
        "ini-process": inifile.of_process,
        "ini-proxy": inifile.of_proxy,
        "ini-rule": inifile.of_rule,
        "interfaces": interfaces.interfaces,
        "protocols": protocols.protocols,
        "python": pythonapi.python_api,
        "retired": commandline.retired,
        "rule-fields": faults.rule_fields,
        "toxic-fields": faults.toxic_fields,
        "vaurienctl": vaurienctl.vaurienctl,
    }
)

_MARK = re.compile(r"^<!-- generated: (?P<name>[\w-]+) -->$", re.MULTILINE)

#: Links to pages of the repository that are not among those of the documentation.
_OUTSIDE = re.compile(r"\]\((?P<path>(?:\.\./)+[\w/.-]+\.md)(?:#[\w-]+)?\)")

#: Our little languages, which are words of a shell and comments.
_LANGUAGES = ("rules", "scenario")


def setup(app: Sphinx) -> dict[str, Any]:
    """What Sphinx calls first."""
    # msgspec evaluates the annotations of a class for its signature, and this name is imported only where
    # types are checked.
    vars(model)["LiveExchange"] = LiveExchange
    app.connect("source-read", _on_source)
    for language in _LANGUAGES:
        app.add_lexer(language, BashLexer)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _on_source(app: Sphinx, docname: str, source: list[str]) -> None:
    """Change the text of a page, which is the only item of `source`."""
    text = _MARK.sub(_generated, source[0])
    source[0] = _OUTSIDE.sub(lambda match: _outside(app, docname, match), text)


def _generated(match: re.Match[str]) -> str:
    if match["name"] not in GENERATORS:
        raise ExtensionError(f"nothing is generated under the name {match['name']!r}; see GENERATORS")
    return GENERATORS[match["name"]]()


def _outside(app: Sphinx, docname: str, match: re.Match[str]) -> str:
    """A link to a file where it leads out of the documentation, else the link as it is."""
    target = (app.env.doc2path(docname).parent / match["path"]).resolve()
    inside = target.is_relative_to(app.srcdir.resolve())
    return match[0] if inside else f"](path:{match['path']})"
