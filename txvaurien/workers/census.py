"""What all workers of a proxy have counted together, also those that have died."""

from __future__ import annotations

from collections.abc import Iterable

from txvaurien.metrics.figures import Figures, total
from txvaurien.workers.memory import Memory


class Census:
    """Adds up what workers say of themselves. The sum never gets less.

    What a worker has counted of links that have ended stands in the shared memory, and is not lost with
    it. All else (links that stood, exchanges) is as it was when it was asked last.

    :param workers: how many there are to be.
    """

    def __init__(self, memory: Memory, workers: int) -> None:
        self._memory = memory
        self._workers = workers
        #: What those have said last that run.
        self._last: dict[int, Figures] = {}
        #: Of those that have died, what is not in the memory.
        self._lost = Figures()

    def take(self, said: Iterable[Figures]) -> Figures:
        """The sum of what they say now, and of what is known of all others."""
        answered = {each.worker: each for each in said}
        self._last.update(answered)
        silent = [
            Figures(self._memory.stats_of(number))
            for number in range(self._workers)
            if number not in answered
        ]
        return total([*answered.values(), *silent, self._lost])

    def died(self, worker: int) -> None:
        """This one says nothing any more; the next one of its number begins from the memory."""
        last = self._last.pop(worker, None)
        if last is None:
            return
        kept = self._memory.stats_of(worker)
        lost = {name: max(0, count - kept[name]) for name, count in last.stats.items()}
        self._lost.add(Figures(lost, noted=last.noted))
