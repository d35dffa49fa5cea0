"""How a link goes over to something else in the middle: to TLS, or to bytes that nobody looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from txvaurien.errors import FramingError, NotLegal
from txvaurien.links.lane import End, Lane
from txvaurien.protocols.opaque import OpaqueSession

if TYPE_CHECKING:
    from txvaurien.link import Link
    from txvaurien.rules import Activation


class Switchover:
    """Works on behalf of one `Link`."""

    __slots__ = ("_link",)

    def __init__(self, link: Link) -> None:
        self._link = link

    def begin(self, dial: bool = True) -> None:
        """Dial; but first agree on TLS with the client, where it speaks that from the first byte on.

        :param dial: false if the link is to end anyway: then what is said to the client is said in TLS.
        """
        link = self._link
        if link.proxy.tls is not None:
            link.proxy.tls.greet(link, link.proxy.dial if dial else None)
        elif dial:
            link.proxy.dial(link)

    def spoil(self, kind: str, rule: Activation) -> None:
        """Have the TLS handshake with the client fail (`IExchange.fail_handshake`)."""
        if self._link.proxy.tls is None:
            raise NotLegal("no TLS is spoken with clients here; use --tls auto")
        self._link.proxy.tls.check_fault(kind)
        self._link.spoiled = kind, rule

    def go_opaque(self, lane: Lane, error: FramingError) -> None:
        """The stream cannot be followed: from here on bytes flow as those of tcp."""
        if self._link.opaque:
            self.switch(lane)
            return
        rest = lane.session.rest(lane.direction)
        # Where nothing has been understood, it is known what the stream begins with.
        found = self._link.proxy.recognise(lane.direction, rest) if len(rest) == lane.bytes else ""
        self.lose_track(lane, found or str(error) or "the stream is not of this protocol", rest)

    def lose_track(self, lane: Lane, why: str, rest: bytes | None = None) -> None:
        """What comes from here on is not looked at.

        :param rest: what the session held, if that has been asked for; some give it out only once.
        """
        self._link.opaque = why
        self._link.session = OpaqueSession()
        self._link.proxy.event("opaque", self._link, direction=lane.direction.value, why=self._link.opaque)
        self._link.stop_patience()
        if self._link.proxy.close_on_desync:
            self._link.hang_up(End.FIN)
            return
        self._link.turns.forget_replies()
        self.switch(lane, rest)
        other = self._link.to_client if lane is self._link.to_backend else self._link.to_backend
        if other.frames is None and not other.running:
            self.switch(other)
        self._link.traffic.wake(other)

    def switch(self, lane: Lane, rest: bytes | None = None) -> None:
        """Give what the old session held, and all that comes, to the opaque one."""
        rest = (lane.session.rest(lane.direction) if rest is None else rest)[lane.ahead :]
        lane.ahead = 0
        lane.inside = len(rest)
        lane.session = self._link.session
        lane.held = None
        lane.frames = iter(self._link.session.receive(lane.direction, rest))
        self._link.traffic.run(lane)

    def secure(self, lane: Lane, dropped: bool = False) -> None:
        """Both sides go over to TLS; what came after this frame belongs to it."""
        link = self._link
        lane.flush()
        if dropped or link.proxy.tls is None:
            # The backend goes over to TLS, and the client will not.
            link.hang_up(End.FIN)
            return
        link.proxy.tls.go_over(link, self._rest(link.to_backend), self._rest(link.to_client))

    def _rest(self, lane: Lane) -> bytes:
        """All that has come and was not handled, the session is not to see."""
        rest = lane.session.rest(lane.direction)
        lane.inside -= len(rest)
        return rest + lane.take()
