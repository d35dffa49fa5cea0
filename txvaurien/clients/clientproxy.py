"""One proxy, for programs on Twisted: what is set, and what goes wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from txvaurien.clients import vocabulary
from txvaurien.clients.vocabulary import Call, Fields, ShareFields, VaurienError

Answer = TypeVar("Answer")
RemovableT = TypeVar("RemovableT", bound="AsyncRemovable")


class AsyncProxyCommands:
    """What can be asked of one proxy; every method is one HTTP request, and raises `VaurienError`."""

    async def _carry(self, call: Call[Answer]) -> Answer:
        raise NotImplementedError

    async def get_behavior(self) -> str:
        """The name of the current behavior, or the text of the current mix."""
        return await self._carry(vocabulary.get_behavior())

    async def set_behavior(self, name: str, **options: object) -> None:
        """Set one behavior; or, without options, a mix such as ``5:error,10:delay``."""
        await self._carry(vocabulary.set_behavior(name, options))

    async def get_mix(self) -> list[ShareFields]:
        """The current behaviors with all of their options: what `set_mix` takes."""
        return await self._carry(vocabulary.get_mix())

    async def set_mix(self, mix: Sequence[ShareFields]) -> None:
        """Set several behaviors, each with its percentage and its options."""
        await self._carry(vocabulary.set_mix(mix))

    @asynccontextmanager
    async def with_behavior(self, name: str, **options: object) -> AsyncIterator[None]:
        """Set a behavior for the time of an ``async with`` block, then put back what was there.

        What was there comes back with its options, and a mix as a mix; what it counts
        (``warmup``, ``agitate``) begins anew.
        """
        before = await self.get_mix()
        await self.set_behavior(name, **options)
        try:
            yield
        finally:
            await self.set_mix(before)

    async def get_backend(self) -> str:
        """The address of the backend."""
        return await self._carry(vocabulary.get_backend())

    async def set_backend(self, address: str, cut: bool = False) -> None:
        """Send the links to come to another backend; with `cut`, end those that stand."""
        await self._carry(vocabulary.set_backend(address, cut))

    async def plan(self) -> Fields:
        """The mix, the rules, the toxics and the seed: what `set_plan` takes."""
        return await self._carry(vocabulary.get_plan())

    async def set_plan(self, plan: Mapping[str, object]) -> None:
        """Set a whole plan at once."""
        await self._carry(vocabulary.set_plan(plan))

    async def reset(self) -> None:
        """Remove every fault: the mix, rules, toxics, actions and the scenario."""
        await self._carry(vocabulary.reset())

    async def add_rule(self, behavior: str, /, *, position: int | None = None, **fields: object) -> AsyncRule:
        """One more rule: ``add_rule("error", kind="readonly", verb="SET", times=2)``.

        The short form will do as well: ``add_rule("error kind=readonly verb=SET times=2")``.

        :param position: how many rules come before it; all, by default.
        :param fields: the options of the behavior, and those of rules (``for_`` stands for ``for``).
        """
        return AsyncRule(self, await self._carry(vocabulary.add_rule(behavior, fields, position)))

    async def rules(self) -> list[Fields]:
        """All rules, in their order, with what they have counted."""
        return await self._carry(vocabulary.list_rules())

    async def rule(self, name: str) -> Fields:
        """One rule, with what it has counted."""
        return await self._carry(vocabulary.get_rule(name))

    async def change_rule(self, name: str, /, **fields: object) -> None:
        """Change fields of a rule (None takes one away); its counters start from zero."""
        await self._carry(vocabulary.change_rule(name, fields))

    async def wait_for_rule(self, name: str, fired: int = 1, timeout: float = 10.0) -> int:
        """Return how often a rule has fired, when that is at least `fired`.

        :raises NotFired: it was less often in `timeout` seconds.
        """
        return await self._carry(vocabulary.wait_for_rule(name, fired, timeout))

    async def remove_rule(self, name: str) -> None:
        """Remove a rule; what it held is let go."""
        await self._carry(vocabulary.remove_rule(name))

    async def clear_rules(self) -> int:
        """Remove all rules; how many there were."""
        return await self._carry(vocabulary.clear_rules())

    async def add_toxic(self, type_: str, /, **fields: object) -> AsyncToxic:
        """One more toxic: ``add_toxic("latency", latency=200, stream="upstream", toxicity=0.5)``.

        :param fields: ``name``, ``stream``, ``toxicity``, and the attributes of its type.
        """
        return AsyncToxic(self, await self._carry(vocabulary.add_toxic(type_, fields)))

    async def toxics(self) -> list[Fields]:
        """All toxics, in their order."""
        return await self._carry(vocabulary.list_toxics())

    async def change_toxic(self, name: str, /, **fields: object) -> None:
        """Change attributes of a toxic, or its toxicity."""
        await self._carry(vocabulary.change_toxic(name, fields))

    async def remove_toxic(self, name: str) -> None:
        """Remove a toxic; what it held is let go."""
        await self._carry(vocabulary.remove_toxic(name))

    async def start_action(self, name: str, /, **options: object) -> None:
        """Begin an action of the proxy: ``start_action("slow_accept", delay=100)``."""
        await self._carry(vocabulary.start_action(name, options))

    async def stop_action(self, name: str) -> None:
        """End an action."""
        await self._carry(vocabulary.stop_action(name))

    async def actions(self) -> list[Fields]:
        """The actions that stand, with their options."""
        return await self._carry(vocabulary.list_actions())

    async def links(self) -> list[Fields]:
        """All links, with what has passed on them."""
        return await self._carry(vocabulary.list_links())

    async def kill(self, link: int | None = None, how: str = "rst") -> int:
        """End one link, or all, with ``rst`` or ``fin``; how many there were."""
        return await self._carry(vocabulary.kill(link, how))

    async def scenario(self) -> Fields:
        """How far the scenario is; its ``state`` is ``none`` where there is none."""
        return await self._carry(vocabulary.get_scenario())

    async def set_scenario(self, text: str) -> Fields:
        """Begin a scenario, in place of the one that is played."""
        return await self._carry(vocabulary.set_scenario(text))

    async def pause_scenario(self) -> Fields:
        """Let the time of the scenario stand still."""
        return await self._carry(vocabulary.control_scenario("pause"))

    async def resume_scenario(self) -> Fields:
        """Let it go on."""
        return await self._carry(vocabulary.control_scenario("resume"))

    async def stop_scenario(self) -> None:
        """Stop the scenario; all that it added is gone."""
        await self._carry(vocabulary.stop_scenario())


class AsyncRemovable:
    """Something that is removed at the end of an ``async with`` block."""

    async def remove(self) -> None:
        """Remove it."""
        raise NotImplementedError

    async def __aenter__(self: RemovableT) -> RemovableT:
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self.remove()
        except VaurienError as error:
            # A reset, or somebody else, may have been before us.
            if not vocabulary.is_gone(error):
                raise


class AsyncFault(AsyncRemovable):
    """Something that was added, and is removed at the end of an ``async with`` block.

    :ivar name: what it is called.
    """

    def __init__(self, client: AsyncProxyCommands, name: str) -> None:
        self.name = name
        self._client = client


class AsyncRule(AsyncFault):
    """A rule that was added."""

    async def fired(self) -> int:
        """How often it has fired until now."""
        return int((await self._client.rule(self.name))["fired"])

    async def matched(self) -> int:
        """How many exchanges it was for until now."""
        return int((await self._client.rule(self.name))["matched"])

    async def wait(self, n: int = 1, timeout: float = 10.0) -> int:
        """Return how often it has fired, when that is at least `n`.

        :raises NotFired: a TimeoutError; it was less often in `timeout` seconds.
        """
        return await self._client.wait_for_rule(self.name, n, timeout)

    async def remove(self) -> None:
        """Remove it; what it held is let go."""
        await self._client.remove_rule(self.name)


class AsyncToxic(AsyncFault):
    """A toxic that was added."""

    async def change(self, **fields: object) -> None:
        """Change attributes, or the toxicity."""
        await self._client.change_toxic(self.name, **fields)

    async def remove(self) -> None:
        """Remove it; what it held is let go."""
        await self._client.remove_toxic(self.name)
