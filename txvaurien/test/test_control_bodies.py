"""Request bodies are read strictly, and never with a traceback."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.control.answers import Refused
from txvaurien.control.bodies import MAX_DEPTH, read_object


class ReadObjectTests(SynchronousTestCase):
    """What is taken as a JSON object."""

    def test_an_object(self) -> None:
        """Any JSON object is, in UTF-8."""
        raw = '{"name": "déjà", "mix": [1, 2.5, null, true, {"\\u00e9": "\\ud83d\\ude00"}]}'.encode()
        self.assertEqual(read_object(raw), {"name": "déjà", "mix": [1, 2.5, None, True, {"é": "\U0001f600"}]})

    def test_bodies_that_are_no_object(self) -> None:
        """Whatever is not a JSON object is refused with the reason."""
        cases = {
            b"": "not JSON",
            b"name=delay": "not JSON",
            b"[]": "a list",
            b"5": "a number",
            b"2.5": "a number",
            b'"delay"': "a string",
            b"null": "null",
            b"true": "true or false",
            b'{"name": "delay", "sleep": NaN}': "NaN",
            b'{"name": "delay", "sleep": -Infinity}': "-Infinity",
            b'{"name": "delay", "sleep": 1e999}': "1e999",
            b'{"name": "delay", "sleep": ' + b"9" * 5000 + b"}": "not JSON",
            b'{"name": "delay", "name": "error"}': "'name' stands twice",
            b'{"mix": [{"name": "x", "name": "y"}]}': "'name' stands twice",
            b'{"name": "\xff"}': "not UTF-8",
            b'{"name": "\\ud800"}': "surrogate",
            b"[" * 100_000: "within one another",
            b'{"a":' * 100_000: "within one another",
            b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1): "within one another",
            b'{"name": "delay"} {}': "not JSON",
        }
        for body, reason in cases.items():
            refused = self.assertRaises(Refused, read_object, body)
            self.assertEqual(refused.status, 400)
            (problem,) = refused.problems
            self.assertEqual((problem.location, problem.name), ("body", ""))
            self.assertIn(reason, problem.description)

    def test_depth(self) -> None:
        """As deep as is allowed, and with as many lists beside one another as one likes."""
        deep = b'{"a":' * MAX_DEPTH + b"1" + b"}" * MAX_DEPTH
        self.assertIn("a", read_object(deep))
        self.assertEqual(read_object(b'{"a": [' + b"[]," * 1000 + b'{"b": []}]}')["a"][-1], {"b": []})

    def test_a_late_double(self) -> None:
        """A name that stands twice is found among very many, without comparing each with each."""
        names = b",".join(b'"%d": 1' % number for number in range(50_000))
        refused = self.assertRaises(Refused, read_object, b"{" + names + b', "49999": 2}')
        self.assertIn("'49999' stands twice", refused.problems[0].description)

    @settings(deadline=None)
    @given(st.binary(max_size=60))
    def test_garbage(self, raw: bytes) -> None:
        """Whatever comes is an object or refused."""
        try:
            self.assertIsInstance(read_object(raw), dict)
        except Refused as refused:
            self.assertEqual(refused.status, 400)
