"""The services that the proxies stand before."""

from __future__ import annotations

import getpass
import os
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.nginx import nginx_conf
from bench.process import HOST, Process, output_of, tool

#: MB of the large value and the large body.
VALUE_MB = 500
BODY_MB = 1024
#: Bytes of the small page: what nginx's own welcome page has.
PAGE = 612
#: The module that runs a helper of ours needs the folder above it on the path.
ROOT = Path(__file__).resolve().parent.parent


class Source(Process):
    """Sends zeros to whoever connects, as fast as they are read (`bench.source`)."""

    def __init__(self) -> None:
        super().__init__()
        self.command = [sys.executable, "-m", "bench.source", str(self.port)]
        self.env = {"PYTHONPATH": str(ROOT)}


class Redis(Process):
    """redis-server, with nothing on disk."""

    def __init__(self) -> None:
        super().__init__()
        program = tool("redis-server", "redis-server")
        base = ["--port", str(self.port), "--bind", HOST, "--save", "", "--appendonly", "no"]
        limits = ["--maxclients", "15000", "--tcp-backlog", "4096", "--proto-max-bulk-len", "1gb"]
        self.command = [program, *base, *limits, "--dir", str(self.folder)]

    def start(self) -> None:
        super().start()
        with socket.create_connection((HOST, self.port)) as client:
            # The one key that redis-benchmark asks for, unless told to draw them.
            client.sendall(b"SET key:__rand_int__ xxx\r\n")
            client.recv(64)


class RedisValue(Redis):
    """redis-server with one value of `VALUE_MB` MB, called ``large``."""

    def start(self) -> None:
        super().start()
        size = VALUE_MB << 20
        piece = b"x" * (1 << 20)
        with socket.create_connection((HOST, self.port)) as client:
            client.sendall(b"*3\r\n$3\r\nSET\r\n$5\r\nlarge\r\n$%d\r\n" % size)
            for _ in range(VALUE_MB):
                client.sendall(piece)
            client.sendall(b"\r\n")
            client.recv(64)


class Web(Process):
    """nginx with ``/page`` of `PAGE` bytes and ``/large`` of `BODY_MB` MB."""

    def __init__(self) -> None:
        super().__init__()
        program = tool("nginx", "nginx-light")
        root = self.folder / "root"
        root.mkdir()
        self.folder.chmod(0o755)
        (root / "page").write_bytes(b"x" * PAGE)
        with (root / "large").open("wb") as large:
            # A file without blocks: reading it costs no disk.
            large.truncate(BODY_MB << 20)
        site = f"root {root}; sendfile on; tcp_nopush on; keepalive_requests 100000000; access_log off;"
        inner = f"http {{ {site} server {{ listen {HOST}:{self.port} backlog=4096; }} }}"
        self.command = [program, "-c", str(nginx_conf(self.folder, inner)), "-p", str(self.folder)]


class Memcached(Process):
    """memcached."""

    def __init__(self) -> None:
        super().__init__()
        user = ["-u", getpass.getuser()]
        self.command = [tool("memcached", "memcached"), "-l", HOST, "-p", str(self.port), *user]


class MailSink(Process):
    """smtp-sink of Postfix: takes every mail and throws it away."""

    def __init__(self) -> None:
        super().__init__()
        # As root it asks whom to become.
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        self.command = [tool("smtp-sink", "postfix"), *user, f"{HOST}:{self.port}", "1024"]


class MariaDB(Process):
    """mariadbd with the table that sysbench reads."""

    USER = "bench"

    def __init__(self) -> None:
        super().__init__()
        program = tool("mariadbd", "mariadb-server")
        data = self.folder / "data"
        user = f"--user={getpass.getuser()}"
        output_of(
            [
                tool("mariadb-install-db", "mariadb-server"),
                "--no-defaults",
                f"--datadir={data}",
                user,
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ]
        )
        who = f"{self.USER}@'{HOST}'"
        setup = self.folder / "setup.sql"
        setup.write_text(f"CREATE DATABASE sbtest;\nCREATE USER {who};\nGRANT ALL ON sbtest.* TO {who};\n")
        where = [f"--datadir={data}", f"--socket={self.folder / 'socket'}", f"--bind-address={HOST}"]
        how = [f"--port={self.port}", user, f"--init-file={setup}", "--skip-name-resolve"]
        self.command = [program, "--no-defaults", *where, *how]

    def start(self) -> None:
        super().start()
        output_of([*sysbench(self.port), "prepare"])


def sysbench(port: int) -> list[str]:
    """The command line of sysbench up to its last word."""
    server = ["--db-driver=mysql", f"--mysql-host={HOST}", f"--mysql-port={port}"]
    user = [f"--mysql-user={MariaDB.USER}", "--mysql-ssl=off"]
    return [tool("sysbench", "sysbench"), "oltp_read_only", *server, *user, "--table-size=10000"]


#: By the name that rows use.
BACKENDS: Mapping[str, Callable[[], Process]] = {
    "source": Source,
    "redis": Redis,
    "redis-value": RedisValue,
    "web": Web,
    "memcached": Memcached,
    "mail": MailSink,
    "mariadb": MariaDB,
}
