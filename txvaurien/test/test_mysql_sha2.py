"""caching_sha2_password with a real client; a small server plays the part of MySQL's own."""

from __future__ import annotations

import hashlib
import socket
import threading
from typing import Any

import pymysql
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from txvaurien.protocols.mysql import MySQL
from txvaurien.test import mysql_samples as samples
from txvaurien.test.support import ProxyCase

_SALT = b"abcdefghijklmnopqrst"
_PASSWORD = b"secret"


class Sha2Server:
    """Greets one client, asks for the password in full or believes the scramble, and answers PING.

    :param known: whether the password is in the server's cache (the fast path).
    """

    def __init__(self, known: bool) -> None:
        self.known = known
        self.password = b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def stop(self) -> None:
        """End it."""
        self.listener.close()
        self.thread.join(30)

    def _serve(self) -> None:
        client, _ = self.listener.accept()
        with client, client.makefile("rb") as said:
            client.settimeout(30)
            client.sendall(samples.packets(samples.greeting(samples.PLAIN, plugin=samples.SHA2)))
            login = self._read(said)
            if self.known:
                self.password = _PASSWORD if self._scramble() in login else b""
                client.sendall(samples.packets(b"\1\3", samples.ok(), seq=2))
            else:
                self._ask_in_full(client, said)
            while self._read(said)[:1] not in (b"", b"\1"):
                client.sendall(samples.packets(samples.ok(), seq=1))

    def _ask_in_full(self, client: socket.socket, said: Any) -> None:
        key = rsa.generate_private_key(65537, 2048)
        pem = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        client.sendall(samples.packets(b"\1\4", seq=2))
        if self._read(said) == b"\2":
            client.sendall(samples.packets(b"\1" + pem, seq=4))
        mgf = padding.MGF1(hashes.SHA1())
        hidden = key.decrypt(self._read(said), padding.OAEP(mgf, hashes.SHA1(), None))
        plain = bytes(one ^ _SALT[at % len(_SALT)] for at, one in enumerate(hidden))
        self.password = plain.rstrip(b"\0")
        client.sendall(samples.packets(samples.ok(), seq=6))

    def _scramble(self) -> bytes:
        once = hashlib.sha256(_PASSWORD).digest()
        twice = hashlib.sha256(hashlib.sha256(once).digest() + _SALT).digest()
        return bytes(one ^ other for one, other in zip(once, twice, strict=True))

    def _read(self, said: Any) -> bytes:
        header = said.read(4)
        payload: bytes = said.read(int.from_bytes(header[:3], "little")) if len(header) == 4 else b""
        return payload


class Sha2Tests(ProxyCase):
    """Both paths, without TLS."""

    async def log_in(self, known: bool) -> None:
        """A client logs in and pings."""
        server = Sha2Server(known)
        self.addCleanup(server.stop)
        service = self.start_proxy(MySQL(), server.port)
        await self.in_thread(self._ping, service.port)
        self.assertEqual(server.password, _PASSWORD)
        self.assertEqual(service.proxy.stats.opaque, 0)
        # GREETING is not counted; LOGIN, for the full path two AUTH, PING and QUIT are.
        await self.until(lambda: not service.proxy.links)
        self.assertGreaterEqual(service.proxy.stats.exchanges, 3 if known else 5)

    def _ping(self, port: int) -> None:
        # Without autocommit=None PyMySQL would ask for more than this server answers well.
        account: dict[str, Any] = {"user": "ann", "password": _PASSWORD.decode(), "read_timeout": 30}
        with pymysql.connect(host="127.0.0.1", port=port, autocommit=None, **account) as connection:
            connection.ping(reconnect=False)

    async def test_known(self) -> None:
        """The fast path: the server has seen the password before."""
        await self.log_in(True)

    async def test_full(self) -> None:
        """The full path: the password, encrypted with the server's key."""
        await self.log_in(False)
