"""Clients that say first for whom they come, and backends that are told (PROXY protocol)."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import sys
from collections.abc import Sequence
from ipaddress import ip_network
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.error import Error
from txvaurien.clients.processes import ProxyProcess
from txvaurien.net.ends import Ends
from txvaurien.net.proxyheader import header_for
from txvaurien.plan import Plan
from txvaurien.rules import Rule
from txvaurien.test.memory import MemoryProxy
from txvaurien.test.servers import ServerProcess, free_port, require

HEADER = b"PROXY TCP4 9.8.7.6 1.2.3.4 77 88\r\n"


class AcceptTests(SynchronousTestCase):
    """In memory, where a transport of Twisted's gives the bytes."""

    def setUp(self) -> None:
        rule = Rule(Error(kind="no"), clients=(ip_network("9.8.7.0/24"),))
        self.memory = MemoryProxy(Plan(rules=(rule,), seed=1), ends=Ends(accept_proxy=True), timeout=5.0)

    def test_address(self) -> None:
        """The client is who the header says, for rules and for the journal."""
        client = self.memory.client()
        self.assertEqual(self.memory.reactor.tcpClients, [])
        client.protocol.dataReceived(HEADER + b"get a\n")
        backend = self.memory.backend()
        self.memory.pass_time()
        self.assertEqual(self.memory.named("link-opened"), [{"client": "9.8.7.6:77"}])
        self.assertEqual((client.received, backend.received), (b"-no\n", b""))

    def test_pieces(self) -> None:
        """The header may come byte by byte; what stands behind it is the client's first word."""
        client = self.memory.client()
        for position in range(len(HEADER)):
            client.protocol.dataReceived(HEADER[position : position + 1])
        client.protocol.dataReceived(b"get")
        backend = self.memory.backend()
        client.protocol.dataReceived(b" a\n")
        self.assertEqual((client.received, backend.received), (b"-no\n", b""))

    def test_none(self) -> None:
        """A client without a header gets no link, and the log says once what to do."""
        for _ in range(2):
            client = self.memory.client()
            client.protocol.dataReceived(b"get a\n")
            self.assertEqual(client.ended, "rst")
        said = [each["why"] for each in self.memory.named("turned-away")]
        self.assertEqual(said, ["it does not begin with a PROXY protocol header"] * 2)
        self.assertEqual(self.memory.links, {})
        self.assertEqual(self.memory.named("link-opened"), [])

    def test_silent(self) -> None:
        """A client that says nothing is sent away in time, and leaves no timer behind."""
        client = self.memory.client()
        self.memory.pass_time(4.9)
        self.assertEqual(client.ended, "")
        self.memory.pass_time(0.2)
        self.assertEqual(client.ended, "rst")
        self.memory.pass_time()
        self.assertEqual(len(self.memory.named("turned-away")), 1)
        self.assertEqual(self.memory.reactor.getDelayedCalls(), [])

    def test_left(self) -> None:
        """A client that leaves before its header is complete is none."""
        client = self.memory.client()
        client.protocol.dataReceived(HEADER[:9])
        client.fins()
        self.memory.pass_time()
        [said] = self.memory.named("turned-away")
        self.assertEqual(said["why"], "it has left before its PROXY protocol header was complete")
        self.assertEqual(self.memory.reactor.getDelayedCalls(), [])

    def test_numbers(self) -> None:
        """Links have numbers in the order in which clients come, not in which they say who they are."""
        first, second = self.memory.client(), self.memory.client()
        second.protocol.dataReceived(HEADER)
        first.protocol.dataReceived(HEADER)
        opened = [number for event, number, _ in self.memory.events if event == "link-opened"]
        self.assertEqual(opened, [2, 1])


class SendTests(SynchronousTestCase):
    """What the backend hears first."""

    def said(self, ends: Ends, first: bytes = b"") -> bytes:
        """By a client that has sent `first` and asks for something."""
        memory = MemoryProxy(ends=ends)
        client = memory.client()
        client.protocol.dataReceived(first + b"get a\n")
        backend = memory.backend()
        [link] = memory.links.values()
        assert link.backend is not None
        # The header is nobody's words.
        self.assertEqual(link.backend.sent, len(b"get a\n"))
        return backend.received

    def test_peer(self) -> None:
        """The client's own address, and the one that it has connected to."""
        memory = MemoryProxy(ends=Ends(send_proxy="v1"))
        client = memory.client()
        peer, host = client.getPeer(), client.getHost()
        backend = memory.backend()
        line = f"PROXY TCP4 {peer.host} {host.host} {peer.port} {host.port}\r\n"
        self.assertEqual(backend.received, line.encode())

    def test_passed_on(self) -> None:
        """What a header said is said again, in the form that is asked for."""
        self.assertEqual(self.said(Ends(accept_proxy=True, send_proxy="v1"), HEADER), HEADER + b"get a\n")
        expected = header_for("v2", "9.8.7.6:77", ("1.2.3.4", 88)) + b"get a\n"
        self.assertEqual(self.said(Ends(accept_proxy=True, send_proxy="v2"), HEADER), expected)

    def test_off(self) -> None:
        """Without the option nothing is said before the client's first word."""
        self.assertEqual(self.said(Ends()), b"get a\n")


class HAProxy(ServerProcess):
    """HAProxy: on `front` it passes clients on to the proxy, on `port` it says who has come."""

    def __init__(self, to: int, send: str) -> None:
        super().__init__()
        self.front = free_port()
        self.to, self.send = to, send

    def command(self) -> Sequence[str]:
        configuration = self.folder / "haproxy.cfg"
        configuration.write_text(
            "defaults\n timeout connect 5s\n timeout client 20s\n timeout server 20s\n"
            f"listen front\n mode tcp\n bind 127.0.0.1:{self.front}\n"
            f" server vaurien 127.0.0.1:{self.to} {self.send}\n"
            f"listen back\n mode http\n bind 127.0.0.1:{self.port} accept-proxy\n"
            " http-request return status 200 content-type text/plain"
            ' lf-string "%[src]:%[src_port] %[dst]:%[dst_port]"\n',
            encoding="ascii",
        )
        return [require("haproxy", "haproxy"), "-db", "-f", str(configuration)]


class HAProxyTests(SynchronousTestCase):
    """HAProxy on both sides: the reference for either direction."""

    def run_between(self, send: str, *options: str) -> HAProxy:
        """HAProxy before and behind a proxy."""
        port = free_port()
        server = HAProxy(port, send)
        self.addCleanup(server.stop)
        server.start()
        self.journal = server.folder / "journal"
        command = [sys.executable, "-m", "txvaurien", "--protocol", "http", "--proxy", f"127.0.0.1:{port}"]
        command += ["--backend", f"127.0.0.1:{server.port}", "--journal", str(self.journal), *options]
        self.proxy = ProxyProcess(command, echo=-1)
        self.addCleanup(self.proxy.stop)
        self.proxy.wait_until_ready()
        return server

    def ask(self, port: int, context: ssl.SSLContext | None = None) -> tuple[str, str]:
        """Who the backend takes us for, and who we are."""
        connection = (
            http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            if context is None
            else http.client.HTTPSConnection("localhost", port, timeout=20, context=context)
        )
        with contextlib.closing(connection):
            connection.connect()
            ours = connection.sock.getsockname()
            connection.request("GET", "/")
            return connection.getresponse().read().decode(), f"{ours[0]}:{ours[1]}"

    def test_both_versions(self) -> None:
        """The client's address passes through: from HAProxy to the proxy, from that to HAProxy."""
        for send, version in (("send-proxy", "v2"), ("send-proxy-v2", "v1")):
            server = self.run_between(send, "--accept-proxy", "--send-proxy", version)
            said, ours = self.ask(server.front)
            self.assertEqual(said, f"{ours} 127.0.0.1:{server.front}")

    def test_send_only(self) -> None:
        """The proxy says who its own client is."""
        for version in ("v1", "v2"):
            server = self.run_between("send-proxy", "--send-proxy", version)
            said, ours = self.ask(server.to)
            self.assertEqual(said, f"{ours} 127.0.0.1:{server.to}")

    def test_endpoint(self) -> None:
        """A listener ``haproxy:`` says the same, and a client's FIN is one, as with every other."""
        port = free_port()
        where = f"haproxy:tcp:{port}:interface=127.0.0.1"
        self.run_between("send-proxy", "--proxy", where, "--send-proxy", "v2")
        with socket.create_connection(("127.0.0.1", port), 20) as client:
            client.sendall(HEADER + b"GET / HTTP/1.0\r\n\r\n")
            client.shutdown(socket.SHUT_WR)
            said = b"".join(iter(lambda: client.recv(4096), b""))
        self.assertIn(b" 200 ", said)
        self.assertEqual(self.proxy.stop(), 0)
        self.assertIn('"client":"9.8.7.6:77"', self.journal.read_text(encoding="utf-8"))

    def test_tls_and_workers(self) -> None:
        """The header comes before TLS, and worker processes read it."""
        ca = Path(self.mktemp())
        server = self.run_between(
            "send-proxy-v2",
            "--accept-proxy",
            "--send-proxy",
            "v2",
            "--workers",
            "2",
            "--tls",
            "auto",
            "--tls-ca-out",
            str(ca.absolute()),
        )
        context = ssl.create_default_context(cafile=str(ca))
        for _ in range(4):
            said, ours = self.ask(server.front, context)
            self.assertEqual(said, f"{ours} 127.0.0.1:{server.front}")

    def test_turned_away(self) -> None:
        """Clients without a header are turned away, also by workers; silent ones end with the proxy."""
        for workers in ("1", "2"):
            server = self.run_between(
                "send-proxy", "--accept-proxy", "--send-proxy", "v1", "--workers", workers
            )
            with socket.create_connection(("127.0.0.1", server.to), 20) as stray:
                stray.sendall(b"GET / HTTP/1.0\r\n\r\n")
                with contextlib.suppress(ConnectionResetError):
                    self.assertEqual(stray.recv(100), b"")
            said, ours = self.ask(server.front)
            self.assertEqual(said, f"{ours} 127.0.0.1:{server.front}")
            with socket.create_connection(("127.0.0.1", server.to), 20):
                self.assertEqual(self.proxy.stop(), 0)
            records = [json.loads(line) for line in self.journal.read_text(encoding="utf-8").splitlines()]
            turned = [each for each in records if each.get("event") == "turned-away"]
            self.assertEqual(turned[0]["link"], 1)
