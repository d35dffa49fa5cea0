"""Why nothing listens, and what to do."""

from __future__ import annotations

import errno
import socket

from twisted.internet.error import CannotListenError
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.net.listening import cannot_listen


def why(error: BaseException | str, host: str = "127.0.0.1", port: int | bytes = 80) -> str:
    """The words for a port that cannot be listened on."""
    failure = Failure(CannotListenError(host, port, error))
    return str(cannot_listen("unix:/run/x.sock", failure, "--http-port", "--http-host"))


class PortTests(SynchronousTestCase):
    """A TCP port: the address, the reason, and the flag that helps."""

    def test_known(self) -> None:
        """Each reason that a user can do something about says what."""
        for number, words in (
            (
                errno.EADDRINUSE,
                "the port is in use; stop the other process or choose another with --http-port",
            ),
            (errno.EACCES, "permission denied; choose a port above 1023 with --http-port"),
            (errno.EADDRNOTAVAIL, "this machine has no such address; choose one that it has, or 0.0.0.0"),
            (errno.EAFNOSUPPORT, "this machine has no addresses of this kind"),
            (errno.EMFILE, "too many open files; raise the limit"),
        ):
            self.assertIn(f"cannot listen on 127.0.0.1:80: {words}", why(OSError(number, "...")))
        self.assertIn("with --http-host", why(OSError(errno.EADDRNOTAVAIL, "...")))

    def test_one_option(self) -> None:
        """Where one flag chooses host and port, it is named for both."""
        failure = Failure(CannotListenError("127.0.0.1", 80, OSError(errno.EADDRNOTAVAIL, "...")))
        self.assertIn("for all, with --proxy", str(cannot_listen("x", failure, "--proxy")))

    def test_unknown(self) -> None:
        """Whatever it is, it is said, and the flag is named."""
        for error, words in (
            (OSError(errno.EIO, "..."), "input/output error; choose another address with --http-host"),
            (OSError("{odd}"), "{odd}; choose another address with --http-host"),
            ("no {lock}.", "no {lock}; choose another address with --http-host"),
            (
                socket.gaierror(-2, "Name or service not known"),
                "the host name cannot be resolved (Name or service not known);"
                " choose a numeric address with --http-host",
            ),
        ):
            self.assertEqual(why(error), f"cannot listen on 127.0.0.1:80: {words}")

    def test_addresses(self) -> None:
        """IPv6 addresses have brackets, and no host is every host."""
        error = OSError(errno.EACCES, "...")
        self.assertIn("cannot listen on [::1]:80: ", why(error, "::1"))
        self.assertIn("cannot listen on 0.0.0.0:80: ", why(error, ""))


class PathTests(SynchronousTestCase):
    """A Unix socket goes by what the user wrote."""

    def test_known(self) -> None:
        """The words are those for a path."""
        for number, words in (
            (errno.EADDRINUSE, "there is a file of that name; remove it"),
            (errno.EACCES, "permission denied; choose a directory that you may write to with --http-host"),
            (errno.ENOENT, "there is no such directory; make it or choose another with --http-host"),
        ):
            said = why(OSError(number, "..."), "", b"/run/x.sock")
            self.assertIn(f"cannot listen on unix:/run/x.sock: {words}", said)
