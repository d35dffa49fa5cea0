"""`chaos_proxy` with TLS at both ends, and the PROXY protocol; in a thread, and in a process."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txvaurien import ChaosProxy, ConfigError, VaurienError, chaos_proxy
from txvaurien.embed import Isolation
from txvaurien.embedded.factory import ChaosFactory
from txvaurien.embedded.host import Gone
from txvaurien.embedded.trust import Trust
from txvaurien.test.embedded_support import EchoCase, dial, echo, say
from txvaurien.test.peers import ScriptedBackend, read_all
from txvaurien.tls.authority import Authority


class SecureEcho:
    """An echo server that speaks TLS, and an authority that has signed its certificate, in files."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.ca, self.certificate = folder / "ca.pem", folder / "server.pem"
        authority = Authority.make()
        authority.write(str(self.ca))
        self.certificate.write_bytes(authority.issue(["localhost"]).pem())
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self.certificate)
        self._backend = ScriptedBackend(self._serve)
        self.port, self.stop = self._backend.port, self._backend.stop

    def _serve(self, peer: socket.socket) -> None:
        try:
            secured = self._context.wrap_socket(peer, server_side=True)
        except (ssl.SSLError, OSError):
            return
        with secured:
            echo(secured)


class TlsCase(EchoCase):
    """Backends with TLS and without."""

    def secure_backend(self) -> SecureEcho:
        """One with TLS, until the test ends."""
        backend = SecureEcho(Path(self.mktemp()))
        self.addCleanup(backend.stop)
        return backend

    def running(self, backend: str, **settings: Any) -> ChaosProxy:
        """A proxy for it, until the test ends."""
        proxy = chaos_proxy(backend, isolation=self.isolation, **settings)
        self.addCleanup(proxy.close)
        return proxy.start()

    def secure_client(self, proxy: ChaosProxy, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
        """A client that has agreed on TLS."""
        plain = dial(proxy)
        self.addCleanup(plain.close)
        secured = (context or proxy.ssl_context()).wrap_socket(plain, server_hostname="localhost")
        self.addCleanup(secured.close)
        return secured


class ThreadTests(TlsCase):
    """All of it."""

    isolation: Isolation = "thread"

    def test_with_clients(self) -> None:
        """Whoever trusts the proxy's authority speaks TLS with it; the file is there as long as the proxy."""
        proxy = self.start(tls="auto")
        self.assertEqual(say(self.secure_client(proxy), b"one"), b"one")
        file = proxy.ca_file
        self.assertEqual(Path(file).read_text(), proxy.ca_pem)
        context = ssl.create_default_context(cafile=file)
        self.assertEqual(say(self.secure_client(proxy, context), b"two"), b"two")
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.secure_client(proxy, ssl.create_default_context())
        proxy.close()
        self.assertFalse(os.path.exists(file))
        self.assertRaises(Gone, lambda: proxy.ca_file)

    def test_with_the_backend(self) -> None:
        """A URL of TLS is dialled with it, and verified; clients need none, as `url` says."""
        backend = self.secure_backend()
        url = f"rediss://me@localhost:{backend.port}/3"
        proxy = self.running(url, backend_tls_ca=str(backend.ca))
        self.assertEqual(proxy.url, f"redis://me@{proxy.address}/3")
        self.assertEqual(proxy.dsn(url), proxy.url)
        self.assertEqual(say(self.client(proxy), b"one"), b"one")
        distrustful = self.running(url)
        client = self.client(distrustful)
        client.sendall(b"one")
        self.assertEqual(read_all(client)[0], b"")
        (failed,) = distrustful.journal(event="backend-refused")
        self.assertIn("no TLS", failed["why"])
        careless = self.running(url, backend_tls_verify=False)
        self.assertEqual(say(self.client(careless), b"two"), b"two")

    def test_with_both(self) -> None:
        """The URL stays what it is where both sides are spoken to so."""
        backend = self.secure_backend()
        url = f"https://localhost:{backend.port}/page"
        proxy = self.running(url, tls="auto", backend_tls_ca=backend.ca)
        self.assertEqual(proxy.url, f"https://{proxy.address}/page")
        self.assertEqual(say(self.secure_client(proxy), b"one"), b"one")

    def test_certificate_of_a_file(self) -> None:
        """The user's own certificate is shown; the proxy has no authority that could be trusted."""
        files = self.secure_backend()
        # A process would look for it elsewhere.
        relative = os.path.relpath(files.certificate)
        proxy = self.start(tls=relative)
        context = ssl.create_default_context(cafile=files.ca)
        self.assertEqual(say(self.secure_client(proxy, context), b"one"), b"one")
        self.assertIn("of a file", str(self.assertRaises(VaurienError, lambda: proxy.ca_pem)))

    def test_without_tls(self) -> None:
        """There is nothing to trust; the error says what would make it otherwise."""
        proxy = self.start()
        error = self.assertRaises(VaurienError, proxy.ssl_context)
        self.assertIn('tls="auto"', str(error))

    def test_repoint(self) -> None:
        """Another backend may be one with TLS; `url` follows."""
        backend = self.secure_backend()
        proxy = self.running(f"redis://127.0.0.1:{self.backend.port}", backend_tls_ca=str(backend.ca))
        self.assertEqual(proxy.url, f"redis://{proxy.address}")
        with proxy.repoint(f"rediss://localhost:{backend.port}/7"):
            self.assertEqual(proxy.url, f"redis://{proxy.address}/7")
            self.assertEqual(say(self.client(proxy), b"one"), b"one")
        self.assertEqual(say(self.client(proxy), b"two"), b"two")

    def test_faults(self) -> None:
        """Clients see a certificate that has expired, and after the block a good one."""
        proxy = self.start(tls="auto")
        with proxy.behavior("tls kind=expired") as fault:
            error: Any = self.assertRaises(ssl.SSLCertVerificationError, self.secure_client, proxy)
            self.assertIn("expired", error.verify_message)
            self.assertEqual(fault.fired, 1)
        self.assertEqual(say(self.secure_client(proxy), b"one"), b"one")

    def test_proxy_protocol(self) -> None:
        """Headers are taken from clients, and given to the backend."""
        proxy = self.start(accept_proxy=True, send_proxy="v1")
        client = self.client(proxy)
        said = b"PROXY TCP4 192.0.2.1 192.0.2.2 5555 80\r\nhello"
        self.assertEqual(say(client, said), said)
        self.assertEqual([link.address for link in proxy.links], ["192.0.2.1:5555"])

    def test_started_again(self) -> None:
        """What was closed has another authority when it runs again."""
        proxy = self.start(tls="auto")
        before = proxy.ca_pem
        proxy.close()
        proxy.start()
        self.assertNotEqual(proxy.ca_pem, before)
        self.assertEqual(say(self.secure_client(proxy), b"one"), b"one")

    def test_coroutines(self) -> None:
        """The awaitable proxy has the same."""

        async def main() -> None:
            async with self.make(tls="auto") as proxy:
                self.assertEqual(
                    (proxy.ca_pem, proxy.ca_file), (proxy.blocking.ca_pem, proxy.blocking.ca_file)
                )
                self.assertEqual(proxy.ssl_context().cert_store_stats()["x509_ca"], 1)

        asyncio.run(main())

    def test_factory(self) -> None:
        """The fixtures of pytest and trial take it as well."""
        factory = ChaosFactory(7, {"tls": "auto", "isolation": self.isolation})
        self.addCleanup(factory.close)
        proxy = factory(f"127.0.0.1:{self.backend.port}")
        self.assertEqual(say(self.secure_client(proxy), b"one"), b"one")


class ProcessTests(ThreadTests):
    """The same."""

    isolation = "process"


class SettingTests(SynchronousTestCase):
    """What is wrong is said before anything runs, or when it starts."""

    def test_places(self) -> None:
        """Each error names the argument."""
        for said, where in (
            ({"send_proxy": "v3"}, "send_proxy"),
            ({"accept_proxy": "maybe"}, "accept_proxy"),
            ({"backend_tls_verify": "maybe"}, "backend_tls_verify"),
            ({"backend_tls_key": 5}, "backend_tls_key"),
        ):
            settings: dict[str, Any] = said
            error: Any = self.assertRaises(ConfigError, chaos_proxy, "localhost:1", **settings)
            self.assertEqual(error.where, where)

    def test_files(self) -> None:
        """A file that will not do is an error of the start, which names the argument."""
        missing = os.path.abspath("nowhere.pem")
        backend = "tls:127.0.0.1:1"
        settings: tuple[dict[str, Any], ...] = ({"tls": missing}, {"backend_tls_ca": missing})
        for said in settings:
            (where,) = said
            error: Any = self.assertRaises(ConfigError, chaos_proxy(backend, **said).start)
            self.assertEqual(error.where, where)
            self.assertIn(missing, str(error))

    def test_ssl_listener(self) -> None:
        """A listener of the endpoint string's own speaks TLS, too."""
        folder = Path(self.mktemp())
        folder.mkdir()
        file = folder / "server.pem"
        file.write_bytes(Authority.make().issue(["localhost"]).pem())
        listen = f"ssl:0:privateKey={file}:interface=127.0.0.1"
        with chaos_proxy("redis://127.0.0.1:1", listen=listen) as proxy:
            self.assertEqual(proxy.url, f"rediss://{proxy.address}")
            self.assertIn("of a file", str(self.assertRaises(VaurienError, lambda: proxy.ca_pem)))

    def test_trust(self) -> None:
        """The file may be gone when it is closed."""
        trust = Trust(Authority.make().pem.decode())
        os.unlink(trust.file)
        trust.close()
