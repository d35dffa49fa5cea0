"""Certificates and keys of the user's, and the contexts that are made of them."""

from __future__ import annotations

import ssl
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import NameOID
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.errors import ConfigError
from txvaurien.test.tls_handshake import Handshake, trusting, verify_code
from txvaurien.tls.authority import Authority
from txvaurien.tls.certificates import Credentials, Key, server_context

_PEM = serialization.Encoding.PEM
_PKCS8 = serialization.PrivateFormat.PKCS8
_TRADITIONAL = serialization.PrivateFormat.TraditionalOpenSSL
_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "app.example")])


def certificate_of(key: Key) -> x509.Certificate:
    """One for app.example that a client may trust as it is."""
    now = datetime.now(timezone.utc)
    return (
        x509.CertificateBuilder(_NAME, _NAME, key.public_key(), 1, now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("app.example")]), critical=False)
        .sign(
            key,
            None if isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey) else hashes.SHA256(),
        )
    )


def key_pem(key: PrivateKeyTypes, form: serialization.PrivateFormat = _PKCS8, password: bytes = b"") -> bytes:
    """A key as other tools write it."""
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(_PEM, form, encryption)


class FileCase(SynchronousTestCase):
    """Has files."""

    def file(self, *contents: bytes) -> str:
        """The path of a new one."""
        path = Path(self.mktemp())
        path.write_bytes(b"".join(contents))
        return str(path)

    def fault(self, path: str) -> str:
        """What is said against a file; the file and the place are named."""
        error = self.assertRaises(ConfigError, Credentials.read, path, "--tls")
        self.assertEqual(error.where, "--tls")
        self.assertIn(repr(path), error.what)
        self.assertTrue(error.allowed)
        return str(error)


class ReadTests(FileCase):
    """One file that holds all of it."""

    def setUp(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = certificate_of(self.key)
        self.pem = self.certificate.public_bytes(_PEM)
        self.authority = Authority.make()

    def test_kinds_of_keys(self) -> None:
        """RSA, ECDSA and EdDSA; PKCS #8, PKCS #1 and SEC 1; the key before or after the certificate."""
        rsa_key = rsa.generate_private_key(65537, 2048)
        ed_key = ed25519.Ed25519PrivateKey.generate()
        forms: list[tuple[Key, serialization.PrivateFormat]] = [
            (rsa_key, _PKCS8),
            (rsa_key, _TRADITIONAL),
            (self.key, _PKCS8),
            (self.key, _TRADITIONAL),
            (ed_key, _PKCS8),
        ]
        for key, form in forms:
            pem = certificate_of(key).public_bytes(_PEM)
            for contents in ([pem, key_pem(key, form)], [key_pem(key, form), pem]):
                credentials = Credentials.read(self.file(*contents))
                client = trusting(pem)
                client.verify_flags &= ~ssl.VERIFY_X509_STRICT
                self.assertEqual(verify_code(server_context(credentials), client), 0, (key, form))

    def test_chain(self) -> None:
        """What follows the certificate is shown to clients, in that order, wherever the key stands."""
        others = [self.authority.pem, Authority.make().pem]
        path = self.file(self.pem, others[0], key_pem(self.key), others[1])
        credentials = Credentials.read(path)
        self.assertEqual(credentials.certificate, self.certificate)
        self.assertEqual([each.public_bytes(_PEM) for each in credentials.chain], others)

    def test_what_else_is_in_files(self) -> None:
        """Curve parameters, text of other tools and the line ends of Windows do not disturb."""
        parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
        data = b"subject=CN = app.example\n" + self.pem + parameters + key_pem(self.key, _TRADITIONAL)
        credentials = Credentials.read(self.file(data.replace(b"\n", b"\r\n")))
        self.assertEqual(credentials.certificate, self.certificate)

    def test_pem(self) -> None:
        """What `pem` gives is read again."""
        first = Credentials(self.key, self.certificate, (x509.load_pem_x509_certificate(self.authority.pem),))
        second = Credentials.load(first.pem())
        self.assertEqual((second.certificate, second.chain), (first.certificate, first.chain))
        self.assertEqual(second.pem(), first.pem())

    def test_repr(self) -> None:
        """The key is not shown by accident."""
        self.assertNotIn("key=", repr(Credentials(self.key, self.certificate)))

    def test_missing_file(self) -> None:
        """A path that leads nowhere, or to a folder, or cannot be one."""
        self.assertIn("No such file or directory", self.fault("no/such/file.pem"))
        self.assertIn("Is a directory", self.fault("."))
        self.assertIn("null byte", self.fault("a\x00b"))

    def test_no_certificate(self) -> None:
        """A key alone, and something that is not PEM."""
        self.assertIn("holds no certificate", self.fault(self.file(key_pem(self.key))))
        der = self.certificate.public_bytes(serialization.Encoding.DER)
        self.assertIn("holds no certificate", self.fault(self.file(der)))

    def test_no_key(self) -> None:
        """A certificate alone."""
        self.assertIn("holds no private key", self.fault(self.file(self.pem)))

    def test_encrypted_key(self) -> None:
        """Nobody is asked for a passphrase; it has to be taken off."""
        for form in (_PKCS8, _TRADITIONAL):
            path = self.file(self.pem, key_pem(self.key, form, b"secret"))
            fault = self.fault(path)
            self.assertIn("has an encrypted private key", fault)
            self.assertIn("openssl pkey", fault)

    def test_broken(self) -> None:
        """Lines are missing in the certificate, or in the key."""
        lines = self.pem.splitlines(keepends=True)
        broken = b"".join([*lines[:2], *lines[4:]])
        self.assertIn("has a broken certificate", self.fault(self.file(broken, key_pem(self.key))))
        lines = key_pem(self.key).splitlines(keepends=True)
        broken = b"".join([lines[0], *lines[2:]])
        self.assertIn("has a broken private key", self.fault(self.file(self.pem, broken)))

    def test_does_not_fit(self) -> None:
        """The key of another certificate."""
        path = self.file(self.pem, key_pem(ec.generate_private_key(ec.SECP256R1())))
        self.assertIn("has a certificate that does not fit its private key", self.fault(path))

    def test_order(self) -> None:
        """The certificate of the key is there, but not the first."""
        fault = self.fault(self.file(self.authority.pem, self.pem, key_pem(self.key)))
        self.assertIn("has the certificate of its private key in place 2; move it before the others", fault)

    def test_unknown_key(self) -> None:
        """A certificate for a key of an unknown kind does not fit; among the others it does not disturb."""
        der = self.certificate.public_bytes(serialization.Encoding.DER)
        # The last part of id-ecPublicKey (RFC 5480) is changed.
        odd = x509.load_der_x509_certificate(der.replace(b"\xce\x3d\x02\x01", b"\xce\x3d\x02\x7f"))
        odd_pem = odd.public_bytes(_PEM)
        credentials = Credentials.read(self.file(self.pem, odd_pem, key_pem(self.key)))
        self.assertEqual(credentials.chain, (odd,))
        fault = self.fault(self.file(odd_pem, key_pem(self.key)))
        self.assertIn("does not fit its private key", fault)

    def test_other_keys(self) -> None:
        """Keys that no certificate of TLS has."""
        for key in (dsa.generate_private_key(1024), x25519.X25519PrivateKey.generate()):
            fault = self.fault(self.file(self.pem, key_pem(key)))
            self.assertIn("has a private key of a kind that TLS does not use", fault)

    def test_weak_key(self) -> None:
        """What OpenSSL itself refuses is said at the start, and not to the first client."""
        key = rsa.generate_private_key(65537, 1024)
        fault = self.fault(self.file(certificate_of(key).public_bytes(_PEM), key_pem(key)))
        self.assertIn("is refused by OpenSSL (ee key too small)", fault)


class PairTests(FileCase):
    """The files of an ``ssl:`` endpoint."""

    def setUp(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = certificate_of(self.key)
        self.pem = self.certificate.public_bytes(_PEM)

    def test_two_files(self) -> None:
        """The certificate in one, the key in the other."""
        credentials = Credentials.read_pair(self.file(self.pem), self.file(key_pem(self.key)))
        self.assertEqual((credentials.certificate, credentials.chain), (self.certificate, ()))

    def test_one_file(self) -> None:
        """Without certKey the certificate is where the key is."""
        credentials = Credentials.read_pair(None, self.file(self.pem, key_pem(self.key)))
        self.assertEqual(credentials.certificate, self.certificate)

    def test_certificate_in_both(self) -> None:
        """The certificate next to the key is not shown a second time."""
        both = self.file(self.pem, key_pem(self.key))
        self.assertEqual(Credentials.read_pair(self.file(self.pem), both).chain, ())

    def test_key_with_the_certificate(self) -> None:
        """As Twisted reads them, a key in the file of the certificate serves."""
        credentials = Credentials.read_pair(self.file(self.pem, key_pem(self.key)), self.file(self.pem))
        self.assertEqual(credentials.certificate, self.certificate)

    def test_default(self) -> None:
        """Twisted's name of the file with both."""
        error = self.assertRaises(ConfigError, Credentials.read_pair, None, None, "--proxy")
        self.assertIn("--proxy: 'server.pem' cannot be read", str(error))

    def test_chain(self) -> None:
        """The extra chain comes after what stands in the file of the certificate."""
        others = [Authority.make().pem for _ in range(3)]
        credentials = Credentials.read_pair(
            self.file(self.pem, others[0]), self.file(key_pem(self.key)), "", self.file(*others[1:])
        )
        self.assertEqual([each.public_bytes(_PEM) for each in credentials.chain], others)

    def test_empty_chain(self) -> None:
        """A file for the chain that has none is a mistake."""
        key, chain = self.file(self.pem, key_pem(self.key)), self.file(b"nothing")
        error = self.assertRaises(ConfigError, Credentials.read_pair, None, key, "--proxy", chain)
        self.assertIn(f"{chain!r} holds no certificate", str(error))

    def test_does_not_fit(self) -> None:
        """Both files are named."""
        path, key = self.file(self.pem), self.file(key_pem(ec.generate_private_key(ec.SECP256R1())))
        error = self.assertRaises(ConfigError, Credentials.read_pair, path, key, "--proxy")
        self.assertIn(f"{path!r} has a certificate that does not fit the private key in {key!r}", str(error))


class ContextTests(SynchronousTestCase):
    """What the server says in the handshake."""

    def setUp(self) -> None:
        self.authority = Authority.make()
        self.credentials = self.authority.issue(["app.example"])

    def test_versions(self) -> None:
        """TLS 1.2 and 1.3, and 1.3 where the client is free to choose."""
        for version, name in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (None, "TLSv1.3")):
            client = trusting(self.authority.pem, version=version)
            done = Handshake(server_context(self.credentials), client).run()
            self.assertEqual(done.client.version(), name)
            self.assertIsNone(done.client.compression())

    def test_old_version(self) -> None:
        """A client of TLS 1.1 is refused for its version."""
        client = SSL.Context(SSL.TLS_CLIENT_METHOD)
        client.set_cipher_list(b"ALL:@SECLEVEL=0")
        client.set_min_proto_version(SSL.TLS1_1_VERSION)
        client.set_max_proto_version(SSL.TLS1_1_VERSION)
        connection = SSL.Connection(client, None)
        connection.set_connect_state()
        self.assertRaises(SSL.WantReadError, connection.do_handshake)
        server = SSL.Connection(server_context(self.credentials), None)
        server.set_accept_state()
        server.bio_write(connection.bio_read(65536))
        error = self.assertRaises(SSL.Error, server.do_handshake)
        self.assertIn("unsupported protocol", str(error))

    def test_alpn(self) -> None:
        """The first of the server's that the client offers; none if they have none in common."""
        context = server_context(self.credentials, [b"h2", b"http/1.1"])
        for offered, agreed in (
            (["http/1.1", "h2"], "h2"),
            (["spdy", "http/1.1"], "http/1.1"),
            (["spdy"], None),
            ([], None),
        ):
            done = Handshake(context, trusting(self.authority.pem, alpn=offered)).run()
            self.assertEqual(done.client.selected_alpn_protocol(), agreed)

    def test_no_alpn(self) -> None:
        """A server that names no protocols agrees on none."""
        done = Handshake(
            server_context(self.credentials), trusting(self.authority.pem, alpn=["http/1.1"])
        ).run()
        self.assertIsNone(done.client.selected_alpn_protocol())

    def test_mismatch(self) -> None:
        """A key that does not fit is refused, of the same kind or of another."""
        keys: list[Key] = [rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())]
        for key in keys:
            self.assertRaises(SSL.Error, server_context, Credentials(key, self.credentials.certificate))
