"""What Linux says of ports."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from txvaurien.doctor.kernel import Kernel

#: A line for a socket that listens on port 8080, and one for a connection of it, as proc(5) has them.
_TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1
   1: 0100007F:1F91 0100007F:C001 01 00000000:00000000 00:00000000 00000000     0        0 4712 1
"""


class KernelCase(SynchronousTestCase):
    """A /proc of our own."""

    def kernel(self, **files: str) -> Kernel:
        """One with these files; ``_`` stands for ``/`` where it is doubled."""
        root = Path(self.mktemp())
        for name, text in files.items():
            path = root / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        root.mkdir(exist_ok=True)
        return Kernel(root)

    def ports(self, reserved: str = "\n") -> Kernel:
        """One whose outgoing connections get 32768 to 60999."""
        return self.kernel(
            sys__net__ipv4__ip_local_port_range="32768\t60999\n",
            sys__net__ipv4__ip_local_reserved_ports=reserved,
        )


class PortTests(KernelCase):
    """Ports that may be taken."""

    def test_range(self) -> None:
        """Both ends belong to the range."""
        kernel = self.ports()
        said = [kernel.may_be_taken(port) for port in (32767, 32768, 60999, 61000)]
        self.assertEqual(said, [False, True, True, False])

    def test_reserved(self) -> None:
        """What is kept out of the range is nobody else's: single ports and ranges."""
        kernel = self.ports("33060,40000-40002\n")
        said = [kernel.may_be_taken(port) for port in (33059, 33060, 39999, 40000, 40002, 40003)]
        self.assertEqual(said, [True, False, True, False, False, True])

    def test_unknown(self) -> None:
        """Without such files, or with others in them, nothing is known, and that is no error."""
        self.assertFalse(self.kernel().may_be_taken(40000))
        self.assertFalse(self.kernel(sys__net__ipv4__ip_local_port_range="what?").may_be_taken(40000))


class OwnerTests(KernelCase):
    """Who listens."""

    def test_made_up(self) -> None:
        """The process that has the socket open is named; one that only has a connection is not."""
        kernel = self.kernel(net__tcp=_TCP, **{"12__comm": "redis-server\n", "7__comm": "other\n"})
        for process, inode in (("7", 4712), ("12", 4711)):
            (kernel.proc / process / "fd").mkdir()
            (kernel.proc / process / "fd" / "3").symlink_to(f"socket:[{inode}]")
        self.assertEqual(kernel.who_listens(8080), "redis-server, process 12")
        self.assertEqual(kernel.who_listens(8081), "")

    def test_not_told(self) -> None:
        """Where no process is seen to have it, or the table is in another form, nobody is named."""
        self.assertEqual(self.kernel(net__tcp=_TCP).who_listens(8080), "")
        self.assertEqual(self.kernel(net__tcp="a\nb c\n0: x x 0A 0 0 0 0 0 1\n").who_listens(8080), "")

    def test_real(self) -> None:
        """This process is found by its own socket."""
        if not Path("/proc/net/tcp").exists():
            raise SkipTest("there is no /proc of Linux")
        with socket.create_server(("127.0.0.1", 0)) as listening:
            said = Kernel().who_listens(listening.getsockname()[1])
        self.assertTrue(said.endswith(f"process {os.getpid()}"), said)
