"""Where in replies servers announce addresses, and how those are replaced.

Facts are from the Redis Cluster specification, the pages of CLUSTER SLOTS, SHARDS and NODES, ROLE, INFO
and Sentinel, and from redis-server 7.0: ``cluster.c`` (clusterReplyMultiBulkSlots, clusterGenNodeDescription,
clusterRedirectClient), ``sentinel.c`` (sentinelEvent, addReplySentinelRedisInstance), ``server.c``
(genRedisInfoString) and ``replication.c`` (roleCommand). Valkey says ``primary`` in new names, and REDIRECT
to clients that have asked for it (CLIENT CAPA).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from txvaurien.protocols.redis.heads import first_word
from txvaurien.protocols.redis.messages import Request
from txvaurien.protocols.redis.remap import Remap, is_known
from txvaurien.protocols.redis.values import Value, read_value

#: ``-MOVED 3999 127.0.0.1:6381``; scripts put more behind it.
_REDIRECTION = re.compile(rb"(-(?:MOVED \d+|ASK \d+|REDIRECT) )([^ \r\n]*):(\d+)(?=[ \r])")

#: Id, address, port of the bus, names, and what follows (CLUSTER NODES, CLUSTER REPLICAS).
_NODE = re.compile(rb"^([^ \n]+ )([^ \n,@]*):(\d+)((?:@\d+)?)((?:,[^ \n]*)?)(?= )", re.MULTILINE)

_MASTER = re.compile(rb"^(master_host:)([^\r\n]*)(\r?\nmaster_port:)(\d+)", re.MULTILINE)
_REPLICA = re.compile(rb"^(slave\d+:ip=)([^,\r\n]*)(,port=)(\d+)", re.MULTILINE)
_WATCHED = re.compile(rb"^(master\d+:name=[^\r\n]*?,address=)([^,\r\n]*)(:)(\d+)", re.MULTILINE)

#: What an event of a sentinel is about: ``slave 10.0.0.2:7000 10.0.0.2 7000 @ mymaster 10.0.0.1 7000``.
_INSTANCES = frozenset({b"master", b"slave", b"sentinel", b"primary", b"replica"})
_SWITCHES = frozenset({b"+switch-master", b"+switch-primary"})

#: Fields that name the host of a node. Clients go by the first of them that is there.
_NAMES = (b"endpoint", b"ip", b"hostname")


class Announced:
    """A reply in which addresses are looked for. What is found is replaced at the end, in one go.

    :param raw: all of it.
    :param asked: host and port of the node that said it.
    """

    __slots__ = ("_asked", "_changes", "_raw", "_table")

    def __init__(self, raw: bytes, table: Remap, asked: str) -> None:
        self._raw = raw
        self._table = table
        self._asked = asked
        self._changes: dict[int, tuple[int, bytes]] = {}

    def edited(self, look: Look) -> bytes:
        """The reply as the client is to have it; the same object if nothing is replaced.

        :raises NotRead: it cannot be read.
        """
        look(self, read_value(self._raw))
        return self._joined() if self._changes else self._raw

    def _joined(self) -> bytes:
        parts: list[bytes] = []
        at = 0
        for start, (end, new) in sorted(self._changes.items()):
            parts += [self._raw[at:start], new]
            at = end
        return b"".join([*parts, self._raw[at:]])

    def say(self, value: Value, text: bytes) -> None:
        """Put another text in the place of a string, a number or a null."""
        if text != value.text:
            self._changes.setdefault(value.start, (value.end, value.saying(text)))

    def node(self, port: Value, host: Value, *names: Value) -> tuple[bytes, bytes] | None:
        """Replace the address of a node, and its other names where it has some; return the new one."""
        if not port.words or host.is_aggregate:
            return None
        found = self._table.find(self._asked, port.words, host.words, *(name.words for name in names))
        if found is not None:
            self.say(host, found[0])
            for name in names:
                if is_known(name.words):
                    self.say(name, found[0])
            self.say(port, found[1])
        return found

    def text(self, text: bytes, pattern: re.Pattern[bytes]) -> bytes:
        """Replace what a pattern finds in a text: something before the host, it, something, the port."""
        return pattern.sub(self._rewritten, text)

    def nodes(self, text: bytes) -> bytes:
        """Replace the addresses in lines of CLUSTER NODES."""
        return _NODE.sub(self._node_line, text)

    def words(self, words: list[bytes], at: int) -> None:
        """Replace the host and the port that two words are, and the word before if it is both."""
        found = self._table.find(self._asked, words[at + 1], words[at])
        if found is not None:
            if words[at - 1] in _both(words[at], words[at + 1]):
                words[at - 1] = b":".join(found)
            words[at : at + 2] = found

    def _rewritten(self, match: re.Match[bytes]) -> bytes:
        head, host, between, port = match.groups()
        found = self._table.find(self._asked, port, host)
        return match[0] if found is None else b"".join((head, found[0], between, found[1]))

    def _node_line(self, match: re.Match[bytes]) -> bytes:
        head, host, port, bus, names = match.groups()
        _, *others = names.split(b",")
        found = self._table.find(self._asked, port, host, *others[:1])
        if found is None:
            return match[0]
        if others and is_known(others[0]):
            names = b",".join((b"", found[0], *others[1:]))
        return b"".join((head, found[0], b":", found[1], bus, names))


#: Looks for addresses in one kind of reply.
Look = Callable[[Announced, Value], None]


def _both(host: bytes, port: bytes) -> Sequence[bytes]:
    return b"%b:%b" % (host, port), b"[%b]:%b" % (host, port)


def _names(fields: Mapping[bytes, Value]) -> list[Value]:
    return [fields[name] for name in _NAMES if name in fields]


def redirection(raw: bytes, table: Remap, asked: str) -> bytes:
    """An error that may send the client to another node; the same object if it does not.

    :param raw: begins with ``-``.
    """
    match = _REDIRECTION.match(raw)
    found = table.find(asked, match[3], match[2]) if match is not None else None
    if match is None or found is None:
        return raw
    return b"%b%b:%b%b" % (match[1], *found, raw[match.end() :])


def _slots(announced: Announced, reply: Value) -> None:
    """CLUSTER SLOTS: ranges of slots, and behind them nodes of host, port, id and other names."""
    for slots in reply.items:
        for node in slots.items[2:]:
            if len(node.items) > 1:
                further = node.items[3].named() if len(node.items) > 3 else {}
                announced.node(node.items[1], node.items[0], *_names(further))


def _shards(announced: Announced, reply: Value) -> None:
    """CLUSTER SHARDS: of each shard the nodes, with fields."""
    for shard in reply.items:
        nodes = shard.named().get(b"nodes")
        for node in nodes.items if nodes is not None else ():
            fields = node.named()
            hosts = _names(fields)
            for name in (b"port", b"tls-port"):
                if name in fields and hosts:
                    announced.node(fields[name], *hosts)


def _nodes(announced: Announced, reply: Value) -> None:
    """CLUSTER NODES: a text; CLUSTER REPLICAS: its lines one by one."""
    for value in reply.items or (reply,):
        if value.text is not None:
            announced.say(value, announced.nodes(value.text))


def _pair(announced: Announced, reply: Value) -> None:
    """SENTINEL GET-MASTER-ADDR-BY-NAME: host and port, or null."""
    if len(reply.items) == 2:
        announced.node(reply.items[1], reply.items[0])


def _instance(announced: Announced, reply: Value) -> None:
    """SENTINEL MASTER: fields. The name of a replica is its address; it tells that of its master as well."""
    fields = reply.named()
    for before in (b"", b"master-", b"primary-"):
        host = fields.get(before + (b"host" if before else b"ip"))
        port = fields.get(before + b"port")
        if host is not None and port is not None and is_known(host.words):
            found = announced.node(port, host)
            name = fields.get(b"name")
            if found and name is not None and name.words in _both(host.words, port.words):
                announced.say(name, b":".join(found))


def _instances(announced: Announced, reply: Value) -> None:
    """SENTINEL MASTERS, REPLICAS, SENTINELS: several of those."""
    for item in reply.items:
        _instance(announced, item)


def _role(announced: Announced, reply: Value) -> None:
    """ROLE: of a master its replicas, of a replica its master."""
    items = reply.items
    if len(items) == 3 and items[0].text == b"master":
        for replica in items[2].items:
            if len(replica.items) > 1:
                announced.node(replica.items[1], replica.items[0])
    elif len(items) == 5 and items[0].text == b"slave":
        announced.node(items[2], items[1])


def _info(announced: Announced, reply: Value) -> None:
    """INFO: the section of replication, and what a sentinel tells of masters."""
    text = reply.text
    if text is not None:
        for pattern in (_MASTER, _REPLICA, _WATCHED):
            text = announced.text(text, pattern)
        announced.say(reply, text)


def event(announced: Announced, message: Value) -> None:
    """A message that a sentinel publishes: kind, (pattern,) channel, text."""
    channel, text = (item.words for item in message.items[-2:])
    words = text.split(b" ")
    if channel in _SWITCHES and len(words) == 5:
        places = [1, 3]
    elif words[0] in _INSTANCES and len(words) > 3 and words[3].isdigit():
        places = [2, 6] if words[4:5] == [b"@"] and len(words) > 7 else [2]
    else:
        return
    for at in places:
        announced.words(words, at)
    announced.say(message.items[-1], b" ".join(words))


def is_event(channel: str) -> bool:
    """Whether a sentinel may publish its events there."""
    return channel.startswith(("+", "-"))


_ALONE: Mapping[bytes, Look] = MappingProxyType({b"ROLE": _role, b"INFO": _info})

_WITH: Mapping[bytes, Mapping[bytes, Look]] = MappingProxyType(
    {
        b"CLUSTER": {
            b"SLOTS": _slots,
            b"SHARDS": _shards,
            b"NODES": _nodes,
            b"REPLICAS": _nodes,
            b"SLAVES": _nodes,
        },
        b"SENTINEL": {
            b"GET-MASTER-ADDR-BY-NAME": _pair,
            b"GET-PRIMARY-ADDR-BY-NAME": _pair,
            b"MASTER": _instance,
            b"PRIMARY": _instance,
            b"MASTERS": _instances,
            b"PRIMARIES": _instances,
            b"REPLICAS": _instances,
            b"SLAVES": _instances,
            b"SENTINELS": _instances,
        },
    }
)


def look_of(request: Request) -> Look | None:
    """How to look for addresses in the reply to this command; None where there are none."""
    word = first_word(request.raw)
    alone = _ALONE.get(word)
    if alone is not None or word not in _WITH:
        return alone
    args = request.args
    return _WITH[word].get(args[1].upper()) if len(args) > 1 else None


def look_into(looks: Mapping[int, Look]) -> Look:
    """How to look into the reply to EXEC.

    :param looks: by the number of the command in the transaction, from 0 on.
    """

    def each(announced: Announced, reply: Value) -> None:
        for number, look in looks.items():
            if number < len(reply.items):
                look(announced, reply.items[number])

    return each
