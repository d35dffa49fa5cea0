"""txvaurien.protocols.redis: refusals where the server would say nothing."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.errors import NotLegal
from txvaurien.model import Refusal
from txvaurien.test.redis_refused import NOAUTH, Refused
from txvaurien.test.redis_samples import DISCARD, EMPTY, OK, PONG, cmd


class SilentTests(SynchronousTestCase):
    """Refusals where the client gets no replies."""

    def test_off(self) -> None:
        """The server says nothing there, neither do we; nor in answer to what would turn replies on."""
        refused = Refused({"SET": "readonly"})
        refused.ask("CLIENT REPLY OFF", "SET a 1", "GET a")
        self.assertEqual(refused.refusals, [Refusal(b"")])
        refused.kinds = {"CLIENT": "noauth"}
        refused.ask("CLIENT REPLY ON", "PING")
        self.assertEqual(refused.refusals[1:], [Refusal(b"")])
        self.assertFalse(refused.recorder.seen[-1].replies)

    def test_skip(self) -> None:
        """The refused command was the one to be skipped; the backend is given an empty one for it."""
        refused = Refused({"SET": "readonly"})
        refused.ask("CLIENT REPLY SKIP", "SET a 1", "GET a")
        self.assertEqual(refused.refusals, [Refusal(b"", EMPTY)])
        self.assertEqual(refused.say(b"$-1\r\n"), b"$-1\r\n")
        self.assertEqual(refused.recorder.seen[-1].reply, b"$-1\r\n")

    def test_silence_refused(self) -> None:
        """A refused CLIENT REPLY OFF changes nothing, and the error is heard."""
        refused = Refused({"CLIENT": "noauth"})
        refused.ask("CLIENT REPLY OFF", "GET a")
        self.assertEqual(refused.refusals, [Refusal(NOAUTH)])
        self.assertEqual(refused.say(b"$-1\r\n"), b"$-1\r\n")

    def test_silence_not_refused(self) -> None:
        """While other replies are due, the error would come before them: then it is not legal."""
        refused = Refused({"CLIENT": "noauth"})
        self.assertRaises(NotLegal, refused.ask, "GET a", "CLIENT REPLY OFF")

    def test_transaction(self) -> None:
        """A spoilt transaction is discarded in silence as well."""
        refused = Refused({"SET": "oom"})
        refused.ask("CLIENT REPLY OFF", "MULTI", "SET a 1")
        self.assertEqual(refused.ask("EXEC", "CLIENT REPLY ON"), DISCARD + cmd("CLIENT REPLY ON"))
        self.assertEqual(refused.say(OK), OK)
        refused.kinds = {"EXEC": "oom"}
        refused.ask("CLIENT REPLY OFF", "MULTI", "SET a 1", "EXEC", "CLIENT REPLY ON")
        self.assertEqual(refused.refusals[-1], Refusal(b"", DISCARD))
        self.assertEqual(refused.say(OK), OK)

    def test_skipped_multi(self) -> None:
        """MULTI was not answered, but the DISCARD that undoes it is."""
        refused = Refused({})
        refused.ask("CLIENT REPLY SKIP", "MULTI")
        self.assertEqual(refused.late(1, "noauth"), Refusal(b"", DISCARD))
        refused.ask("PING")
        self.assertEqual(refused.say(OK, PONG), PONG)
