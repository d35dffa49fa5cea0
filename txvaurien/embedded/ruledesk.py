"""The rules and the toxics of a proxy, as calls ask for them."""

from __future__ import annotations

from txvaurien.clients.vocabulary import RULES, TOXICS
from txvaurien.control.faultedits import Rules, Toxics
from txvaurien.embedded.asked import Asked, Handlers, Said
from txvaurien.planning.faults import FaultReader
from txvaurien.proxy import Proxy


class RuleDesk:
    """Answers about rules."""

    def __init__(self, proxy: Proxy, reader: FaultReader) -> None:
        self._rules = Rules(proxy, reader)
        self.handlers: Handlers = {
            ("GET", RULES, False): self._list,
            ("POST", RULES, False): self._add,
            ("DELETE", RULES, False): self._clear,
            ("GET", RULES, True): self._get,
            ("PATCH", RULES, True): self._change,
            ("DELETE", RULES, True): self._remove,
        }

    async def _list(self, asked: Asked) -> Said:
        return {"rules": self._rules.describe()}

    async def _add(self, asked: Asked) -> Said:
        return await self._rules.add(asked.body, asked.settled().position)

    async def _clear(self, asked: Asked) -> Said:
        return {"removed": await self._rules.clear()}

    async def _get(self, asked: Asked) -> Said:
        query = asked.settled()
        return await self._rules.get(asked.name, query.fired, query.timeout)

    async def _change(self, asked: Asked) -> Said:
        return await self._rules.change(asked.name, asked.body)

    async def _remove(self, asked: Asked) -> None:
        await self._rules.remove(asked.name)


class ToxicDesk:
    """Answers about toxics."""

    def __init__(self, proxy: Proxy, reader: FaultReader) -> None:
        self._toxics = Toxics(proxy, reader)
        self.handlers: Handlers = {
            ("GET", TOXICS, False): self._list,
            ("POST", TOXICS, False): self._add,
            ("PATCH", TOXICS, True): self._change,
            ("DELETE", TOXICS, True): self._remove,
        }

    async def _list(self, asked: Asked) -> Said:
        return {"toxics": self._toxics.describe()}

    async def _add(self, asked: Asked) -> Said:
        return await self._toxics.add(asked.body)

    async def _change(self, asked: Asked) -> Said:
        return await self._toxics.change(asked.name, asked.body)

    async def _remove(self, asked: Asked) -> None:
        await self._toxics.remove(asked.name)
