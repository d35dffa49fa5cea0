"""A proxy in a process of its own, which is asked over HTTP."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

from txvaurien.clients import proxycalls
from txvaurien.clients.blocking import Client
from txvaurien.clients.blockingproxy import ProxyCommands
from txvaurien.clients.processes import ProxyProcess
from txvaurien.clients.vocabulary import RESET, Call, VaurienError
from txvaurien.embedded.host import Gone, Owner
from txvaurien.embedded.witness import PASSED, begin_noting
from txvaurien.errors import ListenError

if TYPE_CHECKING:
    from txvaurien.behaviors.base import Behavior
    from txvaurien.embedded.host import Edit, Side
    from txvaurien.embedded.setting import Setting

Answer = TypeVar("Answer")

_LOOPBACK = "127.0.0.1"
#: At the root they are not, or are about all that the process has.
_BELOW = frozenset({PASSED, RESET})
_CANNOT_LISTEN = "cannot listen on "


class _Control(Client):
    """The control server of a process with one proxy.

    :param name: what that is called.
    """

    def __init__(self, port: int, name: str) -> None:
        super().__init__(_LOOPBACK, port)
        self._name = name

    def carry(self, call: Call[Answer]) -> Answer:
        """Ask the proxy: it is the main one, so what concerns only one has short paths, all but these."""
        own = call.path.partition("?")[0] in _BELOW
        return self._carry(proxycalls.below(self._name, call) if own else call)


class ProcessHost(ProxyCommands):
    """A process, and the client of its control server.

    :raises ConfigError: the backend's name is unknown.
    :raises ListenError: nothing can listen there.
    :raises VaurienError: it does not start.
    """

    def __init__(self, setting: Setting) -> None:
        setting.definition.backend.resolve("backend")
        self.owner = Owner()
        self._closed = False
        self._process = _start(setting)
        try:
            self._control = _Control(self._process.ports[1], setting.name)
            self.listen = str(self._control.proxy(setting.name).describe()["listen"])
            self.carry(begin_noting())
        except BaseException:
            self._process.stop()
            raise

    @property
    def commands(self) -> ProxyCommands:
        """What can be asked of it."""
        return self

    def carry(self, call: Call[Answer]) -> Answer:
        """Ask it something."""
        self.owner.check()
        if self._closed:
            raise Gone("the proxy has been closed")
        try:
            return self._control.carry(call)
        except VaurienError as error:
            status = self._process.status
            if status is None:
                raise
            raise VaurienError(f"the proxy's process has ended by itself (exit status {status})") from error

    _carry = carry

    def edit(self, side: Side, edit: Edit, fields: Mapping[str, object]) -> str:
        """A process has no part in functions.

        :raises VaurienError: always.
        """
        raise _refused(f"on_{side}() needs the function in the proxy's process")

    def add(self, behavior: Behavior, position: int, fields: Mapping[str, object]) -> str:
        """As `edit`; a behavior of an installed plug-in can be named.

        :raises VaurienError: always.
        """
        raise _refused(f"{type(behavior).__name__} was made in this process")

    def close(self) -> None:
        """End the process."""
        self._closed = True
        self._process.stop()


def _refused(why: str) -> VaurienError:
    return VaurienError(f'{why}; use isolation="thread"')


def _start(setting: Setting) -> ProxyProcess:
    """A process that is ready; its settings are in a file, which is gone by then."""
    handle, path = tempfile.mkstemp(prefix="txvaurien-", suffix=".json")
    try:
        with open(handle, "w", encoding="utf-8") as stream:
            json.dump([dict(setting.fields)], stream)
        command = [sys.executable, "-m", "txvaurien.embedded.bound", "--config", path, "--log-level", "error"]
        command += ["--http", "--http-host", _LOOPBACK, "--http-port", "0"]
        process = ProxyProcess(command, bound=True)
        process.wait_until_ready()
    except VaurienError as error:
        raise _why(error) from error
    finally:
        os.unlink(path)
    return process


def _why(error: VaurienError) -> Exception:
    _, found, where = str(error).partition(_CANNOT_LISTEN)
    return ListenError(f"{_CANNOT_LISTEN}{where}") if found else error
