"""What clients ask of the control server, and what it answers. No I/O, standard library only.

A `Call` is one request and how its answer is read. `txvaurien.blocking` and
`txvaurien.client` only carry calls, each over a transport of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

BEHAVIOR = "/behavior"
BEHAVIORS = "/behaviors"
BACKEND = "/backend"

#: The port of the control server, where nobody says otherwise.
DEFAULT_PORT = 8080

#: One part of a mix: ``{"percent": 5.0, "name": "error", "options": {...}}``.
ShareFields = dict[str, Any]

#: One option of a behavior: ``{"name": "sleep", "type": "float", "default": 1.0, ...}``.
OptionFields = dict[str, Any]

Answer = TypeVar("Answer")


class VaurienError(ValueError):
    """The control server refused, could not be reached, or is none; or a proxy did not start.

    It is a ValueError because that is what Vaurien's client raised.

    :ivar status: the HTTP status of a refusal, 0 where there was no answer.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Call(Generic[Answer]):
    """One request to the control server."""

    method: str
    path: str
    #: Takes what the caller wants out of a good answer; it may raise LookupError or TypeError.
    read: Callable[[Any], Answer]
    body: bytes = b""

    def answer(self, status: int, body: bytes, server: str) -> Answer:
        """What the answer says.

        :param server: the server's base URL, for the error.
        :raises VaurienError: the answer is a refusal, or not one of a control server.
        """
        try:
            said = json.loads(body)
            if status == 200:
                return self.read(said)
            reasons = [_reason(problem) for problem in said["errors"]]
        except (ValueError, LookupError, TypeError):
            raise VaurienError(
                f"{server}{self.path} answered {status}, and not as a control server of txvaurien does;"
                " check the host and the port",
                status,
            ) from None
        raise VaurienError("; ".join(reasons), status)


def get_behavior() -> Call[str]:
    """The name of the current behavior, or the text of the current mix."""
    return Call("GET", BEHAVIOR, lambda said: str(said["behavior"]))


def set_behavior(name: str, options: Mapping[str, object]) -> Call[None]:
    """One behavior for every exchange; or, without options, a mix such as ``5:error,10:delay``."""
    return _put(BEHAVIOR, {**options, "name": name})


def get_mix() -> Call[list[ShareFields]]:
    """The current behaviors with all of their options: what `set_mix` takes."""
    return Call("GET", BEHAVIOR, lambda said: list(said["mix"]))


def set_mix(mix: Sequence[ShareFields]) -> Call[None]:
    """Several behaviors, each with its percentage and its options."""
    return _put(BEHAVIOR, {"mix": list(mix)})


def list_behaviors() -> Call[list[str]]:
    """The names of the behaviors that can be set."""
    return Call("GET", BEHAVIORS, lambda said: [str(name) for name in said["behaviors"]])


def list_options() -> Call[dict[str, list[OptionFields]]]:
    """The options of each behavior, by its name."""
    return Call("GET", BEHAVIORS, lambda said: dict(said["options"]))


def get_backend() -> Call[str]:
    """The address of the backend."""
    return Call("GET", BACKEND, lambda said: str(said["backend"]))


def set_backend(address: str) -> Call[None]:
    """Another backend, for the links to come."""
    return _put(BACKEND, {"backend": address})


def base_url(scheme: str, host: str, port: int) -> str:
    """``http://localhost:8080``, with brackets around an IPv6 address.

    :raises VaurienError: there is no such scheme or port.
    """
    if scheme not in {"http", "https"}:
        raise VaurienError(f"the scheme {scheme!r} is not known; it is http or https")
    if not 0 < port < 65536:
        raise VaurienError(f"there is no port {port}; ports are 1 to 65535")
    bracketed = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"{scheme}://{bracketed}:{port}"


def unreachable(server: str, why: object) -> VaurienError:
    """The error for a control server that does not answer."""
    return VaurienError(
        f"there is no control server at {server} ({why}); start the proxy with --http and check --http-port"
    )


def _put(path: str, fields: Mapping[str, object]) -> Call[None]:
    # JSON knows no NaN and no infinity, and the server says so; here it is said sooner.
    return Call("PUT", path, lambda said: None, json.dumps(fields, allow_nan=False).encode())


def _reason(problem: Mapping[str, str]) -> str:
    name, description = problem["name"], problem["description"]
    # The server's words for an unknown behavior need no field in front of them.
    return description if name in {"", "name"} else f"{name}: {description}"
