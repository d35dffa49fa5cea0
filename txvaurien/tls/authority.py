"""An authority of the proxy's own, and the certificates that a listener shows.

Tests trust the authority (`Authority.pem`), and get a certificate for whichever name they ask for;
or one with the one thing wrong (`Spoil`) that the test is about. What is in them is said in
`txvaurien.tls.profile`.
"""

from __future__ import annotations

import os
import secrets
import stat
import tempfile
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

from txvaurien.errors import ConfigError, NotLegal
from txvaurien.tls.certificates import Credentials, Spoil, server_context
from txvaurien.tls.profile import Period, leaf, may_sign, names_of, normal_name, root, self_signed, signed

#: How long an authority of our own is good for. A proxy may run for months; nobody has to trust it longer.
LIFE = timedelta(days=365)

#: The longest that clients accept of a server's certificate (Apple, and the CA/Browser Forum in its time).
LEAF_LIFE = timedelta(days=398)

#: The name in a certificate that should have another; RFC 2606 keeps anybody from having it.
WRONG_NAME = "wrong.name.invalid"

#: How many contexts an `Issuer` keeps: a client may ask for as many names as it likes.
MOST_CONTEXTS = 1000

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_WEEK = timedelta(days=7)


class Authority:
    """Signs certificates; make one with `make`, `read` or `load`.

    :param credentials: its certificate and key, and what leads from there to a root, if it is none itself.
    """

    __slots__ = ("_credentials", "_leaf_key", "_other")

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        # One for all: clients look at names and dates, and a new key would cost more than all the rest.
        self._leaf_key = ec.generate_private_key(ec.SECP256R1())
        self._other: Authority | None = None

    @classmethod
    def make(cls, now: datetime | None = None) -> Authority:
        """A new one, valid for `LIFE` from a day ago.

        :param now: with a time zone.
        """
        return cls._named("txvaurien throw-away authority", now)

    @classmethod
    def read(cls, path: str, where: str = "") -> Authority:
        """From a PEM file with its certificate and key.

        :raises ConfigError: as `Credentials.read`, and if it is no authority, or expired.
        """
        credentials = Credentials.read(path, where)
        certificate = credentials.certificate
        if not may_sign(certificate):
            raise ConfigError(
                where,
                f"the certificate in {path!r} is not that of an authority",
                "its basicConstraints must have CA:TRUE, and its keyUsage (if any) Certificate Sign",
            )
        end = certificate.not_valid_after_utc
        if end <= _now():
            raise ConfigError(where, f"the authority in {path!r} expired on {end:%Y-%m-%d}", "make a new one")
        return cls(credentials)

    @classmethod
    def load(cls, data: bytes) -> Authority:
        """What `dump` gave."""
        return cls(Credentials.load(data))

    @property
    def pem(self) -> bytes:
        """The certificate, for those who should trust it. Nothing here is secret."""
        return self._credentials.certificate.public_bytes(serialization.Encoding.PEM)

    def dump(self) -> bytes:
        """The certificate and the secret key, for another process."""
        return self._credentials.pem()

    def write(self, path: str, where: str = "") -> None:
        """Put `pem` into a file that everybody may read; whoever reads it sees all of it or nothing.

        :raises ConfigError: it cannot be written.
        """
        try:
            _write(path, self.pem)
        except (OSError, ValueError) as error:  # ValueError: a null byte in the path
            reason = getattr(error, "strerror", None) or str(error)
            raise ConfigError(
                where, f"{path!r} cannot be written ({reason})", "name a file in a folder that is there"
            ) from error

    def issue(self, names: Sequence[str], spoil: Spoil = Spoil.NONE) -> Credentials:
        """A certificate for a server.

        :param names: host names (as A-labels or not) and IP addresses, at least one.
        :param spoil: the one thing that is wrong with it.
        :raises ValueError: one of the names cannot be in a certificate.
        """
        if spoil is Spoil.UNKNOWN_AUTHORITY:
            return self._unknown().issue(names)
        asked = (WRONG_NAME,) if spoil is Spoil.WRONG_NAME else names
        builder = leaf(asked, self._leaf_key, self._period(spoil))
        if spoil is Spoil.SELF_SIGNED:
            return Credentials(self._leaf_key, self_signed(builder, asked, self._leaf_key))
        mine = self._credentials
        return Credentials(self._leaf_key, signed(builder, mine.certificate, mine.key), self._above())

    def _above(self) -> tuple[x509.Certificate, ...]:
        """What a client needs besides the root that it trusts."""
        certificate = self._credentials.certificate
        is_root = certificate.subject == certificate.issuer
        return () if is_root else (certificate, *self._credentials.chain)

    def _period(self, spoil: Spoil) -> Period:
        now = _now()
        last = self._credentials.certificate.not_valid_after_utc
        if spoil is Spoil.EXPIRED:
            return now - _DAY, now - _HOUR
        if spoil is Spoil.NOT_YET:
            # As late as can be: contexts are kept, and the proxy may run for weeks.
            begin = max(now + _WEEK, last - _DAY)
            return begin, begin + _DAY
        begin = min(now, last) - _DAY
        return begin, min(begin + LEAF_LIFE, last)

    def _unknown(self) -> Authority:
        if self._other is None:
            self._other = Authority._named("an authority that nobody knows", None)
        return self._other

    @classmethod
    def _named(cls, name: str, now: datetime | None) -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        # The number keeps clients apart that trust several of them.
        begin = (now or _now()) - _DAY
        return cls(Credentials(key, root(f"{name} {secrets.token_hex(4)}", key, (begin, begin + LIFE))))


class Issuer:
    """Contexts of certificates that are made when somebody asks for them.

    :param default_names: what the certificate is for where a client asks for none; those that
        no certificate can have are left out.
    :param alpn: as in `server_context`.
    """

    __slots__ = ("_alpn", "_authority", "_contexts", "_default")

    def __init__(
        self, authority: Authority, default_names: Sequence[str], alpn: Sequence[bytes] = ()
    ) -> None:
        known = [name for name in map(normal_name, default_names) if name is not None]
        self._authority = authority
        self._default = tuple(dict.fromkeys(known)) or ("localhost",)
        self._alpn = alpn
        self._contexts: OrderedDict[tuple[str | None, Spoil], SSL.Context] = OrderedDict()

    def context_for(self, name: str | None, spoil: Spoil = Spoil.NONE) -> SSL.Context:
        """What to show to a client.

        :param name: what it asked for (RFC 6066, section 3); anything but a host name or an
            address gets the default certificate.
        """
        key = (None if name is None else normal_name(name), spoil)
        context = self._contexts.get(key)
        if context is None:
            context = self._contexts[key] = self._made(*key)
            if len(self._contexts) > MOST_CONTEXTS:
                self._contexts.popitem(last=False)
        else:
            self._contexts.move_to_end(key)
        return context

    def _made(self, name: str | None, spoil: Spoil) -> SSL.Context:
        names = self._default if name is None else (name,)
        return server_context(self._authority.issue(names, spoil), self._alpn)


class Fixed:
    """Contexts of one certificate, the user's own, whatever name a client asks for.

    :param alpn: as in `server_context`.
    """

    __slots__ = ("_alpn", "_contexts", "_credentials")

    def __init__(self, credentials: Credentials, alpn: Sequence[bytes] = ()) -> None:
        self._credentials = credentials
        self._alpn = alpn
        self._contexts = {Spoil.NONE: server_context(credentials, alpn)}

    def context_for(self, name: str | None, spoil: Spoil = Spoil.NONE) -> SSL.Context:
        """What to show to a client.

        :raises NotLegal: only an authority that the client trusts could make such a certificate.
        """
        del name
        if spoil not in self._contexts:
            self._contexts[spoil] = server_context(self._made(spoil), self._alpn)
        return self._contexts[spoil]

    def _made(self, spoil: Spoil) -> Credentials:
        if spoil not in {Spoil.UNKNOWN_AUTHORITY, Spoil.SELF_SIGNED}:
            raise NotLegal(
                f"a certificate that is wrong in this way ({spoil.value}) needs an authority that clients"
                " trust: use --tls auto or --tls-ca FILE"
            )
        return Authority.make().issue(names_of(self._credentials.certificate), spoil)


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _write(path: str, data: bytes) -> None:
    if os.path.exists(path) and not stat.S_ISREG(os.stat(path).st_mode):
        # A pipe, or /dev/stdout: nothing to put in its place.
        with open(path, "wb") as special:
            special.write(data)
        return
    path = os.path.realpath(path)
    handle, fresh = tempfile.mkstemp(prefix=".txvaurien-", dir=os.path.dirname(path))
    try:
        with open(handle, "wb") as file:
            file.write(data)
            os.fchmod(handle, 0o644)
        os.replace(fresh, path)
    except BaseException:
        os.unlink(fresh)
        raise
