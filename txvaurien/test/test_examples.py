"""The examples of the docs, run as a reader would."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from twisted.trial.unittest import SkipTest

from txvaurien.test.servers import RedisServer, ServerProcess
from txvaurien.test.support import ProxyCase

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"

TWISTD = "import sys; from twisted.scripts.twistd import run; sys.argv[0] = 'twistd'; run()"


class Embedding(ServerProcess):
    """The application that embeds a proxy, under twistd."""

    def __init__(self, backend: int) -> None:
        super().__init__()
        self._backend = backend

    def command(self) -> Sequence[str]:
        places = [f"BACKEND=127.0.0.1:{self._backend}", f"LISTEN=127.0.0.1:{self.port}"]
        twistd = [sys.executable, "-c", TWISTD, "--nodaemon", "--python", str(EXAMPLES / "embed.py")]
        return ["env", *places, *twistd]


class EmbedTests(ProxyCase):
    """docs/examples/embed.py."""

    def setUp(self) -> None:
        if not EXAMPLES.exists():
            raise SkipTest("the examples are in the repository, not in the installed package")

    async def test_embed(self) -> None:
        """It serves Redis, and changes its mind by itself."""
        server = self.start_server(RedisServer())
        application = Embedding(server.port)
        self.addCleanup(application.stop)
        await self.in_thread(application.start)
        client = redis.Redis(host="127.0.0.1", port=application.port, retry=Retry(NoBackoff(), 0))
        self.addCleanup(client.close)

        def use() -> str:
            while True:
                try:
                    client.set("key", 1)
                except redis.ReadOnlyError as error:
                    return f"{error}, but {client.get('key')!r}"

        said = await self.in_thread(use)
        self.assertEqual(said, "You can't write against a read only replica., but b'1'")
