"""How the two ends of a proxy's links are spoken to: TLS, and the PROXY protocol."""

from __future__ import annotations

import os
from typing import Annotated, ClassVar, Literal

from msgspec import Meta, structs

from txvaurien.options import Declared

# Each is declared here, and named again where the options of a proxy stand side by side.
Tls = (
    Annotated[
        str,
        Meta(
            description="speak TLS with clients: auto for certificates of a throw-away authority, or a PEM"
            " file with a certificate and its key. From the first byte on; or from where the protocol begins"
            " it, if that is told to terminate it"
        ),
    ]
    | None
)
TlsKey = Annotated[str, Meta(description="the key of that certificate, if it is in another file")] | None
BackendTlsVerify = Annotated[
    bool, Meta(description="where TLS is spoken with the backend, verify its certificate and its name")
]
BackendTlsCa = (
    Annotated[
        str,
        Meta(description="a file or a directory with the authorities trusted for that, not the system's"),
    ]
    | None
)
BackendTlsCert = (
    Annotated[str, Meta(description="a PEM file with a certificate that is shown to the backend")] | None
)
BackendTlsKey = Annotated[str, Meta(description="its key, if that is in another file")] | None
AcceptProxy = Annotated[
    bool,
    Meta(description="clients begin with a PROXY protocol header (v1 or v2), as load balancers send it"),
]
SendProxy = Annotated[
    Literal["off", "v1", "v2"],
    Meta(description="begin with such a header towards the backend: it learns the client's address"),
]


class Ends(Declared, frozen=True, kw_only=True):
    """How clients and the backend of one proxy are spoken to."""

    name: ClassVar[str] = "proxy"

    tls: Tls = None
    tls_key: TlsKey = None
    backend_tls_verify: BackendTlsVerify = True
    backend_tls_ca: BackendTlsCa = None
    backend_tls_cert: BackendTlsCert = None
    backend_tls_key: BackendTlsKey = None
    accept_proxy: AcceptProxy = False
    send_proxy: SendProxy = "off"

    def within(self, folder: str) -> Ends:
        """The same, with names of files that are relative to `folder`."""
        if not folder:
            return self
        named = {name: getattr(self, name) for name in FILES}
        joined = {
            name: os.path.join(folder, path) for name, path in named.items() if path not in (None, AUTO)
        }
        return structs.replace(self, **joined)


#: What stands for certificates of the throw-away authority.
AUTO = "auto"

#: The options that name files.
FILES = ("tls", "tls_key", "backend_tls_ca", "backend_tls_cert", "backend_tls_key")


def ends_of(fields: object, folder: str = "") -> Ends:
    """The ends among options of which they are only a part.

    :param folder: what names of files are relative to.
    """
    return Ends(**{name: getattr(fields, name) for name in Ends.__struct_fields__}).within(folder)
