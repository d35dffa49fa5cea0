"""Answers the calls of `txvaurien.clients.vocabulary` on a proxy itself, as the control server does.

Only in the reactor's thread. Klein cannot be used here: to import it is to install a reactor.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl, unquote

from txvaurien.actions import ACTIONS, Action
from txvaurien.clients import vocabulary
from txvaurien.control.answers import Problem, Refused
from txvaurien.control.plans import describe_mix
from txvaurien.embedded.asked import Asked, Handlers, Said, no_such, read_words
from txvaurien.embedded.ruledesk import RuleDesk, ToxicDesk
from txvaurien.embedded.witness import PASSED
from txvaurien.errors import ConfigError, ListenError
from txvaurien.journals.passed import passed_of
from txvaurien.journals.reports import describe_link
from txvaurien.model import Then
from txvaurien.net.addresses import parse_backend
from txvaurien.planning.faults import describe_action, describe_plan
from txvaurien.planning.planreader import PlanReader
from txvaurien.planning.rulefields import read_fields
from txvaurien.rules import Rule
from txvaurien.scenarios.scenario import read_scenario

if TYPE_CHECKING:
    from txvaurien.behaviors.base import Behavior
    from txvaurien.journal import Journal
    from txvaurien.process.member import Member
    from txvaurien.process.proxies import Proxies

Answer = TypeVar("Answer")

_ENDS = {"rst": Then.RESET, "fin": Then.CLOSE}


class Desk:
    """Answers for the only proxy of `proxies`."""

    def __init__(self, proxies: Proxies, member: Member, journal: Journal) -> None:
        self.member = member
        self._proxies = proxies
        self._journal = journal
        self._proxy = member.proxy
        self._reader = PlanReader(member.reader)
        self._handlers: Handlers = {
            ("GET", vocabulary.BEHAVIOR, False): self._get_behavior,
            ("PUT", vocabulary.BEHAVIOR, False): self._set_behavior,
            ("GET", vocabulary.BACKEND, False): self._get_backend,
            ("PUT", vocabulary.BACKEND, False): self._set_backend,
            ("GET", vocabulary.PLAN, False): self._get_plan,
            ("PUT", vocabulary.PLAN, False): self._set_plan,
            ("POST", vocabulary.RESET, False): self._reset,
            ("GET", vocabulary.ACTIONS, False): self._list_actions,
            ("POST", vocabulary.ACTIONS, False): self._start_words,
            ("POST", vocabulary.ACTIONS, True): self._start_action,
            ("DELETE", vocabulary.ACTIONS, True): self._stop_action,
            ("GET", vocabulary.LINKS, False): self._list_links,
            ("DELETE", vocabulary.LINKS, False): self._kill,
            ("DELETE", vocabulary.LINKS, True): self._kill_one,
            ("GET", vocabulary.SCENARIO, False): self._get_scenario,
            ("PUT", vocabulary.SCENARIO, False): self._play,
            ("POST", vocabulary.SCENARIO, True): self._control_scenario,
            ("DELETE", vocabulary.SCENARIO, False): self._stop_scenario,
            ("GET", vocabulary.JOURNAL, False): self._get_journal,
            ("GET", PASSED, False): self._count_passed,
            ("GET", vocabulary.CA, False): self._get_ca,
            **RuleDesk(self._proxy, member.reader).handlers,
            **ToxicDesk(self._proxy, member.reader).handlers,
        }

    async def answer(self, call: vocabulary.Call[Answer]) -> Answer:
        """What a call asks for.

        :raises VaurienError: with the words and the status that it would have over HTTP.
        """
        try:
            return call.read(await self._said(call))
        except Refused as refused:
            return call.answer(refused.status, refused.body, "the proxy")

    async def _said(self, call: vocabulary.Call[Any]) -> Any:
        path, _, query = call.path.partition("?")
        _, what, *name = path.split("/")
        handler = self._handlers[call.method, f"/{what}", bool(name)]
        body = json.loads(call.body) if call.body else {}
        try:
            said = await handler(Asked(unquote("/".join(name)), dict(parse_qsl(query)), body))
            await self._proxy.settled()
        except ConfigError as error:
            raise Refused(400, Problem.all_of(error)) from error
        except ListenError as error:
            raise Refused.because(409, "server", "", str(error)) from error
        return said

    async def add(self, behavior: Behavior, position: int, fields: Said) -> str:
        """One more rule, of a behavior that was made elsewhere; its name.

        :raises ConfigError: it does not fit the protocol, or there is no such field.
        """
        known = {name.rstrip("_"): value for name, value in fields.items()}
        return self._proxy.add_rule(Rule(behavior, **read_fields(known, where="")), position).rule.name

    async def close(self) -> None:
        """End the proxy."""
        await self._proxies.stopService()

    # The mix, the backend, the plan.

    async def _get_behavior(self, asked: Asked) -> Said:
        return {**describe_mix(self._proxy.plan), "seed": self._proxy.seed}

    async def _set_behavior(self, asked: Asked) -> None:
        mix = self._reader.read(asked.body)
        try:
            self._proxy.set_plan(replace(self._proxy.plan, mix=mix))
        except ConfigError as error:
            raise Refused(400, [Problem.of(error, "name")]) from error

    async def _get_backend(self, asked: Asked) -> Said:
        return {"backend": self._proxy.backend.text}

    async def _set_backend(self, asked: Asked) -> None:
        backend = parse_backend(asked.body["backend"], "backend")
        await backend.look_up(self._proxy.reactor, "backend")
        self._proxy.set_backend(backend, cut=asked.body.get("cut", False))

    async def _get_plan(self, asked: Asked) -> Said:
        return {**describe_plan(self._proxy.plan), "seed": self._proxy.seed}

    async def _set_plan(self, asked: Asked) -> None:
        self._proxy.set_plan(self._reader.plan(asked.body, self._proxy.plan))

    async def _reset(self, asked: Asked) -> None:
        await self.member.playing.panic()

    async def _get_ca(self, asked: Asked) -> str:
        return self._proxies.keeper.authority.pem.decode("ascii")

    # Actions and links.

    async def _list_actions(self, asked: Asked) -> Said:
        return {"actions": [describe_action(each) for each in self._proxy.actions.standing.values()]}

    async def _start_words(self, asked: Asked) -> None:
        await self._start(read_words(self.member.reader, Action, asked.body, "action"))

    async def _start_action(self, asked: Asked) -> None:
        if asked.name not in ACTIONS:
            raise no_such("action", asked.name, ACTIONS)
        await self._start(self.member.reader.action({**asked.body, "action": asked.name}, where=""))

    async def _start(self, action: Action) -> None:
        await self._proxy.actions.start(action)

    async def _stop_action(self, asked: Asked) -> None:
        standing = self._proxy.actions.standing
        if asked.name not in ACTIONS:
            raise no_such("action", asked.name, ACTIONS)
        if asked.name not in standing:
            raise no_such("standing action", asked.name, standing)
        await self._proxy.actions.stop(asked.name)

    async def _list_links(self, asked: Asked) -> Said:
        return {"links": [describe_link(each) for each in self._proxy.links.values() if not each.over]}

    async def _kill(self, asked: Asked) -> Said:
        return {"killed": self._proxy.kill(_ENDS[asked.settled().how])}

    async def _kill_one(self, asked: Asked) -> Said:
        if int(asked.name) not in self._proxy.links:
            why = f"there is no link {asked.name!r}; GET /links shows those that there are"
            raise Refused.because(404, "path", asked.name, why)
        return {"killed": self._proxy.kill(_ENDS[asked.settled().how], int(asked.name))}

    # The scenario.

    async def _get_scenario(self, asked: Asked) -> Said:
        player = self.member.playing.player
        return {"state": "none"} if player is None else player.status()

    async def _play(self, asked: Asked) -> Said:
        scenario = read_scenario(asked.body["scenario"], "scenario", self.member.reader.read)
        return (await self.member.playing.play(scenario)).status()

    async def _control_scenario(self, asked: Asked) -> Said:
        player = self.member.playing.player
        if player is None:
            raise Refused.because(409, "path", "scenario", "no scenario is played; PUT one first")
        (player.pause if asked.name == "pause" else player.resume)()
        return player.status()

    async def _stop_scenario(self, asked: Asked) -> None:
        none = self.member.playing.player is None
        await self.member.playing.stop()
        if none:
            raise Refused.because(404, "path", "scenario", "no scenario is played; PUT one first")

    # What has passed.

    async def _get_journal(self, asked: Asked) -> Said:
        query = asked.query
        found = self._journal.since(
            int(query.get("since", 0)), event=query.get("event", ""), link=int(query.get("link", 0))
        )
        if "last" in query:
            found = found[max(0, len(found) - int(query["last"])) :]
        elif "limit" in query:
            found = found[: int(query["limit"])]
        return {"records": [each.as_json() for each in found]}

    async def _count_passed(self, asked: Asked) -> Said:
        passed = passed_of(self._proxy)
        count = passed.count(asked.query.get("verb", ""), asked.query.get("target", ""))
        return {"count": count, "missed": passed.missed}
