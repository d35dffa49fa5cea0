"""``tls:`` and ``ssl:`` endpoint strings, read."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from txvaurien.errors import ConfigError
from txvaurien.net.addresses import parse_backend, parse_listen
from txvaurien.net.endpoints import Description
from txvaurien.net.tlsarguments import (
    ArgumentError,
    BackendTlsArguments,
    ListenTlsArguments,
    backend_arguments,
    listen_arguments,
)

_EMPTY = "a part of it is empty; an IPv6 address stands in brackets, as in tls:[::1]:443"


def read(text: str) -> BackendTlsArguments:
    """What a backend says of TLS."""
    return backend_arguments(Description.of(text))


def listened(text: str) -> ListenTlsArguments | None:
    """What a listener says of TLS."""
    return listen_arguments(Description.of(text))


class BackendTests(TestCase):
    """Backends."""

    def test_host_and_port(self) -> None:
        """They say it all; the name is the host's, whatever kind of host that is."""
        for text, host in (
            ("tls:db.example:6380", "db.example"),
            ("tls:4711:6380", "4711"),
            ("tls:host=db.example:port=6380", "db.example"),
            ("tls:127.0.0.1:6380", "127.0.0.1"),
            (r"tls:\:\:1:6380", "::1"),
            ("tls:[::1]:6380", "::1"),
            ("tls:host=::1:port=6380", "::1"),
            ("tls:host=[fe80::1%eth0]:port=6380", "fe80::1%eth0"),
        ):
            self.assertEqual(read(text), BackendTlsArguments(host, host=host, port=6380), text)

    def test_direct(self) -> None:
        """Where a socket is connected to is known, but for what only an endpoint can do."""
        for text, direct in (
            ("tls:db.example:6380", ("db.example", 6380)),
            ("tls:LOCALHOST:6380:verify=no", ("localhost", 6380)),
            (r"tls:\:\:1:6380", ("::1", 6380)),
            ("tls:db.example:6380:timeout=3", ("", 0)),
            ("tls:db.example:6380:bindAddress=127.0.0.9", ("", 0)),
            (r"tls:db.example:6380:endpoint=unix\:/run/x.sock", ("", 0)),
        ):
            self.assertEqual(parse_backend(text).direct, direct, text)

    def test_everything(self) -> None:
        """All that ours say."""
        read_all = read("tls:a.example:1:verify=no:ca=/ca.pem:cert=/c.pem:key=/k.pem:name=b.example")
        files = ("/ca.pem", "/c.pem", "/k.pem")
        self.assertEqual(read_all, BackendTlsArguments("b.example", False, *files, host="a.example", port=1))
        self.assertTrue(read_all.files)
        self.assertFalse(read("tls:a.example:1:verify=no:name=b").files)

    def test_names_of_twisted(self) -> None:
        """What its own ``tls:`` and ``ssl:`` strings call these."""
        files = ("/roots", "/c.pem", "/k.pem")
        said = read("tls:a.example:1:certificate=/c.pem:privateKey=/k.pem:trustRoots=/roots")
        self.assertEqual(said, BackendTlsArguments("a.example", None, *files, host="a.example", port=1))
        said = read("ssl:host=a.example:port=1:certKey=/c.pem:privateKey=/k.pem:caCertsDir=/roots:hostname=b")
        self.assertEqual(said, BackendTlsArguments("b", None, *files, host="a.example", port=1))

    def test_verify(self) -> None:
        """``tls:`` leaves it to the options; ``ssl:`` knows nobody to trust, unless it is told."""
        for text, verify in (
            ("tls:a:1", None),
            ("ssl:a:1", False),
            ("ssl:a:1:caCertsDir=/roots", None),
            ("tls:a:1:verify=yes", True),
            ("tls:a:1:verify=OFF", False),
        ):
            self.assertIs(read(text).verify, verify, text)

    def test_how_to_connect(self) -> None:
        """What only an endpoint of Twisted's can do is left to one, without TLS."""
        for text, plain in (
            ("tls:a.example:1:timeout=3", "tcp:a.example:1:timeout=3"),
            ("tls:a.example:1:bindAddress=127.0.0.9", "tcp:a.example:1:bindAddress=127.0.0.9"),
            ("tls:host=::1:port=1:timeout=3", r"tcp:\:\:1:1:timeout=3"),
            (r"tls:a.example:1:endpoint=unix\:/run/x.sock", "unix:/run/x.sock"),
        ):
            self.assertEqual(read(text).plain, plain, text)

    def test_wrong(self) -> None:
        """Each error says what is wrong."""
        for text, why in (
            ("tls:a", "it lacks: port"),
            ("tls:x", "it lacks: port"),
            ("tls:::1:443", _EMPTY),
            ("tls:a:1:ca=", _EMPTY),
            ("tls:a:b", "'b' is not a number"),
            ("tls:a:" + "0" * 20 + "1", "'" + "0" * 20 + "1' is not a number"),
            ("tls:a:0", "nothing can be reached at port 0"),
            ("tls:a:1:2", "it has too many parts"),
            ("tls:a:1:verified=no", "it has no argument 'verified'"),
            ("tls:a:1:verify=perhaps", "verify is yes or no, not 'perhaps'"),
            ("tls:a:1:key=/k.pem", "it has a key, and no certificate (cert)"),
        ):
            self.assertEqual(str(self.assertRaises(ArgumentError, read, text)), why)
            error = self.assertRaises(ConfigError, parse_backend, text, "--backend")
            self.assertIn(f"({why})", str(error))
            self.assertIn("--backend", str(error))

    def test_wrong_endpoint(self) -> None:
        """The endpoint that connects is looked at as well."""
        error = self.assertRaises(
            ConfigError, parse_backend, r"tls:a.example:1:endpoint=tcp\:b.example", "--backend"
        )
        self.assertIn("it lacks: port", str(error))

    def test_port_that_is_none(self) -> None:
        """As with any other backend."""
        self.assertRaises(ConfigError, parse_backend, "tls:a.example:70000")


class ListenTests(TestCase):
    """Listeners."""

    def test_files(self) -> None:
        """Positions and names of Twisted, and its defaults."""
        for text, files in (
            ("ssl:443", ("server.pem", "server.pem")),
            ("ssl:443:privateKey=/k.pem", ("/k.pem", "/k.pem")),
            ("ssl:443:privateKey=/k.pem:certKey=/c.pem", ("/c.pem", "/k.pem")),
            ("ssl:443:/k.pem:/c.pem", ("/c.pem", "/k.pem")),
        ):
            said = listened(text)
            assert said is not None
            self.assertEqual((said.cert, said.key), files, text)

    def test_place(self) -> None:
        """Where it listens is said without TLS, and what it says of that is kept."""
        for text, plain in (
            ("ssl:443", "tcp:443"),
            ("ssl:443:interface=127.0.0.1:backlog=9", "tcp:443:interface=127.0.0.1:backlog=9"),
            ("ssl:443:interface=::1", r"tcp6:443:interface=\:\:1"),
            ("ssl:port=443", "tcp:443"),
        ):
            said = listened(text)
            assert said is not None
            self.assertEqual(said.plain, plain, text)
            parse_listen(plain)

    def test_left_to_twisted(self) -> None:
        """What only its own TLS understands is none of ours."""
        for text in (
            "ssl:443:extraCertChain=/chain.pem",
            "ssl:443:dhParameters=/dh.pem",
            "ssl:443:sslmethod=TLSv1_2_METHOD",
            "tcp:443",
            "ssl:no",
        ):
            self.assertIsNone(listened(text), text)
