"""What memcache says in its text protocol to requests that differ in a flag or a word (protocol.txt)."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.errors import NotLegal
from txvaurien.protocols.memcache import Memcache
from txvaurien.testing import TO_BACKEND, Recorder

KINDS = ("miss", "exists", "not-stored", "busy")

#: What each line is answered, by kind; the others cannot be said to it.
SAID: dict[bytes, dict[str, bytes]] = {
    b"mg a v": {"miss": b"EN"},
    b"mg a v q": {"miss": b""},
    b"mg a k O12": {"miss": b"EN ka O12"},
    b"ms a 1\r\nx": {"not-stored": b"NS"},
    b"ms a 1 C5\r\nx": {"miss": b"NF", "exists": b"EX", "not-stored": b"NS"},
    b"ms a 1 C5 k O7 b c\r\nx": {
        "miss": b"NF ka b O7 c0",
        "exists": b"EX ka b O7 c0",
        "not-stored": b"NS ka b O7 c0",
    },
    b"md YWI= b k": {"miss": b"NF kYWI= b"},
    b"md a c k": {"miss": b"NF ka"},
    b"md a C5": {"miss": b"NF", "exists": b"EX"},
    b"ma a": {"miss": b"NF"},
    b"ma a N0": {},
    b"ma a C5 q": {"miss": b"NF", "exists": b"EX"},
    b"me a": {"miss": b"EN"},
    b"me a k": {"miss": b"EN"},
    b"mn": {},
    b"get a": {"miss": b"END"},
    b"set a 0 0 1\r\nx": {"not-stored": b"NOT_STORED"},
    b"cas a 0 0 1 5\r\nx": {"miss": b"NOT_FOUND", "exists": b"EXISTS"},
    b"slabs reassign 1 2": {"busy": b"BUSY currently processing reassign request"},
    b"slabs automove 0": {},
    b"lru_crawler crawl 1": {"busy": b"BUSY currently processing crawler request"},
    b"lru_crawler enable": {},
    b"quit": {},
}


class WordsTests(SynchronousTestCase):
    """The server's words."""

    def said(self, line: bytes) -> dict[str, bytes]:
        """What can be said to this request."""
        found: dict[str, bytes] = {}
        for kind in KINDS:
            recorder = Recorder(Memcache().session())
            recorder.feed(TO_BACKEND, line + b"\r\n")
            (seen,) = recorder.seen
            try:
                found[kind] = recorder.session.refuse(seen.exchange, kind).to_client.removesuffix(b"\r\n")
            except NotLegal:
                self.assertNotIn(kind, recorder.session.legal(seen.exchange))
        return found

    def test_words(self) -> None:
        """Flags that a reply repeats are repeated; what no server says to a request cannot be said."""
        for line, expected in SAID.items():
            self.assertEqual(self.said(line), expected, line)

    def test_not_answered(self) -> None:
        """A last word ``noreply`` keeps the server quiet where the command knows it, and nowhere else."""
        for line, replies in (
            (b"set a 0 0 1 noreply\r\nx", False),
            (b"cas a 0 0 1 5 noreply\r\nx", False),
            (b"incr a 1 noreply", False),
            (b"delete a noreply", False),
            (b"flush_all noreply", False),
            (b"get a noreply", True),
            (b"delete noreply", True),
        ):
            recorder = Recorder(Memcache().session())
            recorder.feed(TO_BACKEND, line + b"\r\n")
            self.assertIs(recorder.seen[0].replies, replies, line)
