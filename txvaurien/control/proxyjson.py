"""A proxy as JSON: what of it is told, what of that can be changed, and what a request may say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from txvaurien.control.answers import Problem
from txvaurien.errors import ConfigError
from txvaurien.net.addresses import HOST_PORT, Backend, Listen, parse_backend, parse_listen
from txvaurien.net.allowed import check_asked
from txvaurien.net.endpoints import numeric
from txvaurien.net.ends import AUTO, Ends
from txvaurien.options import options_of, plain_values
from txvaurien.planning.faults import describe_plan
from txvaurien.process.definition import Definition
from txvaurien.process.definitionreader import DefinitionReader
from txvaurien.process.limits import Limits
from txvaurien.process.member import Member
from txvaurien.process.proxies import NoProxy, Proxies
from txvaurien.proxy import Proxy

AddressT = TypeVar("AddressT", Listen, Backend)

_LIMITS = frozenset(option.attribute for option in options_of(Limits))
_ENDS = frozenset(option.attribute for option in options_of(Ends))

#: What stands for the files of a certificate: that there are some is no secret, where they are may be.
FILE = "file"

_ANOTHER = "it stays as it is; DELETE the proxy and POST another"
_PLAN = "it is not changed here; PUT it to /proxies/NAME/plan"
_STAY = {"name": _ANOTHER, "protocol": _ANOTHER, "options": _ANOTHER, "plan": _PLAN, "seed": _PLAN}


async def describe_proxy(member: Member, proxies: Proxies) -> dict[str, Any]:
    """A proxy as Toxiproxy's clients know it, and more: see `txvaurien.control.toxiproxy`.

    ``limits`` lacks those of the pool where somebody else has made the proxy.
    """
    proxy = member.proxy
    plan = describe_plan(proxy.plan)
    return {
        "name": member.name,
        "listen": member.listen,
        "upstream": proxy.backend.text,
        "enabled": member.enabled,
        "toxics": plan["toxics"],
        "protocol": proxy.protocol.name,
        "options": plain_values(proxy.protocol),
        "plan": {**plan, "seed": proxy.seed},
        "links": await _count_links(proxy),
        "limits": _limits_of(member),
        **describe_ends(proxy.ends),
        "main": _is_main(member, proxies),
    }


def describe_ends(ends: Ends) -> dict[str, Any]:
    """How both ends are spoken to, without names of files: what can be set over HTTP, and `FILE`."""
    return {
        "tls": ends.tls if ends.tls in (None, AUTO) else FILE,
        "backend_tls_verify": ends.backend_tls_verify,
        "accept_proxy": ends.accept_proxy,
        "send_proxy": ends.send_proxy,
    }


async def _count_links(proxy: Proxy) -> int:
    """How many links stand. Where there are worker processes, only these know."""
    if proxy.links:
        return sum(not link.over for link in proxy.links.values())
    return len(await proxy.describe_links())


def _limits_of(member: Member) -> dict[str, Any]:
    if member.definition is not None:
        return plain_values(member.definition.limits)
    proxy = member.proxy
    return {
        "timeout": proxy.timeout,
        "idle_timeout": proxy.idle_timeout,
        "on_desync": "close" if proxy.close_on_desync else "opaque",
        "max_active_faults": proxy.cap.most,
    }


def _is_main(member: Member, proxies: Proxies) -> bool:
    try:
        return proxies.main is member
    except NoProxy:
        return False


def fixed_problems(now: Mapping[str, Any], said: Mapping[str, Any]) -> list[Problem]:
    """What is said otherwise than it is, and cannot be changed.

    :param now: the proxy as it is given out.
    """
    now = {**dict.fromkeys(_LIMITS | _ENDS), **now, **now["limits"], "seed": now["plan"]["seed"]}
    stay = {**dict.fromkeys((*sorted(_LIMITS | _ENDS), "limits"), _ANOTHER), **_STAY}
    return [
        Problem("body", field, stay[name])
        for field, name in ((field, field.replace("-", "_")) for field in said)
        if name in stay and not _says(now[name], said[field])
    ]


def _says(now: Any, said: Any) -> bool:
    """Whether `said`, which may be a part, is true of `now`."""
    if isinstance(now, dict) and isinstance(said, dict):
        return all(name in now and _says(now[name], value) for name, value in said.items())
    return bool(now == said)


def stays(member: Member, said: Mapping[str, Any], definition: Definition) -> bool:
    """Whether a proxy is what is said, as far as that goes. Whether it is enabled does not matter.

    :param said: the fields that `definition` was made of.
    """
    proxy, given = member.proxy, {name for name, value in said.items() if value is not None}
    plan, new = describe_plan(proxy.plan), describe_plan(definition.plan)
    same = {
        "listen": not said.get("listen") or member.listens_at(definition.listen),
        "upstream": member.connects_to(definition.backend),
        "protocol": proxy.protocol.name == definition.protocol.name,
        "options": plain_values(proxy.protocol) == plain_values(definition.protocol),
        "plan": plan == new,
        "toxics": plan["toxics"] == new["toxics"],
        "seed": proxy.seed == definition.plan.seed,
        "limits": _limits_of(member) == plain_values(definition.limits),
        "ends": describe_ends(proxy.ends) == describe_ends(definition.ends),
    }
    given = {name.replace("-", "_") for name in given}
    given |= {whole for whole, parts in (("limits", _LIMITS), ("ends", _ENDS)) if given & parts}
    return all(same[field] for field in given & same.keys())


def read_definition(
    reader: DefinitionReader, said: Mapping[str, Any], where: str = "", *, strict: bool = False
) -> Definition:
    """A definition as Toxiproxy takes it; where it listens can only be host:port.

    :param strict: an unknown field is an error.
    :raises ConfigError: it cannot be.
    """
    prefix = f"{where}: " if where else ""
    _check_form(said.get("listen"), f"{prefix}listen")
    if isinstance(said.get("upstream"), str):
        check_asked(said["upstream"], f"{prefix}upstream")
    definition = reader.read(said, where=where, known_only=False, strict=strict)
    _check_listen(definition.listen, f"{prefix}listen")
    return definition


def _check_form(text: object, where: str) -> None:
    """:raises ConfigError: an endpoint string; nobody has files made or read over HTTP."""
    if isinstance(text, str) and text and not HOST_PORT.fullmatch(text.strip()):
        raise _not_host_port(text, where)


def _check_listen(listen: Listen, where: str) -> None:
    """:raises ConfigError: an endpoint string, which may look like host:port (``tcp:8000``), or a name.

    A name would be looked up by the kernel's binding of it, for which everything else would wait.
    """
    if not listen.host:
        raise _not_host_port(listen.text, where)
    if numeric(listen.host) is None:
        what = f"{listen.text!r} has a name, which is not looked up over HTTP"
        raise ConfigError(where, what, "give a numeric address of this machine, or localhost")


def _not_host_port(text: str, where: str) -> ConfigError:
    return ConfigError(where, f"{text!r} is not host:port", "give one, with port 0 for any port")


def listen_of(said: Mapping[str, Any], now: Mapping[str, Any]) -> Listen | None:
    """Where it is to listen, None where that is not said.

    :param now: the proxy as it is given out.
    :raises ConfigError: it is not host:port.
    """
    return _address(said, now, "listen", _read_listen)


def backend_of(said: Mapping[str, Any], now: Mapping[str, Any]) -> Backend | None:
    """Where it is to connect to, None where that is not said.

    :param now: the proxy as it is given out.
    :raises ConfigError: it is no address, or none that may be set over HTTP.
    """
    return _address(said, now, "upstream", _read_backend)


def _read_listen(text: str) -> Listen:
    _check_form(text, "listen")
    listen = parse_listen(text, "listen")
    _check_listen(listen, "listen")
    return listen


def _read_backend(text: str) -> Backend:
    check_asked(text, "upstream")
    return parse_backend(text, "upstream")


def _address(
    said: Mapping[str, Any], now: Mapping[str, Any], field: str, read: Callable[[str], AddressT]
) -> AddressT | None:
    if field not in said:
        return None
    text = said[field]
    if not isinstance(text, str):
        raise ConfigError(field, f"{text!r} will not do", 'it must be a text, such as "localhost:6379"')
    try:
        return read(text)
    except ConfigError:
        # Clients send back what they were given, which may be more than they could set.
        if text == now[field]:
            return None
        raise


def enabled_of(said: Mapping[str, Any]) -> bool | None:
    """Whether it is to be enabled, None where that is not said.

    :raises ConfigError: it is neither true nor false.
    """
    enabled = said.get("enabled")
    if enabled is not None and not isinstance(enabled, bool):
        raise ConfigError("enabled", f"{enabled!r} will not do", "it must be true or false")
    return enabled
