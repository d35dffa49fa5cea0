"""``vaurienctl events``: what happens, line by line. Standard library only."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping

from txvaurien.clients.vocabulary import Fields
from txvaurien.ctl.asked import Asked
from txvaurien.ctl.words import in_words
from txvaurien.process.printing import show

#: How many of those that have been are shown first, where those that come are followed.
_BEFORE = 10

#: What stands at the beginning of a line, or is of no use to people.
_HEAD = frozenset({"n", "time", "clock", "proxy", "event", "link"})


def add_events(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("--follow", action="store_true", help="go on with what comes, until Ctrl-C")
    parser.add_argument("--since", type=int, metavar="N", help="only what came after number N")
    parser.add_argument(
        "--last", type=int, metavar="N", help=f"only the last N of those (with --follow: {_BEFORE})"
    )
    parser.add_argument("--event", metavar="NAME", help="only such events, for example fired")
    parser.add_argument("--link", type=int, metavar="ID", help="only this link")


def events(asked: Asked) -> str:
    """A line for each, shown as it comes."""
    written: Callable[[Fields], str] = json.dumps if asked.chosen.json else line_of
    with asked.client.events(asked.chosen.since or 0, follow=asked.chosen.follow, **_filters(asked)) as told:
        try:
            for record in told:
                if not show(written(record)):
                    break
        except KeyboardInterrupt:
            # That is how one leaves it.
            pass
    return ""


def _filters(asked: Asked) -> dict[str, object]:
    chosen = asked.chosen
    last = chosen.last
    if last is None and chosen.follow and chosen.since is None:
        last = _BEFORE
    wanted = {"last": last, "event": chosen.event, "link": chosen.link, "proxy": chosen.proxy}
    return {name: value for name, value in wanted.items() if value is not None}


def line_of(record: Mapping[str, object]) -> str:
    """``12:00:01.250  front  link 3  fired rule=error-1 ...``."""
    if record["event"] == "lost":
        return f"lost: {record['count']} records, {record['from']} to {record['to']}"
    time = str(record["time"]).partition("T")[2][:12]
    fields = {name: _short(value) for name, value in record.items() if name not in _HEAD}
    link = [f"link {record['link']}"] if "link" in record else []
    return "  ".join([time, str(record["proxy"]), *link, in_words(str(record["event"]), fields)])


def _short(value: object) -> object:
    """What has parts is shown as JSON."""
    return json.dumps(value) if isinstance(value, (dict, list)) else value
