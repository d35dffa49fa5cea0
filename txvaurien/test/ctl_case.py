"""Runs commands of vaurienctl against a control server on a real socket."""

from __future__ import annotations

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from txvaurien.test.test_ctl import run


class CommandCase(TestCase):
    """What commands print.

    :ivar port: the port of the control server.
    """

    port: int

    async def said(self, *arguments: str) -> str:
        """What a command prints that must succeed."""
        status, out, err = await deferToThread(run, ["--http-port", str(self.port), *arguments])
        self.assertEqual((status, err), (0, ""))
        return out.removesuffix("\n")

    async def fails(self, *arguments: str) -> str:
        """The one line on standard error of a command that must fail."""
        status, out, err = await deferToThread(run, ["--http-port", str(self.port), *arguments])
        self.assertEqual((status, out, err.count("\n")), (1, "", 1), err)
        return err.removeprefix("vaurienctl: ").rstrip()
