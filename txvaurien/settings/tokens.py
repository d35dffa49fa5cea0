"""The token of the control server: what may be one. For servers and clients; standard library only."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from txvaurien.errors import ConfigError

if TYPE_CHECKING:
    from txvaurien.settings.flags import Given

#: The environment variable that a token may stand in.
TOKEN_VARIABLE = "VAURIEN_TOKEN"

#: The least number of characters of a token.
MIN_TOKEN = 16

#: The most of them, so that the header that carries it is one that is taken.
MAX_TOKEN = 1024

# What may stand behind "Bearer": RFC 6750, section 2.1.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")

_MAKE_ONE = "make one with: python3 -c 'import secrets; print(secrets.token_urlsafe())'"


def check_token(token: str, where: str) -> str:
    """The token, if it is one that can be sent and not be guessed. Errors do not show it.

    :raises ConfigError: it is too short, too long, or has characters that a header cannot carry.
    """
    if len(token) < MIN_TOKEN:
        what = f"a token of {len(token)} characters can be guessed; it takes {MIN_TOKEN} at least"
        raise ConfigError(where, what, _MAKE_ONE)
    if len(token) > MAX_TOKEN:
        raise ConfigError(where, f"a token has {MAX_TOKEN} characters at most", _MAKE_ONE)
    if not can_be_sent(token):
        what = "a token is made of letters, digits and - . _ ~ + /, with = at its end only"
        raise ConfigError(where, what, _MAKE_ONE)
    return token


def check_given(given: Iterable[Given]) -> None:
    """Nothing, if every token that was given is one, or ``off``: what is empty was meant to be another.

    :raises ConfigError: one is empty, as that of a variable that is not set.
    """
    for each in given:
        if each.flag.name in {"http-token", "http-token-file"} and not each.text.strip():
            raise ConfigError(each.where, "it is empty", "give a token, or leave it out")


def can_be_sent(token: str) -> bool:
    """Whether a header can carry it."""
    return _TOKEN.fullmatch(token) is not None
