"""Deviations, in words."""

from __future__ import annotations

from bench.soak.judge import Deviation

_LINES = 25


def told(deviation: Deviation) -> list[str]:
    """What is to be known of a deviation to find its cause, line by line."""
    rows = [f"DEVIATION {deviation.proxy} link {deviation.link}: {deviation.what} [{deviation.effects}]"]
    if deviation.record is not None:
        rows.append(f"    client: {shown(deviation)}")
    return [*rows, *(f"    journal: {dict(line)}" for line in deviation.lines[-_LINES:])]


def shown(deviation: Deviation) -> str:
    """What its client has seen."""
    record = deviation.record
    assert record is not None
    shown = {name: value for name, value in vars(record).items() if name not in ("streams", "proxy")}
    streams = [
        (stream.upstream, stream.sent.length, stream.received, stream.ending) for stream in record.streams
    ]
    return f"{shown} {streams or ''}"
