"""The proxies of a process: each under its name; made, changed and removed while it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredLock, ensureDeferred
from twisted.logger import Logger

from txvaurien.addresses import Backend, Listen
from txvaurien.definition import Definition
from txvaurien.errors import ConfigError
from txvaurien.faults import FaultReader
from txvaurien.member import Member
from txvaurien.options import unknown
from txvaurien.playing import Playing
from txvaurien.plugins import Registry
from txvaurien.proxy import Proxy


class Watcher(Protocol):
    """What is told of every proxy that there is: the journal, the metrics."""

    def attach(self, proxy: Proxy, listen: str = "") -> None:
        """There is this proxy; it does not listen yet."""

    def detach(self, proxy: Proxy) -> None:
        """It is gone."""


class ProxyExists(ConfigError):
    """There is a proxy of this name already."""


class NoProxy(ConfigError):
    """There is no proxy of this name, or none that can be meant."""


class Proxies(Service):
    """All proxies of a process. What is asked for while something else is under way waits for its turn.

    :param registry: what can be named.
    :param defaults: what was set for behaviors at start, by attribute name.
    :param watchers: are told of every proxy.
    :param log_level: what worker processes log at least.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        registry: Registry,
        defaults: Mapping[str, Mapping[str, object]] | None = None,
        watchers: Sequence[Watcher] = (),
        *,
        log_level: str = "info",
    ) -> None:
        self.reactor = reactor
        self.registry = registry
        self.defaults = defaults or {}
        self._watchers = list(watchers)
        self._log_level = log_level
        self._members: dict[str, Member] = {}
        #: The one that the process was started for, if it was started for one.
        self._main = ""
        self._turn = DeferredLock()

    def __iter__(self) -> Iterator[Member]:
        return iter(list(self._members.values()))

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def get(self, name: str) -> Member:
        """The proxy of this name.

        :raises NoProxy: there is none.
        """
        if name not in self._members:
            why = unknown("proxy", name, self._members, where="name")
            raise NoProxy(why.where, why.what, why.allowed)
        return self._members[name]

    @property
    def main(self) -> Member:
        """The one that is meant where none is named: that of the start, or the only one.

        :raises NoProxy: there is none, or several.
        """
        if self._main in self._members:
            return self._members[self._main]
        if len(self._members) == 1:
            return next(iter(self._members.values()))
        if not self._members:
            raise NoProxy("", "there is no proxy", "POST one to /proxies")
        names = ", ".join(sorted(self._members))
        raise NoProxy("", f"there are several proxies: {names}", "ask for /proxies/NAME/... of one of them")

    @classmethod
    def of(cls, proxy: Proxy, registry: Registry | None = None, **options: Any) -> Proxies:
        """A proxy that somebody else has made, and listens for; others can be added.

        :param registry: what can be named; by default all that is installed.
        :param options: what else this class takes.
        """
        proxies = cls(proxy.reactor, registry or Registry.load(), **options)
        proxies.adopt(proxy)
        return proxies

    def watch_with(self, watcher: Watcher) -> None:
        """Tell this watcher, too, of every proxy that there is."""
        self._watchers.append(watcher)
        for member in self:
            if member.watched or member.definition is None:
                watcher.attach(member.proxy, member.listen)

    def adopt(self, proxy: Proxy, playing: Playing | None = None) -> Member:
        """Take in a proxy that somebody else has made, and listens for; it is the main one."""
        member = Member(proxy, self._reader_of(proxy), playing=playing)
        for watcher in self._watchers:
            watcher.attach(proxy)
        self._members[proxy.name] = member
        self._main = proxy.name
        return member

    def put(self, definition: Definition, *, main: bool = False) -> Member:
        """One more proxy; it listens as soon as this service starts, if it is to be enabled.

        :param main: whether it is the one that is meant where none is named.
        :raises ProxyExists: there is one of this name.
        :raises ConfigError: what is defined does not fit together.
        """
        self._check_new(definition.name)
        proxy = definition.make(self.reactor, self.registry, self._log_level)
        member = Member(proxy, self._reader_of(proxy), definition)
        self._members[definition.name] = member
        if self.running:
            self._watch(member)
        if main:
            self._main = definition.name
        return member

    def _watch(self, member: Member) -> None:
        if member.definition is not None and not member.watched:
            member.watched = True
            for watcher in self._watchers:
                watcher.attach(member.proxy, member.definition.listen.text)

    def _unwatch(self, member: Member) -> None:
        if member.watched:
            member.watched = False
            for watcher in self._watchers:
                watcher.detach(member.proxy)

    def _check_new(self, name: str) -> None:
        if name in self._members:
            what = f"there is a proxy {name!r} already"
            raise ProxyExists("name", what, "DELETE it first, or choose another name")

    def _reader_of(self, proxy: Proxy) -> FaultReader:
        return FaultReader(self.registry, proxy.protocol, self.defaults)

    async def add(self, definition: Definition) -> Member:
        """One more proxy, with its faults; it listens, if it is to be enabled, when this returns.

        :raises ProxyExists: there is one of this name.
        :raises ListenError: nothing can listen there; there is no such proxy then.
        """
        async with self._turn:
            return await self._add(definition)

    async def _add(self, definition: Definition) -> Member:
        member = self.put(definition)
        try:
            if definition.enabled:
                member.start()
            await member.proxy.settled()
        except BaseException:
            await self._forget(member)
            raise
        member.proxy.event(
            "created",
            None,
            listen=member.listen,
            backend=definition.backend.text,
            protocol=definition.protocol.name,
            enabled=member.enabled,
        )
        return member

    async def remove(self, name: str) -> None:
        """Away with a proxy: its port is free and its links have ended when this returns.

        :raises NoProxy: there is none of this name.
        """
        async with self._turn:
            member = self.get(name)
            await self._forget(member)

    async def _forget(self, member: Member) -> None:
        await member.stop()
        member.proxy.event("removed", None)
        self._unwatch(member)
        self._members.pop(member.name, None)

    async def change(
        self,
        name: str,
        *,
        listen: Listen | None = None,
        backend: Backend | None = None,
        enabled: bool | None = None,
    ) -> Member:
        """Change where a proxy listens and connects to, and whether it takes clients.

        Where an address changes, the links are cut. Returns when it has taken effect.

        :raises NoProxy: there is none of this name.
        :raises ListenError: nothing can listen there; the proxy listens where it did.
        """
        async with self._turn:
            member = self.get(name)
            if listen is not None:
                await member.listen_at(listen)
            if backend is not None:
                member.proxy.set_backend(backend, cut=True)
            if enabled is not None:
                await (member.enable() if enabled else member.disable())
            await member.proxy.settled()
            return member

    async def replace(self, definition: Definition) -> Member:
        """Put a proxy in place of the one of the same name, if there is one.

        :raises ListenError: nothing can listen there; the old one is gone.
        """
        async with self._turn:
            if definition.name in self._members:
                await self._forget(self._members[definition.name])
            return await self._add(definition)

    async def reset(self) -> None:
        """The panic stop: every fault of every proxy is gone, and all are enabled, when this returns.

        :raises ListenError: one of them cannot listen; all else has been done.
        """
        errors: list[Exception] = []
        for member in self:
            try:
                await member.playing.panic()
                await member.enable()
            except Exception as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def startService(self) -> None:
        """Listen for every proxy that is to be enabled.

        :raises ListenError: one cannot; those before it listen.
        """
        Service.startService(self)
        for member in self:
            self._watch(member)
            if member.definition is not None and member.definition.enabled:
                member.start()

    def stopService(self) -> Deferred[None]:
        """End everything; fires when that is done, which takes a bounded time."""
        Service.stopService(self)
        return ensureDeferred(self._stop())

    async def _stop(self) -> None:
        stopping = [ensureDeferred(member.stop()) for member in self]
        for each in stopping:
            await each
        for member in self:
            self._unwatch(member)
