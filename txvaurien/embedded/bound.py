"""``vaurien`` as a process that ends with the one that has started it, however that ends.

That one holds the other end of our standard input, and the kernel closes it at the latest when it is gone,
also after SIGKILL.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

from txvaurien.cli import main


def end_with(descriptor: int) -> None:
    """Wait for the end of a pipe, and then end this process in order."""
    while os.read(descriptor, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=end_with, args=(sys.stdin.fileno(),), name="txvaurien bound", daemon=True).start()
    sys.exit(main())
