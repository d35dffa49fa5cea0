"""Reading the file of the start again, and changing what differs, while the process runs.

What is compared is what the file said before and what it says now. So a proxy of which it says the same is
not touched, whatever has been set live; one that was added live, and is not in the file, stays as well.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from txvaurien.errors import ConfigError, ListenError
from txvaurien.process.proxies import NoProxy
from txvaurien.settings.differences import Change, Differences, differences, going_on
from txvaurien.settings.flags import Common, OfProxy, normal

if TYPE_CHECKING:
    from txvaurien.config import Settings
    from txvaurien.plugins import Registry
    from txvaurien.process.member import Member
    from txvaurien.process.proxies import Proxies
    from txvaurien.settings.described import Described

#: What is said of a process, and holds until it ends. (A proxy that is to be or not to be is no such thing.)
_OF_PROCESS = frozenset(Common.__struct_fields__) - frozenset(OfProxy.__struct_fields__) - {"no_proxy"}


class Reloader:
    """Reads settings again. What is asked for meanwhile is done once more after that.

    :param settings: those of the start; they come from a file.
    :param welcome: is told of each proxy that is new.
    """

    log = Logger()

    def __init__(self, settings: Settings, proxies: Proxies, welcome: Callable[[Member], None]) -> None:
        self._start = settings
        self._proxies = proxies
        self._welcome = welcome
        #: What the file said, as far as it has come true.
        self._known: dict[str, Described] = {each.name: each for each in settings.described}
        self._running: Deferred[Any] | None = None
        self._again = False

    def begin(self) -> None:
        """Read it again, now or when that is done which is under way."""
        self._again = True
        if self._running is None:
            self._running = running = ensureDeferred(self._run())
            running.addErrback(self._failed).addBoth(self._done)

    def stop(self) -> None:
        """Begin nothing more; what has begun of a single proxy is completed."""
        if self._running is not None:
            self._running.cancel()

    async def _run(self) -> None:
        while self._again:
            self._again = False
            await self.reload()

    def _failed(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self.log.failure("the settings cannot be read again", failure)

    def _done(self, _: object) -> None:
        self._running = None

    async def reload(self) -> None:
        """Read it again; returns when all has taken effect. Where something is wrong, nothing changes."""
        path = "" if self._start.source is None else self._start.source.path
        try:
            settings = self._start.read_again()
            found = differences(self._known, settings.described)
            await self._look_up(found)
        except ConfigError as error:
            self.log.error("{why}; {path} has been read again, and nothing was changed", why=error, path=path)
            return
        for text in _warnings(self._start, settings):
            self.log.warn("{text}", text=text)
        self._adopt(settings)
        failed = await self._follow(found, settings)
        self.log.info("{path} has been read again: {what}", path=path, what=found.told(failed))

    async def _look_up(self, found: Differences) -> None:
        """:raises ConfigError: the host of a backend that is new does not exist."""
        new = [*found.added, *(each.after for each in found.changed if "backend" in each.parts)]
        for described in new:
            definition = described.definition
            await definition.backend.look_up(
                self._proxies.reactor, definition.places.get("backend", "--backend")
            )

    def _adopt(self, settings: Settings) -> None:
        """Know what can be named now, and what the options of behaviors are that nobody says."""
        _take_over(settings.registry, self._proxies.registry)
        if settings.behavior_defaults != self._proxies.defaults:
            self._proxies.use_defaults(settings.behavior_defaults)

    async def _follow(self, found: Differences, settings: Settings) -> list[str]:
        """Ports are given up before others take them.

        :return: the names of those that are not as they should be now.
        """
        crossing = {each.after.name for each in found.crossing}
        made = [*found.added, *(each.after for each in found.changed if each.after.name in crossing)]
        for name in (*found.gone, *(each.name for each in made)):
            self._known.pop(name, None)
            # Somebody may have removed it live.
            with suppress(NoProxy):
                await self._proxies.remove(name)
        changed = [
            each.after.name
            for each in found.changed
            if each.after.name not in crossing and not await self._try(each.after, self._change(each))
        ]
        return changed + [each.name for each in made if not await self._try(each, self._add(each, settings))]

    async def _try(self, described: Described, work: Awaitable[object]) -> bool:
        """Whether it is done. The log says what cannot be; it is tried again when the file is read again."""
        try:
            await work
        except (ConfigError, ListenError) as error:
            where, name = described.where, described.name
            self.log.error(
                "{where}: {name!r} is not as it should be: {why}", where=where, name=name, why=error
            )
            return False
        self._known[described.name] = described
        return True

    async def _add(self, described: Described, settings: Settings) -> None:
        self._proxies.reach.trust(described.definition.backend)
        member = await self._proxies.add(described.definition)
        if settings.has_main and described.name == settings.name:
            self._proxies.mean(described.name)
        self._welcome(member)
        await self._play(member, described)

    async def _play(self, member: Member, described: Described) -> None:
        if described.scenario is not None:
            await member.playing.play(described.scenario)

    async def _change(self, change: Change) -> None:
        definition, name = change.after.definition, change.after.name
        self._proxies.reach.trust(definition.backend)
        if name not in self._proxies:
            # Somebody has removed it, and it is wanted otherwise now.
            self._welcome(await self._proxies.add(definition))
        elif change.replaces:
            self._welcome(await self._proxies.replace(definition))
        else:
            await self._set(change)
            return
        await self._play(self._proxies.get(name), change.after)

    async def _set(self, change: Change) -> None:
        definition, parts = change.after.definition, change.parts
        member = self._proxies.get(change.after.name)
        if "scenario" in parts:
            await member.playing.stop()
        if "plan" in parts:
            player = member.playing.player
            steps = [] if player is None else [step.name for step in player.scenario.steps]
            member.proxy.set_plan(going_on(definition.plan, member.proxy.plan, steps))
        await self._proxies.change(
            definition.name,
            listen=definition.listen if "listen" in parts else None,
            backend=definition.backend if "backend" in parts else None,
            enabled=definition.enabled if "enabled" in parts else None,
        )
        if "scenario" in parts:
            await self._play(member, change.after)


def _warnings(start: Settings, now: Settings) -> Iterator[str]:
    """What the log should say: what the settings themselves warn of, and what differs to no avail."""
    yield from now.warnings
    before, after = start.common, now.common
    names = [name for name in Common.__struct_fields__ if name in _OF_PROCESS]
    differing = [name for name in names if getattr(before, name) != getattr(after, name)]
    if start.access != now.access and not any(name.startswith("http") for name in differing):
        differing.append("http_token" if after.http_token_file is None else "http_token_file")
    for name in map(normal, differing):
        place = now.places.get(name, f"--{name}")
        yield f"{place}: this holds until the process ends; restart it for another value"


def _take_over(new: Registry, known: Registry) -> None:
    """Make known the classes that the file names by now; those of before stay."""
    for group in ("protocols", "behaviors", "toxics"):
        for name in set(new.names(group)) - set(known.names(group)):
            getattr(known, group)[name] = getattr(new, group)[name]
