"""Beyond this machine nobody controls a proxy without a token, which is never shown."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.config import Settings, load
from txvaurien.control.bodies import MAX_DEPTH
from txvaurien.control.events import STREAMS
from txvaurien.control.requests import MAX_BODY
from txvaurien.control.site import IDLE, MAX_CONNECTIONS, MAX_HEADERS, ControlChannel
from txvaurien.errors import ConfigError
from txvaurien.net.addresses import Listen, parse_listen
from txvaurien.settings.access import Access, allowed_names, control_listen, is_local
from txvaurien.settings.dryrun import dry_run_text
from txvaurien.settings.flags import flags_of
from txvaurien.settings.tokens import MAX_TOKEN, MIN_TOKEN, TOKEN_VARIABLE
from txvaurien.test.control_helpers import TOKEN, registry
from txvaurien.test.test_fault_docs import DocsCase


class LocalTests(SynchronousTestCase):
    """What only this machine can reach."""

    def test_local(self) -> None:
        """Loopback under each of its names, and a Unix socket."""
        for host in (
            "localhost",
            "LOCALHOST",
            "",
            "127.0.0.1",
            "127.8.9.1",
            "::1",
            "[::1]",
            "::ffff:127.0.0.1",
        ):
            self.assertTrue(is_local(control_listen(host, 8080)), host)
        for text in ("unix:/run/x.sock", "tcp:8080:interface=127.0.0.1", "tcp6:8080:interface=::1"):
            self.assertTrue(is_local(parse_listen(text)), text)

    def test_open(self) -> None:
        """Everything else, also what nobody knows, and a type of endpoint that is given as a host."""
        for host in (
            "0.0.0.0",
            "::",
            "192.0.2.1",
            "chaos.example",
            "localhost.example",
            "tcp",
            "::ffff:192.0.2.1",
        ):
            self.assertFalse(is_local(control_listen(host, 8080)), host)
        for text in (
            "tcp:8080",
            "tcp6:8080",
            "tcp:8080:interface=0.0.0.0",
            "systemd:domain=INET:index=0",
            "stdio:",
        ):
            self.assertFalse(is_local(Listen(text)), text)

    def test_access(self) -> None:
        """Who makes the server without the command line is held to it, too."""
        error = self.assertRaises(ConfigError, Access, control_listen("0.0.0.0", 8080))
        self.assertEqual(
            str(error),
            "--http-host: '0.0.0.0:8080' is open to other machines, and there is no token; keep to loopback,"
            " or set a token with --http-token-file, --http-token or the environment variable VAURIEN_TOKEN",
        )
        self.assertNotIn(TOKEN, repr(Access(control_listen("0.0.0.0", 8080), token=TOKEN)))

    def test_url(self) -> None:
        """Where to ask, with the real port."""
        for text, port, url in (
            ("localhost:0", 5, "http://localhost:5/"),
            ("[::1]:8080", 8080, "http://[::1]:8080/"),
            ("tcp:0:interface=127.0.0.1", 5, "http://127.0.0.1:5/"),
            ("unix:/run/x.sock", 0, "unix:/run/x.sock"),
        ):
            self.assertEqual(Access(parse_listen(text)).url(port), url)

    def test_names(self) -> None:
        """A list with commas; a URL or a port in it is an error."""
        self.assertEqual(
            allowed_names(" a.example, 192.0.2.1,,[2001:db8::1]", ""),
            ("a.example", "192.0.2.1", "[2001:db8::1]"),
        )
        for text in ("http://a.example", "a.example:80", "a b", "*.example"):
            error = self.assertRaises(ConfigError, allowed_names, text, "--http-allow-host")
            self.assertIn("without a scheme and a port", str(error))


class SettingsTests(SynchronousTestCase):
    """The options of the command line, the file and the environment."""

    def load(self, *arguments: str, environ: Mapping[str, str] | None = None) -> Settings:
        """Settings with a control server."""
        return load(["--http", *arguments], registry(), environ or {})

    def refused(self, *arguments: str, environ: Mapping[str, str] | None = None) -> str:
        """The error, which does not show a token."""
        error = self.assertRaises(ConfigError, self.load, *arguments, environ=environ)
        self.assertNotIn(TOKEN[:8], str(error))
        return str(error)

    def token(self, *arguments: str, environ: Mapping[str, str] | None = None) -> str:
        """The token that is asked for."""
        settings = self.load(*arguments, environ=environ)
        assert settings.access is not None
        return settings.access.token

    def file(self, text: str, mode: int = 0o600) -> str:
        """A file with this text."""
        path: str = self.mktemp()
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.chmod(path, mode)
        return path

    def test_open_without_a_token(self) -> None:
        """Refused at the start, with what to do, wherever it was said."""
        self.assertIn("--http-host: '0.0.0.0:8080' is open", self.refused("--http-host=0.0.0.0"))
        self.assertIn("--http-endpoint: 'tcp:8443' is open", self.refused("--http-endpoint=tcp:8443"))
        ini = self.file("[vaurien]\nhttp-host = 192.0.2.1\n")
        self.assertIn(f"{ini}:2: http-host: ", self.refused(f"--config={ini}"))

    def test_open_without_a_server(self) -> None:
        """Where there is no control server, nothing is open."""
        self.assertIsNone(load(["--http-host=0.0.0.0"], registry(), {}).access)

    def test_sources(self) -> None:
        """The option, the file (its white space left out), the environment, a file with settings."""
        path = self.file(f"\n  {TOKEN}\n")
        ini = self.file(f"[vaurien]\nhttp-token = {TOKEN}\n")
        open_to_all = "--http-host=0.0.0.0"
        for arguments, environ in (
            ([f"--http-token={TOKEN}"], {}),
            ([f"--http-token-file={path}"], {}),
            ([], {TOKEN_VARIABLE: TOKEN}),
            ([f"--config={ini}"], {}),
            ([f"--http-token={TOKEN}"], {TOKEN_VARIABLE: "another-token-than-this"}),
            ([f"--http-token-file={path}"], {TOKEN_VARIABLE: "another-token-than-this"}),
        ):
            self.assertEqual(self.token(open_to_all, *arguments, environ=environ), TOKEN)
            self.assertEqual(self.token(*arguments, environ=environ), TOKEN)
        self.assertEqual(self.token(environ={TOKEN_VARIABLE: ""}), "")

    def test_wrong_tokens(self) -> None:
        """Too short, too long, or not to be sent: refused, without being shown."""
        for token, why in (
            (TOKEN[: MIN_TOKEN - 1], "can be guessed"),
            ("x" * (MAX_TOKEN + 1), f"{MAX_TOKEN} characters at most"),
            (f"{TOKEN} {TOKEN}", "letters, digits"),
            (f"{TOKEN}\u00e9", "letters, digits"),
            (f"{TOKEN}=x", "letters, digits"),
        ):
            for said in (
                self.refused(f"--http-token={token}"),
                self.refused(f"--http-token-file={self.file(token)}"),
                self.refused(environ={TOKEN_VARIABLE: token}),
            ):
                self.assertIn(why, said)
                self.assertIn("secrets.token_urlsafe()", said)
        for empty in ("--http-token=", "--http-token-file="):
            self.assertIn("it is empty", self.refused(empty))

    def test_no_file(self) -> None:
        """A file that cannot be read is an error of its option."""
        self.assertIn("--http-token-file: '/none' cannot be read", self.refused("--http-token-file=/none"))

    def test_readable_by_others(self) -> None:
        """A file that others can read is taken, and warned of."""
        [warning] = self.load(f"--http-token-file={self.file(TOKEN, 0o644)}").warnings
        self.assertIn("chmod 600", warning)
        self.assertEqual(self.load(f"--http-token-file={self.file(TOKEN)}").warnings, ())

    def test_never_shown(self) -> None:
        """Neither by a dry run nor by anything that shows settings."""
        ini = self.file(f"[vaurien]\nhttp-token = {TOKEN}\n")
        for arguments in (
            [f"--http-token={TOKEN}"],
            [f"--config={ini}"],
            [f"--config={ini}", f"--http-token={TOKEN}"],
        ):
            settings = self.load(*arguments)
            self.assertIn("with a token", dry_run_text(settings))
            for shown in (dry_run_text(settings), repr(settings)):
                self.assertNotIn(TOKEN, shown)

    def test_endpoint(self) -> None:
        """It stands for host and port, so they are not said beside it."""
        settings = self.load("--http-endpoint=unix:/run/x.sock")
        assert settings.access is not None
        self.assertEqual(settings.access.listen.text, "unix:/run/x.sock")
        self.assertIn("give one", self.refused("--http-endpoint=unix:/x", "--http-port=1"))
        self.assertIn("--http-endpoint: 'x' is not an address", self.refused("--http-endpoint=x"))

    def test_lists(self) -> None:
        """What is said several times, or in one list, adds up."""
        ini = self.file("[vaurien]\nhttp-allow-host = a.example\nallow-backend = 10.0.0.0/8:6379\n")
        settings = self.load(
            f"--config={ini}",
            "--http-allow-host=b.example, c.example",
            "--http-allow-host=d.example",
            "--allow-backend=localhost:*",
        )
        assert settings.access is not None
        self.assertEqual(settings.access.hosts, ("a.example", "b.example", "c.example", "d.example"))
        self.assertEqual([each.text for each in settings.allow_backend], ["10.0.0.0/8:6379", "localhost:*"])

    def test_wrong_lists(self) -> None:
        """What can be no host or no pattern is an error of its option."""
        self.assertIn("--http-allow-host: 'a:1' is no host", self.refused("--http-allow-host=a:1"))
        self.assertIn("--allow-backend: 'a:b' has no such ports", self.refused("--allow-backend=a:b"))


class PageTests(DocsCase):
    """docs/security.md."""

    def test_commands(self) -> None:
        """Every command line is good, with the files that it names."""
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "token").write_text(TOKEN)
        seen = re.findall(r"^    vaurien (.*)$", self.page("security.md"), re.MULTILINE)
        self.assertEqual(len(seen), 3)
        for line in seen:
            # The certificates are for `test_access_live`.
            words = shlex.split(line.replace("ssl:8443:privateKey=key.pem:certKey=cert.pem", "tcp:8443"))
            words = [str(folder / "token") if word == "token" else word for word in words]
            environ = {} if "--http-token-file" in words else {TOKEN_VARIABLE: TOKEN}
            access = load(words, registry(), environ).access
            assert access is not None
            self.assertEqual(access.token, TOKEN)

    def test_flags(self) -> None:
        """Every option of ours that it names is one."""
        known = {*flags_of(registry()), *("token", "https", "ca", "json"), "dry-run"}
        for name in re.findall(r"--([a-z][a-z-]+)", self.page("security.md")):
            self.assertIn(name, known)

    def test_bounds(self) -> None:
        """The figures are those of the code."""
        table = self.page("security.md").partition("## Bounds")[2]
        for words in (
            f"{MAX_BODY} bytes: 413",
            f"{MAX_DEPTH}: 400",
            f"{MAX_HEADERS}, with the first line {ControlChannel.totalHeadersSize} bytes: 400",
            f"{IDLE:g} seconds, however",
            f"{MAX_CONNECTIONS}; the next ones",
            f"{STREAMS}; the next ones",
        ):
            self.assertIn(f"| {words}", table)
        self.assertIn(f"{MIN_TOKEN} characters at least", self.page("security.md").replace("\n", " "))
