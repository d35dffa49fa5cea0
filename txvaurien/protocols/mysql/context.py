"""What a client and a server have agreed on, and what the server last said of itself."""

from __future__ import annotations

from dataclasses import dataclass

from txvaurien.errors import FramingError
from txvaurien.protocols.mysql.wire import (
    CLIENT_COMPRESS,
    CLIENT_DEPRECATE_EOF,
    CLIENT_MYSQL,
    CLIENT_PROTOCOL_41,
    CLIENT_SSL,
    CLIENT_ZSTD_COMPRESSION_ALGORITHM,
    STATUS_AUTOCOMMIT,
    STATUS_IN_TRANS,
    Short,
    text_at,
)


@dataclass(frozen=True)
class Handshake:
    """The fields of a greeting (Protocol::HandshakeV10) that matter here.

    :ivar at: where in the payload the lower half of the capabilities stands.
    """

    version: str
    capabilities: int
    plugin: str
    at: int

    @classmethod
    def read(cls, payload: bytes) -> Handshake:
        """:raises FramingError: it is not a greeting that we know."""
        if payload[:1] != b"\x0a":
            raise FramingError("the server does not greet with version 10 of the MySQL protocol")
        try:
            version, at = text_at(payload, 1)
        except Short:
            raise FramingError("the server's greeting is cut off") from None
        at += 4 + 8 + 1
        if len(payload) < at + 18:
            raise FramingError("the server greets as before MySQL 4.1")
        lower, upper = payload[at : at + 2], payload[at + 5 : at + 7]
        capabilities = int.from_bytes(lower + upper, "little")
        if not capabilities & CLIENT_MYSQL:
            capabilities |= int.from_bytes(payload[at + 14 : at + 18], "little") << 32
        plugin = payload[at + 18 + max(13, payload[at + 7] - 8) :].partition(b"\0")[0]
        return cls(version.decode("latin-1"), capabilities, plugin.decode("latin-1"), at)

    @property
    def mariadb(self) -> bool:
        """Whether the server is a MariaDB. Old ones say so in the version only."""
        return not self.capabilities & CLIENT_MYSQL or "MariaDB" in self.version

    def without(self, raw: bytes, capabilities: int) -> bytes:
        """The packet `raw` that it was read from, with these capabilities taken out."""
        left = (self.capabilities & ~capabilities & 0xFFFFFFFF).to_bytes(4, "little")
        at = 4 + self.at
        return raw[:at] + left[:2] + raw[at + 2 : at + 5] + left[2:] + raw[at + 7 :]


#: What `tls = strip` and `compression = strip` take out of a greeting.
TLS = CLIENT_SSL
COMPRESSION = CLIENT_COMPRESS | CLIENT_ZSTD_COMPRESSION_ALGORITHM


class Context:
    """What holds for a link now. Shared by its session and the replies that are under way."""

    __slots__ = (
        "asked_with",
        "begun",
        "capabilities",
        "compressed",
        "content",
        "database",
        "dialogue",
        "logged_in",
        "mariadb",
        "offered",
        "plugin",
        "status",
        "user",
    )

    def __init__(self) -> None:
        self.offered = 0
        #: What both sides can, once the client has asked for TLS or begun to log in; 0 before.
        self.capabilities = 0
        #: The client has begun to log in.
        self.begun = False
        self.mariadb = False
        #: The authentication plug-in that has the word.
        self.plugin = ""
        self.user = ""
        self.database = ""
        self.logged_in = False
        #: Both sides speak the compressed protocol.
        self.compressed = False
        #: What the client says next belongs to an authentication.
        self.dialogue = False
        #: What the client says next is the file of this name; the server asked for it in a
        #: packet with these sequence numbers, its own and that of the compressed protocol.
        self.content: bytes | None = None
        self.asked_with = (0, 0)
        self.status = STATUS_AUTOCOMMIT

    def greeted(self, handshake: Handshake) -> None:
        """The server has said what it can."""
        self.offered = handshake.capabilities
        self.mariadb = handshake.mariadb
        self.plugin = handshake.plugin

    def agree(self, head: bytes) -> None:
        """The client has said what it can, in its log-in or when it asks for TLS.

        :raises FramingError: it speaks as before MySQL 4.1, or something else altogether.
        """
        wanted = int.from_bytes(head[:4], "little")
        if len(head) < 32 or not wanted & CLIENT_PROTOCOL_41:
            raise FramingError("the client does not speak the protocol of MySQL 4.1 and later")
        if not (wanted | self.offered) & CLIENT_MYSQL:
            wanted |= int.from_bytes(head[28:32], "little") << 32
        self.capabilities = wanted & self.offered | CLIENT_PROTOCOL_41

    @property
    def deprecate_eof(self) -> bool:
        """Whether rows end with an OK packet and definitions with nothing."""
        return bool(self.capabilities & CLIENT_DEPRECATE_EOF)

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open, or would be by the next statement."""
        return bool(self.status & STATUS_IN_TRANS) or not self.status & STATUS_AUTOCOMMIT
