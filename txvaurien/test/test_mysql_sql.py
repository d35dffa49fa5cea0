"""Tests of the glance at statements."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.protocols.mysql.sql import GLANCE, first_word, table


class FirstWordTests(SynchronousTestCase):
    """The verb."""

    def test_plain(self) -> None:
        """Space, brackets and case do not matter."""
        for text in (b"SELECT 1", b"  select\n1", b"(SELECT 1) UNION (SELECT 2)", b";;Select 1"):
            self.assertEqual(first_word(text), "SELECT", text)

    def test_comments(self) -> None:
        """Comments are passed over; what is in an executable one counts."""
        texts = (
            b"/* app:42 */ UPDATE t SET a = 1",
            b"/**/UPDATE t",
            b"-- why\nUPDATE t",
            b"# why\n  -- still\n/* a */ /* b */UPDATE t",
            b"/*!50003 UPDATE t SET a = 1 */",
            b"/*M!100100 UPDATE t SET a = 1 */",
        )
        for text in texts:
            self.assertEqual(first_word(text), "UPDATE", text)

    def test_none(self) -> None:
        """No word, or none near the beginning: no verb."""
        for text in (b"", b"   ", b"/* never ends", b"42", b"/*" + b"x" * GLANCE + b"*/ SELECT 1"):
            self.assertEqual(first_word(text), "", text)

    def test_hostile(self) -> None:
        """Text that is made to be hard to read takes no long time: it is given up."""
        for text in (b"(" * 100_000, b"/*" * 50_000, b"-- \n" * 30_000, b"SELECT " + b"FROM /*" * 30_000):
            first_word(text)
            table(text)


class TableTests(SynchronousTestCase):
    """The target."""

    def check(self, text: str, expected: str | None) -> None:
        """The table of one statement."""
        self.assertEqual(table(text.encode()), expected, text)

    def test_statements(self) -> None:
        """Each kind of statement names its table in its own place."""
        self.check("SELECT a, b FROM stock WHERE id = 1", "stock")
        self.check("SELECT * FROM (SELECT 1 FROM inner_one) AS x", "inner_one")
        self.check("WITH w AS (SELECT 1 FROM base) SELECT * FROM w", "base")
        self.check("DELETE FROM stock", "stock")
        self.check("INSERT INTO stock VALUES (1)", "stock")
        self.check("INSERT IGNORE INTO stock (a) SELECT a FROM other", "stock")
        self.check("INSERT stock SET a = 1", "stock")
        self.check("REPLACE INTO stock VALUES (1)", "stock")
        self.check("UPDATE LOW_PRIORITY stock SET a = 1", "stock")
        self.check("LOAD DATA LOCAL INFILE 'x' INTO TABLE stock", "stock")
        self.check("CREATE TABLE IF NOT EXISTS stock (id INT)", "stock")
        self.check("CREATE UNIQUE INDEX i ON stock (id)", "stock")
        self.check("ALTER TABLE stock ADD x INT", "stock")
        self.check("DROP TABLE IF EXISTS stock", "stock")
        self.check("TRUNCATE stock", "stock")
        self.check("TRUNCATE TABLE stock", "stock")
        self.check("LOCK TABLES stock WRITE", "stock")
        self.check("DESC stock", "stock")
        self.check("SHOW COLUMNS FROM stock", "stock")
        self.check("USE shop", "shop")
        self.check("CALL restock(1)", "restock")

    def test_names(self) -> None:
        """Quoted names and names with a database."""
        self.check("SELECT 1 FROM `my table`", "my table")
        self.check("SELECT 1 FROM shop.stock", "shop.stock")
        self.check("SELECT 1 FROM `shop` . `a``b`", "shop.a`b")
        self.check("SELECT 1 FROM/* hint */stock", "stock")
        self.check("SELECT 1 FROM größe", "größe")

    def test_none(self) -> None:
        """Where no table is plain to see there is none."""
        for text in ("SELECT 1", "COMMIT", "SET a = 1", "", "SELECT 1 FROM", "BEGIN"):
            self.check(text, None)
