"""What servers of Redis announce, and what clients are told of it by a proxy with ``remap``."""

from __future__ import annotations

from txvaurien.protocols.redis import Redis
from txvaurien.test.redis_samples import OK, PROBE, QUEUED, array, ask, bulk, say
from txvaurien.testing import TO_CLIENT, Conversation, Recorder, Step

REMAP = {
    "10.0.0.1:7000": "127.0.0.1:17000",
    "10.0.0.2:7000": "127.0.0.1:17001",
    "node3.example:7000": "localhost:17002",
    "[2001:db8::1]:7000": "[::1]:17003",
}

ID = b"07c37dfeb235213a872192d90877d0cd55635b91"
BACKEND = "10.0.0.1:7000"


def integer(number: int) -> bytes:
    """An integer reply."""
    return b":%d\r\n" % number


def listed(*items: bytes, kind: bytes = b"*") -> bytes:
    """An array of values; with ``%`` as kind a map."""
    return b"%b%d\r\n" % (kind, len(items) // (2 if kind == b"%" else 1)) + b"".join(items)


def slots(host: bytes, port: int, *metadata: bytes, kind: bytes = b"*") -> bytes:
    """The reply to CLUSTER SLOTS of a cluster with one node."""
    node = listed(host, integer(port), bulk(ID), listed(*metadata, kind=kind))
    return listed(listed(integer(0), integer(16383), node))


def fields(kind: bytes = b"*", **named: str) -> bytes:
    """Fields as Sentinel says them."""
    said = [each for name, value in named.items() for each in (bulk(name.replace("_", "-")), bulk(value))]
    return listed(*said, kind=kind)


def shard(host: str, port: int, kind: bytes = b"*", **names: str) -> bytes:
    """The reply to CLUSTER SHARDS of a cluster with one node."""
    said = [bulk("id"), bulk(ID), bulk("port"), integer(port), bulk("ip"), bulk(host)]
    for name, value in names.items():
        said += [bulk(name), bulk(value)]
    node = listed(*said, bulk("role"), bulk("master"), kind=kind)
    return listed(listed(bulk("slots"), listed(), bulk("nodes"), listed(node), kind=kind))


def node_line(address: str, more: str = "") -> str:
    """A line of CLUSTER NODES."""
    return f"{ID.decode()} {address}@17000{more} master - 0 1426238316232 2 connected 0-5460\n"


def verbatim(text: str) -> bytes:
    """A verbatim string of RESP3."""
    return b"=%d\r\ntxt:%b\r\n" % (len(text) + 4, text.encode())


#: The command, what the server says to it, and what the client is told.
TOLD: dict[str, tuple[str, bytes, bytes]] = {
    "MOVED": ("GET k", b"-MOVED 3999 10.0.0.2:7000\r\n", b"-MOVED 3999 127.0.0.1:17001\r\n"),
    "ASK": ("GET k", b"-ASK 3999 10.0.0.1:7000\r\n", b"-ASK 3999 127.0.0.1:17000\r\n"),
    "MOVED to a name": ("GET k", b"-MOVED 1 NODE3.example:7000\r\n", b"-MOVED 1 localhost:17002\r\n"),
    "MOVED, IPv6": ("GET k", b"-MOVED 1 2001:db8::1:7000\r\n", b"-MOVED 1 ::1:17003\r\n"),
    "MOVED, the host that was asked": ("GET k", b"-MOVED 1 :7000\r\n", b"-MOVED 1 127.0.0.1:17000\r\n"),
    "MOVED, no name": ("GET k", b"-MOVED 1 ?:7000\r\n", b"-MOVED 1 127.0.0.1:17000\r\n"),
    "MOVED out of a script": (
        "EVAL script 1 k",
        b"-MOVED 1 10.0.0.2:7000 script: abc, on @user_script:1.\r\n",
        b"-MOVED 1 127.0.0.1:17001 script: abc, on @user_script:1.\r\n",
    ),
    "REDIRECT": ("GET k", b"-REDIRECT 10.0.0.2:7000\r\n", b"-REDIRECT 127.0.0.1:17001\r\n"),
    "SLOTS": (
        "CLUSTER SLOTS",
        slots(bulk("10.0.0.2"), 7000),
        slots(bulk("127.0.0.1"), 17001),
    ),
    "SLOTS with a name": (
        "cluster slots",
        slots(bulk("10.0.0.2"), 7000, bulk("hostname"), bulk("two.example"), bulk("zone"), bulk("here")),
        slots(bulk("127.0.0.1"), 17001, bulk("hostname"), bulk("127.0.0.1"), bulk("zone"), bulk("here")),
    ),
    "SLOTS, RESP3": (
        "CLUSTER SLOTS",
        slots(bulk("two.example"), 7000, bulk("ip"), bulk("10.0.0.2"), kind=b"%"),
        slots(bulk("127.0.0.1"), 17001, bulk("ip"), bulk("127.0.0.1"), kind=b"%"),
    ),
    "SLOTS without a host": ("CLUSTER SLOTS", slots(b"$-1\r\n", 7000), slots(bulk("127.0.0.1"), 17000)),
    "SLOTS without a host, RESP3": (
        "CLUSTER SLOTS",
        slots(b"_\r\n", 7000),
        slots(bulk("127.0.0.1"), 17000),
    ),
    "SLOTS, empty host": ("CLUSTER SLOTS", slots(bulk(""), 7000), slots(bulk("127.0.0.1"), 17000)),
    "SLOTS of old servers": (
        "CLUSTER SLOTS",
        listed(listed(integer(0), integer(5), listed(bulk("10.0.0.1"), integer(7000)))),
        listed(listed(integer(0), integer(5), listed(bulk("127.0.0.1"), integer(17000)))),
    ),
    "SHARDS": (
        "CLUSTER SHARDS",
        shard("10.0.0.2", 7000, endpoint="10.0.0.2", hostname="", zone="10.0.0.2"),
        shard("127.0.0.1", 17001, endpoint="127.0.0.1", hostname="", zone="10.0.0.2"),
    ),
    "SHARDS, RESP3": (
        "CLUSTER SHARDS",
        shard("10.0.0.2", 7000, b"%", endpoint="two.example", hostname="two.example"),
        shard("127.0.0.1", 17001, b"%", endpoint="127.0.0.1", hostname="127.0.0.1"),
    ),
    "SHARDS, no name": (
        "CLUSTER SHARDS",
        shard("10.0.0.2", 7000, endpoint="?"),
        shard("127.0.0.1", 17000, endpoint="127.0.0.1"),
    ),
    "NODES": (
        "CLUSTER NODES",
        bulk(node_line("10.0.0.1:7000") + node_line("2001:db8::1:7000") + node_line("10.0.0.9:7000")),
        bulk(node_line("127.0.0.1:17000") + node_line("::1:17003") + node_line("10.0.0.9:7000")),
    ),
    "NODES with names": (
        "CLUSTER NODES",
        verbatim(node_line(":7000", ",one,shard-id=1") + node_line("x:7000", ",,nodename=n")),
        verbatim(node_line("127.0.0.1:17000", ",127.0.0.1,shard-id=1") + node_line("x:7000", ",,nodename=n")),
    ),
    "NODES of version 3": (
        "CLUSTER NODES",
        bulk(node_line("10.0.0.1:7000").replace("@17000", "")),
        bulk(node_line("127.0.0.1:17000").replace("@17000", "")),
    ),
    "REPLICAS": (
        "CLUSTER REPLICAS " + ID.decode(),
        array(node_line("10.0.0.2:7000")[:-1]),
        array(node_line("127.0.0.1:17001")[:-1]),
    ),
    "GET-MASTER-ADDR-BY-NAME": (
        "SENTINEL get-master-addr-by-name m",
        array("10.0.0.2", "7000"),
        array("127.0.0.1", "17001"),
    ),
    "MASTER": (
        "SENTINEL MASTER m",
        fields(name="m", ip="10.0.0.2", port="7000", runid="10.0.0.2"),
        fields(name="m", ip="127.0.0.1", port="17001", runid="10.0.0.2"),
    ),
    "MASTERS, RESP3": (
        "SENTINEL MASTERS",
        listed(fields(b"%", name="m", ip="node3.example", port="7000")),
        listed(fields(b"%", name="m", ip="localhost", port="17002")),
    ),
    "SENTINEL REPLICAS": (
        "SENTINEL REPLICAS m",
        listed(
            fields(
                name="10.0.0.2:7000", ip="10.0.0.2", port="7000", master_host="10.0.0.1", master_port="7000"
            )
        ),
        listed(
            fields(
                name="127.0.0.1:17001",
                ip="127.0.0.1",
                port="17001",
                master_host="127.0.0.1",
                master_port="17000",
            )
        ),
    ),
    "ROLE of a master": (
        "ROLE",
        listed(bulk("master"), integer(3), listed(array("10.0.0.2", "7000", "3"), array("x", "1", "3"))),
        listed(bulk("master"), integer(3), listed(array("127.0.0.1", "17001", "3"), array("x", "1", "3"))),
    ),
    "ROLE of a replica": (
        "ROLE",
        listed(bulk("slave"), bulk("10.0.0.1"), integer(7000), bulk("connected"), integer(3)),
        listed(bulk("slave"), bulk("127.0.0.1"), integer(17000), bulk("connected"), integer(3)),
    ),
    "INFO of a replica": (
        "INFO replication",
        bulk(
            "# Replication\r\nrole:slave\r\nmaster_host:10.0.0.1\r\nmaster_port:7000\r\nx:10.0.0.1:7000\r\n"
        ),
        bulk(
            "# Replication\r\nrole:slave\r\nmaster_host:127.0.0.1\r\nmaster_port:17000\r\nx:10.0.0.1:7000\r\n"
        ),
    ),
    "INFO of a master": (
        "INFO",
        bulk("role:master\r\nslave0:ip=10.0.0.2,port=7000,state=online\r\nslave1:ip=a,port=1,lag=0\r\n"),
        bulk("role:master\r\nslave0:ip=127.0.0.1,port=17001,state=online\r\nslave1:ip=a,port=1,lag=0\r\n"),
    ),
    "INFO of a sentinel": (
        "INFO sentinel",
        bulk("master0:name=m,status=ok,address=10.0.0.1:7000,slaves=1,sentinels=1\r\n"),
        bulk("master0:name=m,status=ok,address=127.0.0.1:17000,slaves=1,sentinels=1\r\n"),
    ),
}

#: Replies in which nothing is replaced, to commands that may be looked at and to others.
AS_THEY_ARE: dict[str, tuple[str, bytes]] = {
    "an address in a value": ("GET k", bulk("10.0.0.1:7000")),
    "an array of somebody's": ("LRANGE k 0 -1", array("10.0.0.1", "7000")),
    "an error of somebody's": ("GET k", b"-ERR MOVED 1 10.0.0.1:7000\r\n"),
    "a status like a redirection": ("GET k", b"+MOVED 1 10.0.0.1:7000\r\n"),
    "MOVED elsewhere": ("GET k", b"-MOVED 3999 10.9.9.9:7000\r\n"),
    "MOVED without a port": ("GET k", b"-MOVED 3999 10.0.0.1\r\n"),
    "SLOTS of strangers": ("CLUSTER SLOTS", slots(bulk("10.0.0.1"), 7001)),
    "SLOTS of nobody": ("CLUSTER SLOTS", listed()),
    "SLOTS without a cluster": ("CLUSTER SLOTS", b"-ERR This instance has cluster support disabled\r\n"),
    "a sentinel's null": ("SENTINEL GET-MASTER-ADDR-BY-NAME x", b"*-1\r\n"),
    "other subcommands": ("CLUSTER INFO", bulk("cluster_size:10.0.0.1:7000\r\n")),
    "a subcommand that is missing": ("CLUSTER", b"-ERR wrong number of arguments\r\n"),
    "an answer that is streamed": ("CLUSTER SLOTS", b"*?\r\n*2\r\n$8\r\n10.0.0.1\r\n:7000\r\n.\r\n"),
    "an answer of another shape": ("CLUSTER SLOTS", b"*2\r\n:1\r\n*3\r\n*0\r\n*-1\r\n*1\r\n+10.0.0.1\r\n"),
    "nested too deep": ("ROLE", b"*1\r\n" * 100 + b":1\r\n"),
}

CLUSTER_CONVERSATIONS: dict[str, Conversation] = {
    **{name: [ask(command), say(reply), *PROBE] for name, (command, reply, _) in TOLD.items()},
    **{name: [ask(command), say(reply), *PROBE] for name, (command, reply) in AS_THEY_ARE.items()},
    "in a transaction": [
        ask("MULTI", "GET k", "CLUSTER SLOTS", "EXEC", "GET k"),
        say(OK, b"-MOVED 1 10.0.0.1:7000\r\n", QUEUED, b"-EXECABORT Transaction\r\n", b"$-1\r\n"),
    ],
    "an event": [
        ask("SUBSCRIBE +switch-master"),
        say(b"*3\r\n" + bulk("subscribe") + bulk("+switch-master") + b":1\r\n"),
        say(array("message", "+switch-master", "m 10.0.0.1 7000 10.0.0.2 7000")),
    ],
}


def played(*conversation: Step, backend: str = BACKEND, remap: dict[str, str] | None = None) -> bytes:
    """What the client is told in a conversation."""
    session = Redis(remap=REMAP if remap is None else remap).session()
    session.backend = backend
    recorder = Recorder(session).play(conversation)
    assert not recorder.error and not recorder.faults, (recorder.error, recorder.faults)
    return bytes(recorder.forwarded[TO_CLIENT])
