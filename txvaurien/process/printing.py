"""Standard output: closed early, as ``| head`` closes it, or in colours. Standard library only."""

from __future__ import annotations

import os
import sys


def show(text: str) -> bool:
    """Print it. Whoever has read enough gets no more, and that is no error.

    :return: whether somebody may still read.
    """
    try:
        print(text, flush=True)
        return True
    except BrokenPipeError:
        # The interpreter flushes once more at its end, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False


def coloured() -> bool:
    """Whether colours can be seen on it, and are not unwanted (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
