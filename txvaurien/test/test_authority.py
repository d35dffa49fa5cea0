"""A throw-away authority, and what clients say to its certificates."""

from __future__ import annotations

import ipaddress
import os
import ssl
import stat
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.errors import ConfigError, NotLegal
from txvaurien.test.tls_handshake import Handshake, trusting, verify_code
from txvaurien.tls import authority as authority_module
from txvaurien.tls.authority import LEAF_LIFE, WRONG_NAME, Authority, Fixed, Issuer
from txvaurien.tls.certificates import Credentials, Key, Spoil, server_context

#: What OpenSSL says to each (x509_vfy.h), as it would to a server that really is like that.
CODES = {
    Spoil.NONE: 0,
    Spoil.EXPIRED: 10,
    Spoil.NOT_YET: 9,
    Spoil.WRONG_NAME: 62,
    Spoil.UNKNOWN_AUTHORITY: 20,
    Spoil.SELF_SIGNED: 18,
}

_IP_MISMATCH = 64
_HOUR = timedelta(hours=1)


def dns_names(certificate: x509.Certificate) -> list[str]:
    """The host names of a certificate."""
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return found.get_values_for_type(x509.DNSName)


def addresses(certificate: x509.Certificate) -> list[str]:
    """The IP addresses of a certificate."""
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(each) for each in found.get_values_for_type(x509.IPAddress)]


def ca_file(path: str, key: Key, days: int = 30, ca: bool = True, issuer: Credentials | None = None) -> None:
    """An authority as other tools make it: with nothing that need not be there."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "An authority of ours")])
    now = datetime.now(timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    signer = issuer.key if issuer else key
    plain = isinstance(signer, ed25519.Ed25519PrivateKey)
    certificate = builder.sign(signer, None if plain else hashes.SHA256())
    chain = (issuer.certificate,) if issuer else ()
    Path(path).write_bytes(Credentials(key, certificate, chain).pem())


def lenient(*authorities: bytes) -> ssl.SSLContext:
    """A client that takes authorities without key identifiers, as most do."""
    context = trusting(*authorities)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


class AuthorityTests(SynchronousTestCase):
    """The authority itself."""

    def test_certificate(self) -> None:
        """It may sign for servers, and nothing else; its validity goes from a day ago to a year on."""
        now = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
        certificate = x509.load_pem_x509_certificate(Authority.make(now).pem)
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
        self.assertEqual((basic.critical, basic.value.ca, basic.value.path_length), (True, True, 0))
        self.assertTrue(usage.critical and usage.value.key_cert_sign and usage.value.crl_sign)
        self.assertFalse(usage.value.digital_signature)
        self.assertEqual(certificate.not_valid_before_utc, now - timedelta(days=1))
        self.assertEqual(certificate.not_valid_after_utc, now + timedelta(days=364))

    def test_two_are_told_apart(self) -> None:
        """Each has a name of its own, so that a client that trusts an old one gets an error that is clear."""
        certificates = [x509.load_pem_x509_certificate(Authority.make().pem) for _ in range(2)]
        self.assertNotEqual(certificates[0].subject, certificates[1].subject)
        self.assertIn("throw-away", certificates[0].subject.rfc4514_string())

    def test_pem_has_no_key(self) -> None:
        """What is given to clients has no secret."""
        self.assertNotIn(b"PRIVATE", Authority.make().pem)

    def test_dump_and_load(self) -> None:
        """In another process it is the same authority."""
        authority = Authority.make()
        other = Authority.load(authority.dump())
        self.assertEqual(other.pem, authority.pem)
        context = server_context(other.issue(["app.example"]))
        self.assertEqual(verify_code(context, trusting(authority.pem)), 0)

    def test_issued(self) -> None:
        """A certificate has the names and addresses asked for, and is for servers."""
        issued = Authority.make().issue(["app.example", "127.0.0.1", "::1", "bücher.example"])
        certificate = issued.certificate
        self.assertEqual(dns_names(certificate), ["app.example", "xn--bcher-kva.example"])
        self.assertEqual(addresses(certificate), ["127.0.0.1", "::1"])
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        self.assertEqual(list(usage), [x509.oid.ExtendedKeyUsageOID.SERVER_AUTH])
        self.assertEqual(issued.chain, ())

    def test_serials(self) -> None:
        """No two certificates of an authority have the same number: some clients refuse that."""
        authority = Authority.make()
        serials = {authority.issue(["app.example"]).certificate.serial_number for _ in range(50)}
        self.assertEqual(len(serials), 50)

    def test_long_name(self) -> None:
        """A name that the subject has no room for is in the certificate all the same."""
        name = ".".join(["a" * 60] * 4)
        authority = Authority.make()
        context = server_context(authority.issue([name]))
        self.assertEqual(verify_code(context, trusting(authority.pem), name), 0)

    def test_no_name(self) -> None:
        """What cannot be a name is an error of the caller's."""
        self.assertRaises(ValueError, Authority.make().issue, ["bücher..example"])

    def test_not_longer_than_clients_take(self) -> None:
        """Under an authority for ten years a certificate is for 398 days."""
        path = self.mktemp()
        ca_file(path, ec.generate_private_key(ec.SECP256R1()), days=3650)
        certificate = Authority.read(path).issue(["app.example"]).certificate
        self.assertEqual(certificate.not_valid_after_utc - certificate.not_valid_before_utc, LEAF_LIFE)

    def test_after_its_end(self) -> None:
        """An authority that has expired while the proxy runs still issues: the client says why."""
        authority = Authority.make(datetime.now(timezone.utc) - timedelta(days=500))
        context = server_context(authority.issue(["app.example"]))
        self.assertEqual(verify_code(context, trusting(authority.pem)), CODES[Spoil.EXPIRED])


class SpoilTests(SynchronousTestCase):
    """Each certificate has exactly the one thing wrong with it."""

    def test_codes(self) -> None:
        """A client that trusts the authority says of each what it would say of such a server."""
        authority = Authority.make()
        issuer = Issuer(authority, ["localhost"])
        client = trusting(authority.pem)
        found = {spoil: verify_code(issuer.context_for("app.example", spoil), client) for spoil in Spoil}
        self.assertEqual(found, CODES)

    def test_address(self) -> None:
        """The same goes for addresses, where the wrong name has a number of its own."""
        issuer = Issuer(authority := Authority.make(), ["127.0.0.1"])
        client = trusting(authority.pem)
        found = {spoil: verify_code(issuer.context_for(None, spoil), client, "127.0.0.1") for spoil in Spoil}
        self.assertEqual(found, CODES | {Spoil.WRONG_NAME: _IP_MISMATCH})

    def test_depth(self) -> None:
        """It is the server's certificate that has expired, not the authority's, which is valid then."""
        authority = Authority.make()
        certificate = authority.issue(["app.example"], Spoil.EXPIRED).certificate
        root = x509.load_pem_x509_certificate(authority.pem)
        now = datetime.now(timezone.utc)
        self.assertLess(certificate.not_valid_after_utc, now)
        self.assertGreater(certificate.not_valid_after_utc, now - 2 * _HOUR)
        self.assertGreaterEqual(certificate.not_valid_before_utc, root.not_valid_before_utc)

    def test_names_are_right(self) -> None:
        """Whatever else is wrong, the names are as asked, but for the wrong one."""
        authority = Authority.make()
        for spoil in Spoil:
            wanted = [WRONG_NAME] if spoil is Spoil.WRONG_NAME else ["app.example", "db.example"]
            issued = authority.issue(["app.example", "db.example"], spoil).certificate
            self.assertEqual(dns_names(issued), wanted, spoil)

    def test_unknown_authority_stays(self) -> None:
        """The authority that nobody knows is one and the same, and called otherwise."""
        authority = Authority.make()
        first, second = (authority.issue(["a.example"], Spoil.UNKNOWN_AUTHORITY) for _ in range(2))
        self.assertEqual(first.certificate.issuer, second.certificate.issuer)
        root = x509.load_pem_x509_certificate(authority.pem)
        self.assertNotEqual(first.certificate.issuer, root.subject)

    def test_not_yet_for_long(self) -> None:
        """A certificate that is kept does not become valid as long as the authority has another day."""
        certificate = Authority.make().issue(["app.example"], Spoil.NOT_YET).certificate
        self.assertGreater(certificate.not_valid_before_utc, datetime.now(timezone.utc) + timedelta(days=360))

    def test_no_resumption(self) -> None:
        """A client that has a session of the good certificate looks at the bad one nevertheless."""
        authority = Authority.make()
        issuer = Issuer(authority, ["localhost"])
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            client = trusting(authority.pem, version=version)
            good = issuer.context_for("app.example")
            session = Handshake(good, client).run().client.session
            again = Handshake(good, client, session=session).run()
            self.assertTrue(again.client.session_reused, version)
            expired = Handshake(issuer.context_for("app.example", Spoil.EXPIRED), client, session=session)
            error = self.assertRaises(ssl.SSLCertVerificationError, expired.run)
            self.assertEqual(error.verify_code, CODES[Spoil.EXPIRED], version)


class ReadTests(SynchronousTestCase):
    """An authority of the user's own."""

    def test_kinds_of_keys(self) -> None:
        """RSA, ECDSA and EdDSA sign; certificates without identifiers of keys do, too."""
        keys: list[Key] = [
            rsa.generate_private_key(65537, 2048),
            ec.generate_private_key(ec.SECP384R1()),
            ed25519.Ed25519PrivateKey.generate(),
        ]
        for key in keys:
            path = self.mktemp()
            ca_file(path, key)
            authority = Authority.read(path)
            context = server_context(authority.issue(["app.example"]))
            self.assertEqual(verify_code(context, lenient(authority.pem)), 0, key)

    def test_intermediate(self) -> None:
        """One that is no root shows itself: the client trusts the root only, and gets there."""
        above, below = self.mktemp(), self.mktemp()
        ca_file(above, ec.generate_private_key(ec.SECP256R1()))
        root = Credentials.read(above)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "The root")])
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(timezone.utc)
        certificate = (
            x509.CertificateBuilder(subject, subject, key.public_key(), 1, now - _HOUR, now + _HOUR)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        root = Credentials(key, certificate)
        ca_file(below, ec.generate_private_key(ec.SECP256R1()), issuer=root)
        context = server_context(Authority.read(below).issue(["app.example"]))
        trusted = certificate.public_bytes(serialization.Encoding.PEM)
        self.assertEqual(verify_code(context, lenient(trusted)), 0)

    def test_no_authority(self) -> None:
        """The certificate of a server cannot sign others."""
        path = self.mktemp()
        ca_file(path, ec.generate_private_key(ec.SECP256R1()), ca=False)
        error = self.assertRaises(ConfigError, Authority.read, path, "--tls-ca")
        self.assertEqual(error.where, "--tls-ca")
        self.assertIn(f"{path!r} is not that of an authority", str(error))
        self.assertIn("CA:TRUE", error.allowed)

    def test_leaf_of_ours(self) -> None:
        """Nor can one that says so in its keyUsage."""
        path = Path(self.mktemp())
        path.write_bytes(Authority.make().issue(["app.example"]).pem())
        self.assertRaises(ConfigError, Authority.read, str(path))

    def test_unreadable(self) -> None:
        """Nor one that says it in a way that nobody can be sure of: keyUsage twice."""
        authority = Credentials.load(Authority.make().dump())
        der = authority.certificate.public_bytes(serialization.Encoding.DER)
        # The key identifier becomes a second keyUsage (2.5.29.14, 2.5.29.15).
        twice = x509.load_der_x509_certificate(der.replace(b"\x55\x1d\x0e", b"\x55\x1d\x0f"))
        path = Path(self.mktemp())
        path.write_bytes(Credentials(authority.key, twice).pem())
        error = self.assertRaises(ConfigError, Authority.read, str(path))
        self.assertIn("is not that of an authority", str(error))

    def test_expired(self) -> None:
        """An authority that nobody would accept any more is refused at the start."""
        path = self.mktemp()
        ca_file(path, ec.generate_private_key(ec.SECP256R1()), days=-2)
        error = self.assertRaises(ConfigError, Authority.read, path, "--tls-ca")
        self.assertIn(f"the authority in {path!r} expired on 20", str(error))

    def test_certificate_only(self) -> None:
        """What `write` made has no key, and so cannot sign."""
        path = self.mktemp()
        Authority.make().write(path)
        error = self.assertRaises(ConfigError, Authority.read, path, "--tls-ca")
        self.assertIn("holds no private key", str(error))


class WriteTests(SynchronousTestCase):
    """The file for those who should trust the authority."""

    def test_written(self) -> None:
        """Everybody may read it; it holds the certificate; what was there before is gone."""
        authority = Authority.make()
        folder = Path(self.mktemp())
        folder.mkdir()
        path = folder / "ca.pem"
        path.write_bytes(b"something longer than nothing" * 1000)
        authority.write(str(path))
        self.assertEqual(path.read_bytes(), authority.pem)
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o644)
        self.assertEqual(os.listdir(folder), ["ca.pem"])

    def test_link(self) -> None:
        """A symbolic link stays one: what it points to is written."""
        target, link = self.mktemp(), self.mktemp()
        os.symlink(os.path.abspath(target), link)
        authority = Authority.make()
        authority.write(link)
        self.assertTrue(os.path.islink(link))
        self.assertEqual(Path(target).read_bytes(), authority.pem)

    def test_pipe(self) -> None:
        """A pipe, such as /dev/stdout may be, is written to, and not replaced."""
        path = self.mktemp()
        os.mkfifo(path)
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        authority = Authority.make()
        authority.write(path)
        self.assertEqual(os.read(reader, 65536), authority.pem)
        self.assertTrue(stat.S_ISFIFO(os.stat(path).st_mode))

    def test_cannot(self) -> None:
        """A folder that is not there, and one in the place of the file, are named."""
        for path, reason in (("no/such/folder/ca.pem", "No such file"), (".", "Is a directory")):
            error = self.assertRaises(ConfigError, Authority.make().write, path, "--tls-ca-out")
            self.assertEqual(error.where, "--tls-ca-out")
            self.assertIn(f"{path!r} cannot be written ({reason}", error.what)

    def test_nothing_left(self) -> None:
        """If the last step fails, no half of a file stays behind."""

        def full(old: str, new: str) -> None:
            raise OSError(28, "No space left on device")

        self.patch(os, "replace", full)
        folder = self.mktemp()
        os.mkdir(folder)
        self.assertRaises(ConfigError, Authority.make().write, os.path.join(folder, "ca.pem"))
        self.assertEqual(os.listdir(folder), [])


class IssuerTests(SynchronousTestCase):
    """One certificate for each name that is asked for."""

    def setUp(self) -> None:
        self.authority = Authority.make()
        self.issuer = Issuer(self.authority, ["localhost", "127.0.0.1", "::1", "db.example"])
        self.client = trusting(self.authority.pem)

    def shown(self, name: str | None, host: str) -> x509.Certificate:
        """What a client sees that connects to `host`."""
        return Handshake(self.issuer.context_for(name), self.client, host).run().shown

    def test_name(self) -> None:
        """A host name gets a certificate of its own, an address too."""
        self.assertEqual(dns_names(self.shown("app.example", "app.example")), ["app.example"])
        self.assertEqual(addresses(self.shown("192.0.2.1", "192.0.2.1")), ["192.0.2.1"])

    def test_default(self) -> None:
        """No name gets the certificate of the default names; it holds for each of them."""
        for host in ("localhost", "127.0.0.1", "::1", "db.example"):
            self.assertEqual(dns_names(self.shown(None, host)), ["localhost", "db.example"])

    def test_no_host_name(self) -> None:
        """What is no name of a host gets the default certificate."""
        default = self.issuer.context_for(None)
        long = ".".join(["a" * 63] * 4)
        for name in ("", ".", "a..b", "-a.example", "a-.example", "a b", "*.example", "a/b", "x\n", long):
            self.assertIs(self.issuer.context_for(name), default, name)
        for name in ("\x00", "\ufffd", "ü" * 80, "a.\udcff", "a" * 64):
            self.assertIs(self.issuer.context_for(name), default, ascii(name))

    def test_host_names(self) -> None:
        """Names of one label, of digits, with underscores, and of 253 characters are host names."""
        default = self.issuer.context_for(None)
        for name in ("app", "1.example", "my_app", "xn--bcher-kva.example", ".".join(["a" * 62] * 4)):
            self.assertIsNot(self.issuer.context_for(name), default, name)

    def test_same_name(self) -> None:
        """A name is made a certificate for once, however it is spelt."""
        context = self.issuer.context_for("bücher.example")
        for name in ("bücher.example", "xn--bcher-kva.example", "XN--BCHER-KVA.example", "bücher.example."):
            self.assertIs(self.issuer.context_for(name), context, name)

    def test_bound(self) -> None:
        """The one that was not asked for the longest time makes room for a new one."""
        self.patch(authority_module, "MOST_CONTEXTS", 3)
        first, second = self.issuer.context_for("a.example"), self.issuer.context_for("b.example")
        self.issuer.context_for("c.example")
        self.assertIs(self.issuer.context_for("a.example"), first)
        self.issuer.context_for("d.example")
        self.assertIs(self.issuer.context_for("a.example"), first)
        self.assertIsNot(self.issuer.context_for("b.example"), second)

    def test_default_names(self) -> None:
        """Names that no certificate can have are left out, zones of addresses too; one is always there."""
        context = Issuer(self.authority, ["", "/run/x.sock", "fe80::1%lo"]).context_for(None)
        shown = Handshake(context, self.client, "fe80::1").run().shown
        self.assertEqual((dns_names(shown), addresses(shown)), ([], [str(ipaddress.ip_address("fe80::1"))]))
        context = Issuer(self.authority, []).context_for(None)
        self.assertEqual(verify_code(context, self.client, "localhost"), 0)


class FixedTests(SynchronousTestCase):
    """A certificate of the user's own."""

    def setUp(self) -> None:
        self.authority = Authority.make()
        credentials = self.authority.issue(["app.example", "192.0.2.1"])
        self.fixed = Fixed(credentials)
        self.client = trusting(self.authority.pem)

    def test_whatever_name(self) -> None:
        """It is shown whatever name is asked for."""
        self.assertIs(self.fixed.context_for("other.example"), self.fixed.context_for(None))
        self.assertEqual(verify_code(self.fixed.context_for(None), self.client), 0)

    def test_spoilt(self) -> None:
        """What needs no authority is made, for the names of the user's certificate, and kept."""
        for spoil in (Spoil.UNKNOWN_AUTHORITY, Spoil.SELF_SIGNED):
            context = self.fixed.context_for("app.example", spoil)
            self.assertIs(self.fixed.context_for(None, spoil), context)
            self.assertEqual(verify_code(context, self.client), CODES[spoil])
            client = trusting(self.authority.pem)
            client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
            shown = Handshake(context, client).run().shown
            self.assertEqual((dns_names(shown), addresses(shown)), (["app.example"], ["192.0.2.1"]))

    def test_needs_authority(self) -> None:
        """What a client would have to trust cannot be made, and the words say what to do."""
        for spoil in (Spoil.EXPIRED, Spoil.NOT_YET, Spoil.WRONG_NAME):
            error = self.assertRaises(NotLegal, self.fixed.context_for, None, spoil)
            self.assertIn(spoil.value, str(error))
            self.assertIn("--tls auto or --tls-ca FILE", str(error))

    def test_old_certificate(self) -> None:
        """A certificate whose one name is in its subject has that name."""
        path = self.mktemp()
        ca_file(path, ec.generate_private_key(ec.SECP256R1()))
        context = Fixed(Credentials.read(path)).context_for(None, Spoil.SELF_SIGNED)
        client = trusting(self.authority.pem)
        client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
        self.assertEqual(dns_names(Handshake(context, client).run().shown), ["An authority of ours"])
