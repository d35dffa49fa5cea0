"""Scenarios for client libraries that hold Python's lock while they wait, run in a process of their own.

``python -m txvaurien.test.mysql_clients SCENARIO PORT`` prints what the client saw, as JSON.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

_ACCOUNT = {"host": "127.0.0.1", "user": "tester", "password": "secret", "database": "shop"}


def mariadb_binary(port: int) -> list[Any]:
    """MariaDB's connector: prepared statements, cached metadata, cursors at the server, bulk execution."""
    mariadb = importlib.import_module("mariadb")
    connection = mariadb.connect(port=port, **_ACCOUNT)
    binary = connection.cursor(binary=True)
    binary.execute("CREATE TABLE bin (id INT PRIMARY KEY, name VARCHAR(40), data LONGBLOB)")
    bulk = connection.cursor()
    bulk.executemany("INSERT INTO bin VALUES (?, ?, ?)", [(n, f"n{n}", b"x" * n) for n in range(50)])
    connection.commit()
    seen: list[Any] = [bulk.rowcount]
    again = connection.cursor(prepared=True, binary=True)
    for least in (45, 48, 60):
        again.execute("SELECT id, name FROM bin WHERE id > ?", (least,))
        seen.append(again.fetchall())
    held = connection.cursor(
        binary=True, buffered=False, cursor_type=mariadb.constants.CURSOR.READ_ONLY, prefetch_size=7
    )
    held.execute("SELECT id FROM bin WHERE id >= ? ORDER BY id", (10,))
    seen.append([row[0] for row in held.fetchall()])
    held.close()
    binary.execute("CREATE PROCEDURE twice(n INT) BEGIN SELECT n; SELECT n + 1; END")
    calls = connection.cursor(binary=True)
    calls.execute("CALL twice(?)", (4,))
    seen.append(calls.fetchall())
    while calls.nextset():
        seen.append(calls.fetchall() if calls.description else None)
    connection.reset()
    connection.change_user("plain", "secret", "shop")
    plain = connection.cursor()
    plain.execute("SELECT CURRENT_USER()")
    seen.append(plain.fetchall())
    connection.close()
    return seen


def _connector(port: int, **options: Any) -> list[Any]:
    connector = importlib.import_module("mysql.connector")
    connection = connector.connect(port=port, use_pure=True, ssl_disabled=True, **_ACCOUNT, **options)
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE pure (id INT PRIMARY KEY, name LONGTEXT)")
    cursor.executemany("INSERT INTO pure VALUES (%s, %s)", [(n, "y" * n * 1000) for n in range(30)])
    connection.commit()
    seen: list[Any] = []
    prepared = connection.cursor(prepared=True)
    for least in (3, 28):
        prepared.execute("SELECT id, LENGTH(name) FROM pure WHERE id > %s", (least,))
        seen.append(prepared.fetchall())
    prepared.execute("INSERT INTO pure VALUES (%s, %s)", (100, "z" * 300_000))
    connection.commit()
    cursor.execute("SELECT 1; SELECT LENGTH(name) FROM pure WHERE id = 100; DO 1; SELECT 3")
    seen.append(cursor.fetchall())
    while cursor.nextset():
        seen.append(cursor.fetchall() if cursor.with_rows else cursor.rowcount)
    connection.ping()
    seen.append(sorted(connection.cmd_statistics())[:2])
    connection.cmd_reset_connection()
    if not options:
        # The connector does not do that in the compressed protocol.
        connection.cmd_change_user("plain", "secret", "shop")
    cursor = connection.cursor()
    cursor.execute("SELECT CURRENT_USER()")
    seen.append(cursor.fetchall())
    connection.close()
    return seen


def connector(port: int) -> list[Any]:
    """MySQL's own connector: prepared statements with long data, several results, other commands."""
    return _connector(port)


def connector_compressed(port: int) -> list[Any]:
    """The same in the compressed protocol."""
    return _connector(port, compress=True)


SCENARIOS: dict[str, Callable[[int], list[Any]]] = {
    each.__name__: each for each in (mariadb_binary, connector, connector_compressed)
}


def scenario(name: str, port: int) -> str:
    """What a client in a process of its own saw."""
    command = [sys.executable, "-m", "txvaurien.test.mysql_clients", name, str(port)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout or done.stderr


if __name__ == "__main__":
    print(json.dumps(SCENARIOS[sys.argv[1]](int(sys.argv[2])), default=repr))
