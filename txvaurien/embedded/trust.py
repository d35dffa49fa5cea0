"""What clients need so that they trust the certificates that a proxy of a test shows."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

from txvaurien.clients.vocabulary import VaurienError, get_ca

if TYPE_CHECKING:
    from ssl import SSLContext

    from txvaurien.embedded.host import Host
    from txvaurien.embedded.setting import Setting

_NONE = "the proxy shows no certificates of an authority of its own"


class Trust:
    """The certificate of a proxy's authority, in a file that is there until `close`.

    :ivar pem: the certificate.
    :ivar file: where that stands.
    """

    def __init__(self, pem: str) -> None:
        self.pem = pem
        handle, self.file = tempfile.mkstemp(prefix="txvaurien-ca-", suffix=".pem")
        with open(handle, "w", encoding="ascii") as stream:
            stream.write(pem)

    def context(self) -> SSLContext:
        """For clients that use Python's `ssl`."""
        # It takes a while to import.
        import ssl

        return ssl.create_default_context(cadata=self.pem)

    def close(self) -> None:
        """The file is no longer there."""
        if os.path.exists(self.file):
            os.unlink(self.file)


def trust_in(host: Host, setting: Setting) -> Trust | None:
    """What clients of a proxy that runs have to trust; None where it has no authority of its own."""
    return Trust(host.carry(get_ca())) if setting.issues else None


def no_trust(setting: Setting) -> VaurienError:
    """The error for who wants to trust an authority that there is not."""
    if setting.definition.ends.tls is None and setting.definition.listen.tls is None:
        return VaurienError(f'{_NONE}: it speaks no TLS with clients; give tls="auto"')
    return VaurienError(f"{_NONE}, but one of a file; trust whoever has signed that")
