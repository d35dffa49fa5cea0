"""The recipes of docs/recipes-applications.md, with real servers and clients."""

from __future__ import annotations

from txvaurien.test.recipe_support import RecipeCase


class ApplicationTests(RecipeCase):
    """Web, mail, caches, and clients on Twisted."""

    async def test_web_retries(self) -> None:
        """requests asks again what may be asked again."""
        await self.play("web_retries")

    async def test_silent_cache(self) -> None:
        """Pages come without the cache, too."""
        await self.play("silent_cache")

    async def test_greylisting(self) -> None:
        """A mail that is put off is sent later, once."""
        await self.play("greylisting")

    async def test_twisted_client(self) -> None:
        """A service connects again by itself, and a request has a time-out."""
        await self.play("twisted_client", twisted=True)
