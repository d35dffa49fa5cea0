"""One proxy, for programs that block: what is set, and what goes wrong. Standard library only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

from txvaurien.clients import vocabulary
from txvaurien.clients.vocabulary import Call, Fields, ShareFields, VaurienError

Answer = TypeVar("Answer")
RemovableT = TypeVar("RemovableT", bound="Removable")


class ProxyCommands:
    """What can be asked of one proxy; every method is one HTTP request, and raises `VaurienError`."""

    def _carry(self, call: Call[Answer]) -> Answer:
        raise NotImplementedError

    def get_behavior(self) -> str:
        """The name of the current behavior, or the text of the current mix."""
        return self._carry(vocabulary.get_behavior())

    def set_behavior(self, name: str, **options: object) -> None:
        """Set one behavior; or, without options, a mix such as ``5:error,10:delay``."""
        self._carry(vocabulary.set_behavior(name, options))

    def get_mix(self) -> list[ShareFields]:
        """The current behaviors with all of their options: what `set_mix` takes."""
        return self._carry(vocabulary.get_mix())

    def set_mix(self, mix: Sequence[ShareFields]) -> None:
        """Set several behaviors, each with its percentage and its options."""
        self._carry(vocabulary.set_mix(mix))

    @contextmanager
    def with_behavior(self, name: str, **options: object) -> Iterator[None]:
        """Set a behavior for the time of a ``with`` block, then put back what was there.

        What was there comes back with its options, and a mix as a mix; what it counts
        (``warmup``, ``agitate``) begins anew.
        """
        before = self.get_mix()
        self.set_behavior(name, **options)
        try:
            yield
        finally:
            self.set_mix(before)

    def get_backend(self) -> str:
        """The address of the backend."""
        return self._carry(vocabulary.get_backend())

    def set_backend(self, address: str, cut: bool = False) -> None:
        """Send the links to come to another backend; with `cut`, end those that stand."""
        self._carry(vocabulary.set_backend(address, cut))

    def plan(self) -> Fields:
        """The mix, the rules, the toxics and the seed: what `set_plan` takes."""
        return self._carry(vocabulary.get_plan())

    def set_plan(self, plan: Mapping[str, object]) -> None:
        """Set a whole plan at once."""
        self._carry(vocabulary.set_plan(plan))

    def reset(self) -> None:
        """Remove every fault: the mix, rules, toxics, actions and the scenario."""
        self._carry(vocabulary.reset())

    def add_rule(self, behavior: str, /, *, position: int | None = None, **fields: object) -> Rule:
        """One more rule: ``add_rule("error", kind="readonly", verb="SET", times=2)``.

        The short form will do as well: ``add_rule("error kind=readonly verb=SET times=2")``.

        :param position: how many rules come before it; all, by default.
        :param fields: the options of the behavior, and those of rules (``for_`` stands for ``for``).
        """
        return Rule(self, self._carry(vocabulary.add_rule(behavior, fields, position)))

    def rules(self) -> list[Fields]:
        """All rules, in their order, with what they have counted."""
        return self._carry(vocabulary.list_rules())

    def rule(self, name: str) -> Fields:
        """One rule, with what it has counted."""
        return self._carry(vocabulary.get_rule(name))

    def change_rule(self, name: str, /, **fields: object) -> None:
        """Change fields of a rule (None takes one away); its counters start from zero."""
        self._carry(vocabulary.change_rule(name, fields))

    def wait_for_rule(self, name: str, fired: int = 1, timeout: float = 10.0) -> int:
        """Return how often a rule has fired, when that is at least `fired`.

        :raises NotFired: it was less often in `timeout` seconds.
        """
        return self._carry(vocabulary.wait_for_rule(name, fired, timeout))

    def remove_rule(self, name: str) -> None:
        """Remove a rule; what it held is let go."""
        self._carry(vocabulary.remove_rule(name))

    def clear_rules(self) -> int:
        """Remove all rules; how many there were."""
        return self._carry(vocabulary.clear_rules())

    def add_toxic(self, type_: str, /, **fields: object) -> Toxic:
        """One more toxic: ``add_toxic("latency", latency=200, stream="upstream", toxicity=0.5)``.

        :param fields: ``name``, ``stream``, ``toxicity``, and the attributes of its type.
        """
        return Toxic(self, self._carry(vocabulary.add_toxic(type_, fields)))

    def toxics(self) -> list[Fields]:
        """All toxics, in their order."""
        return self._carry(vocabulary.list_toxics())

    def change_toxic(self, name: str, /, **fields: object) -> None:
        """Change attributes of a toxic, or its toxicity."""
        self._carry(vocabulary.change_toxic(name, fields))

    def remove_toxic(self, name: str) -> None:
        """Remove a toxic; what it held is let go."""
        self._carry(vocabulary.remove_toxic(name))

    def start_action(self, name: str, /, **options: object) -> None:
        """Begin an action of the proxy: ``start_action("slow_accept", delay=100)``."""
        self._carry(vocabulary.start_action(name, options))

    def stop_action(self, name: str) -> None:
        """End an action."""
        self._carry(vocabulary.stop_action(name))

    def actions(self) -> list[Fields]:
        """The actions that stand, with their options."""
        return self._carry(vocabulary.list_actions())

    def links(self) -> list[Fields]:
        """All links, with what has passed on them."""
        return self._carry(vocabulary.list_links())

    def kill(self, link: int | None = None, how: str = "rst") -> int:
        """End one link, or all, with ``rst`` or ``fin``; how many there were."""
        return self._carry(vocabulary.kill(link, how))

    def scenario(self) -> Fields:
        """How far the scenario is; its ``state`` is ``none`` where there is none."""
        return self._carry(vocabulary.get_scenario())

    def set_scenario(self, text: str) -> Fields:
        """Begin a scenario, in place of the one that is played."""
        return self._carry(vocabulary.set_scenario(text))

    def pause_scenario(self) -> Fields:
        """Let the time of the scenario stand still."""
        return self._carry(vocabulary.control_scenario("pause"))

    def resume_scenario(self) -> Fields:
        """Let it go on."""
        return self._carry(vocabulary.control_scenario("resume"))

    def stop_scenario(self) -> None:
        """Stop the scenario; all that it added is gone."""
        self._carry(vocabulary.stop_scenario())


class Removable:
    """Something that is removed at the end of a ``with`` block."""

    def remove(self) -> None:
        """Remove it."""
        raise NotImplementedError

    def __enter__(self: RemovableT) -> RemovableT:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.remove()
        except VaurienError as error:
            # A reset, or somebody else, may have been before us.
            if not vocabulary.is_gone(error):
                raise


class Fault(Removable):
    """Something that was added, and is removed at the end of a ``with`` block.

    :ivar name: what it is called.
    """

    def __init__(self, client: ProxyCommands, name: str) -> None:
        self.name = name
        self._client = client


class Rule(Fault):
    """A rule that was added."""

    @property
    def fired(self) -> int:
        """How often it has fired until now; asks the server."""
        return int(self._client.rule(self.name)["fired"])

    @property
    def matched(self) -> int:
        """How many exchanges it was for until now; asks the server."""
        return int(self._client.rule(self.name)["matched"])

    def wait(self, n: int = 1, timeout: float = 10.0) -> int:
        """Return how often it has fired, when that is at least `n`.

        :raises NotFired: a TimeoutError; it was less often in `timeout` seconds.
        """
        return self._client.wait_for_rule(self.name, n, timeout)

    def remove(self) -> None:
        """Remove it; what it held is let go."""
        self._client.remove_rule(self.name)


class Toxic(Fault):
    """A toxic that was added."""

    def change(self, **fields: object) -> None:
        """Change attributes, or the toxicity."""
        self._client.change_toxic(self.name, **fields)

    def remove(self) -> None:
        """Remove it; what it held is let go."""
        self._client.remove_toxic(self.name)
