"""How the log of `vaurien` looks: a line for each event, its traceback indented below."""

from __future__ import annotations

import sys
from typing import TextIO

from twisted.logger import (
    FileLogObserver,
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    eventAsText,
    formatTime,
)

from txvaurien.errors import ConfigError


def log_observer(level: str, output: str, where: str = "--log-output") -> ILogObserver:
    """An observer that writes what is at least as grave as `level`.

    :param level: ``critical``, ``error``, ``warning``, ``info`` or ``debug``.
    :param output: the name of a file to append to, or ``-`` for standard error.
    :raises ConfigError: the file cannot be opened.
    """
    least = LogLevel.levelWithName(level.replace("warning", "warn"))
    predicate = LogLevelFilterPredicate(defaultLogLevel=least)
    # What Twisted itself says of its ports and factories is for those who debug.
    if least is LogLevel.info:
        for namespace in ("twisted", "log_legacy"):
            predicate.setLogLevelForNamespace(namespace, LogLevel.warn)
    return FilteringLogObserver(FileLogObserver(_open(output, where), format_event), [predicate])


def format_event(event: LogEvent) -> str:
    """One event: ``2026-01-31T12:00:00+0000 info txvaurien.proxy: text``."""
    text = eventAsText(event, includeTimestamp=False, includeSystem=False).rstrip("\n")
    level = getattr(event.get("log_level"), "name", "info").replace("warn", "warning")
    time = formatTime(event.get("log_time"))
    indented = text.replace("\n", "\n    ")
    return f"{time} {level} {event.get('log_namespace', '-')}: {indented}\n"


def _open(output: str, where: str) -> TextIO:
    if output == "-":
        return sys.stderr
    try:
        return open(output, "a", encoding="utf-8", buffering=1)
    except OSError as error:
        raise ConfigError(where, f"{output!r} cannot be opened ({error.strerror})") from error
