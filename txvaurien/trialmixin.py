"""`ChaosMixin`: proxies for test cases of trial and of unittest."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from unittest import TestCase, TestResult

from twisted.python.failure import Failure
from zope.interface import directlyProvides, providedBy

from txvaurien.embedded.factory import ChaosFactory, seed_of_test
from txvaurien.errors import ConfigError
from txvaurien.planning.seeds import new_seed

if TYPE_CHECKING:
    from txvaurien.embed import ChaosProxy
    from txvaurien.embedded.awaiting import AsyncChaosProxy

    _Case = TestCase
else:
    _Case = object

#: The seed of a run, where it is to be repeated.
SEED_VARIABLE = "VAURIEN_SEED"


class ChaosMixin(_Case):
    """Has `chaos_proxy`: to be mixed into a test case, before its base class.

    When a test fails, its error says which seed its proxies had, what their plans are and what they did last.
    """

    _chaos: ChaosFactory | None = None
    _chaos_seed = 0

    def chaos_proxy(self, backend: str, protocol: str = "tcp", **settings: Any) -> ChaosProxy:
        """A proxy that listens, until the test is over; see `txvaurien.chaos_proxy`.

        :raises ConfigError: something that is set cannot be.
        :raises ListenError: nothing can listen there.
        """
        return self._chaos_factory()(backend, protocol, **settings)

    async def awaitable_chaos_proxy(
        self, backend: str, protocol: str = "tcp", **settings: Any
    ) -> AsyncChaosProxy:
        """The same for tests that are coroutines, which nothing of it blocks."""
        return await self._chaos_factory().awaitable(backend, protocol, **settings)

    def run(self, result: Any = None) -> Any:
        """As ever, but for what is told of errors."""
        self._chaos = None
        telling: Any = result if result is None else _Telling(result, self._told_by_proxies)
        return super().run(telling)

    def _chaos_factory(self) -> ChaosFactory:
        if self._chaos is None:
            self._chaos_seed = _seed_of_run()
            self._chaos = ChaosFactory(seed_of_test(self._chaos_seed, self.id()))
            self.addCleanup(self._chaos.close)
        return self._chaos

    def _told_by_proxies(self) -> str:
        told = "" if self._chaos is None else self._chaos.describe()
        return told and f"to repeat it: {SEED_VARIABLE}={self._chaos_seed}\n{told}"


def _seed_of_run() -> int:
    """:raises ConfigError: what the environment says is no number."""
    text = os.environ.get(SEED_VARIABLE, "")
    try:
        return int(text) if text else new_seed()
    except ValueError:
        raise ConfigError(SEED_VARIABLE, f"{text!r} is no seed", "it is a whole number") from None


class _Telling:
    """A result that is told more about errors; all else is as the runner's own has it.

    :param told: what is to be told; empty for nothing.
    """

    def __init__(self, result: TestResult, told: Callable[[], str]) -> None:
        self._result = result
        self._told = told
        self._is_trial = _is_of_trial(result)
        directlyProvides(self, providedBy(result))

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._result, name)
        # Whether it is there has a meaning.
        if name == "addSubTest":
            return lambda test, subtest, error: found(test, subtest, error and self._noted(error))
        return found

    def addError(self, test: Any, error: Any) -> None:
        """An error, which is told more of."""
        self._result.addError(test, self._with_more(error))

    def addFailure(self, test: Any, error: Any) -> None:
        """A failure, which is told more of."""
        self._result.addFailure(test, self._with_more(error))

    def _with_more(self, error: Any) -> Any:
        """What the runner is given: a `Failure` for trial, else what ``sys.exc_info`` has."""
        more = self._told()
        if not more:
            return error
        _add_note(error[1] if isinstance(error, tuple) else error.value, more)
        return _ToldFailure(error, more) if self._is_trial else error

    def _noted(self, error: Any) -> Any:
        more = self._told()
        if more:
            _add_note(error[1], more)
        return error


def _is_of_trial(result: TestResult) -> bool:
    itrial: Any = sys.modules.get("twisted.trial.itrial")
    return itrial is not None and itrial.IReporter.providedBy(result)


class _ToldFailure(Failure):
    """A failure of which there is more to tell: trial shows no notes of exceptions."""

    def __init__(self, error: Any, more: str) -> None:
        first = Failure(error[1], error[0], error[2]) if isinstance(error, tuple) else error
        self.__dict__.update(first.__dict__)
        self._more = more

    def getTraceback(self, *arguments: Any, **keywords: Any) -> str:
        """The traceback, and more."""
        return f"{super().getTraceback(*arguments, **keywords)}{self._more}\n"

    def getErrorMessage(self) -> str:
        """The message, and more: what the processes of ``trial -j`` hand on."""
        return f"{super().getErrorMessage()}\n{self._more}"


class ProxiesTold(Exception):
    """No error: what proxies have to tell about another one, for Pythons without notes."""


def _add_note(error: BaseException, more: str) -> None:
    if sys.version_info >= (3, 11):
        error.add_note(more)
        return
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__
    error.__cause__ = ProxiesTold(more)
