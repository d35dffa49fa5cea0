"""What the commands of ``vaurienctl`` do that concern one proxy, and the journal."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence

from txvaurien.clients.vocabulary import COUNTS, RULE_NUMBERS, Fields, OptionFields, ShareFields, VaurienError
from txvaurien.ctl.asked import CONFLICT, NOT_FOUND, Asked, Shown, advice, check_fixed, taken, titled
from txvaurien.ctl.proxies import read_text
from txvaurien.ctl.words import (
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

_START = "start one with `vaurienctl scenario start FILE`"


def list_behaviors(asked: Asked) -> str | Shown:
    """The names."""
    names = asked.client.list_behaviors()
    return Shown(", ".join(names), names)


def get_behavior(asked: Asked) -> str | Shown:
    """The mix, as `set_behavior` takes it: with the options that are not as they are by default."""
    mix, known = asked.proxy.get_mix(), asked.client.list_options()
    single = len(mix) == 1 and mix[0]["percent"] == 100
    text = " ".join([asked.proxy.get_behavior(), *_mix_options(mix, known, single)])
    return Shown(text, mix)


def _mix_options(
    mix: Iterable[ShareFields], known: Mapping[str, Sequence[OptionFields]], single: bool
) -> Iterator[str]:
    for share in mix:
        prefix = "" if single else f"{share['name']}-"
        for name, value in unusual(share["options"], known.get(share["name"], [])).items():
            yield f"--{prefix}{name}={shlex.quote(shown(value))}"


def set_behavior(asked: Asked) -> str | Shown:
    """``delay --sleep 2``, or ``5:error,10:delay --error-kind=oom --delay-sleep=2``."""
    given = dict(read_options(asked.rest))
    known = asked.client.list_options() if given else {}
    if given and (":" in asked.chosen.name or "," in asked.chosen.name):
        asked.proxy.set_mix(_mix(asked.chosen.name, given, known))
    else:
        asked.proxy.set_behavior(
            asked.chosen.name, **typed(given, kinds_of(known.get(asked.chosen.name, [])))
        )
    return f'Behavior changed to "{asked.chosen.name}"'


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


def get_backend(asked: Asked) -> str | Shown:
    """The address."""
    address = asked.proxy.get_backend()
    return Shown(address, {"backend": address})


def set_backend(asked: Asked) -> str | Shown:
    """Another address."""
    asked.proxy.set_backend(asked.chosen.address, cut=asked.chosen.cut)
    return f'Backend changed to "{asked.chosen.address}"'


def rule_add(asked: Asked) -> str | Shown:
    """The short form."""
    with advice(CONFLICT, taken("rule")):
        name = asked.proxy.add_rule(short_form(asked.chosen.words), position=asked.chosen.position).name
    return Shown(f'Rule "{name}" added', {"name": name})


def rule_list(asked: Asked) -> str | Shown:
    """A line for each: its name, its counters, itself."""
    rules, known = asked.proxy.rules(), asked.client.list_options()
    rows = [[each["name"], _counts(each), _rule_words(each, known)] for each in rules]
    return Shown(table(rows) or "There are no rules", rules)


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


def rule_update(asked: Asked) -> str | Shown:
    """Some of its fields; one that is empty is taken away."""
    given = read_fields(asked.chosen.words)
    check_fixed("rule", given, "name")
    for count in given.keys() & set(COUNTS):
        raise VaurienError(f"{count}: a rule counts this itself; it cannot be set")
    behavior = given.get("behavior") or asked.proxy.rule(asked.chosen.name)["behavior"]
    kinds = {**kinds_of(asked.client.list_options().get(behavior, [])), **RULE_NUMBERS}
    fields = {name: None if value == "" else value for name, value in typed(given, kinds).items()}
    asked.proxy.change_rule(asked.chosen.name, **fields)
    return f'Rule "{asked.chosen.name}" updated'


def rule_wait(asked: Asked) -> str | Shown:
    """Wait until it has fired."""
    fired = asked.proxy.wait_for_rule(asked.chosen.name, asked.chosen.times, asked.chosen.timeout)
    return f'Rule "{asked.chosen.name}" has fired {"once" if fired == 1 else f"{fired} times"}'


def rule_remove(asked: Asked) -> str | Shown:
    """By its name."""
    asked.proxy.remove_rule(asked.chosen.name)
    return f'Rule "{asked.chosen.name}" removed'


def rule_clear(asked: Asked) -> str | Shown:
    """All of them."""
    removed = asked.proxy.clear_rules()
    return Shown(f"{removed} rule{'' if removed == 1 else 's'} removed", {"removed": removed})


def toxic_add(asked: Asked) -> str | Shown:
    """The short form."""
    with advice(CONFLICT, taken("toxic")):
        name = asked.proxy.add_toxic(short_form(asked.chosen.words)).name
    return Shown(f'Toxic "{name}" added', {"name": name})


def toxic_list(asked: Asked) -> str | Shown:
    """A line for each: its name, itself."""
    toxics = asked.proxy.toxics()
    rows = [
        [
            each["name"],
            in_words(
                each["type"],
                {**each["attributes"], "stream": each["stream"], "toxicity": each["toxicity"]},
            ),
        ]
        for each in toxics
    ]
    return Shown(table(rows) or "There are no toxics", toxics)


def toxic_update(asked: Asked) -> str | Shown:
    """Some of its attributes, or its toxicity."""
    given = read_fields(asked.chosen.words)
    check_fixed("toxic", given, "name", "type", "stream")
    types = {each["name"]: each["type"] for each in asked.proxy.toxics()}
    known = asked.client.list_attributes().get(types.get(asked.chosen.name, ""), [])
    asked.proxy.change_toxic(asked.chosen.name, **typed(given, {**kinds_of(known), "toxicity": "float"}))
    return f'Toxic "{asked.chosen.name}" updated'


def toxic_remove(asked: Asked) -> str | Shown:
    """By its name."""
    asked.proxy.remove_toxic(asked.chosen.name)
    return f'Toxic "{asked.chosen.name}" removed'


def action_start(asked: Asked) -> str | Shown:
    """The short form."""
    asked.proxy.start_action(short_form(asked.chosen.words))
    return f'Action "{asked.chosen.words[0].split()[0]}" started'


def action_list(asked: Asked) -> str | Shown:
    """A line for each."""
    actions = asked.proxy.actions()
    lines = [
        in_words(each["action"], {name: value for name, value in each.items() if name != "action"})
        for each in actions
    ]
    return Shown("\n".join(lines) or "There are no actions", actions)


def action_stop(asked: Asked) -> str | Shown:
    """By its name."""
    asked.proxy.stop_action(asked.chosen.name)
    return f'Action "{asked.chosen.name}" stopped'


def links(asked: Asked) -> str | Shown:
    """A line for each, below their titles."""
    found = asked.proxy.links()
    if not found:
        return Shown("There are no links", found)
    titles = list(found[0])
    return Shown(titled(titles, ([shown(each[title]) for title in titles] for each in found)), found)


def kill(asked: Asked) -> str | Shown:
    """One, or all."""
    with advice(NOT_FOUND, "`vaurienctl links` shows those that there are"):
        killed = asked.proxy.kill(asked.chosen.link, asked.chosen.how)
    return Shown(f"{killed} link{'' if killed == 1 else 's'} ended", {"killed": killed})


def reset(asked: Asked) -> str | Shown:
    """The panic stop: of one proxy, if one is named, else of all."""
    asked.proxy.reset()
    return "Every fault removed"


def scenario_show(asked: Asked) -> str | Shown:
    """How far it is."""
    return _status(asked.proxy.scenario())


def scenario_start(asked: Asked) -> str | Shown:
    """The file is read here, and sent."""
    try:
        text = read_text(asked.chosen.file)
    except (OSError, UnicodeDecodeError) as error:
        raise VaurienError(f"{asked.chosen.file}: {getattr(error, 'strerror', None) or error}") from error
    return _status(asked.proxy.set_scenario(text))


def scenario_pause(asked: Asked) -> str | Shown:
    """Its time stands still."""
    with advice(CONFLICT, _START):
        return _status(asked.proxy.pause_scenario())


def scenario_resume(asked: Asked) -> str | Shown:
    """It goes on."""
    with advice(CONFLICT, _START):
        return _status(asked.proxy.resume_scenario())


def scenario_stop(asked: Asked) -> str | Shown:
    """It ends."""
    with advice(NOT_FOUND, _START):
        asked.proxy.stop_scenario()
    return "Scenario stopped"


def _status(status: Fields) -> Shown:
    return Shown(_status_words(status), status)


def _status_words(status: Fields) -> str:
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


def journal(asked: Asked) -> str | Shown:
    """A line of JSON for each record."""
    wanted = {
        "last": asked.chosen.last,
        "limit": asked.chosen.limit,
        "event": asked.chosen.event,
        "link": asked.chosen.link,
    }
    filters = {name: value for name, value in wanted.items() if value is not None}
    if asked.chosen.proxy is not None:
        filters["proxy"] = asked.chosen.proxy
    records = asked.client.journal(asked.chosen.since, **filters)
    return Shown("\n".join(map(json.dumps, records)), records)
