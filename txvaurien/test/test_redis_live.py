"""redis-py through the proxy to a real redis-server: the same as direct, and every fault as asked."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from twisted.internet import reactor

from txvaurien.behaviors.abort import Abort
from txvaurien.behaviors.base import Behavior
from txvaurien.behaviors.blackout import Blackout
from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.error import Error
from txvaurien.behaviors.hang import Hang
from txvaurien.behaviors.transient import Transient
from txvaurien.clients.blocking import Client
from txvaurien.clients.processes import start_proxy, stop_proxy
from txvaurien.control.service import ControlService
from txvaurien.plan import Plan
from txvaurien.plugins import Registry
from txvaurien.process.proxies import Proxies
from txvaurien.protocols.redis import Redis
from txvaurien.rules import Rule
from txvaurien.service import ProxyService
from txvaurien.test.exceptions_redis import CUSTOM, EXPECTED
from txvaurien.test.servers import RedisServer, free_port, require
from txvaurien.test.support import ProxyCase, connect, descriptors

MEGABYTE = 1 << 20


class RedisCase(ProxyCase):
    """A redis-server, the proxy in front of it, redis-py."""

    def setUp(self) -> None:
        self.server = self.start_server(RedisServer())

    def proxied(self, plan: Plan | Behavior | None = None, **options: Any) -> ProxyService:
        """The proxy in front of the server."""
        return self.start_proxy(Redis(), self.server.port, plan, **options)

    def client(self, port: int | None, **options: Any) -> redis.Redis:
        """redis-py as it is, but for retries: a fault must be seen the first time."""
        options = {"socket_timeout": 30.0, "retry": Retry(NoBackoff(), 0), **options}
        made = redis.Redis(host="127.0.0.1", port=port or 0, **options)
        self.addCleanup(made.close)
        return made


def ordinary(client: redis.Redis) -> list[Any]:
    """What an application does on a day without faults."""
    client.flushall()
    seen: list[Any] = [
        client.ping(),
        client.set("key", "value"),
        client.get("key"),
        client.get("nothing"),
        client.set("key", "other", nx=True),
        client.mset({"a": "1", "b": "2"}),
        client.mget("a", "b", "nothing"),
        client.incrby("a", 41),
        client.append("b", b"\r\n\x00\xff"),
        client.getrange("b", 0, -1),
        client.rpush("list", *range(100)),
        client.lrange("list", 0, -1),
        client.hset("hash", mapping={"x": 1, "y": 2.5}),
        sorted(client.hgetall("hash").items()),
        client.zadd("zset", {"m": 1.5, "n": 2.25}),
        client.zrange("zset", 0, -1, withscores=True),
        client.sadd("set", "p", "q"),
        sorted(client.smembers("set")),
        client.expire("key", 100),
        client.ttl("key") > 0,
        client.xadd("stream", {"f": "v"}, id="1-1"),
        client.xrange("stream"),
        sorted(client.scan_iter(count=3)),
        client.eval("return {1, 'two', {3}, redis.status_reply('ok')}", 0),
        client.config_get("maxmemory"),
        client.type("hash"),
        client.object("encoding", "list"),
        client.bitcount("key"),
        client.geoadd("geo", (13.36, 38.11, "Palermo")),
        client.blpop(["list"], timeout=1),
        client.delete("key", "a", "b"),
    ]
    for wrong in (lambda: client.lpush("hash", 1), lambda: client.execute_command("NOSUCH", "x")):
        try:
            wrong()
        except redis.ResponseError as error:
            seen.append(f"{type(error).__name__}: {error}")
    return seen


def transactions(client: redis.Redis) -> list[Any]:
    """Pipelines, with and without MULTI, WATCH that fails and one that does not."""
    client.flushall()
    seen: list[Any] = []
    pipe: Any = client.pipeline(transaction=False)
    for number in range(1000):
        pipe.set(f"key:{number}", number).get(f"key:{number}")
    seen.append(pipe.execute())
    transaction: Any
    with client.pipeline() as transaction:
        seen.append(transaction.set("a", 1).incr("a").get("a").execute())
    with client.pipeline() as transaction:
        transaction.set("s", "text").lpush("s", 1).get("s")
        seen.append([str(each) for each in transaction.execute(raise_on_error=False)])
    with client.pipeline() as watching:
        watching.watch("a")
        client.incr("a")
        watching.multi()
        watching.set("a", 0)
        try:
            watching.execute()
        except redis.WatchError:
            seen.append("watched")
    seen.append(client.get("a"))
    return seen


def subscriptions(client: redis.Redis) -> list[Any]:
    """Channels and patterns, messages in between, all of them left again."""
    seen: list[Any] = []
    with client.pubsub() as pubsub:
        pubsub.subscribe("news", "weather")
        pubsub.psubscribe("n*")
        seen += [pubsub.get_message(timeout=30) for _ in range(3)]
        client.publish("news", b"\r\nhello")
        client.publish("weather", "rain")
        seen += [pubsub.get_message(timeout=30) for _ in range(3)]
        pubsub.ping()
        seen.append(pubsub.get_message(timeout=30))
        pubsub.unsubscribe()
        pubsub.punsubscribe()
        seen += [pubsub.get_message(timeout=30) for _ in range(3)]
        pubsub.subscribe("again")
        seen.append(pubsub.get_message(timeout=30))
        client.publish("again", "x")
        seen.append(pubsub.get_message(timeout=30))
    return seen


class SameAsDirectTests(RedisCase):
    """With no fault set, and with a rule that never fires, nothing is different."""

    async def both(self, conversation: Callable[[redis.Redis], list[Any]]) -> None:
        """The same conversation direct and through the proxy, in RESP2 and RESP3."""
        never = Plan(rules=(Rule(Error(), verbs=frozenset({"NEVER"})),), seed=1)
        for protocol in (2, 3):
            direct = await self.in_thread(conversation, self.client(self.server.port, protocol=protocol))
            self.assertGreater(len(direct), 2)
            for plan in (None, never):
                service = self.proxied(plan)
                client = self.client(service.port, protocol=protocol)
                self.assertEqual(await self.in_thread(conversation, client), direct)
                self.assertEqual(service.proxy.stats.opaque, 0)

    async def test_ordinary(self) -> None:
        """The library's ordinary commands."""
        await self.both(ordinary)

    async def test_transactions(self) -> None:
        """Pipelines, transactions, WATCH."""
        await self.both(transactions)

    async def test_subscriptions(self) -> None:
        """Pub/sub."""
        await self.both(subscriptions)

    async def test_monitor(self) -> None:
        """MONITOR streams what it sees."""

        def watch(client: redis.Redis, other: redis.Redis) -> str:
            with client.monitor() as monitor:
                other.set("seen", 1)
                # The library greets the server first, which can be seen as well.
                commands = (str(command["command"]) for command in monitor.listen())
                return next(command for command in commands if command.startswith("SET"))

        service = self.proxied(Plan(rules=(Rule(Error(), verbs=frozenset({"NEVER"})),), seed=1))
        seen = await self.in_thread(watch, self.client(service.port), self.client(self.server.port))
        self.assertEqual(seen, "SET seen 1")

    async def test_large_value(self) -> None:
        """100 MB there and back, through the framing."""
        value = bytes(range(256)) * (100 * MEGABYTE // 256)

        def there_and_back(client: redis.Redis) -> str:
            client.set("large", value)
            returned: Any = client.get("large")
            return hashlib.sha256(returned).hexdigest()

        for plan in (None, Plan(rules=(Rule(Error(), verbs=frozenset({"NEVER"})),), seed=1)):
            digest = await self.in_thread(there_and_back, self.client(self.proxied(plan).port))
            self.assertEqual(digest, hashlib.sha256(value).hexdigest())

    async def test_many_links(self) -> None:
        """Two hundred at once."""
        service = self.proxied()

        def many() -> list[Any]:
            clients = [redis.Redis(host="127.0.0.1", port=service.port or 0) for _ in range(200)]
            for number, each in enumerate(clients):
                each.set(f"key:{number}", number)
            values = [each.get(f"key:{number}") for number, each in enumerate(clients)]
            for each in clients:
                each.close()
            return values

        self.assertEqual(await self.in_thread(many), [b"%d" % number for number in range(200)])
        await self.until(lambda: not service.proxy.links)

    async def test_replication_goes_opaque(self) -> None:
        """A replica can replicate through the proxy; the link is said to be opaque."""
        service = self.proxied()
        replica = self.start_server(RedisServer("--replicaof", "127.0.0.1", str(service.port)))
        master = self.client(self.server.port, socket_timeout=90.0)
        await self.in_thread(master.set, "key", "value")
        self.assertEqual(await self.in_thread(master.wait, 1, 60_000), 1)
        self.assertEqual(await self.in_thread(self.client(replica.port).get, "key"), b"value")
        self.assertGreaterEqual(service.proxy.stats.opaque, 1)

    async def test_benchmark(self) -> None:
        """redis-benchmark, pipelined, without one error, with and without a rule."""
        program = require("redis-benchmark", "redis-tools")
        never = Plan(rules=(Rule(Error(), verbs=frozenset({"NEVER"})),), seed=1)
        for plan in (None, never):
            service = self.proxied(plan)
            command = [program, "-p", str(service.port), "-c", "50", "-P", "16", "-n", "20000", "-q"]
            command += ["-t", "ping,set,get,incr,lpush,lrange_100,mset"]
            done = await self.in_thread(subprocess.run, command, capture_output=True, text=True, timeout=110)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertNotIn("rror", done.stdout)
            self.assertIn("LRANGE_100", done.stdout)
            self.assertEqual(service.proxy.stats.opaque, 0)


class FaultTests(RedisCase):
    """Each behavior, as redis-py sees it."""

    async def raised(self, call: Callable[[], Any]) -> BaseException | None:
        """What a call in a thread raises."""

        def run() -> BaseException | None:
            try:
                call()
            except redis.RedisError as error:
                return error
            return None

        return await self.in_thread(run)

    async def test_delay(self) -> None:
        """A client that does not wait long enough times out; one that waits gets its answer."""
        service = self.proxied(Delay(sleep=60.0))
        impatient = self.client(service.port, socket_timeout=0.2)
        self.assertIsInstance(await self.raised(impatient.ping), redis.TimeoutError)
        for before in (True, False):
            service.proxy.set_plan(Plan.only(Delay(sleep=0.05, before=before)))
            self.assertTrue(await self.in_thread(self.client(service.port).ping))

    async def test_delay_of_one_link(self) -> None:
        """While one link waits another one works."""
        service = self.proxied(Plan(rules=(Rule(Delay(sleep=60.0), verbs=frozenset({"INCRBY"})),), seed=1))
        waiting = self.in_thread(self.client(service.port).incr, "n")
        await self.until(lambda: service.proxy.stats.fired == 1)
        self.assertTrue(await self.in_thread(self.client(service.port).ping))
        service.proxy.set_plan(Plan())
        self.assertEqual(await waiting, 1)

    async def test_hang(self) -> None:
        """Until the client's own time-out; when the rule is removed, what was held is done."""
        service = self.proxied(Hang())
        impatient = self.client(service.port, socket_timeout=0.2)
        self.assertIsInstance(await self.raised(lambda: impatient.set("lost", 1)), redis.TimeoutError)
        impatient.close()
        patient = self.in_thread(self.client(service.port).set, "kept", 1)
        await self.until(lambda: service.proxy.stats.fired == 2)
        service.proxy.set_plan(Plan())
        self.assertTrue(await patient)
        direct = self.client(self.server.port)
        self.assertEqual(await self.in_thread(direct.mget, "lost", "kept"), [None, b"1"])
        await self.until(lambda: len(service.proxy.links) <= 1)

    async def test_hang_timeout(self) -> None:
        """After its time-out the connection is closed."""
        service = self.proxied(Hang(timeout=0.1))
        self.assertIsInstance(await self.raised(self.client(service.port).ping), redis.ConnectionError)

    async def test_blackout(self) -> None:
        """New connections and pooled ones are closed, with FIN or RST."""
        for reset in (False, True):
            service = self.proxied()
            pooled = self.client(service.port)
            await self.in_thread(pooled.ping)
            service.proxy.set_plan(Plan.only(Blackout(reset=reset)))
            for client in (pooled, self.client(service.port)):
                self.assertIsInstance(await self.raised(client.ping), redis.ConnectionError)
            service.proxy.set_plan(Plan())
            self.assertTrue(await self.in_thread(pooled.ping))

    async def test_blackout_existing(self) -> None:
        """Standing links are closed when it is set."""
        service = self.proxied()
        pooled = self.client(service.port)
        await self.in_thread(pooled.ping)
        service.proxy.set_plan(Plan.only(Blackout(existing=True)))
        await self.until(lambda: not service.proxy.links)
        self.assertIsInstance(await self.raised(pooled.ping), redis.ConnectionError)

    async def test_garbage_and_inject(self) -> None:
        """What is not RESP is an error, and nothing hangs."""
        service = self.proxied(Error(garbage=True))
        self.assertIsInstance(await self.raised(self.client(service.port).ping), redis.RedisError)
        service.proxy.set_plan(Plan())
        await self.in_thread(self.client(service.port).set, "key", "value" * 100)
        service.proxy.set_plan(Plan.only(Error(inject=True), seed=2))
        read = self.client(service.port, socket_timeout=5.0)

        def get() -> Any:
            try:
                return read.get("key")
            except redis.RedisError as error:
                return error

        self.assertNotEqual(await self.in_thread(get), b"value" * 100)

    async def test_transient(self) -> None:
        """The first two fail, then all is well: what a retry is for."""
        service = self.proxied(Transient(kind="loading", agitate=2))
        retrying = self.client(
            service.port, retry=Retry(NoBackoff(), 3), retry_on_error=[redis.BusyLoadingError]
        )
        self.assertTrue(await self.in_thread(retrying.set, "key", 1))
        self.assertEqual(service.proxy.active.mix[0][1].tally.fired, 2)

    async def test_abort(self) -> None:
        """The work is done, and the client does not learn of it."""
        for number, behavior in enumerate((Abort(), Abort(reset=True), Abort(wait=True))):
            service = self.proxied()
            client = self.client(service.port)
            await self.in_thread(client.ping)
            service.proxy.set_plan(Plan.only(behavior))
            error = await self.raised(functools.partial(client.set, f"key:{number}", number))
            self.assertIsInstance(error, redis.ConnectionError)
            await self.until(functools.partial(no_links, service))
            value = await self.in_thread(self.client(self.server.port).get, f"key:{number}")
            self.assertEqual(value, b"%d" % number)

    async def test_error_in_a_pipeline(self) -> None:
        """A refused command in the middle of a pipeline fails alone, in its place."""
        service = self.proxied(Plan(rules=(Rule(Error(kind="oom"), target="bad:*"),), seed=1))
        client = self.client(service.port)

        def run() -> list[Any]:
            pipe = client.pipeline(transaction=False)
            for number in range(30):
                pipe.set(f"{'bad' if number % 3 == 1 else 'good'}:{number}", number)
            return pipe.execute(raise_on_error=False)

        results = await self.in_thread(run)
        for number, result in enumerate(results):
            if number % 3 == 1:
                self.assertIsInstance(result, redis.exceptions.OutOfMemoryError)
            else:
                self.assertIs(result, True)
        self.assertTrue(await self.in_thread(client.ping))

    async def test_error_in_a_transaction(self) -> None:
        """A refused command spoils its transaction, as with the real server; the link is in step after it."""
        service = self.proxied(Plan(rules=(Rule(Error(kind="readonly"), target="bad"),), seed=1))
        client = self.client(service.port)

        def run() -> Any:
            pipe: Any = client.pipeline()
            return pipe.set("good", 1).set("bad", 2).execute()

        self.assertIsInstance(await self.raised(run), redis.ReadOnlyError)
        good = await self.in_thread(client.get, "good")
        self.assertIsNone(good)
        self.assertEqual(
            await self.in_thread(transactions, client),
            await self.in_thread(transactions, self.client(self.server.port)),
        )

    async def test_live_on_a_pooled_connection(self) -> None:
        """A behavior set over HTTP holds for the next command of a connection that stands."""
        service = self.proxied()
        control = ControlService(Proxies.of(service.proxy, Registry.load()), "localhost", 0, reactor=reactor)
        control.startService()
        self.addCleanup(control.stopService)
        vaurien = Client(port=control.port)

        def run() -> list[str]:
            pooled = self.client(service.port, single_connection_client=True)
            seen = [str(pooled.ping())]
            with vaurien.with_behavior("error", kind="loading"):
                try:
                    pooled.get("key")
                except redis.BusyLoadingError as error:
                    seen.append(str(error))
            seen.append(str(pooled.set("key", 1)))
            return seen

        self.assertEqual(
            await self.in_thread(run), ["True", "Redis is loading the dataset in memory", "True"]
        )


class CatalogueTests(RedisCase):
    """Every kind of the catalogue through redis-py: the exception that the real server's error raises."""

    async def test_exceptions(self) -> None:
        """The class and the words; and the link is in step after it."""
        service = self.proxied()
        for kind, called, call, exception, words in EXPECTED:
            text = CUSTOM if kind == "custom" else ""
            client = self.client(service.port)
            if kind != "max-clients":
                await self.in_thread(client.ping)
            service.proxy.set_plan(Plan.only(Error(kind=kind, text=text), seed=1))
            error = await self.in_thread(outcome, call, client)
            self.assertIs(type(error), exception, f"{kind}: {called} raised {error!r}")
            self.assertIn(words, str(error), f"{kind}: {error}")
            service.proxy.set_plan(Plan())
            self.assertEqual(await self.in_thread(outcome, ask_around, client), [True, b"value"], kind)
        self.assertEqual(service.proxy.stats.opaque, 0)

    def test_whole_catalogue(self) -> None:
        """No kind is left out."""
        self.assertEqual([each[0] for each in EXPECTED], [kind.name for kind in Redis.error_kinds])


def no_links(service: ProxyService) -> bool:
    """Whether all links of a proxy have gone."""
    return not service.proxy.links


def outcome(call: Callable[[Any], Any], client: redis.Redis) -> Any:
    """What a call returns, or the error that it raises."""
    try:
        return call(client)
    except redis.RedisError as error:
        return error


def ask_around(client: redis.Redis) -> list[Any]:
    """A few commands that only work in step."""
    return [client.set("probe", "value"), client.get("probe")]


class RestartTests(RedisCase):
    """The backend is killed and comes back, under load."""

    async def test_killed_under_load(self) -> None:
        """Clients see their connections end, the proxy serves the next one, nothing is left behind."""
        service = self.proxied()
        stop = threading.Event()
        errors: list[type] = []
        rounds = [0]

        def load() -> None:
            client = redis.Redis(host="127.0.0.1", port=service.port or 0, retry=Retry(NoBackoff(), 0))
            while not stop.is_set():
                try:
                    pipe: Any = client.pipeline(transaction=False)
                    pipe.set("key", "x" * 1000).get("key").execute()
                    rounds[0] += 1
                except redis.ConnectionError as error:
                    errors.append(type(error))
                    stop.wait(0.01)
            client.close()

        before = descriptors()
        workers = [self.in_thread(load) for _ in range(8)]
        await self.until(lambda: rounds[0] > 200)
        await self.in_thread(self.server.kill)
        await self.until(lambda: len(errors) > 16)
        await self.in_thread(self.server.start)
        again = rounds[0] + 200
        await self.until(lambda: rounds[0] > again)
        stop.set()
        for worker in workers:
            await worker
        await self.until(lambda: not service.proxy.links)
        # The pool of threads keeps nothing open; what the reactor opened for them stays.
        await self.until(lambda: descriptors() <= before + 8)
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertGreater(service.proxy.stats.failed, 0)


class ProcessTests(RedisCase):
    """The whole program, in a process of its own."""

    def start_process(self, *options: str) -> tuple[int, int]:
        """``vaurien`` in front of the server: its pid and its port."""
        port = free_port()
        pid = start_proxy(
            proxy_host="127.0.0.1",
            proxy_port=port,
            backend_host="127.0.0.1",
            backend_port=self.server.port,
            protocol="redis",
            http=False,
            log_level="error",
            options=options,
        )
        self.addCleanup(self.ended, pid)
        return pid, port

    def ended(self, pid: int) -> None:
        """End the process, if the test has not."""
        with contextlib.suppress(ValueError):
            stop_proxy(pid)

    async def test_half_a_gigabyte(self) -> None:
        """A value of 500 MB, there and back, framed on its way, while memory stays flat."""
        size = 500 * MEGABYTE
        pid, port = await self.in_thread(self.start_process, "--behavior", "0:error")

        def there_and_back() -> int:
            block = bytes(MEGABYTE)
            with socket.create_connection(("127.0.0.1", port), timeout=60) as sock:
                sock.sendall(b"*3\r\n$3\r\nSET\r\n$5\r\nlarge\r\n$%d\r\n" % size)
                for _ in range(500):
                    sock.sendall(block)
                sock.sendall(b"\r\n*2\r\n$3\r\nGET\r\n$5\r\nlarge\r\n")
                expected = len(b"+OK\r\n") + len(b"$%d\r\n" % size) + size + len(b"\r\n")
                got = 0
                while got < expected and (data := sock.recv(MEGABYTE)):
                    got += len(data)
                return got - expected

        self.assertEqual(await self.in_thread(there_and_back), 0)
        self.assertLess(peak_memory(pid), 150 * MEGABYTE)

    async def test_sigterm(self) -> None:
        """With links that stand, one of them blocked: the clients' connections end, and exit status 0."""
        options = ["--protocol", "redis", "--log-level", "error"]
        places = ["--proxy", f"127.0.0.1:{free_port()}", "--backend", f"127.0.0.1:{self.server.port}"]
        process = start([sys.executable, "-m", "txvaurien", *options, *places], READY_FD="1")
        assert process.stdout is not None
        ready = (await self.in_thread(process.stdout.readline)).split()
        sock = connect(int(ready[1]))
        self.addCleanup(sock.close)
        sock.sendall(b"PING\r\n")
        self.assertEqual(await self.in_thread(sock.recv, 100), b"+PONG\r\n")
        sock.sendall(b"BLPOP nothing 0\r\n")
        process.send_signal(signal.SIGTERM)
        _, said = await self.in_thread(process.communicate, timeout=30)
        self.assertEqual((process.returncode, said), (0, b""))
        self.assertEqual(sock.recv(10), b"")


def start(command: list[str], **environment: str) -> subprocess.Popen[bytes]:
    """A process whose output can be read, with these variables set for vaurien."""
    variables = {f"VAURIEN_{name}": value for name, value in environment.items()}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env={**os.environ, **variables}, stdout=pipe, stderr=pipe)


def peak_memory(pid: int) -> int:
    """The most memory that a process has had, in bytes."""
    with open(f"/proc/{pid}/status") as status:
        line = next(line for line in status if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def talk(port: int, data: bytes) -> bytes:
    """Say something and read until the end."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        parts = []
        while part := sock.recv(MEGABYTE):
            parts.append(part)
        return b"".join(parts)


class GarbageTests(RedisCase):
    """What is not Redis."""

    async def test_garbage(self) -> None:
        """The real server answers what it answers; the proxy goes on serving others."""
        service = self.proxied(Plan(rules=(Rule(Error(), verbs=frozenset({"NEVER"})),), seed=1))
        for data in (
            b"*x\r\n",
            b"*1\r\n$-5\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 50,
        ):
            direct = await self.in_thread(talk, self.server.port, data)
            self.assertEqual(await self.in_thread(talk, service.port or 0, data), direct)
        self.assertTrue(await self.in_thread(self.client(service.port).ping))
