"""``python -m bench.soak [--minutes 60] [--seed N]``: exit status 1 if anything deviated."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import sys
from pathlib import Path

from bench.backends import ROOT
from bench.process import HOST, Failed, Missing
from bench.soak.accounts import Accounts
from bench.soak.clients import Clients
from bench.soak.conn import Warden
from bench.soak.content import Pad
from bench.soak.ledger import Ledger
from bench.soak.mail import PostOffice
from bench.soak.proxied import Vaurien, terminating
from bench.soak.report import Report
from bench.soak.run import Run, Times
from bench.soak.services import Services
from bench.soak.tail import Tail
from bench.soak.tcp import TcpServer
from bench.soak.visit import Scene
from bench.soak.web import WebServer

#: How long a client waits while nothing moves, in seconds: longer than any fault lasts.
PATIENCE = 20.0


def main() -> int:
    """The exit status: 0 all well, 1 something deviated, 2 something is missing."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="how long (default: 60)")
    parser.add_argument(
        "--seed", type=int, default=random.SystemRandom().randrange(1, 2**31), help="of an earlier run"
    )
    parser.add_argument(
        "--folder", type=Path, default=ROOT / "build" / "soak", help="for the journal and the log"
    )
    parser.add_argument(
        "--tls",
        action="store_true",
        help="the proxies speak TLS with their backends, and a second process takes it off",
    )
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "soak.json", help="what was measured")
    given = parser.parse_args()
    # What ends the soak ends its children as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(f"seed {given.seed}, {given.minutes:g} minutes", flush=True)
    try:
        with Services().running() as services:
            times = Times.of(given.minutes * 60)
            report = asyncio.run(soak(services, given.folder, times, given.seed, given.tls))
    except (Missing, Failed) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(report.as_json(), indent=1, default=str))
    print("\n".join(report.lines()), flush=True)
    return 1 if report.deviations else 0


async def soak(services: Services, folder: Path, times: Times, seed: int, tls: bool = False) -> Report:
    """One run; everything of ours has ended when it returns or raises.

    :param tls: whether TLS is spoken between the proxies and their backends.
    """
    warden, ledger = Warden(PATIENCE), Ledger()
    scene = Scene(Pad(seed), warden, ledger, pace=0.05)
    tcp_server = TcpServer(scene)
    handlers = {"tcp": tcp_server.handle, "http": WebServer(scene).handle}
    servers = {name: await warden.serve(0, handle) for name, handle in handlers.items()}
    ports = {name: server.sockets[0].getsockname()[1] for name, server in servers.items()} | services.ports
    backends = {name: f"{HOST}:{port}" for name, port in ports.items()}
    before: list[Vaurien] = []
    more = ""
    if tls:
        outer, ca = terminating(folder.with_name(f"{folder.name}-tls"), backends, seed)
        before.append(outer)
        backends = {name: f"tls:localhost:{port}" for name, port in outer.listens.items()}
        more = f"backend-tls-ca = {ca}\n"
    proxy = Vaurien(folder, backends, seed, more)
    office = PostOffice(scene)
    accounts = Accounts(ledger, office, Tail(proxy.journal))
    clients = Clients(scene, office, tcp_server, proxy.listens)
    watching = asyncio.create_task(warden.watch())
    try:
        for each in (*before, proxy):
            await asyncio.to_thread(each.start)
        run = Run(proxy, services, backends, warden, clients, accounts, lambda line: print(line, flush=True))
        await run.run(times, seed)
        for each in (proxy, *before):
            for alarm in await asyncio.to_thread(each.end):
                accounts.wrong(alarm)
        return Report(seed, times, run.outcome, accounts)
    finally:
        clients.stop()
        watching.cancel()
        for server in servers.values():
            server.close()
        for each in (proxy, *before):
            each.quit()


if __name__ == "__main__":
    sys.exit(main())
