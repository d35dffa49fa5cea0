"""What the control server answers: always JSON, and an error always in one form.

``{"status": "error", "errors": [{"location": "body", "name": "sleep", "description": "..."}]}``
is the form of Vaurien (and of Cornice before it): `location` is the part of the
request, `name` the field, header or path in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.web.iweb import IRequest

from txvaurien.errors import ConfigError
from txvaurien.planning.planreader import ConfigErrors

JSON_HEADERS = {
    b"content-type": b"application/json",
    # What is current now is not what is current later, and JSON is never a page.
    b"cache-control": b"no-store",
    b"x-content-type-options": b"nosniff",
}


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a request."""

    location: str
    name: str
    description: str

    @classmethod
    def of(cls, error: ConfigError, name: str = "") -> Problem:
        """The same error that the command line would show, without its place.

        :param name: the field, where the error knows of none.
        """
        return cls("body", error.where or name, str(error.at("")))

    @classmethod
    def all_of(cls, error: ConfigError) -> list[Problem]:
        """One, or all where several things are wrong."""
        errors = error.errors if isinstance(error, ConfigErrors) else (error,)
        return [cls.of(each) for each in errors]


class Refused(Exception):
    """The request is refused with this HTTP status.

    :param more: what else the body says.
    """

    def __init__(
        self,
        status: int,
        problems: Sequence[Problem],
        headers: Mapping[bytes, bytes] | None = None,
        more: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(status, problems)
        self.status = status
        self.problems = problems
        self.headers = headers or {}
        self.more = more or {}

    @classmethod
    def because(cls, status: int, location: str, name: str, description: str) -> Refused:
        """Refused for one reason."""
        return cls(status, [Problem(location, name, description)])

    @property
    def body(self) -> bytes:
        """The body that says why."""
        errors = [vars(problem) for problem in self.problems]
        return encode({"status": "error", "errors": errors, **self.more})

    def answer(self, request: IRequest) -> bytes:
        """Set status and headers of the answer, and return its body."""
        request.setResponseCode(self.status)
        _set_headers(request, self.headers.items())
        return answer_with(request, self.body)


def not_found(name: str, why: ConfigError | str) -> Refused:
    """404: there is nothing of this name."""
    words = str(why.at("")) if isinstance(why, ConfigError) else why
    return Refused.because(404, "path", name, words)


def short_form(said: Mapping[str, Any], name: str, example: str) -> str:
    """The text of a fault that was sent in the short form.

    :param example: a text that would do.
    :raises Refused: 400; it is no text, or there is more.
    """
    problems = [
        Problem("body", each, f"this cannot be said beside {name!r}") for each in said if each != name
    ]
    if problems:
        raise Refused(400, problems)
    words = said.get(name)
    if not isinstance(words, str) or not words.strip():
        raise Refused.because(400, "body", name, f'it must be a text such as "{example}"')
    return words


def encode(said: object) -> bytes:
    """JSON, and a line end for those who look at it in a terminal."""
    return json.dumps(said, allow_nan=False).encode() + b"\n"


def answer_with(request: IRequest, body: bytes) -> bytes:
    """Set the headers that every answer has, and return its body."""
    _set_headers(request, JSON_HEADERS.items())
    request.setHeader(b"content-length", b"%d" % len(body))
    return body


def _set_headers(request: IRequest, headers: Iterable[tuple[bytes, bytes]]) -> None:
    for name, value in headers:
        request.setHeader(name, value)
