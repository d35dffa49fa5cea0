"""How often Python looks for garbage that refers to itself."""

from __future__ import annotations

import gc

#: After how many more objects than were freed the youngest are looked at (Python's own: 700).
YOUNG = 20_000


def collect_rarely() -> None:
    """Look for cycles less often, and never in what is there now.

    A link and its parts know each other, so that nothing but this frees them; at the usual rate a
    tenth of what a short link costs goes into looking through all that lives longer. It is for a
    process of our own that is about to serve, not for an application that embeds us.
    """
    gc.freeze()
    gc.set_threshold(YOUNG)
