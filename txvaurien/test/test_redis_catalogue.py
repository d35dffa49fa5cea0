"""txvaurien.protocols.redis.catalogue, .commands and .messages: what is said, and to which command."""

from __future__ import annotations

import socket
from typing import ClassVar

import redis
from redis import exceptions
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.errors import NotLegal
from txvaurien.protocols.redis.catalogue import KINDS, Asked, legal, say
from txvaurien.protocols.redis.commands import UNKNOWN, Command, key_slot, lookup
from txvaurien.protocols.redis.messages import Reply, Request, Unasked
from txvaurien.test.redis_samples import KEYS, cmd


def asked(command: str, in_multi: bool = False) -> Asked:
    """This command, as the catalogue sees it."""
    request = Request(cmd(command))
    return Asked(request.command, request.keys, request.args, in_multi)


#: For each kind a command, what is said to it, and what redis-py makes of that.
SAID: dict[str, tuple[str, bytes, type[Exception]]] = {
    "loading": ("GET k", b"-LOADING Redis is loading the dataset in memory\r\n", exceptions.BusyLoadingError),
    "readonly": (
        "SET k v",
        b"-READONLY You can't write against a read only replica.\r\n",
        exceptions.ReadOnlyError,
    ),
    "oom": (
        "SET k v",
        b"-OOM command not allowed when used memory > 'maxmemory'.\r\n",
        exceptions.OutOfMemoryError,
    ),
    "busy": (
        "GET k",
        b"-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.\r\n",
        exceptions.ResponseError,
    ),
    "noscript": (
        "EVALSHA abc 0",
        b"-NOSCRIPT No matching script. Please use EVAL.\r\n",
        exceptions.NoScriptError,
    ),
    "misconf": (
        "SET k v",
        b"-MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk."
        b" Commands that may modify the data set are disabled, because this instance is configured to report"
        b" errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check"
        b" the Redis logs for details about the RDB error.\r\n",
        exceptions.ResponseError,
    ),
    "masterdown": (
        "GET k",
        b"-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n",
        exceptions.MasterDownError,
    ),
    "clusterdown": ("GET k", b"-CLUSTERDOWN The cluster is down\r\n", exceptions.ClusterDownError),
    "moved": ("GET foo", b"-MOVED 12182 127.0.0.1:6379\r\n", exceptions.MovedError),
    "ask": ("GET foo", b"-ASK 12182 127.0.0.1:6379\r\n", exceptions.AskError),
    "tryagain": (
        "MGET a b",
        b"-TRYAGAIN Multiple keys request during rehashing of slot\r\n",
        exceptions.TryAgainError,
    ),
    "crossslot": (
        "MGET a b",
        b"-CROSSSLOT Keys in request don't hash to the same slot\r\n",
        exceptions.ClusterCrossSlotError,
    ),
    "noauth": ("GET k", b"-NOAUTH Authentication required.\r\n", exceptions.AuthenticationError),
    "wrongpass": (
        "AUTH secret",
        b"-WRONGPASS invalid username-password pair or user is disabled.\r\n",
        exceptions.AuthenticationError,
    ),
    "noperm": (
        "CONFIG SET a b",
        b"-NOPERM this user has no permissions to run the 'config|set' command\r\n",
        exceptions.NoPermissionError,
    ),
    "wrongtype": (
        "GET k",
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
        exceptions.ResponseError,
    ),
    "execabort": (
        "EXEC",
        b"-EXECABORT Transaction discarded because of previous errors.\r\n",
        exceptions.ExecAbortError,
    ),
    "noreplicas": (
        "SET k v",
        b"-NOREPLICAS Not enough good replicas to write.\r\n",
        exceptions.ResponseError,
    ),
    "max-clients": ("PING", b"-ERR max number of clients reached\r\n", exceptions.ConnectionError),
    "custom": ("PING", b"-BOOM and away\r\n", exceptions.ResponseError),
}


class CannedConnection(redis.Connection):
    """redis-py's connection to a server that has said its part already."""

    def __init__(self, said: bytes) -> None:
        super().__init__()
        self._said = said

    def _connect(self) -> socket.socket:
        near, far = socket.socketpair()
        with far:
            far.sendall(self._said)
        return near

    def on_connect_check_health(self, check_health: bool = True) -> None:
        """Nothing is asked of this server."""
        self._parser.on_connect(self)

    def on_connect(self) -> None:
        """The same, as redis-py before 6.0 calls it."""
        self.on_connect_check_health()


class WordsTests(SynchronousTestCase):
    """The errors as they are said."""

    def test_all(self) -> None:
        """Each kind is said in the server's words, and each is in this test."""
        self.assertEqual(list(SAID), [kind.name for kind in KINDS if kind.name in SAID])
        self.assertEqual({kind.name for kind in KINDS}, set(SAID))
        for kind, (command, said, _) in SAID.items():
            text = "BOOM and away" if kind == "custom" else ""
            self.assertEqual(say(kind, asked(command), text), said, kind)

    def test_redis_py(self) -> None:
        """redis-py raises what it raises for the server's error."""
        for kind, (_, said, exception) in SAID.items():
            connection = CannedConnection(said)
            connection.connect()
            self.addCleanup(connection.disconnect)
            try:
                raised: object = connection.read_response()
            except exceptions.RedisError as error:
                raised = error
            self.assertIsInstance(raised, exception, kind)
            self.assertIn(type(raised).__mro__.index(exception), (0, 1), kind)

    def test_places(self) -> None:
        """MOVED and ASK tell the slot of the key, and point where the text says."""
        moved = say("moved", asked("GET {user1000}.x"), "10.0.0.1:7000")
        self.assertEqual(moved, b"-MOVED 3443 10.0.0.1:7000\r\n")
        self.assertEqual(say("ask", asked("SET foo{}{bar} 1"), "::1:7000"), b"-ASK 8363 ::1:7000\r\n")
        for text in ("nowhere", "host:", "a b:1", "host:1\r\n+OK:1"):
            error = self.assertRaises(NotLegal, say, "moved", asked("GET k"), text)
            self.assertIn("host:port", str(error))

    def test_custom(self) -> None:
        """A text of one's own is one line, with or without the dash."""
        self.assertEqual(say("custom", asked("GET k"), "ERR boom"), b"-ERR boom\r\n")
        self.assertEqual(say("custom", asked("GET k"), "-BOOM gr\u00fcn"), b"-BOOM gr\xc3\xbcn\r\n")
        for text in ("", "-", " ", "ERR a\r\n+OK", "ERR\n"):
            error = self.assertRaises(NotLegal, say, "custom", asked("GET k"), text)
            self.assertIn("one line", str(error))

    def test_noperm(self) -> None:
        """The command is named as the server names it; one that nobody knows by its own name."""
        for command, name in (
            ("get k", "get"),
            ("XGROUP create k g $", "xgroup|create"),
            ("FT.SEARCH i", "ft.search"),
        ):
            said = b"-NOPERM this user has no permissions to run the '%b' command\r\n" % name.encode()
            self.assertEqual(say("noperm", asked(command)), said)
        strange = Request(cmd(b"a\r\nb", b"c"))
        said = say("noperm", Asked(strange.command, strange.keys, strange.args))
        self.assertEqual(said.count(b"\r\n"), 1)

    def test_hello(self) -> None:
        """HELLO has words of its own for a client that has not authenticated."""
        self.assertIn(b"NOAUTH HELLO must be called with the client already", say("noauth", asked("HELLO 3")))

    def test_exec(self) -> None:
        """What EXEC is refused for is the reason of an EXECABORT, but a redirection stands for itself."""
        wrapped = b"-EXECABORT Transaction discarded because of: OOM command not allowed"
        self.assertTrue(say("oom", asked("EXEC", True)).startswith(wrapped))
        moved = Asked(Command("exec", ""), [b"foo"], [b"EXEC"], in_multi=True)
        self.assertEqual(say("moved", moved), b"-MOVED 12182 127.0.0.1:6379\r\n")
        self.assertEqual(say("custom", moved, "ERR x"), b"-ERR x\r\n")


class LegalTests(SynchronousTestCase):
    """What can be said to which command."""

    GENERAL = "loading busy masterdown noauth noperm custom"
    WRITE = "readonly misconf noreplicas"
    KEY = "clusterdown moved ask"
    KEYS = "tryagain crossslot"

    #: By command, all the kinds that the server can answer to it.
    TABLE: ClassVar[dict[str, str]] = {
        "GET k": f"{GENERAL} {KEY} wrongtype",
        "EXISTS k": f"{GENERAL} {KEY}",
        "MGET a b": f"{GENERAL} {KEY} {KEYS}",
        "SET k v": f"{GENERAL} {KEY} {WRITE} oom",
        "DEL k": f"{GENERAL} {KEY} {WRITE}",
        "LPUSH k v": f"{GENERAL} {KEY} {WRITE} oom wrongtype",
        "SUNIONSTORE a b c": f"{GENERAL} {KEY} {KEYS} {WRITE} oom wrongtype",
        "FLUSHALL": f"{GENERAL} {WRITE}",
        "KEYS *": GENERAL,
        "PING": f"{GENERAL} misconf",
        "INFO": "busy noauth noperm custom",
        "CONFIG GET *": "busy noauth noperm custom",
        "CONFIG": GENERAL,
        "SUBSCRIBE c": "busy noauth noperm custom",
        "SSUBSCRIBE c": f"busy noauth noperm custom {KEY}",
        "CLIENT REPLY OFF": "busy noauth noperm custom",
        "CLUSTER INFO": "loading busy noauth noperm custom",
        "MULTI": "noauth noperm custom",
        "EXEC": "busy noauth noperm custom",
        "WATCH k": f"noauth noperm custom {KEY}",
        "AUTH x": "wrongpass custom",
        "HELLO 3": "noauth custom",
        "HELLO 3 AUTH u p": "wrongpass custom",
        "RESET": "custom",
        "QUIT": "custom",
        "SHUTDOWN": "noauth noperm custom",
        "EVAL script 0": f"{GENERAL} {WRITE} oom",
        "EVALSHA abc 2 a b": f"{GENERAL} {WRITE} oom noscript {KEY} {KEYS}",
        "EVALSHA_RO abc 0": "loading busy noauth noperm custom noscript",
        "SCRIPT KILL": "loading masterdown noauth noperm custom",
        "XGROUP CREATE k g $": f"{GENERAL} {KEY} {WRITE} oom wrongtype",
        "JSON.SET k $ 1": f"{GENERAL} {KEY} {WRITE} oom wrongtype",
    }

    def test_table(self) -> None:
        """For each command exactly these, in the order of the catalogue."""
        for command, kinds in self.TABLE.items():
            wanted = set(kinds.split())
            ordered = [kind.name for kind in KINDS if kind.name in wanted]
            self.assertEqual(legal(asked(command)), ordered, command)

    def test_in_transaction(self) -> None:
        """What comes of carrying out a command comes at EXEC; memory is short for whatever is queued."""
        self.assertEqual(set(legal(asked("GET k", True))), set(f"{self.GENERAL} {self.KEY} oom".split()))
        self.assertNotIn("noscript", legal(asked("EVALSHA abc 0", True)))
        self.assertNotIn("wrongpass", legal(asked("AUTH x", True)))
        self.assertIn("oom", legal(asked("WATCH k", True)))
        for command in ("EXEC", "DISCARD", "RESET", "QUIT"):
            self.assertNotIn("oom", legal(asked(command, True)))
        self.assertIn("execabort", legal(asked("EXEC", True)))

    def test_unknown(self) -> None:
        """Nothing that a write can be answered is missing for a command that nobody knows."""
        unknown = set(legal(asked("MODULE.DOES a b c")))
        self.assertLessEqual(set(legal(asked("LPUSH k v"))), unknown)


class CommandTests(SynchronousTestCase):
    """The table of commands."""

    def test_keys(self) -> None:
        """The keys are where the server finds them."""
        for command, keys in KEYS.items():
            self.assertEqual(" ".join(Request(cmd(command)).targets), keys, command)
        migrate = cmd("MIGRATE", "h", "1", "", "0", "5", "AUTH", "KEYS", "KEYS", "a", "b")
        self.assertEqual(Request(migrate).targets, ["a", "b"])

    def test_half_a_head(self) -> None:
        """Of a command that is too long to be held, the keys that were held."""
        raw = cmd("MSET", *["k", "v"] * 1000)
        self.assertEqual(set(Request(raw[:5000]).targets), {"k"})
        self.assertEqual(Request(cmd("SET", "k" * 100, "v")[:60]).targets, [])

    def test_channels(self) -> None:
        """The targets of pub/sub commands are their channels."""
        self.assertEqual(Request(cmd("SUBSCRIBE a b")).targets, ["a", "b"])
        self.assertEqual(Request(cmd("publish news text")).targets, ["news"])
        self.assertEqual(Request(cmd("PUNSUBSCRIBE")).targets, [])

    def test_lookup(self) -> None:
        """Subcommands are commands of their own; what nobody knows is unknown."""
        self.assertEqual(lookup([b"Config", b"SET", b"a", b"b"]).name, "config|set")
        self.assertEqual(lookup([b"config", b"frobnicate"]).name, "config")
        self.assertIs(lookup([b"frobnicate"]), UNKNOWN)
        self.assertIs(lookup([b"\xff\xfe"]), UNKNOWN)

    def test_slots(self) -> None:
        """Slots of the specification; a hash tag counts if there is something in it."""
        self.assertEqual(key_slot(b"123456789"), 0x31C3)
        self.assertEqual(key_slot(b"{user1000}.following"), key_slot(b"user1000"))
        self.assertEqual(key_slot(b"foo{{bar}}zap"), key_slot(b"{bar"))
        self.assertEqual(key_slot(b"foo{bar}{zap}"), key_slot(b"bar"))
        self.assertNotEqual(key_slot(b"foo{}{bar}"), key_slot(b"bar"))


class MessageTests(SynchronousTestCase):
    """What rules and journals see."""

    def test_request(self) -> None:
        """Verb in upper case, keys as text, arguments as bytes."""
        request = Request(cmd("mget", "a", b"\xff", "\u00fc"))
        self.assertEqual((request.verb, request.target), ("MGET", "a"))
        self.assertEqual(request.targets, ["a", "\\xff", "\u00fc"])
        self.assertEqual(request.args, [b"mget", b"a", b"\xff", "\u00fc".encode()])
        self.assertEqual((Request(b"*0\r\n").verb, Request(b"\r\n").target), ("", None))

    def test_reply(self) -> None:
        """OK, or what went wrong."""
        self.assertEqual([Reply(raw).status for raw in (b"$1\r\na\r\n", b"-OOM x\r\n")], ["OK", "OOM"])

    def test_logs(self) -> None:
        """Logs show the command and its keys, and nothing else that was said."""
        for command, shown in (
            ("SET user:1 secret", {"verb": "SET", "target": "user:1"}),
            ("AUTH user secret", {"verb": "AUTH"}),
            ("HELLO 3 AUTH user secret", {"verb": "HELLO"}),
            ("CONFIG SET requirepass secret", {"verb": "CONFIG SET"}),
            ("ACL SETUSER me >secret", {"verb": "ACL SETUSER"}),
            ("MIGRATE h 1 k 0 5 AUTH secret", {"verb": "MIGRATE", "target": "k"}),
            ("PUBLISH channel secret", {"verb": "PUBLISH", "target": "channel"}),
            ("EVAL secret 1 k secret", {"verb": "EVAL", "target": "k"}),
            ("AUHT secret", {"verb": "UNKNOWN"}),
            ("JSON.SET doc $ secret", {"verb": "JSON.SET", "target": "doc"}),
        ):
            self.assertEqual(Request(cmd(command)).log_fields(), shown, command)

    def test_unasked(self) -> None:
        """A message is known by its kind and its channel; an error by its word."""
        message = Unasked(b">3\r\n", b"message", [b"news"])
        self.assertEqual((message.verb, message.target, message.status), ("MESSAGE", "news", ""))
        self.assertEqual(message.log_fields(), {"verb": "MESSAGE", "target": "news"})
        self.assertEqual(Unasked(b"-ERR full\r\n", b"ERR").status, "ERR")
