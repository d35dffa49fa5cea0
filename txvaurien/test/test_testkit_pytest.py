"""docs/testkit-pytest.md: its examples are run."""

from __future__ import annotations

from txvaurien.test.children import PageCase


class TestkitTests(PageCase):
    """docs/testkit-pytest.md."""

    name = "testkit-pytest.md"

    def test_blocks(self) -> None:
        """Each block is a file of tests."""
        blocks = self.blocks("python")
        self.write(**{f"test_block_{number}": block for number, block in enumerate(blocks)})
        self.run_tests(7)

    def test_trial(self) -> None:
        """The test cases pass under trial as well."""
        cases = [block for block in self.blocks("python") if "ChaosMixin" in block]
        self.assertEqual(len(cases), 2)
        self.write(**{f"test_block_{number}": block for number, block in enumerate(cases)})
        said = self.python("-m", "twisted.trial", "test_block_0", "test_block_1")
        self.assertIn("PASSED (successes=2)", said)
