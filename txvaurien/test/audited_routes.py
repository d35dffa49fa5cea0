"""Asks every route of a control server for what it should not do, and prints what Python was made to do.

`test_control_routes` runs it in a process of its own: nobody can take an audit hook away again.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import count, product

from txvaurien.control.openapi.routes import Route, all_routes
from txvaurien.plugins import Registry
from txvaurien.test.control_helpers import RawClient, guarded, proxy

#: What nobody is to bring about over HTTP; Python's documentation has a table of audit events.
WATCHED = frozenset(
    {"open", "ctypes.dlopen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn"}
    | {"subprocess.Popen", "shutil.rmtree", "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.chmod"}
    | {"os.chown", "os.link", "os.symlink"}
)
#: These happen, for declared options and for plug-ins; not with what a request says.
WATCHED_FOR_NAMES = frozenset({"import", "exec", "compile", "marshal.loads", "pickle.find_class"})
#: Files that are read all the same: the types of endpoints that there are, and what the metrics are of.
KNOWN = ("/twisted/plugins/", "'/proc/stat'", "'/proc/self/")

#: Fields that somewhere take a text, and some that must not.
FIELDS = (
    *("action", "backend", "behavior", "callable", "extends", "include", "journal", "listen", "mix", "name"),
    *("protocol", "rule", "scenario", "tls", "tls_key", "toxic", "type", "upstream"),
    *("backend_tls_ca", "backend-tls-cert", "backend_tls_key"),
)

#: Names of files and of code. NUMBER is another one each time, so that nothing is known from before.
NASTY = (
    "/tmp/nastyNUMBER",
    "nastyNUMBER.module:Class",
    "callable = nastyNUMBER.module.Class",
    "at 0: include /tmp/nastyNUMBER",
    "ssl:a.example:443:certKey=/tmp/nastyNUMBER:privateKey=/tmp/nastyNUMBER",
    "unix:/tmp/nastyNUMBER:lockfile=1",
    # Without names, and with a name that does not look like one.
    "tls:a.example:443:30:127.0.0.1:/tmp/nastyNUMBER",
    "ssl:a.example:443:/tmp/nastyNUMBER:/tmp/nastyNUMBER",
    "tls:a.example:443:trustRoots\\=/tmp/nastyNUMBER",
    "tls:a.example:443:certi\\ficate=/tmp/nastyNUMBER",
    "tls:a.example:443::/tmp/nastyNUMBER",
)


class Asker:
    """Asks one control server, for each request over a connection of its own."""

    def __init__(self) -> None:
        self._guard = guarded(proxy(), names=_all_there_is())
        self._numbers = count()
        self.answers: Counter[int] = Counter()

    def ask_all(self) -> None:
        """Every route for everything."""
        for route in all_routes():
            for text in NASTY:
                self._ask(route, text)
            if route.method in {"POST", "PUT", "PATCH"}:
                for body in _bodies():
                    self._ask(route, "proxy", json.dumps(body))

    def _ask(self, route: Route, name: str, body: str = "") -> None:
        path = route.path.replace("{proxy}", "proxy")
        for parameter in route.parameters:
            path = path.replace(f"{{{parameter}}}", self._quoted(name))
        raw = self._numbered(body).encode()
        head = f"{route.method} {path or '/'}?name={self._quoted(name)} HTTP/1.1\r\nHost: localhost\r\n"
        client = RawClient(self._guard)
        client.send(f"{head}Content-Length: {len(raw)}\r\n\r\n".encode() + raw)
        self.answers[client.answer().status] += 1
        client.leave()

    def _quoted(self, text: str) -> str:
        return "".join(f"%{byte:02x}" for byte in self._numbered(text).encode())

    def _numbered(self, text: str) -> str:
        return text.replace("NUMBER", str(next(self._numbers)))


def _all_there_is() -> Registry:
    """What is installed, with everything in it imported before it is watched."""
    registry = Registry.load()
    for group in (registry.protocols, registry.behaviors, registry.toxics):
        for name in group:
            _ = group[name]
    return registry


def _bodies() -> Iterator[object]:
    for text, field in product(NASTY, FIELDS):
        yield {field: text}
        yield {"name": "x", "upstream": "localhost:1", field: text}
        yield {"name": "delay", "options": {field: text}, "type": "latency", "attributes": {field: text}}
    yield from ([{"name": "x", "upstream": text}] for text in NASTY)


def main() -> None:
    """Print the answers by status, and what has been done for them."""
    asker = Asker()
    # Much is imported where it is used first.
    asker.ask_all()
    asker.answers.clear()
    seen: Counter[str] = Counter()

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        said = str(arguments)
        named = "nasty" in said
        known = any(each in said for each in KNOWN)
        if (event in WATCHED and (named or not known)) or (event in WATCHED_FOR_NAMES and named):
            seen[f"{event} {said[:100]}"] += 1

    sys.addaudithook(watch)
    asker.ask_all()
    print(json.dumps({"answers": asker.answers, "seen": seen}))


if __name__ == "__main__":
    main()
