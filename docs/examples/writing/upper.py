"""The smallest toxic that can be used."""

from __future__ import annotations

from typing import ClassVar

from txvaurien.toxics.base import Stage, Toxic


class UpperStage(Stage):
    """One direction of one link: what comes goes on in capitals."""

    __slots__ = ()

    def data(self, data: bytes) -> None:
        self.out.data(data.upper())


class Upper(Toxic, frozen=True, kw_only=True):
    """Make capitals of all letters."""

    name: ClassVar[str] = "upper"
    stages: ClassVar[type[Stage]] = UpperStage
