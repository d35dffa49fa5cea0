"""What is said of TLS and cannot be, or has no effect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from txvaurien.errors import ConfigError
from txvaurien.net.ends import AUTO
from txvaurien.process.definition import Definition

_OF_BACKENDS = ("backend-tls-verify", "backend-tls-ca", "backend-tls-cert", "backend-tls-key")


def check_ends(definitions: Sequence[Definition]) -> None:
    """Nothing, if what proxies say of TLS with clients fits together.

    :raises ConfigError: it does not.
    """
    for each in definitions:
        ends, places = each.ends, each.places
        if ends.tls_key is not None and ends.tls in (None, AUTO):
            what = "there is no certificate that this key could be for"
            raise ConfigError(places.get("tls-key", "--tls-key"), what, "name its file with --tls")
        if ends.backend_tls_key is not None and ends.backend_tls_cert is None:
            what = "there is no certificate that this key could be for"
            allowed = "name its file with --backend-tls-cert"
            raise ConfigError(places.get("backend-tls-key", "--backend-tls-key"), what, allowed)
        if ends.tls is not None and each.listen.tls is not None:
            what = f"the listener {each.listen.text!r} has a certificate already"
            raise ConfigError(places.get("tls", "--tls"), what, "say one of the two")


def idle_options(
    definitions: Sequence[Definition], places: Mapping[str, str], may_be_more: bool
) -> Iterator[str]:
    """Options that were given and do nothing, or nothing good, in words for the log.

    :param places: where options were given, by their names.
    :param may_be_more: whether proxies may be made later.
    """
    for each in definitions:
        first = each.ends.tls or each.listen.tls
        if first and each.protocol.tls_advice and not each.protocol.begins_tls:
            yield f"{each.places.get('tls', '--tls')}: {each.protocol.tls_advice}"
    if not any(each.backend.tls or each.protocol.begins_tls for each in definitions):
        for name in _OF_BACKENDS:
            if name in places and not may_be_more:
                yield f"{places[name]}: this does nothing: write the backend as tls:HOST:PORT"
    if not may_be_more and not any(_needs_authority(each) for each in definitions):
        for name in ("tls-ca", "tls-ca-out"):
            if name in places:
                yield f"{places[name]}: nobody shows a certificate of this authority: add --tls auto"


def _needs_authority(definition: Definition) -> bool:
    ends = definition.ends
    return ends.tls == AUTO or (ends.tls is None and definition.protocol.begins_tls)
