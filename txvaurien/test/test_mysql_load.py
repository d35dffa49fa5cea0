"""A load tool through the proxy, in front of a real MariaDB."""

from __future__ import annotations

import re
import subprocess

from txvaurien.protocols.mysql import MySQL
from txvaurien.test.mysql_support import PASSWORD, USER, MariaDBCase
from txvaurien.test.servers import require


class LoadTests(MariaDBCase):
    """sysbench through the proxy."""

    async def test_read_write(self) -> None:
        """oltp_read_write has no error, and nothing is given up."""
        service = self.start_proxy(MySQL(), self.server.port)
        assert service.port is not None
        # A database for each, or transactions would meet in real deadlocks.
        names = [f"bench{number}" for number in range(4)]
        await self.run_sql(self.server.port, *(f"CREATE DATABASE {name}" for name in names))
        for command in ("prepare", "run"):
            running = [self.in_thread(self._sysbench, service.port, name, command) for name in names]
            reports = [await each for each in running]
        for report in reports:
            found = re.search(r"ignored errors:\s+(\d+)", report)
            self.assertEqual(found and found[1], "0", report)
        self.assertEqual(service.proxy.stats.opaque, 0)

    def _sysbench(self, port: int, name: str, command: str) -> str:
        program = require("sysbench", "sysbench")
        where = [
            "--mysql-host=127.0.0.1",
            f"--mysql-port={port}",
            f"--mysql-user={USER}",
            f"--mysql-db={name}",
        ]
        account = [f"--mysql-user={USER}", f"--mysql-password={PASSWORD}"]
        load = ["--tables=1", "--table-size=1000", "--threads=1", "--events=100", "--time=0"]
        command_line = [program, "oltp_read_write", *where, *account, *load, command]
        return subprocess.run(command_line, capture_output=True, text=True, timeout=100, check=False).stdout
