"""txvaurien.protocols.redis: the option ``remap`` itself, and how replies are read for it."""

from __future__ import annotations

from pathlib import Path

import msgspec
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.config import load
from txvaurien.errors import ConfigError
from txvaurien.options import build, options_of, plain_values
from txvaurien.plugins import Registry
from txvaurien.protocols.redis import Redis
from txvaurien.protocols.redis.remapping import RemappingSession
from txvaurien.protocols.redis.session import RedisSession
from txvaurien.protocols.redis.values import NotRead, read_value
from txvaurien.test.redis_announcements import REMAP
from txvaurien.test.redis_samples import VALUES, ask, say
from txvaurien.test.test_fault_docs import DocsCase
from txvaurien.testing import Recorder


class TableTests(SynchronousTestCase):
    """The option itself."""

    def test_forms(self) -> None:
        """A text, an object and a dictionary say the same."""
        text = ",".join(f"{one}={other}" for one, other in REMAP.items())
        for said in (text, text.replace(",", "\n  "), f" {text.replace(',', ', ')} "):
            self.assertEqual(build(Redis, {"remap": said}, text=True), Redis(remap=REMAP))
        self.assertEqual(build(Redis, {"remap": text}), Redis(remap=REMAP))
        said_in_json = msgspec.json.decode(msgspec.json.encode(plain_values(Redis(remap=REMAP))))
        self.assertEqual(said_in_json, {"remap": REMAP})
        self.assertEqual(build(Redis, said_in_json), Redis(remap=REMAP))

    def test_none(self) -> None:
        """Without a table there is the session without one, which costs nothing."""
        for protocol in (Redis(), build(Redis, {"remap": ""}, text=True), build(Redis, {"remap": {}})):
            self.assertIs(type(protocol.session()), RedisSession)
        self.assertIs(type(Redis(remap=REMAP).session()), RemappingSession)

    def test_declared(self) -> None:
        """It is explained, and empty by default."""
        option = {each.name: each for each in options_of(Redis)}["remap"]
        self.assertEqual((option.kind, option.default), ("dict", {}))
        self.assertIn("announces", option.help)

    def test_errors(self) -> None:
        """What is no address, or says something twice, is refused with its place and the right form."""
        for said, words in (
            ("10.0.0.1:7000", "it must be pairs such as a=b"),
            ("a:1=b:1,a:1=c:1", "each name once"),
            ({"a:1": 5}, "it must be pairs"),
            ({"a": "b:1"}, "'a' is not an address; write host:port"),
            ({"a:1": "b:0"}, "'b:0' is not an address"),
            ({"a:1": "b:65536"}, "'b:65536' is not an address"),
            ({":1": "b:1"}, "':1' is not an address"),
            ({"[::g]:1": "b:1"}, "is not an address"),
            ({"::1:1": "b:1"}, "is not an address"),
            ({"localhost:1": "b:1", "127.0.0.1:1": "c:1"}, "'127.0.0.1:1' is there twice"),
        ):
            error = self.assertRaises(
                ConfigError, Registry.load().protocol, "redis", {"remap": said}, where="options."
            )
            self.assertTrue(str(error).startswith("options.remap: "), error)
            self.assertIn(words, str(error))

    def test_python(self) -> None:
        """Made in Python it is refused as well, where it is made."""
        error = self.assertRaises(ConfigError, Redis, remap={"a": "b:1"})
        self.assertEqual(str(error).partition(":")[0], "remap")

    def test_warnings(self) -> None:
        """The log names each address without an entry once, whatever link it comes on."""
        protocol = Redis(remap=REMAP)
        with capturedLogs() as events:
            for _ in range(3):
                told = Recorder(protocol.session()).play([ask(*["GET k"] * 4)])
                told.play([say(b"-MOVED 1 10.0.0.1:7000\r\n", b"-MOVED 1 10.9.9.9:1\r\n")])
                # The proxies themselves, and a node whose address is not known, are no news.
                told.play([say(b"-MOVED 1 127.0.0.1:17000\r\n", b"-MOVED 1 :0\r\n")])
        (said,) = events
        self.assertIn("10.9.9.9:1 is announced, and has no entry in remap", formatEvent(said))


class FileTests(DocsCase):
    """The option in files and on the command line."""

    def file(self, text: str) -> Path:
        """A file that says this."""
        path = Path(self.mktemp()).absolute()
        path.write_text(text, encoding="utf-8")
        return path

    def test_page(self) -> None:
        """The file that the page shows: three proxies with one table."""
        (page,) = self.blocks(self.page("protocols/redis.md"), "ini")
        settings = load(["--config", str(self.file(page))], environ={})
        table = {f"10.0.0.{number}:7000": f"127.0.0.1:{16999 + number}" for number in (1, 2, 3)}
        self.assertEqual([each.definition.protocol for each in settings.others], [Redis(remap=table)] * 3)

    def test_errors(self) -> None:
        """What is no address is refused where it was said."""
        path = self.file("[vaurien]\nprotocol = redis\n[protocol:redis]\nremap = a:1=b\n")
        error = self.assertRaises(ConfigError, load, ["--config", str(path)], environ={})
        self.assertEqual(error.where, f"{path}:4: remap")
        flags = ["--protocol", "redis", "--protocol-redis-remap", "a:1=b"]
        error = self.assertRaises(ConfigError, load, flags, environ={})
        self.assertEqual(error.where, "--protocol-redis-remap")


class ValueTests(SynchronousTestCase):
    """Replies as values whose places are known."""

    def test_values(self) -> None:
        """Every value can be read that is not streamed and has no attributes inside."""
        for raw in VALUES:
            try:
                value = read_value(raw)
            except NotRead:
                self.assertTrue(b"?" in raw or b"|" in raw, raw)
                continue
            self.assertEqual(value.end, len(raw), raw)
            if value.text is not None and raw[:1] != b"|" and not value.items:
                self.assertEqual(raw[: value.start] + value.saying(value.text), raw)

    def test_cut_off(self) -> None:
        """What is no whole reply is not read."""
        for raw in (b"", b"*2\r\n:1\r\n", b"$5\r\nab", b"$x\r\n", b"@\r\n", b":1"):
            self.assertRaises(NotRead, read_value, raw)
