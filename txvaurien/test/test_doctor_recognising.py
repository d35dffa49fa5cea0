"""Servers that are recognised by what they say; here they are played."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.doctor.answers import (
    CLUSTER,
    OFFERS_TLS,
    OFFERS_ZSTD,
    SENTINEL,
    WANTS_PASSWORD,
    Seen,
    understood,
)
from txvaurien.doctor.probes import http, in_order, memcache, memcache_binary, postgresql, redis, tls
from txvaurien.doctor.reaching import Way
from txvaurien.doctor.recognising import WaitLimits, greet, recognise
from txvaurien.test.doctor_support import LONG, SHORT
from txvaurien.test.peers import ScriptedBackend, read_all, read_exactly
from txvaurien.test.servers import free_port

#: What servers say, and what they are.
_SAID: Mapping[bytes, tuple[str, str]] = {
    b"SSH-2.0-OpenSSH_9.2p1\r\n": ("ssh", "SSH (SSH-2.0-OpenSSH_9.2p1)"),
    b"220 mx.example.org ESMTP Postfix\r\n": ("smtp", "a mail server (220 mx.example.org ESMTP Postfix)"),
    b"220 mx LMTP server ready\r\n": ("smtp", "a mail server (220 mx LMTP server ready)"),
    b"554 No SMTP service here\r\n": ("smtp", "a mail server (554 No SMTP service here)"),
    b"220 (vsFTPd 3.0.3)\r\n": ("ftp", "FTP (220 (vsFTPd 3.0.3))"),
    b"220 ready\r\n": ("220", "a server that begins with a number (220 ready)"),
    b"+OK ready\r\n": ("pop3", "POP3"),
    b"* OK [CAPABILITY IMAP4rev1] ready\r\n": ("imap", "IMAP"),
    b"RFB 003.008\n": ("vnc", "VNC (RFB 003.008)"),
    b'INFO {"server_id":"x"}\r\n': ("nats", "NATS"),
    b"AMQP\0\0\x09\x01": ("amqp", "AMQP"),
    b"\x05\0\0\0\x0b\x08\x05\x1a\0": ("mysqlx", "the X protocol of MySQL"),
    b"HTTP/1.1 404 Not Found\r\nserver: nginx/1.2\r\n\r\n": ("http", "HTTP (nginx/1.2)"),
    b"HTTP/1.0 501 No\r\n\r\n": ("http", "HTTP"),
    b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64": ("http2", "HTTP/2 without TLS"),
    b"VERSION 1.6.18\r\n": ("memcache", "memcached 1.6.18"),
    b"ERROR\r\n": ("memcache", "memcached"),
    b"CLIENT_ERROR unauthenticated\r\n": ("memcache", "memcached"),
    b"\x81\x0b\0\0": ("memcache", "memcached (binary protocol)"),
    b"+PONG\r\n": ("redis", "Redis"),
    b"-LOADING Redis is loading the dataset in memory\r\n": ("redis", "Redis"),
    b"\x15\x03\x01\0\x02\x02\x46": ("tls", "TLS"),
}


#: handshake_failure (RFC 8446, 6.2).
_ALERT = b"\x15\x03\x03\0\x02\x02\x28"


class UnderstoodTests(SynchronousTestCase):
    """`understood`."""

    def test_table(self) -> None:
        """Each server is known by its words."""
        for said, expected in _SAID.items():
            found = understood(said)
            assert found is not None, said
            self.assertEqual((found[0].protocol, found[0].words), expected, said)

    def test_unknown(self) -> None:
        """What is nobody's words is nobody's."""
        for said in (b"", b"hello\r\n", b"\0\0\0", b"-1\r\n", b"99 x"):
            self.assertIsNone(understood(said), said)

    def test_trouble(self) -> None:
        """A Redis that takes nobody says why, a Redis with a password says so."""
        refused = understood(b"-DENIED Redis is running in protected mode because\r\n")
        asked = understood(b"-NOAUTH Authentication required.\r\n")
        assert refused is not None and asked is not None
        self.assertEqual(refused[0].trouble, "DENIED Redis is running in protected mode because")
        self.assertEqual(asked[0].traits, {WANTS_PASSWORD})

    def test_terminal(self) -> None:
        """What a terminal would obey is not shown."""
        found = understood(b"SSH-2.0-\033[31mred\x07\r\n")
        assert found is not None
        self.assertEqual(found[0].words, "SSH (SSH-2.0- [31mred)")


class OrderTests(SynchronousTestCase):
    """Who is asked first."""

    def test_expected(self) -> None:
        """What is configured comes first, then what usually has the port, then the others; none twice."""
        self.assertEqual(in_order("redis", 80), [redis, http, postgresql, memcache, tls])
        self.assertEqual(in_order("tcp", 0), [postgresql, redis, memcache, tls, http])
        self.assertEqual(in_order("memcache", 11211)[:2], [memcache, memcache_binary])
        self.assertEqual(in_order("mysql", 3306), in_order("tcp", 0))


class PlayedCase(SynchronousTestCase):
    """A server that is played, on a real socket."""

    def setUp(self) -> None:
        #: What each connection has heard, in the order in which they ended.
        self.heard: list[bytes] = []

    def play(self, script: Callable[[socket.socket], None]) -> Way:
        """The way to a server that does this on each connection."""
        backend = ScriptedBackend(script)
        self.addCleanup(backend.stop)
        return Way((socket.AF_INET, ("127.0.0.1", backend.port)))

    def greeting(self, *parts: bytes) -> Way:
        """One that says this, and listens until the end."""

        def script(peer: socket.socket) -> None:
            for part in parts:
                peer.sendall(part)
            self.heard.append(read_all(peer)[0])

        return self.play(script)

    def answering(self, answers: Mapping[bytes, bytes]) -> Way:
        """One that answers to what begins so, again and again, and closes upon anything else."""

        def script(peer: socket.socket) -> None:
            while asked := peer.recv(4096):
                answer = next((said for begin, said in answers.items() if asked.startswith(begin)), b"")
                if not answer:
                    break
                peer.sendall(answer)

        return self.play(script)

    def greeted(self, way: Way, expected: str = "tcp", waits: WaitLimits = LONG) -> Seen:
        """What it is by its greeting."""
        attempt, seen = greet(way, expected, waits)
        self.assertEqual(attempt.error, "")
        assert seen is not None
        return seen


class GreetingTests(PlayedCase):
    """Servers that speak first."""

    def test_goodbye(self) -> None:
        """Whoever has greeted is taken leave of in its own way."""
        self.assertEqual(self.greeted(self.greeting(b"* OK IMAP4rev1\r\n"), "smtp").protocol, "imap")
        self.assertEqual(self.greeted(self.greeting(b"SSH-2.0-x\r\n"), "smtp").protocol, "ssh")
        self.assertEqual(self.greeted(self.greeting(b"220 FTP\r\n"), "smtp").protocol, "ftp")
        self.doCleanups()
        self.assertEqual(sorted(self.heard), [b"", b"QUIT\r\n", b"a LOGOUT\r\n"])

    def test_silent(self) -> None:
        """Nobody has greeted: nothing is known yet, and nothing was said."""
        attempt, seen = greet(self.greeting(), "tcp", SHORT)
        self.assertEqual((attempt.error, seen), ("", None))
        self.doCleanups()
        self.assertEqual(self.heard, [b""])

    def test_unknown(self) -> None:
        """A greeting that nobody knows is one of a server that speaks first, and that is known then."""
        self.assertEqual(
            self.greeted(self.greeting(b"hello\r\n"), "smtp").words, "a server that speaks first"
        )

    def test_refused(self) -> None:
        """Without a server there is a word that says why."""
        attempt, seen = greet(Way((socket.AF_INET, ("127.0.0.1", free_port()))), "tcp", SHORT)
        self.assertEqual((attempt.error, seen), ("refused", None))

    def test_redis_that_refuses(self) -> None:
        """Redis in protected mode says so before it is asked."""
        seen = self.greeted(self.greeting(b"-DENIED Redis is running in protected mode\r\n"), "smtp")
        self.assertEqual((seen.protocol, bool(seen.trouble)), ("redis", True))


class MailTests(PlayedCase):
    """Mail servers, whole conversations."""

    def mail(self, *greeting: bytes, hello: bytes = b"250 x\r\n", word: bytes = b"EHLO") -> Seen:
        """What it is; it has to hear just EHLO and QUIT."""

        def script(peer: socket.socket) -> None:
            for part in greeting:
                peer.sendall(part)
            said = word + b" [127.0.0.1]\r\n"
            self.heard.append(read_exactly(peer, len(said)))
            peer.sendall(hello)
            self.heard.append(read_exactly(peer, 6))
            peer.sendall(b"221 bye\r\n")
            self.heard.append(read_all(peer)[0])

        seen = self.greeted(self.play(script), "smtp")
        self.doCleanups()
        self.assertEqual(self.heard, [word + b" [127.0.0.1]\r\n", b"QUIT\r\n", b""])
        return seen

    def test_plain(self) -> None:
        """A server without STARTTLS."""
        seen = self.mail(b"220 mx ESMTP\r\n")
        self.assertEqual((seen.protocol, seen.traits), ("smtp", frozenset()))

    def test_starttls(self) -> None:
        """One with STARTTLS, among other extensions."""
        seen = self.mail(b"220 mx ESMTP\r\n", hello=b"250-mx\r\n250-STARTTLS\r\n250 SIZE\r\n")
        self.assertEqual(seen.traits, {OFFERS_TLS})

    def test_named_by_its_answer(self) -> None:
        """Without a word of mail in its greeting, it is known by its answer to EHLO."""
        seen = self.mail(b"220 welcome\r\n")
        self.assertEqual((seen.protocol, seen.words), ("smtp", "a mail server (220 welcome)"))

    def test_not_mail(self) -> None:
        """What does not know EHLO is no mail server."""
        self.assertEqual(self.mail(b"220 welcome\r\n", hello=b"500 what?\r\n").protocol, "unknown")

    def test_lines(self) -> None:
        """A greeting of several lines is waited for (a tarpit sends them one by one)."""
        self.assertEqual(self.mail(b"220-mx ESMTP\r\n", b"220 mx ESMTP\r\n").protocol, "smtp")

    def test_lmtp(self) -> None:
        """LMTP is greeted with its own word (RFC 2033, 4.1)."""
        self.assertEqual(self.mail(b"220 mx LMTP\r\n", word=b"LHLO").protocol, "smtp")

    def test_busy(self) -> None:
        """A server that takes nobody now says why, and is left with QUIT."""
        seen = self.greeted(self.greeting(b"421 mx too many connections\r\n"), "smtp")
        self.assertEqual(seen.protocol, "smtp")
        self.assertIn("421 mx too many connections", seen.trouble)
        self.doCleanups()
        self.assertEqual(self.heard, [b"QUIT\r\n"])


def greeting_of(version: bytes, capabilities: int, plugin: bytes = b"mysql_native_password\0") -> bytes:
    """A greeting of MySQL (protocol 10)."""
    low, high = (capabilities & 0xFFFF).to_bytes(2, "little"), (capabilities >> 16).to_bytes(2, "little")
    payload = b"\x0a" + version + b"\0" + bytes(4) + b"12345678" + b"\0" + low + b"\x2d\2\0" + high
    payload += b"\x15" + bytes(10) + b"123456789012\0" + plugin
    return packet(payload, 0)


def packet(payload: bytes, number: int) -> bytes:
    """A packet of MySQL."""
    return len(payload).to_bytes(3, "little") + bytes([number]) + payload


class MySQLTests(PlayedCase):
    """MySQL and MariaDB, whole conversations."""

    def mysql(self, greeting: bytes, *answers: bytes) -> Seen:
        """What it is; each packet that it hears is answered."""

        def script(peer: socket.socket) -> None:
            peer.sendall(greeting)
            for answer in answers:
                self.heard.append(self.read_packet(peer))
                peer.sendall(answer)
            self.heard.append(read_all(peer)[0])

        seen = self.greeted(self.play(script), "mysql")
        self.doCleanups()
        return seen

    def read_packet(self, peer: socket.socket) -> bytes:
        """The payload of a packet."""
        return read_exactly(peer, int.from_bytes(read_exactly(peer, 4)[:3], "little"))

    def test_denied(self) -> None:
        """The handshake is completed, without a password, and the connection is closed after the refusal."""
        denied = packet(b"\xff\x15\x04#28000Access denied", 2)
        seen = self.mysql(greeting_of(b"5.5.5-10.11.6-MariaDB-0", 0x80A00), denied)
        self.assertEqual((seen.protocol, seen.words), ("mysql", "MariaDB 10.11.6"))
        self.assertEqual(seen.traits, {OFFERS_TLS})
        (login, rest) = self.heard
        self.assertEqual(login[32:], b"vaurien-doctor\0\0mysql_native_password\0")
        self.assertEqual(rest, b"")

    def test_switch(self) -> None:
        """Another way to log in is answered with an empty password, whatever comes: then it is denied."""
        switch = packet(b"\xfecaching_sha2_password\0" + bytes(21), 2)
        denied = packet(b"\xff\x15\x04#28000Access denied", 4)
        seen = self.mysql(greeting_of(b"9.7.0", 0x4080A00), switch, denied)
        self.assertEqual((seen.words, seen.traits), ("MySQL 9.7.0", {OFFERS_TLS, OFFERS_ZSTD}))
        self.assertEqual(self.heard[1], b"")

    def test_let_in(self) -> None:
        """Where everybody may log in, it logs out again."""
        self.mysql(greeting_of(b"8.0.1", 0x80200), packet(b"\0\0\0\2\0\0\0", 2))
        self.assertEqual(self.heard[1], packet(b"\x01", 0))

    def test_blocked(self) -> None:
        """An error in place of the greeting is told."""
        seen = self.mysql(packet(b"\xff\x69\x04Host 'x' is blocked", 0))
        self.assertEqual((seen.protocol, seen.trouble), ("mysql", "1129 Host 'x' is blocked"))

    def test_pieces(self) -> None:
        """A greeting that comes in pieces is put together."""
        whole = greeting_of(b"8.0.1", 0x80200)
        for cut in (1, 4, 5, 20, len(whole) - 1):

            def script(peer: socket.socket, cut: int = cut) -> None:
                peer.sendall(whole[:cut])
                peer.sendall(whole[cut:])
                self.read_packet(peer)

            self.assertEqual(self.greeted(self.play(script), "mysql").words, "MySQL 8.0.1", cut)

    def test_cut_off(self) -> None:
        """A server that goes away in the middle was none."""
        for cut in (5, 30):

            def script(peer: socket.socket, cut: int = cut) -> None:
                peer.sendall(greeting_of(b"8.0.1", 0x80200)[:cut])

            self.assertIsNone(greet(self.play(script), "mysql", LONG)[1])


class AskedTests(PlayedCase):
    """Servers that answer."""

    def recognised(self, way: Way, expected: str = "tcp", waits: WaitLimits = LONG) -> Seen:
        """What it is by its answers."""
        seen = recognise(way, expected, waits)
        assert seen is not None
        return seen

    def test_redis(self) -> None:
        """Redis tells its version, and what it is: alone, of a cluster, a sentinel."""
        for mode, traits in (("standalone", set()), ("cluster", {CLUSTER}), ("sentinel", {SENTINEL})):
            info = f"# Server\r\nredis_version:7.2.4\r\nredis_mode:{mode}\r\nos:Linux\r\n".encode()
            answers = {b"*1": b"+PONG\r\n", b"*2": b"$%d\r\n%b\r\n" % (len(info), info)}
            seen = self.recognised(self.answering(answers))
            self.assertEqual((seen.protocol, seen.words, seen.traits), ("redis", "Redis 7.2.4", traits))

    def test_valkey(self) -> None:
        """Valkey is called by its name."""
        info = b"redis_version:7.2.4\r\nvalkey_version:8.0.1\r\nredis_mode:standalone\r\n"
        answers = {b"*1": b"+PONG\r\n", b"*2": b"$%d\r\n%b\r\n" % (len(info), info)}
        self.assertEqual(self.recognised(self.answering(answers)).words, "Valkey 8.0.1")

    def test_redis_without_info(self) -> None:
        """A user that may not ask for INFO still talks to Redis."""
        answers = {b"*1": b"+PONG\r\n", b"*2": b"-NOPERM this user has no permissions\r\n"}
        self.assertEqual(self.recognised(self.answering(answers)).words, "Redis")

    def test_postgresql(self) -> None:
        """PostgreSQL answers with a letter."""
        for letter in (b"S", b"N"):
            way = self.answering({b"\0\0\0\x08\x04\xd2\x16\x2f": letter})
            self.assertEqual(self.recognised(way).protocol, "postgresql")

    def test_http(self) -> None:
        """HTTP is asked as of version 1.0, without a line that Redis would take for an attack."""
        way = self.answering({b"OPTIONS * HTTP/1.0\r\n\r\n": b"HTTP/1.1 200 OK\r\n\r\n"})
        self.assertEqual(self.recognised(way).protocol, "http")

    def test_alert(self) -> None:
        """Whoever answers to a ClientHello with an alert speaks TLS, whatever is within."""
        seen = self.recognised(self.answering({b"\x16": _ALERT}))
        self.assertEqual((seen.protocol, seen.inside), ("tls", None))

    def test_http_where_tls_is_wanted(self) -> None:
        """A web server that wants TLS says so in HTTP (400): it is asked for TLS as well."""
        bad = b"HTTP/1.1 400 Bad Request\r\n\r\nThe plain HTTP request was sent to HTTPS port"
        way = self.answering({b"\x16": _ALERT, b"OPTIONS": bad})
        self.assertEqual(self.recognised(way, "http").protocol, "tls")
        self.assertEqual(self.recognised(self.answering({b"OPTIONS": bad}), "http").protocol, "http")

    def test_answer_to_another_question(self) -> None:
        """What is asked in vain may answer in its own words: that will do."""
        way = self.answering({b"\0\0\0\x08": b"HTTP/1.1 400 Bad Request\r\n\r\n"})
        self.assertEqual(self.recognised(way).protocol, "http")

    def test_nobody(self) -> None:
        """A server that never says a word is not recognised, in bounded time."""
        self.assertIsNone(recognise(self.greeting(), "tcp", SHORT))

    def test_gone(self) -> None:
        """A server that closes each connection is not recognised, either."""
        self.assertIsNone(recognise(self.play(lambda peer: None), "tcp", LONG))
