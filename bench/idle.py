"""What an idle link costs, protocol by protocol: `python -m bench.idle`.

A link is opened, used for one exchange and left alone. Printed is how much the memory of the
proxy process grows for each of them, in KB (1024 bytes), without what the kernel holds. The
backend only says its lines, so that links are all there is to see.
"""

from __future__ import annotations

import argparse
import selectors
import socket
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from bench.backends import ROOT
from bench.links import most_links
from bench.process import HOST, Failed, Process
from bench.usage import usage

_BURST = 250
_READ = 65536


@dataclass(frozen=True)
class Talk:
    """One exchange, with what comes before it: the server's greeting, then (request, answer) in turn."""

    greeting: bytes
    turns: tuple[tuple[bytes, bytes], ...]


# The protocol's own length and number in front, then: a greeting of protocol version 10, a login
# with an empty password, OK, COM_PING, OK (MySQL internals, "Connection Phase").
_MYSQL_GREETING = (
    b"\x4a\0\0\0\x0a8.0.30\0\1\0\0\0abcdefgh\0\xff\xf7\x21\2\0\xff\x81\x15" + bytes(10) + b"ijklmnopqrst\0"
    b"mysql_native_password\0"
)
_MYSQL_LOGIN = b"\x0d\xa2\x0b\0\0\0\0\1\x21" + bytes(23) + b"bench\0\0mysql_native_password\0"
_MYSQL_OK = b"\7\0\0\2\0\0\0\2\0\0\0"

TALKS = {
    "tcp": Talk(b"", ((b"PING\r\n", b"+PONG\r\n"),)),
    "redis": Talk(b"", ((b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n"),)),
    "http": Talk(
        b"",
        ((b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"),),
    ),
    "memcache": Talk(b"", ((b"get key\r\n", b"END\r\n"),)),
    "smtp": Talk(b"220 bench ESMTP\r\n", ((b"EHLO bench\r\n", b"250-bench\r\n250 8BITMIME\r\n"),)),
    "mysql": Talk(
        _MYSQL_GREETING,
        (
            (len(_MYSQL_LOGIN).to_bytes(3, "little") + b"\1" + _MYSQL_LOGIN, _MYSQL_OK),
            (b"\1\0\0\0\x0e", b"\7\0\0\1\0\0\0\2\0\0\0"),
        ),
    ),
}


class Lines(Process):
    """A backend that answers what `TALKS` expects, and nothing else."""

    def __init__(self, protocol: str) -> None:
        super().__init__()
        self.command = [sys.executable, "-m", "bench.idle", "--serve", protocol, str(self.port)]
        self.env = {"PYTHONPATH": str(ROOT)}


class Proxy(Process):
    """`vaurien`, of the tree in `tree` or of this one."""

    def __init__(self, protocol: str, backend: int, tree: str) -> None:
        super().__init__()
        where = ["--proxy", f"{HOST}:{self.port}", "--backend", f"{HOST}:{backend}", "--backlog", "4096"]
        self.command = [sys.executable, "-m", "txvaurien", *where, "--protocol", protocol]
        self.env = {"PYTHONPATH": tree}


def serve(talk: Talk, port: int) -> None:
    """Say the lines to whoever connects, until the process is ended."""
    answers = dict(talk.turns)
    with (
        selectors.DefaultSelector() as selector,
        socket.create_server((HOST, port), backlog=4096) as listener,
    ):
        selector.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is not listener:
                    assert isinstance(key.fileobj, socket.socket)
                    _talk(selector, key.fileobj, answers)
                    continue
                client, _ = listener.accept()
                selector.register(client, selectors.EVENT_READ)
                with suppress(OSError):
                    # Whoever only tried the port is gone already; reading tells so.
                    client.sendall(talk.greeting)


def _talk(selector: selectors.BaseSelector, peer: socket.socket, answers: dict[bytes, bytes]) -> None:
    try:
        asked = peer.recv(_READ)
        if asked:
            peer.sendall(answers[asked])
            return
    except OSError:
        # It has been reset, and is forgotten as one that was closed.
        pass
    selector.unregister(peer)
    peer.close()


def kilobytes(protocol: str, count: int, tree: str) -> float:
    """KB for each of `count` idle links, in a new process.

    :raises Failed: a link was not accepted or not answered.
    """
    with Lines(protocol) as backend, Proxy(protocol, backend.port, tree) as proxy, ExitStack() as stack:
        # What is only allocated at the first links is no link's.
        _hold(proxy.port, 20, TALKS[protocol], stack)
        before = usage(proxy.pid).memory
        _hold(proxy.port, count, TALKS[protocol], stack)
        return (usage(proxy.pid).memory - before) / count


def _hold(port: int, count: int, talk: Talk, stack: ExitStack) -> None:
    for begin in range(0, count, _BURST):
        burst = [
            stack.enter_context(socket.create_connection((HOST, port), timeout=20))
            for _ in range(min(_BURST, count - begin))
        ]
        for link in burst:
            _expect(link, talk.greeting)
        for request, answer in talk.turns:
            for link in burst:
                link.sendall(request)
            for link in burst:
                _expect(link, answer)


def _expect(link: socket.socket, words: bytes) -> None:
    got = b""
    while len(got) < len(words):
        piece = link.recv(_READ)
        if not piece:
            break
        got += piece
    if got != words:
        raise Failed(f"a link was answered {got!r} in place of {words!r}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, or serve, as the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--links", type=int, default=10_000)
    parser.add_argument("--protocol", action="append", choices=TALKS, help="by default all of them")
    parser.add_argument("--tree", default=str(ROOT), help="the folder with the txvaurien to measure")
    parser.add_argument("--serve", nargs=2, metavar=("PROTOCOL", "PORT"), help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.serve:
        serve(TALKS[chosen.serve[0]], int(chosen.serve[1]))
    count = most_links(chosen.links)
    print(f"KB for each of {count} idle links:")
    for protocol in chosen.protocol or TALKS:
        print(f"{protocol:10}{kilobytes(protocol, count, chosen.tree):8.2f}", flush=True)


if __name__ == "__main__":
    main()
