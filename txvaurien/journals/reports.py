"""What happens in a proxy, for its statistics, its log and whoever observes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from txvaurien.exchange import LiveExchange
from txvaurien.model import Direction
from txvaurien.options import plain_values
from txvaurien.plan import PlacedToxic
from txvaurien.rules import Activation, label_of
from txvaurien.tls.records import begins_tls, is_alert

if TYPE_CHECKING:
    from txvaurien.link import Link
    from txvaurien.net.pipe import Pipe
    from txvaurien.proxy import Proxy

#: What to do about the two kinds of TLS that nobody has asked for.
TLS_CLIENT = (
    "a client speaks TLS, and this listener does not, so that nothing of it is understood: give --tls auto"
    " (or --tls FILE), and --backend tls:HOST:PORT if the backend speaks TLS too"
)
SILENT_BACKEND = (
    "the backend has ended a connection without a word, and never had one yet; `vaurien doctor` with the same"
    " options tells what it speaks (TLS? something else than --protocol says?)"
)
TLS_BACKEND = "the backend speaks TLS: write it as tls:HOST:PORT"

#: Called with the name of an event, the number of the link (0 for none) and the fields.
Observer = Callable[[str, int, dict[str, Any]], None]


@dataclass
class Stats:
    """What a proxy has counted since it was made."""

    links: int = 0
    exchanges: int = 0
    #: Exchanges that a rule fired on, and exceptions that behaviors raised.
    fired: int = 0
    broken: int = 0
    #: Links that went opaque, and backend connections that were not to be had.
    opaque: int = 0
    failed: int = 0
    #: What came for a direction, and what went out in it.
    bytes_to_backend: int = 0
    bytes_to_client: int = 0
    sent_to_backend: int = 0
    sent_to_client: int = 0
    #: Messages that servers sent without being asked.
    unasked: int = 0


class Reports:
    """Works on behalf of one `Proxy`."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self.stats = Stats()
        #: Told of everything that the journal tells of.
        self.observers: list[Observer] = []
        #: What the log has said what to do about.
        self._advised: set[str] = set()

    def fired(self, link: Link, live: LiveExchange) -> None:
        """A rule has fired, and done or begun what it does first."""
        self.stats.fired += 1
        activation, shown = live.activation, _shown(live)
        if activation.awaited:
            # Not at once: it may turn out that it has not fired after all.
            self._proxy.clock.callLater(0, activation.tell_waiting)
        self._proxy.log.debug(
            "{name}: link {link}, exchange {exchange}: {behavior} on {verb} {target}: {did}",
            name=self._proxy.name,
            link=link.number,
            exchange=label_of(live.exchange),
            behavior=live.behavior.name,
            verb=shown.get("verb", ""),
            target=shown.get("target", ""),
            did=", ".join(live.did),
        )
        if self.observers:
            self.event(
                "fired",
                link,
                rule=activation.key,
                behavior=live.behavior.name,
                options=plain_values(live.behavior),
                exchange=label_of(live.exchange),
                **shown,
                did=list(live.did),
            )

    def warn_of_misfire(self, activation: Activation, why: str) -> None:
        """A rule could not do what it is there for, for the first time."""
        self._proxy.log.warn(
            "{name}: {rule} has not fired where it was to: {why}; the exchange goes on without it"
            " (said once for this rule)",
            name=self._proxy.name,
            rule=activation.key,
            why=why,
        )

    def warn_of_verbs(self, activation: Activation) -> None:
        """A rule may be for a verb that this protocol does not have."""
        protocol = self._proxy.protocol
        known = protocol.verbs
        odd = [verb for verb in sorted(activation.rule.verbs) if known and verb not in known]
        if odd:
            self._proxy.log.warn(
                "{name}: {rule} is for {verb}, which {protocol} does not have (it has {known});"
                " is it the right --protocol?",
                name=self._proxy.name,
                rule=activation.key,
                verb=odd[0],
                protocol=protocol.name,
                known=", ".join(protocol.verbs),
            )

    def warn_of_tls(self, activation: Activation) -> None:
        """A rule may be for TLS with clients, where none is spoken."""
        secure = self._proxy.tls
        if activation.rule.behavior.needs_tls and not (secure is not None and secure.with_clients):
            self._proxy.log.warn(
                "{name}: {rule} does nothing: no TLS is spoken with clients here; use --tls auto",
                name=self._proxy.name,
                rule=activation.key,
            )

    def toxic_taken(self, link: Link, placed: PlacedToxic) -> None:
        """A toxic has taken one direction of a link."""
        if self.observers:
            self.event("toxic", link, **placed.describe())

    def event(self, event: str, link: Link | None, /, **fields: Any) -> None:
        """Something happened that the journal tells of."""
        if event == "misfired" and fields["told"]:
            self.stats.fired -= 1
        elif event == "broken":
            self.stats.broken += 1
        elif event == "opaque" and link is not None:
            self.stats.opaque += 1
            self._proxy.log.warn(
                "{name}: link {link} from {client} {done}: {why}",
                done="is ended" if self._proxy.close_on_desync else "is passed through unread from here on",
                name=self._proxy.name,
                link=link.number,
                client=link.client_address,
                why=fields["why"],
            )
        self.tell(event, 0 if link is None else link.number, fields)

    def recognise(self, direction: Direction, data: bytes) -> str:
        """What a stream is that cannot be followed, by its first bytes; ``""`` if nobody knows."""
        if direction is Direction.TO_BACKEND and begins_tls(data):
            self.advise(TLS_CLIENT)
            return "the client speaks TLS, and this listener does not"
        if direction is Direction.TO_CLIENT and is_alert(data):
            self.advise(TLS_BACKEND)
            return "the backend says that it speaks TLS"
        return ""

    def heard_nothing(self, link: Link, backend: Pipe) -> None:
        """The backend has ended a connection without a word: if it never had one, it is asked in vain."""
        others = any(each.to_client.bytes for each in self._proxy.links.values())
        # Who was asked nothing, or was left before, has no part in it.
        asked = backend.sent and not (backend.closing or link.client_left)
        if asked and not (others or self.stats.bytes_to_client):
            self.advise(SILENT_BACKEND)

    def advise(self, text: str) -> None:
        """Say in the log what to do; once."""
        if text not in self._advised:
            self._advised.add(text)
            self._proxy.log.warn("{name}: {text} (said once)", name=self._proxy.name, text=text)

    def count(self, link: Link) -> None:
        """A link has ended: what it has counted counts for its proxy."""
        stats, to_backend, to_client = self.stats, link.to_backend, link.to_client
        stats.exchanges += link.exchanges
        stats.unasked += link.turns.unasked
        stats.bytes_to_backend += to_backend.bytes
        stats.bytes_to_client += to_client.bytes
        stats.sent_to_backend += to_backend.sent
        stats.sent_to_client += to_client.sent
        if self._proxy.meter is not None:
            self._proxy.meter.over(link)

    def tell(self, event: str, number: int, fields: dict[str, Any]) -> None:
        """Tell the observers of something.

        :param number: of the link; 0 for none.
        """
        for observer in tuple(self.observers):
            try:
                observer(event, number, fields)
            except Exception:
                # Who only listens must not keep traffic from flowing.
                self._proxy.log.failure("an observer failed at {event}", event=event)


def _shown(live: LiveExchange) -> dict[str, str]:
    """What the journal may show: of the request, and the status of the reply if it has come."""
    exchange = live.exchange
    shown = exchange.message.log_fields()
    if exchange.response is not None and exchange.request is not None:
        status = exchange.response.log_fields().get("status", "")
        shown |= {"status": status} if status else {}
    return shown


def counted_by(link: Link) -> dict[str, int]:
    """What a link has counted so far, by the names that `Stats` has for it."""
    counted = {"exchanges": link.exchanges, "unasked": link.turns.unasked}
    for lane, pipe in link.ways():
        counted[f"bytes_{lane.direction.value}"] = lane.bytes
        counted[f"sent_{lane.direction.value}"] = lane.sent if pipe is None else pipe.sent
    return counted


def describe_links(links: Mapping[int, Link], number: int | None = None) -> list[dict[str, Any]]:
    """These links, the oldest first, or only the one of this number if it is there; see `describe_link`."""
    chosen = links.values() if number is None else filter(None, [links.get(number)])
    return [describe_link(each) for each in chosen]


def describe_link(link: Link) -> dict[str, Any]:
    """A link as JSON has it; times in seconds."""
    now = link.clock.seconds()
    return {
        "id": link.number,
        "client": link.client_address,
        "seconds": round(now - link.opened, 3),
        "idle": round(now - link.last_bytes, 3),
        "exchanges": link.exchanges,
        "bytes_to_backend": link.to_backend.bytes,
        "bytes_to_client": link.to_client.bytes,
        "opaque": link.opaque,
    }
