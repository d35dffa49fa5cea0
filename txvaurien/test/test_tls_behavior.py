"""tls: the options of the behavior, and where it fires."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, get_args, get_type_hints

from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txvaurien.behaviors.base import Behavior
from txvaurien.behaviors.tls import Tls
from txvaurien.config import load
from txvaurien.errors import ConfigError
from txvaurien.exchange import LiveExchange
from txvaurien.interfaces import IBehavior
from txvaurien.net.ends import Ends
from txvaurien.plan import Plan
from txvaurien.planning.faults import FaultReader
from txvaurien.plugins import Registry
from txvaurien.protocols.tcp import Tcp
from txvaurien.rules import Rule
from txvaurien.test.tls_live import Files
from txvaurien.test.tls_memory import TlsProxy
from txvaurien.tls.authority import Authority
from txvaurien.tls.certificates import Spoil
from txvaurien.tls.handshake import REFUSED, RESET, STALLED

#: All the ways that there are.
KINDS = get_args(get_args(get_type_hints(Tls, include_extras=True)["kind"])[0])


class OptionTests(SynchronousTestCase):
    """What can be said."""

    def test_interface(self) -> None:
        """It is a behavior."""
        self.assertTrue(verifyObject(IBehavior, Tls()))

    def test_kinds(self) -> None:
        """Those of the handshake and those of the certificate, and no others."""
        certificates = {spoil.value for spoil in Spoil} - {""}
        self.assertEqual(set(KINDS), {REFUSED, STALLED, RESET, *certificates})

    def test_forms(self) -> None:
        """It is read from texts; a kind that there is not is refused, with those that there are."""
        made = Registry.load().behavior("tls", {"kind": "expired"}, text=True)
        self.assertEqual(made, Tls(kind="expired"))
        error = self.assertRaises(ConfigError, Registry.load().behavior, "tls", {"kind": "rusty"})
        self.assertIn("wrong-name", str(error))

    def test_only_at_connecting(self) -> None:
        """A rule that asks for a verb is refused: there is none yet."""
        reader = FaultReader(Registry.load(), Tcp())
        said = {"behavior": "tls", "kind": "expired", "times": 1}
        self.assertEqual(reader.rule(said, where="").behavior, Tls(kind="expired"))
        error = self.assertRaises(ConfigError, reader.rule, {**said, "verb": "GET"}, where="")
        self.assertIn("leave verb out", str(error))


class Late(Behavior, frozen=True, kw_only=True):
    """Comes too late."""

    name: ClassVar[str] = "late"

    def on_before_handle(self, exchange: LiveExchange) -> bool:
        exchange.fail_handshake("refused")
        return True


class FiringTests(SynchronousTestCase):
    """In memory."""

    def test_times(self) -> None:
        """It counts as every behavior: two clients see it, the third does not."""
        proxy = TlsProxy(Plan(rules=(Rule(Tls(kind="refused"), times=2),), seed=1))
        for number in range(1, 4):
            client = proxy.comes()
            client.engine.shake()
            client.wire.says(client.engine.take())
            self.assertEqual(client.wire.ended, "fin" if number < 3 else "", number)
        self.assertEqual([fields["did"] for fields in proxy.named("fired")], [["tls refused"]] * 2)

    def test_only_on_connect(self) -> None:
        """Later than that no handshake can fail."""
        proxy = TlsProxy(Late())
        client = proxy.agreed()
        backend = proxy.backend()
        client.says(b"get a\n")
        self.assertEqual(backend.received, b"get a\n")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_certificate_of_the_user(self) -> None:
        """Only what needs no authority that clients trust can be wrong with it; else it misfires."""
        files = Files(Path(self.mktemp()))
        for kind in KINDS:
            proxy = TlsProxy(Tls(kind=kind), ends=Ends(tls=files.issue("own.example")))
            proxy.comes()
            fits = kind not in {"expired", "not-yet-valid", "wrong-name"}
            counted = len(proxy.named("fired")), len(proxy.named("misfired"))
            self.assertEqual(counted, (fits, not fits), kind)
            for fields in proxy.named("misfired"):
                self.assertIn("--tls auto", fields["why"])


class WarningTests(SynchronousTestCase):
    """Where no TLS is spoken with clients the behavior does nothing, and the log says so at the start."""

    def warned(self, *arguments: str) -> bool:
        """Whether it does, for a proxy that is made of these arguments."""
        definition = load(["--behavior", "tls", *arguments]).definition
        with capturedLogs() as events:
            definition.make(MemoryReactorClock(), Registry.load())
        return any("does nothing: no TLS" in (event.get("log_format") or "") for event in events)

    def test_plain(self) -> None:
        """A plain listener has no handshake."""
        self.assertTrue(self.warned())

    def test_secured(self) -> None:
        """With a certificate of either kind it has one, and where the protocol begins TLS, too."""
        self.assertFalse(self.warned("--tls", "auto"))
        self.assertFalse(self.warned("--protocol", "smtp", "--protocol-smtp-starttls", "terminate"))
        certificate = Path(self.mktemp())
        certificate.write_bytes(Authority.make().issue(["localhost"]).pem())
        self.assertFalse(self.warned("--proxy", f"ssl:0:privateKey={certificate}"))
