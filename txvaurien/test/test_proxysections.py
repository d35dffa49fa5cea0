"""``[proxy:NAME]``, and whose rules and toxics are whose."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from txvaurien.behaviors.base import Behavior
from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.error import Error
from txvaurien.config import Settings, load
from txvaurien.errors import ConfigError
from txvaurien.net.ends import Ends
from txvaurien.options import options_of
from txvaurien.process.definition import Definition
from txvaurien.process.limits import Limits
from txvaurien.protocols.redis import Redis
from txvaurien.service import BACKLOG
from txvaurien.settings.flags import Common, OfProxy
from txvaurien.settings.proxysections import INHERITED, SectionFields
from txvaurien.test.registries import Chatty, registry
from txvaurien.test.test_config import ConfigCase
from txvaurien.toxics.base import Toxic

A = ("[proxy:a]", "proxy = localhost:1", "backend = localhost:9")
B = ("[proxy:b]", "listen = localhost:2", "upstream = localhost:9")


class Owned(Behavior, frozen=True, kw_only=True):
    """A behavior with an option that cannot be."""

    name: ClassVar[str] = "owned"

    proxy: str = ""


class Owning(Toxic, frozen=True, kw_only=True):
    """A toxic with such an option."""

    name: ClassVar[str] = "owning"

    proxy: str = ""


def named(settings: Settings) -> dict[str, Definition]:
    """The proxies by name, in their order."""
    return {each.name: each for each in settings.definitions}


class SectionTests(ConfigCase):
    """What a section says of its proxy."""

    def test_every_line(self) -> None:
        """Each option of a proxy can be said, and those of its protocol by their own names."""
        scenario = self.mktemp()
        Path(scenario).write_text("at 1s: delay for 1s\n", encoding="utf-8")
        lines = {
            "proxy": "localhost:1",
            "backend": "localhost:9",
            "backlog": "3",
            "workers": "4",
            "protocol": "chatty",
            "behavior": "5:error,10:delay",
            "seed": "-4",
            "scenario": scenario,
            "enabled": "no",
            "timeout": "0.5",
            "idle-timeout": "6",
            "pool_max_size": "7",
            "pool-timeout": "0",
            "on-desync": "CLOSE",
            "max-active-faults": "8",
            "tls": "server.pem",
            "tls-key": "key.pem",
            "backend-tls-verify": "no",
            "backend-tls-ca": "ca.pem",
            "backend-tls-cert": "cert.pem",
            "backend-tls-key": "off",
            "accept-proxy": "yes",
            "send-proxy": "V2",
        }
        settings = self.load(
            ini=("[proxy:a]", *(f"{name} = {value}" for name, value in lines.items()), "greeting = hi")
        )
        (described,) = settings.described
        definition = described.definition
        self.assertEqual((definition.listen.port, definition.backend.port), (1, 9))
        self.assertEqual((definition.backlog, definition.workers, definition.enabled), (3, 4, False))
        self.assertEqual(definition.protocol, Chatty(greeting="hi"))
        self.assertEqual((definition.plan.mix_text, definition.plan.seed), ("5:error,10:delay", -4))
        limits = Limits(
            timeout=0.5,
            idle_timeout=6.0,
            pool_max_size=7,
            pool_timeout=0.0,
            on_desync="close",
            max_active_faults=8,
        )
        self.assertEqual(definition.limits, limits)
        ends = Ends(
            tls="server.pem",
            tls_key="key.pem",
            backend_tls_verify=False,
            backend_tls_ca="ca.pem",
            backend_tls_cert="cert.pem",
            accept_proxy=True,
            send_proxy="v2",
        )
        self.assertEqual(definition.ends, ends)
        assert described.scenario is not None
        self.assertEqual(described.scenario.length, 2.0)
        known = {option.name for option in options_of(SectionFields)}
        self.assertEqual({name.replace("_", "-") for name in lines}, known)

    def test_defaults(self) -> None:
        """What nobody says is as it is for a single proxy."""
        (definition,) = self.load(ini=B).definitions
        self.assertEqual((definition.name, definition.listen.text), ("b", "localhost:2"))
        self.assertEqual((definition.protocol.name, definition.plan.mix_text), ("tcp", "dummy"))
        self.assertEqual((definition.limits, definition.backlog), (Limits(), BACKLOG))
        self.assertTrue(definition.enabled)

    def test_inherited(self) -> None:
        """Limits, seed, backlog and workers are those of the process, if the section has no others."""
        ini = ("[vaurien]", "timeout = 5", "seed = 7", "busy-poll = 50", *A, *B, "timeout = 6", "seed = off")
        both = named(self.load("--idle-timeout=4", "--backlog=9", "--workers=2", ini=ini))
        a, b = both["a"], both["b"]
        self.assertEqual((a.limits.timeout, a.limits.idle_timeout, a.plan.seed), (5.0, 4.0, 7))
        self.assertEqual((a.backlog, a.workers, a.busy_poll), (9, 2, 50e-6))
        self.assertEqual((b.limits.timeout, b.limits.idle_timeout, b.plan.seed), (6.0, 4.0, None))
        of_one = set(OfProxy.__struct_fields__) - set(INHERITED)
        self.assertEqual(of_one, {"proxy", "backend", "protocol", "behavior", "scenario"})

    def test_options_of_the_protocol(self) -> None:
        """[protocol:NAME] holds for all proxies of that protocol; the section beats it."""
        chatty = ("protocol = chatty", "keep-alive = no")
        ini = ("[protocol:chatty]", "greeting = hi", *A, *chatty, *B, *chatty, "greeting = ho")
        both = named(self.load(ini=ini))
        self.assertEqual(both["a"].protocol, Chatty(greeting="hi", keep_alive=False))
        self.assertEqual(both["b"].protocol, Chatty(greeting="ho", keep_alive=False))

    def test_extended(self) -> None:
        """A section of a file that is extended can be changed line by line, in either word."""
        base = Path(self.mktemp())
        base.write_text("\n".join((*A, "seed = 1")), encoding="utf-8")
        ini = ("[vaurien]", f"extends = {base.absolute()}", "[proxy:a]", "listen = localhost:5")
        (definition,) = self.load(ini=ini).definitions
        self.assertEqual((definition.listen.port, definition.plan.seed), (5, 1))
        self.assertEqual(definition.places["proxy"], f"{self.path}:4: listen")
        self.assertEqual(definition.places["backend"], f"{base.absolute()}:3: backend")

    def test_wrong(self) -> None:
        """Whatever is wrong names the line."""
        for lines, said in (
            (
                (*A, "sed = 1"),
                "F:4: sed: there is no option 'sed' (did you mean 'seed'?); the options of [pr",
            ),
            ((*A, "http = yes"), "F:4: http: there is no option 'http'"),
            ((*A, "seed = x"), "F:4: seed: 'x' will not do; it must be a whole number"),
            ((*A, "seed = 1 # mine"), "F:4: seed: '1 # mine' will not do; it must be a whole number; a comm"),
            ((*A, "behavior = dely"), "F:4: behavior: there is no behavior 'dely' (did you mean 'delay'?)"),
            ((*A, "protocol = tpc"), "F:4: protocol: there is no protocol 'tpc' (did you mean 'tcp'?)"),
            (
                (*A, "protocol = chatty", "greting = 1"),
                "F:5: greting: there is no option 'greting' (did you m",
            ),
            ((*A, "greeting = hi"), "F:4: greeting: there is no option 'greeting'"),
            ((*A, "scenario = nowhere"), "F:4: scenario: 'nowhere' cannot be read (No such file"),
            (
                (*A, "listen = :3"),
                "F:4: listen: it is another word for 'proxy', which is there already; the o",
            ),
            ((*A, "seed = 1", "seed = 2"), "F:5: seed: it is set twice; the other is F:4: seed"),
            (("[proxy:a]", "proxy = x", "backend = :1"), "F:2: proxy: 'x' is not an address"),
            (("[proxy:a]", "proxy = :1", "upstream = x"), "F:3: upstream: 'x' is not an address"),
            (("[proxy:a]", "proxy = :1"), "F:1: [proxy:a] does not say where its backend is; add a line ba"),
            (("[proxy:a]", "backend = h:1"), "F:1: [proxy:a] does not say where it listens; add a line pr"),
            (("[proxy:]",), "F:1: [proxy:] has no name; write [proxy:NAME]"),
            (("[proxy]",), "F:1: [proxy] has no name; write [proxy:NAME]"),
            (("[proxy:a/b]",), "F:1: 'a/b' will not do; a name has at most"),
            (
                ("[proxies:a]",),
                "F:1: there is no section 'proxies:a' (did you mean [proxy:a]?); write [proxy:",
            ),
            (
                (*A, "[vaurien]", *A),
                "F:5: there is a section [proxy:a] already, at F:1; call one of them othe",
            ),
        ):
            self.assertEqual(self.wrong(ini=lines)[: len(said)], said)


class TogetherTests(ConfigCase):
    """Several proxies."""

    def test_no_main(self) -> None:
        """Where the file describes proxies and nobody a main one, there are those and no other."""
        settings = self.load("--http", ini=(*A, *B))
        self.assertEqual((list(named(settings)), settings.has_main), (["a", "b"], False))
        settings = self.load("--no-proxy", "--backend=localhost:3", ini=(*A, *B))
        self.assertEqual((list(named(settings)), settings.control), (["a", "b"], True))

    def test_main(self) -> None:
        """With one of its addresses there is a main one, before the others."""
        for arguments, lines in (
            (("--backend=localhost:3",), ()),
            (("--proxy=localhost:3",), ()),
            ((), ("[vaurien]", "backend = localhost:3")),
        ):
            settings = self.load(*arguments, "--behavior=delay", ini=(*lines, *A, *B))
            self.assertEqual((list(named(settings)), settings.has_main), (["proxy", "a", "b"], True))
            self.assertEqual(settings.definition.plan.mix_text, "delay")

    def test_for_nobody(self) -> None:
        """What only a main proxy could have is an error where there is none."""
        for arguments in (
            ("--behavior=delay",),
            ("--protocol=chatty",),
            ("--scenario=x",),
            ("--rule=delay",),
            ("--toxic=pause",),
        ):
            said = self.wrong(*arguments, ini=A)
            name = arguments[0].partition("=")[0]
            expected = (
                f"{name}: there is no main proxy that this could be for;"
                " say it of one in the file, or give a --backend for a main proxy"
            )
            self.assertEqual(said, expected)
        said = self.wrong(ini=("[vaurien]", "behavior = delay", *A))
        self.assertIn("F:2: behavior: there is no main proxy", said)
        said = self.wrong("--no-proxy", "--rule=delay")
        self.assertEqual(
            said, "--rule: there is no main proxy that this could be for; say it of one in the file"
        )
        self.load("--no-proxy", "--behavior=delay", ini=A)

    def test_workers_for_nobody(self) -> None:
        """Workers are for the proxies that there are."""
        self.assertEqual(named(self.load("--no-proxy", "--workers=2", ini=A))["a"].workers, 2)

    def test_two_of_one_name(self) -> None:
        """A proxy that is called as the main one is an error that names both places."""
        ini = ("[proxy:proxy]", *A[1:])
        said = self.wrong("--backend=localhost:1", ini=ini)
        self.assertEqual(
            said,
            "F:2: proxy: there is a proxy 'proxy' already; the other is --proxy; call one of them otherwise",
        )
        self.assertEqual(list(named(self.load(ini=ini))), ["proxy"])

    def test_two_on_one_port(self) -> None:
        """So are two on one port, unless it is any that is free."""
        said = self.wrong(ini=(*A, "[proxy:c]", "backend = localhost:9", "listen = 127.0.0.1:1"))
        expected = (
            "F:6: listen: the proxy 'a' listens there already; the other is F:2: proxy; choose another port"
        )
        self.assertEqual(said, expected)
        said = self.wrong("--proxy=0.0.0.0:1", ini=A)
        self.assertEqual(said.partition(";")[0], "F:2: proxy: the proxy 'proxy' listens there already")
        self.load(ini=("[proxy:a]", "listen = :0", A[2], "[proxy:b]", "listen = :0", A[2]))

    def test_defaults_of_behaviors(self) -> None:
        """What is set for a behavior has to suit one of the proxies, and those that use it."""
        names = registry()
        names.protocols["redis"] = Redis
        path = self.mktemp()
        lines = [*A, *B, "protocol = redis", "behavior = 5:error", "[behavior:error]", "kind = oom"]
        Path(path).write_text("\n".join(lines), encoding="utf-8")
        (share,) = named(load(["--config", path], names, {}))["b"].plan.mix
        self.assertEqual(share.rule.behavior, Error(kind="oom"))
        Path(path).write_text("\n".join([*A, "behavior = 5:error", *lines[3:]]), encoding="utf-8")
        error = self.assertRaises(ConfigError, load, ["--config", path], names, {})
        self.assertTrue(str(error).startswith(f"{path}:11: kind: there is no kind 'oom'"), error)
        Path(path).write_text("\n".join([*A, *B, *lines[-2:]]), encoding="utf-8")
        error = self.assertRaises(ConfigError, load, ["--config", path], names, {})
        self.assertTrue(str(error).startswith(f"{path}:8: kind: there is no kind 'oom'"), error)

    def test_common_is_declared_once(self) -> None:
        """The options of a proxy are those of the command line, and whether it is enabled."""
        fields = set(SectionFields.__struct_fields__)
        self.assertEqual(fields - set(Common.__struct_fields__), {"enabled"})


class FaultTests(ConfigCase):
    """``proxy = NAME`` in ``[rule:NAME]`` and ``[toxic:NAME]``."""

    RULE = ("[rule:r]", "behavior = delay")
    TOXIC = ("[toxic:t]", "type = pause")

    def faults(self, *arguments: str, ini: tuple[str, ...]) -> dict[str, list[str]]:
        """The names of what each proxy has."""
        definitions = named(self.load(*arguments, ini=ini))
        return {
            name: [rule.name for rule in each.plan.rules] + [placed.name for placed in each.plan.toxics]
            for name, each in definitions.items()
        }

    def test_named(self) -> None:
        """They are for the proxies that they name, for each one of its own."""
        ini = (*A, *B, *self.RULE, "proxy = b", *self.TOXIC, "proxy = a, b")
        self.assertEqual(self.faults(ini=ini), {"a": ["t"], "b": ["r", "t"]})
        both = named(self.load(ini=ini))
        self.assertIsNot(both["a"].plan.toxics[0], both["b"].plan.toxics[0])

    def test_all(self) -> None:
        """``*`` is for all, the main one too, which has a name as well."""
        ini = (*A, *B, *self.RULE, "proxy = *", *self.TOXIC, "proxy = proxy,a,a")
        found = self.faults("--backend=localhost:9", ini=ini)
        self.assertEqual(found, {"proxy": ["r", "t"], "a": ["r", "t"], "b": ["r"]})

    def test_not_said(self) -> None:
        """Without that line they are for the main proxy, or the only one."""
        found = self.faults("--backend=localhost:9", "--rule=delay", ini=(*A, *B, *self.RULE))
        self.assertEqual(found, {"proxy": ["r", "delay-1"], "a": [], "b": []})
        self.assertEqual(self.faults(ini=(*A, *self.RULE)), {"a": ["r"]})
        self.assertEqual(self.faults(ini=self.RULE), {"proxy": ["r"]})

    def test_defaults_and_protocol(self) -> None:
        """A rule is checked against the protocol of its proxy, and has the defaults of its behavior."""
        ini = ("[behavior:delay]", "sleep = 4", *A, *self.RULE, "proxy = a")
        self.assertEqual(named(self.load(ini=ini))["a"].plan.rules[0].behavior, Delay(sleep=4.0))
        rule = ("[rule:r]", "behavior = error", "kind = oom", "proxy = a")
        self.assertIn("F:6: kind: there is no kind 'oom'", self.wrong(ini=(*A, *rule)))

    def test_option_of_that_name(self) -> None:
        """A behavior or a toxic cannot have an option that would be taken for that line."""
        for kind, declared in (("behavior", Owned), ("toxic", Owning)):
            said = self.wrong(ini=(f"[{kind}:{declared.name}]", f"callable = {__name__}.{declared.__name__}"))
            self.assertTrue(said.startswith("F:2: callable: 'proxy' cannot be an option: every "), said)

    def test_wrong(self) -> None:
        """Whatever is wrong names the line."""
        for lines, said in (
            (
                (*A, *B, *self.RULE),
                "F:7: [rule:r] does not say for which proxy it is;"
                " add a line proxy = NAME, with commas for several, or * for all: a, b",
            ),
            (
                (*A, *B, *self.TOXIC, "proxy = a, c"),
                "F:9: proxy: there is no proxy 'c'; the proxies are: a, b",
            ),
            ((*A, *self.TOXIC, "proxy ="), "F:6: proxy: there is no proxy ''"),
            ((*self.RULE, "proxy = a"), "F:3: proxy: there is no proxy 'a'"),
            (
                ("[vaurien]", "no-proxy = yes", *self.RULE),
                "F:3: there is no proxy that it could be for; take",
            ),
        ):
            self.assertEqual(self.wrong(ini=lines)[: len(said)], said)
