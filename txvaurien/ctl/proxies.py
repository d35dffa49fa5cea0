"""What the commands of ``vaurienctl`` do that concern the proxies of a server as such."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping

from txvaurien.clients.blocking import ProxyHandle
from txvaurien.clients.vocabulary import Fields, VaurienError
from txvaurien.ctl.asked import CONFLICT, NOT_FOUND, Asked, Shown, advice, titled
from txvaurien.ctl.words import in_words, kinds_of, read_fields, typed

_LIST = "`vaurienctl list` shows those that there are"
_TAKEN = "choose another name or address, or see with `vaurienctl list` what to `vaurienctl delete`"
_TITLES = ("name", "listen", "backend", "protocol", "", "links", "behavior", "rules", "toxics")

#: The types of limits and of what else `create` takes beside the options of the protocol.
_LIMITS: Mapping[str, str] = {
    "timeout": "float",
    "idle-timeout": "float",
    "pool-max-size": "int",
    "pool-timeout": "float",
    "on-desync": "str",
    "max-active-faults": "int",
}

#: What is said of both ends of a proxy, and how it usually is.
_ENDS: Mapping[str, object] = {
    "tls": None,
    "backend_tls_verify": True,
    "accept_proxy": False,
    "send_proxy": "off",
}


def list_proxies(asked: Asked) -> Shown:
    """A line for each, below their titles."""
    found = asked.client.proxies()
    rows = [_row(each) for each in found]
    return Shown(titled(_TITLES, rows) if rows else "There are no proxies", found)


def _row(proxy: Fields) -> list[str]:
    plan = proxy["plan"]
    return [
        proxy["name"],
        proxy["listen"],
        proxy["upstream"],
        proxy["protocol"],
        _state(proxy),
        str(proxy["links"]),
        _mix(plan["mix"]),
        str(len(plan["rules"])),
        str(len(proxy["toxics"])),
    ]


def _state(proxy: Fields) -> str:
    return "enabled" if proxy["enabled"] else "disabled"


def _mix(mix: list[Fields]) -> str:
    if len(mix) == 1 and mix[0]["percent"] == 100:
        return str(mix[0]["name"])
    return ",".join(f"{share['percent']:g}:{share['name']}" for share in mix) or "dummy"


def inspect(asked: Asked) -> Shown:
    """All about one: the one that is named, or the main one."""
    name = asked.chosen.name or asked.chosen.proxy
    found = _main(asked) if name is None else _handle(asked, name).describe()
    return Shown("\n".join(_lines(found)), found)


def _main(asked: Asked) -> Fields:
    for each in asked.client.proxies():
        if each["main"]:
            return each
    raise VaurienError("there is no main proxy; name one: vaurienctl inspect NAME")


def _lines(proxy: Fields) -> Iterator[str]:
    plan = proxy["plan"]
    yield f"{proxy['name']}: {_state(proxy)}"
    yield f"listens on {proxy['listen']}, connects to {proxy['upstream']}"
    yield f"protocol {in_words(proxy['protocol'], proxy['options'])}"
    ends = {name: proxy[name] for name, usual in _ENDS.items() if proxy[name] != usual}
    if ends:
        yield in_words("ends", ends)
    yield f"links {proxy['links']}, seed {plan['seed']}"
    yield f"behavior {_mix(plan['mix'])}"
    for rule in plan["rules"]:
        fields = {name: value for name, value in rule.items() if name not in ("name", "behavior")}
        yield f"rule {rule['name']}: {in_words(rule['behavior'], fields)}"
    for toxic in proxy["toxics"]:
        fields = {**toxic["attributes"], "stream": toxic["stream"], "toxicity": toxic["toxicity"]}
        yield f"toxic {toxic['name']}: {in_words(toxic['type'], fields)}"


def create(asked: Asked) -> Shown:
    """One more; where it listens."""
    chosen = asked.chosen
    fields = _fields(asked)
    plan = {"rules": chosen.rule, "toxics": chosen.toxic}
    if any(plan.values()):
        fields["plan"] = plan
    if chosen.seed is not None:
        fields["seed"] = chosen.seed
    if chosen.disabled:
        fields["enabled"] = False
    fields.update(_ends(asked))
    with advice(CONFLICT, _TAKEN):
        made = asked.client.create(
            chosen.name, chosen.backend, chosen.listen, protocol=chosen.protocol, **fields
        )
    return Shown(f'Proxy "{made.name}" listens on {made.listen}', {"name": made.name, "listen": made.listen})


def _ends(asked: Asked) -> Iterator[tuple[str, object]]:
    """How both ends are to be spoken to, where that is said."""
    chosen = asked.chosen
    for name in ("tls", "send_proxy"):
        if getattr(chosen, name) is not None:
            yield name, getattr(chosen, name)
    if chosen.backend_tls_verify is not None:
        yield "backend_tls_verify", chosen.backend_tls_verify == "true"
    if chosen.accept_proxy:
        yield "accept_proxy", True


def _fields(asked: Asked) -> dict[str, object]:
    """Limits, and the options of the protocol, by their own types."""
    given = read_fields(asked.chosen.option)
    if not given:
        return {}
    limits = {name: text for name, text in given.items() if name in _LIMITS}
    options = {name: text for name, text in given.items() if name not in _LIMITS}
    fields: dict[str, object] = {
        name.replace("-", "_"): value for name, value in typed(limits, _LIMITS).items()
    }
    if options:
        known = asked.client.list_protocols().get(asked.chosen.protocol, {}).get("options", [])
        fields["options"] = typed(options, kinds_of(known))
    return fields


def update(asked: Asked) -> str:
    """Elsewhere."""
    given = {"listen": asked.chosen.listen, "backend": asked.chosen.backend}
    fields = {name: value for name, value in given.items() if value is not None}
    if not fields:
        raise VaurienError("nothing is to be changed; give --listen or --backend")
    _change(asked, fields)
    return f'Proxy "{asked.chosen.name}" updated'


def enable(asked: Asked) -> str:
    """It takes clients."""
    _change(asked, {"enabled": True})
    return f'Proxy "{asked.chosen.name}" enabled'


def disable(asked: Asked) -> str:
    """It takes no clients."""
    _change(asked, {"enabled": False})
    return f'Proxy "{asked.chosen.name}" disabled'


def toggle(asked: Asked) -> str:
    """The other of the two."""
    with advice(NOT_FOUND, _LIST):
        enabled = _handle(asked, asked.chosen.name).describe()["enabled"]
    return disable(asked) if enabled else enable(asked)


def delete(asked: Asked) -> str:
    """By its name."""
    with advice(NOT_FOUND, _LIST):
        _handle(asked, asked.chosen.name).remove()
    return f'Proxy "{asked.chosen.name}" deleted'


def _change(asked: Asked, fields: Mapping[str, object]) -> None:
    with advice(NOT_FOUND, _LIST):
        _handle(asked, asked.chosen.name).change(**fields)


def _handle(asked: Asked, name: str) -> ProxyHandle:
    return asked.client.proxy(name)


def plan_show(asked: Asked) -> Shown:
    """As `plan_set` takes it."""
    plan = asked.proxy.plan()
    return Shown(json.dumps(plan, indent=2), plan)


def plan_set(asked: Asked) -> str:
    """The file is read here, and sent."""
    try:
        text = read_text(asked.chosen.file)
        plan = json.loads(text)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise VaurienError(f"{asked.chosen.file}: {why}; it must hold a plan as JSON") from error
    if not isinstance(plan, dict):
        raise VaurienError(f"{asked.chosen.file}: it must hold an object, as `vaurienctl plan show` prints")
    asked.proxy.set_plan(plan)
    return "Plan changed"


def read_text(path: str) -> str:
    """What a file says, or standard input where it is called ``-``."""
    if path == "-":
        return sys.stdin.read()
    with open(path, encoding="utf-8") as stream:
        return stream.read()


def completion(asked: Asked) -> str:
    """What a shell has to read so that it completes commands and options."""
    import shtab

    from txvaurien.ctl.parser import make_parser

    script: str = shtab.complete(make_parser(), asked.chosen.shell)
    return script
