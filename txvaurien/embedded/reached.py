"""Where clients find the proxy of a test, and what they need so that they trust it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from txvaurien.clients.vocabulary import VaurienError
from txvaurien.embedded.host import Gone, Host
from txvaurien.embedded.proxyurl import Talk, Target, parse_target
from txvaurien.embedded.trust import Trust, no_trust

if TYPE_CHECKING:
    from ssl import SSLContext

    from txvaurien.embedded.setting import Setting


class Reached:
    """What `txvaurien.ChaosProxy` says of where it is."""

    _setting: Setting
    _target: Target
    _host: Host | None
    _trust: Trust | None

    @property
    def _there(self) -> Host:
        # Read once: another thread may close it.
        host = self._host
        if host is None:
            raise _gone()
        return host

    @property
    def name(self) -> str:
        """What it is called."""
        return self._setting.name

    @property
    def seed(self) -> int:
        """What all draws depend on: with ``seed=`` the same faults come again."""
        return self._setting.seed

    @property
    def host(self) -> str:
        """The host that clients connect to."""
        host = self._there.listen.rpartition(":")[0].strip("[]")
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)

    @property
    def port(self) -> int:
        """The port that clients connect to; also while it refuses them."""
        listen = self._there.listen
        tail = listen.rpartition(":")[2]
        if not tail.isdecimal():
            raise VaurienError(f"{listen} is no TCP port")
        return int(tail)

    @property
    def address(self) -> str:
        """``127.0.0.1:40001``."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL or DSN of the backend, with host and port of the proxy.

        For a backend that was given as ``host:port``, a URL of its protocol: ``redis://127.0.0.1:40001``.
        Where the proxy speaks TLS with the backend, and not with clients, or the other way round, its
        scheme says so: ``redis`` and ``rediss``, ``http`` and ``https``.
        """
        return self._target.at(self.address, self._talk)

    def dsn(self, other: str) -> str:
        """Another URL or DSN (another user, another database), with host and port of the proxy.

        :raises ConfigError: it is neither.
        """
        return parse_target(other, "dsn", self._setting.protocol).at(self.address, self._talk)

    @property
    def _talk(self) -> Talk:
        return self._setting.talk(self._target.address)

    @property
    def ca_pem(self) -> str:
        """The certificate that clients have to trust with ``tls="auto"``.

        :raises VaurienError: it shows no certificates of an authority of its own.
        """
        return self._trusted.pem

    @property
    def ca_file(self) -> str:
        """A file with `ca_pem`, which is there until the proxy is closed."""
        return self._trusted.file

    def ssl_context(self) -> SSLContext:
        """A context for clients that trusts `ca_pem`, and nobody else."""
        return self._trusted.context()

    @property
    def _trusted(self) -> Trust:
        trust = self._trust
        if trust is None:
            raise _gone() if self._host is None else no_trust(self._setting)
        return trust


def _gone() -> Gone:
    return Gone("the proxy does not run; use it in a with block, or call start()")
