"""What is said of TLS and cannot be is refused; what has no effect is told of."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.config import load
from txvaurien.errors import ConfigError


class EndCheckTests(SynchronousTestCase):
    """As the command line and a file have it."""

    def refused(self, *arguments: str) -> str:
        """Why these arguments cannot be."""
        return str(self.assertRaises(ConfigError, load, list(arguments)))

    def warnings(self, *arguments: str) -> list[str]:
        """What the log says of these arguments."""
        return list(load(list(arguments)).warnings)

    def test_key_alone(self) -> None:
        """A key belongs to a certificate that is named."""
        for more in ((), ("--tls", "auto")):
            said = self.refused("--tls-key", "key.pem", *more)
            self.assertEqual(
                said,
                "--tls-key: there is no certificate that this key could be for; name its file with --tls",
            )
        said = self.refused("--backend-tls-key", "key.pem")
        self.assertIn("--backend-tls-cert", said)

    def test_two_certificates(self) -> None:
        """A listener with a certificate has no other."""
        certificate = Path(self.mktemp())
        from txvaurien.tls.authority import Authority

        certificate.write_bytes(Authority.make().issue(["localhost"]).pem())
        said = self.refused("--proxy", f"ssl:0:privateKey={certificate}", "--tls", "auto")
        self.assertTrue(said.startswith("--tls: the listener "), said)
        self.assertTrue(said.endswith("; say one of the two"), said)

    def test_no_tls_backend(self) -> None:
        """Options for a backend that TLS is not spoken with do nothing, and the log says so."""
        [said] = self.warnings("--backend-tls-verify", "false", "--backend", "localhost:1")
        self.assertEqual(said, "--backend-tls-verify: this does nothing: write the backend as tls:HOST:PORT")
        self.assertEqual(self.warnings("--backend-tls-verify=false", "--backend", "tls:localhost:1"), [])
        terminated = ("--protocol", "smtp", "--protocol-smtp-starttls", "terminate")
        self.assertEqual(self.warnings("--backend-tls-verify=false", *terminated), [])
        # A proxy that is made later may need it.
        self.assertEqual(self.warnings("--backend-tls-verify=false", "--http"), [])

    def test_no_tls_first(self) -> None:
        """Where clients do not begin with TLS it is told how they do."""
        [said] = self.warnings("--protocol", "mysql", "--tls", "auto")
        self.assertEqual(
            said,
            "--tls: clients of MySQL wait for the server's greeting before they begin TLS:"
            " add --protocol-mysql-tls terminate",
        )
        terminated = ("--protocol", "mysql", "--protocol-mysql-tls", "terminate")
        self.assertEqual(self.warnings(*terminated, "--tls", "auto"), [])

    def test_idle_authority(self) -> None:
        """An authority whose certificates nobody shows."""
        [said] = self.warnings("--tls-ca-out", "ca.pem")
        self.assertEqual(said, "--tls-ca-out: nobody shows a certificate of this authority: add --tls auto")
        self.assertEqual(self.warnings("--tls-ca-out", "ca.pem", "--tls", "auto"), [])
        self.assertEqual(self.warnings("--tls-ca-out", "ca.pem", "--http"), [])

    def test_empty_file(self) -> None:
        """A file that says nothing is told of: a proxy for localhost:80 is seldom what is meant."""
        path = Path(self.mktemp())
        path.write_text("# nothing\n", encoding="utf-8")
        self.assertEqual(self.warnings("--config", str(path)), [f"{path} says nothing"])
        path.write_text("[vaurien]\nbackend = localhost:1\n", encoding="utf-8")
        self.assertEqual(self.warnings("--config", str(path)), [])

    def test_listen_tls(self) -> None:
        """`tls:` is for backends; where a folder of certificates has no name like that, it is not meant."""
        said = self.refused("--proxy", "tls:localhost:6379")
        self.assertIn("names no folder of certificates to listen with", said)
        self.assertIn("--tls auto", said)

    def test_no_such_command(self) -> None:
        """A misspelt command is recognised."""
        self.assertIn("did you mean doctor?", self.refused("doctr"))
