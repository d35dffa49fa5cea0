"""Whatever can be asked of a proxy is answered in a thread as it is in a process, over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from txvaurien import VaurienError
from txvaurien.clients.blockingproxy import ProxyCommands
from txvaurien.embed import ChaosProxy
from txvaurien.test.embedded_support import EchoCase, say

SCENARIO = "at 1h: latency latency=1 for 1s"


def said(ask: Callable[[], Any]) -> Any:
    """What is answered: a value, or the status of a refusal and what it says is wrong."""
    try:
        return ask()
    except VaurienError as error:
        return (type(error).__name__, error.status, str(error).partition(";")[0])


def behaviors(proxy: ProxyCommands) -> Iterator[Any]:
    """The mix, the plan and the backend."""
    yield proxy.get_behavior()
    yield said(lambda: proxy.set_behavior("delay", sleep=2))
    yield proxy.get_behavior(), proxy.get_mix()
    with proxy.with_behavior("5:hang,10:dummy"):
        yield proxy.get_behavior(), proxy.plan()
    yield said(lambda: proxy.set_behavior("nope"))
    yield said(lambda: proxy.set_behavior("5:hang", sleep=1))
    yield said(lambda: proxy.set_mix([{"percent": 101, "name": "hang"}]))
    yield said(lambda: proxy.set_plan({"rules": ["delay sleep=x"]}))
    yield said(lambda: proxy.set_plan({"rulez": []}))
    yield said(lambda: proxy.set_backend("127.0.0.1:1")), proxy.get_backend()
    yield said(lambda: proxy.set_backend("127.0.0.1:0"))
    proxy.reset()
    yield proxy.get_behavior()


def rules(proxy: ProxyCommands) -> Iterator[Any]:
    """Rules."""
    proxy.add_rule("delay sleep=0 name=mine verb=say")
    proxy.add_rule("dummy", after=3, for_=60, position=0)
    yield proxy.rules(), proxy.rule("mine")
    yield said(lambda: proxy.change_rule("mine", sleep=1, verb=None)), proxy.rule("mine")
    yield said(lambda: proxy.change_rule("mine", name="yours"))
    yield said(lambda: proxy.change_rule("mine", behavior="hang")), proxy.rule("mine")
    yield said(lambda: proxy.change_rule("mine", **{"link-age": ">3"})), proxy.rule("mine")
    yield said(lambda: proxy.change_rule("nobody", sleep=1))
    yield said(lambda: proxy.add_rule("dummy", name="mine"))
    yield said(lambda: proxy.add_rule("dummy name=", verb="GET"))
    yield said(lambda: proxy.add_rule("dummy", position=-1))
    yield said(lambda: proxy.wait_for_rule("mine", 1, 0.01))
    yield said(lambda: proxy.wait_for_rule("mine", 0, 0.01))
    yield said(lambda: proxy.wait_for_rule("nobody"))
    yield said(lambda: proxy.remove_rule("mine")), said(lambda: proxy.remove_rule("mine"))


def toxics(proxy: ProxyCommands) -> Iterator[Any]:
    """Toxics."""
    proxy.add_toxic("latency", latency=5, stream="upstream", toxicity=0.5)
    yield said(lambda: proxy.change_toxic("latency_upstream", latency=7)), proxy.toxics()
    yield said(lambda: proxy.change_toxic("latency_upstream", attributes={"jitter": 1})), proxy.toxics()
    yield said(lambda: proxy.change_toxic("latency_upstream", toxicity=1)), proxy.toxics()
    yield said(lambda: proxy.change_toxic("latency_upstream", stream="downstream"))
    yield said(lambda: proxy.change_toxic("latency_upstream", latncy=1))
    yield said(lambda: proxy.change_toxic("nobody", latency=1))
    yield said(lambda: proxy.add_toxic("latency", stream="upstream"))
    yield said(lambda: proxy.add_toxic("latency latency=1", name="x"))
    yield said(lambda: proxy.remove_toxic("latency_upstream")), proxy.toxics()
    yield said(lambda: proxy.remove_toxic("latency_upstream"))


def actions(proxy: ProxyCommands) -> Iterator[Any]:
    """Actions and links."""
    yield said(lambda: proxy.start_action("slow_accept", delay=3)), proxy.actions()
    yield said(lambda: proxy.start_action("slow_accept delay=4")), proxy.actions()
    yield said(lambda: proxy.start_action("slow_accept delay=4", delay=5))
    yield said(lambda: proxy.start_action("slow_accept", delay=-4))
    yield said(lambda: proxy.start_action("slow"))
    yield said(lambda: proxy.stop_action("slow_accept")), proxy.actions()
    yield said(lambda: proxy.stop_action("slow_accept")), said(lambda: proxy.stop_action("slow"))
    yield said(lambda: proxy.kill(99)), said(lambda: proxy.kill(how="slow"))


def scenarios(proxy: ProxyCommands) -> Iterator[Any]:
    """The scenario."""
    yield proxy.scenario(), said(proxy.pause_scenario), said(proxy.stop_scenario)
    yield proxy.set_scenario(SCENARIO)["state"], proxy.pause_scenario()["state"], proxy.scenario()["state"]
    yield proxy.resume_scenario()["state"], said(proxy.stop_scenario), proxy.scenario()
    yield said(lambda: proxy.set_scenario("at noon: hang"))


class CommandTests(EchoCase):
    """Both places side by side."""

    def pair(self) -> tuple[ChaosProxy, ChaosProxy]:
        """A proxy in a thread, and one in a process."""
        here = self.start(seed=1)
        self.isolation = "process"
        return here, self.start(seed=1)

    def check(self, play: Callable[[ProxyCommands], Iterator[Any]]) -> None:
        """Play the same with both."""
        here, there = self.pair()
        for number, (one, other) in enumerate(zip(play(here.commands), play(there.commands), strict=True), 1):
            self.assertEqual(one, other, f"answer {number}")

    def test_behaviors(self) -> None:
        """The mix, the plan and the backend."""
        self.check(behaviors)

    def test_rules(self) -> None:
        """Rules, and waiting for them."""
        self.check(rules)

    def test_toxics(self) -> None:
        """Toxics."""
        self.check(toxics)

    def test_actions(self) -> None:
        """Actions, and ends of links that there are not."""
        self.check(actions)

    def test_scenarios(self) -> None:
        """Scenarios."""
        self.check(scenarios)

    def test_links(self) -> None:
        """A link, and its end."""
        for proxy in self.pair():
            client = self.client(proxy)
            say(client, b"one")
            (link,) = proxy.commands.links()
            self.assertEqual(
                sorted(link),
                [
                    "bytes_to_backend",
                    "bytes_to_client",
                    "client",
                    "exchanges",
                    "id",
                    "idle",
                    "opaque",
                    "seconds",
                ],
            )
            self.assertEqual(proxy.commands.kill(link["id"], "fin"), 1)
            self.assertEqual(client.recv(1), b"")
