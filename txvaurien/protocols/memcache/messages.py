"""Messages and exchanges that the text and the binary protocol have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from txvaurien.model import Exchange, Message


class Request(Message):
    """A request of either protocol."""

    __slots__ = ()

    #: Whether it is answered at all, and whether only if there is something to say.
    replies: bool
    quiet: bool

    def answered_by(self, head: bytes) -> bool:
        """Whether a reply that begins with `head` can be the one to this request."""
        raise NotImplementedError


class Nudge(Request):
    """A no-op that the proxy sends, to hear that requests before it are not answered."""

    __slots__ = ("_answered_by",)
    replies = True
    quiet = False

    def __init__(self, reply: bytes) -> None:
        self._answered_by = reply

    def answered_by(self, head: bytes) -> bool:
        """Its own reply, or an error from a server that knows no such command."""
        return head.startswith((self._answered_by, b"ERROR"))


class Partial(Request):
    """What a client said of a request before it sent FIN."""

    __slots__ = ()
    replies = False
    quiet = False


class Silence(Message):
    """The reply to a quiet request that was not answered, or one of which too little came."""

    __slots__ = ()


class Asked(Exchange):
    """An exchange that a request of ours began."""

    if TYPE_CHECKING:
        # For the reader of types only: a Struct would make a second field of it.
        request: Request
