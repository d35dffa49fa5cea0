"""``vaurienctl``: control a running proxy from the shell. Standard library only, so it starts fast."""
