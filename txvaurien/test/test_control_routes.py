"""No route reads or writes files, begins processes, or imports what a request names."""

from __future__ import annotations

import json
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.control.openapi.routes import all_routes
from txvaurien.test.audited_routes import FIELDS, NASTY
from txvaurien.test.control_helpers import TOKEN, RawClient, guarded, proxy


class AuditTests(SynchronousTestCase):
    """What Python does for requests that name files and code, in every place where a name can stand."""

    def test_nothing_happens(self) -> None:
        """No file is opened or changed, nothing is run or imported."""
        command = [sys.executable, "-m", "txvaurien.test.audited_routes"]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stderr)
        said = json.loads(done.stdout.splitlines()[-1])
        self.assertEqual(said["seen"], {})
        self.assertNotIn("500", said["answers"])
        self.assertGreater(sum(said["answers"].values()), len(FIELDS) * len(NASTY) * 20)


class EveryRouteTests(SynchronousTestCase):
    """The routes that there are, whoever has added them."""

    def check(self, client: RawClient, status: int, **headers: str) -> None:
        """Every request is refused with this status."""
        for route in all_routes():
            path = route.path.replace("{", "").replace("}", "") or "/"
            self.assertEqual(client.get(path, route.method, **headers).status, status, route)

    def test_guarded(self) -> None:
        """Each of them asks for the token, and refuses foreign names and pages."""
        self.check(RawClient(guarded(proxy(), token=TOKEN)), 401, Host="localhost")
        self.check(RawClient(guarded(proxy())), 403, Host="evil.example")
        self.check(RawClient(guarded(proxy())), 403, Host="localhost", Origin="null")
