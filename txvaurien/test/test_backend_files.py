"""What a proxy trusts, and shows, where it speaks TLS with its backend: files that will not do."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.errors import ConfigError
from txvaurien.net.addresses import parse_backend
from txvaurien.net.ends import Ends
from txvaurien.tls.authority import Authority
from txvaurien.tls.backend import BackendContext

PLACES = {"backend-tls-ca": "x.ini:3: backend-tls-ca", "backend": "x.ini:2: backend"}


class FileTests(SynchronousTestCase):
    """Each error names the place, the file and the fault."""

    def refused(self, backend: str = "tls:localhost:1", **ends: str) -> str:
        """Why these cannot be."""
        said = Ends(**ends)  # type: ignore[arg-type]
        error = self.assertRaises(ConfigError, BackendContext, parse_backend(backend), said, (), PLACES)
        return str(error)

    def test_missing(self) -> None:
        """A file of authorities that is not there."""
        said = self.refused(backend_tls_ca="/nonexistent/ca.pem")
        self.assertTrue(
            said.startswith("x.ini:3: backend-tls-ca: '/nonexistent/ca.pem' cannot be read (No such"), said
        )
        said = self.refused("tls:localhost:1:ca=/nonexistent/ca.pem")
        self.assertTrue(said.startswith("x.ini:2: backend: '/nonexistent/ca.pem' cannot be read"), said)

    def test_no_certificate(self) -> None:
        """A file with something else."""
        path = Path(self.mktemp())
        path.write_text("nothing of the kind", encoding="ascii")
        said = self.refused(backend_tls_ca=str(path))
        self.assertIn(f"there is no certificate in {str(path)!r}", said)

    def test_folder(self) -> None:
        """A folder is taken as it is: OpenSSL looks into it when it needs to."""
        folder = Path(self.mktemp())
        folder.mkdir()
        context = BackendContext(parse_backend("tls:localhost:1"), Ends(backend_tls_ca=str(folder)), (), {})
        self.assertFalse(context.engine().agreed)

    def test_shown(self) -> None:
        """A certificate of our own needs its key."""
        path = Path(self.mktemp())
        path.write_bytes(Authority.make().pem)
        self.assertIn(str(path), self.refused(backend_tls_cert=str(path)))
