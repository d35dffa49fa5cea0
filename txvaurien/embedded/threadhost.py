"""A proxy in a thread of this process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

from txvaurien.clients.blockingproxy import ProxyCommands
from txvaurien.clients.vocabulary import VaurienError
from txvaurien.embedded.desk import Desk
from txvaurien.embedded.edits import Edited
from txvaurien.embedded.thread import LIMIT, ReactorThread
from txvaurien.errors import ConfigError
from txvaurien.journal import Journal
from txvaurien.journals.passed import note_passed
from txvaurien.process.proxies import Proxies

if TYPE_CHECKING:
    from txvaurien.behaviors.base import Behavior
    from txvaurien.clients.vocabulary import Call
    from txvaurien.embedded.host import Edit, Side
    from txvaurien.embedded.setting import Setting
    from txvaurien.proxy import Proxy

Answer = TypeVar("Answer")

#: How long the end of the proxy, and that of the thread, may take, in seconds.
CLOSE_LIMIT = 10.0


class ThreadHost(ProxyCommands):
    """A proxy, a reactor and a thread that are there for each other.

    :raises ConfigError: the backend's name is unknown, or it is the proxy itself.
    :raises ListenError: nothing can listen there.
    """

    def __init__(self, setting: Setting) -> None:
        setting.definition.backend.resolve("backend")
        self._thread = ReactorThread(setting.name)
        self.owner = self._thread.owner
        try:
            self._desk = self._thread.call(lambda: self._begin(setting))
        except ConfigError as error:
            self._thread.stop()
            raise error.at("backend" if error.where == "upstream" else error.where) from error
        except BaseException:
            self._thread.stop()
            raise
        self.listen = self._desk.member.listen

    async def _begin(self, setting: Setting) -> Desk:
        reactor = self._thread.reactor
        journal = Journal(reactor)
        proxies = Proxies(reactor, setting.registry, watchers=[journal, _Witness()])
        proxies.startService()
        return Desk(proxies, await proxies.add(setting.definition), journal)

    @property
    def commands(self) -> ProxyCommands:
        """What can be asked of it."""
        return self

    def carry(self, call: Call[Answer]) -> Answer:
        """Ask it something."""
        return self._thread.call(lambda: self._desk.answer(call), LIMIT + call.patience)

    _carry = carry

    def edit(self, side: Side, edit: Edit, fields: Mapping[str, object]) -> str:
        """Pass messages of one side through a function; the name of the rule."""
        return self.add(Edited(edit=edit, side=side), 0, fields)

    def add(self, behavior: Behavior, position: int, fields: Mapping[str, object]) -> str:
        """One more rule, of a behavior that the caller has made; its name."""
        try:
            return self._thread.call(lambda: self._desk.add(behavior, position, fields))
        except ConfigError as error:
            raise VaurienError(str(error), 400) from error

    def close(self) -> None:
        """End the proxy, then the thread."""
        try:
            self._thread.call(self._desk.close, CLOSE_LIMIT)
        finally:
            self._thread.stop(CLOSE_LIMIT)


class _Witness:
    """Has it noted which requests come, from the first one on."""

    def attach(self, proxy: Proxy, listen: str = "") -> None:
        """There is this proxy; it does not listen yet."""
        note_passed(proxy)

    def detach(self, proxy: Proxy) -> None:
        """It is gone."""
