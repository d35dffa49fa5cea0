"""Option names and the command line."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.errors import ConfigError
from txvaurien.options import options_of
from txvaurien.settings.flags import COMMANDS, Common, flags_of, parse_arguments
from txvaurien.test.registries import registry


class FlagsTests(SynchronousTestCase):
    """`flags_of`."""

    def setUp(self) -> None:
        self.flags = flags_of(registry())

    def test_every_declared_option(self) -> None:
        """What is declared has a flag: the common options, and those of each protocol and behavior."""
        expected = {option.name for option in options_of(Common)} | set(COMMANDS)
        expected |= {"protocol-chatty-keep-alive", "protocol-chatty-greeting"}
        for name, declared in registry().behaviors.items():
            expected |= {f"behavior-{name}-{option.name}" for option in options_of(declared)}
        self.assertEqual({name for name, flag in self.flags.items() if not flag.retired}, expected)

    def test_bare(self) -> None:
        """Common options that switch something on take no value; those that are on, and of behaviors, do."""
        bare = {name for name, flag in self.flags.items() if flag.bare and not flag.retired}
        switches = {"accept-proxy", "http", "metrics", "no-proxy"}
        self.assertEqual(bare, {*switches, "help", "version", "demo", "dry-run"})

    def test_retired(self) -> None:
        """An option of Vaurien is retired where nobody declares it, and nowhere else."""
        for name in ("bufsize", "stay-connected", "protocol-tcp-keep-alive", "behavior-delay-buffer"):
            self.assertTrue(self.flags[name].retired, name)
        self.assertFalse(self.flags["protocol-chatty-keep-alive"].retired)


class ParseArgumentsTests(SynchronousTestCase):
    """`parse_arguments`."""

    def parse(self, *arguments: str) -> list[tuple[str, str, str]]:
        """Name, text and place of what was given."""
        given = parse_arguments(arguments, registry())
        return [(each.flag.name, each.text, each.where) for each in given]

    def wrong(self, *arguments: str) -> str:
        """What is said of these arguments."""
        return str(self.assertRaises(ConfigError, self.parse, *arguments))

    def test_forms(self) -> None:
        """A value follows its option or an equals sign; an underscore is as good as a dash."""
        for arguments in (["--http-port", "1"], ["--http-port=1"], ["--http_port", "1"]):
            self.assertEqual(self.parse(*arguments), [("http-port", "1", "--http-port")])

    def test_values_are_left_alone(self) -> None:
        """Whatever follows an equals sign is the value, and a negative number is one."""
        self.assertEqual(self.parse("--backend=unix:path=--x")[0][1], "unix:path=--x")
        self.assertEqual(self.parse("--seed", "-5")[0][1], "-5")
        self.assertEqual(self.parse("--log-output", "-")[0][1], "-")

    def test_bare(self) -> None:
        """A bare option is true and leaves what follows alone; a value can be given all the same."""
        self.assertEqual(
            self.parse("--http", "--no-proxy=false", "-h"),
            [("http", "true", "--http"), ("no-proxy", "false", "--no-proxy"), ("help", "true", "--help")],
        )

    def test_yes_or_no(self) -> None:
        """An option of a protocol or behavior that is yes or no is true where no word follows it."""
        flag = "--protocol-chatty-keep-alive"
        name = flag.removeprefix("--")
        self.assertEqual(self.parse(flag), [(name, "true", flag)])
        self.assertEqual(self.parse(flag, "--seed", "1")[0], (name, "true", flag))
        self.assertEqual([text for _, text, _ in self.parse(flag, "-h")], ["true", "true"])
        self.assertEqual(self.parse(flag, "false", "--http")[0], (name, "false", flag))

    def test_retired(self) -> None:
        """Options of Vaurien are read as it read them."""
        parsed = self.parse("--bufsize", "8192", "--stay-connected", "--protocol-tcp-keep-alive")
        self.assertEqual([text for _, text, _ in parsed], ["8192", "true", "true"])

    def test_unknown(self) -> None:
        """An unknown option is named, with the one that was meant; retired ones are not suggested."""
        self.assertEqual(
            self.wrong("--behavior-dely-sleep", "1"),
            "--behavior-dely-sleep: there is no such option (did you mean --behavior-delay-sleep?);"
            " --help shows them all",
        )
        self.assertNotIn("did you mean", self.wrong("--bufsizes"))

    def test_unknown_of_a_protocol(self) -> None:
        """An unknown option of a protocol or behavior that there is, is told from what that has."""
        self.assertEqual(
            self.wrong("--protocol-chatty-greting=x"),
            "--protocol-chatty-greting: there is no option 'greting' (did you mean 'greeting'?);"
            " the options of 'chatty' are: greeting, keep-alive",
        )
        self.assertIn("the options of 'tcp' are: none", self.wrong("--protocol-tcp-foo"))

    def test_repeatable(self) -> None:
        """Rules and toxics may come again; without a value they say what that would be."""
        parsed = self.parse("--rule", "delay", "--toxic=pause", "--rule", "error kind=oom")
        self.assertEqual([text for _, text, _ in parsed], ["delay", "pause", "error kind=oom"])
        self.assertTrue(flags_of(registry())["rule"].repeatable)
        self.assertFalse(flags_of(registry())["seed"].repeatable)
        self.assertIn("--rule: it needs a value; it is a behavior, what it is for", self.wrong("--rule"))

    def test_missing_value(self) -> None:
        """An option without its value says what that would be."""
        self.assertEqual(self.wrong("--seed"), "--seed: it needs a value; it must be a whole number")
        self.assertIn("--proxy: it needs a value", self.wrong("--proxy", "--http"))

    def test_not_an_option(self) -> None:
        """Stray words are refused."""
        for word in ("stray", "-x", "--"):
            self.assertIn(f"unexpected argument {word!r}", self.wrong(word))
