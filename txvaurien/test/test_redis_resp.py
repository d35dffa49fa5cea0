"""txvaurien.protocols.redis.resp, .replies, .inline and .heads: where messages end, and what is in them."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.errors import FramingError
from txvaurien.protocols.redis.heads import arguments, declared, error_code, first_word, scalars, value_at
from txvaurien.protocols.redis.inline import split_inline
from txvaurien.protocols.redis.replies import MAX_DEPTH, Replies
from txvaurien.protocols.redis.resp import HEAD_LIMIT, Piece, Reader, Requests
from txvaurien.test.redis_samples import BIG, VALUES, array, bulk, cmd, steady, values


def pieces(reader: Reader, *chunks: bytes) -> list[Piece]:
    """What a reader gives out for these chunks."""
    found = []
    for chunk in chunks:
        reader.push(chunk)
        while reader.start < len(reader.data):
            piece = reader.piece(reader.scan())
            if piece is None:
                break
            found.append(piece)
    return found


def messages(reader: Reader, *chunks: bytes) -> list[bytes]:
    """The whole messages among them, their pieces joined."""
    whole: list[bytes] = []
    begun = b""
    for raw, first, last in pieces(reader, *chunks):
        begun = raw if first else begun + raw
        if last:
            whole.append(begun)
    return whole


def bytewise(data: bytes) -> list[bytes]:
    """One byte after the other."""
    return [data[at : at + 1] for at in range(len(data))]


class ReaderTests(SynchronousTestCase):
    """Messages are found in any pieces."""

    def test_requests(self) -> None:
        """Multibulk and inline commands, empty ones too, each alone and one byte at a time."""
        told = [
            cmd("GET", "a"),
            b"*0\r\n",
            b"*-1\r\n",
            b"\r\n",
            b"\n",
            b"PING\r\n",
            cmd(*["arg"] * 12),
            cmd("SET", "k", "v" * 99),
            cmd("SET", "k", "v" * 100),
            cmd("SET", "k", "v" * 12345),
            cmd("SET", "k", b"\r\n*1\r\n$4\r\n"),
            b"*1\r\n$4\r\nPING\r\n",
        ]
        data = b"".join(told)
        self.assertEqual(messages(Requests(), data), told)
        self.assertEqual(messages(Requests(), *bytewise(data)), told)

    def test_replies(self) -> None:
        """Every type of RESP2 and RESP3, in one chunk, one byte at a time, and with something behind."""
        data = b"".join(VALUES)
        self.assertEqual(messages(Replies(), data), list(VALUES))
        self.assertEqual(messages(Replies(), *bytewise(data)), list(VALUES))
        for value in VALUES:
            self.assertEqual(messages(Replies(), value + b"*1\r\n$9\r\nhal"), [value])

    def test_inline_in_pieces(self) -> None:
        """An inline command ends with its line, also if a piece of it begins as an array does."""
        line = b"ECHO *1\r\n"
        told = [line, cmd("PING")]
        for at in range(len(line)):
            data = line + cmd("PING")
            self.assertEqual(messages(Requests(), data[:at], data[at:]), told, at)
            self.assertEqual(messages(Requests(), *bytewise(data[:at]), data[at:]), told, at)

    def test_replies_incomplete(self) -> None:
        """No proper beginning of a reply is taken for the whole."""
        for value in VALUES:
            for end in range(len(value)):
                self.assertEqual(pieces(Replies(), value[:end]), [], value[:end])

    def test_head(self) -> None:
        """A message of up to 64 KiB is one frame; a longer one begins with a frame of exactly that."""
        for reader, small in ((Requests(), cmd("SET", "k", b"")), (Replies(), b"*1\r\n" + bulk(b""))):
            room = HEAD_LIMIT - len(small) - len("65536") + 1
            exact = small.replace(b"$0\r\n", b"$%d\r\n" % room + b"x" * room)
            longer = small.replace(b"$0\r\n", b"$%d\r\n" % (room + 1) + b"x" * (room + 1))
            self.assertEqual(len(exact), HEAD_LIMIT)
            self.assertEqual(pieces(reader, exact), [(exact, True, True)])
            cut = [(longer[:HEAD_LIMIT], True, False), (longer[HEAD_LIMIT:], False, True)]
            self.assertEqual(pieces(reader, longer), cut)
            self.assertEqual(pieces(reader, *bytewise(longer)), cut)

    def test_streaming(self) -> None:
        """Behind its head a big value is given out chunk by chunk: the very same bytes, not a copy."""
        reader = Requests()
        reader.push(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$10000000\r\n" + b"x" * HEAD_LIMIT)
        self.assertFalse(reader.scan())
        self.assertIsNotNone(reader.piece(False))
        self.assertIsNotNone(reader.piece(False))
        for _ in range(20):
            chunk = b"y" * 100_000
            reader.push(chunk)
            piece = reader.piece(reader.scan())
            assert piece is not None
            self.assertIs(piece[0], chunk)
            self.assertEqual(reader.rest(), b"")

    def test_header_at_the_cut(self) -> None:
        """A length that lies across the end of the head is read all the same."""
        for reader, lead in ((Requests(), b"*3\r\n"), (Replies(), b"*3\r\n")):
            for shift in range(14):
                first = HEAD_LIMIT - 20 + shift
                data = lead + bulk(b"x" * first) + bulk(b"y" * 30_000) + bulk(b"z") + cmd("PING")
                told = [data[: -len(cmd("PING"))], cmd("PING")]
                self.assertEqual(messages(reader, data), told)
                self.assertEqual(messages(reader, data[:HEAD_LIMIT], *bytewise(data[HEAD_LIMIT:])), told)

    def test_long_line(self) -> None:
        """A line without end is streamed as well, and its end is found across chunks."""
        line = b"+" + b"s" * 200_000 + b"\r\n"
        self.assertEqual(messages(Replies(), line[:-1], line[-1:] + b":1\r\n"), [line, b":1\r\n"])
        reader = Replies()
        for at in range(0, len(line) - 1, 1000):
            pieces(reader, line[at : at + 1000])
            self.assertLess(len(reader.rest()), HEAD_LIMIT)

    def test_rest(self) -> None:
        """What was not given out is there, whatever has been looked at."""
        reader = Replies()
        reader.push(b":1\r\n*2\r\n:2\r\n$5\r\nhal")
        self.assertEqual(reader.piece(reader.scan()), (b":1\r\n", True, True))
        self.assertFalse(reader.scan())
        self.assertEqual(reader.rest(), b"*2\r\n:2\r\n$5\r\nhal")

    def test_unread(self) -> None:
        """A first piece that was taken back comes again, then what is behind it."""
        big = cmd("SET", "k", "x" * HEAD_LIMIT)
        for reader, data in ((Requests(), big), (Replies(), big), (Replies(), b":1\r\n")):
            reader.push(data + b":1\r\n")
            piece = reader.piece(reader.scan())
            assert piece is not None
            reader.unread(len(piece[0]))
            self.assertEqual(reader.piece(reader.scan()), piece)
            self.assertTrue((data + b":1\r\n").endswith(reader.rest()))
            if not piece[2]:
                self.assertEqual(reader.piece(reader.scan()), (data[HEAD_LIMIT:], False, True))

    def test_forgotten(self) -> None:
        """Between messages nothing of a large one is kept."""
        reader = Requests()
        reader.push(cmd("SET", "k", "x" * 1000))
        self.assertIsNotNone(reader.piece(reader.scan()))
        reader.forget()
        self.assertEqual((reader.data, reader.idle), (b"", True))

    def test_cut_off(self) -> None:
        """What is left when a side goes away is the last of its message; of nothing, nothing is left."""
        reader = Replies()
        self.assertIsNone(reader.last_piece())
        reader.push(b"*2\r\n:1\r\n")
        self.assertIsNone(reader.piece(reader.scan()))
        self.assertEqual(reader.last_piece(), (b"*2\r\n:1\r\n", True, True))
        reader = Replies()
        reader.push(b"$100000\r\n" + b"x" * HEAD_LIMIT)
        pieces(reader, b"")
        self.assertEqual(reader.last_piece(), (b"", False, True))

    def test_nothing(self) -> None:
        """Where nothing has come there is no message."""
        self.assertFalse(Requests().scan())

    def test_no_rescan(self) -> None:
        """What was scanned once is not scanned again when more comes."""
        reader = Requests()
        reader.push(b"*3000\r\n")
        for number in range(2999):
            reader.push(bulk(f"{number}"))
            reader.scan()
            self.assertEqual((reader.at, reader.left), (len(reader.data), 2999 - number))
            self.assertFalse(reader.fresh)


class BrokenTests(SynchronousTestCase):
    """What is not RESP is said to be so, with the reason."""

    def assertBroken(self, reader: Reader, data: bytes, why: str) -> None:
        """It is found whole and byte by byte, and nothing of it is lost."""
        for chunks in ([data], bytewise(data)):
            other = type(reader)()
            error = self.assertRaises(FramingError, pieces, other, *chunks)
            self.assertIn(why, str(error))
            self.assertTrue(data.startswith(other.rest()))
            self.assertGreater(len(other.rest()), 0)

    def test_requests(self) -> None:
        """Lengths that are none, and what stands in the place of a bulk string."""
        self.assertBroken(Requests(), b"*x\r\n", "is not a length")
        self.assertBroken(Requests(), b"*\r\n", "is not a length")
        self.assertBroken(Requests(), b"* 1\r\n", "is not a length")
        self.assertBroken(Requests(), b"*1_0\r\n", "is not a length")
        self.assertBroken(Requests(), b"*9999999999\r\n", "invalid multibulk length")
        self.assertBroken(Requests(), b"*2147483648\r\n", "invalid multibulk length")
        self.assertEqual(pieces(Requests(), b"*2147483647\r\n"), [])
        self.assertBroken(Requests(), b"*1\r\n:1\r\n", "expected '$', got ':'")
        self.assertBroken(Requests(), b"*1\r\n$-1\r\n", "invalid bulk length")
        self.assertBroken(Requests(), b"*1\r\n$+4\r\n", "is not a length")
        self.assertBroken(Requests(), b"*" + b"1" * 40, "a length of more than")
        self.assertBroken(Requests(), b"*1\r\n$" + b"1" * 40, "a length of more than")

    def test_inline(self) -> None:
        """Quotes without an end, lines without an end, and binary data."""
        self.assertBroken(Requests(), b"GET 'a\r\n", "unbalanced quotes")
        self.assertBroken(Requests(), b"x" * HEAD_LIMIT + b"\r\n", "too big inline")
        self.assertBroken(Requests(), b"\x16\x03\x01\x02\x00\x01", "TLS")

    def test_replies(self) -> None:
        """Types that do not exist, lengths that are none, ends that end nothing."""
        for data, why in (
            (b"HTTP/1.1 400 Bad Request\r\n", "is not a reply"),
            (b"$x\r\n", "is not a length"),
            (b"$-2\r\n", "invalid bulk length"),
            (b"*-2\r\n", "invalid multibulk length"),
            (b"|-1\r\n", "invalid length"),
            (b">?\r\n", "is not a length"),
            (b".\r\n", "is not a reply"),
            (b"*1\r\n.\r\n", "is not a reply"),
            (b"*?\r\n.x\r\n", "is not a reply"),
            (b";1\r\n", "belongs to no streamed string"),
            (b"*?\r\n;0\r\n", "belongs to no streamed string"),
            (b"$" + b"1" * 40, "a length of more than"),
            (b"*1\r\n" * (MAX_DEPTH + 1), "nested deeper"),
        ):
            self.assertBroken(Replies(), data, why)

    def test_depth(self) -> None:
        """Nesting is followed without recursion as deep as it is allowed."""
        deep = b"*1\r\n" * (MAX_DEPTH - 1) + b":1\r\n"
        self.assertEqual(messages(Replies(), deep), [deep])

    def test_sound_part(self) -> None:
        """What came before the error in a message already begun is given out as in small chunks."""
        good = b"*3\r\n" + bulk(BIG)
        reader = Replies()
        reader.push(good + b"$x\r\n")
        self.assertRaises(FramingError, reader.scan)
        given = b"".join(raw for raw, _, _ in reader.before_error())
        self.assertEqual((given, reader.rest()), (good, b"$x\r\n"))

    def test_sound_part_in_small_messages(self) -> None:
        """Of a message that has not begun to be given out nothing is, however much there is."""
        for reader, broken in ((Requests(), b"$x\r\n"), (Replies(), b"$x\r\n")):
            bad = b"*3\r\n" + bulk("a") + broken + b"y" * HEAD_LIMIT
            reader.push(cmd("SET", "k", "x" * HEAD_LIMIT) + bad)
            self.assertIsNotNone(reader.piece(reader.scan()))
            self.assertIsNotNone(reader.piece(reader.scan()))
            self.assertRaises(FramingError, reader.scan)
            self.assertEqual((list(reader.before_error()), reader.rest()), ([], bad))

    def test_sound_part_at_the_cut(self) -> None:
        """The head is given out if it is sound; behind it, all that is."""
        head = b"*3\r\n" + bulk("x" * (HEAD_LIMIT - 14))
        self.assertEqual(len(head), HEAD_LIMIT)
        for reader in (Requests(), Replies()):
            reader.push(head + b"$x\r\n")
            self.assertRaises(FramingError, reader.scan)
            self.assertEqual(list(reader.before_error()), [(head, True, False)])
            other = type(reader)()
            self.assertEqual(pieces(other, head), [(head, True, False)])
            other.push(bulk("a") + b"$x\r\n")
            self.assertRaises(FramingError, other.scan)
            self.assertEqual(list(other.before_error()), [(bulk("a"), False, False)])
            self.assertEqual(other.rest(), b"$x\r\n")


class InlineTests(SynchronousTestCase):
    """A line is split as redis-server does it."""

    def test_words(self) -> None:
        """Blanks, both kinds of quotes, and what a backslash means in each."""
        for line, words in (
            (b"", []),
            (b" \t\v ", []),
            (b"GET key\r", [b"GET", b"key"]),
            (b"  set\ta  b ", [b"set", b"a", b"b"]),
            (b"set \"a b\" 'c d'", [b"set", b"a b", b"c d"]),
            (rb'"\x41\xzz\n\r\t\b\a\"\\\q"', [b'Axzz\n\r\t\b\a"\\q']),
            (rb"'it\'s' 'a\nb' '\\x'", [b"it's", rb"a\nb", rb"\\x"]),
            (b"pre\"fix\" x'y'", [b"prefix", b"xy"]),
            (b"\"\" ''", [b"", b""]),
        ):
            self.assertEqual(split_inline(line), words, line)

    def test_unbalanced(self) -> None:
        """A quote must be closed, and a blank or nothing comes after it."""
        broken = (b'"a', b"'a", b'"a"b', b"'a'b", b"a 'b", b'"a\\"', rb"'a\'", rb"'\\'", b'"a""b"', b"a\0b")
        for line in broken:
            self.assertRaises(FramingError, split_inline, line)


class HeadTests(SynchronousTestCase):
    """What is read of a head."""

    def test_arguments(self) -> None:
        """All that are there whole; and how many there are to be."""
        raw = cmd("SET", "key", "x" * 100)
        self.assertEqual(arguments(raw), [b"SET", b"key", b"x" * 100])
        self.assertEqual(arguments(raw[:-50]), [b"SET", b"key"])
        self.assertEqual(arguments(raw[:12]), [])
        self.assertEqual(declared(raw[:-50]), 3)
        self.assertEqual((arguments(b"set 'a b'\r\n"), declared(b"set 'a b'\r\n")), ([b"set", b"a b"], 2))
        self.assertEqual((arguments(b"*0\r\n"), declared(b"*-1\r\n")), ([], 0))
        self.assertEqual((arguments(b"*3"), declared(b"*3"), arguments(b"'half")), ([], 0, []))

    def test_first_word(self) -> None:
        """The name of the command, however it is written."""
        long = cmd("multi", *"x" * 20)
        for raw in (cmd("MULTI"), long, b"Multi\r\n", b"*1\r\n$05\r\nmulti\r\n", b"'multi'\n"):
            self.assertEqual(first_word(raw), b"MULTI", raw)
        self.assertEqual(first_word(cmd("PUNSUBSCRIBE", "a")), b"PUNSUBSCRIBE")
        for raw in (b"*0\r\n", b"\r\n", b"*", b"*1\r\n", b"*10\r\n$3", b"*10\r\n$36", b"*10\r\n$x\ry"):
            self.assertEqual(first_word(raw), b"", raw)

    def test_skipped(self) -> None:
        """What stands behind the CR of a length is skipped, as the server does, whoever reads it."""
        raw = b"*2\r\n$10\rxSUBSCRIBEX\r\n$12\rxkey number 1\r\n"
        self.assertEqual(messages(Requests(), raw), [raw])
        self.assertEqual(first_word(raw), b"SUBSCRIBEX")
        self.assertEqual(arguments(raw), [b"SUBSCRIBEX", b"key number 1"])
        reply = b"*2\r\n$10\rx0123456789\r\n:1\r\n"
        self.assertEqual(messages(Replies(), reply), [reply])
        self.assertEqual(scalars(reply, 2), [b"0123456789", b"1"])

    def test_error_code(self) -> None:
        """The first word of an error of either kind, behind attributes, too; else nothing."""
        self.assertEqual(error_code(b"-WRONGTYPE Operation\r\n"), "WRONGTYPE")
        self.assertEqual(error_code(b"-ERR\r\n"), "ERR")
        self.assertEqual(error_code(b"-\r\n"), "")
        self.assertEqual(error_code(b"!10\r\nNOAUTH abc\r\n"), "NOAUTH")
        self.assertEqual(error_code(b"|1\r\n+a\r\n*1\r\n:1\r\n-OOM x\r\n"), "OOM")
        for raw in (b"+OK\r\n", b"$1\r\n-\r\n", b"*1\r\n-ERR\r\n"):
            self.assertEqual(error_code(raw), "")

    def test_value_at(self) -> None:
        """Where a reply begins behind its attributes, or the end if that is not to be seen."""
        self.assertEqual(value_at(b":1\r\n"), 0)
        self.assertEqual(value_at(b"|1\r\n+a\r\n%1\r\n+b\r\n_\r\n:1\r\n"), 19)
        for raw in (b"|1\r\n+a\r\n", b"|1\r\n+a\r\n$?\r\n;0\r\n", b"|1"):
            self.assertEqual(value_at(raw), len(raw))

    def test_scalars(self) -> None:
        """The first values, one after another, of what is there whole."""
        self.assertEqual(scalars(array("message", "a", "b"), 2), [b"message", b"a"])
        nested = b">2\r\n+invalidate\r\n*2\r\n$1\r\na\r\n:5\r\n"
        self.assertEqual(scalars(nested, 9), [b"invalidate", b"a", b"5"])
        self.assertEqual(scalars(b"*2\r\n$-1\r\n$5\r\nab", 9), [b""])
        self.assertEqual(scalars(b"+OK\r\n", 9), [b"OK"])


COMMANDS = st.lists(st.binary(max_size=120), min_size=1, max_size=12)


class RandomTests(SynchronousTestCase):
    """Any values, in any pieces."""

    @steady
    @given(st.lists(values(), max_size=8), st.integers())
    def test_replies(self, told: list[bytes], seed: int) -> None:
        """Replies are told apart whatever they hold and however they are split."""
        data, random, chunks = b"".join(told), Random(seed), []
        while data:
            size = random.choice((1, 2, 3, 10, 100))
            chunks.append(data[:size])
            data = data[size:]
        self.assertEqual(messages(Replies(), *chunks), told)

    @steady
    @given(st.lists(COMMANDS, max_size=8), st.integers(1, 50))
    def test_requests(self, told: list[list[bytes]], size: int) -> None:
        """Requests are told apart, and their arguments are what was said."""
        data = b"".join(array(*words) for words in told)
        found = messages(Requests(), *[data[at : at + size] for at in range(0, len(data), size)])
        self.assertEqual([arguments(raw) for raw in found], told)
        self.assertEqual([first_word(raw) for raw in found], [words[0].upper() for words in told])
