"""``python -m txvaurien`` is ``vaurien``."""

from __future__ import annotations

import sys

from txvaurien.cli import main

if __name__ == "__main__":
    sys.exit(main())
