"""What SMTP says: commands, credentials, contents and replies (RFC 5321).

These are views: they are never sent. Nothing that may be a secret (the argument
of AUTH, the lines of its dialogue, contents) has a property here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from txvaurien.model import Message

_BASE = frozenset({"EHLO", "HELO", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "QUIT", "VRFY", "EXPN", "HELP"})
_EXTENSIONS = frozenset(
    {"LHLO", "BDAT", "STARTTLS", "AUTH", "ETRN", "ATRN", "BURL", "XCLIENT", "XFORWARD"}
    | {"TURN", "SEND", "SOML", "SAML"}
)

#: Every verb that is shown. Another first word may be a secret that was sent at
#: the wrong moment, so that it is called `UNKNOWN`. From RFC 5321, 821 (SEND,
#: SOML, SAML, TURN), 1845 to 1985 (ETRN), 2033 (LHLO), 2645 (ATRN), 3030 (BDAT),
#: 3207, 4468 (BURL), 4954 (AUTH), and Postfix's XCLIENT and XFORWARD.
VERBS = _BASE | _EXTENSIONS
UNKNOWN = "UNKNOWN"

#: The verb of a line in the dialogue that AUTH began.
CREDENTIALS = "CREDENTIALS"
#: The verb of what follows DATA or BDAT.
CONTENT = "CONTENT"
#: The verb of the server's first reply.
GREET = "GREET"
#: The verb of a reply to nothing, such as 421 before the server closes.
NOTICE = "NOTICE"

#: ``MAIL FROM:<@route:"local part"@domain> SIZE=1``: the route, the mailbox, the parameters. Spaces
#: after the colon and missing brackets are wrong (RFC 5321, 4.1.1.2), and common.
_PATH = re.compile(
    r"""[A-Z]+ \s+ (?:FROM|TO) \s* : \s*
        (?: < (?:@[^:>]*:)? (?P<path> (?: "(?:[^"\\]|\\.)*" | [^">] )* ) > | (?P<bare> \S+ ) )
        (?P<parameters> .* )""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)

#: Mechanisms of SASL that mail servers offer (IANA's registry), and XOAUTH2.
_MECHANISM = re.compile(
    r"PLAIN|LOGIN|CRAM-MD5|DIGEST-MD5|SCRAM-SHA-[0-9-]+(?:-PLUS)?|XOAUTH2|OAUTHBEARER|EXTERNAL"
    r"|ANONYMOUS|GSSAPI|GSS-SPNEGO|GS2-KRB5(?:-PLUS)?|KERBEROS_V4|NTLM|OTP|SRP",
    re.IGNORECASE,
)

#: What the reverse-path of a bounce is called, which has no mailbox.
NULL_PATH = "<>"

#: ``4.7.1`` at the beginning of a reply's text (RFC 2034).
_ENHANCED = re.compile(rb"[245]\.\d{1,3}\.\d{1,3}(?=\s|$)")


#: Verbs of four letters as most clients write them, with what comes next: no need to look further.
_BY_BEGINNING = {(verb + end).encode(): verb for verb in sorted(VERBS) if len(verb) == 4 for end in " \r"}


def _verb_of(line: bytes) -> str:
    word = line[:9].split(None, 1)
    verb = word[0].decode("ascii", "replace").upper() if word else ""
    return verb if verb in VERBS else UNKNOWN


class Command(Message):
    """A command line."""

    __slots__ = ("_line", "_verb")

    def __init__(self, line: bytes) -> None:
        self._verb = _BY_BEGINNING.get(line[:5]) or _verb_of(line)
        self._line = line

    @property
    def verb(self) -> str:
        """The command, or ``UNKNOWN``."""
        return self._verb

    @property
    def targets(self) -> Sequence[str]:
        """The mailbox of MAIL (``<>`` for none) and RCPT, the mechanism of AUTH, the name that
        EHLO, HELO and LHLO give, the argument of VRFY, EXPN and ETRN."""
        if self._verb in ("MAIL", "RCPT"):
            return self._mailbox()
        if self._verb in ("AUTH", "EHLO", "HELO", "LHLO", "VRFY", "EXPN", "ETRN"):
            words = self._text().split()
            return (words[1],) if len(words) > 1 else ()
        return ()

    @property
    def parameters(self) -> Mapping[str, str]:
        """The parameters of MAIL and RCPT, names in upper case: ``{"SIZE": "100", "SMTPUTF8": ""}``."""
        found = _PATH.match(self._text())
        words = found["parameters"].split() if found else []
        pairs = (word.partition("=") for word in words)
        return {name.upper(): value for name, _, value in pairs}

    def log_fields(self) -> dict[str, str]:
        """Verb and target. What follows AUTH and is no mechanism may be a secret."""
        fields = super().log_fields()
        if self._verb == "AUTH" and not _MECHANISM.fullmatch(fields.get("target", "")):
            fields.pop("target", None)
        return fields

    def arguments(self) -> list[bytes]:
        """The words after the verb."""
        return self._line.split()[1:]

    def _mailbox(self) -> Sequence[str]:
        found = _PATH.match(self._text())
        if found is None:
            return ()
        return (found["path"] or found["bare"] or NULL_PATH,)

    def _text(self) -> str:
        # SMTPUTF8 (RFC 6531): mailboxes may be UTF-8.
        return self._line.decode("utf-8", "replace").strip()


class Credentials(Message):
    """A line of the dialogue that AUTH began (RFC 4954). It is a secret."""

    __slots__ = ()

    @property
    def verb(self) -> str:
        return CREDENTIALS


class Content(Message):
    """The content of a mail, or a chunk of it.

    :param final: nothing of this mail follows it: it is DATA's, or that of ``BDAT ... LAST``.
    :param chunk: it is BDAT's.
    """

    __slots__ = ("chunk", "final")

    def __init__(self, final: bool, chunk: bool = False) -> None:
        self.final = final
        self.chunk = chunk

    @property
    def verb(self) -> str:
        return CONTENT


class Reply(Message):
    """A reply, of one line or of more (RFC 5321, 4.2).

    :param line: the first line.
    :param verb: for a reply that nobody asked for.
    """

    __slots__ = ("_line", "_verb")

    def __init__(self, line: bytes, verb: str = "") -> None:
        self._line = line
        self._verb = verb

    @property
    def verb(self) -> str:
        """``GREET`` or ``NOTICE`` for what the server says unasked."""
        return self._verb

    @property
    def status(self) -> str:
        """The reply code: ``250``."""
        return self._line[:3].decode("ascii", "replace")

    @property
    def enhanced(self) -> str:
        """The enhanced status code (RFC 3463): ``4.7.1``, or ``""``."""
        found = _ENHANCED.match(self._line, 4)
        return found[0].decode() if found else ""

    @property
    def text(self) -> str:
        """What the first line says after its codes."""
        text = self._line[4:].decode("utf-8", "replace").strip()
        return text[len(self.enhanced) :].lstrip()
