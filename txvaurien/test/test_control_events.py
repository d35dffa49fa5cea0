"""/events: the journal as JSON, as it grows, and as a stream."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.control.api import ControlApi
from txvaurien.control.events import STREAMS
from txvaurien.control.security import AllowedHosts, Guard
from txvaurien.control.streams import HEARTBEAT
from txvaurien.journal import Journal
from txvaurien.process.proxies import Proxies
from txvaurien.test.control_helpers import Answer, RawClient, proxy, registry

_STREAM = {"Host": "localhost", "Accept": "text/event-stream"}


class EventsCase(SynchronousTestCase):
    """A control server in memory, with a journal that keeps four records."""

    def setUp(self) -> None:
        controlled = proxy()
        self.clock: Any = controlled.reactor
        self.journal = Journal(self.clock, size=4)
        self.api = ControlApi(Proxies.of(controlled, registry()), self.journal)
        self.root = Guard(self.api.resource(), AllowedHosts("localhost"))

    def record(self, *events: str, proxy: str = "front", link: int = 0) -> None:
        """These happen, and are told of in a turn of their own."""
        for event in events:
            self.journal.record(proxy, event, link, {})
        self.clock.advance(0)

    def ask(self, query: str = "", **headers: str) -> RawClient:
        """A client that has asked for /events."""
        client = RawClient(self.root)
        lines = {"Host": "localhost", **{name.replace("_", "-"): value for name, value in headers.items()}}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        client.send(f"GET /events{query} HTTP/1.1\r\n{head}\r\n".encode())
        return client

    def stream(self, query: str = "", **headers: str) -> Stream:
        """A stream that has begun."""
        return Stream(self.ask(query, **_STREAM, **headers))

    def refused(self, query: str, **headers: str) -> tuple[str, str, str]:
        """The problem of a request that is refused."""
        answer = self.ask(query, **headers).answer()
        self.assertEqual(answer.status, 400, answer.raw)
        return answer.problem


class Stream:
    """Reads what one stream says."""

    def __init__(self, client: RawClient) -> None:
        self.client = client
        self.head = client.answer()
        self._chunks = self.head.body

    def taken(self) -> bytes:
        """The bytes since the last time."""
        taken: bytes = self.client.wire.value()
        self.client.wire.clear()
        return taken

    def raw(self) -> str:
        """All that was said since the last time, out of its chunks."""
        self._chunks += self.taken()
        said = b""
        while self._chunks:
            size, _, rest = self._chunks.partition(b"\r\n")
            said += rest[: int(size, 16)]
            self._chunks = rest[int(size, 16) + 2 :]
        return said.decode()

    def events(self) -> list[dict[str, Any]]:
        """The data of all events since the last time."""
        lines = self.raw().split("\n")
        return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]

    def names(self) -> list[str]:
        """Their names."""
        return [each["event"] for each in self.events()]

    @property
    def _producer(self) -> Any:
        return self.client.wire.producer

    def pause(self) -> None:
        """The client reads no more."""
        self._producer.pauseProducing()

    def resume(self) -> None:
        """It reads again."""
        self._producer.resumeProducing()


class JsonTests(EventsCase):
    """GET /events without more."""

    def answered(self, client: RawClient) -> Any:
        """The body of an answer that has come."""
        answer: Answer = client.answer()
        self.assertEqual((answer.status, answer.headers["content-type"]), (200, "application/json"))
        return answer.said

    def test_records(self) -> None:
        """The answer is that of /journal."""
        self.record("link-opened", "killed", link=2)
        self.record("plan")
        said = self.answered(self.ask("?event=killed"))
        self.assertEqual([each["n"] for each in said["records"]], [2])
        self.assertEqual((said["first"], said["last"]), (1, 3))
        other = self.journal_of("?event=killed")
        self.assertEqual(other, said)

    def journal_of(self, query: str) -> Any:
        """What /journal says."""
        return RawClient(self.root).ask("GET", f"/journal{query}").said

    def test_impossible_values(self) -> None:
        """A field that JSON has no form for does not keep anybody from the others."""
        self.journal.record("front", "killed", 1, {"how": float("nan"), "what": object()})
        [record] = self.answered(self.ask())["records"]
        self.assertEqual((record["how"], record["what"]), (None, "(object)"))

    def test_last(self) -> None:
        """The last few, and none of them."""
        self.record("plan", "killed", "expired")
        self.assertEqual([each["n"] for each in self.answered(self.ask("?last=2"))["records"]], [2, 3])
        self.assertEqual(self.answered(self.ask("?last=0"))["records"], [])

    def test_wait_for_what_is_there(self) -> None:
        """Who waits for what is there need not wait."""
        self.record("plan")
        self.assertEqual(len(self.answered(self.ask("?wait=10"))["records"]), 1)

    def test_wait(self) -> None:
        """The answer comes with the first record that was asked for, and no other wakes it."""
        self.record("plan")
        client = self.ask("?since=1&event=killed&wait=10")
        self.record("plan")
        self.clock.advance(5)
        self.assertEqual(client.answer().status, 0)
        self.record("killed")
        self.assertEqual([each["n"] for each in self.answered(client)["records"]], [3])

    def test_wait_in_vain(self) -> None:
        """After that time the answer is that there is none; nothing is left behind."""
        client = self.ask("?wait=10s")
        self.clock.advance(9.9)
        self.assertEqual(client.answer().status, 0)
        self.clock.advance(0.2)
        self.assertEqual(self.answered(client), {"records": [], "first": 1, "last": 0})
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_wait_for_the_next(self) -> None:
        """Who wants none of those that are there waits for the next."""
        self.record("plan")
        client = self.ask("?last=0&wait=10")
        self.assertEqual(client.answer().status, 0)
        self.record("killed")
        self.assertEqual([each["n"] for each in self.answered(client)["records"]], [2])

    def test_wait_for_many(self) -> None:
        """Of those that come at once, too, there are no more than were asked for."""
        first, last = self.ask("?wait=10&limit=1"), self.ask("?wait=10&last=1")
        self.record("plan", "killed")
        self.assertEqual([each["n"] for each in self.answered(first)["records"]], [1])
        self.assertEqual([each["n"] for each in self.answered(last)["records"]], [2])

    def test_gone(self) -> None:
        """Of a client that waits and goes away nothing is left."""
        self.ask("?wait=10").leave()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.record("plan")

    def test_wrong(self) -> None:
        """What cannot be asked for is named."""
        self.assertEqual(self.refused("?event=fird")[:2], ("querystring", "event"))
        self.assertEqual(self.refused("?wait=-1")[:2], ("querystring", "wait"))
        self.assertEqual(self.refused("?last=1&limit=1")[:2], ("querystring", "last"))


class StreamTests(EventsCase):
    """GET /events with ``Accept: text/event-stream``."""

    def test_head(self) -> None:
        """It is of that type, nobody keeps it, no page can be made of it, and it begins at once."""
        stream = self.stream()
        self.assertEqual(stream.head.status, 200)
        for name, value in (
            ("content-type", "text/event-stream"),
            ("cache-control", "no-store"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("x-content-type-options", "nosniff"),
            ("vary", "accept"),
        ):
            self.assertEqual(stream.head.headers[name], value)
        self.assertEqual(stream.raw(), "retry: 2000\n\n")

    def test_form(self) -> None:
        """What is there is told, then what comes: number, event, and the record as one line of JSON."""
        self.record("killed", link=3)
        stream = self.stream()
        first, event, rest = stream.raw().split("\n\n")
        self.assertEqual((first, rest), ("retry: 2000", ""))
        number, name, data = event.split("\n")
        self.assertEqual((number, name), ("id: 1", "event: killed"))
        self.assertEqual(json.loads(data.removeprefix("data: ")), self.journal.since()[0].as_json())
        self.record("plan", "expired")
        self.assertEqual(stream.names(), ["plan", "expired"])

    def test_accept(self) -> None:
        """Only who names the type gets a stream; what has no weight is not asked for."""
        for accept, kind in (
            ("*/*", "application/json"),
            ("text/*", "application/json"),
            ("text/event-stream;q=0, application/json", "application/json"),
            ("text/event-stream; q=0.000", "application/json"),
            ("application/json;q=0.5, TEXT/Event-Stream;q=0.9", "text/event-stream"),
        ):
            answer = self.ask(Accept=accept).answer()
            self.assertEqual(answer.headers["content-type"], kind, accept)

    def test_filters(self) -> None:
        """Only what was asked for is told."""
        stream = self.stream("?event=killed&link=2&proxy=front")
        self.record("killed", "plan", link=2)
        self.record("killed", link=3)
        self.record("killed", link=2, proxy="back")
        self.record("killed", link=2)
        self.assertEqual([each["n"] for each in stream.events()], [1, 5])

    def test_resume(self) -> None:
        """A client that comes again says what it has seen; that goes before the query it once had."""
        self.record("plan", "killed", "expired")
        self.assertEqual(self.stream("?since=1").names(), ["killed", "expired"])
        self.assertEqual(self.stream("?since=1", Last_Event_ID="2").names(), ["expired"])
        self.assertEqual(self.stream("?since=1", Last_Event_ID="").names(), ["killed", "expired"])

    def test_last(self) -> None:
        """It can begin with the last few of what was asked for, or with what comes."""
        self.record("plan", "killed", "plan", "killed")
        self.assertEqual([each["n"] for each in self.stream("?last=1&event=plan").events()], [3])
        stream = self.stream("?last=0")
        self.assertEqual(stream.events(), [])
        self.record("expired")
        self.assertEqual(stream.names(), ["expired"])

    def test_another_run(self) -> None:
        """A number that is not reached yet is of another run: then all is new."""
        self.record("plan")
        self.assertEqual(self.stream(Last_Event_ID="500").names(), ["plan"])

    def test_lost(self) -> None:
        """Records that are gone are told as lost, with their numbers; the client goes on behind them."""
        self.record(*["plan"] * 7)
        stream = self.stream("?since=1")
        lost, *others = stream.events()
        self.assertEqual(lost, {"event": "lost", "from": 2, "to": 3, "count": 2})
        self.assertEqual([each["n"] for each in others], [4, 5, 6, 7])

    def test_slow(self) -> None:
        """A client that does not read is told nothing, then what is still there, and what it has missed."""
        stream = self.stream()
        stream.raw()
        stream.pause()
        self.record(*["plan"] * 9)
        self.assertEqual(stream.raw(), "")
        stream.resume()
        lost, *others = stream.events()
        self.assertEqual((lost["from"], lost["to"], lost["count"]), (1, 5, 5))
        self.assertEqual([each["n"] for each in others], [6, 7, 8, 9])
        self.record("killed")
        self.assertEqual(stream.names(), ["killed"])

    def test_paused_and_resumed_with_nothing_new(self) -> None:
        """A pause in which nothing happens changes nothing."""
        stream = self.stream()
        stream.pause()
        stream.resume()
        self.record("plan")
        self.assertEqual(stream.names(), ["plan"])

    def test_heartbeat(self) -> None:
        """Where nothing is to be told there is a comment now and then, and how far the journal is."""
        stream = self.stream("?event=killed")
        self.record("plan")
        self.assertEqual(stream.raw(), "retry: 2000\n\n")
        self.clock.advance(HEARTBEAT)
        self.assertEqual(stream.raw(), ":\nid: 1\n\n")
        stream.pause()
        self.clock.advance(HEARTBEAT)
        self.assertEqual(stream.raw(), "")

    def test_gone(self) -> None:
        """Of a client that goes away nothing is left, whether it read or not."""
        for pauses in (False, True):
            stream = self.stream()
            if pauses:
                stream.pause()
            stream.client.leave()
            self.assertEqual(self.clock.getDelayedCalls(), [])
            self.record("plan")
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_server_stops(self) -> None:
        """Then the stream ends in order: a client can tell that from a connection that was lost."""
        stream = self.stream()
        stream.raw()
        self.api.stop()
        self.assertEqual(stream.taken(), b"0\r\n\r\n")
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.api.stop()

    def test_too_many(self) -> None:
        """So many at once, and no more; who goes makes room."""
        streams = [self.stream() for _ in range(STREAMS)]
        answer = self.ask(**_STREAM).answer()
        self.assertEqual((answer.status, answer.headers["retry-after"]), (503, "10"))
        self.assertEqual(answer.problem[0], "server")
        self.assertEqual(self.ask().answer().status, 200)
        streams[0].client.leave()
        self.assertEqual(self.stream().head.status, 200)

    def test_head_only(self) -> None:
        """Who asks for the head gets that, and no stream."""
        client = RawClient(self.root)
        client.send(b"HEAD /events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
        answer = client.answer()
        self.assertEqual((answer.status, answer.headers["content-type"]), (200, "text/event-stream"))
        self.assertEqual((answer.body, self.clock.getDelayedCalls()), (b"", []))

    def test_wrong(self) -> None:
        """What cannot be said of a stream is refused, in JSON."""
        for query, name in (("?limit=1", "limit"), ("?wait=1", "wait"), ("?event=x", "event")):
            self.assertEqual(self.refused(query, **_STREAM)[:2], ("querystring", name))
        for number in ("x", "-1", "1.5", "9" * 30):
            problem = self.refused("", Last_Event_ID=number, **_STREAM)
            self.assertEqual(problem[:2], ("header", "Last-Event-ID"))
