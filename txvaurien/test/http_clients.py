"""What the tests with real HTTP clients share."""

from __future__ import annotations

import hashlib
import subprocess
from typing import Any

from txvaurien.behaviors.error import Error
from txvaurien.plan import Plan
from txvaurien.rules import Rule
from txvaurien.test.servers import require

#: Rules that fire on nothing that is asked here: all is framed before it goes on.
FRAMED = Plan(rules=(Rule(Error(), verbs=frozenset({"BREW"})),), seed=1)

#: Fields that differ from one answer to the next.
VARYING = {"date"}


Seen = tuple[int, str, list[tuple[str, str]], str]


def digest(body: bytes) -> str:
    """Bodies are compared by this, so that a failure can be read."""
    return f"{len(body)} bytes, {hashlib.sha256(body).hexdigest()}"


def seen(code: int, reason: str, fields: Any, body: bytes) -> Seen:
    """What a client got."""
    told = sorted((name.lower(), value) for name, value in fields if name.lower() not in VARYING)
    return code, reason, told, digest(body)


def curl(*arguments: str) -> tuple[int, bytes]:
    """The exit status of curl, and what it wrote."""
    program = require("curl", "curl")
    # Not our own standard input: where trial runs with -j, that is how it is told what to run.
    done = subprocess.run(
        [program, "-sS", "-m", "60", *arguments], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    return done.returncode, done.stdout


def read_sized(answers: Any) -> bytes:
    """The body of the next response, which says how long it is."""
    size = 0
    for line in iter(answers.readline, b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            size = int(value)
    body: bytes = answers.read(size)
    return body
