"""Why nothing listens somewhere, in words that say what to do."""

from __future__ import annotations

import errno
import os
import socket

from twisted.internet.error import CannotListenError
from twisted.python.failure import Failure

from txvaurien.errors import ListenError
from txvaurien.net.peers import host_port

_FOR_PORTS = {
    errno.EADDRINUSE: "the port is in use; stop the other process or choose another with {port}",
    errno.EACCES: "permission denied; choose a port above 1023 with {port}",
    errno.EADDRNOTAVAIL: (
        "this machine has no such address; choose one that it has, or 0.0.0.0 or [::] for all, with {host}"
    ),
    errno.EAFNOSUPPORT: (
        "this machine has no addresses of this kind (is IPv6 switched off?); choose another with {host}"
    ),
}

_FOR_PATHS = {
    errno.EADDRINUSE: (
        "there is a file of that name; remove it if no process listens there, or choose another with {host}"
    ),
    errno.EACCES: "permission denied; choose a directory that you may write to with {host}",
    errno.ENOENT: "there is no such directory; make it or choose another with {host}",
    errno.ENOTDIR: "a part of the path is no directory; choose another with {host}",
}

_FOR_ALL = {
    errno.EMFILE: "too many open files; raise the limit of this process (ulimit -n)",
    errno.ENFILE: "too many open files on this machine; raise the limit (fs.file-max)",
}


def cannot_listen(where: str, failure: Failure, option: str, host_option: str | None = None) -> ListenError:
    """Why nothing listens at `where`, and what to do.

    :param option: the flag that chooses the port.
    :param host_option: the one that chooses the host, if that is another.
    """
    error: BaseException | str | None = failure.value
    path = False
    if isinstance(error, CannotListenError):
        path = isinstance(error.port, bytes)
        # A Unix socket has its path for a port, which is what the user wrote.
        if isinstance(error.port, int) and error.port:
            host = error.interface or "0.0.0.0"
            where = host_port(host, error.port)
        error = error.socketError
    why = _why(error, path).format(port=option, host=host_option or option)
    return ListenError(f"cannot listen on {where}: {why}")


def _why(error: object, path: bool) -> str:
    number = getattr(error, "errno", None)
    if isinstance(error, socket.gaierror):
        # The resolver has numbers of its own.
        said = _plain(error.strerror or str(error))
        return f"the host name cannot be resolved ({said}); choose a numeric address with {{host}}"
    known = {**_FOR_ALL, **(_FOR_PATHS if path else _FOR_PORTS)}
    if number in known:
        return known[number]
    said = os.strerror(number).lower() if number is not None and number > 0 else str(error)
    return f"{_plain(said)}; choose another address with {{host}}"


def _plain(text: str) -> str:
    return text.rstrip(".").replace("{", "{{").replace("}", "}}")
