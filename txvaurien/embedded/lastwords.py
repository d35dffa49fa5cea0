"""What a proxy has to tell about a test that failed: its seed, its plan, and what it did last."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import indent
from typing import TYPE_CHECKING

from txvaurien.clients.vocabulary import Fields
from txvaurien.ctl.events import line_of
from txvaurien.ctl.words import in_words

if TYPE_CHECKING:
    from txvaurien.embed import ChaosProxy

#: How many records of the journal are shown.
LAST = 20

_STEP = "  "


class LastWords:
    """Tells of a proxy, also when it has been closed: then what it was like just before.

    :param proxy: one that has not been started yet.
    """

    def __init__(self, proxy: ChaosProxy) -> None:
        self._proxy = proxy
        self._kept = ""
        proxy.before_close(self._keep)

    def _keep(self) -> None:
        self._kept = describe(self._proxy)

    def __str__(self) -> str:
        return describe(self._proxy) if self._proxy.running else self._kept or repr(self._proxy)


def describe(proxy: ChaosProxy) -> str:
    """Several lines: which proxy and seed, the plan, what is done to the listener, the journal's end.

    Where it does not answer, that is told in their place: a test that failed is to be told of, not this.
    """
    return "\n".join([repr(proxy), *(indent(line, _STEP) for line in _lines(proxy))])


def _lines(proxy: ChaosProxy) -> Iterator[str]:
    try:
        faults = [*_faults(proxy.plan), *_actions(proxy.commands.actions())]
        yield from _headed("plan:", faults or ["no faults"])
        records = [_line(record) for record in proxy.journal(last=LAST)]
        yield from _headed(f"journal, its last {LAST} records at most:", records or ["nothing yet"])
    except Exception as error:
        # Whatever is wrong with the proxy may be why the test has failed.
        yield f"it cannot be asked for more: {type(error).__name__}: {error}"


def _headed(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield title
    for line in lines:
        yield indent(line, _STEP)


def _line(record: Fields) -> str:
    """One record; a plan in words."""
    if record["event"] != "plan":
        return line_of(record)
    return f"{line_of(_but(record, 'mix', 'rules', 'toxics'))}: {'; '.join(_faults(record)) or 'no faults'}"


def _faults(plan: Fields) -> Iterator[str]:
    for share in plan["mix"]:
        yield in_words(f"{share['percent']:g}:{share['name']}", share.get("options", {}))
    for rule in plan["rules"]:
        yield in_words(rule["behavior"], _but(rule, "behavior"))
    for toxic in plan["toxics"]:
        yield in_words(toxic["type"], {**toxic["attributes"], **_but(toxic, "type", "attributes")})


def _actions(actions: Iterable[Fields]) -> Iterator[str]:
    for action in actions:
        yield in_words(action["action"], _but(action, "action"))


def _but(fields: Fields, *names: str) -> Fields:
    return {name: value for name, value in fields.items() if name not in names}
