"""How many files and sockets this process may have open."""

from __future__ import annotations

import errno
import resource

from twisted.logger import Logger

_log = Logger()

#: A link has a socket to its client and one to the backend.
PER_LINK = 2
#: What a process has open beside its links, generously.
BESIDE = 100


def raise_limit(links: int | None) -> None:
    """Let this process open as many descriptors as it is allowed to ask for (setrlimit(2)).

    Programs get a low limit by default because select(2) could use no more; reactors that
    need nothing of it are the rule. It is for a process of our own, not for an application
    that embeds us.

    :param links: how many there may be at one time, if that is bounded. If the limit that
        only an administrator can raise is too low for them, the log says so.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError) as error:
            # Some systems have a bound of their own, below a hard limit of "unlimited".
            _log.debug("the limit of {soft} open files stays: {why}", soft=soft, why=error)
        else:
            soft = hard
    needed = PER_LINK * links + BESIDE if links is not None else 0
    if soft != resource.RLIM_INFINITY and needed > soft:
        _log.warn(
            "this process may open {limit} files, which is enough for {enough} links, and not for the"
            " {links} of --pool-max-size; raise its limit (ulimit -Hn, LimitNOFILE= of systemd)",
            limit=soft,
            enough=max(0, (soft - BESIDE) // PER_LINK),
            links=links,
        )


def exhausted(error: BaseException | None) -> str:
    """That no socket can be had because there are too many, and what to do; "" for any other error."""
    # Twisted's own errors of connecting have the number under another name.
    number = getattr(error, "errno", None) or getattr(error, "osError", None)
    if number == errno.EMFILE:
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return (
            f"the limit of open files is reached: this process may have {limit}, two for each link;"
            " raise it (ulimit -n, LimitNOFILE= of systemd) or have fewer links (--pool-max-size)"
        )
    if number == errno.ENFILE:
        return "the limit of open files of the whole machine is reached; raise it (sysctl fs.file-max)"
    if number == errno.ENOSPC:
        return (
            "the limit of sockets that this user may have watched is reached; raise it"
            " (sysctl fs.epoll.max_user_watches) or have fewer links (--pool-max-size)"
        )
    return ""
