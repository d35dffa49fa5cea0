"""The errors that users and plug-ins meet."""

from __future__ import annotations


class ConfigError(ValueError):
    """Something that a user set cannot be.

    ``where`` names the place (``--behavior``, ``vaurien.ini:12: sleep``, ``sleep``),
    ``what`` says what is wrong with which value, ``allowed`` what would be right.
    The words are the same on the command line, for a file and over HTTP.
    """

    def __init__(self, where: str, what: str, allowed: str = "") -> None:
        self.where = where
        self.what = what
        self.allowed = allowed
        super().__init__(where, what, allowed)

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}; {self.allowed}" if self.allowed else text

    def at(self, where: str) -> ConfigError:
        """The same error, met at a place that the user knows it by."""
        return ConfigError(where, self.what, self.allowed)


class FramingError(Exception):
    """The stream is not (or no longer) what the session can follow.

    The only exception a session may raise. The link then goes opaque; the
    text says why, in words for the log.
    """


class NotLegal(Exception):
    """This kind of error cannot be said at this point. The rule does not fire."""


class RuleGone(Exception):
    """A rule was taken away, or has expired, before it fired as often as somebody waited for."""


class ListenError(Exception):
    """The proxy or the control server cannot listen where it was told to."""
