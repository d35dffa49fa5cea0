"""Real clients through the proxy to a real memcached: the same as direct."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable
from typing import Any

from txvaurien.behaviors.abort import Abort
from txvaurien.behaviors.base import Behavior
from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.error import Error
from txvaurien.plan import Plan
from txvaurien.protocols.memcache import Memcache
from txvaurien.rules import Rule
from txvaurien.service import ProxyService
from txvaurien.test.memcached_server import (
    PASSWORD,
    USER,
    Memcached,
    SaslMemcached,
    TextAuthMemcached,
    binary_client,
    pymemcache,
    say,
    stats_of,
    text_client,
)
from txvaurien.test.servers import require
from txvaurien.test.support import ProxyCase, connect

MEGABYTE = 1 << 20

#: With a rule every message is framed before it is sent, without one after.
NEVER = Plan(rules=(Rule(Error(), verbs=frozenset({"NEVER"})),), seed=1)


class MemcachedCase(ProxyCase):
    """A memcached, the proxy in front of it."""

    options: tuple[str, ...] = ()

    def setUp(self) -> None:
        self.server = self.start_server(Memcached(*self.options))

    def proxied(self, plan: Plan | Behavior | None = None, **options: Any) -> ProxyService:
        """The proxy in front of the server."""
        return self.start_proxy(Memcache(**options), self.server.port, plan)


def text_tour(port: int | None) -> list[Any]:
    """What an application does on a day without faults, by pymemcache."""
    client = text_client(port)
    client.flush_all(noreply=False)
    seen = [
        client.set("key", "value", noreply=False),
        client.get("key"),
        client.get("nothing", "default"),
        client.set_many({"a": "1", "b": b"\r\nEND\r\n\x00\xff"}, noreply=False),
        client.set("quiet", "kept"),
        client.get_many(["a", "b", "quiet", "nothing"]),
        client.gets_many(["a"]).keys(),
        client.add("key", "other", noreply=False),
        client.replace("nothing", "other", noreply=False),
        client.append("key", "!", noreply=False),
        client.prepend("key", ">", noreply=True),
        client.get("key"),
        client.incr("a", 41),
        client.decr("a", 50),
        client.incr("nothing", 1),
        client.touch("a", 100, noreply=False),
        client.delete("a", noreply=False),
        client.delete("a"),
        client.cas("b", "new", client.gets("b")[1]),
        client.cas("b", "newer", b"1"),
        sorted(client.stats("settings"))[:3],
        client.version(),
        client.cache_memlimit(64),
        client.set_many({f"key:{number}": "x" * number for number in range(500)}, noreply=True),
        sum(len(value) for value in client.get_many([f"key:{number}" for number in range(600)]).values()),
        client.raw_command("mg key v t O1 k", end_tokens="\r\n"),
    ]
    client.quit()
    return seen


def binary_tour(port: int | None) -> list[Any]:
    """The same by python-binary-memcached."""
    client = binary_client(port)
    seen = [
        client.flush_all(),
        client.set("key", "value"),
        client.get("key"),
        client.get("nothing"),
        client.set_multi({"a": "1", "b": b"\x80\x81\r\n"}),
        client.get_multi(["nothing", "a", "none", "b"]),
        client.add("key", "other"),
        client.replace("nothing", "other"),
        client.incr("n", 41),
        client.decr("n", 50),
        client.delete("a"),
        client.delete_multi(["b", "nothing"]),
        client.cas("key", "new", client.gets("key")[1]),
        client.cas("key", "newer", 1),
        sorted(stats_of(client))[:5],
        client.set_multi({f"key:{number}": "x" * number for number in range(500)}),
        sum(len(value) for value in client.get_multi([f"key:{number}" for number in range(600)]).values()),
    ]
    client.disconnect_all()
    return seen


#: Everything that has a reply which does not change, the odd and the broken included, then quit.
_LARGE = b"x" * 2_000_000 + b"\r\n"
RAW_TEXT = (
    (
        b"flush_all\r\nset a 1 0 5\r\nhello\r\nget a\r\nget a b a\r\ngat 0 a\r\ntouch a 0\r\nverbosity 0\r\n"
        b"verbosity 0 noreply\r\nnonsense\r\n\r\nget\r\nset a 0 0\r\nset a 0 0 -1\r\nset a x 0 2\r\nhi\r\n"
        b"set a 0 0 3\r\nhello\r\nset a 0 0 2000000 noreply\r\n" + _LARGE
    )
    + (
        b"cas a 0 0 1 1 noreply\r\n1\r\nincr a 1\r\nincr a x\r\ndelete a 5\r\ndelete a 0 noreply\r\n"
        b"stats reset\r\nms q 2 c q\r\nhi\r\nms q 2 ME q O1 k\r\nhi\r\nms q 2000000 q O2\r\n" + _LARGE
    )
    + (
        b"mg q v q k\r\nmg none v q\r\nmg none v O2 k\r\nmg q s v f\r\nma q\r\nma n N0 J5 v\r\n"
        b"md none q\r\nmd n\r\nme none\r\nmn\r\nlru_crawler sleep 100\r\nlru mode flat noreply\r\n"
        b"slabs automove 1 noreply\r\nslabs reassign 1 1\r\nshutdown\r\ncache_memlimit 64\r\n"
        b"stats detail dump\r\nmn\r\nquit\r\n"
    )
)


class SameAsDirectTests(MemcachedCase):
    """With no fault set, and with a rule that never fires, nothing is different."""

    async def both(self, tour: Callable[[int | None], Any]) -> None:
        """The same tour direct and through the proxy."""
        direct = await self.in_thread(tour, self.server.port)
        for plan in (None, NEVER):
            service = self.proxied(plan)
            self.assertEqual(await self.in_thread(tour, service.port), direct)
            self.assertEqual(service.proxy.stats.opaque, 0)

    async def test_text(self) -> None:
        """The commands of pymemcache."""
        await self.both(text_tour)

    async def test_binary(self) -> None:
        """The commands of python-binary-memcached."""
        await self.both(binary_tour)

    async def test_raw_text(self) -> None:
        """A pipeline of everything, large and broken commands included."""
        await self.both(lambda port: say(port, RAW_TEXT, b"<never>"))

    async def test_crawler(self) -> None:
        """The dump of the crawler ends with its END, and the link goes on."""
        await self.in_thread(
            say, self.server.port, b"set a 0 0 1\r\n1\r\nset b 0 0 1\r\n2\r\n", b"STORED\r\nSTORED\r\n"
        )
        service = self.proxied(NEVER)

        def crawl() -> bytes:
            with connect(service.port or 0) as link, link.makefile("rwb") as stream:
                stream.write(b"lru_crawler metadump all\r\n")
                stream.flush()
                dump = [stream.readline() for _ in range(3)]
                stream.write(b"mn\r\n")
                stream.flush()
                return b"".join([*(line.split(b" ")[0] for line in dump), stream.readline()])

        self.assertIn(await self.in_thread(crawl), (b"key=akey=bEND\r\nMN\r\n", b"key=bkey=aEND\r\nMN\r\n"))
        self.assertEqual(service.proxy.stats.opaque, 0)

    async def test_watch(self) -> None:
        """A watcher's log comes through, and the link is said to be opaque."""
        service = self.proxied(NEVER)

        def watch() -> list[bytes]:
            with connect(service.port or 0) as link, link.makefile("rwb") as stream:
                stream.write(b"watch mutations\r\n")
                stream.flush()
                first = stream.readline()
                say(self.server.port, b"set a 0 0 1\r\n1\r\n", b"STORED\r\n")
                return [first, stream.readline()]

        ok, line = await self.in_thread(watch)
        self.assertEqual(ok, b"OK\r\n")
        self.assertIn(b"type=item_store key=a", line)
        self.assertEqual(service.proxy.stats.opaque, 1)

    async def test_many_links(self) -> None:
        """Two hundred at once."""
        service = self.proxied()

        def many() -> list[Any]:
            clients = [text_client(service.port) for _ in range(200)]
            for number, each in enumerate(clients):
                each.set(f"key:{number}", str(number), noreply=False)
            values = [each.get(f"key:{number}") for number, each in enumerate(clients)]
            for each in clients:
                each.close()
            return values

        self.assertEqual(await self.in_thread(many), [b"%d" % number for number in range(200)])
        await self.until(lambda: not service.proxy.links)

    async def test_capability(self) -> None:
        """memccapable says of the proxy what it says of the server, test by test."""
        program = require("memccapable", "libmemcached-tools")

        def verdicts(port: int | None) -> list[str]:
            command = [program, "-h", "127.0.0.1", "-p", str(port), "-t", "5"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
            return [line for line in done.stdout.splitlines() if "[" in line]

        direct = await self.in_thread(verdicts, self.server.port)
        self.assertGreater(sum("[pass]" in line for line in direct), 50)
        for plan in (None, NEVER):
            self.assertEqual(await self.in_thread(verdicts, self.proxied(plan).port), direct)

    async def test_load(self) -> None:
        """memcslap, in both protocols, without one error."""
        program = require("memcslap", "libmemcached-tools")
        kinds = ("", "--binary", "--noreply", "--test=get", "--test=mget", "--binary --test=mget")
        for plan in (None, NEVER):
            service = self.proxied(plan)
            for kind in kinds:
                servers = f"--servers=127.0.0.1:{service.port}"
                command = [program, servers, "--concurrency=8", "--execute-number=200", *kind.split()]
                done = await self.in_thread(
                    subprocess.run, command, capture_output=True, text=True, timeout=110
                )
                self.assertEqual((done.returncode, done.stderr), (0, ""), kind)
            self.assertEqual(service.proxy.stats.opaque, 0)


class LargeValueTests(MemcachedCase):
    """Values that no buffer of the proxy's should hold."""

    options = ("-I", "128m", "-m", "512")

    async def test_large_value(self) -> None:
        """100 MB there and back, through the framing of both protocols."""
        value = bytes(range(256)) * (100 * MEGABYTE // 256)
        digest = hashlib.sha256(value).hexdigest()
        service = self.proxied(NEVER)

        def there_and_back(client: Any) -> str:
            client.set("large", value)
            return hashlib.sha256(client.get("large")).hexdigest()

        text = text_client(service.port)
        self.assertEqual(await self.in_thread(there_and_back, text), digest)
        binary = binary_client(service.port, compression=None)
        self.assertEqual(await self.in_thread(there_and_back, binary), digest)
        self.assertEqual(service.proxy.stats.opaque, 0)

    async def test_refused_large_value(self) -> None:
        """The body of a refused command is read and thrown away; the link goes on."""
        service = self.proxied(Plan(rules=(Rule(Error(kind="too-large"), verbs=frozenset({"SET"})),), seed=1))

        def refused(client: Any) -> tuple[str, Any]:
            try:
                client.set("large", b"x" * (30 * MEGABYTE), noreply=False)
            except pymemcache.MemcacheServerError as error:
                return str(error), client.get("large")
            return "", None

        said = await self.in_thread(refused, text_client(service.port))
        self.assertEqual(said, ("b'object too large for cache'", None))


class LogInTests(ProxyCase):
    """Logging in, in both protocols: it works, it is left alone by a mix, and no secret is shown."""

    async def test_sasl(self) -> None:
        """python-binary-memcached logs in through the proxy while a mix refuses everything."""
        server = self.start_server(SaslMemcached())
        service = self.start_proxy(Memcache(), server.port, Plan.only(Error(kind="temporary-failure")))
        shown: list[str] = []
        service.proxy.observers.append(lambda name, link, fields: shown.append(f"{name} {fields}"))
        client = binary_client(service.port, username=USER, password=PASSWORD)

        def outcome() -> str:
            try:
                return str(client.set("key", "value"))
            except Exception as error:
                return str(error)

        self.assertIn("Temporary failure", await self.in_thread(outcome))
        service.proxy.set_plan(Plan())
        self.assertEqual(await self.in_thread(outcome), "True")
        service.proxy.set_plan(Plan(rules=(Rule(Error(), verbs=frozenset({"SASL_AUTH"})),), seed=1))
        again = binary_client(service.port, username=USER, password=PASSWORD)
        self.assertIn("Code", str(await self.in_thread(_raised, again)))
        self.assertNotIn(PASSWORD, "".join(shown))

    async def test_text(self) -> None:
        """With the option `login` the first set passes, and the next one is refused."""
        server = self.start_server(TextAuthMemcached())
        protocol = Memcache(login=True)
        service = self.start_proxy(protocol, server.port, Plan.only(Error(kind="not-stored")))
        shown: list[str] = []
        service.proxy.observers.append(lambda name, link, fields: shown.append(f"{name} {fields}"))
        log_in = f"set any 0 0 {len(USER) + 1 + len(PASSWORD)}\r\n{USER} {PASSWORD}\r\n".encode()
        said = await self.in_thread(say, service.port, log_in, b"\r\n")
        self.assertEqual(said, b"STORED\r\n")

        def log_in_and_set() -> bytes:
            with connect(service.port or 0) as link, link.makefile("rwb") as stream:
                stream.write(log_in)
                stream.flush()
                first = stream.readline()
                stream.write(b"set a 0 0 1\r\n1\r\n")
                stream.flush()
                return first + stream.readline()

        self.assertEqual(await self.in_thread(log_in_and_set), b"STORED\r\nNOT_STORED\r\n")
        self.assertNotIn(PASSWORD, "".join(shown))


def _raised(client: Any) -> BaseException | None:
    try:
        client.get("key")
    except Exception as error:
        return error
    return None


class FaultTests(MemcachedCase):
    """Behaviors that are not errors of the protocol."""

    async def test_reply_lost(self) -> None:
        """A SET whose reply is lost has been carried out."""
        rule = Rule(Abort(wait=True), verbs=frozenset({"SET"}))
        service = self.proxied(Plan(rules=(rule,), seed=1))
        client = text_client(service.port)

        def lose() -> str:
            try:
                client.set("key", "value", noreply=False)
            except Exception as error:
                return type(error).__name__
            return ""

        self.assertEqual(await self.in_thread(lose), "MemcacheUnexpectedCloseError")
        self.assertEqual(await self.in_thread(text_client(self.server.port).get, "key"), b"value")

    async def test_by_target(self) -> None:
        """A rule for a key leaves other keys alone, in a get of many as well."""
        rule = Rule(Error(kind="miss"), target="user:*")
        service = self.proxied(Plan(rules=(rule,), seed=1))
        client = text_client(service.port)
        await self.in_thread(client.set_many, {"user:1": "x", "other": "y"}, noreply=False)
        self.assertEqual(await self.in_thread(client.get, "other"), b"y")
        self.assertEqual(await self.in_thread(client.get_many, ["other", "user:1"]), {})

    async def test_delay(self) -> None:
        """A reply that is late is still the right one."""
        service = self.proxied(Delay(sleep=0.05, before=False))
        self.assertEqual(
            await self.in_thread(text_tour, service.port), await self.in_thread(text_tour, self.server.port)
        )
