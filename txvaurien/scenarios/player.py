"""Plays a scenario: adds and removes its faults when it is time.

Whatever happens, nothing that was added outlasts it: at the end, after `Player.stop`
and after errors all of it is taken away again. If somebody else has taken it away
before, by the API or a panic stop, that is no error.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from typing import Any, Protocol

from twisted.internet.defer import Deferred, DeferredLock, ensureDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from txvaurien.errors import ConfigError
from txvaurien.plan import PlacedToxic
from txvaurien.planning.faults import Fault
from txvaurien.proxy import Proxy
from txvaurien.rules import Rule
from txvaurien.scenarios.scenario import Moment, Scenario, Step

#: What is due so soon, in seconds, is due now: times are sums of floats.
SOON = 1e-6

#: How many failures are kept, the latest ones.
FAILURES_KEPT = 20


class State(enum.Enum):
    """Where a player is."""

    READY = "ready"
    RUNNING = "running"
    PAUSED = "paused"
    #: No step begins any more, and what was added is being removed.
    ENDING = "ending"
    DONE = "done"


class Target(Protocol):
    """What a scenario is played on."""

    def add(self, fault: Fault) -> Deferred[None] | None:
        """Set a fault; it has not been set before.

        :return: a Deferred if that takes time.
        :raises ConfigError: it cannot be set.
        """

    def remove(self, fault: Fault) -> Deferred[None] | None:
        """Take it away; one that is gone already is no error."""

    def tell(self, fields: dict[str, Any]) -> None:
        """Something happened that the journal tells of."""


class ProxyTarget:
    """Plays on a proxy. A rule comes before all others, so the step that began last is asked first."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy

    def add(self, fault: Fault) -> Deferred[None] | None:
        """Add a rule or a toxic, or start an action."""
        if isinstance(fault, Rule):
            self.proxy.add_rule(fault, 0)
        elif isinstance(fault, PlacedToxic):
            self.proxy.add_toxic(fault)
        elif fault.name in self.proxy.actions.standing:
            # It would not be for the scenario to end it.
            raise ConfigError("", f"{fault.name!r} is on already", "stop it before the scenario begins")
        else:
            return ensureDeferred(self.proxy.actions.start(fault))
        return ensureDeferred(self.proxy.settled())

    def remove(self, fault: Fault) -> Deferred[None] | None:
        """Remove it if it is there: by its name, as somebody may have put other options in its place."""
        plan = self.proxy.plan
        if isinstance(fault, Rule):
            if any(rule.name == fault.name for rule in plan.rules):
                self.proxy.remove_rule(fault.name)
        elif isinstance(fault, PlacedToxic):
            if any(placed.name == fault.name for placed in plan.toxics):
                self.proxy.remove_toxic(fault.name)
        elif fault.name in self.proxy.actions.standing:
            return ensureDeferred(self.proxy.actions.stop(fault.name))
        return ensureDeferred(self.proxy.settled())

    def tell(self, fields: dict[str, Any]) -> None:
        """An event of the proxy, without a link."""
        self.proxy.event("scenario", None, **fields)


@dataclass(eq=False)
class _Standing:
    """A step that has begun and not ended."""

    step: Step
    fault: Fault
    #: It has been added, and nobody is removing it yet.
    added: bool = False


class Player:
    """Plays one scenario once, in all its rounds.

    Times count from `start`, not from the step before, so that they do not drift.

    :param clock: the only source of time.
    """

    log = Logger()

    def __init__(self, scenario: Scenario, target: Target, clock: IReactorTime) -> None:
        self.scenario = scenario
        self.state = State.READY
        self._target = target
        self._clock = clock
        #: When the first round began, later by as long as it has been paused.
        self._began = 0.0
        self._paused_at = 0.0
        #: The round, from 0, and the next moment within it.
        self._round = 0
        self._position = 0
        self._call: IDelayedCall | None = None
        self._standing: dict[Step, _Standing] = {}
        #: What is done to faults of one name is done one after the other.
        self._locks: dict[str, DeferredLock] = {}
        self._pending = 0
        self._waiting: list[Deferred[None]] = []
        self._failures: deque[str] = deque(maxlen=FAILURES_KEPT)

    def start(self) -> None:
        """Begin with the first round.

        :raises RuntimeError: it has been started before; make another player.
        """
        if self.state is not State.READY:
            raise RuntimeError("a player plays once; make another one")
        self._began = self._clock.seconds()
        self.state = State.RUNNING
        self._tell("started")
        self._play()

    def pause(self) -> None:
        """Let the scenario's time stand still. What is active stays active. Only if it is running."""
        if self.state is State.RUNNING:
            self._cancel()
            self._paused_at = self._clock.seconds()
            self.state = State.PAUSED
            self._tell("paused")

    def resume(self) -> None:
        """Go on where it was paused; else nothing is done."""
        if self.state is State.PAUSED:
            self._began += self._clock.seconds() - self._paused_at
            self.state = State.RUNNING
            self._tell("resumed")
            self._play()

    def stop(self) -> Deferred[None]:
        """Begin nothing more, and remove all that was added; fires when it is gone."""
        if self.state not in {State.ENDING, State.DONE}:
            self._tell("stopped")
            self._end_all()
        return self.when_done()

    def when_done(self) -> Deferred[None]:
        """Fires when the scenario is over, or was stopped, and nothing of it is left."""
        waiting: Deferred[None] = Deferred(self._waiting.remove)
        if self.state is State.DONE:
            waiting.callback(None)
        else:
            self._waiting.append(waiting)
        return waiting

    def status(self) -> dict[str, Any]:
        """Plain JSON values; times in seconds, those of a round from its beginning.

        ``state`` is that of `State`; ``round`` counts from 1, ``rounds`` is None for without end;
        ``active`` is what is set now, ``next`` what comes (None if nothing does) and ``in`` how
        many seconds; ``failed`` are the latest reasons why a step could not begin or end.
        """
        return {
            "state": self.state.value,
            "scenario": self.scenario.where,
            "round": self._round + 1,
            "rounds": self.scenario.rounds,
            "elapsed": round(min(self._elapsed(), self.scenario.length), 3),
            "length": self.scenario.length,
            "active": [_describe_step(each.step) for each in self._standing.values() if each.added],
            "next": self._describe_next(),
            "failed": list(self._failures),
        }

    def _describe_next(self) -> dict[str, Any] | None:
        moment = self._next()
        if moment is None or self.state not in {State.RUNNING, State.PAUSED}:
            return None
        return {
            "what": "begin" if moment.begins else "end",
            "in": round(max(0.0, moment.at - self._elapsed()), 3),
            **_describe_step(moment.step),
        }

    def _elapsed(self) -> float:
        """Seconds since this round began."""
        if self.state is State.READY:
            return 0.0
        now = self._clock.seconds() if self.state is State.RUNNING else self._paused_at
        return now - self._began - self._round * self.scenario.length

    # Time.

    def _next(self) -> Moment | None:
        """What comes next in this round, None if nothing does."""
        moments = self.scenario.moments
        return moments[self._position] if self._position < len(moments) else None

    def _play(self) -> None:
        """Do what is due, and come back for the rest."""
        self._call = None
        while self.state is State.RUNNING:
            moment = self._next()
            due = moment.at if moment else self.scenario.length
            wait = due - self._elapsed()
            if wait > SOON:
                self._call = self._clock.callLater(wait, self._play)
                return
            if moment is None:
                self._end_round()
            else:
                self._position += 1
                (self._begin if moment.begins else self._end)(moment.step)

    def _end_round(self) -> None:
        if self._round + 1 == self.scenario.rounds:
            self._end_all()
        else:
            self._round += 1
            self._position = 0
            self._tell("round")

    def _end_all(self) -> None:
        self._cancel()
        if self.state is State.RUNNING:
            self._paused_at = self._clock.seconds()
        self.state = State.ENDING
        # It is done when the last one is gone, not when the first one is.
        self._pending += 1
        for step in list(self._standing):
            self._end(step)
        self._worked()

    def _cancel(self) -> None:
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None

    # Faults.

    def _begin(self, step: Step) -> None:
        standing = _Standing(step, _anew(step.fault))
        self._standing[step] = standing
        self._in_turn(step, self._add(standing))

    def _end(self, step: Step) -> None:
        standing = self._standing.pop(step, None)
        if standing is not None:
            self._in_turn(step, self._remove(standing))

    def _in_turn(self, step: Step, work: Coroutine[Deferred[Any], Any, None]) -> None:
        self._pending += 1
        lock = self._locks.setdefault(step.name, DeferredLock())
        lock.run(Deferred.fromCoroutine, work).addCallback(self._worked)

    def _worked(self, _: object = None) -> None:
        self._pending -= 1
        if self.state is State.ENDING and not self._pending:
            self.state = State.DONE
            self._tell("done")
            while self._waiting:
                self._waiting.pop(0).callback(None)

    async def _add(self, standing: _Standing) -> None:
        try:
            await _settled(self._target.add(standing.fault))
        except Exception as error:
            self._failed(standing.step, "begin", error)
            if self._standing.get(standing.step) is standing:
                del self._standing[standing.step]
        else:
            standing.added = True
            self._tell("begin", standing.step)

    async def _remove(self, standing: _Standing) -> None:
        if not standing.added:
            return
        try:
            await _settled(self._target.remove(standing.fault))
        except Exception as error:
            self._failed(standing.step, "end", error)
        else:
            self._tell("end", standing.step)

    def _failed(self, step: Step, what: str, error: Exception) -> None:
        """A step that fails is passed over, and said to have failed; the others go on."""
        why = f"{self.scenario.where}:{step.line}: {step.words!r} could not {what}: {error}"
        self._failures.append(why)
        if isinstance(error, ConfigError):
            self.log.warn("{why}", why=why)
        else:
            self.log.failure("{why}", why=why)
        self._tell("failed", step, why=str(error))

    def _tell(self, what: str, step: Step | None = None, **more: Any) -> None:
        fields: dict[str, Any] = {"what": what, "scenario": self.scenario.where, "round": self._round + 1}
        if step is not None:
            fields |= _describe_step(step)
        try:
            self._target.tell(fields | more)
        except Exception:
            # Who only listens must not keep faults from being removed.
            self.log.failure("an event of the scenario could not be told")


def _describe_step(step: Step) -> dict[str, Any]:
    return {"step": step.name, "line": step.line, "fault": step.words}


def _anew(fault: Fault) -> Fault:
    """A new object, so that the counters of a rule begin at zero."""
    return replace(fault) if isinstance(fault, (Rule, PlacedToxic)) else fault


async def _settled(maybe: Deferred[None] | None) -> None:
    if maybe is not None:
        await maybe
