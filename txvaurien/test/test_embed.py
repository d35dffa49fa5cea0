"""`chaos_proxy`, as blocking tests use it; in a thread, and the same in a process."""

from __future__ import annotations

import socket
from typing import Any, cast

from txvaurien import ConfigError, ListenError, NotFired, VaurienError, chaos_proxy
from txvaurien.behaviors.base import Behavior
from txvaurien.embed import Isolation
from txvaurien.exchange import LiveExchange
from txvaurien.test.embedded_support import EchoCase, is_refused, say
from txvaurien.test.peers import read_all


class VocabularyTests(EchoCase):
    """What can be done to a proxy."""

    def test_passes(self) -> None:
        """It listens when it is started, and passes what is said."""
        proxy = self.start()
        self.assertEqual(say(self.client(proxy), b"hello"), b"hello")
        self.assertEqual(proxy.address, f"127.0.0.1:{proxy.port}")
        self.assertTrue(proxy.running)
        self.assertIn(proxy.address, repr(proxy))

    def test_url(self) -> None:
        """The URL of the backend, with the place of the proxy."""
        backend = f"redis://me:secret@127.0.0.1:{self.backend.port}/3?a=b"
        with chaos_proxy(backend, isolation=self.isolation) as proxy:
            self.assertEqual(proxy.url, f"redis://me:secret@127.0.0.1:{proxy.port}/3?a=b")
            self.assertEqual(proxy.dsn("redis://other:1/4"), f"redis://127.0.0.1:{proxy.port}/4")

    def test_behavior(self) -> None:
        """A behavior counts what it fired on, and is gone after its block."""
        proxy = self.start()
        client = self.client(proxy)
        with proxy.behavior("delay", sleep=0.001, times=1) as fault:
            say(client, b"one")
            say(client, b"two")
            self.assertEqual(fault.wait(1), 1)
            self.assertEqual((fault.fired, fault.matched), (1, 2))
        say(client, b"three")
        self.assertEqual((fault.fired, fault.matched), (1, 2))
        (record,) = fault.exchanges
        self.assertEqual((record["link"], record["exchange"], record["verb"]), (1, "1", "SAY"))
        self.assertEqual(proxy.plan["rules"], [])

    def test_short_form(self) -> None:
        """Behaviors and toxics take the short form."""
        proxy = self.start()
        client = self.client(proxy)
        with proxy.behavior("delay sleep=0.001") as fault, proxy.toxic("latency latency=1") as toxic:
            say(client, b"one")
            self.assertEqual((fault.fired, toxic.name), (1, "latency_downstream"))

    def test_inner_counts(self) -> None:
        """Of nested blocks the inner one counts, and the outer one again afterwards."""
        proxy = self.start()
        client = self.client(proxy)
        with proxy.behavior("delay", sleep=0.001) as outer:
            with proxy.behavior("delay", sleep=0.001) as inner:
                say(client, b"one")
            say(client, b"two")
        self.assertEqual((outer.fired, inner.fired), (1, 1))

    def test_removed_when_it_holds(self) -> None:
        """What a behavior holds is let go when its block ends; what was there before is there again."""
        proxy = self.start(behavior="10:delay", rules=["dummy name=mine"], toxics=["slicer"], seed=7)
        before, client = proxy.plan, self.client(proxy)
        with proxy.behavior("hang") as fault:
            client.sendall(b"held")
            fault.wait()
        self.assertEqual(client.recv(100)[:1], b"h")
        self.assertEqual(proxy.plan, before)

    def test_body_raises(self) -> None:
        """A block whose body raises ends as any other does."""
        proxy = self.start()
        with self.assertRaises(KeyError), proxy.behavior("hang"), proxy.toxic("pause"), proxy.kill():
            raise KeyError
        self.assertEqual(proxy.plan["rules"] + proxy.plan["toxics"], [])
        self.assertEqual(say(self.client(proxy), b"one"), b"one")

    def test_reset_before(self) -> None:
        """A block ends without an error if everything has been reset before."""
        proxy = self.start()
        with proxy.behavior("hang"), proxy.toxic("latency"), proxy.pause(), proxy.half_open():
            proxy.reset()
        self.assertEqual(say(self.client(proxy), b"one"), b"one")

    def test_wait_in_vain(self) -> None:
        """What does not fire is a TimeoutError that says how often it has."""
        proxy = self.start()
        with proxy.behavior("hang", verb="CONNECT") as fault:
            error = self.assertRaises(NotFired, fault.wait, 2, 0.01)
        self.assertIsInstance(error, TimeoutError)
        self.assertEqual(error.fired, 0)

    def test_plan(self) -> None:
        """A plan that was read can be set again."""
        proxy = self.start()
        proxy.set_behavior("5:delay,10:dummy")
        plan = proxy.plan
        proxy.reset()
        self.assertEqual(proxy.plan["mix"], [])
        proxy.plan = plan
        self.assertEqual(proxy.plan, plan)

    def test_start_with_faults(self) -> None:
        """Faults can be there from the start, in each form."""
        proxy = self.start(
            behavior={"name": "delay", "sleep": 0.001},
            rules=["dummy name=first", {"behavior": "dummy", "name": "second", "verb": "CONNECT"}],
            toxics=[{"type": "latency", "latency": 1}],
            seed=11,
        )
        plan = proxy.plan
        self.assertEqual([each["name"] for each in plan["mix"]], ["delay"])
        self.assertEqual([each["name"] for each in plan["rules"]], ["first", "second"])
        self.assertEqual([each["name"] for each in plan["toxics"]], ["latency_downstream"])
        self.assertEqual((plan["seed"], proxy.seed), (11, 11))

    def test_behavior_of_the_start(self) -> None:
        """A name, a mix and the short form."""
        for said, mix, rules in (
            ("hang", ["hang"], []),
            ("5:delay,6:hang", ["delay", "hang"], []),
            ("delay sleep=2", [], ["delay"]),
        ):
            plan = self.start(behavior=said).plan
            self.assertEqual([each["name"] for each in plan["mix"]], mix)
            self.assertEqual([each["behavior"] for each in plan["rules"]], rules)

    def test_kill_and_restore(self) -> None:
        """All links are reset and new ones refused, until it is restored; the port stays the same."""
        proxy = self.start()
        client, port = self.client(proxy), proxy.port
        say(client, b"one")
        proxy.kill()
        self.assertEqual(read_all(client), (b"", "rst"))
        self.assertTrue(is_refused(proxy))
        proxy.restore()
        self.assertEqual((say(self.client(proxy), b"two"), proxy.port), (b"two", port))

    def test_stop_and_start(self) -> None:
        """Links end in order, new ones are refused; `start` listens at the same port."""
        proxy = self.start()
        client, port = self.client(proxy), proxy.port
        say(client, b"one")
        proxy.stop()
        self.assertEqual(read_all(client), (b"", "fin"))
        self.assertTrue(is_refused(proxy))
        self.assertIs(proxy.start(), proxy)
        self.assertEqual((say(self.client(proxy), b"two"), proxy.port), (b"two", port))

    def test_pause(self) -> None:
        """Nothing comes while it is paused, on new links neither; then all of it, in order."""
        proxy = self.start()
        standing = self.client(proxy)
        say(standing, b"one")
        proxy.pause()
        proxy.pause()
        late = self.client(proxy)
        for client in (standing, late):
            client.sendall(b"x" * 100_000)
            client.settimeout(0.05)
            self.assertRaises(TimeoutError, client.recv, 1)
            client.settimeout(30)
        proxy.resume()
        for client in (standing, late):
            self.assertEqual(say(client, b""), b"")
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(read_all(client), (b"x" * 100_000, "fin"))

    def test_half_open(self) -> None:
        """The client is not told that the backend is gone; at the end its link is reset."""
        proxy = self.start()
        client = self.client(proxy)
        say(client, b"one")
        with proxy.half_open():
            client.sendall(b"two")
            client.settimeout(0.05)
            self.assertRaises(TimeoutError, client.recv, 1)
            client.settimeout(30)
        self.assertEqual(read_all(client), (b"", "rst"))

    def test_deaf(self) -> None:
        """Connecting takes longer than a client's patience, and works afterwards."""
        proxy = self.start()
        deaf = proxy.deaf()
        with socket.socket() as client:
            client.settimeout(0.05)
            self.assertRaises(TimeoutError, client.connect, (proxy.host, proxy.port))
        deaf.end()
        deaf.end()
        self.assertEqual(say(self.client(proxy), b"one"), b"one")

    def test_disconnect_all(self) -> None:
        """Links of an age are ended, and no others."""
        proxy = self.start()
        old, young = self.client(proxy), self.client(proxy)
        say(old, b"one")
        say(young, b"one")
        self.assertEqual(proxy.disconnect_all(older_than=3600), 0)
        self.assertEqual(say(old, b"two"), b"two")
        # Ages are told in milliseconds.
        while not all(link.age for link in proxy.links):
            say(old, b"more")
        youngest = min(link.age for link in proxy.links)
        self.assertEqual(proxy.disconnect_all(older_than=youngest, how="fin"), 2)
        self.assertEqual((read_all(old), read_all(young)), ((b"", "fin"), (b"", "fin")))
        self.assertEqual(say(self.client(proxy), b"three"), b"three")

    def test_disconnect_the_rest(self) -> None:
        """Without an age all of them are ended."""
        proxy = self.start()
        clients = [self.client(proxy) for _ in range(2)]
        for client in clients:
            say(client, b"one")
        self.assertEqual(proxy.disconnect_all(), 2)
        self.assertEqual([read_all(client) for client in clients], [(b"", "rst")] * 2)

    def test_repoint(self) -> None:
        """New links go elsewhere for a block; the URL follows."""
        proxy, other = self.start(), self.start_backend()
        standing = self.client(proxy)
        say(standing, b"one")
        with proxy.repoint(f"redis://127.0.0.1:{other.port}/5", cut=True):
            self.assertEqual(read_all(standing), (b"", "fin"))
            self.assertEqual(proxy.url, f"redis://{proxy.address}/5")
            self.assertEqual(proxy.commands.get_backend(), f"127.0.0.1:{other.port}")
        self.assertEqual(proxy.commands.get_backend(), f"127.0.0.1:{self.backend.port}")

    def test_links(self) -> None:
        """A link says who it is and what has passed on it."""
        proxy = self.start()
        client = self.client(proxy)
        say(client, b"one")
        say(client, b"fours")
        (link,) = proxy.links
        host, port = client.getsockname()
        self.assertEqual((link.number, link.address, link.exchanges), (1, f"{host}:{port}", 2))
        self.assertEqual((link.bytes_to_backend, link.bytes_to_client, link.bytes), (8, 8, 16))
        self.assertGreaterEqual(link.age, link.idle)

    def test_saw(self) -> None:
        """What came is counted, from the first link on."""
        proxy = self.start()
        self.assertFalse(proxy.saw())
        client = self.client(proxy)
        say(client, b"one")
        say(client, b"two")
        self.assertEqual((proxy.saw(), proxy.saw("say"), proxy.saw("GREET")), (2, 2, 0))

    def test_journal(self) -> None:
        """The journal has what happened, and can be asked for a part of it."""
        proxy = self.start()
        say(self.client(proxy), b"one")
        proxy.reset()
        events = [each["event"] for each in proxy.events]
        self.assertEqual(events[-2:], ["link-opened", "plan"])
        (last,) = proxy.journal(last=1)
        self.assertEqual(last["event"], "plan")
        self.assertEqual(proxy.journal(since=last["n"]), [])
        self.assertEqual([each["link"] for each in proxy.journal(event="link-opened")], [1])

    def test_refusals(self) -> None:
        """What cannot be is a ValueError with words that say what can; the proxy goes on."""
        proxy = self.start()
        for wrong, words in (
            (lambda: proxy.behavior("deley"), "did you mean 'delay'?"),
            (lambda: proxy.behavior("delay", slep=1), "did you mean 'sleep'?"),
            (lambda: proxy.behavior("delay sleep=1", sleep=2), "beside 'rule'"),
            (lambda: proxy.toxic("latency", latency=-1), "from 0 to"),
            (lambda: proxy.kill("slowly"), "one of: fin, rst"),
            (lambda: proxy.disconnect_all(how="slowly"), "rst"),
            (lambda: proxy.commands.remove_rule("nobody"), "there is no rule 'nobody'"),
            (lambda: proxy.repoint("nowhere"), "not an address"),
        ):
            error: Any = self.assertRaises(ValueError, wrong)
            self.assertIn(words, str(error))
        self.assertEqual(say(self.client(proxy), b"one"), b"one")

    def test_port_in_use(self) -> None:
        """A port that is taken is a ListenError, raised by `start`."""
        taken = self.start()
        proxy = self.make(listen=taken.address)
        error = self.assertRaises(ListenError, proxy.start)
        self.assertIn(f"cannot listen on {taken.address}: the port is in use", str(error))
        self.assertFalse(proxy.running)

    def test_itself(self) -> None:
        """The backend cannot be the proxy."""
        proxy = self.start()
        with self.assertRaises(ValueError):
            proxy.repoint(proxy.address)

    def test_unknown_host(self) -> None:
        """A backend whose name nobody knows is a ConfigError."""
        proxy = chaos_proxy("there-is-none.invalid:1", isolation=self.isolation)
        error = self.assertRaises(ConfigError, proxy.start)
        self.assertEqual(error.where, "backend")

    def test_not_running(self) -> None:
        """Before it is started, and after it was closed, it says so; to close twice is nothing."""
        proxy = self.make()
        self.assertRaises(VaurienError, lambda: proxy.port)
        proxy.start()
        proxy.close()
        proxy.close()
        error = self.assertRaises(VaurienError, lambda: proxy.links)
        self.assertIn("does not run", str(error))

    def test_again(self) -> None:
        """What was closed can be started again."""
        proxy = self.make()
        for _ in range(3):
            with proxy:
                self.assertEqual(say(self.client(proxy), b"one"), b"one")
                self.assertEqual(proxy.saw(), 1)


class ProcessTests(VocabularyTests):
    """The same, with the proxy in a process."""

    isolation: Isolation = "process"

    def test_functions(self) -> None:
        """A function of the test cannot be given to a process, and the error says what to do."""
        proxy = self.start()
        for wrong in (lambda: proxy.on_request(bytes.upper), lambda: proxy.behavior(Shout())):
            error: Any = self.assertRaises(VaurienError, wrong)
            self.assertIn('use isolation="thread"', str(error))


class Shout(Behavior, frozen=True, kw_only=True):
    """Answer in capitals."""

    name = "shout"

    def on_between_handle(self, exchange: LiveExchange) -> bool:
        exchange.edit_response(bytes.upper)
        return True


class FunctionTests(EchoCase):
    """What a test makes itself."""

    def test_on_request(self) -> None:
        """Requests pass through a function, for a block, and only those that are meant."""
        proxy = self.start()
        client = self.client(proxy)
        with proxy.on_request(bytes.upper, times=1) as fault:
            self.assertEqual((say(client, b"one"), say(client, b"two")), (b"ONE", b"two"))
        self.assertEqual(say(client, b"three"), b"three")
        self.assertEqual((fault.fired, len(fault.exchanges)), (1, 1))

    def test_on_response(self) -> None:
        """So do replies."""
        proxy = self.start()
        client = self.client(proxy)
        with proxy.on_response(lambda data: data[::-1]):
            self.assertEqual(say(client, b"one"), b"eno")

    def test_failing_function(self) -> None:
        """A function that raises changes nothing; the journal has it, and the end of the block raises it."""
        proxy = self.start()

        def broken(data: bytes) -> bytes:
            raise ZeroDivisionError

        with self.assertRaises(ZeroDivisionError), proxy.on_request(broken):
            self.assertEqual(say(self.client(proxy), b"one"), b"one")
        self.assertEqual(len(proxy.journal(event="broken")), 1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(proxy.plan["rules"], [])

    def test_failing_function_and_test(self) -> None:
        """What the block itself raises comes first."""
        proxy = self.start()

        def broken(data: bytes) -> bytes:
            raise ZeroDivisionError

        with self.assertRaises(KeyError), proxy.on_request(broken) as fault:
            say(self.client(proxy), b"one")
            raise KeyError
        self.assertEqual([type(each) for each in fault.errors], [ZeroDivisionError])
        self.flushLoggedErrors(ZeroDivisionError)

    def test_waits_for_itself(self) -> None:
        """A function that asks its own proxy would wait for ever: an error instead."""
        proxy = self.start()
        fault = proxy.on_request(lambda data: b"%d" % len(proxy.links))
        self.assertEqual(say(self.client(proxy), b"one"), b"one")
        fault.remove()
        (error,) = self.flushLoggedErrors(RuntimeError)
        self.assertIn("waits for the proxy's thread", str(error.value))

    def test_own_behavior(self) -> None:
        """A behavior that the test has made."""
        proxy = self.start()
        client = self.client(proxy)
        with proxy.behavior(Shout(), times=1) as fault:
            self.assertEqual(say(client, b"one"), b"ONE")
            self.assertEqual(fault.fired, 1)
        self.assertEqual(say(client, b"one"), b"one")


class SettingTests(EchoCase):
    """What a call of `chaos_proxy` refuses, before anything runs."""

    def refused(self, **said: Any) -> ConfigError:
        """The error for this."""
        error: ConfigError = self.assertRaises(ConfigError, self.make, **said)
        return error

    def test_places(self) -> None:
        """Each error names the argument, and what would be right."""
        for said, where, words in (
            ({"protocol": "reddis"}, "protocol", "did you mean 'redis'?"),
            ({"behavior": "deley"}, "behavior[0].name", "did you mean 'delay'?"),
            ({"behavior": "500:delay"}, "behavior", "100"),
            ({"rules": ["error knd=oom"], "protocol": "redis"}, "rules[0].knd", "did you mean 'kind'?"),
            ({"toxics": ["latency latency=x"]}, "toxics[0].latency", "a whole number"),
            ({"listen": "here"}, "listen", "not an address"),
            ({"timout": 1}, "timout", "did you mean 'timeout'?"),
            ({"timeout": -1}, "timeout", "from 0.001 to"),
            ({"options": {"x": 1}, "protocol": "redis"}, "options", "'x'"),
            ({"seed": "x"}, "seed", "whole number"),
        ):
            error = self.refused(**said)
            self.assertEqual(error.where, where)
            self.assertIn(words, str(error))

    def test_backend(self) -> None:
        """So does one of the backend, without a password."""
        for backend in ("nowhere", "redis://:secret@/0", "mongodb://u:secret@a:1,b:2/x", "x://h"):
            error: Any = self.assertRaises(ConfigError, chaos_proxy, backend)
            self.assertEqual(error.where, "backend")
            self.assertNotIn("secret", str(error))

    def test_isolation(self) -> None:
        """There are two."""
        proxy = chaos_proxy("127.0.0.1:1", isolation=cast(Isolation, "tread"))
        self.assertRaises(ConfigError, proxy.start)
