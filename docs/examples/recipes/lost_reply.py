"""The commit is done, but its reply is lost: the order must not be placed twice."""

from contextlib import closing
from typing import Any

import pymysql

from txvaurien import chaos_proxy


class Shop:
    """Places each order once, whatever happens to the connection."""

    def __init__(self, host: str, port: int) -> None:
        self.settings: dict[str, Any] = {"host": host, "port": port, "read_timeout": 30}

    def connect(self) -> "closing[pymysql.Connection[Any]]":
        return closing(pymysql.connect(user="tester", password="secret", database="shop", **self.settings))

    def place(self, key: str, item: str) -> None:
        """`key` is chosen by the caller, once for each order: a second attempt finds it taken."""
        for _ in range(3):
            try:
                with self.connect() as db, db.cursor() as cursor:
                    cursor.execute("INSERT INTO orders (id, item) VALUES (%s, %s)", (key, item))
                    db.commit()
                    return
            except pymysql.err.IntegrityError:
                # An earlier attempt did it; only its reply was lost.
                return
            except pymysql.err.OperationalError:
                continue
        raise RuntimeError("the database cannot be reached")

    def orders(self) -> Any:
        with self.connect() as db, db.cursor() as cursor:
            cursor.execute("SELECT id, item FROM orders")
            return cursor.fetchall()


def test_an_order_is_placed_once(mysql_url: str) -> None:
    with chaos_proxy(mysql_url, "mysql") as proxy:
        shop = Shop(proxy.host, proxy.port)
        with shop.connect() as db, db.cursor() as cursor:
            cursor.execute("CREATE OR REPLACE TABLE orders (id VARCHAR(40) PRIMARY KEY, item TEXT)")
        # The server commits, and the client's connection ends instead of its OK.
        with proxy.behavior("abort", wait=True, verb="COMMIT", times=1) as fault:
            shop.place("order-1", "tea")
            assert fault.fired == 1
        assert proxy.saw(verb="INSERT", target="orders") == 2
        assert shop.orders() == (("order-1", "tea"),)
