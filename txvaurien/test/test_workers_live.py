"""``--workers``: real processes, real sockets, one control API for all of them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.clients.processes import ProxyProcess
from txvaurien.test.peers import ScriptedBackend
from txvaurien.test.servers import free_port, wait_until

_VAURIEN = [sys.executable, "-m", "txvaurien"]
_TWISTD = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()"]


def pong(peer: socket.socket) -> None:
    """A Redis server, as far as PING goes."""
    while data := peer.recv(65536):
        peer.sendall(b"+PONG\r\n" * data.count(b"\n"))


def runs(pid: int) -> bool:
    """Whether there is such a process; one that has ended and waits for its parent to notice is none."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


class Client:
    """A client with one connection."""

    def __init__(self, address: Any) -> None:
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.sock = socket.socket(family)
        self.sock.settimeout(30)
        self.sock.connect(address)

    def ping(self) -> str:
        """The first character of the answer: + or - ; empty if the connection is gone."""
        try:
            self.sock.sendall(b"PING\r\n")
            said = b""
            while not said.endswith(b"\n"):
                piece = self.sock.recv(4096)
                if not piece:
                    return ""
                said += piece
        except ConnectionError:
            return ""
        return said[:1].decode()


class WorkersCase(SynchronousTestCase):
    """A proxy with workers before a small server."""

    def setUp(self) -> None:
        if not sys.platform.startswith("linux"):
            self.skipTest("these tests look into /proc")
        self.backend = ScriptedBackend(pong)
        self.addCleanup(self.backend.stop)
        self.errors = open(self.mktemp(), "w+b", buffering=0)  # noqa: SIM115 - for as long as the test
        self.addCleanup(self.errors.close)

    def start(self, *options: str, workers: int = 2, program: Sequence[str] = _VAURIEN) -> None:
        """Start the proxy; it ends with the test."""
        self.port, self.http = free_port(), free_port()
        self.process = ProxyProcess(
            [
                *program,
                f"--proxy=127.0.0.1:{self.port}",
                f"--backend=127.0.0.1:{self.backend.port}",
                "--protocol=redis",
                "--http",
                f"--http-port={self.http}",
                f"--workers={workers}",
                *options,
            ],
            self.errors.fileno(),
        )
        self.addCleanup(self.process.stop)
        self.process.wait_until_ready()

    def said(self) -> str:
        """What it said on standard error."""
        return Path(self.errors.name).read_text(encoding="utf-8")

    def workers(self) -> list[int]:
        """The process ids of the workers."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
        return [int(each) for each in children.split()]

    def api(self, method: str, path: str, body: object = None) -> Any:
        """Ask the control API."""
        raw = None if body is None else json.dumps(body).encode()
        url, headers = f"http://127.0.0.1:{self.http}{path}", {"Content-Type": "application/json"}
        request = urllib.request.Request(url, raw, headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def client(self) -> Client:
        """A client that ends with the test."""
        client = Client(("127.0.0.1", self.port))
        self.addCleanup(client.sock.close)
        return client

    def clients(self, count: int) -> list[Client]:
        """So many of them, each with a link that works."""
        clients = [self.client() for _ in range(count)]
        self.assertEqual(self.pings(clients), ["+"] * count)
        return clients

    def pings(self, clients: Iterable[Client]) -> list[str]:
        """What each is answered."""
        return [client.ping() for client in clients]

    def until(self, ready: Any) -> None:
        """Wait until something is so."""
        wait_until(ready, self.said)


class ServeTests(WorkersCase):
    """What clients and the control API see of two workers."""

    def test_in_effect(self) -> None:
        """When the API answers, every link of every worker follows the new plan."""
        self.start()
        clients = self.clients(8)
        for _ in range(10):
            self.api("PUT", "/plan", {"rules": [{"behavior": "error", "kind": "loading"}]})
            self.assertEqual(self.pings(clients), ["-"] * 8)
            self.api("PUT", "/plan", {})
            self.assertEqual(self.pings(clients), ["+"] * 8)
        self.api("POST", "/rules", {"behavior": "error", "kind": "loading", "name": "r"})
        self.assertEqual(self.pings(clients), ["-"] * 8)
        self.api("DELETE", "/rules/r")
        self.assertEqual(self.pings(clients), ["+"] * 8)

    def test_exact(self) -> None:
        """A rule fires as often as it is told to, however many ask at the same time."""
        self.start("--rule=error kind=loading times=100 name=hundred", workers=3)
        clients = [self.client() for _ in range(12)]

        def load(client: Client) -> str:
            return "".join(client.ping() for _ in range(50))

        with ThreadPoolExecutor(len(clients)) as pool:
            answers = "".join(pool.map(load, clients))
        self.assertEqual((answers.count("-"), answers.count("+")), (100, 500))
        report = self.api("GET", "/rules/hundred?fired=100&timeout=60")
        self.assertEqual((report["matched"], report["fired"]), (600, 100))
        fired = self.api("GET", "/journal?event=fired&limit=10000")["records"]
        self.assertEqual(len(fired), 100)

    def test_links(self) -> None:
        """Links have one row of numbers, in the order of the clients, and each can be ended."""
        self.start()
        clients = self.clients(5)
        names = ["127.0.0.1:{1}".format(*client.sock.getsockname()) for client in clients]
        listed = self.api("GET", "/links")["links"]
        self.assertEqual([(link["id"], link["client"]) for link in listed], list(enumerate(names, 1)))
        self.api("DELETE", "/links/4")
        self.assertEqual(self.pings(clients), ["+", "+", "+", "", "+"])
        self.assertEqual(self.api("DELETE", "/links?how=fin")["killed"], 4)
        self.assertEqual(self.pings(clients), [""] * 5)

    def test_actions(self) -> None:
        """What is done to the listener, and what is done to links, is done to all of them."""
        self.start()
        clients = self.clients(4)
        self.api("POST", "/actions/disable")
        self.assertEqual(self.pings(clients), [""] * 4)
        self.assertRaises(ConnectionRefusedError, self.client)
        self.api("DELETE", "/actions/disable")
        clients = self.clients(4)
        self.api("POST", "/actions/half_open")
        self.api("DELETE", "/actions/half_open")
        self.assertEqual(self.pings(clients), [""] * 4)
        self.api("POST", "/actions/slow_accept", {"delay": 1})
        self.clients(4)

    def test_panic(self) -> None:
        """SIGUSR1 to the master removes every fault everywhere."""
        self.start("--behavior=error", "--behavior-error-kind=loading")
        clients = [self.client() for _ in range(4)]
        self.assertEqual(self.pings(clients), ["-"] * 4)
        os.kill(self.process.pid, signal.SIGUSR1)
        self.until(lambda: self.api("GET", "/behavior")["behavior"] == "dummy")
        self.until(lambda: self.pings(clients) == ["+"] * 4)

    def test_own_class(self) -> None:
        """A class that an INI file names is there in the workers."""
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "mine.ini").write_text(
            "[behavior:flaky]\ncallable = txvaurien.test.workers_behavior.Flaky\n", encoding="utf-8"
        )
        self.start(f"--config={folder / 'mine.ini'}", "--rule=flaky word=again verb=PING")
        client = self.client()
        client.sock.sendall(b"PING\r\n")
        self.assertEqual(client.sock.recv(100), b"+again\r\n")

    def test_journal(self) -> None:
        """The journal of all workers is one file."""
        path = os.path.abspath(self.mktemp())
        self.start(f"--journal={path}")
        for client in self.clients(4):
            client.sock.close()
        self.until(lambda: not self.api("GET", "/links")["links"])
        self.process.stop()
        lines = [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]
        for number in range(1, 5):
            events = [line["event"] for line in lines if line.get("link") == number]
            self.assertEqual(events, ["link-opened", "link-closed"])


class DeathTests(WorkersCase):
    """Processes that end, and those that do not."""

    def test_kill_a_worker(self) -> None:
        """Its links die, those of the other go on; another worker has the same plan and the counters."""
        self.start("--rule=error kind=loading times=1 name=once")
        self.assertEqual(self.client().ping(), "-")
        clients = self.clients(5)
        victim, other = self.workers()
        os.kill(victim, signal.SIGKILL)
        self.until(lambda: self.api("GET", "/journal?event=worker-died")["records"])
        answers = self.pings(clients)
        self.assertIn(answers.count("+"), (2, 3))
        self.assertEqual(answers.count("+") + answers.count(""), 5)
        self.until(lambda: len(self.workers()) == 2)
        [heir] = set(self.workers()) - {other}
        # The next clients are for the one that has no links.
        self.clients(3)
        report = self.api("GET", "/rules/once")
        self.assertEqual((report["fired"], report["matched"]), (1, 6 + answers.count("+") + 3))
        self.assertTrue(runs(heir))

    def test_set_meanwhile(self) -> None:
        """A change that is made while a worker dies holds everywhere when the API answers."""
        self.start()
        for kind in ("loading", "masterdown"):
            os.kill(self.workers()[0], signal.SIGKILL)
            self.api("PUT", "/plan", {"rules": [{"behavior": "error", "kind": kind}]})
            self.until(lambda: len(self.workers()) == 2)
            self.assertEqual(self.pings([self.client() for _ in range(4)]), ["-"] * 4)

    def test_stop(self) -> None:
        """SIGTERM ends all of them, and no client is left hanging."""
        self.start(workers=3)
        clients = self.clients(6)
        workers = self.workers()
        self.assertEqual(len(workers), 3)
        self.assertEqual(self.process.stop(), 0)
        self.assertEqual([runs(pid) for pid in workers], [False] * 3)
        self.assertEqual(self.pings(clients), [""] * 6)

    def test_interrupt(self) -> None:
        """Ctrl-C, which the terminal sends to all of them, is left to the master."""
        self.start()
        [client] = self.clients(1)
        for pid in self.workers():
            os.kill(pid, signal.SIGINT)
            os.kill(pid, signal.SIGUSR1)
        self.assertEqual(client.ping(), "+")
        self.assertEqual(self.api("GET", "/journal?event=worker-died")["records"], [])

    def test_master_is_killed(self) -> None:
        """Workers end by themselves when the master is gone."""
        self.start()
        [client] = self.clients(1)
        workers = self.workers()
        os.kill(self.process.pid, signal.SIGKILL)
        self.until(lambda: not any(map(runs, workers)))
        self.assertEqual(client.ping(), "")

    def test_terminated_worker(self) -> None:
        """A worker that is told to end does so in order: its links end with FIN, and are journalled."""
        self.start(workers=2)
        self.clients(4)
        os.kill(self.workers()[0], signal.SIGTERM)
        self.until(lambda: self.api("GET", "/journal?event=worker-died")["records"])
        closed = self.api("GET", "/journal?event=link-closed")["records"]
        self.assertEqual([record["how"] for record in closed], ["stopped"] * 2)


class StartTests(WorkersCase):
    """Other ways to start, and those that are refused."""

    def refused(self, *options: str) -> str:
        """What is said when it does not start."""
        said = subprocess.run(
            [*_VAURIEN, "--workers=2", f"--backend=127.0.0.1:{self.backend.port}", *options],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.assertEqual(said.returncode, 1)
        return said.stderr

    def test_busy_port(self) -> None:
        """A port that is taken is an error, as ever."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            said = self.refused(f"--proxy=127.0.0.1:{port}")
        self.assertIn(f"cannot listen on 127.0.0.1:{port}: the port is in use", said)

    def test_no_proxy(self) -> None:
        """Without a proxy there is no work."""
        said = self.refused("--no-proxy", "--http-port=0")
        self.assertEqual(
            said, "vaurien: --workers: without a proxy they have nothing to do; leave --no-proxy out\n"
        )

    def test_unix(self) -> None:
        """A Unix socket can be shared, too."""
        path = os.path.relpath(self.mktemp())
        self.start(f"--proxy=unix:{path}")
        self.port = 0
        with contextlib.ExitStack() as stack:
            clients = [Client(path) for _ in range(4)]
            for client in clients:
                stack.enter_context(client.sock)
            self.assertEqual(self.pings(clients), ["+"] * 4)
            self.assertEqual(len(self.api("GET", "/links")["links"]), 4)

    def test_twistd(self) -> None:
        """twistd runs workers as well, and ends them."""
        self.start(program=[*_TWISTD, "--nodaemon", "--pidfile=", "vaurien"])
        self.clients(4)
        workers = self.workers()
        self.assertEqual(len(workers), 2)
        # twistd ends by the signal that it was sent.
        self.assertEqual(self.process.stop(), -signal.SIGTERM)
        self.assertEqual([runs(pid) for pid in workers], [False] * 2)

    def test_one(self) -> None:
        """One worker is no worker: there is one process."""
        self.start(workers=1)
        self.clients(2)
        self.assertEqual(self.workers(), [])
