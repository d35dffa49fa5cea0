"""The lines of a journal while they are written, through every rotation of the file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO


class Tail:
    """Reads what has been added since the last time.

    :param path: it need not be there yet. When another file takes its place, the rest of the old one is
        read first.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._rest = b""

    def lines(self) -> Iterator[dict[str, Any]]:
        """Whole lines, as JSON."""
        while True:
            if self._file is None and not self._open():
                return
            yield from self._read()
            if not self._moved():
                return
            # Between the last look and the move something may have been added.
            yield from self._read()
            self.close()

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> bool:
        try:
            self._file = self._path.open("rb")
        except FileNotFoundError:
            return False
        return True

    def _read(self) -> Iterator[dict[str, Any]]:
        assert self._file is not None
        while data := self._file.read(1 << 20):
            *whole, self._rest = (self._rest + data).split(b"\n")
            for line in whole:
                yield json.loads(line)

    def _moved(self) -> bool:
        assert self._file is not None
        try:
            return os.stat(self._path).st_ino != os.fstat(self._file.fileno()).st_ino
        except FileNotFoundError:
            # The next one is about to be made.
            return False
