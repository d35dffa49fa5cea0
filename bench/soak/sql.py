"""mysql: PyMySQL in threads, on a real MariaDB."""

from __future__ import annotations

import contextlib
import random
import socket
import time
from typing import Any

import pymysql
from pymysql.constants import CLIENT

from bench.soak.conn import HOST, address_of
from bench.soak.ledger import Record
from bench.soak.values import NOTHING, Store
from bench.soak.visit import Scene, Wrong

#: What PyMySQL says where the connection has ended, or says nothing any more.
_GONE, _LOST, _NO_CONNECTION = 2006, 2013, 2003

TABLE = "CREATE TABLE soak.store (name VARCHAR(100) PRIMARY KEY, value LONGBLOB) ENGINE=InnoDB"


class CountedSocket(socket.socket):
    """Counts what goes through it."""

    sent = 0
    received = 0

    def sendall(self, data: Any, flags: int = 0) -> None:
        super().sendall(data, flags)
        self.sent += len(data)

    def recv_into(self, *given: Any, **more: Any) -> int:
        count = super().recv_into(*given, **more)
        self.received += count
        return count


class SqlTalk:
    """One client."""

    def __init__(self, scene: Scene, record: Record, draw: random.Random, connection: Any) -> None:
        self._record = record
        self._draw = draw
        self._connection = connection
        self._tally = scene.ledger.tally(record.proxy)
        self._store = Store(scene, record, draw, largest=400_000)

    def round(self) -> None:
        """One statement, or a transaction."""
        number = self._store.next()
        make = self._draw.choices(
            (self._put, self._get, self._echo, self._rows, self._drop), (4, 4, 3, 2, 1)
        )[0]
        try:
            make(number)
        except pymysql.err.MySQLError as error:
            code = error.args[0] if error.args else 0
            if code in (_GONE, _LOST, 0) or not isinstance(code, int):
                raise
            # Which exchange of the link that was depends on how the log-in went.
            self._record.odd("error", str(error))

    def _ask(self, statement: str, *values: object) -> list[Any]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values)
            self._tally.requests += 1
            return list(cursor.fetchall())

    def _put(self, number: int) -> None:
        key = self._store.key()
        version, size, value = self._store.new_value(key)
        if self._draw.random() < 0.3:
            self._put_in_transaction(key, version, size, value)
            return
        self._ask("REPLACE INTO soak.store VALUES (%s, %s)", key, value)
        self._store.stored(key, version, size)

    def _put_in_transaction(self, key: str, version: int, size: int, value: bytes) -> None:
        # A refused COMMIT may or may not have rolled back: the next reading tells.
        self._store.may_be_stored(key, version, size)
        self._ask("BEGIN")
        try:
            self._ask("REPLACE INTO soak.store VALUES (%s, %s)", key, value)
            self._ask("COMMIT")
        except pymysql.err.MySQLError:
            with contextlib.suppress(pymysql.err.MySQLError):
                self._ask("ROLLBACK")
            raise
        self._store.stored(key, version, size)

    def _get(self, number: int) -> None:
        key = self._store.key()
        rows = self._ask("SELECT value FROM soak.store WHERE name = %s", key)
        if len(rows) > 1 or (rows and len(rows[0]) != 1):
            raise Wrong("foreign", f"{len(rows)} rows for {key}", number)
        if not self._store.check(key, rows[0][0] if rows else None, number):
            raise Wrong("stale", f"{key} is gone", number)

    def _echo(self, number: int) -> None:
        nonce = f"{self._record.token}-{number}"
        rows = self._ask("SELECT %s", nonce)
        if rows != [(nonce,)]:
            raise Wrong("foreign", f"{str(rows)[:80]} in place of {nonce}", number)

    def _rows(self, number: int) -> None:
        nonce, count = f"{self._record.token}-{number}", self._draw.choice((0, 10, 3000))
        rows = self._ask("SELECT seq, %s FROM soak.seq_1_to_3000 LIMIT %s", nonce, count)
        if rows != [(each, nonce) for each in range(1, count + 1)]:
            raise Wrong("foreign", f"{len(rows)} rows of {count}, from {str(rows[:1])[:80]} on", number)

    def _drop(self, number: int) -> None:
        key = self._store.key()
        self._ask("DELETE FROM soak.store WHERE name = %s", key)
        self._store.stored(key, NOTHING)


def visit(scene: Scene, name: str, port: int, user: tuple[str, str], draw: random.Random) -> Record:
    """One link, in a thread of its own: its record, not yet closed."""
    record = scene.ledger.open(name)
    raw = CountedSocket(socket.AF_INET, socket.SOCK_STREAM)
    raw.settimeout(scene.warden.patience)
    record.begun = time.monotonic()
    with raw:
        try:
            raw.connect((HOST, port))
        except ConnectionResetError as error:
            # It was there for a moment.
            record.client = address_of(raw)
            record.odd("cut", str(error))
            return record
        except OSError as error:
            record.odd("unconnected", str(error))
            return record
        record.client = address_of(raw)
        _talk(scene, record, raw, user, draw)
        record.sent, record.received = raw.sent, raw.received
    return record


def _talk(
    scene: Scene, record: Record, raw: CountedSocket, user: tuple[str, str], draw: random.Random
) -> None:
    patience = scene.warden.patience
    connection: Any = pymysql.connections.Connection(
        user=user[0],
        password=user[1],
        host=HOST,
        autocommit=True,
        defer_connect=True,
        read_timeout=patience,
        write_timeout=patience,
        client_flag=CLIENT.MULTI_STATEMENTS,
    )
    try:
        connection.connect(raw)
        client = SqlTalk(scene, record, draw, connection)
        for _ in range(draw.choice((1, 5, 20, 100))):
            client.round()
            if scene.stopping:
                break
            time.sleep(draw.expovariate(1.0 / scene.pace))
        connection.close()
        record.whole = True
    except Wrong as error:
        record.odd(error.kind, str(error), error.exchange)
    except pymysql.err.MySQLError as error:
        _note(record, error)
    except Exception as error:
        # What PyMySQL makes of bytes that are no protocol at all.
        record.odd("garbled", f"{type(error).__name__}: {error}")


def _note(record: Record, error: Exception) -> None:
    code = error.args[0] if error.args else 0
    if "timed out" in str(error):
        record.odd("gave up", str(error))
    elif code in (_GONE, _LOST, _NO_CONNECTION, 0, "(0, '')"):
        record.odd("cut", str(error))
    elif isinstance(code, int):
        record.odd("error", str(error))
    else:
        record.odd("garbled", str(error))
