"""SQLAlchemy's pool: dead connections, a pool that is used up, and no growth."""

import pytest
from sqlalchemy import Engine, create_engine, exc, text
from sqlalchemy.pool import QueuePool

from txvaurien import ChaosProxy, chaos_proxy


def make_engine(proxy: ChaosProxy, **options: object) -> Engine:
    url = proxy.url.replace("mysql://", "mysql+pymysql://")
    return create_engine(url, poolclass=QueuePool, connect_args={"read_timeout": 30}, **options)


def ask(engine: Engine) -> object:
    with engine.connect() as connection:
        return connection.execute(text("SELECT 1")).scalar()


def test_a_connection_that_dies_in_its_block_is_thrown_away(mysql_url: str) -> None:
    with chaos_proxy(mysql_url, "mysql") as proxy:
        engine = make_engine(proxy, pool_size=1, max_overflow=0)
        with pytest.raises(exc.DBAPIError) as caught, engine.connect() as connection:
            connection.execute(text("SELECT 1"))
            proxy.disconnect_all()
            connection.execute(text("SELECT 2"))
        assert caught.value.connection_invalidated
        # The only place of the pool is free, and holds a connection that works.
        assert ask(engine) == 1
        assert [link.number for link in proxy.links] == [2]
        engine.dispose()


def test_all_idle_connections_have_died(mysql_url: str) -> None:
    with chaos_proxy(mysql_url, "mysql") as proxy:
        engine = make_engine(proxy, pool_size=3, pool_pre_ping=True)
        held = [engine.connect() for _ in range(3)]
        for connection in held:
            connection.close()
        assert len(proxy.links) == 3
        proxy.disconnect_all()
        # No query of the application fails.
        for _ in range(10):
            assert ask(engine) == 1
        engine.dispose()


def test_the_pool_is_used_up(mysql_url: str) -> None:
    with chaos_proxy(mysql_url, "mysql") as proxy:
        engine = make_engine(proxy, pool_size=2, max_overflow=0, pool_timeout=0.2)
        with engine.connect(), engine.connect():
            with pytest.raises(exc.TimeoutError, match="size 2 overflow 0 reached"):
                ask(engine)
            assert "Current Checked out connections: 2" in engine.pool.status()
            # Who has no place does not open one at the server either.
            assert len(proxy.links) == 2
        assert ask(engine) == 1
        engine.dispose()


def test_fifty_cycles_leave_nothing(mysql_url: str) -> None:
    with chaos_proxy(mysql_url, "mysql") as proxy:
        engine = make_engine(proxy, pool_size=2, max_overflow=0)
        for cycle in range(50):
            if cycle % 10 == 9:
                proxy.disconnect_all()
                with pytest.raises(exc.DBAPIError):
                    ask(engine)
            assert ask(engine) == 1
            assert len(proxy.links) <= 2
        assert isinstance(engine.pool, QueuePool)
        assert engine.pool.checkedout() == 0
        engine.dispose()
