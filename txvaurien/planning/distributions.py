"""How a wait is drawn: shared by the behavior delay and the toxic latency."""

from __future__ import annotations

import random
from typing import Literal

from txvaurien.options import DAY

#: The exponent of the Pareto distribution: most waits short, a few very long ones.
PARETO_SHAPE = 3.0

Distribution = Literal["uniform", "normal", "pareto"]


def draw_wait(draws: random.Random, wait: float, jitter: float, distribution: Distribution) -> float:
    """A wait in seconds, from 0 to a day. Without jitter nothing is drawn.

    :param wait: what the drawn waits lie around, in seconds.
    :param jitter: by how much they differ, in seconds. ``uniform``: at most by so much;
        ``normal``: it is the standard deviation; ``pareto``: it is the mean of a long tail
        that is added, so that `wait` is the least.
    """
    if not jitter:
        return wait
    if distribution == "uniform":
        drawn = wait + draws.uniform(-jitter, jitter)
    elif distribution == "normal":
        drawn = draws.normalvariate(wait, jitter)
    else:
        # paretovariate is 1 and more, with mean shape / (shape - 1).
        drawn = wait + jitter * (draws.paretovariate(PARETO_SHAPE) - 1) * (PARETO_SHAPE - 1)
    return min(max(drawn, 0.0), DAY)
