"""Many clients at once through a proxy in memory, in an order that the test chooses."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from txvaurien.plan import Plan
from txvaurien.test.lines import Lines
from txvaurien.test.memory import MemoryProxy, MemoryTransport

#: What each link says. "!..." is said by its backend, unasked.
Script = Mapping[int, Sequence[bytes]]

#: For each exchange that something was done to, by link and label: the rule, the behavior, its
#: options, and what was done.
Done = dict[tuple[int, str], tuple[str, str, Mapping[str, Any], Sequence[str]]]

#: Seconds that pass whenever a link is waited for.
STEP = 0.25


def script(links: int, length: int, seed: int = 7) -> Script:
    """Something for each link to say; the same for the same arguments."""
    draws = random.Random(seed)
    words = [b"get a", b"get b", b"set a", b"set b", b"miss a", b"del a", b"!news a"]
    return {link: [draws.choice(words) + b"\n" for _ in range(length)] for link in range(1, links + 1)}


class Crowd:
    """Clients that each wait for their reply before they go on, and do not wait for each other."""

    def __init__(self, plan: Plan, said: Script, proxy: MemoryProxy | None = None) -> None:
        self.proxy = proxy or MemoryProxy(plan, Lines())
        self._left = {link: list(lines) for link, lines in said.items()}
        self._clients: dict[int, MemoryTransport] = {}
        self._backends: dict[int, MemoryTransport] = {}
        self._answered: dict[int, int] = dict.fromkeys(said, 0)
        #: How many lines each client has to have before it says the next.
        self._owed: dict[int, int] = dict.fromkeys(said, 0)

    def run(self, order: int) -> Done:
        """Let all of them speak, in an order that depends on `order`; what was done to them."""
        draws = random.Random(order)
        for link in self._left:
            self._connect(link)
        while any(self._left.values()):
            link = draws.choice([link for link, lines in self._left.items() if lines])
            self._step(link)
        for _ in range(100):
            self._pass_time()
        return done(self.proxy)

    def _connect(self, link: int) -> None:
        self._clients[link] = self.proxy.client()
        if self.proxy.reactor.tcpClients:
            self._backends[link] = self.proxy.backend()
        else:
            self._left[link].clear()

    def _step(self, link: int) -> None:
        client = self._clients[link]
        if client.ended or client.lost:
            self._left[link].clear()
        elif client.received.count(b"\n") < self._owed[link]:
            self._pass_time()
        else:
            self._owed[link] += 1
            line = self._left[link].pop(0)
            speaker = self._backends[link] if line.startswith(b"!") else client
            speaker.says(line)
        self._answer()

    def _pass_time(self) -> None:
        self.proxy.pass_time(STEP)
        self._answer()

    def _answer(self) -> None:
        for link, backend in self._backends.items():
            lines = backend.received.split(b"\n")[:-1]
            for line in lines[self._answered[link] :]:
                self._answered[link] += 1
                if not backend.lost:
                    backend.says(b"missing\n" if line.startswith(b"miss") else b"ok\n")


def done(proxy: MemoryProxy) -> Done:
    """What rules have done, out of the events; those that misfired left out."""
    found: Done = {}
    for event, link, fields in proxy.events:
        if event == "fired":
            what = (fields["rule"], fields["behavior"], fields["options"], tuple(fields["did"]))
            found[link, fields["exchange"]] = what
        elif event == "acted":
            rule, behavior, options, did = found[link, fields["exchange"]]
            found[link, fields["exchange"]] = (rule, behavior, options, (*did, *fields["did"]))
        elif event == "misfired":
            found.pop((link, fields["exchange"]), None)
    return found
