"""The doctor and servers that speak TLS from the first byte on."""

from __future__ import annotations

import socket
import ssl
from datetime import datetime, timedelta, timezone
from pathlib import Path

from txvaurien.doctor.findings import Finding, Level
from txvaurien.doctor.reaching import Way
from txvaurien.doctor.tlsprobe import Certified, Terms, certified, of_certificate
from txvaurien.test.doctor_support import DoctorCase, levels
from txvaurien.test.peers import ScriptedBackend, read_exactly
from txvaurien.test.test_tls_backend import certificate


class TlsTests(DoctorCase):
    """A web server within TLS."""

    def setUp(self) -> None:
        self.cert, self.key = certificate(Path(self.mktemp()).absolute())
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.cert, self.key)
        backend = ScriptedBackend(self.secured)
        self.addCleanup(backend.stop)
        self.port = backend.port

    def secured(self, peer: socket.socket) -> None:
        """Answer to OPTIONS, within TLS; close upon everything else."""
        try:
            with self.context.wrap_socket(peer, server_side=True) as sock:
                self.answer(sock)
        except (ssl.SSLError, OSError):
            return

    def answer(self, sock: socket.socket) -> None:
        """Answer to OPTIONS."""
        if sock.recv(4096).startswith(b"OPTIONS"):
            sock.sendall(b"HTTP/1.1 200 OK\r\nServer: within\r\n\r\n")

    def found(self, backend: str, protocol: str) -> list[Finding]:
        """What is found of a proxy for this protocol and backend; ``PORT`` is the server's."""
        where = backend.replace("PORT", str(self.port))
        return self.examine("--proxy=:0", f"--backend={where}", f"--protocol={protocol}")

    def test_plain_backend(self) -> None:
        """What is framed cannot be in TLS: an error says what to write, and what is within."""
        found = self.found("127.0.0.1:PORT", "http")
        error = self.only(found, "protocol", Level.ERROR)
        self.assertIn("the server speaks TLS, and HTTP (within) within it", error.text)
        self.assertEqual(error.advice, f"write tls:127.0.0.1:{self.port} for it (--backend)")
        self.assertIn("localhost, 127.0.0.1", self.only(found, "tls", Level.WARNING).text)

    def test_tcp(self) -> None:
        """With tcp it is a note, which names the protocol as well."""
        note = self.only(self.found("127.0.0.1:PORT", "tcp"), "protocol", Level.NOTE)
        self.assertEqual(
            note.advice, f"to read it, write tls:127.0.0.1:{self.port} for it (--backend) and --protocol http"
        )

    def test_tls_backend(self) -> None:
        """With tls: and the authority of the certificate all is well, but that it ends soon."""
        found = self.found(f"tls:localhost:PORT:ca={self.cert}", "http")
        self.assertEqual(levels(found, "tls"), [Level.WARNING])
        self.assertIn("expires in 0 days", self.only(found, "tls", Level.WARNING).text)
        self.assertIn("it is HTTP (within)", self.only(found, "protocol", Level.OK).text)
        self.none(found, Level.ERROR)

    def test_not_trusted(self) -> None:
        """A certificate that nobody vouches for is an error; where it is not verified, a note."""
        error = self.only(self.found("tls:localhost:PORT", "http"), "tls", Level.ERROR)
        self.assertIn("not accepted: self", error.text)
        found = self.found("tls:localhost:PORT:verify=no", "http")
        self.assertEqual(levels(found, "tls"), [Level.WARNING, Level.NOTE])

    def test_no_tls(self) -> None:
        """tls: in front of a server without TLS is an error that says what that is."""
        plain = ScriptedBackend(self.answer)
        self.addCleanup(plain.stop)
        found = self.examine("--proxy=:0", f"--backend=tls:127.0.0.1:{plain.port}", "--protocol=http")
        error = self.only(found, "tls", Level.ERROR)
        self.assertIn("does not speak TLS (it is HTTP (within))", error.text)
        self.assertEqual(error.advice, f"write 127.0.0.1:{plain.port} without tls: (--backend)")

    def test_certificate(self) -> None:
        """What a server shows: the version, the names, how long, and whether it is good for this name."""
        place = (socket.AF_INET, ("127.0.0.1", self.port))
        good = certified(Way(place), Terms("localhost", ca=self.cert))
        self.assertEqual((good.version, good.names, good.days), ("TLSv1.3", ("localhost", "127.0.0.1"), 0))
        self.assertEqual(good.distrust, "")
        other = certified(Way(place), Terms("example.org", ca=self.cert))
        self.assertIn("example.org", other.distrust)

    def test_client_certificate(self) -> None:
        """A server that wants a certificate gets the one of the proxy, and is recognised then."""
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.context.load_verify_locations(self.cert)
        found = self.found("tls:localhost:PORT:verify=no", "http")
        self.assertEqual(levels(found, "protocol"), [Level.WARNING])
        own = (f"--backend-tls-cert={self.cert}", f"--backend-tls-key={self.key}", "--backend-tls-verify=no")
        found = self.examine("--proxy=:0", f"--backend=tls:localhost:{self.port}", "--protocol=http", *own)
        self.assertIn("it is HTTP (within)", self.only(found, "protocol", Level.OK).text)


class CertificateTests(DoctorCase):
    """`of_certificate`."""

    def levels(self, days: float, distrust: str = "", *, verified: bool = True) -> list[Level]:
        """How bad a certificate is that ends in so many days."""
        until = datetime.now(timezone.utc) + timedelta(days=days)
        shown = Certified("TLSv1.3", ("a.test",), until, distrust)
        return [each.level for each in of_certificate(shown, verified=verified)]

    def test_days(self) -> None:
        """Good for a week, for fewer days, and no more; where it is not verified, that is no error."""
        self.assertEqual([self.levels(days) for days in (7.5, 6.5)], [[Level.OK], [Level.WARNING]])
        self.assertEqual(self.levels(-1, "certificate has expired"), [Level.ERROR])
        self.assertEqual(self.levels(-1, verified=False), [Level.WARNING])

    def test_distrust(self) -> None:
        """Nobody vouches for it."""
        self.assertEqual(self.levels(90.5, "self-signed"), [Level.OK, Level.ERROR])
        self.assertEqual(self.levels(90.5, "self-signed", verified=False), [Level.OK, Level.NOTE])


class HeaderTests(DoctorCase):
    """Servers that want a header of the PROXY protocol."""

    def test_headers(self) -> None:
        """Each connection begins with one that says that it is the proxy's own."""
        headers = {"v1": b"PROXY UNKNOWN\r\n", "v2": b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"}
        for version, header in headers.items():

            def script(peer: socket.socket, header: bytes = header) -> None:
                if read_exactly(peer, len(header)) == header and peer.recv(7) == b"OPTIONS":
                    peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

            backend = ScriptedBackend(script)
            self.addCleanup(backend.stop)
            found = self.examine(
                "--proxy=:0",
                f"--backend=127.0.0.1:{backend.port}",
                "--protocol=http",
                f"--send-proxy={version}",
            )
            self.assertIn("it is HTTP", self.only(found, "protocol", Level.OK).text)
