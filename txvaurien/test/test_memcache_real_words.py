"""What the catalogue says, byte for byte as a real memcached said it."""

from __future__ import annotations

from collections.abc import Iterable

from txvaurien.model import Connect, Exchange
from txvaurien.protocols.memcache import Memcache
from txvaurien.test.memcache_samples import (
    APPEND,
    DELETE,
    DELTA,
    GET,
    GETK,
    GETKQ,
    GETQ,
    INCR,
    NOOP,
    SASL_AUTH,
    SET,
    SETQ,
    STORE,
    ask,
    tell,
    text_set,
)
from txvaurien.test.memcached_server import Memcached, SaslMemcached, TextAuthMemcached, say
from txvaurien.test.support import ProxyCase, connect
from txvaurien.testing import TO_BACKEND, Recorder

#: The end of an answer: the no-op that follows each question.
TEXT_END = (b"mn\r\n", b"MN\r\n")
BINARY_END = (ask(NOOP, opaque=99), tell(NOOP, opaque=99))

LARGE = b"x" * 2_000_000

#: A kind, and a request to which memcached says it; `key` is there, with a value that is no number.
TEXT_QUESTIONS = (
    ("error", b"get\r\n"),
    ("error", b"nonsense\r\n"),
    ("client-error", b"set " + b"k" * 251 + b" 0 0 -1\r\n"),
    ("too-large", text_set(b"key", LARGE)),
    ("too-large", text_set(b"key", LARGE, b" noreply")),
    ("too-large", b"ms key 2000000\r\n" + LARGE + b"\r\n"),
    ("miss", b"get none\r\n"),
    ("miss", b"gets none other\r\n"),
    ("miss", b"gat 0 none\r\n"),
    ("miss", b"delete none\r\n"),
    ("miss", b"delete none noreply\r\n"),
    ("miss", b"incr none 1\r\n"),
    ("miss", b"touch none 1\r\n"),
    ("miss", b"cas none 0 0 1 5\r\n1\r\n"),
    ("miss", b"mg none v\r\n"),
    ("miss", b"mg none v k O123 t\r\n"),
    ("miss", b"mg bm9uZQ== O1 v k b\r\n"),
    ("miss", b"mg none v k q O123\r\n"),
    ("miss", b"md none O1 k\r\n"),
    ("miss", b"ma none k O1\r\n"),
    ("miss", b"me none\r\n"),
    ("miss", b"ms none 1 C5 k O9\r\n1\r\n"),
    ("not-stored", b"add key 0 0 1\r\n1\r\n"),
    ("not-stored", b"append none 0 0 1\r\n1\r\n"),
    ("not-stored", b"replace none 0 0 1\r\n1\r\n"),
    ("not-stored", b"ms key 1 ME O3 k\r\n1\r\n"),
    ("not-stored", b"ms key 1 ME c k q\r\n1\r\n"),
    ("exists", b"cas key 0 0 1 999999\r\n1\r\n"),
    ("exists", b"ms key 1 C999999 O3\r\n1\r\n"),
    ("exists", b"md key C999999 k\r\n"),
)

BINARY_QUESTIONS = (
    ("client-error", ask(GET)),
    ("too-large", ask(SET, b"key", LARGE, STORE, opaque=7)),
    ("too-large", ask(APPEND, b"key", LARGE, opaque=7)),
    ("miss", ask(GET, b"none", opaque=7)),
    ("miss", ask(GETK, b"none", opaque=7)),
    ("miss", ask(GETQ, b"none")),
    ("miss", ask(GETKQ, b"none")),
    ("miss", ask(0x23, b"none", extras=bytes(4))),
    ("miss", ask(0x1C, b"none", extras=bytes(4))),
    ("miss", ask(DELETE, b"none")),
    ("miss", ask(INCR, b"none", extras=DELTA)),
    ("miss", ask(SETQ, b"none", b"1", STORE, cas=5)),
    ("not-stored", ask(0x02, b"key", b"1", STORE)),
    ("not-stored", ask(0x03, b"none", b"1", STORE)),
    ("not-stored", ask(APPEND, b"none", b"1")),
    ("exists", ask(SET, b"key", b"1", STORE, cas=999_999)),
    ("exists", ask(DELETE, b"key", cas=999_999)),
    ("error", ask(SASL_AUTH, b"PLAIN")),
    ("error", ask(0x77)),
)


def refused(kind: str, request: bytes) -> bytes:
    """What the proxy says in place of the server."""
    session = Memcache().session()
    exchange = Recorder(session, lambda *_: True).feed(TO_BACKEND, request)[0].exchange
    assert exchange is not None
    return session.refuse(exchange, kind).to_client


class RealWordsTests(ProxyCase):
    """Real servers, made to say it."""

    async def compare(
        self, port: int, questions: Iterable[tuple[str, bytes]], begin: bytes, end: tuple[bytes, bytes]
    ) -> None:
        """Ask the server, and the session."""
        for kind, request in questions:
            said = await self.in_thread(say, port, begin + request + end[0], end[1])
            said = _after(said, begin).removesuffix(end[1])
            self.assertEqual(said, refused(kind, request), (kind, request[:50]))

    async def test_text(self) -> None:
        """The text protocol."""
        server = self.start_server(Memcached())
        await self.compare(server.port, TEXT_QUESTIONS, text_set(b"key", b"value"), TEXT_END)

    async def test_binary(self) -> None:
        """The binary protocol."""
        server = self.start_server(Memcached())
        await self.compare(server.port, BINARY_QUESTIONS, ask(SET, b"key", b"value", STORE), BINARY_END)

    async def test_out_of_memory(self) -> None:
        """A server that is full and must not evict."""
        server = self.start_server(Memcached("-M", "-m", "8", "-I", "512k"))
        for protocol in (self.fill_by_text, self.fill_by_binary):
            await protocol(server.port)

    async def fill_by_text(self, port: int) -> None:
        """Until it is full."""
        requests = b"".join(text_set(b"key%d" % number, b"x" * 400_000) for number in range(40))
        said = await self.in_thread(say, port, requests + TEXT_END[0], TEXT_END[1])
        self.assertIn(refused("out-of-memory", text_set(b"key", b"")), said)

    async def fill_by_binary(self, port: int) -> None:
        """Until it is full."""
        request = ask(SET, b"key", b"x" * 400_000, STORE)
        said = await self.in_thread(say, port, request * 40 + BINARY_END[0], BINARY_END[1])
        self.assertIn(refused("out-of-memory", request), said)

    async def test_too_many_connections(self) -> None:
        """A server with no place left."""
        server = self.start_server(Memcached("-c", "20", "-t", "1"))
        session = Memcache().session()
        expected = session.refuse(Exchange(Connect()), "too-many-connections").to_client

        def one_too_many() -> bytes:
            links = [connect(server.port) for _ in range(40)]
            try:
                return links[-1].recv(100)
            finally:
                for link in links:
                    link.close()

        self.assertEqual(await self.in_thread(one_too_many), expected)

    async def test_not_logged_in(self) -> None:
        """Servers that want to know who it is."""
        text = self.start_server(TextAuthMemcached())
        said = await self.in_thread(say, text.port, b"get a\r\n", b"\r\n")
        self.assertEqual(said, refused("auth-error", b"get a\r\n"))
        binary = self.start_server(SaslMemcached())
        for request in (ask(GET, b"a"), ask(SASL_AUTH, b"PLAIN", b"\0a\0b")):
            said = await self.in_thread(say, binary.port, request, b"Auth failure.")
            self.assertEqual(said, refused("auth-error", request))

    async def test_busy(self) -> None:
        """A crawler that is at work says so: it dumps more than a client that does not read takes."""
        server = self.start_server(Memcached())
        items = b"".join(text_set(b"%0200d" % number, b"", b" noreply") for number in range(80_000))
        request = b"lru_crawler crawl all\r\n"

        def crawl_while_dumping() -> bytes:
            say(server.port, items + TEXT_END[0], TEXT_END[1])
            with connect(server.port) as dumping:
                dumping.sendall(b"lru_crawler metadump all\r\n")
                dumping.recv(1)
                return say(server.port, request, b"\r\n")

        self.assertEqual(await self.in_thread(crawl_while_dumping), refused("busy", request))


def _after(said: bytes, begin: bytes) -> bytes:
    """Without the answer to the storing of `key`."""
    return said[24:] if begin[0] == 0x80 else said.removeprefix(b"STORED\r\n")
