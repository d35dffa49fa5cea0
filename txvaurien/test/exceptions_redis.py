"""What redis-py raises for each error of the Redis catalogue: data for the tests and for the docs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import redis
from redis import exceptions


def _transaction(client: redis.Redis) -> Any:
    pipe: Any = client.pipeline()
    pipe.set("k", 1)
    return pipe.execute()


#: kind, what is called, the call itself (of a `redis.Redis`), the exception, words of its message.
EXPECTED: list[tuple[str, str, Callable[[Any], Any], type[Exception], str]] = [
    ("loading", "get", lambda r: r.get("k"), exceptions.BusyLoadingError, "loading the dataset"),
    ("readonly", "set", lambda r: r.set("k", 1), exceptions.ReadOnlyError, "read only replica"),
    ("oom", "set", lambda r: r.set("k", 1), exceptions.OutOfMemoryError, "used memory > 'maxmemory'"),
    ("busy", "get", lambda r: r.get("k"), exceptions.ResponseError, "busy running a script"),
    ("noscript", "evalsha", lambda r: r.evalsha("0" * 40, 0), exceptions.NoScriptError, "No matching script"),
    ("misconf", "set", lambda r: r.set("k", 1), exceptions.ResponseError, "unable to persist to disk"),
    ("masterdown", "get", lambda r: r.get("k"), exceptions.MasterDownError, "Link with MASTER is down"),
    ("clusterdown", "get", lambda r: r.get("k"), exceptions.ClusterDownError, "cluster is down"),
    ("moved", "get", lambda r: r.get("k"), exceptions.MovedError, "7629 127.0.0.1:6379"),
    ("ask", "get", lambda r: r.get("k"), exceptions.AskError, "7629 127.0.0.1:6379"),
    ("tryagain", "mget", lambda r: r.mget("a", "b"), exceptions.TryAgainError, "during rehashing of slot"),
    ("crossslot", "mget", lambda r: r.mget("a", "b"), exceptions.ClusterCrossSlotError, "same slot"),
    ("noauth", "get", lambda r: r.get("k"), exceptions.AuthenticationError, "Authentication required"),
    ("wrongpass", "auth", lambda r: r.auth("x"), exceptions.AuthenticationError, "invalid username-password"),
    ("noperm", "get", lambda r: r.get("k"), exceptions.NoPermissionError, "no permissions to run the 'get'"),
    ("wrongtype", "get", lambda r: r.get("k"), exceptions.ResponseError, "wrong kind of value"),
    ("execabort", "pipeline", _transaction, exceptions.ExecAbortError, "previous errors"),
    ("noreplicas", "set", lambda r: r.set("k", 1), exceptions.ResponseError, "Not enough good replicas"),
    ("max-clients", "a new connection", lambda r: r.get("k"), exceptions.ConnectionError, "max number of"),
    ("custom", "get", lambda r: r.get("k"), exceptions.ResponseError, "it is Tuesday"),
]

#: The text of `custom`.
CUSTOM = "ERR it is Tuesday"
