"""A proxy for one test: `chaos_proxy` runs it beside the test, from any kind of program.

Where it runs is in `txvaurien.embedded`; for coroutines there is `txvaurien.embedded.awaiting`.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Literal, TypeVar

from txvaurien.clients.vocabulary import Call, Fields, get_journal
from txvaurien.embedded.faults import ChaosFault
from txvaurien.embedded.host import Edit, Host, Side, begin
from txvaurien.embedded.links import LinkInfo, wait_for_links
from txvaurien.embedded.proxyurl import Target, parse_target
from txvaurien.embedded.reached import Reached
from txvaurien.embedded.setting import Setting, read_setting
from txvaurien.embedded.standing import Standing, pause, resume, start_action, stop_action, unless_gone
from txvaurien.embedded.trust import Trust, trust_in
from txvaurien.embedded.witness import count_passed

if TYPE_CHECKING:
    from txvaurien.behaviors.base import Behavior
    from txvaurien.clients.blockingproxy import ProxyCommands, Toxic
    from txvaurien.embedded.awaiting import AsyncChaosProxy

Answer = TypeVar("Answer")

Isolation = Literal["thread", "process"]


def chaos_proxy(
    backend: str,
    protocol: str = "tcp",
    *,
    listen: str = "127.0.0.1:0",
    behavior: str | Mapping[str, object] = "",
    rules: Sequence[str | Mapping[str, object]] = (),
    toxics: Sequence[str | Mapping[str, object]] = (),
    seed: int | None = None,
    name: str = "proxy",
    options: Mapping[str, object] | None = None,
    tls: str | PathLike[str] | None = None,
    isolation: Isolation = "thread",
    **limits: object,
) -> ChaosProxy:
    """A proxy before a service, for one test; it runs from ``with``, ``async with`` or `start` on.

    :param backend: ``host:port``, an endpoint string, or the URL or DSN that clients use. With the URL of a
        service that speaks TLS (``rediss://``, ``https://``) the proxy does so with it.
    :param protocol: what is spoken there, such as ``redis``.
    :param listen: where clients come; by default any free port of loopback.
    :param behavior: what is done to all exchanges: a name, a mix such as ``5:error,10:delay``, a behavior
        in the short form (``delay sleep=2``), or an object, ``{"name": "delay", "sleep": 2}``.
    :param rules: rules, in the short form or as objects, as `ChaosProxy.behavior` adds them.
    :param toxics: toxics, in the short form or as objects.
    :param seed: what all draws depend on; one is drawn if none is given.
    :param name: what the proxy is called; draws depend on it.
    :param options: options of the protocol.
    :param tls: how TLS is spoken with clients: ``auto`` for certificates that `ChaosProxy.ca_file` makes
        them trust; or a PEM file with a certificate and its key. None for not at all.
    :param isolation: ``thread`` for a thread with a reactor of its own, ``process`` for a process.
    :param limits: ``timeout``, ``idle_timeout``, ``pool_max_size`` and the like; and how TLS and the PROXY
        protocol are spoken besides: ``backend_tls_ca``, ``backend_tls_verify``, ``send_proxy`` and so on.
    :raises ConfigError: something that is set cannot be.
    """
    target = parse_target(backend, protocol=protocol)
    said: dict[str, object] = {
        "name": name,
        "listen": listen,
        "upstream": target.address,
        "protocol": protocol,
        "options": dict(options or {}),
        "tls": tls,
        **limits,
    }
    return ChaosProxy(target, read_setting(said, behavior, rules, toxics, seed), isolation)


class ChaosProxy(Reached):
    """A proxy that runs beside a test. Every method returns when what it does holds.

    What it refuses while it runs is a `VaurienError`, a ValueError.
    """

    def __init__(self, target: Target, setting: Setting, isolation: Isolation) -> None:
        self._first = self._target = target
        self._setting = setting
        self._isolation = isolation
        self._host: Host | None = None
        self._trust: Trust | None = None
        #: Held while it starts or ends: several threads may want either.
        self._changing = threading.RLock()
        self._leaving: list[Callable[[], object]] = []

    def __repr__(self) -> str:
        where = self._host.listen if self._host is not None else "not running"
        return f"<ChaosProxy {self.name} ({where}) for {self._target.address}, seed {self.seed}>"

    # Its life.

    def start(self) -> ChaosProxy:
        """Run, and listen; after `stop`, listen again at the same port. Nothing happens if it does.

        :raises ConfigError: the backend's name is unknown, or it is the proxy itself.
        :raises ListenError: nothing can listen there.
        """
        with self._changing:
            if self._host is not None:
                self.restore()
                return self
            self._target = self._first
            host = begin(self._setting, self._isolation)
            try:
                self._trust = trust_in(host, self._setting)
            except BaseException:
                host.close()
                raise
            self._host = host
            atexit.register(self.close)
        return self

    def close(self) -> None:
        """End it, with its links, its port, and its thread or process. Nothing happens the second time."""
        if self._host is None:
            return
        if not self._host.owner.is_here:
            # What a fork has copied is still its parent's; so is who held the lock.
            self._host, self._trust, self._changing = None, None, threading.RLock()
        with self._changing:
            if self._host is None:
                return
            try:
                for tell in self._leaving:
                    tell()
            finally:
                host, self._host = self._host, None
                trust, self._trust = self._trust, None
                atexit.unregister(self.close)
                if trust is not None:
                    trust.close()
                host.close()

    def before_close(self, tell: Callable[[], object]) -> None:
        """Have this called whenever it is about to be closed, while it can still be asked."""
        self._leaving.append(tell)

    def __enter__(self) -> ChaosProxy:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def awaitable(self) -> AsyncChaosProxy:
        """The same proxy for coroutines of asyncio, trio and Twisted."""
        from txvaurien.embedded.awaiting import AsyncChaosProxy

        return AsyncChaosProxy(self)

    async def __aenter__(self) -> AsyncChaosProxy:
        return await self.awaitable().start()

    async def __aexit__(self, *_: object) -> None:
        await self.awaitable().close()

    @property
    def running(self) -> bool:
        """Whether it has been started, and not closed."""
        return self._host is not None

    @property
    def _running(self) -> Host:
        host = self._there
        host.owner.check()
        return host

    def carry(self, call: Call[Answer]) -> Answer:
        """Ask it what a call of `txvaurien.clients.vocabulary` asks."""
        return self._running.carry(call)

    # Faults.

    @property
    def commands(self) -> ProxyCommands:
        """All that `txvaurien.Client` can ask of a proxy: rules, toxics, actions, the scenario."""
        return self._running.commands

    def behavior(self, behavior: str | Behavior, *, position: int = 0, **fields: object) -> ChaosFault:
        """Do something to exchanges: ``behavior("error", kind="loading", verb="GET", times=2)``.

        The short form will do as well: ``behavior("error kind=loading verb=GET times=2")``. At the end of
        a ``with`` block it is removed, and what it held has been let go.

        :param behavior: its name; or one made by the test, which a process cannot be given.
        :param position: how many rules come before it; none, so that of nested blocks the inner one counts.
        :param fields: its options, and which exchanges it is for (`ProxyCommands.add_rule`).
        """
        since = self._last_record()
        if isinstance(behavior, str):
            name = self.commands.add_rule(behavior, position=position, **fields).name
        else:
            name = self._running.add(behavior, position, fields)
        return self._fault(name, since)

    def on_request(self, edit: Edit, **fields: object) -> ChaosFault:
        """Pass requests through a function, from bytes to bytes, in the proxy's thread.

        It is called frame by frame: for short messages that is once for each. Where it raises, the bytes
        go on as they are, and the end of the ``with`` block raises that.

        :param fields: which exchanges it is for: ``verb``, ``target``, ``times`` and so on.
        :raises VaurienError: the proxy is a process, which cannot be given a function.
        """
        return self._edit("request", edit, fields)

    def on_response(self, edit: Edit, **fields: object) -> ChaosFault:
        """As `on_request`, for what the backend answers."""
        return self._edit("response", edit, fields)

    def _edit(self, side: Side, edit: Edit, fields: Mapping[str, object]) -> ChaosFault:
        since = self._last_record()
        errors: list[Exception] = []

        def noted(data: bytes) -> bytes:
            try:
                return edit(data)
            except Exception as error:
                errors.append(error)
                raise

        return self._fault(self._running.edit(side, noted, fields), since, errors)

    def _fault(self, name: str, since: int, errors: Sequence[Exception] = ()) -> ChaosFault:
        return ChaosFault(self.commands, name, self.journal, since, self._last_record, errors)

    def toxic(self, type_: str, /, **fields: object) -> Toxic:
        """Do something to the bytes of links: ``toxic("latency", latency=200, stream="upstream")``.

        At the end of a ``with`` block it is removed, and what it held has been let go.
        """
        return self.commands.add_toxic(type_, **fields)

    def set_behavior(self, name: str, **options: object) -> None:
        """Do this to all exchanges from now on; or a mix, such as ``5:error,10:delay``."""
        self.commands.set_behavior(name, **options)

    @property
    def plan(self) -> Fields:
        """The mix, the rules, the toxics and the seed. What it gives out can be set."""
        return self.commands.plan()

    @plan.setter
    def plan(self, plan: Fields) -> None:
        self.commands.set_plan(plan)

    def reset(self) -> None:
        """Remove every fault: the mix, rules, toxics, actions (`kill`, `deaf` and so on) and the scenario."""
        self.commands.reset()

    # What is done to the listener, and to whole links.

    def kill(self, how: str = "rst") -> Standing:
        """Cut all links, with ``rst`` or ``fin``, and refuse new ones until `restore`."""
        return self._action("disable", how=how)

    def restore(self) -> None:
        """Take clients again, at the same port, after `kill` or `stop`."""
        stop_action(self.commands, "disable")

    def stop(self) -> Standing:
        """Be gone as a service that was shut down: links end with FIN, clients are refused until `start`."""
        return self.kill("fin")

    def pause(self) -> Standing:
        """Hold all bytes, both ways, on links to come as well; `resume` lets them go, and none is lost."""
        return pause(self.commands)

    def resume(self) -> None:
        """Undo `pause`: what was held goes on, in order."""
        resume(self.commands)

    def half_open(self) -> Standing:
        """Lose the backend, and do not tell the clients, as when a cable is cut; their links end with it."""
        return self._action("half_open")

    def deaf(self) -> Standing:
        """Leave SYNs unanswered: connecting takes as long as the client's patience. Linux only."""
        return self._action("deaf")

    def _action(self, name: str, **options: object) -> Standing:
        return start_action(self.commands, name, options)

    def disconnect_all(self, older_than: float = 0.0, how: str = "rst") -> int:
        """End all links that are at least so many seconds old, with ``rst`` or ``fin``; how many there were.

        New ones are let in; see `kill`.
        """
        if not older_than:
            return self.commands.kill(how=how)
        old = [link.number for link in self.links if link.age >= older_than]
        for number in old:
            unless_gone(partial(self.commands.kill, number, how))
        return len(old)

    def repoint(self, backend: str, *, cut: bool = False) -> Standing:
        """Send the links to come to another backend; at the end of a ``with`` block, to the one before.

        :param cut: end those that stand, with FIN.
        """
        before, target = self._target, parse_target(backend, protocol=self._setting.protocol)
        self._connect_to(target, cut)
        return Standing(lambda: unless_gone(lambda: self._connect_to(before, cut)))

    def _connect_to(self, target: Target, cut: bool) -> None:
        self.commands.set_backend(target.address, cut)
        self._target = target

    # What has passed.

    @property
    def links(self) -> list[LinkInfo]:
        """The links that stand now, the oldest first."""
        return [LinkInfo.of(each) for each in self.commands.links()]

    def wait_for_links(self, n: int = 0, timeout: float = 10.0) -> list[LinkInfo]:
        """The links, when there are exactly `n`: none, for a client that is to give its connections back.

        :raises LinksDiffer: a TimeoutError; there is another number of them after `timeout` seconds.
        """
        return wait_for_links(lambda: self.links, n, timeout)

    def saw(self, verb: str = "", target: str = "") -> int:
        """How many requests of this kind have come since it was started; 0 for none, as with a bool.

        :param verb: ``SET``, in any case; empty for all.
        :param target: a glob over what was asked for, such as ``user:*``, as the journal shows it.
        :raises VaurienError: none is known of, and more kinds of requests came than are remembered.
        """
        return self.carry(count_passed(verb, target))

    @property
    def events(self) -> list[Fields]:
        """The records of the journal, the oldest first, as far as they are kept; see `journal`."""
        return self.journal()

    def journal(self, since: int = 0, **filters: object) -> list[Fields]:
        """The records after number `since`: ``journal(event="fired")``, ``journal(last=20)``.

        :param filters: ``event``, ``link``, and ``last`` or ``limit``.
        """
        kept = {} if {"last", "limit"} & set(filters) else {"limit": 10_000}
        return self.carry(get_journal(since, {**kept, **filters}))

    def _last_record(self) -> int:
        return next((int(record["n"]) for record in self.journal(last=1)), 0)
