"""What flows through a proxy: directions, frames, messages, exchanges.

These are plain values. A session (`txvaurien.protocols`) makes them, the link
(`txvaurien.link`) carries them, the plan (`txvaurien.plan`) looks at them.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from txvaurien.exchange import LiveExchange


class Direction(enum.Enum):
    """Which way bytes go."""

    TO_BACKEND = "to_backend"
    TO_CLIENT = "to_client"


class Side(enum.Enum):
    """One end of a link."""

    CLIENT = "client"
    BACKEND = "backend"


class Hook(enum.Enum):
    """The four moments of an exchange at which a behavior may act."""

    CONNECT = "on_connect"
    BEFORE = "on_before_handle"
    BETWEEN = "on_between_handle"
    AFTER = "on_after_handle"


class Then(enum.Enum):
    """What happens to the client's connection after a refusal was sent."""

    KEEP = "keep"
    CLOSE = "close"
    RESET = "reset"


class Ending(enum.Enum):
    """How the stream of one direction ends, at the side that receives it."""

    #: A half-close: the other direction goes on.
    FIN = "fin"
    #: The whole connection is closed, in order.
    CLOSE = "close"
    RESET = "reset"


class Where(enum.Enum):
    """At which point of a link an error of the catalogue can be said."""

    CONNECT = "connect"
    HANDSHAKE = "handshake"
    COMMAND = "command"
    CONTENT = "content"


@dataclass(frozen=True)
class ErrorKind:
    """One entry of a protocol's error catalogue.

    ``drawn`` is false for kinds that ``any`` must not choose: they need a text
    of the user's, or a set-up that most servers do not have.
    """

    name: str
    where: Where
    help: str
    drawn: bool = True


@dataclass(frozen=True)
class Refusal:
    """What a protocol says in place of the backend.

    ``to_client`` is sent when it is the exchange's turn, ``to_backend`` at once
    (the session swallows the answer to it), and ``then`` is done after that.
    With ``edit`` none of that counts: the backend gets the request and answers, and
    its reply passes through ``edit``, as it does with `IExchange.edit_response`.
    """

    to_client: bytes
    to_backend: bytes = b""
    then: Then = Then.KEEP
    edit: Callable[[bytes], bytes | Missed] | None = None


@dataclass(frozen=True)
class Cut:
    """What an edit returns that ends the link: these bytes still go out, then that is done."""

    data: bytes
    then: Then = Then.CLOSE


@dataclass(frozen=True)
class Missed:
    """What an edit returns that found nothing to do: these bytes go on, and the rule has not fired."""

    data: bytes
    why: str


class Message:
    """One protocol unit, seen from outside. A view only: it is never sent.

    Protocols subclass it and work the properties out when somebody asks, so
    that a message which no rule looks at costs next to nothing.
    """

    __slots__ = ()

    @property
    def verb(self) -> str:
        """What is asked (``GET``), in upper case; ``""`` where there is no such thing."""
        return ""

    @property
    def targets(self) -> Sequence[str]:
        """What it is asked of: keys, a path, a mailbox. Empty if nothing."""
        return ()

    @property
    def target(self) -> str | None:
        """The first of :attr:`targets`, or None."""
        targets = self.targets
        return targets[0] if targets else None

    @property
    def status(self) -> str:
        """For a reply: how it went (``OK``, ``404``, ``WRONGTYPE``); else ``""``."""
        return ""

    @property
    def head_size(self) -> int:
        """How many bytes come before the content; 0 where a protocol does not tell them apart."""
        return 0

    @property
    def body_size(self) -> int | None:
        """How many bytes of content follow, as the message itself announces; None if it does not."""
        return None

    def log_fields(self) -> dict[str, str]:
        """What logs and the journal may show. Nothing here may be a secret."""
        fields = {"verb": self.verb, "target": self.target or "", "status": self.status}
        return {name: value for name, value in fields.items() if value}


class Connect(Message):
    """The request of the exchange that ``on_connect`` sees: a client came."""

    __slots__ = ()

    @property
    def verb(self) -> str:
        return "CONNECT"


class Exchange(msgspec.Struct, eq=False, weakref=True):
    """A request message and what answers it.

    A session makes one at the first frame of a request, or of a message that
    the server sends unasked (then ``request`` is None). What a session fills in
    before it yields the first frame: ``request`` or ``response``, ``replies``,
    ``prompt``, ``open_ended`` and ``handshake``. The link fills in ``number``, ``sent`` and ``live``.
    """

    request: Message | None = None
    #: The head of the reply, from its first frame on.
    response: Message | None = None
    #: Whether the backend will answer this request at all.
    replies: bool = True
    #: An answer made by the proxy need not wait for the request's last frame:
    #: the client waits for an answer before it sends the rest. A session takes
    #: it back when the client waits no longer.
    prompt: bool = False
    #: Nobody can tell where its messages end; the next exchange ends it. Then it is ``prompt``, too.
    open_ended: bool = False
    #: Part of logging in: left alone by the mix and by rules that do not name its verb.
    handshake: bool = False
    #: The exchange that this request makes the backend expect (the content after
    #: SMTP's DATA). The verdict on it falls just before this request is sent, while
    #: the backend can still be kept from expecting it.
    announces: Exchange | None = None
    #: What the session answers itself, set no later than it yields the request's last
    #: frame, or by a refusal of what it announces: nothing of the request is sent from then on.
    answer: Refusal | None = None
    #: From 1 within its link; unasked messages are counted apart; 0 for CONNECT.
    number: int = 0
    #: Whether anything of the request has been given to the backend. Kept up to
    #: date only where a rule fired, because only then somebody asks.
    sent: bool = False
    #: A rule has fired, be it one that does nothing.
    decided: bool = False
    #: What the link does to it, if a rule fired.
    live: LiveExchange | None = None

    @property
    def unasked(self) -> bool:
        """Whether the server sent this without being asked."""
        return self.request is None

    @property
    def message(self) -> Message:
        """The message that a rule is matched against: the request if there is one."""
        message = self.request or self.response
        return message if message is not None else Message()


class Frame(msgspec.Struct, eq=False):
    """A run of raw bytes of one message.

    ``raw`` is what was received, ``forward`` what is to be sent on: the same
    object, unless the session edits the stream (``edited``). ``exchange`` is None for bytes
    that the client never asked for and never sees, such as the answer to a
    refusal's ``to_backend``; then ``forward`` is empty. ``then`` of a reply's
    last frame may end the link when the client has it. ``secures``: once this frame has gone out
    both sides go over to TLS, and what the session gets from then on is what is said in it.
    """

    raw: bytes
    exchange: Exchange | None
    first: bool = True
    last: bool = True
    #: What is sent on in the place of ``raw``; None where that itself is.
    edited: bytes | None = None
    then: Then = Then.KEEP
    secures: bool = False

    @property
    def forward(self) -> bytes:
        """What is to be sent on."""
        return self.raw if self.edited is None else self.edited

    def __repr__(self) -> str:
        marks = ("first " if self.first else "") + ("last " if self.last else "")
        edited = "" if self.edited is None else f" forward={self.edited!r}"
        return f"<Frame {marks}{self.raw!r}{edited}>"
