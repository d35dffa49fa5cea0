"""What client libraries make of each error of the catalogue, in front of a real server."""

from __future__ import annotations

import smtplib
from io import BytesIO
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.mail.smtp import ESMTPSenderFactory

from txvaurien.behaviors.error import Error
from txvaurien.plan import Plan
from txvaurien.protocols.smtp import Smtp
from txvaurien.rules import Rule
from txvaurien.service import ProxyService
from txvaurien.test.exceptions_smtp import EXPECTED, SMTPLIB, TWISTED
from txvaurien.test.mailservers import Aiosmtpd
from txvaurien.test.support import ProxyCase

SENDER, RECIPIENTS = "ann@example.org", ["bob@example.org", "eve@example.org"]
MAIL = b"Subject: x\r\n\r\nbody\r\n"
CUSTOM = "450 4.7.25 no PTR record"


def with_smtplib(port: int, verb: str) -> object:
    """Send a mail with smtplib, in a way that the verb is used."""
    client = smtplib.SMTP("127.0.0.1", port, timeout=30)
    try:
        if verb == "STARTTLS":
            return client.starttls()
        if verb == "VRFY":
            return client.verify(RECIPIENTS[0])
        if verb == "AUTH":
            client.login("ann", "secret")
        if verb == "CREDENTIALS":
            client.ehlo()
            client.user, client.password = "ann", "secret"
            client.auth("LOGIN", client.auth_login, initial_response_ok=False)
        return client.sendmail(SENDER, RECIPIENTS, MAIL)
    finally:
        client.close()


def with_twisted(port: int, verb: str) -> Deferred[Any]:
    """Send a mail with Twisted's ESMTPSender, in a way that the verb is used."""
    done: Deferred[Any] = Deferred()
    with_login = verb in ("AUTH", "CREDENTIALS")
    name, password = (b"ann", b"secret") if with_login else (None, None)
    factory = ESMTPSenderFactory(
        name,
        password,
        SENDER,
        RECIPIENTS,
        BytesIO(MAIL),
        done,
        retries=0,
        timeout=30,
        requireAuthentication=with_login,
        requireTransportSecurity=verb == "STARTTLS",
    )
    factory.noisy = False
    tcp: Any = reactor
    tcp.connectTCP("127.0.0.1", port, factory)
    return done


def rule_for(kind: str, verb: str) -> Rule:
    """Refuse every such message."""
    behavior = Error(kind=kind, text=CUSTOM if kind == "custom" else "")
    return Rule(behavior, verbs=frozenset({verb} if verb != "CONNECT" else ()))


class ExceptionTests(ProxyCase):
    """The table of exceptions_smtp.py, against the libraries."""

    async def test_smtplib(self) -> None:
        """smtplib raises what the table says, for each kind and place."""
        await self._check(SMTPLIB)

    async def test_twisted(self) -> None:
        """Twisted's sender fails with what the table says, for each kind and place."""
        await self._check(TWISTED)

    async def test_nothing_refused(self) -> None:
        """Without an error both libraries bring their mails in, logged in and not."""
        server = self.start_server(Aiosmtpd())
        service = self.start_proxy(Smtp(), server.port)
        for library in (SMTPLIB, TWISTED):
            for verb in ("AUTH", "MAIL"):
                met = await self._meet(library, service, verb)
                self.assertTrue(met.startswith("returns"), met)
        self.assertEqual(len(server.mails()), 4)

    def test_complete(self) -> None:
        """Each kind is in the table, for each library; each place of a kind is one it can be said at."""
        kinds = {kind.name for kind in Smtp.error_kinds}
        for library in (SMTPLIB, TWISTED):
            self.assertEqual(kinds, {kind for kind, client, _, _ in EXPECTED if client == library})

    async def _check(self, library: str) -> None:
        server = self.start_server(Aiosmtpd())
        service = self.start_proxy(Smtp(), server.port)
        differences = []
        for kind, client, verb, expected in EXPECTED:
            if client == library:
                service.proxy.set_plan(Plan(rules=(rule_for(kind, verb),), seed=1))
                before = len(server.mails())
                met = await self._meet(library, service, verb)
                self.assertEqual(len(server.mails()) - before, met == "returns {}", (kind, verb))
                if met != expected:
                    differences.append((kind, client, verb, met))
        self.assertEqual(differences, [])

    async def _meet(self, library: str, service: ProxyService, verb: str) -> str:
        assert service.port is not None
        try:
            if library == SMTPLIB:
                result: object = await self.in_thread(with_smtplib, service.port, verb)
            else:
                result = await with_twisted(service.port, verb)
        except Exception as error:
            return name_of(type(error))
        return f"returns {result!r}"


def name_of(error: type[BaseException]) -> str:
    """The class with the module that it is imported from."""
    return f"{error.__module__}.{error.__qualname__}".replace("._except.", ".smtp.")
