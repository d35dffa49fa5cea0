"""A real PostgreSQL for tests, as Debian packages it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from txvaurien.test.servers import ServerProcess, require

#: The account that tests log in with; it is the superuser.
USER, PASSWORD = "tester", "secret"

#: Where Debian keeps the programs of each version; they are not on the path.
VERSIONS = Path("/usr/lib/postgresql")

#: Without these a commit waits for the disk, and the server for a folder that not everybody may write to.
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "max_connections": "40",
}


class PostgresServer(ServerProcess):
    """postgres, with a cluster of its own in a temporary folder.

    It refuses to run as root; then it is run as nobody.
    """

    def __init__(self) -> None:
        super().__init__()
        self._data = self.folder / "data"

    @property
    def url(self) -> str:
        """What clients log in with."""
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/postgres"

    def command(self) -> Sequence[str]:
        program = _program("postgres")
        if not self._data.exists():
            self._install()
        settings = [f"--{name}={value}" for name, value in _SETTINGS.items()]
        return [*_unprivileged(), program, "-D", str(self._data), f"--port={self.port}", *settings]

    def ready(self) -> bool:
        """Whether it takes clients, and not only connections."""
        asked = [_program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(asked, check=False).returncode == 0

    def _install(self) -> None:
        password = self.folder / "password"
        password.write_text(PASSWORD)
        self._data.mkdir(mode=0o700)
        if os.geteuid() == 0:
            self.folder.chmod(0o755)
            for path in (self._data, password):
                shutil.chown(path, "nobody")
        options = ["--no-sync", "--encoding=UTF8", "--locale=C", "--auth=scram-sha-256"]
        account = [f"--username={USER}", f"--pwfile={password}"]
        install = [*_unprivileged(), _program("initdb"), "-D", str(self._data), *options, *account]
        with open(self.folder / "log", "ab") as log:
            subprocess.run(install, cwd=self.folder, check=True, stdout=log, stderr=log)


def _program(name: str) -> str:
    """One of the newest version that is there."""
    found = sorted(VERSIONS.glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]))
    return str(found[-1]) if found else require(name, "postgresql")


def _unprivileged() -> Sequence[str]:
    if os.geteuid() != 0:
        return ()
    return (require("setpriv", "util-linux"), "--reuid=nobody", "--regid=nogroup", "--clear-groups")
