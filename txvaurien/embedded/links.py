"""The links of a proxy, as they are when they are asked for; and waiting for their number."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from txvaurien.clients.vocabulary import Fields, VaurienError

#: How many links an error names.
_SHOWN = 5

#: How often it is looked how many there are, in seconds.
_LOOK = 0.01


@dataclass(frozen=True)
class LinkInfo:
    """A link, as it was when it was asked for.

    :param number: from 1, in the order in which clients came.
    :param address: the client's, as ``host:port``.
    :param age: seconds since the client came.
    :param idle: seconds since the last byte.
    :param exchanges: how many requests the client has sent.
    :param opaque: why the stream is passed through unread; empty if it is not.
    """

    number: int
    address: str
    age: float
    idle: float
    exchanges: int
    bytes_to_backend: int
    bytes_to_client: int
    opaque: str = ""

    @property
    def bytes(self) -> int:
        """What came, both ways."""
        return self.bytes_to_backend + self.bytes_to_client

    @classmethod
    def of(cls, said: Fields) -> LinkInfo:
        """From what `ProxyCommands.links` says."""
        return cls(
            number=said["id"],
            address=said["client"],
            age=said["seconds"],
            idle=said["idle"],
            exchanges=said["exchanges"],
            bytes_to_backend=said["bytes_to_backend"],
            bytes_to_client=said["bytes_to_client"],
            opaque=said["opaque"],
        )


class LinksDiffer(VaurienError, TimeoutError):
    """There are not as many links as were waited for.

    :ivar links: those that there are.
    """

    def __init__(self, links: Sequence[LinkInfo], n: int, timeout: float) -> None:
        there = ", ".join(f"{each.address} ({each.age:.1f} s old)" for each in links[:_SHOWN])
        more = ", ..." if len(links) > _SHOWN else ""
        verb, noun = ("is", "link") if len(links) == 1 else ("are", "links")
        found = f"there {verb} {len(links)} {noun} after {timeout:g} seconds, not {n}"
        super().__init__(f"{found}: {there}{more}" if links else found, 408)
        self.links = list(links)


def wait_for_links(look: Callable[[], list[LinkInfo]], n: int, timeout: float) -> list[LinkInfo]:
    """Look until there are exactly `n`.

    :raises LinksDiffer: there is another number of them after `timeout` seconds.
    """
    end = time.monotonic() + timeout
    while len(links := look()) != n:
        left = end - time.monotonic()
        if left <= 0:
            raise LinksDiffer(links, n, timeout)
        time.sleep(min(_LOOK, left))
    return links
