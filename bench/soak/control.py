"""The control API of the proxy, asked from a thread so that the loop goes on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from typing import Any

from bench.soak.conn import HOST

#: How long it may take to answer, in seconds: a change has taken effect then.
TIMEOUT = 30.0


class Refused(Exception):
    """It said no; `status` is the reason in short.

    :ivar status: of HTTP; 0 where it did not answer.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status


class Control:
    """One connection for each question, so that none stays behind.

    :param port: of the control server.
    """

    def __init__(self, port: int) -> None:
        self.port = port

    async def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The answer, as JSON.

        :raises Refused: it said no, or nothing.
        """
        return await asyncio.to_thread(self.ask_now, method, path, body)

    def ask_now(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The same, for whoever may wait."""
        connection = HTTPConnection(HOST, self.port, timeout=TIMEOUT)
        data = None if body is None else json.dumps(body).encode()
        headers = {} if data is None else {"Content-Type": "application/json"}
        try:
            connection.request(method, path, data, headers)
            response = connection.getresponse()
            said = response.read()
        except (OSError, HTTPException) as error:
            raise Refused(0, f"{method} {path}: {type(error).__name__} {error}") from error
        finally:
            connection.close()
        if response.status >= 400:
            raise Refused(response.status, f"{method} {path} {body}: {said.decode(errors='replace')[:500]}")
        return json.loads(said) if said else None
