"""MySQL and MariaDB: what their greeting tells, and how to take leave of them.

A client that goes away after the greeting has failed to shake hands: the server counts that against the
client's address, and after ``max_connect_errors`` of them in a row (100 by default) it takes no client
from there any more (MySQL's manual, "Host host_name is blocked"; the column ``COUNT_HANDSHAKE_ERRORS`` of
``performance_schema.host_cache``). A log-in that is denied is not counted. So one is made, without a password
and for an account that no server has.
"""

from __future__ import annotations

import struct

from txvaurien.doctor.answers import CONFUSED, OFFERS_TLS, OFFERS_ZSTD, Seen, shown
from txvaurien.doctor.reaching import Talk

#: Who asks to be let in.
ACCOUNT = b"vaurien-doctor"

# Capabilities (MySQL's documentation of the protocol, "Capabilities Flags").
_PROTOCOL_41, _SSL, _SECURE, _PLUGIN_AUTH, _ZSTD = 0x200, 0x800, 0x8000, 0x80000, 1 << 26
_UTF8MB4 = 45

_GREETING, _SWITCH, _MORE, _ERROR, _OK = 0x0A, 0xFE, 0x01, 0xFF, 0x00
_HEAD = 4
#: What stands between the version and the name of the plug-in: 31 bytes, and the rest of the scramble.
_BEFORE_PLUGIN = 31 + 13
_ANSWERS = 8
#: The greeting is number 0, the log-in 1.
_ANSWER = 2

#: What stands before the version of MariaDB, for the sake of replication.
_DISGUISE = "5.5.5-"
#: The largest packet of a greeting or an answer to a log-in that is believed, in bytes.
_MOST = 1 << 12


def is_packet(data: bytes) -> bool:
    """Whether it may be the beginning of a greeting, or of the error in its place."""
    if len(data) <= _HEAD or data[3] not in {0, 1} or not 0 < _size(data) <= _MOST:
        return False
    return (data[3] == 0 and data[4] == _GREETING) or data[4] == _ERROR


def greeted(talk: Talk, begun: bytes, limit: float) -> Seen | None:
    """Read the greeting that has begun to come, and log in in vain."""
    while len(begun) < _HEAD + _size(begun):
        more = talk.hear(limit)
        if not more:
            return None
        begun += more
    payload = begun[_HEAD : _HEAD + _size(begun)]
    if payload[0] == _ERROR:
        return Seen("mysql", "MySQL or MariaDB", trouble=_error(payload))
    version, _, rest = payload[1:].partition(b"\0")
    # The thread, the first part of the scramble, a null; the status and the character set come between.
    fixed = struct.unpack_from("<4x8xxHxHH", rest) if len(rest) >= 20 else (0, 0, 0)
    capabilities = fixed[0] | fixed[2] << 16
    plugin = rest[_BEFORE_PLUGIN:].partition(b"\0")[0] if capabilities & _PLUGIN_AUTH else b""
    whole = len(begun) == _HEAD + _size(begun)
    understood = _log_in(talk, capabilities, plugin, limit) and whole
    traits = _traits(capabilities) | (frozenset() if understood else {CONFUSED})
    return Seen("mysql", _brand(shown(version)), traits)


def _size(data: bytes) -> int:
    return int.from_bytes(data[:3], "little")


def _brand(version: str) -> str:
    if "MariaDB" in version:
        return f"MariaDB {version.removeprefix(_DISGUISE).partition('-')[0]}"
    return f"MySQL {version}"


def _traits(capabilities: int) -> frozenset[str]:
    offers = {OFFERS_TLS: _SSL, OFFERS_ZSTD: _ZSTD}
    return frozenset(name for name, flag in offers.items() if capabilities & flag)


def _log_in(talk: Talk, offered: int, plugin: bytes, limit: float) -> bool:
    """Ask to be let in until the server has made up its mind; if it does let us in, leave.

    :returns: whether the server has answered to that: its answer has the next number (manual of the
        protocol, "MySQL Packets"), while an answer to something that came before has another.
    """
    wanted = _PROTOCOL_41 | _SECURE | (_PLUGIN_AUTH & offered)
    body = struct.pack("<IIB23x", wanted, 1 << 24, _UTF8MB4) + ACCOUNT + b"\0" + b"\0"
    body += plugin + b"\0" if wanted & _PLUGIN_AUTH else b""
    talk.say(_packet(body, 1))
    numbers = []
    for _ in range(_ANSWERS):
        head = talk.exactly(_HEAD, limit)
        numbers.append(head[3] if len(head) == _HEAD else 0)
        payload = talk.exactly(min(_size(head), _MOST), limit) if len(head) == _HEAD else b""
        if not payload or payload[0] not in {_SWITCH, _MORE}:
            break
        # Another way of showing the password, which there is not: an empty one.
        talk.say(_packet(b"", head[3] + 1))
    if payload[:1] == bytes([_OK]):
        talk.say(_packet(b"\x01", 0))
    return numbers[0] == _ANSWER


def _packet(body: bytes, number: int) -> bytes:
    return len(body).to_bytes(3, "little") + bytes([number & 0xFF]) + body


def _error(payload: bytes) -> str:
    number = int.from_bytes(payload[1:3], "little")
    words = payload[3:]
    return f"{number} {shown(words[6:] if words.startswith(b'#') else words)}"
