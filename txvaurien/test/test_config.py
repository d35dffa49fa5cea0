"""Settings from defaults, files and the command line."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.dummy import Dummy
from txvaurien.behaviors.error import Error
from txvaurien.config import Settings, load
from txvaurien.errors import ConfigError
from txvaurien.net.addresses import Backend, Listen
from txvaurien.protocols.tcp import Tcp
from txvaurien.settings.flags import Common
from txvaurien.test.registries import Chatty, Flaky, registry

_FLAKY = f"{Flaky.__module__}.{Flaky.__name__}"


class ConfigCase(SynchronousTestCase):
    """Loads settings, with a file where there are lines for it."""

    def load(self, *arguments: str, ini: tuple[str, ...] = (), **environ: str) -> Settings:
        """Settings from this command line and this file."""
        if ini:
            self.path = self.mktemp()
            Path(self.path).write_text("\n".join(ini) + "\n", encoding="utf-8")
            arguments = ("--config", self.path, *arguments)
        return load(arguments, registry(), environ)

    def wrong(self, *arguments: str, ini: tuple[str, ...] = ()) -> str:
        """What is said of this command line and this file, which is ``F`` there."""
        error = self.assertRaises(ConfigError, self.load, *arguments, ini=ini)
        return str(error).replace(self.path, "F") if ini else str(error)


class SettingsTests(ConfigCase):
    """Where values come from, and what becomes of them."""

    def test_defaults(self) -> None:
        """With nothing given there is a proxy that does nothing, and no control server."""
        settings = self.load()
        self.assertEqual(settings.common, Common())
        self.assertEqual(settings.listen, Listen("localhost:8000", "127.0.0.1", 8000))
        self.assertEqual(settings.backend, Backend("localhost:80", "localhost", 80))
        self.assertEqual(settings.protocol, Tcp())
        self.assertEqual(settings.plan.mix_text, "dummy")
        self.assertEqual(settings.warnings, ())
        self.assertFalse(settings.control)

    def test_every_common_option(self) -> None:
        """Each option is taken from the command line and from a file, with the same outcome."""
        scenario = self.mktemp()
        Path(scenario).write_text("at 1s: delay for 1s\n", encoding="utf-8")
        given = {
            "proxy": "localhost:1",
            "backend": "localhost:2",
            "backlog": "3",
            "workers": "4",
            "busy-poll": "50",
            "no-proxy": "true",
            "protocol": "chatty",
            "behavior": "5:error,10:delay",
            "seed": "-4",
            "max-active-faults": "8",
            "scenario": scenario,
            "timeout": "0.5",
            "idle-timeout": "6",
            "pool-max-size": "7",
            "pool-timeout": "0",
            "on-desync": "close",
            "tls": "auto",
            "tls-key": "key.pem",
            "tls-ca": "/authority.pem",
            "tls-ca-out": "/out.pem",
            "backend-tls-verify": "no",
            "backend-tls-ca": "ca.pem",
            "backend-tls-cert": "cert.pem",
            "backend-tls-key": "off",
            "accept-proxy": "yes",
            "send-proxy": "v1",
            "http": "yes",
            "http-host": "127.0.0.2",
            "http-port": "0",
            "http-endpoint": "off",
            "http-allow-host": "a.example",
            "http-token": "correct-horse-battery-staple",
            "http-token-file": "off",
            "allow-backend": "localhost:*",
            "metrics": "yes",
            "statsd": "localhost:8125",
            "statsd-prefix": "chaos",
            "journal": "x.journal",
            "journal-size": "0",
            "journal-keep": "2",
            "log-level": "WARNING",
            "log-output": "x.log",
        }
        expected = Common(
            proxy="localhost:1",
            backend="localhost:2",
            backlog=3,
            workers=4,
            busy_poll=50,
            no_proxy=True,
            protocol="chatty",
            behavior="5:error,10:delay",
            seed=-4,
            max_active_faults=8,
            scenario=scenario,
            timeout=0.5,
            idle_timeout=6.0,
            pool_max_size=7,
            pool_timeout=0.0,
            on_desync="close",
            tls="auto",
            tls_key="key.pem",
            tls_ca="/authority.pem",
            tls_ca_out="/out.pem",
            backend_tls_verify=False,
            backend_tls_ca="ca.pem",
            backend_tls_cert="cert.pem",
            accept_proxy=True,
            send_proxy="v1",
            http=True,
            http_host="127.0.0.2",
            http_port=0,
            http_allow_host="a.example",
            allow_backend="localhost:*",
            metrics=True,
            statsd="localhost:8125",
            statsd_prefix="chaos",
            journal="x.journal",
            journal_size=0,
            journal_keep=2,
            log_level="warning",
            log_output="x.log",
        )
        arguments = [f"--{name}={value}" for name, value in given.items()]
        lines = ["[vaurien]", *(f"{name} = {value}" for name, value in given.items())]
        self.assertEqual(self.load(*arguments).common, expected)
        self.assertEqual(self.load(ini=tuple(lines)).common, expected)
        self.assertEqual(set(given), {name.replace("_", "-") for name in Common.__struct_fields__})

    def test_command_line_beats_file(self) -> None:
        """What both say, the command line decides; a flag of the file can be taken back."""
        ini = ("[vaurien]", "seed = 1", "http = true", "http_port = 9", "[behavior:delay]", "sleep = 5")
        settings = self.load(
            "--seed", "2", "--http=false", "--behavior-delay-sleep", "6", "--behavior", "delay", ini=ini
        )
        self.assertEqual(settings.common, Common(seed=2, http_port=9, behavior="delay"))
        self.assertEqual(settings.plan.mix[0].rule.behavior, Delay(sleep=6.0))

    def test_off(self) -> None:
        """An option that is off by default is switched off again by that word, or by none."""
        ini = ("[vaurien]", "idle_timeout = 5", "pool_max_size =")
        settings = self.load("--idle-timeout", "off", "--seed", "none", ini=ini)
        self.assertEqual(settings.common, Common())

    def test_mix(self) -> None:
        """A mix has the options of each of its behaviors, and the seed."""
        settings = self.load(
            "--behavior",
            "5:error,10.5:delay",
            "--behavior-delay-sleep=2",
            "--behavior-error-inject=on",
            "--seed=7",
        )
        self.assertEqual(
            [(share.percent, share.rule.behavior) for share in settings.plan.mix],
            [(5.0, Error(inject=True)), (10.5, Delay(sleep=2.0))],
        )
        self.assertEqual(settings.plan.seed, 7)

    def test_behavior_defaults(self) -> None:
        """Options of a behavior that is not used are kept, for when it is set live."""
        settings = self.load("--behavior-delay-sleep", "2", ini=("[behavior:error]", "inject = true"))
        self.assertEqual(settings.plan.mix[0].rule.behavior, Dummy())
        self.assertEqual(settings.behavior_defaults, {"delay": {"sleep": 2.0}, "error": {"inject": True}})

    def test_protocol_options(self) -> None:
        """The protocol has its own options; those of others are no matter."""
        ini = ("[vaurien]", "protocol = chatty", "[protocol:chatty]", "greeting = ${WORD}")
        self.assertEqual(self.load(ini=ini, WORD="hi").protocol, Chatty(greeting="hi"))
        self.assertEqual(self.load("--protocol-chatty-greeting", "hi").protocol, Tcp())

    def test_long_names_in_a_file(self) -> None:
        """[vaurien] takes every name of the command line."""
        settings = self.load(ini=("[vaurien]", "behavior = delay", "behavior-delay-sleep = 3"))
        self.assertEqual(settings.plan.mix[0].rule.behavior, Delay(sleep=3.0))

    def test_control(self) -> None:
        """Without a proxy the control server runs in any case."""
        self.assertTrue(self.load("--http").control)
        self.assertTrue(self.load("--no-proxy").control)

    def test_places(self) -> None:
        """Settings remember where an option was given."""
        settings = self.load("--seed", "1", ini=("[vaurien]", "backend = localhost:1"))
        self.assertEqual(settings.place("seed"), "--seed")
        self.assertEqual(settings.place("backend"), f"{self.path}:2: backend")
        self.assertEqual(settings.place("proxy"), "--proxy")


class RetiredTests(ConfigCase):
    """Options of Vaurien that do nothing any more."""

    def test_accepted_with_a_reason(self) -> None:
        """They are accepted, wherever Vaurien took them, with a warning that says where and why."""
        ini = ("[vaurien]", "bufsize = 8192", "async_mode = true", "[protocol:tcp]", "reuse_socket = true")
        warnings = self.load("--stay-connected", ini=ini).warnings
        self.assertEqual(len(warnings), 4)
        self.assertTrue(warnings[0].startswith(f"{self.path}:2: bufsize: this does nothing any more: reads"))
        self.assertIn(f"{self.path}:5: reuse_socket: ", warnings[2])
        self.assertIn("--stay-connected: ", warnings[3])

    def test_kept_where_it_means_something(self) -> None:
        """A protocol that declares such an option keeps it."""
        ini = ("[vaurien]", "protocol = chatty", "[protocol:chatty]", "keep_alive = false")
        settings = self.load(ini=ini)
        self.assertEqual(settings.protocol, Chatty(keep_alive=False))
        self.assertEqual(settings.warnings, ())


class OwnClassTests(ConfigCase):
    """``callable = package.module.Class``."""

    def test_behavior(self) -> None:
        """A class of the user's can be named, and has its options, in the file and on the command line."""
        ini = (
            "[vaurien]",
            "behavior = 20:flaky",
            "[behavior:flaky]",
            f"callable = {_FLAKY}",
            "how_often = 3",
            "mood = bad",
        )
        settings = self.load("--behavior-flaky-how-often", "4", ini=ini)
        self.assertEqual(settings.plan.mix[0].rule.behavior, Flaky(how_often=4, mood="bad"))
        self.assertIs(settings.registry.behaviors["flaky"], Flaky)

    def test_protocol(self) -> None:
        """A protocol of the user's works in the same way."""
        path = f"{Chatty.__module__}.{Chatty.__name__}"
        ini = ("[vaurien]", "protocol = chatty", "[protocol:chatty]", f"callable = {path}")
        self.assertEqual(self.load(ini=ini).protocol, Chatty())

    def test_only_there(self) -> None:
        """What one configuration adds, another does not know."""
        self.load(ini=("[behavior:flaky]", f"callable = {_FLAKY}"))
        self.assertIn("there is no behavior 'flaky'", self.wrong("--behavior", "flaky"))

    def test_options_are_checked(self) -> None:
        """Its options are checked against its fields."""
        section = ("[behavior:flaky]", f"callable = {_FLAKY}")
        said = self.wrong(ini=(*section, "how_often = 10"))
        self.assertEqual(said, "F:3: how_often: '10' will not do; it must be a whole number from 1 to 9")
        self.assertIn("F:3: how_oftn: there is no option", self.wrong(ini=(*section, "how_oftn = 1")))

    def test_wrong_classes(self) -> None:
        """What cannot be imported, is of another kind or has another name is an error with its line."""
        for path, words in [
            ("txvaurien.nowhere.Flaky", "cannot be imported"),
            ("Flaky", "cannot be imported"),
            (f"{Chatty.__module__}.Chatty", "is not a subclass of txvaurien.behaviors.base.Behavior"),
            (f"{Delay.__module__}.Delay", "has the name 'delay', its section is [behavior:flaky]"),
        ]:
            said = self.wrong(ini=("[behavior:flaky]", f"callable = {path}"))
            self.assertTrue(said.startswith("F:2: callable: "), said)
            self.assertIn(words, said)

    def test_module_raises(self) -> None:
        """Whatever a module raises while it is imported is told in one line."""

        def add(*_: object, **__: object) -> None:
            raise SyntaxError("invalid syntax")

        names = registry()
        self.patch(names, "add", add)
        path = self.mktemp()
        Path(path).write_text("[behavior:flaky]\ncallable = broken.Flaky\n")
        error = self.assertRaises(ConfigError, load, ["--config", path], names)
        self.assertIn("'broken.Flaky' cannot be imported (SyntaxError: invalid syntax)", str(error))


class ErrorTests(ConfigCase):
    """Each error names the place, the value and what is allowed."""

    def test_command_line(self) -> None:
        """Errors of the command line name the flag."""
        for arguments, said in [
            (["--seed", "x"], "--seed: 'x' will not do; it must be a whole number"),
            (
                ["--http-port", "65536"],
                "--http-port: '65536' will not do; it must be a whole number from 0 to 65535",
            ),
            (["--http=maybe"], "--http: 'maybe' will not do; it must be true or false"),
            (["--timeout", "nan"], "--timeout: 'nan' will not do; it must be a number from 0.001 to 86400"),
            (
                ["--protocol", "tpc"],
                "--protocol: there is no protocol 'tpc' (did you mean 'tcp'?); the protocols",
            ),
            (
                ["--behavior", "5:dely"],
                "--behavior: there is no behavior 'dely' (did you mean 'delay'?); the behav",
            ),
            (["--behavior", "60:error,50:delay"], "--behavior: the percentages add up to 110; at most 100"),
            (["--behavior", "error,delay"], "--behavior: 'error' is not PERCENT:NAME"),
            (["--backend", "nowhere"], "--backend: 'nowhere' is not an address"),
            (["--proxy", "nowhere"], "--proxy: 'nowhere' is not an address"),
            (["--config"], "--config: it needs a value"),
            (["--config", "--http"], "--config: it needs a value"),
            (["--config="], "--config: '' cannot be read"),
        ]:
            self.assertEqual(self.wrong(*arguments)[: len(said)], said)

    def test_file(self) -> None:
        """Errors of a file name it, the line and the option as it is written there."""
        for lines, said in [
            (["[vaurien]", "seed = x"], "F:2: seed: 'x' will not do"),
            (
                ["[vaurien]", "prxy = :1"],
                "F:2: prxy: there is no option 'prxy' (did you mean 'proxy'?); the options",
            ),
            (["[vaurien]", "", "help = true"], "F:3: help: there is no option 'help'"),
            (["[vaurien]", "callable = x.Y"], "F:2: callable: there is no option"),
            (
                ["[behavior:delay]", "slep = 1"],
                "F:2: slep: there is no option 'slep' (did you mean 'sleep'?)",
            ),
            (
                ["[behavior:dely]"],
                "F:1: there is no section 'behavior:dely' (did you mean 'behavior:delay'?)",
            ),
            (["[protocols:tcp]"], "F:1: there is no section 'protocols:tcp' (did you mean 'protocol:tcp'?)"),
            (["[vaurien]", "backend = :80"], "F:2: backend: ':80' names no host"),
            (["[vaurien]", "behavior = x:delay"], "F:2: behavior: 'x:delay' is not PERCENT:NAME"),
            (["[vaurien]", "protocol = x"], "F:2: protocol: there is no protocol 'x'"),
        ]:
            self.assertEqual(self.wrong(ini=tuple(lines))[: len(said)], said)

    def test_comment_behind_a_value(self) -> None:
        """Where a value of a file that will not do may end in a comment, it is said where those belong."""
        advice = "; a comment has a line of its own"
        for line in ("seed = 1 # mine", "proxy = localhost ; here", "behavior = delay # slow"):
            self.assertTrue(self.wrong(ini=("[vaurien]", line)).endswith(advice), line)
        self.assertFalse(self.wrong(ini=("[vaurien]", "seed = 1#")).endswith(advice))
        self.assertFalse(self.wrong("--seed", "1 # mine").endswith(advice))
        self.assertFalse(self.wrong("--seed=x", ini=("[vaurien]", "seed = 1 # mine")).endswith(advice))

    def test_other_faults(self) -> None:
        """A toxic or an action is no behavior; it is said where it belongs, also in a mix."""
        self.assertEqual(self.wrong("--behavior=latency"), "--behavior: 'latency' is a toxic; use --toxic")
        self.assertEqual(
            self.wrong(ini=("[vaurien]", "behavior = 5:delay,5:deaf")),
            "F:2: behavior: 'deaf' is an action of the proxy; start it with vaurienctl, or in a scenario",
        )

    def test_behavior_and_protocol_do_not_fit(self) -> None:
        """What a behavior says of the protocol is said of the option that it is about."""
        said = self.wrong("--behavior", "error", "--behavior-error-kind", "readonly")
        self.assertIn("--behavior-error-kind: there is no kind 'readonly'", said)
        said = self.wrong("--behavior=error", ini=("[behavior:error]", "garbage=on", "inject=on"))
        self.assertEqual(said, "F:3: inject: garbage and inject exclude each other; choose one")
