"""The patterns of ``--allow-backend``: what each of them means."""

from __future__ import annotations

import os

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.errors import ConfigError
from txvaurien.net.addresses import parse_backend
from txvaurien.net.allowed import check_asked, may_be_reached, may_be_set, parse_patterns


def sets(patterns: str, backend: str) -> bool:
    """Whether the backend may be set."""
    return may_be_set(parse_patterns(patterns), parse_backend(backend))


def reaches(patterns: str, backend: str, host: str, port: int = 6379) -> bool:
    """Whether this address may be connected to for this backend."""
    return may_be_reached(parse_patterns(patterns), parse_backend(backend), host, port)


class SetTests(SynchronousTestCase):
    """What may be set, by what is written."""

    def test_allowed(self) -> None:
        """Names, addresses, networks, ports and paths."""
        for patterns, backend in (
            ("localhost:*", "localhost:6379"),
            ("localhost", "LocalHost:6379"),
            ("localhost:*", "127.0.0.1:6379"),
            ("localhost:*", "[::1]:6379"),
            ("127.0.0.1:6379", "127.0.0.1:6379"),
            ("127.0.0.0/8:6379", "127.0.0.2:6379"),
            ("127.0.0.0/8:6379", "localhost:6379"),
            ("127.0.0.1", "[::ffff:127.0.0.1]:6379"),
            ("10.0.0.0/8:6000-6999", "10.1.2.3:6379"),
            ("[2001:db8::]/32:6379", "[2001:db8::1]:6379"),
            ("2001:db8::/32", "[2001:db8::1]:6379"),
            ("[::1]", "[0:0::1]:1"),
            ("*.example.org:443", "a.b.example.org:443"),
            ("*.example.org:443", "A.Example.ORG.:443"),
            ("*:6379", "anything.example:6379"),
            ("*:6379", "192.0.2.1:6379"),
            ("a.example, b.example:1", "b.example:1"),
            ("localhost:465", "tls:localhost:465"),
            ("localhost:6379", "tcp:host=localhost:port=6379"),
            ("unix:/run/*", "unix:/run/redis.sock"),
            ("unix:/run/*/x.sock", "unix:path=/run/user/x.sock"),
            # It may be in that network: that is seen to when it is connected to.
            ("10.0.0.0/8:6379", "redis.example:6379"),
        ):
            self.assertTrue(sets(patterns, backend), (patterns, backend))

    def test_not_allowed(self) -> None:
        """What only looks like one of them is not."""
        for patterns, backend in (
            ("localhost:6379", "localhost:6380"),
            ("localhost:*", "localhost.example:6379"),
            ("localhost:*", "127.0.0.2:6379"),
            ("127.0.0.1:6379", "127.0.0.2:6379"),
            ("10.0.0.0/8:6379", "11.0.0.1:6379"),
            ("10.0.0.0/8:6379", "redis.example:6380"),
            ("*.example.org:443", "example.org:443"),
            ("*.example.org:443", "a.example.org.evil.example:443"),
            ("*.0.0.1:443", "127.0.0.1:443"),
            ("redis.example:*", "192.0.2.1:6379"),
            ("[2001:db8::]/32:6379", "[2001:db9::1]:6379"),
            ("unix:/run/*", "unix:/run/user/x.sock"),
            ("unix:/run/*", "unix:/run/../etc/x.sock"),
            ("unix:/run/*", "localhost:1"),
            ("*", "unix:/run/x.sock"),
            ("localhost:*", "tls:evil.example:465"),
        ):
            self.assertFalse(sets(patterns, backend), (patterns, backend))

    def test_links_are_followed(self) -> None:
        """A link within the directory does not lead out of it; one that leads into it is no obstacle."""
        top = os.path.abspath(self.mktemp())
        os.makedirs(f"{top}/run")
        os.makedirs(f"{top}/secret")
        os.symlink(f"{top}/secret/x.sock", f"{top}/run/out.sock")
        os.symlink(f"{top}/run", f"{top}/alias")
        self.assertFalse(sets(f"unix:{top}/run/*", f"unix:{top}/run/out.sock"))
        for pattern in ("run", "alias"):
            for backend in ("run", "alias"):
                self.assertTrue(sets(f"unix:{top}/{pattern}/*", f"unix:{top}/{backend}/x.sock"))


class ReachedTests(SynchronousTestCase):
    """What may be connected to, once the name has been looked up."""

    def test_network(self) -> None:
        """A network is one of addresses, whatever the backend is called."""
        self.assertTrue(reaches("10.0.0.0/8:6379", "redis.example:6379", "10.1.2.3"))
        self.assertFalse(reaches("10.0.0.0/8:6379", "redis.example:6379", "127.0.0.1"))
        self.assertFalse(reaches("10.0.0.0/8:6379", "redis.example:6379", "10.1.2.3", 6380))
        self.assertTrue(reaches("10.0.0.0/8:6379", "redis.example:6379", "::ffff:10.1.2.3"))

    def test_name(self) -> None:
        """A name is one of names: where it leads is for the name server to say."""
        self.assertTrue(reaches("*.example:6379", "redis.example:6379", "192.0.2.1"))
        self.assertFalse(reaches("*.example:6379", "redis.test:6379", "192.0.2.1"))

    def test_localhost(self) -> None:
        """This name is no one's to change."""
        for host in ("127.0.0.1", "::1"):
            self.assertTrue(reaches("localhost:6379", "localhost:6379", host))


class PatternTests(SynchronousTestCase):
    """How patterns are written."""

    def test_wrong(self) -> None:
        """The error names the pattern, and how one is written."""
        for text, why in (
            ("localhost:x", "no such ports"),
            ("localhost:0", "no such ports"),
            ("localhost:9-8", "no such ports"),
            ("localhost:65536", "no such ports"),
            ("10.0.0.1/8", "no bits behind"),
            ("10.0.0.0/33:1", "no bits behind"),
            ("[::1:1", "is no pattern"),
            ("[example]:1", "no such network"),
            ("a b", "is no pattern"),
            ("http://a.example", "no such ports"),
            ("unix:run/x", "no absolute path"),
        ):
            error = self.assertRaises(ConfigError, parse_patterns, f"a:1, {text}", "--allow-backend")
            self.assertEqual(error.where, "--allow-backend")
            self.assertIn(why, str(error), text)
            self.assertIn(text, str(error))

    def test_none(self) -> None:
        """An empty list has no pattern."""
        self.assertEqual(parse_patterns(" , "), ())

    @settings(deadline=None)
    @given(st.text(max_size=30))
    def test_no_text_breaks_it(self, text: str) -> None:
        """It is a pattern or a ConfigError."""
        try:
            for pattern in parse_patterns(text):
                pattern.takes_name("a.example", 1)
        except ConfigError:
            pass


class AskedTests(SynchronousTestCase):
    """What a backend may be written as over HTTP."""

    def test_taken(self) -> None:
        """Addresses, also wrong ones, of which somebody else says what is wrong."""
        for text in (
            "localhost:1",
            "[::1]:1",
            "tls:a.example:465",
            "unix:/run/x",
            "tcp:a:1:timeout=3",
            "tcp:host=::1:port=1",
            "x",
            "::1:5",
        ):
            check_asked(text)

    def test_characters(self) -> None:
        """No name has a NUL in it, with which a Unix socket would be one without a file."""
        for text in ("unix:\0docker", "a\0:1", "a\n:1"):
            error = self.assertRaises(ConfigError, check_asked, text, "backend")
            self.assertIn("characters that no address has", str(error))

    def test_files(self) -> None:
        """No certificate is read, no lock file looked at, and no process begun by an endpoint."""
        for text in (
            "ssl:a.example:443:certKey=/etc/passwd:privateKey=/etc/passwd",
            "ssl:a.example:443",
            "tls:a.example:443:certificate=/etc/passwd",
            "TLS:a.example:443:trustRoots=/etc",
            "tls:a.example:443:endpoint=unix\\:/run/docker.sock",
            "unix:/run/x:lockfile=1",
            # Without their names, with nothing in between, and with names that are escaped.
            "tls:a.example:443:30:127.0.0.1:/etc/passwd",
            "tls::443:30::/etc/passwd",
            r"tls:host=a.example:port=443:certi\ficate=/etc/passwd",
            r"tls:a.example:443:end\point=unix\:/run/docker.sock",
            r"unix:/run/x:lock\file=1",
        ):
            error = self.assertRaises(ConfigError, check_asked, text, "upstream")
            self.assertEqual(error.where, "upstream")
            self.assertIn("over HTTP", str(error))
