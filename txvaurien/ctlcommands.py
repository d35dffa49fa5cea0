"""What the commands of ``vaurienctl`` do: each takes a client and its arguments, and returns its output."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from txvaurien.blocking import Client
from txvaurien.ctlwords import (
    converted,
    in_words,
    kinds_of,
    read_fields,
    read_options,
    short_form,
    shown,
    table,
    typed,
    unusual,
)
from txvaurien.vocabulary import COUNTS, RULE_NUMBERS, Fields, OptionFields, ShareFields, VaurienError

_CONFLICT = 409
_NOT_FOUND = 404

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
        for name, value in unusual(share["options"], known.get(share["name"], [])).items():
            yield f"--{prefix}{name}={shlex.quote(shown(value))}"


def set_behavior(client: Client, chosen: argparse.Namespace, rest: Rest) -> str:
    """``delay --sleep 2``, or ``5:error,10:delay --error-kind=oom --delay-sleep=2``."""
    given = dict(read_options(rest))
    known = client.list_options() if given else {}
    if given and (":" in chosen.name or "," in chosen.name):
        client.set_mix(_mix(chosen.name, given, known))
    else:
        client.set_behavior(chosen.name, **typed(given, kinds_of(known.get(chosen.name, []))))
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
                "percent": converted(percent, "float"),
                "name": name,
                "options": typed(options, kinds_of(known.get(name, []))),
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
    with _advice(_CONFLICT, _taken("rule")):
        name = client.add_rule(short_form(chosen.words), position=chosen.position).name
    return f'Rule "{name}" added'


def rule_list(client: Client, chosen: argparse.Namespace, rest: Rest) -> str:
    """A line for each: its name, its counters, itself."""
    rules, known = client.rules(), client.list_options()
    rows = [[each["name"], _counts(each), _rule_words(each, known)] for each in rules]
    return table(rows) or "There are no rules"


def _counts(rule: Fields) -> str:
    words = f"fired {rule['fired']} of {rule['matched']}"
    for count in ("misfired", "capped"):
        if rule[count]:
            words += f", {count} {rule[count]}"
    return words + (", expired" if rule["expired"] else "")


def _rule_words(rule: Fields, known: Mapping[str, Sequence[OptionFields]]) -> str:
    behavior = rule["behavior"]
    fields = {name: value for name, value in rule.items() if name not in {*COUNTS, "behavior", "name"}}
    return in_words(behavior, unusual(fields, known.get(behavior, [])))


def rule_update(client: Client, chosen: argparse.Namespace, rest: Rest) -> str:
    """Some of its fields; one that is empty is taken away."""
    given = read_fields(chosen.words)
    _check_fixed("rule", given, "name")
    for count in given.keys() & set(COUNTS):
        raise VaurienError(f"{count}: a rule counts this itself; it cannot be set")
    behavior = given.get("behavior") or client.rule(chosen.name)["behavior"]
    kinds = {**kinds_of(client.list_options().get(behavior, [])), **RULE_NUMBERS}
    fields = {name: None if value == "" else value for name, value in typed(given, kinds).items()}
    client.change_rule(chosen.name, **fields)
    return f'Rule "{chosen.name}" updated'


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
    with _advice(_CONFLICT, _taken("toxic")):
        name = client.add_toxic(short_form(chosen.words)).name
    return f'Toxic "{name}" added'


def toxic_list(client: Client, chosen: argparse.Namespace, rest: Rest) -> str:
    """A line for each: its name, itself."""
    rows = [
        [
            each["name"],
            in_words(
                each["type"],
                {**each["attributes"], "stream": each["stream"], "toxicity": each["toxicity"]},
            ),
        ]
        for each in client.toxics()
    ]
    return table(rows) or "There are no toxics"


def toxic_update(client: Client, chosen: argparse.Namespace, rest: Rest) -> str:
    """Some of its attributes, or its toxicity."""
    given = read_fields(chosen.words)
    _check_fixed("toxic", given, "name", "type", "stream")
    types = {each["name"]: each["type"] for each in client.toxics()}
    known = client.list_attributes().get(types.get(chosen.name, ""), [])
    client.change_toxic(chosen.name, **typed(given, {**kinds_of(known), "toxicity": "float"}))
    return f'Toxic "{chosen.name}" updated'


def toxic_remove(client: Client, chosen: argparse.Namespace, rest: Rest) -> str:
    """By its name."""
    client.remove_toxic(chosen.name)
    return f'Toxic "{chosen.name}" removed'


def action_start(client: Client, chosen: argparse.Namespace, rest: Rest) -> str:
    """The short form."""
    client.start_action(short_form(chosen.words))
    return f'Action "{chosen.words[0].split()[0]}" started'


def action_list(client: Client, chosen: argparse.Namespace, rest: Rest) -> str:
    """A line for each."""
    lines = [
        in_words(each["action"], {name: value for name, value in each.items() if name != "action"})
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
    return table([titles, *([shown(each[title]) for title in titles] for each in found)])


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
    wanted = {"last": chosen.last, "limit": chosen.limit, "event": chosen.event, "link": chosen.link}
    filters = {name: value for name, value in wanted.items() if value is not None}
    return "\n".join(json.dumps(record) for record in client.journal(chosen.since, **filters))


# What is refused, and what to do then.


def _check_fixed(what: str, given: Iterable[str], *fixed: str) -> None:
    """:raises VaurienError: one of the fields stays as it is."""
    for name in given:
        if name in fixed:
            raise VaurienError(f"the {name} of a {what} stays; remove this one and add another")


def _taken(what: str) -> str:
    """The advice where there is one of that name already."""
    return (
        f"change that with `vaurienctl {what} update`, remove it with `vaurienctl {what} remove`,"
        " or give this one another name"
    )


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
