"""A database that does not exist: the start fails, says why, and keeps the password to itself."""

import re
import traceback

import asyncpg
import pytest

from txvaurien import chaos_proxy


class StartError(Exception):
    """The application cannot start."""


async def connect(url: str) -> asyncpg.Connection:
    try:
        return await asyncpg.connect(url, timeout=10)
    except (OSError, asyncpg.PostgresError) as error:
        shown = re.sub(r"(?<=://)([^:/@]*):[^@]*@", r"\1:***@", url)
        raise StartError(f"cannot use {shown}: {error}") from error


async def test_the_database_does_not_exist(postgres_url: str) -> None:
    async with chaos_proxy(postgres_url) as proxy:
        missing = proxy.url.replace("/postgres", "/missing")
        with pytest.raises(StartError, match='database "missing" does not exist') as caught:
            await connect(missing)
        assert "://tester:***@" in str(caught.value)
        told = "".join(traceback.format_exception(caught.value))
        # What the proxy shows of itself, and its journal, have no password either.
        assert "secret" not in told + repr(proxy) + str(await proxy.events())


async def test_the_server_is_not_there(postgres_url: str) -> None:
    async with chaos_proxy(postgres_url) as proxy, proxy.kill():
        with pytest.raises(StartError, match="Connect call failed") as caught:
            await connect(proxy.url)
        assert "secret" not in str(caught.value)
