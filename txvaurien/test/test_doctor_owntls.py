"""The doctor and the certificate that clients are shown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from txvaurien.doctor.findings import Finding, Level
from txvaurien.test.doctor_support import DoctorCase, levels
from txvaurien.tls.certificates import Credentials
from txvaurien.tls.profile import leaf, root, signed

_NOW = datetime.now(timezone.utc)
_AUTHORITY = "authority of a test"


def lasting(days: float, since: float = 1.0) -> tuple[datetime, datetime]:
    """From so many days ago until in so many days, and half a day that tests may take."""
    return _NOW - timedelta(days=since), _NOW + timedelta(days=days, hours=12)


class OwnCase(DoctorCase):
    """A certificate, its authority, and files with them."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.key, self.authority_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))

    def authority(self, days: float = 90) -> x509.Certificate:
        """The certificate of an authority that ends in so many days."""
        return root(_AUTHORITY, self.authority_key, lasting(days))

    def certificate(self, period: tuple[datetime, datetime]) -> x509.Certificate:
        """One that this authority has signed."""
        builder = leaf(["a.test", "127.0.0.1"], self.key, period)
        return signed(builder, self.authority(), self.authority_key)

    def file(self, certificate: x509.Certificate, *chain: x509.Certificate) -> Path:
        """With all of it in one file."""
        path = self.folder / "own.pem"
        path.write_bytes(Credentials(self.key, certificate, chain).pem())
        return path

    def tls(self, *arguments: str, listen: str = "127.0.0.1:0") -> list[Finding]:
        """What is found on TLS."""
        found = self.examine(f"--proxy={listen}", *arguments, probe=False)
        return [each for each in found if each.topic == "tls"]

    def shown(self, period: tuple[datetime, datetime], *chain: x509.Certificate) -> Sequence[Finding]:
        """What is found of a certificate with this time and chain."""
        return self.tls(f"--tls={self.file(self.certificate(period), *chain)}")


class CertificateTests(OwnCase):
    """`--tls FILE`, and `ssl:`."""

    def test_good(self) -> None:
        """Its names, its authority and its days are told."""
        (found,) = self.shown(lasting(90))
        self.assertEqual(found.level, Level.OK)
        self.assertIn("a certificate for a.test, 127.0.0.1, alone, under the authority CN=", found.text)
        self.assertTrue(found.text.endswith(f"{_AUTHORITY},O=txvaurien, for another 90 days"), found.text)

    def test_time(self) -> None:
        """It has expired, does so within seven days, or is not valid yet."""
        for period, words in (
            (lasting(-3, since=9), "which expired on 20"),
            (lasting(6), "which expires in 6 days"),
            (lasting(90, since=-2), "which is not valid before 20"),
        ):
            (found,) = self.shown(period)
            self.assertEqual((found.level, found.advice), (Level.WARNING, "have it renewed"))
            self.assertIn(words, found.text)
        self.assertEqual([each.level for each in self.shown(lasting(7))], [Level.OK])

    def test_chain(self) -> None:
        """A chain that leads on is counted, and its certificates have a time as well."""
        (found,) = self.shown(lasting(90), self.authority())
        self.assertIn("with 1 further one, under the authority", found.text)
        soon = self.only(self.shown(lasting(90), self.authority(days=3)), "tls", Level.WARNING)
        self.assertIn(f"{_AUTHORITY},O=txvaurien expires in 3 days", soon.text)

    def test_broken_chain(self) -> None:
        """A chain that leads elsewhere is warned of, with the name of who is missing."""
        stranger = root("somebody else", ec.generate_private_key(ec.SECP256R1()), lasting(90))
        found = self.only(self.shown(lasting(90), stranger), "tls", Level.WARNING)
        self.assertIn("certificate 2 of its chain, CN=somebody else", found.text)
        self.assertIn(f"that is CN={_AUTHORITY}", found.text)

    def test_own_signature(self) -> None:
        """One that its own key has signed is said to be that; one without names is warned of."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "old.test")])
        begin, end = lasting(90)
        builder = x509.CertificateBuilder(name, name, self.key.public_key(), 7, begin, end)
        found = self.tls(f"--tls={self.file(builder.sign(self.key, hashes.SHA256()))}")
        self.assertEqual([each.level for each in found], [Level.OK, Level.WARNING])
        self.assertIn("for old.test, which is signed with its own key", found[0].text)
        self.assertIn("no subjectAltName", found[1].text)

    def test_listener(self) -> None:
        """What an `ssl:` listener shows is looked at, too."""
        path = self.file(self.certificate(lasting(2)))
        (found,) = self.tls(listen=f"ssl:0:interface=127.0.0.1:privateKey={path}")
        self.assertIn("expires in 2 days", found.text)

    def test_unreadable(self) -> None:
        """A file that will not do is an error that is said once."""
        found = self.examine("--proxy=127.0.0.1:0", "--tls=/nowhere/x.pem", probe=False)
        error = self.only(found, "tls", Level.ERROR)
        self.assertIn("--tls: '/nowhere/x.pem' cannot be read", error.text)
        self.assertEqual(levels(found, "start"), [])


class AuthorityTests(OwnCase):
    """`--tls auto`."""

    def test_nobody_hands_it_out(self) -> None:
        """Clients cannot know the authority of a process; also where the protocol begins TLS itself."""
        for own in (("--tls=auto",), ("--protocol=smtp", "--protocol-smtp-starttls=terminate")):
            (found,) = self.tls(*own)
            self.assertEqual(found.level, Level.NOTE)
            self.assertIn("--tls-ca-out FILE", found.advice)

    def test_handed_out(self) -> None:
        """A file, the control server, and an authority that they know are ways to it."""
        ca = self.folder / "ca.pem"
        ca.write_bytes(Credentials(self.authority_key, self.authority()).pem())
        for way in (("--http", "--http-port=0"), (f"--tls-ca={ca}",)):
            self.assertEqual(self.tls("--tls=auto", *way), [])
        self.assertEqual(self.tls(), [])

    def test_file_is_left_alone(self) -> None:
        """What is in the file with the authority stays: clients of another process may trust just that."""
        path = self.folder / "out.pem"
        path.write_text("as it was")
        (found,) = self.tls("--tls=auto", f"--tls-ca-out={path}")
        self.assertEqual((found.level, found.text), (Level.OK, f"{path} can be written"))
        self.assertEqual(path.read_text(), "as it was")

    def test_file_cannot_be_written(self) -> None:
        """That it cannot be written is an error, as at a start."""
        (found,) = self.tls("--tls=auto", "--tls-ca-out=/nowhere/out.pem")
        self.assertEqual((found.level, found.advice), (Level.ERROR, "choose another with --tls-ca-out"))

    def test_authority_that_will_not_do(self) -> None:
        """An authority that a start would refuse is refused here."""
        ca = self.folder / "ca.pem"
        ca.write_bytes(Credentials(self.key, self.certificate(lasting(9))).pem())
        arguments = ("--tls=auto", f"--tls-ca={ca}", f"--tls-ca-out={self.folder}/out.pem")
        found = self.examine("--proxy=127.0.0.1:0", *arguments, probe=False)
        self.assertIn("is not that of an authority", self.only(found, "start", Level.ERROR).text)


class BehaviorTests(OwnCase):
    """Rules with the behavior `tls`."""

    def start(self, *arguments: str) -> list[Finding]:
        """What a start would say of one."""
        found = self.examine("--proxy=127.0.0.1:0", "--rule=tls kind=refused", *arguments, probe=False)
        return [each for each in found if each.topic == "start"]

    def test_without_tls(self) -> None:
        """Where no TLS is spoken with clients it does nothing, which is warned of."""
        (found,) = self.start()
        self.assertEqual(found.level, Level.WARNING)
        self.assertIn("no TLS is spoken with clients here", found.text)

    def test_with_tls(self) -> None:
        """Where it is, nothing is said."""
        self.assertEqual(self.start("--tls=auto"), [])
