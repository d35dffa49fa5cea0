"""The doctor in tests: settings are examined, and what was found can be looked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.config import Settings, load
from txvaurien.doctor.findings import Finding, Level
from txvaurien.doctor.kernel import Kernel
from txvaurien.doctor.main import examine
from txvaurien.doctor.recognising import WaitLimits
from txvaurien.plugins import Registry

#: For servers that answer: as long as they may take, and no longer for what never comes.
LONG = WaitLimits(greeting=0.2, expected=60.0, answer=60.0)
#: For servers that never answer.
SHORT = WaitLimits(greeting=0.02, expected=0.02, answer=0.02)


def levels(findings: Sequence[Finding], topic: str) -> list[Level]:
    """How bad what was found on a topic is."""
    return [each.level for each in findings if each.topic == topic]


class DoctorCase(SynchronousTestCase):
    """Examines settings. Nothing is known of the kernel's ports, unless a test says so."""

    kernel = Kernel(Path("/nowhere"))

    def settings(self, *arguments: str, ini: str = "") -> Settings:
        """Settings of this command line and this file."""
        if ini:
            path = self.mktemp()
            Path(path).write_text(ini, encoding="utf-8")
            arguments = ("--config", path, *arguments)
        return load(arguments, Registry.load(), {})

    def examine(
        self, *arguments: str, ini: str = "", waits: WaitLimits = LONG, probe: bool = True
    ) -> list[Finding]:
        """What is found of them."""
        settings = self.settings(*arguments, ini=ini)
        return list(examine(settings, MemoryReactorClock(), self.kernel, waits, probe=probe))

    def only(self, findings: Sequence[Finding], topic: str, level: Level) -> Finding:
        """The one of this topic and level."""
        found = [each for each in findings if each.topic == topic and each.level is level]
        self.assertEqual(len(found), 1, findings)
        return found[0]

    def none(self, findings: Sequence[Finding], *bad: Level) -> None:
        """Nothing is as bad as that."""
        self.assertEqual([each for each in findings if each.level in bad], [])
