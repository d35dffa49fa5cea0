"""What the process needs beside its proxies, and what a start checks."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogPublisher
from zope.interface import implementer

from txvaurien.config import Settings
from txvaurien.doctor.addressing import examine_listen
from txvaurien.doctor.findings import Finding, Level
from txvaurien.doctor.kernel import Kernel
from txvaurien.errors import ConfigError
from txvaurien.net.descriptors import BESIDE, PER_LINK
from txvaurien.settings.access import Access, is_local
from txvaurien.settings.described import collide
from txvaurien.tap import VaurienService
from txvaurien.tls.keeper import AuthorityKeeper


def examine_process(settings: Settings, kernel: Kernel) -> Iterator[Finding]:
    """Everything that is of no single proxy, but for `check_start`."""
    found = [*_warnings(settings), *_files(settings), *_descriptors(settings)]
    if not settings.described:
        found.append(Finding(Level.NOTE, "proxies", "there is none"))
    yield from (replace(each, about="process") for each in found)
    if settings.access is not None:
        yield from (replace(each, about="control") for each in _control(settings, settings.access, kernel))


def check_start(settings: Settings, reactor: Any) -> Iterator[Finding]:
    """Make the service as a start does, up to where it would listen, and tell what that complains of."""
    complaints = _Complaints()
    globalLogPublisher.addObserver(complaints)
    try:
        # Clients may trust what is in the file already: nobody writes to it.
        VaurienService(replace(settings, tls_ca_out=None), reactor)
        if settings.tls_ca_out is not None:
            _ = AuthorityKeeper(settings.tls_ca, settings.place("tls-ca")).authority
    except ConfigError as error:
        what = f"{error.where}: {error.what}" if error.where else error.what
        yield Finding(Level.ERROR, "start", what, error.allowed, "process")
    finally:
        globalLogPublisher.removeObserver(complaints)
    yield from (Finding(Level.WARNING, "start", each, about="process") for each in complaints.said)


@implementer(ILogObserver)
class _Complaints:
    """Collects what is warned of in the log."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def __call__(self, event: LogEvent) -> None:
        """Something was logged."""
        if event.get("log_level") == LogLevel.warn:
            self.said.append(formatEvent(event))


def _warnings(settings: Settings) -> Iterator[Finding]:
    for each in settings.warnings:
        text, _, advice = each.partition("; ")
        yield Finding(Level.WARNING, "settings", text, advice)


def _control(settings: Settings, access: Access, kernel: Kernel) -> Iterator[Finding]:
    yield from examine_listen(access.listen, access.flags[0], kernel, access.flags[1])
    token = "a token is wanted" if access.token else "no token is wanted"
    reach = "this machine only" if is_local(access.listen) else "other machines, too"
    yield Finding(Level.OK, "access", f"{access.url(access.port)}, for {reach}: {token}")
    for each in settings.definitions:
        if collide(each.listen, access.listen):
            text = f"the proxy {each.name} listens there as well"
            yield Finding(Level.ERROR, "listen", text, f"choose another port with {access.flags[0]}")


def _files(settings: Settings) -> Iterator[Finding]:
    common = settings.common
    for topic, option, path in (
        ("journal", "journal", common.journal),
        ("log", "log-output", common.log_output),
        ("tls", "tls-ca-out", settings.tls_ca_out),
    ):
        if path is not None and path != "-":
            yield _writable(topic, path, settings.place(option))


def _writable(topic: str, path: str, option: str) -> Finding:
    """Whether a file can be written, or made. It is not touched."""
    folder = os.path.dirname(path) or "."
    if os.path.isdir(path):
        why = "it is a directory"
    elif os.path.exists(path):
        why = "" if os.access(path, os.W_OK) else "permission denied"
    elif not os.path.isdir(folder):
        why = f"there is no directory {folder!r}"
    else:
        why = "" if os.access(folder, os.W_OK | os.X_OK) else f"permission denied in {folder!r}"
    if not why:
        return Finding(Level.OK, topic, f"{path} can be written")
    return Finding(Level.ERROR, topic, f"{path!r} cannot be written: {why}", f"choose another with {option}")


def _descriptors(settings: Settings) -> Iterator[Finding]:
    """Whether the limit of open files is enough (the soft one is raised to the hard one at the start)."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    bounds = [each.limits.pool_max_size for each in settings.definitions]
    if hard == resource.RLIM_INFINITY or not bounds:
        return
    enough = max(0, (hard - BESIDE) // PER_LINK)
    wanted = sum(each for each in bounds if each is not None)
    if wanted > enough:
        text = f"{hard} open files are allowed: that is {enough} links, and pool-max-size allows {wanted}"
        yield Finding(Level.WARNING, "limits", text, "raise it (ulimit -Hn, LimitNOFILE= of systemd)")
    else:
        text = f"{hard} open files are allowed: that is {enough} links"
        yield Finding(Level.OK, "limits", text)
