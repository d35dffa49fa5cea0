"""The real servers behind the proxies, and what empties them."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

from twisted.trial.unittest import SkipTest

from bench.process import HOST, Missing
from bench.soak.sql import TABLE
from txvaurien.test.mailservers import Aiosmtpd
from txvaurien.test.memcached_server import Memcached
from txvaurien.test.mysql_support import PASSWORD, USER, MariaDBServer, direct
from txvaurien.test.servers import RedisServer

ACCOUNT = (USER, PASSWORD)


class Services:
    """All of them, in processes of their own."""

    def __init__(self) -> None:
        self.redis = RedisServer()
        self.memcached = Memcached("-m", "256")
        self.mail = Aiosmtpd()
        self.mariadb = MariaDBServer()
        self._all = (self.redis, self.memcached, self.mail, self.mariadb)

    @contextlib.contextmanager
    def running(self) -> Iterator[Services]:
        """As long as the block.

        :raises Missing: a program is not installed.
        """
        try:
            for service in self._all:
                service.start()
            with direct(self.mariadb.port, database=None) as connection, connection.cursor() as cursor:
                cursor.execute("CREATE DATABASE soak")
                cursor.execute(TABLE)
            yield self
        except SkipTest as error:
            raise Missing(str(error)) from None
        finally:
            for service in self._all:
                service.stop()

    @property
    def ports(self) -> dict[str, int]:
        """By the names of the proxies."""
        return {
            "redis": self.redis.port,
            "memcache": self.memcached.port,
            "smtp": self.mail.port,
            "mysql": self.mariadb.port,
        }

    def empty(self) -> None:
        """Nothing of what was written is there any more."""
        _tell(self.redis.port, b"FLUSHALL\r\n")
        _tell(self.memcached.port, b"flush_all\r\n")
        with direct(self.mariadb.port, database="soak") as connection, connection.cursor() as cursor:
            cursor.execute("TRUNCATE TABLE store")


def _tell(port: int, command: bytes) -> None:
    with socket.create_connection((HOST, port), 10.0) as conn:
        conn.sendall(command)
        conn.recv(64)
