"""What the commands of ``vaurienctl`` do: each takes a client and its arguments, and returns its output."""

from __future__ import annotations

import argparse
import json
import math
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from txvaurien.blocking import Client
from txvaurien.vocabulary import COUNTS, Fields, OptionFields, ShareFields, VaurienError

_CONFLICT = 409
_NOT_FOUND = 404

_TRUTH = dict.fromkeys(("true", "yes", "on", "1"), True) | dict.fromkeys(("false", "no", "off", "0"), False)

_START = "start one with `vaurienctl scenario start FILE`"

#: What remains of the command line after the arguments that are known: options of behaviors.
Rest = Sequence[str]


def list_behaviors(client: Client, chosen: argparse.Namespace, rest: Rest) -> str:
    """The names."""
    return ", ".join(client.list_behaviors())


def get_behavior(client: Client, chosen: argparse.Namespace, rest: Rest) -> str:
    """The mix, as `set_behavior` takes it: with the options that are not as they are by default."""
    mix, known = client.get_mix(), client.list_options()
    single = len(mix) == 1 and mix[0]["percent"] == 100
    return " ".join([client.get_behavior(), *_mix_options(mix, known, single)])


def _mix_options(
    mix: Iterable[ShareFields], known: Mapping[str, Sequence[OptionFields]], single: bool
) -> Iterator[str]:
    for share in mix:
        prefix = "" if single else f"{share['name']}-"
        for name, value in _unusual(share["options"], known.get(share["name"], [])).items():
            yield f"--{prefix}{name}={shlex.quote(_shown(value))}"


def set_behavior(client: Client, chosen: argparse.Namespace, rest: Rest) -> str:
    """``delay --sleep 2``, or ``5:error,10:delay --error-kind=oom --delay-sleep=2``."""
    given = dict(_options(rest))
    known = client.list_options() if given else {}
    if given and (":" in chosen.name or "," in chosen.name):
        client.set_mix(_mix(chosen.name, given, known))
    else:
        client.set_behavior(chosen.name, **_values(given, known.get(chosen.name, [])))
    return f'Behavior changed to "{chosen.name}"'


def _mix(
    text: str, given: Mapping[str, str], known: Mapping[str, Sequence[OptionFields]]
) -> list[ShareFields]:
    shares: list[ShareFields] = []
    left = dict(given)
    for part in text.split(","):
        percent, _, name = (piece.strip() for piece in part.partition(":"))
        own = {each: left.pop(each) for each in given if each in left and each.startswith(f"{name}-")}
        options = {each.removeprefix(f"{name}-"): value for each, value in own.items()}
        shares.append(
            {
                "percent": _converted(percent, "float"),
                "name": name,
                "options": _values(options, known.get(name, [])),
            }
        )
    for each in left:
        what = "belongs to no behavior of the mix; write --BEHAVIOR-OPTION, such as --delay-sleep"
        raise VaurienError(f"--{each} {what}")
    return shares


def get_backend(client: Client, chosen: argparse.Namespace, rest: Rest) -> str:
    """The address."""
    return client.get_backend()


def set_backend(client: Client, chosen: argparse.Namespace, rest: Rest) -> str:
    """Another address."""
    client.set_backend(chosen.address, cut=chosen.cut)
    return f'Backend changed to "{chosen.address}"'


def rule_add(client: Client, chosen: argparse.Namespace, rest: Rest) -> str:
    """The short form."""
    with _advice(_CONFLICT, "remove that with `vaurienctl rule remove`, or give this one another name"):
        name = client.add_rule(_short_form(chosen.words), position=chosen.position).name
    return f'Rule "{name}" added'


def rule_list(client: Client, chosen: argparse.Namespace, rest: Rest) -> str:
    """A line for each: its name, its counters, itself."""
    rules, known = client.rules(), client.list_options()
    rows = [[each["name"], _counts(each), _rule_words(each, known)] for each in rules]
    return _table(rows) or "There are no rules"


def _counts(rule: Fields) -> str:
    words = f"fired {rule['fired']} of {rule['matched']}"
    for count in ("misfired", "capped"):
        if rule[count]:
            words += f", {count} {rule[count]}"
    return words + (", expired" if rule["expired"] else "")


def _rule_words(rule: Fields, known: Mapping[str, Sequence[OptionFields]]) -> str:
    behavior = rule["behavior"]
    fields = {name: value for name, value in rule.items() if name not in {*COUNTS, "behavior", "name"}}
    return _words(behavior, _unusual(fields, known.get(behavior, [])))


def rule_wait(client: Client, chosen: argparse.Namespace, rest: Rest) -> str:
    """Wait until it has fired."""
    fired = client.wait_for_rule(chosen.name, chosen.times, chosen.timeout)
    return f'Rule "{chosen.name}" has fired {"once" if fired == 1 else f"{fired} times"}'


def rule_remove(client: Client, chosen: argparse.Namespace, rest: Rest) -> str:
    """By its name."""
    client.remove_rule(chosen.name)
    return f'Rule "{chosen.name}" removed'


def toxic_add(client: Client, chosen: argparse.Namespace, rest: Rest) -> str:
    """The short form."""
    with _advice(_CONFLICT, "remove that with `vaurienctl toxic remove`, or give this one another name"):
        name = client.add_toxic(_short_form(chosen.words)).name
    return f'Toxic "{name}" added'


def toxic_list(client: Client, chosen: argparse.Namespace, rest: Rest) -> str:
    """A line for each: its name, itself."""
    rows = [
        [
            each["name"],
            _words(
                each["type"],
                {**each["attributes"], "stream": each["stream"], "toxicity": each["toxicity"]},
            ),
        ]
        for each in client.toxics()
    ]
    return _table(rows) or "There are no toxics"


def toxic_remove(client: Client, chosen: argparse.Namespace, rest: Rest) -> str:
    """By its name."""
    client.remove_toxic(chosen.name)
    return f'Toxic "{chosen.name}" removed'


def action_start(client: Client, chosen: argparse.Namespace, rest: Rest) -> str:
    """The short form."""
    client.start_action(_short_form(chosen.words))
    return f'Action "{chosen.words[0].split()[0]}" started'


def action_list(client: Client, chosen: argparse.Namespace, rest: Rest) -> str:
    """A line for each."""
    lines = [
        _words(each["action"], {name: value for name, value in each.items() if name != "action"})
        for each in client.actions()
    ]
    return "\n".join(lines) or "There are no actions"


def action_stop(client: Client, chosen: argparse.Namespace, rest: Rest) -> str:
    """By its name."""
    client.stop_action(chosen.name)
    return f'Action "{chosen.name}" stopped'


def links(client: Client, chosen: argparse.Namespace, rest: Rest) -> str:
    """A line for each, below their titles."""
    found = client.links()
    if not found:
        return "There are no links"
    titles = list(found[0])
    return _table([titles, *([_shown(each[title]) for title in titles] for each in found)])


def kill(client: Client, chosen: argparse.Namespace, rest: Rest) -> str:
    """One, or all."""
    with _advice(_NOT_FOUND, "`vaurienctl links` shows those that there are"):
        killed = client.kill(chosen.link, chosen.how)
    return f"{killed} link{'' if killed == 1 else 's'} ended"


def reset(client: Client, chosen: argparse.Namespace, rest: Rest) -> str:
    """The panic stop."""
    client.reset()
    return "Every fault removed"


def scenario_show(client: Client, chosen: argparse.Namespace, rest: Rest) -> str:
    """How far it is."""
    return _status(client.scenario())


def scenario_start(client: Client, chosen: argparse.Namespace, rest: Rest) -> str:
    """The file is read here, and sent."""
    try:
        text = _text_of(chosen.file)
    except (OSError, UnicodeDecodeError) as error:
        raise VaurienError(f"{chosen.file}: {getattr(error, 'strerror', None) or error}") from error
    return _status(client.set_scenario(text))


def _text_of(path: str) -> str:
    """What a file says, or standard input where it is called ``-``."""
    if path == "-":
        return sys.stdin.read()
    with open(path, encoding="utf-8") as stream:
        return stream.read()


def scenario_pause(client: Client, chosen: argparse.Namespace, rest: Rest) -> str:
    """Its time stands still."""
    with _advice(_CONFLICT, _START):
        return _status(client.pause_scenario())


def scenario_resume(client: Client, chosen: argparse.Namespace, rest: Rest) -> str:
    """It goes on."""
    with _advice(_CONFLICT, _START):
        return _status(client.resume_scenario())


def scenario_stop(client: Client, chosen: argparse.Namespace, rest: Rest) -> str:
    """It ends."""
    with _advice(_NOT_FOUND, _START):
        client.stop_scenario()
    return "Scenario stopped"


def _status(status: Fields) -> str:
    if status["state"] == "none":
        return "There is no scenario"
    rounds = "" if status["rounds"] is None else f" of {status['rounds']}"
    lines = [
        f"{status['state']}: round {status['round']}{rounds}, {status['elapsed']:g} of {status['length']:g} s"
    ]
    lines += [f"active: {each['fault']}" for each in status["active"]]
    lines += [f"failed: {each}" for each in status["failed"]]
    if status["next"] is not None:
        coming = status["next"]
        lines.append(f"in {coming['in']:g} s: {coming['what']} {coming['fault']}")
    return "\n".join(lines)


def journal(client: Client, chosen: argparse.Namespace, rest: Rest) -> str:
    """A line of JSON for each record."""
    wanted = {"limit": chosen.limit, "event": chosen.event, "link": chosen.link}
    filters = {name: value for name, value in wanted.items() if value is not None}
    return "\n".join(json.dumps(record) for record in client.journal(chosen.since, **filters))


# Words.


@contextmanager
def _advice(status: int, advice: str) -> Iterator[None]:
    """Where the server refuses with this status, say what to do here rather than over HTTP."""
    try:
        yield
    except VaurienError as error:
        if error.status != status:
            raise
        what = str(error).partition("; ")[0]
        raise VaurienError(f"{what}; {advice}", status) from error


def _short_form(words: Sequence[str]) -> str:
    """One quoted argument is taken as it is; several have lost their quotes to the shell."""
    return words[0] if len(words) == 1 else shlex.join(words)


def _unusual(values: Mapping[str, object], known: Sequence[OptionFields]) -> dict[str, object]:
    """The values that are not as they are by default, by their names with dashes."""
    defaults = {option["name"]: option["default"] for option in known}
    named = {name.replace("_", "-"): value for name, value in values.items()}
    return {name: value for name, value in named.items() if name not in defaults or defaults[name] != value}


def _words(name: str, fields: Mapping[str, object]) -> str:
    return " ".join(
        [name, *(f"{key.replace('_', '-')}={shlex.quote(_shown(value))}" for key, value in fields.items())]
    )


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Columns of equal width, two spaces apart."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _options(rest: Rest) -> Iterator[tuple[str, str]]:
    """Read ``--sleep 2``, ``--sleep=2``, and ``--before`` alone, which is true."""
    waiting = list(rest)
    while waiting:
        name, equals, text = waiting.pop(0).partition("=")
        if not name.startswith("--") or name == "--":
            raise VaurienError(f"unexpected argument {name!r}; an option of the behavior begins with --")
        if not equals:
            text = waiting.pop(0) if waiting and not waiting[0].startswith("--") else "true"
        yield name[2:], text


def _values(given: Mapping[str, str], known: Sequence[OptionFields]) -> dict[str, object]:
    kinds = {option["name"]: option["type"] for option in known}
    return {name: _converted(text, kinds.get(name.replace("_", "-"), "str")) for name, text in given.items()}


def _converted(text: str, kind: str) -> object:
    """The value that a text stands for; the text itself, if none: the server says what is wrong."""
    if kind == "bool":
        return _TRUTH.get(text.lower(), text)
    try:
        number = {"int": int, "float": float}[kind](text)
    except (KeyError, ValueError):
        return text
    return number if math.isfinite(number) else text
