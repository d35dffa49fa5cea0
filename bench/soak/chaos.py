"""Does faults to one proxy, one after the other and some at once, and takes all of them back."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from bench.soak.control import Control, Refused
from bench.soak.faults import Fault

#: How many stand at one time at most.
_AT_ONCE = 3
#: What the API may say to a fault that is drawn without knowing whether it makes sense: a verb for a behavior
#: that acts at connect, a kind that the point does not have, a name that is taken, a link that is gone.
_USUAL = frozenset({400, 404, 409})


@dataclass
class Told:
    """What the control API has made of the faults of a run.

    :ivar strange: answers that it may not give.
    """

    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    strange: list[str] = field(default_factory=list)

    def no(self, fault: Fault, error: Refused) -> None:
        """It said no to a fault."""
        if error.status in _USUAL:
            self.refused[f"{fault.kind} {fault.name}"] += 1
        else:
            self.strange.append(f"{fault}: {error}")


class Chaos:
    """The faults of one proxy.

    :param faults: what to do, without an end.
    :param away: a backend where nobody is.
    """

    def __init__(
        self,
        control: Control,
        proxy: str,
        backend: str,
        away: str,
        faults: Iterator[Fault],
        draw: random.Random,
        told: Told,
    ) -> None:
        self._control = control
        self._path = f"/proxies/{proxy}"
        self._home = backend
        self._away = away
        self._faults = faults
        self._draw = draw
        self._told = told
        self._standing: set[asyncio.Task[None]] = set()

    async def run(self, until: float) -> None:
        """Until that time of the loop; all that was done is undone when it returns."""
        loop = asyncio.get_running_loop()
        while (left := until - loop.time()) > 0:
            if len(self._standing) < _AT_ONCE:
                task = loop.create_task(self._do(next(self._faults)))
                self._standing.add(task)
                task.add_done_callback(self._standing.discard)
            await asyncio.sleep(min(left, self._draw.uniform(0.1, 1.2)))
        await asyncio.gather(*self._standing)
        await self.reset()

    async def reset(self) -> None:
        """The panic stop, and the backend where it was."""
        try:
            await self._control.ask("POST", f"{self._path}/reset")
            await self._control.ask("PUT", f"{self._path}/backend", {"backend": self._home})
        except Refused as error:
            self._told.strange.append(str(error))

    async def _do(self, fault: Fault) -> None:
        try:
            await getattr(self, f"_{fault.kind}")(fault)
        except Refused as error:
            self._told.no(fault, error)
        else:
            self._told.done[f"{fault.kind} {fault.name}"] += 1

    async def _rule(self, fault: Fault) -> None:
        rule = await self._control.ask("POST", f"{self._path}/rules?position=0", fault.body)
        await asyncio.sleep(fault.seconds / 2)
        if self._draw.random() < 0.2:
            await self._control.ask("PATCH", f"{self._path}/rules/{rule['name']}", {"times": 5})
        await asyncio.sleep(fault.seconds / 2)
        await self._control.ask("DELETE", f"{self._path}/rules/{rule['name']}")

    async def _mix(self, fault: Fault) -> None:
        await self._control.ask("PUT", f"{self._path}/behavior", fault.body)
        await asyncio.sleep(fault.seconds)
        await self._control.ask("PUT", f"{self._path}/behavior", {"name": "dummy"})

    async def _toxic(self, fault: Fault) -> None:
        name = f"{fault.name}-{self._draw.getrandbits(24):06x}"
        path = f"{self._path}/toxics/{name}"
        await self._control.ask("POST", f"{self._path}/toxics", {**fault.body, "name": name})
        await asyncio.sleep(fault.seconds / 2)
        if self._draw.random() < 0.2:
            await self._control.ask("PATCH", path, {"attributes": dict(fault.body["attributes"])})
        await asyncio.sleep(fault.seconds / 2)
        await self._control.ask("DELETE", path)

    async def _action(self, fault: Fault) -> None:
        path = f"{self._path}/actions/{fault.name}"
        await self._control.ask("POST", path, fault.body)
        await asyncio.sleep(fault.seconds)
        await self._control.ask("DELETE", path)

    async def _kill(self, fault: Fault) -> None:
        """One link, or at times all."""
        links = (await self._control.ask("GET", f"{self._path}/links"))["links"]
        if not links:
            return
        one = "" if self._draw.random() < 0.2 else f"/{self._draw.choice(links)['id']}"
        await self._control.ask("DELETE", f"{self._path}/links{one}?how={fault.name}")

    async def _backend(self, fault: Fault) -> None:
        """Nobody is there for a while; standing links stay, or are cut."""
        cut = self._draw.random() < 0.5
        await self._control.ask("PUT", f"{self._path}/backend", {"backend": self._away, "cut": cut})
        try:
            await asyncio.sleep(min(fault.seconds, 1.5))
        finally:
            await self._control.ask("PUT", f"{self._path}/backend", {"backend": self._home})

    async def _scenario(self, fault: Fault) -> None:
        await self._control.ask("PUT", f"{self._path}/scenario", fault.body)
        await asyncio.sleep(fault.seconds)
        await self._control.ask("POST", f"{self._path}/scenario/pause")
        await asyncio.sleep(0.2)
        await self._control.ask("POST", f"{self._path}/scenario/resume")
        await asyncio.sleep(fault.seconds)
        await self._control.ask("DELETE", f"{self._path}/scenario")
