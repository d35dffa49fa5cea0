"""The page of the clients in the docs."""

from __future__ import annotations

import inspect
import re

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from txvaurien.client import AsyncClient
from txvaurien.clients.blocking import Client
from txvaurien.clients.blockingproxy import Rule
from txvaurien.clients.clientproxy import AsyncRule
from txvaurien.test import client_table
from txvaurien.test.client_table import members_of


class PageTests(SynchronousTestCase):
    """docs/clients.md."""

    def text(self) -> str:
        """The page."""
        if not client_table.PAGE.exists():
            raise SkipTest("the docs are in the repository, not in the installed package")
        return client_table.PAGE.read_text(encoding="utf-8")

    def test_tables(self) -> None:
        """They say what the classes have; else they have to be written anew."""
        text = self.text()
        self.assertEqual(text, client_table.page(text))

    def test_every_method(self) -> None:
        """Each method of the client has a row, with a line that is a sentence."""
        rows = re.findall(r"^\| `(\w+)\(.*\)` \| .*\. \|$", self.text(), re.MULTILINE)
        self.assertEqual(rows, list(members_of(Client)))

    def test_both_have_the_same(self) -> None:
        """What the page says of both holds: the same methods with the same arguments, in the same order."""
        for _, blocking, awaitable in client_table.TABLES:
            ours, theirs = members_of(blocking), members_of(awaitable)
            self.assertEqual(list(ours), list(theirs))
            for name, member in ours.items():
                if not isinstance(member, property):
                    names = [list(inspect.signature(each).parameters) for each in (member, theirs[name])]
                    self.assertEqual(names[0], names[1], name)

    def test_awaited(self) -> None:
        """All is awaited but `async with` and what asks nobody; a property of the one is a method there."""
        for name, member in members_of(AsyncClient).items():
            at_once = name in {"with_behavior", "proxy"}
            self.assertEqual(inspect.iscoroutinefunction(member), not at_once, name)
        for name in ("fired", "matched"):
            self.assertIsInstance(members_of(Rule)[name], property)
            self.assertTrue(inspect.iscoroutinefunction(members_of(AsyncRule)[name]))
