"""What a recognised server means for the options of its proxy."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from unittest.mock import patch

from txvaurien.doctor import advising
from txvaurien.doctor.advising import Case, advise
from txvaurien.doctor.answers import OFFERS_TLS, OFFERS_ZSTD, Seen
from txvaurien.doctor.findings import Finding, Level
from txvaurien.test.doctor_support import DoctorCase, levels

_MYSQL = Seen("mysql", "MySQL 8.4.3")


class AdviceTests(DoctorCase):
    """`advise`."""

    def setUp(self) -> None:
        # Whether this machine has a MySQL of its own is no matter here.
        self.patch(advising, "SOCKETS", ())

    def advice(self, seen: Seen | None, *arguments: str, ini: str = "") -> list[Finding]:
        """What follows for the only proxy of these settings."""
        settings = self.settings(*arguments, ini=ini)
        return list(advise(Case(settings.definitions[0], seen, settings.registry)))

    def test_unrecognised(self) -> None:
        """A server that is not recognised is a warning where it could be, and a note with tcp."""
        self.assertEqual(levels(self.advice(None, "--protocol=redis"), "protocol"), [Level.WARNING])
        self.assertEqual(levels(self.advice(None), "protocol"), [Level.NOTE])

    def test_own_protocol(self) -> None:
        """A protocol of the user's own is not known to the doctor: it cannot say that it is wrong."""
        ini = "[vaurien]\nprotocol = chatty\n[protocol:chatty]\ncallable = txvaurien.test.registries.Chatty\n"
        self.assertEqual(levels(self.advice(None, ini=ini), "protocol"), [Level.NOTE])
        self.assertEqual(levels(self.advice(Seen("ssh", "SSH"), ini=ini), "protocol"), [Level.WARNING])

    def test_foreign(self) -> None:
        """A protocol that we do not have is right with tcp, and wrong with any other."""
        ssh = Seen("ssh", "SSH")
        self.assertEqual(levels(self.advice(ssh), "protocol"), [Level.OK])
        (error,) = self.advice(ssh, "--protocol=http")
        self.assertEqual((error.level, error.advice), (Level.ERROR, "set --protocol to tcp"))

    def test_place(self) -> None:
        """Advice names the place where the protocol was said."""
        ini = "[proxy:a]\nproxy = :0\nbackend = 127.0.0.1:9\nprotocol = http\n"
        (error,) = self.advice(Seen("redis", "Redis"), ini=ini)
        self.assertIn(":4: protocol to redis", error.advice)

    def test_trouble(self) -> None:
        """A server that takes nobody is an error, whatever else is right."""
        found = self.advice(Seen("redis", "Redis", trouble="DENIED"), "--protocol=redis")
        self.assertEqual([each.level for each in found], [Level.ERROR, Level.OK])
        self.assertIn("DENIED", found[0].text)

    def test_tls_without_inside(self) -> None:
        """TLS in which nothing was recognised: only tls: is named."""
        (note,) = self.advice(Seen("tls", "TLS"), "--backend=[::1]:443")
        self.assertEqual(note.advice, "to read it, write tls:[::1]:443 for it (--backend)")

    def test_tls_choices(self) -> None:
        """TLS within MySQL: each choice that keeps the link readable is named, and will do."""
        offers = Seen("mysql", "MySQL", frozenset({OFFERS_TLS}))
        warning = self.only(self.advice(offers, "--protocol=mysql"), "protocol", Level.WARNING)
        self.assertEqual(warning.advice, "set --protocol-mysql-tls to strip or terminate")
        for choice in ("strip", "terminate"):
            found = self.advice(offers, "--protocol=mysql", f"--protocol-mysql-tls={choice}")
            self.none(found, Level.WARNING, Level.ERROR)

    def test_zstd(self) -> None:
        """zstd is a trap only where the package for it is missing, and compression is not taken out."""
        offers = Seen("mysql", "MySQL", frozenset({OFFERS_ZSTD}))
        with patch.object(advising, "find_spec", lambda name: None):
            warning = self.only(self.advice(offers, "--protocol=mysql"), "protocol", Level.WARNING)
            self.assertIn("install zstandard", warning.advice)
            stripped = self.advice(offers, "--protocol=mysql", "--protocol-mysql-compression=strip")
        self.none(stripped, Level.WARNING)
        with patch.object(advising, "find_spec", lambda name: find_spec("json")):
            self.none(self.advice(offers, "--protocol=mysql"), Level.WARNING)

    def test_localhost(self) -> None:
        """Clients of MySQL are told the address; where a socket is in their way, that is a warning."""
        (note,) = [each for each in self.advice(_MYSQL, "--protocol=mysql") if each.topic == "clients"]
        self.assertEqual(
            (note.level, note.advice), (Level.NOTE, "have them connect to 127.0.0.1 and port 8000")
        )
        path = Path(self.mktemp())
        path.write_text("")
        self.patch(advising, "SOCKETS", ("/nowhere", str(path)))
        found = self.advice(_MYSQL, "--protocol=mysql", "--proxy=0.0.0.0:3307")
        warning = self.only(found, "clients", Level.WARNING)
        self.assertIn(f"this machine has {path}", warning.text)
        self.assertEqual(warning.advice, "have them connect to 127.0.0.1 and port 3307")

    def test_unix_backend(self) -> None:
        """Through a Unix socket, every client is one of this machine for a MySQL."""
        found = self.advice(_MYSQL, "--protocol=mysql", "--backend=unix:/nowhere/mysqld.sock")
        self.assertEqual(levels(found, "clients"), [Level.NOTE, Level.NOTE])

    def test_other_listeners(self) -> None:
        """Where the proxy has no port, or any, that is what clients are told."""
        for listen, told in (("unix:/nowhere/x", "unix:/nowhere/x"), (":0", "the one that is logged")):
            (note,) = [
                each
                for each in self.advice(_MYSQL, "--protocol=mysql", f"--proxy={listen}")
                if each.topic == "clients"
            ]
            self.assertTrue(note.advice.endswith(told), note.advice)
