"""What an SMTP server says when something is wrong, and to what it can be said.

The codes and their meaning are those of RFC 5321 (4.2.3, 4.3.2), RFC 3463 and RFC 5248 (enhanced codes),
RFC 4954 (AUTH) and RFC 3207 (STARTTLS). The words are those of Postfix 3.7 where it has some that name
neither itself nor an address: what it puts before them in ``<...>: `` is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from txvaurien.errors import NotLegal
from txvaurien.model import ErrorKind, Then, Where
from txvaurien.protocols.smtp.messages import CONTENT, CREDENTIALS, VERBS

#: What the catalogue calls everything that can be said to any command.
_ANY = frozenset(VERBS | {CONTENT, CREDENTIALS, "UNKNOWN"})
_LOGIN = frozenset({"AUTH", CREDENTIALS})
_BODY = frozenset({"BDAT", CONTENT})
_MAIL = frozenset({"MAIL", "RCPT", "DATA", "SEND", "SOML", "SAML", "BURL"}) | _BODY

CUSTOM = "custom"

#: A reply of the user's: a code that means failure, then words.
_CUSTOM_REPLY = re.compile(r"[45]\d\d [\x20-\x7e]{1,500}")


@dataclass(frozen=True)
class Entry:
    """One kind of error: what is said, and which verbs it can be said to.

    :param special: other words for some of the verbs.
    """

    kind: ErrorKind
    line: str
    verbs: frozenset[str] = frozenset()
    closes: bool = False
    special: Mapping[str, str] | None = None

    def words(self, verb: str) -> str:
        """The reply to `verb`, without the line's end."""
        return (self.special or {}).get(verb, self.line)


def _entry(
    name: str,
    line: str,
    verbs: Iterable[str],
    help: str,
    *,
    where: Where = Where.COMMAND,
    closes: bool = False,
    special: Mapping[str, str] | None = None,
    drawn: bool = True,
) -> Entry:
    return Entry(ErrorKind(name, where, help, drawn), line, frozenset(verbs), closes, special)


_ENTRIES = (
    _entry(
        "connect-unavailable",
        "421 4.3.2 All server ports are busy",
        (),
        "421 in place of the greeting, then the connection is closed",
        where=Where.CONNECT,
        closes=True,
    ),
    _entry(
        "connect-rejected",
        "554 5.7.1 Client host rejected: Access denied",
        (),
        "554 in place of the greeting, then the connection is closed",
        where=Where.CONNECT,
        closes=True,
    ),
    _entry(
        "service-unavailable",
        "421 4.3.2 Service not available, closing transmission channel",
        _ANY,
        "421: the server shuts down; the connection is closed",
        closes=True,
    ),
    _entry(
        "mailbox-busy",
        "450 4.2.0 Mailbox unavailable for now, try again later",
        {"RCPT", *_BODY},
        "450: the mailbox cannot take mail at the moment",
    ),
    _entry(
        "local-error",
        "451 4.3.0 Temporary lookup failure",
        _MAIL,
        "451: the server had an error of its own",
        special=dict.fromkeys(_BODY, "451 4.3.0 Error: queue file write error"),
    ),
    _entry(
        "insufficient-storage",
        "452 4.3.1 Insufficient system storage",
        _MAIL,
        "452: no room on the server",
    ),
    _entry(
        "greylisted",
        "451 4.7.1 Service unavailable - try again later",
        _MAIL,
        "451 4.7.1: mail of senders that are not known is put off",
    ),
    _entry(
        "tls-unavailable",
        "454 4.7.0 TLS not available due to local problem",
        {"STARTTLS"},
        "454 to STARTTLS: no TLS at the moment",
    ),
    _entry(
        "auth-temporary",
        "454 4.7.0 Temporary authentication failure",
        _LOGIN,
        "454 to AUTH or in its dialogue: nobody can log in at the moment",
    ),
    _entry(
        "auth-failed",
        "535 5.7.8 Authentication credentials invalid",
        _LOGIN,
        "535 to AUTH or in its dialogue: wrong name or password",
    ),
    _entry(
        "mailbox-unavailable",
        "550 5.7.1 Data command rejected: Access denied",
        {"VRFY", "EXPN", *_MAIL},
        "550: there is no such mailbox, or no access to it",
        special={
            "MAIL": "550 5.1.0 Sender address rejected: User unknown",
            **dict.fromkeys(("RCPT", "VRFY", "EXPN"), "550 5.1.1 Recipient address rejected: User unknown"),
            **dict.fromkeys(_BODY, "550 5.7.1 message content rejected"),
        },
    ),
    _entry(
        "too-big",
        "552 5.3.4 Message size exceeds fixed limit",
        {"MAIL", *_BODY},
        "552: the mail is larger than the server takes",
        special={
            "BDAT": "552 5.3.4 Chunk exceeds message size limit",
            CONTENT: "552 5.3.4 Error: message file too big",
        },
    ),
    _entry(
        "rejected",
        "554 5.7.1 Data command rejected: Access denied",
        _MAIL,
        "554: the server does not want this mail",
        special={
            "MAIL": "554 5.7.1 Sender address rejected: Access denied",
            "RCPT": "554 5.7.1 Recipient address rejected: Access denied",
            CONTENT: "554 5.7.1 End-of-data rejected: Access denied",
        },
    ),
    _entry(
        CUSTOM,
        "",
        _ANY - {"QUIT"},
        "a reply of your own, such as 450 4.7.25 no PTR record; 421 and 521 close the connection",
        drawn=False,
    ),
)

CATALOGUE: Mapping[str, Entry] = {entry.kind.name: entry for entry in _ENTRIES}


def words_of(kind: str, verb: str, text: str) -> tuple[bytes, Then]:
    """The reply line for `kind`, and what follows it.

    :param text: the reply itself, for ``custom``.
    :raises NotLegal: `text` is not a reply that a server could give.
    """
    entry = CATALOGUE[kind]
    line = entry.words(verb)
    if kind == CUSTOM:
        if not _CUSTOM_REPLY.fullmatch(text):
            raise NotLegal(f"{text!r} is not a reply: write a code from 400 to 599, a blank, and words")
        line = text
    # 421 (RFC 5321) and 521 (RFC 7504) say that the server closes.
    closes = entry.closes or line[:3] in ("421", "521")
    return line.encode("ascii") + b"\r\n", Then.CLOSE if closes else Then.KEEP
