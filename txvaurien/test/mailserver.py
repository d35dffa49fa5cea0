"""A mail server on aiosmtpd, in a process of its own: ``python -m txvaurien.test.mailserver PORT FOLDER``.

It keeps each mail in a file of the folder, as bytes. The password of everybody is ``secret``.
With ``cert.pem`` in the folder it offers STARTTLS.
"""

from __future__ import annotations

import hmac
import itertools
import ssl
import sys
from pathlib import Path
from typing import Any

from aiosmtpd.controller import UnthreadedController
from aiosmtpd.smtp import AuthResult, LoginPassword

SECRET = b"secret"


class Handler:
    """Takes mails, except to some recipients: their names say what is answered."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count(1)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        """``refuse-451-4.7.1@...`` is refused with that; everybody else is welcome."""
        if address.startswith("refuse-"):
            _, code, enhanced = address.partition("@")[0].split("-")
            return f"{code} {enhanced} {address} refused"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Keep the mail: its envelope in the first line, then its content."""
        number = next(self._numbers)
        head = f"{envelope.mail_from} {' '.join(envelope.rcpt_tos)} {session.login_data!r}\r\n"
        unfinished = self._folder / f"{number:06}.tmp"
        unfinished.write_bytes(head.encode() + envelope.original_content)
        unfinished.rename(self._folder / f"{number:06}.mail")
        return f"250 2.0.0 OK: mail {number}"

    async def auth_CRAM__MD5(self, server: Any, arguments: Any) -> AuthResult:
        """RFC 2195, which aiosmtpd leaves out."""
        challenge = b"<1896.697170952@mx.example.org>"
        answer = await server.challenge_auth(challenge)
        if not isinstance(answer, bytes):
            return AuthResult(success=False, handled=False)
        name, _, digest = answer.rpartition(b" ")
        expected = hmac.new(SECRET, challenge, "md5").hexdigest().encode()
        good = hmac.compare_digest(digest, expected)
        return AuthResult(success=good, handled=False, auth_data=name if good else None)


def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    """Everybody's password is the same."""
    good = isinstance(data, LoginPassword) and data.password == SECRET
    return AuthResult(success=good, handled=False, auth_data=data.login if good else None)


def main(port: str, folder: str) -> None:
    """Serve until the process is ended."""
    tls = None
    if (Path(folder) / "cert.pem").exists():
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(Path(folder) / "cert.pem", Path(folder) / "key.pem")
    controller = UnthreadedController(
        Handler(Path(folder)),
        hostname="127.0.0.1",
        port=int(port),
        tls_context=tls,
        server_hostname="mx.example.org",
        enable_SMTPUTF8=True,
        authenticator=authenticate,
        auth_require_tls=False,
    )
    controller.begin()
    controller.loop.run_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
