"""What each error of the catalogue makes of sending a mail with a client library."""

from __future__ import annotations

SMTPLIB = "smtplib"
TWISTED = "twisted.mail"

_CONNECT = "smtplib.SMTPConnectError"
_GONE = "smtplib.SMTPServerDisconnected"
_SENDER = "smtplib.SMTPSenderRefused"
_RECIPIENTS = "smtplib.SMTPRecipientsRefused"
_DATA = "smtplib.SMTPDataError"
_LOGIN = "smtplib.SMTPAuthenticationError"
_RESPONSE = "smtplib.SMTPResponseException"
_DELIVERY = "twisted.mail.smtp.SMTPDeliveryError"
_TX_CONNECT = "twisted.mail.smtp.SMTPConnectError"
_TX_EHLO = "twisted.mail.smtp.EHLORequiredError"
_TX_LOGIN = "twisted.mail.smtp.AuthenticationError"
_TX_DECLINED = "twisted.mail.smtp.AUTHDeclinedError"

#: Kind, client library, the verb that is refused (CONNECT: the greeting), and the exception's
#: class, or ``returns`` and the value.
EXPECTED: tuple[tuple[str, str, str, str], ...] = (
    ("connect-unavailable", SMTPLIB, "CONNECT", _CONNECT),
    ("connect-rejected", SMTPLIB, "CONNECT", _CONNECT),
    ("service-unavailable", SMTPLIB, "EHLO", _GONE),
    ("service-unavailable", SMTPLIB, "AUTH", _GONE),
    ("service-unavailable", SMTPLIB, "MAIL", _SENDER),
    ("service-unavailable", SMTPLIB, "RCPT", _RECIPIENTS),
    ("service-unavailable", SMTPLIB, "DATA", _DATA),
    ("service-unavailable", SMTPLIB, "CONTENT", _DATA),
    ("mailbox-busy", SMTPLIB, "RCPT", _RECIPIENTS),
    ("mailbox-busy", SMTPLIB, "CONTENT", _DATA),
    ("local-error", SMTPLIB, "MAIL", _SENDER),
    ("local-error", SMTPLIB, "RCPT", _RECIPIENTS),
    ("local-error", SMTPLIB, "DATA", _DATA),
    ("local-error", SMTPLIB, "CONTENT", _DATA),
    ("insufficient-storage", SMTPLIB, "MAIL", _SENDER),
    ("insufficient-storage", SMTPLIB, "RCPT", _RECIPIENTS),
    ("insufficient-storage", SMTPLIB, "DATA", _DATA),
    ("insufficient-storage", SMTPLIB, "CONTENT", _DATA),
    ("greylisted", SMTPLIB, "MAIL", _SENDER),
    ("greylisted", SMTPLIB, "RCPT", _RECIPIENTS),
    ("greylisted", SMTPLIB, "DATA", _DATA),
    ("greylisted", SMTPLIB, "CONTENT", _DATA),
    ("tls-unavailable", SMTPLIB, "STARTTLS", _RESPONSE),
    ("auth-temporary", SMTPLIB, "AUTH", _LOGIN),
    ("auth-temporary", SMTPLIB, "CREDENTIALS", _LOGIN),
    ("auth-failed", SMTPLIB, "AUTH", _LOGIN),
    ("auth-failed", SMTPLIB, "CREDENTIALS", _LOGIN),
    (
        "mailbox-unavailable",
        SMTPLIB,
        "VRFY",
        "returns (550, b'5.1.1 Recipient address rejected: User unknown')",
    ),
    ("mailbox-unavailable", SMTPLIB, "MAIL", _SENDER),
    ("mailbox-unavailable", SMTPLIB, "RCPT", _RECIPIENTS),
    ("mailbox-unavailable", SMTPLIB, "DATA", _DATA),
    ("mailbox-unavailable", SMTPLIB, "CONTENT", _DATA),
    ("too-big", SMTPLIB, "MAIL", _SENDER),
    ("too-big", SMTPLIB, "CONTENT", _DATA),
    ("rejected", SMTPLIB, "MAIL", _SENDER),
    ("rejected", SMTPLIB, "RCPT", _RECIPIENTS),
    ("rejected", SMTPLIB, "DATA", _DATA),
    ("rejected", SMTPLIB, "CONTENT", _DATA),
    ("custom", SMTPLIB, "EHLO", "returns {}"),
    ("custom", SMTPLIB, "AUTH", _LOGIN),
    ("custom", SMTPLIB, "MAIL", _SENDER),
    ("custom", SMTPLIB, "RCPT", _RECIPIENTS),
    ("custom", SMTPLIB, "DATA", _DATA),
    ("custom", SMTPLIB, "CONTENT", _DATA),
    ("connect-unavailable", TWISTED, "CONNECT", _TX_CONNECT),
    ("connect-rejected", TWISTED, "CONNECT", _TX_CONNECT),
    ("service-unavailable", TWISTED, "EHLO", _TX_EHLO),
    ("service-unavailable", TWISTED, "AUTH", _TX_LOGIN),
    ("service-unavailable", TWISTED, "MAIL", _DELIVERY),
    ("service-unavailable", TWISTED, "RCPT", _TX_CONNECT),
    ("service-unavailable", TWISTED, "DATA", _DELIVERY),
    ("service-unavailable", TWISTED, "CONTENT", _DELIVERY),
    ("mailbox-busy", TWISTED, "RCPT", _DELIVERY),
    ("mailbox-busy", TWISTED, "CONTENT", _DELIVERY),
    ("local-error", TWISTED, "MAIL", _DELIVERY),
    ("local-error", TWISTED, "RCPT", _DELIVERY),
    ("local-error", TWISTED, "DATA", _DELIVERY),
    ("local-error", TWISTED, "CONTENT", _DELIVERY),
    ("insufficient-storage", TWISTED, "MAIL", _DELIVERY),
    ("insufficient-storage", TWISTED, "RCPT", _DELIVERY),
    ("insufficient-storage", TWISTED, "DATA", _DELIVERY),
    ("insufficient-storage", TWISTED, "CONTENT", _DELIVERY),
    ("greylisted", TWISTED, "MAIL", _DELIVERY),
    ("greylisted", TWISTED, "RCPT", _DELIVERY),
    ("greylisted", TWISTED, "DATA", _DELIVERY),
    ("greylisted", TWISTED, "CONTENT", _DELIVERY),
    ("tls-unavailable", TWISTED, "STARTTLS", "twisted.mail.smtp.TLSRequiredError"),
    ("auth-temporary", TWISTED, "AUTH", _TX_LOGIN),
    ("auth-temporary", TWISTED, "CREDENTIALS", _TX_DECLINED),
    ("auth-failed", TWISTED, "AUTH", _TX_LOGIN),
    ("auth-failed", TWISTED, "CREDENTIALS", _TX_DECLINED),
    ("mailbox-unavailable", TWISTED, "MAIL", _DELIVERY),
    ("mailbox-unavailable", TWISTED, "RCPT", _DELIVERY),
    ("mailbox-unavailable", TWISTED, "DATA", _DELIVERY),
    ("mailbox-unavailable", TWISTED, "CONTENT", _DELIVERY),
    ("too-big", TWISTED, "MAIL", _DELIVERY),
    ("too-big", TWISTED, "CONTENT", _DELIVERY),
    ("rejected", TWISTED, "MAIL", _DELIVERY),
    ("rejected", TWISTED, "RCPT", _DELIVERY),
    ("rejected", TWISTED, "DATA", _DELIVERY),
    ("rejected", TWISTED, "CONTENT", _DELIVERY),
    ("custom", TWISTED, "EHLO", _TX_EHLO),
    ("custom", TWISTED, "AUTH", _TX_LOGIN),
    ("custom", TWISTED, "MAIL", _DELIVERY),
    ("custom", TWISTED, "RCPT", _DELIVERY),
    ("custom", TWISTED, "DATA", _DELIVERY),
    ("custom", TWISTED, "CONTENT", _DELIVERY),
)
