"""The limit of open files."""

from __future__ import annotations

import errno
import resource

from twisted.internet.error import ConnectBindError
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.net import descriptors
from txvaurien.net.descriptors import exhausted, raise_limit
from txvaurien.test.test_imports import imported

_START = """
import json, resource, sys
from txvaurien import cli
resource.setrlimit(resource.RLIMIT_NOFILE, (100, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
from twisted.internet import reactor
reactor.callWhenRunning(reactor.stop)
cli.main(["--proxy", "127.0.0.1:0", "--backend", "127.0.0.1:9", "--log-level", "critical"])
print(json.dumps([str(each) for each in resource.getrlimit(resource.RLIMIT_NOFILE)]))
"""


class Said:
    """In place of the log."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, format: str, **values: object) -> None:
        """This is read."""
        self.warnings.append(format.format(**values))

    def debug(self, format: str, **values: object) -> None:
        """This is not."""


class RaiseLimitTests(SynchronousTestCase):
    """`raise_limit`, with the kernel's part played by this class."""

    RLIMIT_NOFILE = resource.RLIMIT_NOFILE
    RLIM_INFINITY = resource.RLIM_INFINITY

    def setUp(self) -> None:
        self.limits = (1024, 4096)
        self.bound = 1 << 30
        self.patch(descriptors, "resource", self)
        self.log = Said()
        self.said = self.log.warnings
        self.patch(descriptors, "_log", self.log)

    def getrlimit(self, what: int) -> tuple[int, int]:
        """As in `resource`."""
        self.assertEqual(what, resource.RLIMIT_NOFILE)
        return self.limits

    def setrlimit(self, what: int, limits: tuple[int, int]) -> None:
        """As in `resource`, on a system that takes no more than `bound`."""
        self.assertEqual(what, resource.RLIMIT_NOFILE)
        if limits[0] > self.bound:
            raise ValueError("not allowed to raise maximum limit")
        self.limits = limits

    def test_raised(self) -> None:
        """The process gets what it may ask for, and nothing is said of it."""
        raise_limit(None)
        self.assertEqual(self.limits, (4096, 4096))
        raise_limit(1998)
        self.assertEqual(self.said, [])

    def test_too_low(self) -> None:
        """A limit that is too low for the links that are asked for is spoken of, with what to do."""
        raise_limit(1999)
        self.assertEqual(len(self.said), 1)
        self.assertIn("4096 files, which is enough for 1998 links, and not for the 1999", self.said[0])
        self.assertIn("raise its limit", self.said[0])

    def test_system_with_a_bound_of_its_own(self) -> None:
        """Where the system takes less than its limit says, what there was stays, and counts."""
        self.limits, self.bound = (256, 1 << 40), 10240
        raise_limit(100)
        self.assertEqual(self.limits, (256, 1 << 40))
        self.assertIn("256 files, which is enough for 78 links", self.said[0])

    def test_no_limit(self) -> None:
        """Where there is no limit there is nothing to say."""
        self.limits = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        raise_limit(10**9)
        self.assertEqual(self.said, [])


class ExhaustedTests(SynchronousTestCase):
    """`exhausted`."""

    def test_process(self) -> None:
        """The limit is named, and what to do, whoever has met it: socket(2) or Twisted."""
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        for error in (OSError(errno.EMFILE, "x"), ConnectBindError(errno.EMFILE, "x")):
            said = exhausted(error)
            self.assertIn(f"the limit of open files is reached: this process may have {limit}", said)
            self.assertIn("ulimit -n", said)

    def test_machine(self) -> None:
        """That of the machine is another one."""
        self.assertIn("fs.file-max", exhausted(OSError(errno.ENFILE, "x")))

    def test_watched(self) -> None:
        """So is how many of them the kernel watches for one user."""
        self.assertIn("fs.epoll.max_user_watches", exhausted(OSError(errno.ENOSPC, "x")))

    def test_others(self) -> None:
        """Other errors have nothing to do with it."""
        others = (
            OSError(errno.ECONNREFUSED, "x"),
            ConnectBindError(errno.EADDRINUSE, "x"),
            ValueError(),
            None,
        )
        self.assertEqual([exhausted(each) for each in others], [""] * 4)


class ProgramTests(SynchronousTestCase):
    """`vaurien` itself."""

    def test_started(self) -> None:
        """A process that begins with few descriptors has as many as it may have when it runs."""
        limits = imported(_START)
        self.assertEqual(len(limits), 1, limits)
