"""Where a service is, out of a URL or DSN; and the same one for a proxy."""

from __future__ import annotations

from hypothesis import given
from hypothesis.strategies import integers, sampled_from, text
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.embedded.proxyurl import Talk, hidden, parse_target
from txvaurien.errors import ConfigError
from txvaurien.net.addresses import parse_backend

HERE = "127.0.0.1:40001"

#: What is given, the address that it means, and what it becomes.
TABLE = (
    ("redis://localhost", "localhost:6379", f"redis://{HERE}"),
    ("redis://h:7000/3?protocol=3#x", "h:7000", f"redis://{HERE}/3?protocol=3#x"),
    ("rediss://u:p@h/0", "tls:h:6379", f"rediss://u:p@{HERE}/0"),
    ("redis://:p%40ss@h/0", "h:6379", f"redis://:p%40ss@{HERE}/0"),
    ("mysql://u:a:b@h/db", "h:3306", f"mysql://u:a:b@{HERE}/db"),
    ("mysql+pymysql://u@h:3307/db?charset=utf8", "h:3307", f"mysql+pymysql://u@{HERE}/db?charset=utf8"),
    ("postgresql://u:p@[::1]:5433/db", "[::1]:5433", f"postgresql://u:p@{HERE}/db"),
    ("postgresql+asyncpg://u:p@h/db", "h:5432", f"postgresql+asyncpg://u:p@{HERE}/db"),
    ("postgres://h", "h:5432", f"postgres://{HERE}"),
    (
        "postgresql://u@/db?host=h&port=5433&sslmode=off",
        "h:5433",
        f"postgresql://u@{HERE}/db?sslmode=off",
    ),
    ("jdbc:mysql://h/db", "h:3306", f"jdbc:mysql://{HERE}/db"),
    ("http://h/a/b?c=http://d:1/", "h:80", f"http://{HERE}/a/b?c=http://d:1/"),
    ("https://h", "tls:h:443", f"https://{HERE}"),
    ("https://[::1]/x", "tls:\\:\\:1:443", f"https://{HERE}/x"),
    ("smtp://mail.example", "mail.example:25", f"smtp://{HERE}"),
    ("memcached://h", "h:11211", f"memcached://{HERE}"),
    ("amqp://g:g@h//vhost", "h:5672", f"amqp://g:g@{HERE}//vhost"),
    ("mongodb://u:p@h/?replicaSet=x", "h:27017", f"mongodb://u:p@{HERE}/?replicaSet=x"),
    ("custom://h:99/x", "h:99", f"custom://{HERE}/x"),
    ("HTTP://H:81/", "H:81", f"HTTP://{HERE}/"),
    ("host=h port=5433 dbname=x", "h:5433", "host=127.0.0.1 port=40001 dbname=x"),
    (
        "dbname='a b' user=u password='it\\'s = x' host = h",
        "h:5432",
        "host=127.0.0.1 port=40001 dbname='a b' user=u password='it\\'s = x'",
    ),
    ("host=name hostaddr=10.0.0.1 user=u", "10.0.0.1:5432", "host=127.0.0.1 port=40001 user=u"),
    ("host=::1 port=1", "[::1]:1", "host=127.0.0.1 port=40001"),
    ("dbname=x", "localhost:5432", "host=127.0.0.1 port=40001 dbname=x"),
    ("localhost:80", "localhost:80", f"tcp://{HERE}"),
    ("unix:/run/x.sock", "unix:/run/x.sock", f"tcp://{HERE}"),
    ("tcp:host=h:port=80", "tcp:host=h:port=80", f"tcp://{HERE}"),
)

REFUSED = (
    "redis://",
    "redis:///0",
    "custom://h",
    "redis://h:0",
    "redis://h:65536",
    "redis://h:x",
    "mongodb://a:1,b:2/db",
    "mongodb://a,b/db",
    "postgresql:///db",
    "postgresql:///db?host=/run/postgresql",
    "host=/run/postgresql",
    "host=a,b",
    "host=h port=x",
    "host=h port=0",
    "host=h 'x",
    "Server=db;Port=1;Uid=x",
    "service=x",
    "mongodb+srv://h/db",
    "unix:///run/redis.sock?db=1",
    "redis+unix:///run/redis.sock",
)


class TargetTests(SynchronousTestCase):
    """All forms."""

    def test_table(self) -> None:
        """Host and port are found and replaced, and nothing else is touched."""
        for given_, address, there in TABLE:
            target = parse_target(given_)
            self.assertEqual((target.address, target.at(HERE)), (address, there), given_)

    def test_refused(self) -> None:
        """What does not name one host and port is refused, and the error names the place."""
        for wrong in REFUSED:
            error = self.assertRaises(ConfigError, parse_target, wrong, "dsn")
            self.assertEqual(error.where, "dsn", wrong)

    def test_socket(self) -> None:
        """Who gives the URL of a socket is told how sockets are written."""
        for wrong in ("unix:///run/redis.sock", "redis+unix:///run/redis.sock"):
            self.assertIn("unix:/path", str(self.assertRaises(ConfigError, parse_target, wrong)))

    def test_scheme_of_protocol(self) -> None:
        """A plain address becomes a URL of its protocol."""
        for protocol, scheme in (
            ("redis", "redis"),
            ("memcache", "memcached"),
            ("tcp", "tcp"),
            ("mine", "tcp"),
        ):
            self.assertEqual(parse_target("h:1", protocol=protocol).at(HERE), f"{scheme}://{HERE}")

    def test_talk(self) -> None:
        """The scheme says how clients speak there, where there are two; all else stays."""
        for given_, talk, there in (
            ("rediss://u:p@h/0", Talk.PLAIN, f"redis://u:p@{HERE}/0"),
            ("rediss://h", Talk.TLS, f"rediss://{HERE}"),
            ("redis://h/1", Talk.TLS, f"rediss://{HERE}/1"),
            ("redis://h/1", Talk.PLAIN, f"redis://{HERE}/1"),
            ("HTTPS://h/", Talk.PLAIN, f"http://{HERE}/"),
            ("ws+x://h", Talk.TLS, f"wss+x://{HERE}"),
            ("mysql+pymysql://h", Talk.TLS, f"mysql+pymysql://{HERE}"),
            ("postgresql://h", Talk.PLAIN, f"postgresql://{HERE}"),
            ("host=h", Talk.TLS, "host=127.0.0.1 port=40001"),
        ):
            self.assertEqual(parse_target(given_).at(HERE, talk), there)
        self.assertEqual(parse_target("h:1", protocol="smtp").at(HERE, Talk.TLS), f"smtps://{HERE}")
        self.assertEqual(parse_target("tls:h:1", protocol="redis").at(HERE, Talk.PLAIN), f"redis://{HERE}")

    def test_dialled_with_tls(self) -> None:
        """What a URL of TLS becomes is an address that is dialled with TLS, also an IPv6 one."""
        backend = parse_backend(parse_target("rediss://[::1]:7000").address)
        self.assertEqual((backend.named_host, backend.direct[1]), ("::1", 7000))
        assert backend.tls is not None
        self.assertEqual((backend.tls.name, backend.tls.verify), ("::1", None))

    def test_ipv6(self) -> None:
        """A proxy may be at an IPv6 address, which a DSN has without brackets."""
        self.assertEqual(parse_target("redis://h/1").at("[::1]:7"), "redis://[::1]:7/1")
        self.assertEqual(parse_target("host=h").at("[::1]:7"), "host=::1 port=7")

    def test_hidden(self) -> None:
        """No error shows a password."""
        for shown in (
            "redis://:secret@h",
            "mysql://u:sec:secret@h,",
            "host=h password=secret",
            "password = 'my secret' host=",
        ):
            self.assertNotIn("secret", hidden(shown))

    @given(text(), sampled_from(["redis://", "host=", "", "x+y://u:p@"]), integers(0, 70000))
    def test_anything(self, tail: str, head: str, port: int) -> None:
        """Whatever is given is read, or refused."""
        try:
            target = parse_target(f"{head}{tail}:{port}")
        except ConfigError:
            return
        self.assertIn("40001", target.at(HERE))
