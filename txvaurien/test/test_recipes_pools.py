"""The recipes of docs/recipes-pools.md and docs/recipes-postgresql.md, with real servers and clients."""

from __future__ import annotations

from txvaurien.test.recipe_support import RecipeCase


class PoolTests(RecipeCase):
    """SQLAlchemy's pool in front of MariaDB."""

    async def test_sql_pool(self) -> None:
        """It throws dead connections away, says when it is used up, and does not grow."""
        await self.play("sql_pool")


class PostgresTests(RecipeCase):
    """asyncpg in front of PostgreSQL."""

    async def test_recovery(self) -> None:
        """What is lost is noticed, and found again."""
        await self.play("postgres_recovery")

    async def test_pool(self) -> None:
        """Its pool is used up, recycles, and survives a cancelled query."""
        await self.play("postgres_pool")

    async def test_start(self) -> None:
        """A start that fails says why, without the password."""
        await self.play("postgres_start")

    async def test_graceful_shutdown(self) -> None:
        """What is in flight is answered, and the end comes in any case."""
        await self.play("graceful_shutdown")
