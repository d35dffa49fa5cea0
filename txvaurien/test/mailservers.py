"""Real mail servers for the second tier of tests."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from twisted.trial.unittest import SkipTest

from txvaurien.test.servers import ServerProcess, require

_MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/data
mail_owner = postfix
myhostname = mx.example.org
mydestination =
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
virtual_mailbox_domains = example.org
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = static:box/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_tls_security_level = may
smtpd_tls_cert_file = {folder}/cert.pem
smtpd_tls_key_file = {folder}/key.pem
maillog_file = {folder}/maillog
maillog_file_prefixes = {folder}
{options}
"""

_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
postlog unix-dgram n - n - 1 postlogd
tlsmgr unix - - n 1000? 1 tlsmgr
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
"""

#: Postfix's postscreen stands before it, and finds no smtpd to hand clients over to.
_SCREEN = "127.0.0.1:{port} inet n - n - 1 postscreen\n"

_OPENSMTPD = """\
pki "mx.example.org" cert "/etc/cert.pem"
pki "mx.example.org" key "/etc/key.pem"
table users {{ "ann" = "{hash}" }}
listen on 127.0.0.1 port {port} tls pki "mx.example.org" auth-optional <users> hostname "mx.example.org"
smtp max-message-size 5000
action "keep" maildir "/home/bob/mail"
match from any for domain "example.org" action "keep"
"""

#: ``secret``, as crypt(3) writes it.
_HASH = "$6$txvaurien$A0WxdqWf7iT7Mk7DAjENdVvMffxiMcl4TDu/3OCqxZzDmgEgURy18ty55qXdI1GfNKWFTBdQlpRUQGFMMhnTc0"

#: Whom OpenSMTPD runs as, and one who gets mail.
_PEOPLE = {"opensmtpd": 65501, "opensmtpq": 65502, "bob": 65503}


class Aiosmtpd(ServerProcess):
    """aiosmtpd, as `txvaurien.test.mailserver` sets it up."""

    def command(self) -> Sequence[str]:
        make_certificate(self.folder)
        return [sys.executable, "-m", "txvaurien.test.mailserver", str(self.port), str(self.folder)]

    def mails(self) -> list[bytes]:
        """Every mail that was taken: envelope, log-in, content."""
        return [path.read_bytes() for path in sorted(self.folder.glob("*.mail"))]


class Postfix(ServerProcess):
    """A whole Postfix, with everything in one folder. It needs root, to change users.

    :param options: lines for main.cf.
    :param screened: clients meet its postscreen, which has no server to hand them over to.
    :param sasl: lines for the file that tells Cyrus SASL where passwords are; None for no AUTH.
    """

    def __init__(self, *options: str, screened: bool = False, sasl: str | None = None) -> None:
        super().__init__()
        self.options = options
        self._screened = screened
        self._sasl = sasl

    def command(self) -> Sequence[str]:
        program = require("postfix", "postfix")
        if os.geteuid() != 0:
            raise SkipTest("postfix can be started by root only")
        self._set_up()
        return [program, "-c", str(self.folder / "etc"), "start-fg"]

    def _set_up(self) -> None:
        user = pwd.getpwnam("postfix")
        self.folder.chmod(0o755)
        for name in ("etc", "spool", "data", "mail"):
            (self.folder / name).mkdir(exist_ok=True)
        for name in ("data", "mail"):
            os.chown(self.folder / name, user.pw_uid, user.pw_gid)
        make_certificate(self.folder)
        values = {"folder": self.folder, "uid": user.pw_uid, "gid": user.pw_gid, "port": self.port}
        options = "\n".join((*self.options, *self._set_up_sasl()))
        master = _SCREEN + _MASTER.partition("\n")[2] if self._screened else _MASTER
        for name, text in {"main.cf": _MAIN, "master.cf": master}.items():
            (self.folder / "etc" / name).write_text(text.format(options=options, **values))

    def _set_up_sasl(self) -> Sequence[str]:
        if self._sasl is None:
            return ()
        # Debian's Postfix looks for it below its own configuration only.
        (self.folder / "etc" / "sasl").mkdir(exist_ok=True)
        (self.folder / "etc" / "sasl" / "smtpd.conf").write_text(self._sasl.format(folder=self.folder))
        return ("smtpd_sasl_auth_enable = yes",)

    def add_user(self, name: str, password: str) -> None:
        """Give somebody a password, where `sasl` looks into ``{folder}/users``."""
        users = self.folder / "users"
        command = [
            require("saslpasswd2", "sasl2-bin"),
            "-p",
            "-c",
            "-f",
            str(users),
            "-u",
            "mx.example.org",
            name,
        ]
        subprocess.run(command, input=password.encode(), check=True)
        shutil.chown(users, "postfix")

    def kill(self, *, hard: bool = True) -> None:
        """End the process, and Postfix's master, which is its child in a session of its own."""
        pid = self.folder / "spool" / "pid" / "master.pid"
        if self.process is not None and pid.exists():
            os.kill(int(pid.read_text()), signal.SIGKILL if hard else signal.SIGTERM)
        super().kill(hard=hard)

    def mails(self) -> list[bytes]:
        """Every mail that was delivered, with the headers that Postfix adds."""
        return [path.read_bytes() for path in sorted((self.folder / "mail" / "box" / "new").glob("*"))]


class OpenSMTPD(ServerProcess):
    """OpenSMTPD, whose paths are relative to a folder of its own. It needs root, to change users.

    ann has the password ``secret``; AUTH is offered once there is TLS. Mail for bob is kept.
    """

    def command(self) -> Sequence[str]:
        program = require("unpacked-opensmtpd", install="as root, on Debian: bash .ci/opensmtpd")
        if os.geteuid() != 0:
            raise SkipTest("OpenSMTPD can be started by root only")
        self._set_up()
        return [program, str(self.folder)]

    def _set_up(self) -> None:
        self.folder.chmod(0o755)
        for name in ("etc", "dev", "tmp", "run", "var/run", "var/spool", "home/bob"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "tmp").chmod(0o1777)
        os.chown(self.folder / "home" / "bob", _PEOPLE["bob"], _PEOPLE["bob"])
        etc = self.folder / "etc"
        # With OpenSSL 3, it fails to sign with a key on an elliptic curve.
        make_certificate(etc, rsa.generate_private_key(65537, 2048))
        (etc / "key.pem").chmod(0o600)
        people = {"root": 0, **_PEOPLE}
        (etc / "passwd").write_text("".join(f"{n}:x:{u}:{u}::/home/{n}:/bin/sh\n" for n, u in people.items()))
        (etc / "group").write_text("".join(f"{name}:x:{gid}:\n" for name, gid in people.items()))
        (etc / "smtpd.conf").write_text(_OPENSMTPD.format(port=self.port, hash=_HASH))

    def mails(self) -> list[bytes]:
        """Every mail that was delivered, with the headers that OpenSMTPD adds."""
        return [path.read_bytes() for path in sorted((self.folder / "home/bob/mail/new").glob("*"))]


class SmtpSink(ServerProcess):
    """Postfix's smtp-sink: takes everything, fast, and keeps nothing.

    :param options: for its command line, such as ``-L`` for LMTP.
    """

    def __init__(self, *options: str) -> None:
        super().__init__()
        self.options = options

    def command(self) -> Sequence[str]:
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        return [require("smtp-sink", "postfix"), *user, *self.options, f"127.0.0.1:{self.port}", "1000"]


def make_certificate(folder: Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None) -> None:
    """A certificate that nobody trusts and its key: ``cert.pem`` and ``key.pem``."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mx.example.org")])
    now = datetime.now(timezone.utc)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    dated = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    certificate = dated.sign(key, hashes.SHA256())
    pem, none = serialization.Encoding.PEM, serialization.NoEncryption()
    (folder / "cert.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, none))
