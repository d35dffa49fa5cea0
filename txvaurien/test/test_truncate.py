"""truncate, for a protocol that announces sizes, for one that does not, and for bytes."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.truncate import Truncate
from txvaurien.model import Hook
from txvaurien.plan import Plan
from txvaurien.protocols.base import WireProtocol
from txvaurien.protocols.http import Http
from txvaurien.protocols.tcp import Tcp
from txvaurien.rules import Rule
from txvaurien.test.http_samples import CHUNKS, GET, OK, response, sized
from txvaurien.test.lines import Lines
from txvaurien.test.memory import MemoryProxy, MemoryTransport
from txvaurien.testing.behaviors import BehaviorLaws

HEAD_OF_OK = OK[:-5]
CHUNKED = response("200 OK", "Transfer-Encoding: chunked")


def cut(behavior: Truncate, protocol: WireProtocol, asked: bytes, *answered: bytes) -> MemoryTransport:
    """What becomes of a client whose reply comes in these pieces."""
    proxy = MemoryProxy(behavior, protocol)
    client, backend = proxy.pair()
    client.says(asked)
    assert backend.received == asked
    for piece in answered:
        if not backend.ended:
            backend.says(piece)
    return client


class TruncateTests(BehaviorLaws, SynchronousTestCase):
    """The reply stops short, and the connection ends there."""

    examples = (Truncate(), Truncate(share=0.25, reset=True), Truncate(keep=1000))

    def test_hook(self) -> None:
        """It acts on the reply."""
        self.assertEqual(Truncate().acts(Tcp()), {Hook.BETWEEN})

    def test_short_of_its_length(self) -> None:
        """The head says how much there is, and less comes, however it comes."""
        for pieces in ([OK], [HEAD_OF_OK, b"hello"], [OK[:10], OK[10:-4], b"ell", b"o"]):
            client = cut(Truncate(), Http(), GET, *pieces)
            self.assertEqual((client.received, client.ended), (HEAD_OF_OK + b"he", "fin"))

    def test_share(self) -> None:
        """The share is of the announced content; all of it is still one byte too few."""
        content = bytes(range(100))
        head = sized("200 OK", content)[:-100]
        for share, left in ((0.0, 0), (0.25, 25), (0.999, 99), (1.0, 99)):
            client = cut(Truncate(share=share), Http(), GET, head, content[:30], content[30:])
            self.assertEqual(client.received, head + content[:left])

    def test_mid_chunk(self) -> None:
        """Without a length it is the share of what is there of the content."""
        client = cut(Truncate(share=0.2), Http(), GET, CHUNKED, CHUNKS)
        self.assertEqual(client.received, CHUNKED + CHUNKS[: len(CHUNKS) // 5])
        self.assertEqual(client.ended, "fin")

    def test_mid_chunk_in_one_piece(self) -> None:
        """The head is no part of the content, also if it came together with it."""
        client = cut(Truncate(share=0.2), Http(), GET, CHUNKED + CHUNKS)
        self.assertEqual(client.received, CHUNKED + CHUNKS[: len(CHUNKS) // 5])

    def test_until_the_end(self) -> None:
        """What lasts until the connection ends is only shorter; RST is the end that can be told from it."""
        endless = response("200 OK")
        for reset, ended in ((False, "fin"), (True, "rst")):
            proxy = MemoryProxy(Truncate(reset=reset), Http())
            client, backend = proxy.pair()
            client.says(GET)
            backend.says(endless + b"hello you!")
            proxy.pass_time()
            self.assertEqual((client.received, client.ended), (endless + b"hello", ended))

    def test_nothing_but_a_head(self) -> None:
        """A reply without content is cut in its head."""
        empty = response("204 No Content")
        self.assertEqual(cut(Truncate(), Http(), GET, empty).received, empty[: len(empty) // 2])

    def test_other_protocols(self) -> None:
        """Where no size is announced: half of what comes first, down to nothing."""
        self.assertEqual(cut(Truncate(), Lines(), b"get a\n", b"value\n").received, b"val")
        self.assertEqual(cut(Truncate(), Tcp(), b"hello", b"answer", b"more").received, b"ans")
        self.assertEqual(cut(Truncate(), Tcp(), b"hello", b"!").received, b"")

    def test_keep(self) -> None:
        """So many bytes and no more; one that is not longer is left as it is."""
        client = cut(Truncate(keep=10), Http(), GET, OK[:7], OK[7:])
        self.assertEqual((client.received, client.ended), (OK[:10], "fin"))
        client = cut(Truncate(keep=len(OK) + 1), Http(), GET, OK)
        self.assertEqual((client.received, client.ended), (OK, ""))

    def test_reset(self) -> None:
        """The connection may end with RST."""
        proxy = MemoryProxy(Truncate(reset=True), Http())
        client, backend = proxy.pair()
        client.says(GET)
        backend.says(OK)
        proxy.pass_time()
        self.assertEqual((client.received, client.ended), (HEAD_OF_OK + b"he", "rst"))

    def test_only_that_reply(self) -> None:
        """Replies before it, pipelined, are whole, and the link is gone afterwards."""
        proxy = MemoryProxy(Plan(rules=(Rule(Truncate(), target="/a*", after=1),), seed=1), Http())
        client, backend = proxy.pair()
        client.says(GET + GET)
        backend.says(OK + OK)
        self.assertEqual(client.received, OK + HEAD_OF_OK + b"he")
        client.fins()
        backend.fins()
        self.assertEqual(proxy.links, {})
