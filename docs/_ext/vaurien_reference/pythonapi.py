"""What programs import, as directives of autodoc, from what the modules say is public."""

from __future__ import annotations

import inspect
from importlib import import_module

from vaurien_reference.markdown import paragraphs


def python_api() -> str:
    """A section for each name that the package exports."""
    package = import_module("txvaurien")
    names = [name for name in package.__all__ if not name.startswith("_")]
    return paragraphs(*(f"### {name}\n\n{_directive(package, name)}" for name in names))


def _directive(package: object, name: str) -> str:
    thing = getattr(package, name)
    if not inspect.isclass(thing):
        return f"```{{eval-rst}}\n.. autofunction:: txvaurien.{name}\n```"
    if issubclass(thing, BaseException):
        return f"```{{eval-rst}}\n.. autoexception:: txvaurien.{name}\n   :no-inherited-members:\n```"
    return f"```{{eval-rst}}\n.. autoclass:: txvaurien.{name}\n```"
