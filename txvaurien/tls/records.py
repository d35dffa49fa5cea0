"""TLS records, as far as they can be recognised without knowing what is in them (RFC 8446, section 5.1)."""

from __future__ import annotations

#: The kinds of records: change_cipher_spec, alert, handshake, application_data.
ALERT = 21
HANDSHAKE = 22
_KINDS = range(20, 24)

#: The high byte of the version of every record since SSL 3.
_VERSION = 3

#: Kind, version and length.
_HEAD = 5

#: A fatal alert that no parameters can be agreed on: handshake_failure (RFC 8446, section 6.2).
HANDSHAKE_FAILURE = bytes([ALERT, _VERSION, 3, 0, 2, 2, 40])


def begins_tls(data: bytes) -> bool:
    """Whether this can be the beginning of what a TLS client says first: a record of a handshake."""
    return data[:1] == bytes([HANDSHAKE]) and data[1:2] in (b"", bytes([_VERSION]))


def begins_record(data: bytes) -> bool:
    """Whether this can be the beginning of a record of any kind."""
    return data[0] in _KINDS and data[1:2] in (b"", bytes([_VERSION]))


def is_alert(data: bytes) -> bool:
    """Whether this is an alert: what a TLS server says to a client that speaks no TLS."""
    return data[:2] == bytes([ALERT, _VERSION])


def record_size(data: bytes | bytearray) -> int:
    """How long the first record of `data` is, head included; 0 if that cannot be told yet."""
    return _HEAD + int.from_bytes(data[3:_HEAD], "big") if len(data) >= _HEAD else 0
