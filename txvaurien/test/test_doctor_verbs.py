"""The doctor and verbs that are nearly a well-known one."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.doctor.findings import Finding, Level
from txvaurien.doctor.verbs import letters_between, nearest
from txvaurien.protocols.redis.commands import command_names
from txvaurien.test.doctor_support import DoctorCase


class NoteTests(DoctorCase):
    """What is noted of rules."""

    def notes(self, protocol: str, *rules: str) -> list[Finding]:
        """The notes of a plan with these rules."""
        arguments = (f"--protocol={protocol}", *(f"--rule={rule}" for rule in rules))
        found = self.examine("--proxy=127.0.0.1:0", *arguments, probe=False)
        return [each for each in found if (each.topic, each.level) == ("plan", Level.NOTE)]

    def test_redis(self) -> None:
        """A slip of the finger is noted, with the rule and the command that is meant."""
        (found,) = self.notes("redis", "error kind=oom verb=get,ste name=full")
        self.assertEqual(found.text, "rule full is for STE, which is nearly SET")
        self.assertEqual(found.advice, "see whether SET is meant")

    def test_http(self) -> None:
        """So it is with the methods of HTTP."""
        (found,) = self.notes("http", "delay verb=PSOT")
        self.assertEqual(found.advice, "see whether POST is meant")

    def test_each_protocol(self) -> None:
        """So it is with those of the other protocols."""
        for protocol, verb, meant in (
            ("memcache", "GTE", "GET"),
            ("memcache", "FLUSHALL", "FLUSH_ALL"),
            ("mysql", "SELCT", "SELECT"),
            ("mysql", "STMT_PREPAER", "STMT_PREPARE"),
            ("smtp", "MIAL", "MAIL"),
        ):
            (found,) = self.notes(protocol, f"delay verb={verb}")
            self.assertEqual(found.advice, f"see whether {meant} is meant")

    def test_others(self) -> None:
        """What is far from all is somebody's own."""
        self.assertEqual(self.notes("redis", "delay verb=HELLO,CONNECT,TS.ADD,FROBNICATE,MESSAGE"), [])
        self.assertEqual(self.notes("http", "delay verb=PURGE,PROPFIND,REPORT,MKCOL,UNASKED"), [])
        self.assertEqual(self.notes("mysql", "delay verb=LOGIN,AUTH,GREETING,SELECT,FROBNICATE"), [])
        self.assertEqual(self.notes("tcp", "delay verb=SYA"), [])


class NearTests(SynchronousTestCase):
    """Which word is near."""

    def test_letters(self) -> None:
        """A letter that is missing, one too many, a wrong one, two exchanged; and what they add up to."""
        for one, other, number in (
            ("SET", "SET", 0),
            ("ST", "SET", 1),
            ("SEET", "SET", 1),
            ("SAT", "SET", 1),
            ("STE", "SET", 1),
            ("XSTE", "SET", 2),
            ("", "SET", 3),
            ("SET", "", 3),
            ("ABC", "XYZ", 3),
        ):
            self.assertEqual(letters_between(one, other), number, (one, other))

    def test_nearest(self) -> None:
        """One letter in short words, two in longer ones; the nearest of several."""
        words = {"GET", "GETEX", "PUBLISH"}
        for word, near in (("GETE", "GET"), ("GETX", "GET"), ("GTEEX", "GETEX"), ("PBLSH", "PUBLISH")):
            self.assertEqual(nearest(word, words), near, word)
        for word in ("GXX", "XXXLISH", "TS.GET", ""):
            self.assertEqual(nearest(word, words), "", word)

    def test_commands(self) -> None:
        """Those of Redis are there, without what are subcommands."""
        self.assertTrue({"GET", "CLIENT", "SUBSCRIBE", "XREADGROUP"} <= command_names())
        self.assertFalse([name for name in command_names() if "|" in name or name != name.upper()])
