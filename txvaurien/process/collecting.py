"""How often Python looks for garbage that refers to itself.

It is for processes of our own, not for an application that embeds us.
"""

from __future__ import annotations

import gc

#: After how many more objects than were freed the youngest are looked at (Python's own: 700).
YOUNG = 20_000


def collect_later() -> None:
    """Look for no cycles until `collect_rarely`. For a process that begins to import what it needs.

    What is imported stays, and is looked through again and again while more is imported: a tenth of a
    start, or more.
    """
    gc.disable()


def collect_rarely() -> None:
    """Look for cycles less often, and never in what is there now. For a process that is about to serve.

    A link and its parts know each other, so that nothing but this frees them; at the usual rate a
    tenth of what a short link costs goes into looking through all that lives longer.
    """
    gc.freeze()
    gc.set_threshold(YOUNG)
    gc.enable()
