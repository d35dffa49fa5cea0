"""Every option under its one name, ``behavior-delay-sleep``: what files and the command line share.

The names are generated from what is declared (`txvaurien.options`). On the
command line a name follows ``--``; in a file it stands in ``[vaurien]``, or its
last part in ``[behavior:delay]``. Everywhere ``_`` may be written for ``-``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from txvaurien.errors import ConfigError
from txvaurien.journals.journalfile import KEEP, MAX_SIZE
from txvaurien.net import ends
from txvaurien.options import Declared, Option, nearest, options_of, unknown
from txvaurien.plugins import Registry
from txvaurien.process.limits import Limits

#: Options that only the command line has: their names and help texts.
COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "config": "a file with options, or with proxies in Toxiproxy's JSON; the command line beats it",
        "demo": "start a small HTTP server as backend and show what to try",
        "dry-run": "show what would happen, and start nothing",
        "help": "show this text and exit",
        "rule": "a behavior, what it is for and when it fires: error kind=oom verb=SET times=2; repeatable",
        "toxic": "a fault of the byte stream: latency latency=200 stream=upstream; repeatable",
        "version": "show the version and exit",
    }
)
#: What may stand before all options, in the place of a proxy that is started.
_WORDS = ("doctor", "replay")
_BARE_COMMANDS = frozenset({"demo", "dry-run", "help", "version"})
#: Each of them adds one more, where of all others the last one counts.
REPEATABLE = frozenset({"rule", "toxic"})
#: Of them, too, all count: they are joined to one list.
JOINED = frozenset({"allow-backend", "http-allow-host"})
#: The groups of plug-ins whose options are flags.
_WITH_FLAGS = ("protocols", "behaviors")


class OfProxy(Limits, frozen=True, kw_only=True):
    """The options that one proxy has, whatever its protocol and its behaviors."""

    name: ClassVar[str] = "proxy"

    proxy: Annotated[str, Meta(description="where to listen")] = "localhost:8000"
    backend: Annotated[str, Meta(description="where the service is")] = "localhost:80"
    backlog: Annotated[
        int, Meta(ge=1, le=65535, description="connections that the kernel may hold before they are accepted")
    ] = 1024
    workers: Annotated[
        int, Meta(ge=1, le=64, description="processes that share the work; links are spread over them")
    ] = 1

    tls: ends.Tls = None
    tls_key: ends.TlsKey = None
    backend_tls_verify: ends.BackendTlsVerify = True
    backend_tls_ca: ends.BackendTlsCa = None
    backend_tls_cert: ends.BackendTlsCert = None
    backend_tls_key: ends.BackendTlsKey = None
    accept_proxy: ends.AcceptProxy = False
    send_proxy: ends.SendProxy = "off"

    protocol: Annotated[str, Meta(description="what the service speaks")] = "tcp"
    behavior: Annotated[
        str, Meta(description="a behavior for every exchange, or a mix in percent such as 5:error,10:delay")
    ] = "dummy"
    seed: Annotated[int, Meta(description="repeats a run; drawn and logged if not given")] | None = None
    scenario: Annotated[str, Meta(description="a file that says what goes wrong when")] | None = None


class Common(OfProxy, frozen=True, kw_only=True):
    """The options that do not belong to a protocol or a behavior."""

    name: ClassVar[str] = "vaurien"

    no_proxy: Annotated[
        bool, Meta(description="start the control server, and no proxy but those that a file describes")
    ] = False

    tls_ca: (
        Annotated[
            str,
            Meta(
                description="a PEM file with an authority and its key, for --tls auto in the place of one"
                " that is made at each start"
            ),
        ]
        | None
    ) = None
    tls_ca_out: (
        Annotated[str, Meta(description="write the authority's certificate there, for clients to trust it")]
        | None
    ) = None

    busy_poll: Annotated[
        int,
        Meta(
            ge=0,
            le=1000,
            description="microseconds to go on polling after an event: answers come sooner, for more work"
            " of the processor while there is traffic; about 100 makes a difference",
        ),
    ] = 0

    http: Annotated[bool, Meta(description="start the control server")] = False
    http_host: Annotated[str, Meta(description="where the control server listens")] = "localhost"
    http_port: Annotated[int, Meta(ge=0, le=65535, description="its port; 0 for any that is free")] = 8080
    http_endpoint: (
        Annotated[
            str,
            Meta(
                description="an endpoint string in place of host and port, such as"
                " ssl:8443:interface=127.0.0.1:privateKey=key.pem:certKey=cert.pem"
            ),
        ]
        | None
    ) = None
    http_allow_host: Annotated[
        str, Meta(description="further names under which it may be asked, with commas; repeatable")
    ] = ""
    http_token: (
        Annotated[
            str,
            Meta(
                description="what has to be shown to it; needed where other machines can reach it;"
                " VAURIEN_TOKEN in the environment is the same, and is not seen in ps"
            ),
        ]
        | None
    ) = None
    http_token_file: Annotated[str, Meta(description="a file with that token")] | None = None
    allow_backend: Annotated[
        str,
        Meta(
            description="where it may point a proxy at, with commas: localhost:*, 10.0.0.0/8:6379,"
            " *.example.org:443, unix:/run/*; repeatable (default: anywhere)"
        ),
    ] = ""

    journal: (
        Annotated[str, Meta(description="a file that gets a line for everything that happens")] | None
    ) = None
    journal_size: Annotated[
        int, Meta(ge=0, description="bytes after which that file is put aside; 0 for never")
    ] = MAX_SIZE
    journal_keep: Annotated[int, Meta(ge=0, description="how many of those are kept")] = KEEP

    metrics: Annotated[
        bool,
        Meta(
            description="note every exchange for GET /metrics and StatsD: its verb, its status, its times;"
            " some 2 microseconds each. All else that is counted is shown without"
        ),
    ] = False
    statsd: (
        Annotated[
            str,
            Meta(description="host:port that is sent the metrics every 5 seconds, in StatsD's form (UDP)"),
        ]
        | None
    ) = None
    statsd_prefix: Annotated[str, Meta(description="what their names begin with there")] = "vaurien"

    log_level: Annotated[
        Literal["critical", "error", "warning", "info", "debug"], Meta(description="what is logged at least")
    ] = "info"
    log_output: Annotated[str, Meta(description="a file, or - for standard error")] = "-"


#: Options of Vaurien that do nothing any more, and why.
_RETIRED: Mapping[str, str] = MappingProxyType(
    {
        "async-mode": "every link is asynchronous",
        "buffer": "reads are as large as the kernel has data, and bodies are streamed",
        "bufsize": "reads are as large as the kernel has data, and bodies are streamed",
        "keep-alive": "a connection stays open until one of its two sides closes it",
        "reuse-socket": "each client has a connection of its own to the backend",
        "stay-connected": "a connection stays open until one of its two sides closes it",
        "sync": "every link is asynchronous",
    }
)
_RETIRED_WITH_VALUE = frozenset({"buffer", "bufsize"})


@dataclass(frozen=True)
class Flag:
    """One name that may be written.

    :param group: ``""``, ``protocols`` or ``behaviors``; `owner` is the protocol or behavior.
    :param option: what it sets; None if it is `retired` or of the command line only.
    :param retired: why it does nothing any more.
    :param bare: on the command line it takes no value.
    """

    name: str
    group: str = ""
    owner: str = ""
    option: Option | None = None
    retired: str = ""
    bare: bool = False

    @property
    def repeatable(self) -> bool:
        """Whether each of several counts."""
        return self.name in REPEATABLE

    @property
    def is_bool(self) -> bool:
        """Whether it is yes or no."""
        return self.option is not None and self.option.kind == "bool"


@dataclass(frozen=True)
class Given:
    """A value that was given for a flag, and where (``--seed``, ``x.ini:12: seed``)."""

    flag: Flag
    text: str
    where: str


def normal(name: str) -> str:
    """A name as it is looked up."""
    return name.strip().replace("_", "-")


def prefix_of(group: str, owner: str) -> str:
    """What the flags of a protocol or behavior begin with."""
    return normal(f"{group.removesuffix('s')}-{owner}-") if group else ""


def flags_of(registry: Registry) -> Mapping[str, Flag]:
    """Every flag by name, those of the command line only included."""
    return _Flags(registry)


class _Flags(Mapping[str, Flag]):
    """Flags by name.

    Those of a protocol or behavior are made when one of them is looked up: a process
    names few of them, and to know them all it would have to import every plug-in.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._flags = {name: Flag(name, bare=name in _BARE_COMMANDS) for name in COMMANDS}
        self._owners = {
            prefix_of(group, owner): (group, owner)
            for group in _WITH_FLAGS
            for owner in registry.names(group)
        }
        self._make("", "", Common)

    def __getitem__(self, name: str) -> Flag:
        self._make_those([prefix for prefix in self._owners if name.startswith(prefix)])
        return self._flags[name]

    def __iter__(self) -> Iterator[str]:
        self._make_those(list(self._owners))
        return iter(self._flags)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _make_those(self, prefixes: Sequence[str]) -> None:
        for prefix in prefixes:
            group, owner = self._owners.pop(prefix)
            declared = getattr(self._registry, group).get(owner)
            if declared is not None:
                self._make(group, owner, declared)

    def _make(self, group: str, owner: str, declared: type[Declared]) -> None:
        prefix = prefix_of(group, owner)
        for name, reason in _RETIRED.items():
            self._flags[prefix + name] = Flag(
                prefix + name, group, owner, retired=reason, bare=name not in _RETIRED_WITH_VALUE
            )
        for option in options_of(declared):
            bare = not group and option.default is False
            self._flags[prefix + option.name] = Flag(prefix + option.name, group, owner, option, bare=bare)


def declared_in(registry: Registry) -> Iterator[tuple[str, str, type[Declared]]]:
    """Everything that has options: (group, owner, class), ours first, then by name."""
    yield "", "", Common
    for group in _WITH_FLAGS:
        found: Mapping[str, type[Declared]] = getattr(registry, group)
        yield from ((group, name, found[name]) for name in sorted(found))


def parse_arguments(arguments: Sequence[str], registry: Registry) -> list[Given]:
    """Read ``--name value``, ``--name=value`` and, for yes-or-no options, a bare ``--name``.

    :raises ConfigError: an unknown option, a missing value, an argument that is no option.
    """
    given: list[Given] = []
    flags = flags_of(registry)
    waiting = deque(arguments)
    while waiting:
        name, equals, value = _split(waiting.popleft())
        flag = flags.get(normal(name))
        if flag is None:
            raise _no_such_option(normal(name), flags, registry)
        text = value if equals else _text_behind(flag, waiting)
        given.append(Given(flag, text, f"--{flag.name}"))
    return given


def _text_behind(flag: Flag, waiting: deque[str]) -> str:
    """Take the value that follows an option; what is yes or no, and has none, is true."""
    follows = bool(waiting) and not waiting[0].startswith("--") and waiting[0] != "-h"
    if flag.bare or (flag.is_bool and not follows):
        return "true"
    if not follows:
        raise ConfigError(f"--{flag.name}", "it needs a value", _must_be(flag))
    return waiting.popleft()


def _split(token: str) -> tuple[str, str, str]:
    if token == "-h":
        return "help", "", ""
    if not token.startswith("--") or token == "--":
        near = nearest(token, _WORDS)
        what = f"unexpected argument {token!r}" + (f" (did you mean {near}?)" if near else "")
        raise ConfigError("", what, "every option begins with --; try --help")
    return token[2:].partition("=")


def _no_such_option(name: str, flags: Mapping[str, Flag], registry: Registry) -> ConfigError:
    for group, owner, declared in declared_in(registry):
        prefix = prefix_of(group, owner)
        if group and name.startswith(prefix):
            names = [option.name for option in options_of(declared)]
            return unknown("option", name.removeprefix(prefix), names, where=f"--{name}", of=repr(owner))
    names = [flag.name for flag in flags.values() if not flag.retired]
    near = nearest(name, names)
    guess = f" (did you mean --{near}?)" if near else ""
    return ConfigError(f"--{name}", f"there is no such option{guess}", "--help shows them all")


def _must_be(flag: Flag) -> str:
    if flag.option is not None:
        return f"it must be {flag.option.allowed}"
    return f"it is {COMMANDS[flag.name]}" if flag.name in COMMANDS else ""
