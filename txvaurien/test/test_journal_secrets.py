"""No secret is in the journal, nor in the log, whatever fires on what."""

from __future__ import annotations

from collections.abc import Iterator

from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from txvaurien.behaviors.abort import Abort
from txvaurien.behaviors.base import Behavior
from txvaurien.behaviors.blackout import Blackout
from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.error import Error
from txvaurien.behaviors.hang import Hang
from txvaurien.behaviors.transient import Transient
from txvaurien.behaviors.truncate import Truncate
from txvaurien.errors import ConfigError
from txvaurien.journal import Journal, encode
from txvaurien.model import Direction
from txvaurien.plan import PlacedToxic, Plan
from txvaurien.planning.mix import Share
from txvaurien.process.logs import format_event
from txvaurien.protocols.base import WireProtocol
from txvaurien.protocols.http import Http
from txvaurien.protocols.memcache import Memcache
from txvaurien.protocols.mysql import MySQL
from txvaurien.protocols.redis import Redis
from txvaurien.protocols.smtp import Smtp
from txvaurien.protocols.tcp import Tcp
from txvaurien.rules import Activation, Rule
from txvaurien.test.memory import MemoryProxy, MemoryTransport
from txvaurien.test.secret_talk import CONVERSATIONS, FORMS, SECRET
from txvaurien.testing import Conversation
from txvaurien.toxics.latency import Latency

#: What rules have to name: log-ins, greetings, and what is sent unasked.
SHY = frozenset(
    {"AUTH", "HELLO", "CREDENTIALS", "GREET", "NOTICE", "EHLO", "STARTTLS", "INTERIM", "UNASKED"}
    | {"GREETING", "LOGIN", "CHANGE_USER", "SSL_REQUEST", "PROGRESS", "MESSAGE", "MONITOR", "PUSH"}
    | {"SASL_AUTH", "SASL_STEP", "SASL_LIST_MECHS", SECRET.upper()}
)

#: Faults of which every protocol knows each.
EVERYWHERE: tuple[Behavior, ...] = (
    Abort(),
    Abort(wait=True),
    Blackout(reset=True),
    Delay(),
    Delay(before=False),
    Error(),
    Error(garbage=True),
    Error(inject=True),
    Hang(timeout=1),
    Transient(agitate=1000),
    Truncate(),
    Truncate(keep=3),
)


@implementer(ILogObserver)
class LogLines(list[str]):
    """The lines of a log that shows everything."""

    def __call__(self, event: LogEvent) -> None:
        self.append(format_event(event))


class SecretTests(SynchronousTestCase):
    """Everything that is said has a secret in it."""

    maxDiff = None

    def setUp(self) -> None:
        self.logged = LogLines()
        globalLogPublisher.addObserver(self.logged)
        self.addCleanup(globalLogPublisher.removeObserver, self.logged)

    def plans(self, protocol: WireProtocol) -> Iterator[Plan]:
        """One fault at a time, on all there is: requests, log-ins, what is unasked, by its status."""
        kinds = [Error(kind=kind.name, text="550 no") for kind in protocol.error_kinds]
        toxic = PlacedToxic(Latency(latency=1), Direction.TO_CLIENT, toxicity=0.5)
        for behavior in (*EVERYWHERE, *kinds):
            rules = [Rule(behavior, "shy", verbs=SHY), Rule(behavior, "late", status=("*",))]
            fitting = tuple(rule for rule in rules if self.fits(rule, protocol))
            yield Plan(mix=(Share(100, Rule(behavior)),), rules=fitting, toxics=(toxic,), seed=1)
            yield Plan(rules=fitting, seed=1)

    def fits(self, rule: Rule, protocol: WireProtocol) -> bool:
        """Whether the rule can be."""
        try:
            Activation(rule, rule.name, protocol)
        except ConfigError:
            return False
        return True

    def play(self, proxy: MemoryProxy, conversation: Conversation) -> None:
        """A link on which all that is said, as far as it still can be."""
        client = proxy.client()
        backend = proxy.backend() if proxy.reactor.tcpClients else None
        for direction, data in conversation:
            speaker = client if direction is Direction.TO_BACKEND else backend
            if speaker is not None and self.can_speak(speaker):
                speaker.says(data)
            proxy.pass_time(0, 0.5)
        proxy.pass_time(0, 2, 0)
        if not client.lost:
            client.resets()
        proxy.pass_time(60)

    def can_speak(self, speaker: MemoryTransport) -> bool:
        """Whether the proxy still listens."""
        return speaker.reading and not (speaker.ended or speaker.lost)

    def check(self, protocol: WireProtocol) -> None:
        """Play every conversation under every plan, and look for secrets."""
        events: set[str] = set()
        found: dict[str, str] = {}
        for plan in self.plans(protocol):
            proxy = MemoryProxy(plan, protocol)
            journal = Journal(Clock(), size=1_000_000)
            journal.attach(proxy.proxy)
            for name, conversation in CONVERSATIONS[protocol.name].items():
                before = journal.last
                self.play(proxy, conversation)
                records = journal.since(before)
                events.update(record.event for record in records)
                for line in (*(encode(record.as_json()).decode() for record in records), *self.logged):
                    if any(form in line.lower() for form in FORMS):
                        found.setdefault(name, line)
                self.logged.clear()
        self.assertEqual(found, {})
        # Otherwise this would show nothing.
        self.assertLessEqual({"fired", "link-closed"}, events)

    def test_tcp(self) -> None:
        """Bytes of which nothing is known."""
        self.check(Tcp())

    def test_redis(self) -> None:
        """AUTH, HELLO AUTH, values, scripts, settings, messages, replies, and what cannot be framed."""
        self.check(Redis())

    def test_http(self) -> None:
        """Authorization, Cookie, queries, path parameters, names before an @, bodies, trailers."""
        self.check(Http())

    def test_memcache(self) -> None:
        """SASL, values in both protocols, and what is no command."""
        self.check(Memcache())

    def test_smtp(self) -> None:
        """AUTH and its dialogue, contents, parameters, replies, and what is said at the wrong moment."""
        self.check(Smtp())

    def test_mysql(self) -> None:
        """Log-ins, literals in statements, parameters, attributes, files, rows, errors."""
        self.check(MySQL())
