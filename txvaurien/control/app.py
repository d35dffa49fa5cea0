"""What every resource of the API shares: how it reads a request, answers, and says what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from klein import Klein
from klein.resource import KleinResource
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from txvaurien.control.answers import Problem, Refused, answer_with, encode, not_found
from txvaurien.control.bodies import read_object
from txvaurien.errors import ConfigError, ListenError
from txvaurien.options import Declared, build, options_of
from txvaurien.process.proxies import NoProxy, ProxyExists

_log = Logger()

#: What answers a request that has been done and has nothing more to say.
OK: Mapping[str, object] = {"status": "ok"}

#: How Klein names what stands below a mounted resource.
_REST = "<path:__rest__>"

QueryT = TypeVar("QueryT", bound=Declared)

#: What a refusal becomes, given what happened.
Dress = Callable[[Refused, BaseException], Refused]


def new_app(dress: Dress | None = None) -> Klein:
    """An empty application whose errors are answered as `txvaurien.control.answers` says.

    :param dress: gives a refusal another form; it is told what happened.
    """
    app = Klein()
    for kind, refusal in _REFUSALS:
        app.handle_errors(kind)(_answering(refusal, dress))
    return app


def _answering(refusal: _Refusal, dress: Dress | None) -> Any:
    def answer(self: object, request: IRequest, failure: Failure) -> bytes:
        """The first argument is the instance whose application it is."""
        refused = refusal(self, request, failure)
        if dress is not None and failure.value is not None:
            refused = dress(refused, failure.value)
        return refused.answer(request)

    return answer


def say(request: IRequest, said: object, status: int = 200) -> bytes:
    """Answer with JSON."""
    request.setResponseCode(status)
    return answer_with(request, encode(said))


def body_of(request: IRequest, *, empty: bool = True) -> dict[str, Any]:
    """The body; an empty object where there is none.

    :param empty: whether there may be none.
    :raises Refused: 400; it is no JSON object.
    """
    content: Any = request.content
    raw: bytes = content.read()
    return read_object(raw) if raw or not empty else {}


def query_of(request: IRequest, declared: type[QueryT], *, known_only: bool = True) -> QueryT:
    """What stands behind the ``?``, as the options that `declared` has.

    :param known_only: whether anything else there is an error.
    :raises Refused: 400; there is no such option, it stands twice, or its value will not do.
    """
    arguments: Mapping[bytes, list[bytes]] = getattr(request, "args", None) or {}
    said: dict[str, object] = {}
    for raw, values in arguments.items():
        name = _text(raw)
        if not known_only and name not in declared.__struct_fields__:
            continue
        if len(values) > 1:
            raise Refused.because(400, "querystring", name, "it stands twice")
        said[name] = _said_of(declared, name, _text(values[0]))
    try:
        return build(declared, said, text=True)
    except ConfigError as error:
        raise Refused(400, [Problem("querystring", error.where, str(error.at("")))]) from error


def _said_of(declared: type[Declared], name: str, text: str) -> object:
    """:raises Refused: 400; a value that would be read as none at all, which is to leave it out."""
    kinds = {option.attribute: option.kind for option in options_of(declared)}
    if text.lower() == "null" and kinds.get(name, "str") != "str":
        raise Refused.because(400, "querystring", name, f"{text!r} will not do; leave it out")
    return text


def mounted(request: Any, resource: KleinResource) -> KleinResource:
    """A resource below a path, as Klein has to find it: what is not longer than the path is its ``/``."""
    if not request.postpath:
        request.postpath = [b""]
    return resource


def _refused(self: object, request: IRequest, failure: Failure) -> Refused:
    """A request that cannot be done."""
    refused = failure.value
    assert isinstance(refused, Refused)
    return refused


def _no_proxy(self: object, request: IRequest, failure: Failure) -> Refused:
    assert isinstance(failure.value, NoProxy)
    error = failure.value
    return Refused(404, [Problem("path", error.where, str(error.at("")))])


def _exists(self: object, request: IRequest, failure: Failure) -> Refused:
    assert isinstance(failure.value, ProxyExists)
    return Refused(409, [Problem.of(failure.value)])


def _wrong(self: object, request: IRequest, failure: Failure) -> Refused:
    """Something in the body cannot be."""
    error = failure.value
    assert isinstance(error, ConfigError)
    return Refused(400, Problem.all_of(error))


def _no_port(self: object, request: IRequest, failure: Failure) -> Refused:
    """409: somebody else has the port that was to be listened on."""
    return Refused.because(409, "server", "", failure.getErrorMessage())


def _no_such_method(self: object, request: IRequest, failure: Failure) -> Refused:
    """405, with the methods that there are."""
    error = failure.value
    assert isinstance(error, MethodNotAllowed)
    allowed = ", ".join(sorted(error.valid_methods or ()))
    method, path = _text(request.method), _text(request.path)
    why = f"{method} cannot be used on {path}; the methods are: {allowed}"
    problem = Problem("method", method, why)
    return Refused(405, [problem], {b"allow": allowed.encode("ascii")})


def _no_such_path(self: Any, request: IRequest, failure: Failure) -> Refused:
    """404, with the paths that there are."""
    del failure
    above = "".join(f"/{_text(segment)}" for segment in request.prepath)
    below = {rule.rule for rule in self.app.url_map.iter_rules() if _REST not in rule.rule}
    paths = ", ".join(sorted((above + path).rstrip("/") for path in below))
    path = _text(request.path)
    return not_found(path, f"there is no {path}; the paths are: {paths}")


def _broken(self: object, request: IRequest, failure: Failure) -> Refused:
    """500: a mistake of ours, or of a plug-in. The traceback is for the log."""
    _log.failure("{method} {path} failed", failure, method=_text(request.method), path=_text(request.path))
    why = f"{type(failure.value).__name__} in the control server; its log says more"
    return Refused.because(500, "server", "", why)


_Refusal = Callable[[Any, IRequest, Failure], Refused]

#: What is answered to what. The first kind that fits counts.
_REFUSALS: tuple[tuple[type[Exception], _Refusal], ...] = (
    (Refused, _refused),
    (NoProxy, _no_proxy),
    (ProxyExists, _exists),
    (ConfigError, _wrong),
    (ListenError, _no_port),
    (MethodNotAllowed, _no_such_method),
    (HTTPException, _no_such_path),
    (Exception, _broken),
)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
