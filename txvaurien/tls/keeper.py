"""The authority that the proxies of a process have in common; nobody has one before it is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

# The `cryptography` package is imported where TLS is used.
if TYPE_CHECKING:
    from txvaurien.tls.authority import Authority


class AuthorityKeeper:
    """Makes an authority, or reads one, when it is asked for the first time.

    :param path: a PEM file with an authority and its key; None for a throw-away one.
    :param where: where a user has named it, for errors.
    """

    def __init__(self, path: str | None = None, where: str = "--tls-ca") -> None:
        self._path = path
        self._where = where
        self._authority: Authority | None = None

    @property
    def authority(self) -> Authority:
        """:raises ConfigError: the file will not do."""
        if self._authority is None:
            from txvaurien.tls.authority import Authority

            path = self._path
            self._authority = Authority.make() if path is None else Authority.read(path, self._where)
        return self._authority

    @classmethod
    def having(cls, data: bytes) -> AuthorityKeeper:
        """What has the authority that another process has dumped."""
        from txvaurien.tls.authority import Authority

        keeper = cls()
        keeper._authority = Authority.load(data)
        return keeper

    def write(self, path: str, where: str = "--tls-ca-out") -> None:
        """Write the authority's certificate, for those who are to trust it.

        :raises ConfigError: it cannot be written.
        """
        self.authority.write(path, where)
