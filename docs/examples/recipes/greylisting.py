"""A mail server that greylists: "not now" is no failure, and the mail must go out once."""

import smtplib
from email.message import EmailMessage

from txvaurien import ChaosProxy, chaos_proxy

TEMPORARY = range(400, 500)


class Outbox:
    """Keeps the mails that a server has put off."""

    def __init__(self, host: str, port: int) -> None:
        self.place = (host, port)
        self.waiting: list[EmailMessage] = []
        self.bounced: list[EmailMessage] = []

    def send(self, mail: EmailMessage) -> None:
        try:
            with smtplib.SMTP(*self.place, timeout=30) as server:
                server.send_message(mail)
        except smtplib.SMTPRecipientsRefused as refused:
            codes = {code for code, _ in refused.recipients.values()}
            temporary = all(code in TEMPORARY for code in codes)
            (self.waiting if temporary else self.bounced).append(mail)

    def send_again(self) -> None:
        waiting, self.waiting = self.waiting, []
        for mail in waiting:
            self.send(mail)


def make_mail() -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "ann@example.org", "bob@example.org", "hello"
    mail.set_content("See you at eight.")
    return mail


def make_outbox(proxy: ChaosProxy) -> Outbox:
    return Outbox(proxy.host, proxy.port)


def test_the_mail_waits_and_is_sent_again(smtp_url: str) -> None:
    with chaos_proxy(smtp_url, "smtp") as proxy:
        outbox = make_outbox(proxy)
        with proxy.behavior("error", kind="greylisted", verb="RCPT", times=1) as fault:
            outbox.send(make_mail())
            assert (fault.fired, len(outbox.waiting)) == (1, 1)
            outbox.send_again()
        assert (outbox.waiting, outbox.bounced) == ([], [])
        assert proxy.saw(verb="CONTENT") == 1


def test_a_refusal_for_good_is_not_tried_again(smtp_url: str) -> None:
    with chaos_proxy(smtp_url, "smtp") as proxy:
        outbox = make_outbox(proxy)
        with proxy.behavior("error", kind="mailbox-unavailable", verb="RCPT"):
            outbox.send(make_mail())
        assert (len(outbox.waiting), len(outbox.bounced)) == (0, 1)
