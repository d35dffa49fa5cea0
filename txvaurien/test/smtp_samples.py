"""Conversations with mail servers, for the laws of sessions. The replies are worded as Postfix does."""

from __future__ import annotations

from txvaurien.model import Direction
from txvaurien.testing import Conversation

TO_BACKEND, TO_CLIENT = Direction.TO_BACKEND, Direction.TO_CLIENT

GREETING = (TO_CLIENT, b"220 mx.example.org ESMTP Postfix\r\n")
OK = (TO_CLIENT, b"250 2.1.0 Ok\r\n")
GO_AHEAD = (TO_CLIENT, b"354 End data with <CR><LF>.<CR><LF>\r\n")
QUEUED = (TO_CLIENT, b"250 2.0.0 Ok: queued as 4F1C\r\n")
DATA = (TO_BACKEND, b"DATA\r\n")
MAIL = (TO_BACKEND, b"MAIL FROM:<ann@example.org> SIZE=300 BODY=8BITMIME\r\n")
RCPT = (TO_BACKEND, b"RCPT TO:<bob@example.org>\r\n")
HELLO = (TO_BACKEND, b"EHLO client.example.org\r\n")
OFFERS = (
    TO_CLIENT,
    b"250-mx.example.org\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250-STARTTLS\r\n250-AUTH PLAIN LOGIN\r\n"
    b"250-8BITMIME\r\n250-CHUNKING\r\n250 SMTPUTF8\r\n",
)
QUIT = ((TO_BACKEND, b"QUIT\r\n"), (TO_CLIENT, b"221 2.0.0 Bye\r\n"))
STUFFED = b"Subject: dots\r\n\r\n..\r\n..one\r\nnot the end: .\r\n.. \r\n\r\n.\r\n"
ENVELOPE = (MAIL, OK, RCPT, OK)
START: Conversation = (GREETING, HELLO, OFFERS)

#: Everything that SMTP can do.
CONVERSATIONS: dict[str, Conversation] = {
    "one mail": (*START, *ENVELOPE, DATA, GO_AHEAD, (TO_BACKEND, STUFFED), QUEUED, *QUIT),
    "nothing but a dot": (*START, *ENVELOPE, DATA, GO_AHEAD, (TO_BACKEND, b".\r\n"), QUEUED, *QUIT),
    "greeting of more lines": (
        (TO_CLIENT, b"220-mx.example.org\r\n220-no spam\r\n220 ready\r\n"),
        (TO_BACKEND, b"HELO client\r\n"),
        (TO_CLIENT, b"250 mx.example.org\r\n"),
        *QUIT,
    ),
    "pipelined": (
        *START,
        (TO_BACKEND, MAIL[1] + RCPT[1] + RCPT[1] + DATA[1]),
        (TO_CLIENT, OK[1] + b"550 5.1.1 <bob@example.org>: unknown\r\n" + OK[1] + GO_AHEAD[1]),
        (TO_BACKEND, b"Subject: x\r\n\r\nbody\r\n.\r\nRSET\r\nQUIT\r\n"),
        (TO_CLIENT, QUEUED[1] + b"250 2.0.0 Ok\r\n221 2.0.0 Bye\r\n"),
    ),
    "no recipient": (
        *START,
        (TO_BACKEND, MAIL[1] + RCPT[1] + DATA[1]),
        (TO_CLIENT, OK[1] + b"550 5.1.1 unknown\r\n554 5.5.1 Error: no valid recipients\r\n"),
        (TO_BACKEND, b"RSET\r\n"),
        OK,
        *QUIT,
    ),
    "chunks": (
        *START,
        (TO_BACKEND, MAIL[1] + RCPT[1] + b"BDAT 10\r\nSubject: x"),
        (TO_CLIENT, OK[1] * 3),
        (TO_BACKEND, b"BDAT 11\r\n\r\n\r\n.\r\nQUIT\r\nBDAT 0 LAST\r\n"),
        (TO_CLIENT, OK[1] + QUEUED[1]),
        *QUIT,
    ),
    "broken chunk": (*START, (TO_BACKEND, b"BDAT many\r\n"), (TO_CLIENT, b"501 5.5.4 Syntax\r\n"), *QUIT),
    "plain": (
        *START,
        (TO_BACKEND, b"AUTH PLAIN AGFubgBzZWNyZXQ=\r\n"),
        (TO_CLIENT, b"235 2.7.0 ok\r\n"),
        *QUIT,
    ),
    "login": (
        *START,
        (TO_BACKEND, b"AUTH LOGIN\r\n"),
        (TO_CLIENT, b"334 VXNlcm5hbWU6\r\n"),
        (TO_BACKEND, b"YW5u\r\n"),
        (TO_CLIENT, b"334 UGFzc3dvcmQ6\r\n"),
        (TO_BACKEND, b"c2VjcmV0\r\n"),
        (TO_CLIENT, b"535 5.7.8 Error: authentication failed\r\n"),
        *QUIT,
    ),
    "the rest": (
        *START,
        (TO_BACKEND, b"VRFY bob\r\nEXPN all\r\nHELP\r\nNOOP\r\nWHAT is this\r\n\r\n"),
        (TO_CLIENT, b"252 2.0.0 bob\r\n502 5.5.2 no\r\n214-one\r\n214 two\r\n" + OK[1]),
        (TO_CLIENT, b"502 5.5.2 Error: command not recognized\r\n500 5.5.2 Error: bad syntax\r\n"),
        *QUIT,
    ),
    "timeout": (*START, (TO_CLIENT, b"421 4.4.2 mx.example.org Error: timeout exceeded\r\n")),
    "early talker": (HELLO, GREETING, OFFERS, *QUIT),
    "utf-8": (
        *START,
        (TO_BACKEND, "MAIL FROM:<jürgen@exämple.org> SMTPUTF8\r\n".encode()),
        OK,
        *QUIT,
    ),
    "bare LF": (
        (TO_CLIENT, b"220 hello\n"),
        (TO_BACKEND, b"HELO me\nNOOP\n"),
        (TO_CLIENT, b"250 you\n250\n"),
        *QUIT,
    ),
    "LMTP": (
        GREETING,
        (TO_BACKEND, b"LHLO client\r\n"),
        OFFERS,
        (TO_BACKEND, MAIL[1] + RCPT[1] * 3 + DATA[1]),
        (TO_CLIENT, OK[1] + OK[1] + b"550 5.1.1 unknown\r\n" + OK[1] + GO_AHEAD[1]),
        (TO_BACKEND, STUFFED),
        (TO_CLIENT, b"250 2.0.0 Ok\r\n452-4.2.2\r\n452 4.2.2 full\r\n"),
        (TO_BACKEND, MAIL[1] + RCPT[1] * 2 + b"BDAT 5\r\nhelloBDAT 0 LAST\r\n"),
        (TO_CLIENT, OK[1] * 4 + b"250 2.0.0 one\r\n250 2.0.0 two\r\n"),
        *QUIT,
    ),
    "TLS": (
        *START,
        (TO_BACKEND, b"STARTTLS\r\n"),
        (TO_CLIENT, b"220 2.0.0 Ready to start TLS\r\n"),
        (TO_BACKEND, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    ),
    "no TLS": (*START, (TO_BACKEND, b"STARTTLS\r\n"), (TO_CLIENT, b"454 4.7.0 TLS not available\r\n"), *QUIT),
    "cut in the content": (*START, *ENVELOPE, DATA, GO_AHEAD, (TO_BACKEND, b"Subject: x\r\n\r\nbo")),
    "cut in a line": (*START, (TO_BACKEND, b"MAIL FR"), (TO_CLIENT, b"421-go")),
}
