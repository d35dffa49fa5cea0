"""The labels that verbs and statuses become: few, whatever clients and servers say."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from txvaurien.model import Message
    from txvaurien.protocols.base import WireProtocol

#: How many verbs have a label of their own: of those that a protocol declares, of those that come otherwise.
MOST_DECLARED = 64
MOST_SEEN = 32

#: The label of all other verbs, and of messages without one.
OTHER, NONE = "other", "none"


class Classes:
    """The labels of one proxy."""

    __slots__ = ("_declared", "_protocol", "_seen")

    def __init__(self, protocol: WireProtocol) -> None:
        self._protocol = protocol
        self._declared = frozenset(protocol.verbs[:MOST_DECLARED])
        self._seen: set[str] = set()

    def verb(self, message: Message) -> str:
        """The label of a message's verb.

        Of what the protocol does not declare it is what a log may show: a misspelt command may be
        a secret.
        """
        if self._declared:
            return message.verb if message.verb in self._declared else OTHER
        shown = message.log_fields().get("verb", "").partition(" ")[0]
        if not shown:
            return NONE
        if shown not in self._seen and len(self._seen) < MOST_SEEN:
            self._seen.add(shown)
        return shown if shown in self._seen else OTHER

    def status(self, status: str) -> str:
        """The label of a status."""
        return self._protocol.status_class(status) if status else NONE
