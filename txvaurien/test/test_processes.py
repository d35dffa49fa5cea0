"""Proxies in processes of their own: ready means ready, and none is left behind.

Small programs stand in for a proxy where it has to misbehave. The tests of a real
one are in `test_vaurien_compat`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from txvaurien import VaurienError, start_proxy, stop_proxy
from txvaurien.clients.processes import ProxyProcess
from txvaurien.test.servers import accepts, free_port

_SAY_READY = "import os, sys; fd = int(os.environ['VAURIEN_READY_FD']); os.write(fd, b'ready 8000 8080\\n');"
_FOR_EVER = "import signal; signal.pause()"


def gone(pid: int) -> bool:
    """Whether there is no such process, not even one that nobody has waited for."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


class ProxyProcessTests(SynchronousTestCase):
    """What becomes of one process."""

    def setUp(self) -> None:
        self.errors = open(self.mktemp(), "w+b", buffering=0)  # noqa: SIM115 - for as long as the test
        self.addCleanup(self.errors.close)

    def process(self, program: str) -> ProxyProcess:
        """A Python program in place of a proxy."""
        return ProxyProcess([sys.executable, "-c", program], self.errors.fileno())

    def echoed(self) -> bytes:
        """What has been passed on of its standard error."""
        self.errors.seek(0)
        return self.errors.read()

    def test_ready(self) -> None:
        """It is ready when it says so; stopped, it is gone and its exit status known."""
        process = self.process(_SAY_READY + _FOR_EVER)
        process.wait_until_ready()
        self.assertFalse(gone(process.pid))
        self.assertEqual(process.stop(), -15)
        self.assertTrue(gone(process.pid))

    def test_it_dies(self) -> None:
        """If it ends before it is ready, the error has its exit status and what it said."""
        process = self.process("import sys; sys.exit('cannot listen on 127.0.0.1:8000')")
        error = self.assertRaises(VaurienError, process.wait_until_ready)
        expected = "the proxy did not start (exit status 1): cannot listen on 127.0.0.1:8000"
        self.assertEqual(str(error), expected)
        self.assertTrue(gone(process.pid))
        self.assertEqual(self.echoed(), b"")

    def test_it_dies_without_a_word(self) -> None:
        """The error says so."""
        process = self.process("import os; os._exit(3)")
        error = self.assertRaises(VaurienError, process.wait_until_ready)
        self.assertEqual(str(error), "the proxy did not start (exit status 3): it said nothing")

    def test_it_is_never_ready(self) -> None:
        """One that takes too long is ended."""
        process = self.process(_FOR_EVER)
        error = self.assertRaises(VaurienError, process.wait_until_ready, 0.01)
        self.assertIn("it was not ready after 0.01 seconds", str(error))
        self.assertTrue(gone(process.pid))

    def test_it_says_something_else(self) -> None:
        """Only the word counts."""
        process = self.process(_SAY_READY.replace("ready 8000", "never 8000") + "sys.exit(4)")
        error = self.assertRaises(VaurienError, process.wait_until_ready)
        self.assertIn("exit status 4", str(error))

    def test_it_does_not_obey(self) -> None:
        """One that ignores SIGTERM is killed."""
        ignore = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        process = self.process(ignore + _SAY_READY + "[signal.pause() for _ in iter(int, 1)]")
        process.wait_until_ready()
        self.assertEqual(process.stop(0.01), -9)
        self.assertTrue(gone(process.pid))

    def test_it_has_ended_by_itself(self) -> None:
        """Stopping one that has ended is no error."""
        process = self.process(_SAY_READY)
        process.wait_until_ready()
        self.assertIn(process.stop(), (0, -15))

    def test_standard_error(self) -> None:
        """What it logs is passed on from the beginning, and can be more than a pipe holds."""
        noise = "lambda *_: sys.exit('x' * 200_000)"
        program = f"import signal, sys; signal.signal(signal.SIGTERM, {noise});"
        program += f"print('at start', file=sys.stderr, flush=True); {_SAY_READY} signal.pause()"
        process = self.process(program)
        process.wait_until_ready()
        self.assertEqual(process.stop(), 1)
        self.assertEqual(self.echoed(), b"at start\n" + b"x" * 200_000 + b"\n")

    def test_no_such_program(self) -> None:
        """A command that cannot be run leaves nothing open."""
        before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
        self.assertRaises(OSError, ProxyProcess, ["/no/such/program"])
        after = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
        self.assertEqual(before, after)


class StopProxyTests(SynchronousTestCase):
    """stop_proxy ends what start_proxy started, and nothing else."""

    def test_unknown_pid(self) -> None:
        """A process that is no proxy of ours is left alone, with a ValueError as in Vaurien."""
        with subprocess.Popen([sys.executable, "-c", _FOR_EVER]) as other:
            error = self.assertRaises(ValueError, stop_proxy, other.pid)
            self.assertIn(str(other.pid), str(error))
            self.assertIsNone(other.poll())
            other.terminate()


class StartProxyTests(SynchronousTestCase):
    """start_proxy with the real program."""

    def test_start_and_stop(self) -> None:
        """When it returns both ports accept; when it is stopped neither does."""
        proxy, control = free_port(), free_port()
        pid = start_proxy(proxy_port=proxy, port=control, log_level="error")
        self.addCleanup(self.stop, pid)
        self.assertTrue(accepts(proxy))
        self.assertTrue(accepts(control))
        stop_proxy(pid)
        self.assertTrue(gone(pid))
        self.assertFalse(accepts(proxy))
        self.assertFalse(accepts(control))
        self.assertRaises(ValueError, stop_proxy, pid)

    def test_without_control(self) -> None:
        """With http=False there is a proxy and no control server."""
        proxy, control = free_port(), free_port()
        pid = start_proxy(proxy_port=proxy, http=False, http_port=control, log_level="error")
        self.addCleanup(stop_proxy, pid)
        self.assertTrue(accepts(proxy))
        self.assertFalse(accepts(control))

    def test_vaurien_arguments(self) -> None:
        """Vaurien's arguments are taken, in its order and by its names; the log goes where it is told to."""
        proxy, control, backend = free_port(), free_port(), free_port()
        log = Path(self.mktemp())
        where = ("127.0.0.1", proxy, "127.0.0.1", backend, "tcp", True, 2, "127.0.0.1", control)
        pid = start_proxy(*where, ["--behavior-delay-sleep", "3"], "info", str(log))
        stop_proxy(pid)
        self.assertIn(f"127.0.0.1:{proxy}", log.read_text())
        self.assertIn(f"127.0.0.1:{backend}", log.read_text())

    def test_it_cannot_start(self) -> None:
        """A bad option is an error with the program's own words."""
        options = ["--behavior", "dealy"]
        error = self.assertRaises(VaurienError, start_proxy, proxy_port=free_port(), options=options)
        self.assertIn("exit status 1", str(error))
        self.assertIn("there is no behavior 'dealy'", str(error))

    def test_left_behind(self) -> None:
        """A program that forgets to stop its proxy takes it along when it ends."""
        program = (
            "import sys; from txvaurien import start_proxy;"
            f"print(start_proxy(proxy_port={free_port()}, port={free_port()}, log_level='error'), flush=True)"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        self.assertTrue(gone(int(done.stdout)))

    def stop(self, pid: int) -> None:
        """Stop it, unless the test has."""
        if not gone(pid):
            stop_proxy(pid)
