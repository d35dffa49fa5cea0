"""The catalogue against a real redis-server that is brought to say the same."""

from __future__ import annotations

from txvaurien.protocols.redis.catalogue import Asked, say
from txvaurien.protocols.redis.commands import Command
from txvaurien.protocols.redis.messages import Request
from txvaurien.test.redis_peer import Peer, RealCase
from txvaurien.test.redis_samples import OK, QUEUED, cmd
from txvaurien.test.servers import RedisServer, free_port, wait_until

#: A key in this slot.
FOO = 12182


def ours(kind: str, command: str, text: str = "") -> bytes:
    """What we say to this command."""
    request = Request(cmd(command))
    return say(kind, Asked(request.command, request.keys, request.args), text)


class WordsTests(RealCase):
    """What the server says when it is brought to it, and what we say."""

    def assertSame(self, peer: Peer, command: str, kind: str, text: str = "") -> None:
        """The server answers this command with this kind."""
        self.assertEqual(peer.line(command), ours(kind, command, text))

    def test_types_and_scripts(self) -> None:
        """WRONGTYPE, NOSCRIPT."""
        peer = self.peer(self.start())
        peer.line("SET text v")
        self.assertSame(peer, "LPUSH text v", "wrongtype")
        self.assertSame(peer, "EVALSHA ffffffffffffffffffffffffffffffffffffffff 0", "noscript")

    def test_replica(self) -> None:
        """READONLY on a replica, MASTERDOWN on one that does not serve stale data."""
        peer = self.peer(self.start())
        peer.line("REPLICAOF 127.0.0.1 1")
        self.assertSame(peer, "SET k v", "readonly")
        peer.line("CONFIG SET replica-serve-stale-data no")
        self.assertSame(peer, "GET k", "masterdown")

    def test_memory(self) -> None:
        """OOM; in a transaction for whatever is queued."""
        peer = self.peer(self.start())
        peer.line("CONFIG SET maxmemory 1")
        self.assertSame(peer, "SET k v", "oom")
        self.assertEqual(peer.line("MULTI"), OK)
        self.assertSame(peer, "GET k", "oom")
        self.assertSame(peer, "EXEC", "execabort")

    def test_passwords(self) -> None:
        """NOAUTH, of HELLO too, and WRONGPASS."""
        server = self.start("--requirepass", "secret")
        peer = self.peer(server)
        for command in ("GET k", "MULTI", "EXEC"):
            self.assertSame(peer, command, "noauth")
        self.assertSame(peer, "HELLO 3", "noauth")
        self.assertSame(peer, "AUTH wrong", "wrongpass")
        self.assertSame(peer, "HELLO 3 AUTH default wrong", "wrongpass")

    def test_permissions(self) -> None:
        """NOPERM, of EXEC too."""
        peer = self.peer(self.start())
        peer.line("ACL SETUSER some on nopass ~* +@all -@dangerous -exec -get")
        peer.line("AUTH some x")
        for command in ("GET k", "CONFIG SET maxmemory 0", "FLUSHALL", "MULTI", "EXEC"):
            if command == "MULTI":
                self.assertEqual(peer.line(command), OK)
            else:
                self.assertSame(peer, command, "noperm")

    def test_replicas(self) -> None:
        """NOREPLICAS."""
        peer = self.peer(self.start())
        peer.line("CONFIG SET min-replicas-to-write 1")
        self.assertSame(peer, "SET k v", "noreplicas")

    def test_snapshots(self) -> None:
        """MISCONF of a write, and of PING."""
        server = self.start("--dbfilename", "taken")
        peer = self.peer(server)
        (server.folder / "taken").mkdir()
        peer.call(cmd("CONFIG", "SET", "save", "900 1"), "BGSAVE")
        self.until(peer, "INFO persistence", b"rdb_last_bgsave_status:err")
        self.assertSame(peer, "SET k v", "misconf")
        self.assertSame(peer, "PING", "misconf")

    def test_busy(self) -> None:
        """BUSY, of EXEC too."""
        server = self.start()
        looping, peer, other = (self.peer(server) for _ in range(3))
        peer.call("CONFIG SET busy-reply-threshold 1")
        self.assertEqual(other.line("MULTI"), OK)
        looping.send(cmd("EVAL", "while true do end", "0"))
        wait_until(lambda: peer.line("GET k") != b"$-1\r\n", lambda: "the server is never busy")
        self.assertSame(peer, "GET k", "busy")
        self.assertSame(other, "EXEC", "busy")
        self.assertEqual(peer.line("SCRIPT KILL"), OK)

    def test_clients(self) -> None:
        """The words of a full server, after which it closes."""
        server = self.start()
        self.peer(server).line("CONFIG SET maxclients 1")
        self.assertEqual(self.peer(server).hear(), ours("max-clients", "PING"))

    def test_abort_reasons(self) -> None:
        """EXEC of a write on a server that has become a replica."""
        server = self.start()
        peer, other = self.peer(server), self.peer(server)
        self.assertEqual([peer.line("MULTI"), peer.line("SET k v")], [OK, QUEUED])
        other.line("REPLICAOF 127.0.0.1 1")
        self.assertSame(peer, "EXEC", "readonly")
        self.assertEqual(peer.line("EXEC"), b"-ERR EXEC without MULTI\r\n")


class ClusterTests(RealCase):
    """Redirections and what else comes of slots."""

    def setUp(self) -> None:
        self.server, self.other = (self.node(), self.node())
        self.one, self.two = self.peer(self.server), self.peer(self.other)

    def node(self) -> RedisServer:
        """A node of a cluster. Its second port would be the first and 10000, which may be too high."""
        return self.start("--cluster-enabled", "yes", "--cluster-port", str(free_port()))

    def meet(self) -> None:
        """Make a cluster of both; all slots are with the first."""
        self.one.line("CLUSTER ADDSLOTSRANGE 0 16383")
        second = self.other.options[-1]
        self.assertEqual(self.one.line(f"CLUSTER MEET 127.0.0.1 {self.other.port} {second}"), OK)
        for peer in (self.one, self.two):
            self.until(peer, "CLUSTER INFO", b"cluster_state:ok", b"cluster_known_nodes:2")

    def identity(self, peer: Peer) -> str:
        """The name of a node."""
        return peer.call("CLUSTER MYID").split(b"\r\n")[1].decode()

    def assertSame(self, command: str, kind: str, text: str = "") -> None:
        """The first server answers this command with this kind."""
        self.assertEqual(self.one.line(command), ours(kind, command, text))

    def test_down(self) -> None:
        """CLUSTERDOWN while not all slots are served."""
        self.one.line(f"CLUSTER ADDSLOTS {FOO}")
        self.assertSame("GET foo", "clusterdown")

    def test_elsewhere(self) -> None:
        """CROSSSLOT, TRYAGAIN, ASK and MOVED, one after another."""
        self.meet()
        where = f"127.0.0.1:{self.other.port}"
        self.assertSame("MGET foo bar", "crossslot")
        self.assertEqual(self.one.line("SET {foo}here 1"), OK)
        other = self.identity(self.two)
        self.two.line(f"CLUSTER SETSLOT {FOO} IMPORTING {self.identity(self.one)}")
        self.one.line(f"CLUSTER SETSLOT {FOO} MIGRATING {other}")
        self.assertSame("GET foo", "ask", where)
        self.assertSame("MGET {foo}here {foo}gone", "tryagain")
        self.one.line("DEL {foo}here")
        self.two.line(f"CLUSTER SETSLOT {FOO} NODE {other}")
        self.one.line(f"CLUSTER SETSLOT {FOO} NODE {other}")
        self.assertSame("GET foo", "moved", where)
        self.assertEqual(self.one.line("MULTI"), OK)
        self.assertSame("GET foo", "moved", where)
        self.assertSame("EXEC", "execabort")

    def test_exec(self) -> None:
        """A transaction whose slot has gone meanwhile is redirected at EXEC, and over."""
        self.meet()
        self.assertEqual([self.one.line("MULTI"), self.one.line("SET foo 1")], [OK, QUEUED])
        other = self.identity(self.two)
        mover = self.peer(self.server)
        mover.line(f"CLUSTER SETSLOT {FOO} NODE {other}")
        moved = Asked(Command("exec", ""), [b"foo"], [b"EXEC"], in_multi=True)
        self.assertEqual(self.one.line("EXEC"), say("moved", moved, f"127.0.0.1:{self.other.port}"))
        self.assertEqual(self.one.line("EXEC"), b"-ERR EXEC without MULTI\r\n")
