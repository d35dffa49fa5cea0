"""MySQL's own server for tests, and its command line."""

from __future__ import annotations

import atexit
import functools
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pymysql

from txvaurien.test.mysql_support import PASSWORD, USER, direct
from txvaurien.test.servers import ServerProcess, require

INSTALL = "as root, on Debian: bash .ci/mysql"

_ACCOUNTS = f"""\
CREATE DATABASE shop;
CREATE USER '{USER}'@'%' IDENTIFIED BY '{PASSWORD}';
GRANT ALL ON *.* TO '{USER}'@'%' WITH GRANT OPTION;
CREATE USER 'plain'@'%' IDENTIFIED BY '{PASSWORD}';
GRANT ALL ON shop.* TO 'plain'@'%';
INSTALL COMPONENT 'file://component_query_attributes';
"""


@functools.cache
def installed() -> Path:
    """The files of a server that has never run, to be copied: making them takes seconds."""
    folder = Path(tempfile.mkdtemp(prefix="txvaurien-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    program = require("upstream-mysqld", install=INSTALL)
    options = ["--user=root", "--innodb-redo-log-capacity=8M", "--secure-file-priv=NULL"]
    command = [program, "--no-defaults", f"--datadir={folder}/data", "--initialize-insecure", *options]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "data"


class MySQLServer(ServerProcess):
    """mysqld of MySQL, with tables of its own in a temporary folder."""

    def __init__(self, *options: str) -> None:
        super().__init__()
        self.options = options

    def command(self) -> Sequence[str]:
        program = require("upstream-mysqld", install=INSTALL)
        if not (self.folder / "data").exists():
            shutil.copytree(installed(), self.folder / "data")
            (self.folder / "accounts.sql").write_text(_ACCOUNTS)
        return [
            program,
            "--no-defaults",
            "--user=root",
            f"--datadir={self.folder}/data",
            f"--socket={self.folder}/socket",
            f"--pid-file={self.folder}/pid",
            f"--tmpdir={self.folder}",
            "--bind-address=127.0.0.1",
            f"--port={self.port}",
            "--mysqlx=OFF",
            "--disable-log-bin",
            "--secure-file-priv=NULL",
            "--performance-schema=OFF",
            "--innodb-redo-log-capacity=8M",
            "--skip-name-resolve",
            "--local-infile=1",
            "--innodb-flush-log-at-trx-commit=0",
            "--max-allowed-packet=64M",
            f"--init-file={self.folder}/accounts.sql",
            *self.options,
        ]

    def ready(self) -> bool:
        """Whether the account can log in."""
        try:
            direct(self.port, user="plain").close()
        except pymysql.err.OperationalError:
            return False
        return True

    def start(self) -> None:
        super().start()
        # The accounts are made once; a server that is started again has them.
        (self.folder / "accounts.sql").write_text("")

    def stop(self) -> None:
        # It would take its time to put in order what is removed then.
        self.kill()
        super().stop()


def command_line(port: int, script: str, *options: str) -> str:
    """What MySQL's own command line makes of a script, going on after errors."""
    program = require("upstream-mysql", install=INSTALL)
    command = [program, "--no-defaults", "--batch", "--force", "--commands", "-h127.0.0.1", f"-P{port}"]
    account = [f"-u{USER}", f"-p{PASSWORD}", *options, "shop"]
    done = subprocess.run(
        [*command, *account], input=script, capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout + done.stderr
