"""The proxies of a process: each under its name; made, changed and removed while it runs."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredLock, ensureDeferred
from twisted.logger import Logger

from txvaurien.errors import ConfigError
from txvaurien.net.addresses import Backend, Listen
from txvaurien.net.allowed import Pattern
from txvaurien.net.reach import Reach
from txvaurien.options import unknown
from txvaurien.planning.faults import FaultReader
from txvaurien.plugins import Registry
from txvaurien.process.definition import Definition
from txvaurien.process.member import Member, Watcher
from txvaurien.proxy import Proxy
from txvaurien.scenarios.playing import Playing
from txvaurien.tls.keeper import AuthorityKeeper

T = TypeVar("T")


class ProxyExists(ConfigError):
    """There is a proxy of this name already."""


class NoProxy(ConfigError):
    """There is no proxy of this name, or none that can be meant."""


class Proxies(Service):
    """All proxies of a process.

    What is asked for while something else is under way waits for its turn. Whoever asked may go away:
    what has begun is completed.

    :param registry: what can be named.
    :param defaults: what was set for behaviors at start, by attribute name.
    :param watchers: are told of every proxy.
    :param log_level: what worker processes log at least.
    :param allow_backend: where backends may be that are set later; empty for anywhere.
    :ivar reach: what these proxies may connect to.
    :ivar keeper: has the authority whose certificates they show with ``--tls auto``.
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
        allow_backend: Sequence[Pattern] = (),
        keeper: AuthorityKeeper | None = None,
    ) -> None:
        self.reactor = reactor
        self.keeper = AuthorityKeeper() if keeper is None else keeper
        self.registry = registry
        self.defaults = defaults or {}
        self._watchers = list(watchers)
        self._log_level = log_level
        self._members: dict[str, Member] = {}
        #: The one that the process was started for, if it was started for one.
        self._main = ""
        self._turn = DeferredLock()
        self.reach = Reach(allow_backend, lambda: [member.proxy for member in self])
        #: It was stopped, and has not been started again.
        self._over = False

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

    def mean(self, name: str) -> None:
        """This proxy is the one that is meant where none is named."""
        self._main = name

    def use_defaults(self, defaults: Mapping[str, Mapping[str, object]]) -> None:
        """Let this hold for behaviors of which nothing else is said, from now on."""
        self.defaults = defaults
        for member in self:
            member.reader = replace(member.reader, defaults=defaults)

    @classmethod
    def of(cls, proxy: Proxy, registry: Registry | None = None, **options: Any) -> Proxies:
        """A proxy that somebody else has made, and listens for; others can be added.

        :param registry: what can be named; by default all that is installed.
        :param options: what else this class takes; the authority is that of the proxy by default.
        """
        proxies = cls(proxy.reactor, registry or Registry.load(), **{"keeper": proxy.keeper, **options})
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
        self.reach.trust(proxy.backend)
        proxy.restrict(self.reach)
        member = Member(proxy, self._reader_of(proxy), playing=playing)
        for watcher in self._watchers:
            watcher.attach(proxy)
        self._members[proxy.name] = member
        self._main = proxy.name
        return member

    def put(self, definition: Definition, *, main: bool = False) -> Member:
        """One more proxy; it listens as soon as this service starts, if it is to be enabled.

        Its backend is allowed, wherever it is: this is for whoever starts the process.

        :param main: whether it is the one that is meant where none is named.
        :raises ProxyExists: there is one of this name.
        :raises ConfigError: what is defined does not fit together.
        """
        self._check_new(definition.name)
        self.reach.trust(definition.backend)
        self._members[definition.name] = member = self._make(definition)
        if self.running:
            self._watch(member)
        if main:
            self._main = definition.name
        return member

    def _make(self, definition: Definition) -> Member:
        self.reach.check(definition.backend, definition.places.get("backend", "backend"))
        proxy = definition.make(self.reactor, self.registry, self._log_level, self.keeper)
        proxy.restrict(self.reach)
        return Member(proxy, self._reader_of(proxy), definition)

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

    def _in_turn(self, work: Callable[[], Coroutine[Any, Any, T]]) -> Deferred[T]:
        # Not the Deferred of the work itself: to cancel what this gives is to stop waiting for it.
        done: Deferred[T] = Deferred()
        self._turn.run(lambda: Deferred.fromCoroutine(work())).addCallbacks(done.callback, done.errback)
        return done

    async def add(self, definition: Definition) -> Member:
        """One more proxy, with its faults; it listens, if it is to be enabled, when this returns.

        :raises ProxyExists: there is one of this name.
        :raises ListenError: nothing can listen there; there is no such proxy then.
        """
        return await self._in_turn(partial(self._add, definition))

    async def _add(self, definition: Definition) -> Member:
        self._check_new(definition.name)
        return await self._begin(self._make(definition))

    async def _begin(self, member: Member) -> Member:
        if self._over:
            raise ConfigError("", "the proxies are being stopped", "start the process again")
        self._members[member.name] = member
        try:
            if member.definition is not None and member.definition.enabled:
                member.start()
            # Not before: of what cannot listen nobody is told.
            self._watch(member)
            await member.proxy.settled()
        except BaseException:
            del self._members[member.name]
            try:
                await member.stop()
            finally:
                self._forget(member)
            raise
        member.tell_created()
        self._tell_others()
        return member

    def _tell_others(self) -> None:
        for member in self:
            member.proxy.others_changed()

    async def remove(self, name: str) -> None:
        """Away with a proxy: its port is free and its links have ended when this returns.

        :raises NoProxy: there is none of this name.
        :raises ConfigError: somebody else has made it.
        """
        await self._in_turn(partial(self._remove, name))

    async def _remove(self, name: str) -> None:
        member = self.get(name)
        member.check_own()
        await self._end(member)

    async def _end(self, member: Member) -> None:
        # First, so that nothing is begun on it that nobody would end.
        del self._members[member.name]
        try:
            await member.stop()
        finally:
            member.proxy.event("removed", None)
            self.log.info("{name}: removed", name=member.name)
            self._forget(member)

    def _forget(self, member: Member) -> None:
        for activation in member.proxy.active.activations():
            activation.release()
        self._unwatch(member)

    async def change(
        self,
        name: str,
        *,
        listen: Listen | None = None,
        backend: Backend | None = None,
        enabled: bool | None = None,
    ) -> Member:
        """Change where a proxy listens and connects to, and whether it takes clients.

        What is as it was before is left alone; where an address changes, the links are cut. Returns
        when it has taken effect.

        :raises NoProxy: there is none of this name.
        :raises ListenError: nothing can listen there; the proxy is as it was.
        :raises ConfigError: it cannot be changed so; the proxy is as it was.
        """
        return await self._in_turn(partial(self._change, name, listen, backend, enabled))

    async def _change(
        self, name: str, listen: Listen | None, backend: Backend | None, enabled: bool | None
    ) -> Member:
        member = self.get(name)
        if listen is not None and not member.listens_at(listen):
            await member.move(listen, backend, enabled)
        else:
            await member.adjust(backend, enabled)
        self._tell_others()
        await member.proxy.settled()
        return member

    async def set_backend(self, name: str, backend: Backend, *, cut: bool) -> None:
        """Connect new links of a proxy elsewhere; with `cut`, end those that stand.

        :raises NoProxy: there is none of this name.
        :raises ConfigError: it cannot connect there; the proxy is as it was.
        """
        await self._in_turn(partial(self._set_backend, name, backend, cut))

    async def _set_backend(self, name: str, backend: Backend, cut: bool) -> None:
        member = self.get(name)
        member.proxy.set_backend(backend, cut=cut)
        self._tell_others()
        await member.proxy.settled()

    async def replace(
        self, definition: Definition, *, unless: Callable[[Member], bool] | None = None
    ) -> Member:
        """Put a proxy in place of the one of the same name, if there is one.

        :param unless: says whether that one will do; then it stays, and is what this returns.
        :raises ListenError: nothing can listen there; the old one is there again, without its links.
        :raises ConfigError: what is defined does not fit together; nothing has changed.
        """
        return await self._in_turn(partial(self._replace, definition, unless))

    async def _replace(self, definition: Definition, unless: Callable[[Member], bool] | None) -> Member:
        old = self._members.get(definition.name)
        if old is None:
            return await self._add(definition)
        if unless is not None and unless(old):
            return old
        before, member = old.as_it_is(), self._make(definition)
        order = list(self._members)
        await self._end(old)
        try:
            return await self._begin(member)
        except Exception:
            await self._put_back(before)
            raise
        finally:
            self._members = {name: self._members[name] for name in order if name in self._members}

    async def _put_back(self, definition: Definition) -> None:
        try:
            await self._add(definition)
        except Exception:
            self.log.failure("{name}: it cannot be put back", name=definition.name)

    async def reset(self) -> None:
        """The panic stop: every fault of every proxy is gone, and all are enabled, when this returns.

        :raises ListenError: one of them cannot listen; all else has been done.
        """
        # Faults go at once, whatever is under way.
        panics = [Deferred.fromCoroutine(member.playing.panic()) for member in self]
        await self._in_turn(partial(self._reset, panics))

    async def _reset(self, panics: Sequence[Deferred[None]]) -> None:
        errors: list[Exception] = []
        for waiting in (*panics, *(Deferred.fromCoroutine(member.enable()) for member in self)):
            try:
                await waiting
            except Exception as error:
                if errors:
                    self.log.failure("this, too, has gone wrong at the reset: {why}", why=error)
                errors.append(error)
        if errors:
            raise errors[0]

    def startService(self) -> None:
        """Listen for every proxy that is to be enabled.

        :raises ListenError: one cannot; those before it listen.
        """
        Service.startService(self)
        self._over = False
        for member in self:
            self._watch(member)
            if member.definition is not None and member.definition.enabled:
                member.start()

    def stopService(self) -> Deferred[None]:
        """End everything; fires when that is done, which takes a bounded time."""
        Service.stopService(self)
        self._over = True
        return self._in_turn(self._stop)

    async def _stop(self) -> None:
        stopping = [ensureDeferred(member.stop()) for member in self]
        for each in stopping:
            await each
        for member in self:
            self._unwatch(member)
