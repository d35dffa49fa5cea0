"""What the processes count together: for rules, for a proxy, and against the cap on faults."""

from __future__ import annotations

from typing import TypeVar

from txvaurien.errors import ConfigError
from txvaurien.journals.reports import Stats
from txvaurien.rules import Cap, Tally
from txvaurien.workers.memory import FAULTS, FAULTS_LOCK, MOST_RULES, SLOT, SLOTS, STATS, WORD, Lock, Memory

T = TypeVar("T")


class SharedTally(Tally):
    """What a rule has counted over all processes. Whoever changes it holds `lock`.

    :param slot: which of the slots is its own.
    """

    __slots__ = ("_at", "_words", "lock", "slot")

    # The numbers are in the memory, which somebody else may have counted in already.
    def __init__(self, memory: Memory, slot: int) -> None:
        self.slot = slot
        self._at = SLOTS + slot * SLOT
        self._words: memoryview | list[int] = memory.words
        self.lock = Lock(memory, self._at * WORD, SLOT * WORD)

    @property
    def matched(self) -> int:
        return self._words[self._at]

    @matched.setter
    def matched(self, value: int) -> None:
        self._words[self._at] = value

    @property
    def fired(self) -> int:
        return self._words[self._at + 1]

    @fired.setter
    def fired(self, value: int) -> None:
        self._words[self._at + 1] = value

    @property
    def capped(self) -> int:
        return self._words[self._at + 2]

    @capped.setter
    def capped(self, value: int) -> None:
        self._words[self._at + 2] = value

    @property
    def misfired(self) -> int:
        return self._words[self._at + 3]

    @misfired.setter
    def misfired(self, value: int) -> None:
        self._words[self._at + 3] = value

    def detach(self) -> None:
        """The slot may be somebody else's from now on: keep the numbers, and count on alone."""
        self._words = list(self._words[self._at : self._at + SLOT])
        self._at = 0


class Slots:
    """Which slots are free. For the master process."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._free: list[int] = []
        self._next = 0

    def take(self) -> SharedTally:
        """A slot that begins at zero.

        :raises ConfigError: there is none left.
        """
        if not self._free and self._next == MOST_RULES:
            raise ConfigError(
                "rules",
                f"there are {MOST_RULES} already, and workers share no more",
                "remove some, or leave --workers out",
            )
        if not self._free:
            self._free.append(self._next)
            self._next += 1
        tally = SharedTally(self._memory, self._free.pop())
        tally.matched = tally.fired = tally.capped = tally.misfired = 0
        return tally

    def give_back(self, tally: SharedTally) -> None:
        """No process counts in it any more."""
        tally.detach()
        self._free.append(tally.slot)


class PublishedStats(Stats):
    """The counters of one worker, for the others to read; they go on where its predecessor left them."""

    def __init__(self, memory: Memory, worker: int) -> None:
        row = memory.row(worker)
        object.__setattr__(self, "_memory", memory)
        object.__setattr__(self, "_row", row)
        super().__init__(**{name: memory.words[row + at] for name, at in STATS.items()})

    def __setattr__(self, name: str, value: int) -> None:
        object.__setattr__(self, name, value)
        memory: Memory = self.__dict__["_memory"]
        memory.words[self.__dict__["_row"] + STATS[name]] = value


class Standing(set[T]):
    """A set of what counts as faults, whose size the other processes see in a sum.

    :param counter: counts for all such sets of one worker.
    """

    def __init__(self, counter: FaultCounter) -> None:
        super().__init__()
        self._counter = counter

    def add(self, fault: T, /) -> None:
        """One more, for which a place may have been reserved."""
        self._counter.came(0 if fault in self else 1)
        super().add(fault)

    def discard(self, fault: object, /) -> None:
        """One less."""
        if fault in self:
            self._counter.went()
            super().discard(fault)


class FaultCounter:
    """How many faults stand on the links of one worker, as the others see it."""

    def __init__(self, memory: Memory, worker: int) -> None:
        self._words = memory.words
        self._at = memory.row(worker) + FAULTS
        self._memory = memory
        self._lock = Lock(memory, FAULTS_LOCK, WORD)
        self._reserved = 0

    def reserve(self, most: int) -> bool:
        """A place for one more fault, which has to come before anything else does; False if there is none."""
        self.came(0)
        with self._lock:
            if self._memory.faults() >= most:
                return False
            self._reserved = 1
            self._words[self._at] += 1
            return True

    def came(self, count: int) -> None:
        """So many more; what was reserved for it is reserved no longer."""
        self._words[self._at] += count - self._reserved
        self._reserved = 0

    def went(self) -> None:
        """One less."""
        self._words[self._at] -= 1


class SharedCap(Cap):
    """How many faults there may be at one time, over all workers."""

    def __init__(self, most: int | None, counter: FaultCounter) -> None:
        super().__init__(most)
        self._counter = counter
        self.links: set[int] = Standing(counter)

    def full(self, exchanges: int) -> bool:
        """Whether there is no place for one more; if there is, it is kept for what comes next."""
        del exchanges
        return self.most is not None and not self._counter.reserve(self.most)
