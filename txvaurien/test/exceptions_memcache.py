"""What each error of the catalogue makes of a call of a client library."""

from __future__ import annotations

PYMEMCACHE = "pymemcache"
BINARY = "python-binary-memcached"

_ERROR = "pymemcache.exceptions.MemcacheUnknownCommandError"
_CLIENT = "pymemcache.exceptions.MemcacheClientError"
_SERVER = "pymemcache.exceptions.MemcacheServerError"
_BINARY = "bmemcached.exceptions.MemcachedException"

#: Kind, client library, how it is met, and the exception's class, or ``returns`` and the value.
EXPECTED: tuple[tuple[str, str, str, str], ...] = (
    ("error", PYMEMCACHE, "get", _ERROR),
    ("error", PYMEMCACHE, "set", _ERROR),
    ("client-error", PYMEMCACHE, "get", _CLIENT),
    ("client-error", PYMEMCACHE, "set", _CLIENT),
    ("server-error", PYMEMCACHE, "get", _SERVER),
    ("server-error", PYMEMCACHE, "delete", _SERVER),
    ("out-of-memory", PYMEMCACHE, "get", _SERVER),
    ("out-of-memory", PYMEMCACHE, "set", _SERVER),
    ("out-of-memory", PYMEMCACHE, "incr", _SERVER),
    ("too-large", PYMEMCACHE, "set", _SERVER),
    ("busy", PYMEMCACHE, "crawl", "returns b'BUSY currently processing crawler request'"),
    ("miss", PYMEMCACHE, "get", "returns None"),
    ("miss", PYMEMCACHE, "get_many", "returns {}"),
    ("miss", PYMEMCACHE, "delete", "returns False"),
    ("miss", PYMEMCACHE, "incr", "returns None"),
    ("miss", PYMEMCACHE, "touch", "returns False"),
    ("miss", PYMEMCACHE, "cas", "returns None"),
    ("not-stored", PYMEMCACHE, "set", "returns False"),
    ("not-stored", PYMEMCACHE, "add", "returns False"),
    ("exists", PYMEMCACHE, "cas", "returns False"),
    ("auth-error", PYMEMCACHE, "get", _CLIENT),
    ("too-many-connections", PYMEMCACHE, "get", _ERROR),
    ("error", BINARY, "get", _BINARY),
    ("client-error", BINARY, "get", _BINARY),
    ("client-error", BINARY, "set", _BINARY),
    ("server-error", BINARY, "get", _BINARY),
    ("server-error", BINARY, "delete", _BINARY),
    ("out-of-memory", BINARY, "set", _BINARY),
    ("out-of-memory", BINARY, "incr", _BINARY),
    ("too-large", BINARY, "set", _BINARY),
    ("busy", BINARY, "get", _BINARY),
    ("temporary-failure", BINARY, "get", _BINARY),
    ("temporary-failure", BINARY, "set", _BINARY),
    ("miss", BINARY, "get", "returns None"),
    ("miss", BINARY, "get_multi", "returns {}"),
    ("miss", BINARY, "delete", "returns True"),
    ("not-stored", BINARY, "set", _BINARY),
    ("not-stored", BINARY, "add", "returns False"),
    ("exists", BINARY, "cas", "returns False"),
    ("auth-error", BINARY, "get", _BINARY),
    ("too-many-connections", BINARY, "get", _BINARY),
)
