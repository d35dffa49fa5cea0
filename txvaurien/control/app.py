"""What every resource of the API shares: how it reads a request, answers, and says what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from klein import Klein
from klein.resource import KleinResource
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from txvaurien.control.answers import Problem, Refused, answer_with, encode
from txvaurien.control.bodies import read_object
from txvaurien.errors import ConfigError, ListenError
from txvaurien.options import Declared, build
from txvaurien.proxies import NoProxy

_log = Logger()

#: What answers a request that has been done and has nothing more to say.
OK: Mapping[str, object] = {"status": "ok"}

#: How Klein names what stands below a mounted resource.
_REST = "<path:__rest__>"

QueryT = TypeVar("QueryT", bound=Declared)


def new_app() -> Klein:
    """An empty application whose errors are answered as `txvaurien.control.answers` says."""
    app = Klein()
    app.handle_errors(Refused)(_refused)
    app.handle_errors(NoProxy)(_no_proxy)
    app.handle_errors(ConfigError)(_wrong)
    app.handle_errors(ListenError)(_no_port)
    app.handle_errors(MethodNotAllowed)(_no_such_method)
    app.handle_errors(HTTPException)(_no_such_path)
    app.handle_errors(Exception)(_broken)
    return app


def say(request: IRequest, said: object, status: int = 200) -> bytes:
    """Answer with JSON."""
    request.setResponseCode(status)
    return answer_with(request, encode(said))


def body_of(request: IRequest) -> dict[str, Any]:
    """The body; an empty object where there is none.

    :raises Refused: 400; it is no JSON object.
    """
    content: Any = request.content
    raw: bytes = content.read()
    return read_object(raw) if raw else {}


def query_of(request: IRequest, declared: type[QueryT]) -> QueryT:
    """What stands behind the ``?``, as the options that `declared` has.

    :raises Refused: 400; there is no such option, it stands twice, or its value will not do.
    """
    arguments: Mapping[bytes, list[bytes]] = getattr(request, "args", None) or {}
    said: dict[str, object] = {}
    for raw, values in arguments.items():
        name = _text(raw)
        if len(values) > 1:
            raise Refused.because(400, "querystring", name, "it stands twice")
        said[name] = _text(values[0])
    try:
        return build(declared, said, text=True)
    except ConfigError as error:
        raise Refused(400, [Problem("querystring", error.where, str(error.at("")))]) from error


def mounted(request: Any, resource: KleinResource) -> KleinResource:
    """A resource below a path, as Klein has to find it: what is not longer than the path is its ``/``."""
    if not request.postpath:
        request.postpath = [b""]
    return resource


def not_found(name: str, why: ConfigError | str) -> Refused:
    """404: there is nothing of this name."""
    words = str(why.at("")) if isinstance(why, ConfigError) else why
    return Refused.because(404, "path", name, words)


def short_form(said: dict[str, Any], name: str, example: str) -> str:
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


# The first argument is the instance whose application it is.


def _refused(self: object, request: IRequest, failure: Failure) -> bytes:
    """A request that cannot be done."""
    refused = failure.value
    assert isinstance(refused, Refused)
    return refused.answer(request)


def _no_proxy(self: object, request: IRequest, failure: Failure) -> bytes:
    assert isinstance(failure.value, NoProxy)
    error = failure.value
    return Refused(404, [Problem("path", error.where, str(error.at("")))]).answer(request)


def _wrong(self: object, request: IRequest, failure: Failure) -> bytes:
    """Something in the body cannot be."""
    error = failure.value
    assert isinstance(error, ConfigError)
    return Refused(400, [Problem.of(error)]).answer(request)


def _no_port(self: object, request: IRequest, failure: Failure) -> bytes:
    """409: somebody else has the port that was to be listened on again."""
    return Refused.because(409, "server", "", failure.getErrorMessage()).answer(request)


def _no_such_method(self: object, request: IRequest, failure: Failure) -> bytes:
    """405, with the methods that there are."""
    error = failure.value
    assert isinstance(error, MethodNotAllowed)
    allowed = ", ".join(sorted(error.valid_methods or ()))
    method, path = _text(request.method), _text(request.path)
    why = f"{method} cannot be used on {path}; the methods are: {allowed}"
    problem = Problem("method", method, why)
    return Refused(405, [problem], {b"allow": allowed.encode("ascii")}).answer(request)


def _no_such_path(self: Any, request: IRequest, failure: Failure) -> bytes:
    """404, with the paths that there are."""
    del failure
    above = "".join(f"/{_text(segment)}" for segment in request.prepath)
    below = {rule.rule for rule in self.app.url_map.iter_rules() if _REST not in rule.rule}
    paths = ", ".join(sorted((above + path).rstrip("/") for path in below))
    path = _text(request.path)
    return not_found(path, f"there is no {path}; the paths are: {paths}").answer(request)


def _broken(self: object, request: IRequest, failure: Failure) -> bytes:
    """500: a mistake of ours, or of a plug-in. The traceback is for the log."""
    _log.failure("{method} {path} failed", failure, method=_text(request.method), path=_text(request.path))
    why = f"{type(failure.value).__name__} in the control server; its log says more"
    return Refused.because(500, "server", "", why).answer(request)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
