"""docs/tls.md: what a reader does who wants TLS, done."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import get_args, get_type_hints

from txvaurien.behaviors.tls import Tls
from txvaurien.net.ends import Ends
from txvaurien.test.http_servers import PythonServer
from txvaurien.test.servers import RedisServer, free_port
from txvaurien.test.shellpages import PageFollower
from txvaurien.test.test_fault_docs import DocsCase
from txvaurien.tls.authority import Authority


class TlsPageTests(PageFollower):
    """Every command of the page, in its order, with real servers."""

    files = MappingProxyType({"ini": ["vaurien.ini"], "python": ["test_tls.py"]})

    def test_page(self) -> None:
        """Each command can be given, and says what stands below it."""
        self.needs(redis_cli="redis-tools", openssl="openssl", curl="curl")
        authority = Authority.make()
        authority.write(str(self.folder / "company.pem"))
        certificate = self.folder / "server.pem"
        certificate.write_bytes(authority.issue(["localhost"]).pem())
        secure = free_port()
        files = ["--tls-cert-file", str(certificate), "--tls-key-file", str(certificate)]
        cache = RedisServer("--tls-port", str(secure), *files, "--tls-auth-clients", "no")
        web = PythonServer()
        for server in (cache, web):
            self.addCleanup(server.stop)
            server.start()
        places = {"6379": str(cache.port), "7379": str(secure), "8000": str(web.port)}
        self.replaced.update({**places, "cache.example.com": "localhost"})
        self.ports(6380, 6381, 6382, 8443, 8444)
        self.assertEqual(self.follow("tls.md"), 24)


class WholePageTests(DocsCase):
    """Nothing is left out."""

    def test_kinds(self) -> None:
        """Each way for a handshake to fail is told of, in a row of the table."""
        literal, *_ = get_args(get_type_hints(Tls, include_extras=True)["kind"])
        table = self.page("tls.md").partition("| `kind` |")[2].partition("\n\n")[0]
        rows = re.findall(r"^\| `([\w-]+)` \|", table, re.MULTILINE)
        self.assertEqual(sorted(rows), sorted(get_args(literal)))

    def test_options(self) -> None:
        """So is each option."""
        page = self.page("tls.md")
        for name in Ends.__struct_fields__:
            self.assertIn(f"`--{name.replace('_', '-')}", page)
