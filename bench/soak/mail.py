"""smtp: mails that know whose they are, and what became of each."""

from __future__ import annotations

import hashlib
import random
import re
from dataclasses import dataclass, field
from pathlib import Path

from bench.soak.conn import Conn
from bench.soak.facts import Effect
from bench.soak.ledger import Record
from bench.soak.visit import Scene, Wrong, pause

#: What the client knows of a mail: nobody has taken it, somebody has, or the answer is missing.
REFUSED, TAKEN, UNKNOWN = "refused", "taken", "unknown"

_NONCE = re.compile(rb"^X-Nonce: (\S+)\r$", re.MULTILINE)


def content_of(scene: Scene, nonce: str, size: int) -> bytes:
    """Lines of text, with lines that begin with a dot among them; what is derived from the nonce."""
    text = scene.source(f"mail {nonce}", size // 2).whole().hex().encode()
    lines = [text[at : at + 70] for at in range(0, len(text), 70)]
    body = b"\r\n".join(b"." + line if place % 5 == 0 else line for place, line in enumerate(lines))
    digest = hashlib.blake2b(body, digest_size=16).hexdigest()
    return f"X-Nonce: {nonce}\r\nX-Digest: {digest}\r\n\r\n".encode() + body + b"\r\n"


def stuffed(content: bytes) -> bytes:
    """As it goes over the line (RFC 5321, 4.5.2), with its end."""
    return (b"\r\n" + content).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"


@dataclass
class Mail:
    """One mail that was to be sent."""

    nonce: str
    size: int
    record: Record
    fate: str = REFUSED


@dataclass
class PostOffice:
    """All mails since the last count."""

    scene: Scene
    mails: dict[str, Mail] = field(default_factory=dict)

    def count(self, folder: Path, effects: dict[str, Effect], tainted: bool) -> list[str]:
        """Compare with what the server has kept, remove that, and begin anew.

        :param effects: what was done to the links, by the tokens of their records.
        :param tainted: some link has carried other bytes to the backend than its client had said.
        :return: what nothing explains.
        """
        found: list[str] = []
        kept: dict[str, int] = {}
        for path in sorted(folder.glob("*.mail")):
            _, _, content = path.read_bytes().partition(b"\r\n")
            found += self._look(content, kept, effects, tainted)
            path.unlink()
        for mail in self.mails.values():
            bent = bool(effects.get(mail.record.token, Effect.NONE) & _BENT)
            found += [] if bent else _settle(mail, kept.get(mail.nonce, 0))
        self.mails.clear()
        return found

    def _look(
        self, content: bytes, kept: dict[str, int], effects: dict[str, Effect], tainted: bool
    ) -> list[str]:
        named = _NONCE.search(content)
        nonce = named[1].decode("latin-1") if named else ""
        mail = self.mails.get(nonce)
        if mail is None:
            return [] if tainted else [f"the server has a mail that nobody has sent: {content[:80]!r}"]
        kept[nonce] = kept.get(nonce, 0) + 1
        whole = content.rstrip(b"\r\n") == content_of(self.scene, nonce, mail.size).rstrip(b"\r\n")
        if whole or effects.get(mail.record.token, Effect.NONE) & _BENT:
            return []
        return [f"mail {nonce} of {mail.size} bytes is not whole: {len(content)} bytes are there"]


_BENT = Effect.ALTER_UP | Effect.ALTER_DOWN | Effect.LOSE_UP | Effect.LOSE_DOWN | Effect.UNKNOWN


def _settle(mail: Mail, times: int) -> list[str]:
    if times > 1:
        return [f"mail {mail.nonce} was taken {times} times"]
    if mail.fate == TAKEN and not times:
        return [f"mail {mail.nonce} was taken, and is not there"]
    if mail.fate == REFUSED and times:
        return [f"mail {mail.nonce} was refused, and is there"]
    return []


class MailTalk:
    """One client."""

    def __init__(self, office: PostOffice, conn: Conn, record: Record, draw: random.Random) -> None:
        self._office = office
        self._conn = conn
        self._record = record
        self._draw = draw
        self._tally = office.scene.ledger.tally(record.proxy)

    async def greet(self) -> bool:
        """The greeting, and ours."""
        return await self._heard("220") and await self._say("EHLO soak.example.org", "250")

    async def mail(self, number: int) -> bool:
        """One mail; whether the connection is good for another."""
        nonce = f"{self._record.token}-{number}"
        size = self._draw.choice((100, 2000, 2000, 40_000, 500_000 if self._draw.random() < 0.2 else 500))
        mail = self._office.mails[nonce] = Mail(nonce, size, self._record)
        for command, wanted in (
            (f"MAIL FROM:<{nonce}@soak.example.org>", "250"),
            (f"RCPT TO:<box-{number}@soak.example.org>", "250"),
            ("DATA", "354"),
        ):
            if not await self._say(command, wanted):
                return await self._say("RSET", "250")
        mail.fate = UNKNOWN
        await self._conn.send(stuffed(content_of(self._office.scene, nonce, size)))
        taken = await self._heard("250")
        mail.fate = TAKEN if taken else REFUSED
        return True

    async def bye(self) -> None:
        """In order."""
        if await self._say("QUIT", "221"):
            rest = await self._conn.some()
            if rest:
                raise Wrong("garbled", f"behind the last reply came {rest[:60]!r}")

    async def _say(self, command: str, wanted: str) -> bool:
        await self._conn.send(f"{command}\r\n".encode())
        return await self._heard(wanted)

    async def _heard(self, wanted: str) -> bool:
        """Whether that is the reply. Another one is an error."""
        while True:
            line = (await self._conn.until(b"\r\n"))[:-2].decode("latin-1")
            if not re.match(r"[2345]\d\d([ -]|$)", line):
                raise ValueError(f"{line[:60]!r} is no reply")
            if line[3:4] != "-":
                break
        self._tally.requests += 1
        if line[:3] == wanted:
            return True
        if line[0] in "23":
            raise Wrong("foreign", f"{line[:60]!r} in place of {wanted}")
        self._record.odd("error", line)
        return False


async def talk(office: PostOffice, conn: Conn, record: Record, draw: random.Random) -> None:
    """Some mails in one connection."""
    client = MailTalk(office, conn, record, draw)
    if not await client.greet():
        return
    for number in range(1, draw.choice((2, 4, 10, 30))):
        if not await client.mail(number):
            return
        await pause(office.scene, draw)
        if office.scene.stopping:
            break
    await client.bye()
