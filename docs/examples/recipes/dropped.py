"""A connection that is lost before, in the middle of and after a query."""

from contextlib import closing
from typing import Any

import pymysql
import pytest

from txvaurien import ChaosProxy, chaos_proxy


def connect(proxy: ChaosProxy) -> "closing[pymysql.Connection[Any]]":
    return closing(
        pymysql.connect(
            host=proxy.host,
            port=proxy.port,
            user="tester",
            password="secret",
            database="shop",
            autocommit=True,
            read_timeout=30,
        )
    )


def run(connection: "pymysql.Connection[Any]", statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def test_dropped_before_the_query(mysql_url: str) -> None:
    with chaos_proxy(mysql_url, "mysql") as proxy, connect(proxy) as db:
        run(db, "CREATE OR REPLACE TABLE orders (id INT PRIMARY KEY)")
        with proxy.behavior("blackout", verb="INSERT") as fault:
            with pytest.raises(pymysql.err.OperationalError, match="Lost connection"):
                run(db, "INSERT INTO orders VALUES (1)")
            assert fault.fired == 1
        with connect(proxy) as again:
            assert run(again, "SELECT id FROM orders") == ()


def test_dropped_in_the_middle_of_the_reply(mysql_url: str) -> None:
    with chaos_proxy(mysql_url, "mysql") as proxy, connect(proxy) as db:
        with proxy.behavior("truncate", keep=500, verb="SELECT", target="seq_*") as fault:
            # Never a shorter list of rows.
            with pytest.raises(pymysql.err.OperationalError, match="Lost connection"):
                run(db, "SELECT seq FROM seq_1_to_1000")
            assert fault.fired == 1
        db.ping(reconnect=True)
        assert len(run(db, "SELECT seq FROM seq_1_to_1000")) == 1000


def test_dropped_after_the_query(mysql_url: str) -> None:
    with chaos_proxy(mysql_url, "mysql") as proxy, connect(proxy) as db:
        assert run(db, "SELECT 1") == ((1,),)
        assert proxy.disconnect_all() == 1
        with pytest.raises((pymysql.err.OperationalError, ConnectionError)):
            run(db, "SELECT 2")
        db.ping(reconnect=True)
        assert run(db, "SELECT 3") == ((3,),)
