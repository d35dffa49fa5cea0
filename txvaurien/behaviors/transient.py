"""transient: errors at first, then all is well."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from txvaurien.behaviors.error import COUNT, ErrorBase


class Transient(ErrorBase, frozen=True, kw_only=True):
    """As error, but only for the first exchanges; then all is well."""

    name: ClassVar[str] = "transient"

    warmup: Annotated[int, Meta(ge=0, le=COUNT, description="exchanges that pass first")] = 0
    agitate: Annotated[int, Meta(ge=0, le=COUNT, description="exchanges that fail")] = 1
