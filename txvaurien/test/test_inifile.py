"""INI files with places, variables and extends."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.errors import ConfigError
from txvaurien.settings.inifile import Contents, read_ini


class ReadIniTests(SynchronousTestCase):
    """`read_ini`."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def write(self, name: str, *lines: str) -> str:
        """A file of these lines; its path."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return str(path)

    def read(self, path: str, **environ: str) -> Contents:
        """The contents of a file, in this environment."""
        return read_ini(path, environ)

    def values(self, path: str, **environ: str) -> dict[tuple[str, str], str]:
        """The values that count."""
        return {(line.section, line.name): line.value for line in self.read(path, **environ).lines}

    def wrong(self, path: str, **environ: str) -> str:
        """What is said of a file."""
        return str(self.assertRaises(ConfigError, self.read, path, **environ))

    def test_lines(self) -> None:
        """Each option knows its section, its name with dashes, its value and its place."""
        path = self.write(
            "a.ini", "# comment", "[vaurien]", "http_port = 1", "", "[behavior:delay]", "; comment", "sleep=2"
        )
        contents = self.read(path)
        self.assertEqual(
            [(line.section, line.name, line.value, line.where) for line in contents.lines],
            [
                ("vaurien", "http-port", "1", f"{path}:3: http_port"),
                ("behavior:delay", "sleep", "2", f"{path}:7: sleep"),
            ],
        )
        self.assertEqual(
            [(section.name, section.where) for section in contents.sections],
            [("vaurien", f"{path}:2"), ("behavior:delay", f"{path}:5")],
        )

    def test_continued(self) -> None:
        """An indented line goes on with the value, whose text is one line."""
        path = self.write("a.ini", "[vaurien]", "behavior = 5:error,", "   10:delay")
        self.assertEqual(self.values(path), {("vaurien", "behavior"): "5:error, 10:delay"})

    def test_variables(self) -> None:
        """Environment variables are put in, wherever they stand; a doubled dollar is a literal one."""
        path = self.write("a.ini", "[vaurien]", "backend = ${HOST}:${PORT}", "log_output = $${HOST}$HOST")
        values = self.values(path, HOST="db", PORT="80")
        self.assertEqual(values["vaurien", "backend"], "db:80")
        self.assertEqual(values["vaurien", "log-output"], "${HOST}$HOST")

    def test_variable_is_not_set(self) -> None:
        """An unset variable is an error with file, line, option and variable."""
        path = self.write("a.ini", "[vaurien]", "backend = ${HOST}:1")
        self.assertIn(f"{path}:2: backend: the environment variable 'HOST' is not set", self.wrong(path))

    def test_extends(self) -> None:
        """Other files come first, in their order and relative to the file, and what it says beats them."""
        self.write("sub/one.ini", "[vaurien]", "seed = 1", "proxy = :1", "http_port = 1", "extends = two.ini")
        self.write("sub/two.ini", "[vaurien]", "timeout = 2", "proxy = :2")
        self.write("three.ini", "[vaurien]", "proxy = :3", "http-port = 3")
        path = self.write("a.ini", "[vaurien]", "proxy = :4", "extends = sub/one.ini, three.ini")
        values = {name: value for (_, name), value in self.values(path).items()}
        expected = {"seed": "1", "timeout": "2", "http-port": "3", "proxy": ":4"}
        self.assertEqual(values, expected)

    def test_extends_twice_the_same(self) -> None:
        """Two files may extend a third: that is no circle."""
        self.write("base.ini", "[vaurien]", "seed = 1")
        for name in ("one.ini", "two.ini"):
            self.write(name, "[vaurien]", "extends = base.ini")
        path = self.write("a.ini", "[vaurien]", "extends = one.ini two.ini")
        self.assertEqual(self.values(path), {("vaurien", "seed"): "1"})

    def test_extends_in_a_circle(self) -> None:
        """A file that extends itself, be it by way of others, is an error where the circle closes."""
        first = self.write("a.ini", "[vaurien]", "extends = b.ini")
        second = self.write("b.ini", "[vaurien]", "", "extends = a.ini")
        self.assertIn(f"{second}:3: extends: {first!r} extends itself", self.wrong(first))

    def test_extends_elsewhere(self) -> None:
        """Only [vaurien] extends; elsewhere the word is an option like another."""
        path = self.write("a.ini", "[behavior:delay]", "extends = nowhere.ini")
        self.assertEqual(self.values(path), {("behavior:delay", "extends"): "nowhere.ini"})

    def test_missing_files(self) -> None:
        """A file that is not there is named, with the place that asked for it."""
        path = self.write("a.ini", "[vaurien]", "extends = nowhere.ini")
        nowhere = os.path.join(self.folder, "nowhere.ini")
        self.assertIn(f"{path}:2: extends: {nowhere!r} cannot be read (No such", self.wrong(path))
        self.assertIn(f"--config: {nowhere!r} cannot be read (No such", self.wrong(nowhere))

    def test_not_ini(self) -> None:
        """What is no INI is an error with the line."""
        no_section = self.write("a.ini", "seed = 1")
        self.assertIn(f"{no_section}:1: this is not INI", self.wrong(no_section))
        no_value = self.write("b.ini", "[vaurien]", "seed = 1", "what")
        self.assertIn(f"{no_value}:3: this is not INI", self.wrong(no_value))

    def test_twice_the_same_section(self) -> None:
        """A section that comes twice is told of with the first one, and what to do; so is an option."""
        for lines, said in (
            (
                ("[toxic:up]", "type = pause", "[toxic:up]"),
                "F:3: there is a section [toxic:up] already, at F:1;"
                " call one of them otherwise ([toxic:NAME])",
            ),
            (
                ("[vaurien]", "seed = 1", "[vaurien] ; again"),
                "F:3: there is a section [vaurien] already, at F:1; put the lines of both into one",
            ),
            (
                ("[vaurien]", "seed = 1", "[behavior:delay]", "seed = 2", "sleep: 2", "seed = 3"),
                "F:6: seed: it is set twice; the other is F:4: seed",
            ),
        ):
            path = self.write("a.ini", *lines)
            self.assertEqual(self.wrong(path).replace(path, "F"), said)

    def test_not_text(self) -> None:
        """Bytes that are no UTF-8 are an error of their line."""
        path = self.folder / "a.ini"
        path.write_bytes(b"[vaurien]\nbackend = \xff\n")
        self.assertEqual(
            self.wrong(str(path)), f"{path}:2: the byte 0xff is not UTF-8; save the file as UTF-8 text"
        )

    def test_indented(self) -> None:
        """A file that is indented, or a part of it, is told so, where it would mean something else."""
        for lines, number in (
            (("  [vaurien]", "  seed = 1"), 1),
            (("[vaurien]", "proxy = :1", "  seed = 1"), 3),
            (("[vaurien]", "seed = 1", "\t[behavior:delay]"), 3),
        ):
            path = self.write("a.ini", *lines)
            self.assertEqual(
                self.wrong(path),
                f"{path}:{number}: this line is indented, so it would go on with the value before it;"
                " begin it in the first column",
            )

    def test_unclosed_variable(self) -> None:
        """A brace that is not closed is an error, not a text."""
        path = self.write("a.ini", "[vaurien]", "backend = ${HOST:1")
        said = f"{path}:2: backend: '${{HOST:1' has no closing brace; write ${{NAME}}"
        self.assertIn(said, self.wrong(path, HOST="db"))

    def test_twice(self) -> None:
        """An option that a file sets twice is an error, also if it is spelt in two ways."""
        path = self.write("a.ini", "[vaurien]", "http_port = 1", "http-port = 2")
        self.assertEqual(
            self.wrong(path), f"{path}:3: http-port: it is set twice; the other is {path}:2: http_port"
        )
