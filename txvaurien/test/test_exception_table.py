"""The page of exceptions in the docs."""

from __future__ import annotations

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from txvaurien.plugins import Registry
from txvaurien.test import exception_table


class PageTests(SynchronousTestCase):
    """docs/exceptions.md."""

    def test_is_what_the_tests_expect(self) -> None:
        """The page says what the tests drive through the proxy; else it has to be written anew."""
        if not exception_table.PAGE.exists():
            raise SkipTest("the docs are in the repository, not in the installed package")
        self.assertEqual(exception_table.PAGE.read_text(), exception_table.page())

    def test_every_kind(self) -> None:
        """No kind of any catalogue is left out."""
        shown = {(protocol, kind) for protocol, kind, *_ in exception_table.rows()}
        for name, protocol in Registry.load().protocols.items():
            if name != "tcp":
                missing = {kind.name for kind in protocol.error_kinds} - {k for p, k in shown if p == name}
                self.assertEqual(missing, set(), name)
