"""The interfaces of `txvaurien.interfaces`, which autodoc does not know how to read."""

from __future__ import annotations

import enum
import inspect
import textwrap
from typing import Any

from zope.interface.interface import InterfaceClass, Method

from txvaurien import interfaces as contract
from vaurien_reference.markdown import paragraphs


def interfaces() -> str:
    """A section for each interface."""
    found = [each for each in vars(contract).values() if _is_ours(each)]
    return paragraphs(*(f"### {each.__name__}\n\n{_directive(each)}" for each in found))


def _is_ours(thing: object) -> bool:
    return isinstance(thing, InterfaceClass) and thing.__module__ == contract.__name__


def _directive(interface: InterfaceClass) -> str:
    members = [_member(name, interface[name]) for name in interface.names()]
    head = f".. py:class:: {interface.__name__}\n   :module: {interface.__module__}"
    text = "\n\n".join([head, _indented(inspect.cleandoc(interface.__doc__ or "")), *map(_indented, members)])
    return f"```{{eval-rst}}\n{text}\n```"


def _member(name: str, member: Any) -> str:
    doc = _indented(inspect.cleandoc(member.__doc__ or ""))
    if isinstance(member, Method):
        return f".. py:method:: {name}{_signature(member)}\n\n{doc}"
    return f".. py:attribute:: {name}\n\n{doc}"


def _signature(method: Method) -> str:
    said = method.getSignatureInfo()
    defaults = said["optional"]
    return f"({', '.join(_parameter(name, defaults) for name in said['positional'])})"


def _parameter(name: str, defaults: dict[str, object]) -> str:
    if name not in defaults:
        return name
    value = defaults[name]
    return f"{name}={value}" if isinstance(value, enum.Enum) else f"{name}={value!r}"


def _indented(text: str) -> str:
    return textwrap.indent(text, "   ")
