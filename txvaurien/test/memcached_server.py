"""A real memcached for tests, and the clients that speak to it."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from txvaurien.test.servers import ServerProcess, require
from txvaurien.test.support import connect

#: Neither library has types.
pymemcache: Any = importlib.import_module("pymemcache.client.base")
bmemcached: Any = importlib.import_module("bmemcached")

USER, PASSWORD = "me@here", "no-one-knows"


class Memcached(ServerProcess):
    """memcached, with the options given."""

    def __init__(self, *options: str, port: int | None = None) -> None:
        super().__init__(port)
        self.options = options

    def command(self) -> Sequence[str]:
        base = [require("memcached", "memcached"), "-l", "127.0.0.1", "-p", str(self.port), "-U", "0"]
        # memcached refuses to run as root.
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        return [*base, *user, *self.options]

    def share(self, file: Path) -> None:
        """Let the server read a file in its folder, whoever it runs as."""
        if os.geteuid() == 0:
            self.folder.chmod(0o755)
            shutil.chown(file, "nobody")


class TextAuthMemcached(Memcached):
    """memcached that wants a name and a password in the text protocol."""

    def command(self) -> Sequence[str]:
        users = self.folder / "users"
        users.write_text(f"{USER}:{PASSWORD}\n")
        self.share(users)
        return [*super().command(), "-Y", str(users)]


class SaslMemcached(Memcached):
    """memcached that wants SASL, which the binary protocol has."""

    def command(self) -> Sequence[str]:
        env = require("env", "coreutils")
        return [env, f"SASL_CONF_PATH={self._make_users()}", *super().command(), "-S"]

    def _make_users(self) -> Path:
        program = require("saslpasswd2", "sasl2-bin")
        users = self.folder / "sasldb"
        name, realm = USER.split("@")
        said = PASSWORD.encode() + b"\n"
        subprocess.run(
            [program, "-p", "-c", "-f", users, "-a", "memcached", "-u", realm, name], input=said, check=True
        )
        self.share(users)
        (self.folder / "memcached.conf").write_text(f"mech_list: plain\nsasldb_path: {users}\n")
        return self.folder


def text_client(port: int | None, **options: Any) -> Any:
    """pymemcache, for the text protocol."""
    return pymemcache.Client(("127.0.0.1", port), timeout=30, connect_timeout=30, **options)


def binary_client(port: int | None, **options: Any) -> Any:
    """python-binary-memcached, for the binary protocol."""
    return bmemcached.Client((f"127.0.0.1:{port}",), socket_timeout=30, **options)


def say(port: int | None, data: bytes, upto: bytes) -> bytes:
    """What the server answers, until it has said `upto` or closed the connection."""
    assert port is not None
    with connect(port) as link:
        link.sendall(data)
        said = b""
        while not said.endswith(upto):
            more = link.recv(1 << 16)
            if not more:
                break
            said += more
    return said


def stats_of(client: Any) -> Mapping[str, Any]:
    """What a binary client says of its only server."""
    (figures,) = client.stats().values()
    return dict(figures)
