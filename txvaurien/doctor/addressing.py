"""Whether something can listen where it is to listen. Nothing is opened for clients."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from twisted.internet.abstract import isIPv6Address
from twisted.internet.error import CannotListenError
from twisted.python.failure import Failure

from txvaurien.doctor.findings import Finding, Level
from txvaurien.doctor.kernel import Kernel
from txvaurien.net.addresses import Listen
from txvaurien.net.endpoints import LOOPBACK, Description, numeric
from txvaurien.net.itself import is_ours
from txvaurien.net.listening import cannot_listen

_RANGE_FILE = "net.ipv4.ip_local_reserved_ports"

#: Endpoints that need nothing but a port.
_PORTS = frozenset({"tcp", "tcp6", "ssl", "tls"})


@dataclass(frozen=True)
class Binding:
    """A numeric address or a name of this machine, and a port, where a socket is to be bound."""

    host: str
    port: int


def bindings_of(listen: Listen) -> Sequence[Binding]:
    """Where sockets would be bound; empty for what is no TCP port (a Unix socket)."""
    if listen.host:
        return (Binding(listen.host, listen.port),)
    described = described_in(listen.text)
    host = described.named.get("interface", "") or ("::" if described.kind == "tcp6" else "0.0.0.0")
    return [Binding(host, port) for port in described.ports]


def path_of(text: str) -> str:
    """The path of a ``unix:`` endpoint, whichever end; ``""`` for any other."""
    described = described_in(text)
    if described.kind != "unix":
        return ""
    named = described.named.get("address", described.named.get("path", ""))
    return named or next(iter(described.positional), "")


def described_in(text: str) -> Description:
    """An endpoint string taken apart; of one that wraps another, that other."""
    described = Description.of(text)
    return Description.of(text.partition(":")[2]) if described.kind == "haproxy" else described


def examine_listen(
    listen: Listen, option: str, kernel: Kernel, host_option: str | None = None
) -> Iterator[Finding]:
    """Where it would listen, and what is in its way.

    :param option: the place that chooses the port, for advice.
    :param host_option: the one that chooses the host, if that is another.
    """
    bindings, path = bindings_of(listen), path_of(listen.text) if not listen.host else ""
    if not bindings and not path:
        yield Finding(Level.NOTE, "listen", f"{listen.text}: this kind of endpoint is not tried here")
        return
    error = _unusable_path(path) if path else next(filter(None, map(_unusable, bindings)), None)
    if error is None:
        yield Finding(Level.OK, "listen", f"it can listen on {_shown(listen, bindings)}")
    else:
        yield _refused(listen, error, option, host_option, kernel)
    for binding in bindings:
        yield from _passing(binding.port, kernel)


def _shown(listen: Listen, bindings: Sequence[Binding]) -> str:
    return f"{listen.text} (any free port)" if any(not binding.port for binding in bindings) else listen.text


def _unusable(binding: Binding) -> CannotListenError | None:
    """What a bound socket would be refused with. It does not listen, so no client can come by mistake."""
    family = socket.AF_INET6 if isIPv6Address(binding.host) else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((binding.host, binding.port))
    except OSError as error:
        return CannotListenError(binding.host, binding.port, error)
    return None


def _unusable_path(path: str) -> CannotListenError | None:
    folder = os.path.dirname(path) or "."
    if os.path.lexists(path):
        number = errno.EADDRINUSE
    elif not os.path.isdir(folder):
        number = errno.ENOTDIR if os.path.exists(folder) else errno.ENOENT
    elif not os.access(folder, os.W_OK | os.X_OK):
        number = errno.EACCES
    else:
        return None
    return CannotListenError(None, os.fsencode(path), OSError(number, os.strerror(number)))


def _refused(
    listen: Listen, error: CannotListenError, option: str, host_option: str | None, kernel: Kernel
) -> Finding:
    text, _, advice = str(cannot_listen(listen.text, Failure(error), option, host_option)).partition("; ")
    if error.socketError.errno == errno.EADDRINUSE and isinstance(error.port, int):
        owner = kernel.who_listens(error.port)
        text += f" ({owner})" if owner else ""
    return Finding(Level.ERROR, "listen", text, advice)


def _passing(port: int, kernel: Kernel) -> Iterator[Finding]:
    if port and kernel.may_be_taken(port):
        text = f"port {port} is one of those that outgoing connections are given ({_range(kernel)})"
        yield Finding(Level.WARNING, "listen", f"{text}: at times it is taken", _keep_out(port, kernel))


def passing_backend(host: str, port: int, kernel: Kernel) -> Iterator[Finding]:
    """A backend on this machine whose port may be given to somebody else while it is down."""
    address = numeric(host)
    if kernel.may_be_taken(port) and address is not None and is_ours(address):
        text = f"port {port} is one of those that outgoing connections are given ({_range(kernel)})"
        text += ": while the server is down, another program may have it, and the server cannot start"
        yield Finding(Level.NOTE, "backend", text, _keep_out(port, kernel))


def _range(kernel: Kernel) -> str:
    ports = kernel.passing_range()
    return f"{ports.start} to {ports.stop - 1}"


def _keep_out(port: int, kernel: Kernel) -> str:
    below = f"choose one below {kernel.passing_range().start}"
    return f"{below}, or keep it out: add {port} to the list of sysctl {_RANGE_FILE}"


def told_address(listen: Listen) -> str:
    """Where clients of this machine connect to: ``127.0.0.1 and port 3307``."""
    binding = next(iter(bindings_of(listen)), None)
    if binding is None:
        return listen.text
    host = LOOPBACK if binding.host in {"0.0.0.0", "::"} else binding.host
    return f"{host} and port {binding.port or 'the one that is logged'}"
