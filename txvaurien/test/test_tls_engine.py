"""TLS without I/O: what an engine promises to the pipe."""

from __future__ import annotations

from OpenSSL import SSL
from twisted.trial.unittest import TestCase

from txvaurien.test.tls_memory import client_engine, server_engine
from txvaurien.tls.authority import Authority
from txvaurien.tls.engine import Engine, TlsError


def carry(one: Engine, other: Engine) -> bool:
    """Have one's bytes taken by the other; whether there were any."""
    data = one.take()
    if data:
        other.feed(data)
    return bool(data)


def shake(client: Engine, server: Engine) -> None:
    """The whole handshake, and the tickets after it."""
    while not (client.agreed and server.agreed):
        if not client.agreed:
            client.shake()
        carry(client, server)
        if not server.agreed:
            server.shake()
        carry(server, client)


class EngineTests(TestCase):
    """Two engines that speak with each other."""

    def setUp(self) -> None:
        self.authority = Authority.make()

    def pair(self, version: int | None = None) -> tuple[Engine, Engine]:
        """A client and a server that have agreed on TLS."""
        client = client_engine(self.authority, version=version)
        server = server_engine(self.authority)
        shake(client, server)
        return client, server

    def test_both_ways(self) -> None:
        """What one says the other reads, much of it as well as nothing, with both versions."""
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            client, server = self.pair(version)
            for data in (b"x", bytes(range(256)) * 4096):
                client.write(data)
                carry(client, server)
                self.assertEqual(server.read(), data)
                server.write(data)
                carry(server, client)
                self.assertEqual(client.read(), data)
            self.assertEqual((client.read(), client.take()), (b"", b""))
            self.assertEqual((client.over, client.error), (False, None))

    def test_byte_by_byte(self) -> None:
        """Records may come in any pieces, those of the handshake too."""
        client, server = client_engine(self.authority), server_engine(self.authority)
        while not (client.agreed and server.agreed):
            for one, other in ((client, server), (server, client)):
                if not one.agreed:
                    one.shake()
                for byte in one.take():
                    other.feed(bytes([byte]))
                    if not other.agreed:
                        other.shake()
        client.write(b"hello")
        heard = b""
        for byte in client.take():
            server.feed(bytes([byte]))
            heard += server.read()
        self.assertEqual(heard, b"hello")

    def test_half_close(self) -> None:
        """Whoever has said that it was the last can still read; who has heard that can still write."""
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            client, server = self.pair(version)
            client.write(b"last")
            client.end()
            carry(client, server)
            self.assertEqual((server.read(), server.over), (b"last", True))
            server.write(b"reply" * 10000)
            server.end()
            carry(server, client)
            self.assertEqual((client.read(), client.over, client.error), (b"reply" * 10000, True, None))

    def test_garbage(self) -> None:
        """What came before bytes that are no TLS is given out, with why there is no more."""
        client, server = self.pair()
        client.write(b"good")
        server.feed(client.take() + b"GET / HTTP/1.1\r\n\r\n")
        self.assertEqual(server.read(), b"good")
        self.assertIsInstance(server.error, TlsError)
        self.assertTrue(server.take(), "no alert for the peer")
        self.assertEqual(server.read(), b"")

    def test_writing_after_an_error(self) -> None:
        """Nothing is raised at whoever writes when the connection is broken."""
        _, server = self.pair()
        server.feed(b"\0" * 100)
        server.read()
        why = server.error
        server.write(b"late")
        server.end()
        self.assertIs(server.error, why)

    def test_untrusted(self) -> None:
        """A client that does not take the certificate fails, and the server hears of it."""
        client, server = client_engine(Authority.make()), server_engine(self.authority)
        client.shake()
        carry(client, server)
        server.shake()
        carry(server, client)
        self.assertRaises(TlsError, client.shake)
        carry(client, server)
        error = self.assertRaises(TlsError, server.shake)
        self.assertIn("unknown ca", str(error))

    def test_no_version_in_common(self) -> None:
        """The text says which alert there was."""
        client = client_engine(self.authority, version=SSL.TLS1_2_VERSION)
        server = server_engine(self.authority, version=SSL.TLS1_3_VERSION)
        client.shake()
        carry(client, server)
        self.assertIn("unsupported protocol", str(self.assertRaises(TlsError, server.shake)))
        carry(server, client)
        self.assertIn("protocol version", str(self.assertRaises(TlsError, client.shake)))

    def test_answers(self) -> None:
        """Reading may leave something to be sent in TLS 1.2 only, where a peer can ask to negotiate anew."""
        self.assertTrue(self.pair(SSL.TLS1_2_VERSION)[1].answers)
        self.assertFalse(self.pair(SSL.TLS1_3_VERSION)[1].answers)
