"""The whole contract between the layers.

Whoever writes a protocol implements `IWireProtocol` and `ISession`; whoever
writes a behavior implements `IBehavior` and acts through `IExchange`. Nothing
in this module, and nothing that implements it, touches a socket or a reactor.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from zope.interface import Attribute, Interface

from txvaurien.model import Cut, Direction, Ending, Exchange, Frame, Hook, Refusal, Side, Then

if TYPE_CHECKING:
    import random

    from twisted.internet.interfaces import IReactorTime

    from txvaurien.behaviors.base import HookResult
    from txvaurien.exchange import LiveExchange
    from txvaurien.link import Link
    from txvaurien.protocols.base import WireProtocol


class IWireProtocol(Interface):
    """A protocol that the proxy understands, with its options. One per proxy."""

    name = Attribute("str: what it is called on the command line, such as ``redis``.")

    error_kinds = Attribute("Sequence[ErrorKind]: the catalogue, everything that `ISession.refuse` knows.")

    verbs = Attribute(
        "Sequence[str]: every verb that a message can have; empty where servers may have verbs of their own."
    )

    too_many_kind = Attribute(
        "str: the kind said to a client that waited in vain for a place in the pool;"
        " '' where the protocol has no words for that (the client is reset)."
    )

    unreachable_kind = Attribute("str: the kind said when the backend cannot be reached; '' for a reset.")

    answer_timeout = Attribute(
        "float: seconds that the backend may do nothing while the next step is its own (it has the"
        " whole request, or takes no more of it); then `silent_kind` is said, and the link ends."
        " 0 for without limit."
    )

    silent_kind = Attribute("str: the kind said when `answer_timeout` is over; '' for a reset.")

    alpn = Attribute(
        "Sequence[bytes]: what is agreed on within TLS (ALPN, RFC 7301), the best first; empty for nothing."
    )

    tls_advice = Attribute(
        "str: what to do in the place of TLS from the first byte, where clients do not begin with it;"
        " '' elsewhere."
    )

    begins_tls = Attribute(
        "bool: sessions say with `Frame.secures` where both sides go over to TLS, and follow what is"
        " said in it. Until then they have ``edits``, so that nothing is sent on before they have seen it."
    )

    def status_class(status: str) -> str:
        """The class that metrics put a reply's status into (``ok``, ``5xx``): one of a few."""

    def session() -> ISession:
        """A new `ISession`, for one link."""


class ISession(Interface):
    """The sans-I/O state of one link's wire protocol, both directions together."""

    edits = Attribute(
        "bool: whether the next frames may have a ``forward`` that differs from their"
        " ``raw``, also where the answer to a refusal's ``to_backend`` is still to be swallowed."
        " While it is false the link may send bytes on before it frames them."
    )

    backend = Attribute(
        "str: host and port of the backend as a URL has them, '' if it has none."
        " Set from outside before the first byte of a request is sent."
    )

    closing = Attribute("bool: set from outside when the link ends after the refusal that is asked for next.")

    def receive(direction: Direction, data: bytes) -> Iterable[Frame]:
        """Take bytes that arrived and give out the frames they complete.

        An iterable of `Frame`, consumed lazily: the link decides what becomes of
        one frame (and may call `refuse` or `withdraw`) before it asks for the
        next, so a session must not look at the effect of a later message before
        it has yielded the earlier one. Any split of the stream gives the same
        messages, and the joined ``raw`` is the input: bytes may be held back
        until a head is complete, within a bound, but are never lost.

        :raises FramingError: the stream cannot be followed. What was received and
            not yielded is then to be had from `rest`.
        """

    def finish(direction: Direction) -> Iterable[Frame]:
        """That side sent FIN: give out what is held as frames, the last one ``last``."""

    def rest(direction: Direction) -> bytes:
        """Hand over the bytes that were received in `direction` and not yielded."""

    def legal(exchange: Exchange) -> Sequence[str]:
        """The names of the kinds that can be said to `exchange` now, in catalogue order."""

    def refuse(exchange: Exchange, kind: str, text: str = "") -> Refusal:
        """Decide what is said in place of the backend.

        `exchange.sent` tells whether the backend has heard of the request. If it
        has not, the session takes the exchange out of its own reply queue, as
        `withdraw` does. `text` is for kinds that carry a text of the user's.

        :return: a `Refusal`.
        :raises NotLegal: this kind cannot be said to this exchange at this point.
        """

    def withdraw(exchange: Exchange) -> bytes | None:
        """The backend will never hear of this request: somebody else answers it, or nobody.

        :return: bytes that the backend must be told because of that (the session
            swallows the answer), or None.
        :raises NotLegal: the backend expects the rest of it already.
        """


class IBehavior(Interface):
    """What is done to an exchange. An instance holds options and nothing that changes.

    A hook returns True or None to go on, False to stop there (no later hook of
    this exchange runs), or an awaitable of that. An exception is logged, counted,
    and the exchange goes on as if no rule had fired.
    """

    name = Attribute("str: what it is called in a plan, such as ``delay``.")

    def acts(protocol: WireProtocol) -> frozenset[Hook]:
        """At which hooks this behavior, with these options, does something.

        :param protocol: the `IWireProtocol` of the proxy.
        :return: a frozenset of `Hook`.
        :raises ConfigError: these options make no sense for this protocol.
        """

    def handshakes(protocol: WireProtocol) -> bool:
        """Whether it is meant for exchanges of the handshake, and for no others.

        Greetings and log-ins are left alone by behaviors that say False, unless a
        rule names the verb.
        """

    def on_connect(exchange: LiveExchange) -> HookResult:
        """A client came; the backend has not been dialled."""

    def on_before_handle(exchange: LiveExchange) -> HookResult:
        """The request is framed; nothing of it has gone to the backend."""

    def on_between_handle(exchange: LiveExchange) -> HookResult:
        """The request is written; the client has nothing of the reply."""

    def on_after_handle(exchange: LiveExchange) -> HookResult:
        """The client has the whole reply."""


class IStanding(Interface):
    """What a behavior may provide as well: something it does to links that stand already."""

    def on_activate(link: Link) -> None:
        """The rule has just been set, and `link` (an `ILinkControl`) was there before."""


class ILinkControl(Interface):
    """A link, as a behavior may touch it from outside of an exchange."""

    number = Attribute("int: from 1, in the order in which clients came.")

    def close() -> None:
        """End the link with FIN on both sides."""

    def reset() -> None:
        """End the link with RST to the client and FIN to the backend."""


class IToxic(Interface):
    """What is done to the byte stream of a direction. An instance holds options and nothing that changes."""

    name = Attribute("str: what it is called in a plan, such as ``latency``.")

    def stage(out: IStageOut, clock: IReactorTime, random: random.Random) -> IStage:
        """The state of this toxic for one direction of one link.

        :param out: where its bytes go.
        :param clock: the only source of time.
        :param random: seeded for this link, direction and toxic.
        """


class IStage(Interface):
    """One direction of one link, under one toxic.

    Stages stand in a row between the link and the connection, in the order of
    the plan. Nothing here may block, and every call may end the link.
    """

    full = Attribute(
        "bool: whether it holds as much as it likes; for a stage that only passes on, whether what"
        " comes after it does. The source is read no further while a stage is full; what it was"
        " given before has to be kept all the same."
    )

    def data(data: bytes) -> None:
        """Bytes came; never empty."""

    def end(ending: Ending) -> None:
        """Nothing more will come, except that CLOSE or RESET may follow FIN.

        Passed on with ``out.end``, after what came before it.
        """

    def room() -> None:
        """``out.full`` is false again."""

    def update(toxic: IToxic) -> None:
        """Go on with other options of the same toxic. What was counted stays counted."""

    def release() -> None:
        """The toxic is being taken away: pass on what is held, at once, whatever ``out.full`` says."""

    def drop() -> None:
        """The link is gone: forget what is held, cancel every delayed call, pass nothing on."""


class IStageOut(Interface):
    """What comes after a stage."""

    full = Attribute(
        "bool: whether what comes after takes no more for now. Bytes that are passed on all the"
        " same are kept, but count against nobody's bound."
    )

    def data(data: bytes) -> None:
        """Pass bytes on."""

    def end(ending: Ending) -> None:
        """Pass the end on."""

    def close() -> None:
        """End the link with FIN on both sides; what was passed on before still goes out."""

    def reset() -> None:
        """End the link with RST on both sides; what was passed on before still goes out."""


class IExchange(Interface):
    """An exchange, as hooks see it. All that a behavior does, it does through this."""

    verb = Attribute("str: the verb of the request, or of the message sent unasked.")
    target = Attribute("str | None: the first target.")
    targets = Attribute("Sequence[str]: all targets.")
    request = Attribute("Message | None: None for what the server sends unasked.")
    response = Attribute("Message | None: the head of the reply, once it has come.")
    number = Attribute("int: of this exchange within its link, from 1.")
    link_number = Attribute("int: of the link within its proxy, from 1.")
    client = Attribute("str: the client's address, as host:port.")
    random = Attribute("random.Random: seeded for this exchange and this rule.")
    fired = Attribute("int: how often the rule has fired, this time included.")
    released = Attribute("bool: whether the rule was taken away meanwhile.")

    def sleep(seconds: float | None = None, leave_on_fin: bool = False) -> Awaitable[bool]:
        """Wait.

        :param seconds: None for as long as the rule stands.
        :param leave_on_fin: end with the link when the client sends FIN, too;
            without `seconds` that is always so.
        :return: an awaitable of True if the time is up, of False if the rule was
            taken away before. When the client goes away it is cancelled.
        """

    def refuse(kind: str, text: str = "") -> str:
        """Answer with an error of the protocol; ``any`` draws among those legal here.

        :return: the name of the kind that was said.
        :raises NotLegal: left to go, it makes the rule not have fired.
        """

    def reply(raw: bytes, then: Then = Then.KEEP) -> None:
        """Answer with these bytes, in this exchange's turn, and do `then` (a `Then`) after."""

    def edit_request(edit: Callable[[bytes], bytes | Cut]) -> None:
        """Pass each frame of the request through `edit`, a function from bytes to bytes.

        It may return a `Cut`: the link ends after what that has.
        """

    def edit_response(edit: Callable[[bytes], bytes | Cut]) -> None:
        """Pass each frame of the reply through `edit`, as `edit_request` does."""

    def swallow() -> None:
        """Before the backend: drop the request, answer nothing. After: drop the reply."""

    def close(side: Side = Side.CLIENT, linger: float = 0.0) -> None:
        """End the link, with FIN to `side` at once.

        :param linger: when `side` is the client, keep the backend for at most so
            many seconds, until it has answered this exchange.
        """

    def reset(side: Side = Side.CLIENT, linger: float = 0.0) -> None:
        """As `close`, with RST to `side`."""

    def fail_handshake(kind: str) -> None:
        """In ``on_connect``: have the TLS handshake with the client fail, as soon as there is one.

        :param kind: ``refused``, ``stalled`` (until the rule is taken away), ``reset`` (when it is done), or
            what is wrong with the certificate: ``expired``, ``not-yet-valid``, ``wrong-name``,
            ``unknown-authority``, ``self-signed``.
        :raises NotLegal: no TLS is spoken with clients here, or there is no certificate that is so.
        """

    def response_started() -> Awaitable[bool] | None:
        """An awaitable that fires when the reply begins to come; None where none will."""

    def response_finished() -> Awaitable[bool] | None:
        """An awaitable that fires when the whole reply has come; None where none will.

        In ``on_between_handle`` the reply is held back, so `swallow` or `reply`
        must come first: RuntimeError if it did not.
        """
