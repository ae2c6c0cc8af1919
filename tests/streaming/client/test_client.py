"""The client against hubs in separate processes: cut, killed, restarted, stalled and drained."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
import urllib.request
from collections import defaultdict
from typing import Any

import pytest

from fastcore.streaming import (
    Client,
    Connected,
    Disconnected,
    Gap,
    Message,
    StreamClosed,
    Subscribed,
    SubscribeError,
)
from fastcore.streaming.client import client as module
from fastcore.streaming.client.session import Limits
from tests.streaming.chaos import Desk, Proxy, eventually
from tests.streaming.witness import judged

pytestmark = pytest.mark.backend_independent

QUICK: dict[str, Any] = {"backoff": (0.02, 0.2), "connect_options": {"proxy": None}}


def run(test: Any) -> None:
    asyncio.run(asyncio.wait_for(test, 110))


class Listener:
    """A client and all it has heard."""

    def __init__(self, port: int, topics: list[str], **options: Any) -> None:
        self.messages: list[Message] = []
        self.notices: list[Any] = []
        self.client = Client(
            f"ws://127.0.0.1:{port}/stream",
            topics,
            on_message=self.messages.append,
            on_notice=self.notices.append,
            **{**QUICK, **options},
        )

    def told(self, kind: type) -> list[Any]:
        return [notice for notice in self.notices if isinstance(notice, kind)]

    def counted(self) -> dict[tuple[str, str], list[int]]:
        """By topic and life of the server: what came."""
        found: dict[tuple[str, str], list[int]] = defaultdict(list)
        for message in self.messages:
            found[message.topic, message.data["life"]].append(message.data["n"])
        return found

    def whole(self) -> None:
        for numbers in self.counted().values():
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "no gap and no duplicate"


@contextlib.asynccontextmanager
async def listening(port: int, topics: list[str], count: int, **options: Any) -> Any:
    listeners = [Listener(port, topics, **options) for _ in range(count)]
    async with contextlib.AsyncExitStack() as stack:
        for listener in listeners:
            await stack.enter_async_context(listener.client)
        yield listeners


def test_connections_are_cut_at_random_without_gap_or_duplicate():
    async def test() -> None:
        rng = random.Random(4)
        async with Desk.run("--rate", "100", "--history", "100000") as desk, Proxy(desk.port) as proxy:
            async with listening(proxy.port, ["count.*"], 12) as listeners:
                await eventually(lambda: all(len(one.messages) > 20 for one in listeners))
                while proxy.cuts < 100:
                    proxy.cut(rng.random())
                    await asyncio.sleep(rng.random() * 0.15)
                seen = [len(one.messages) for one in listeners]
                await eventually(lambda: all(len(one.messages) > n + 60 for one, n in zip(listeners, seen)))
                assert sum(one.client.stats().connections for one in listeners) > 60
                for one in listeners:
                    assert {topic for topic, _ in one.counted()} == {"count.t0", "count.t1", "count.t2"}
                    one.whole()
                    assert not one.told(Gap)
                    assert len({notice.epoch for notice in one.told(Connected)}) == 1
                    assert one.client.stats().messages == len(one.messages)

    run(test())


def test_every_missing_message_was_announced_by_a_gap():
    async def test() -> None:
        total, wrong = await judged(clients=12, seconds=3.0, rate=100.0, history=20, seed=2, in_process=True)
        assert wrong == []
        assert total["gap"] > 0, "some were away for longer than history"
        assert total["subscribed"] > total["gap"] + 36, "and some were not"
        assert total["restarted"] == 0

    run(test())


def test_all_clients_reconnect_after_the_server_is_killed():
    async def test() -> None:
        async with Desk.run("--rate", "50") as first, Proxy(first.port) as proxy:
            async with listening(proxy.port, ["count.*"], 50, newest=True, backoff=(0.05, 1.0)) as listeners:
                await eventually(lambda: all(len(one.messages) > 20 for one in listeners))
                first.kill()
                await eventually(lambda: all(one.told(Disconnected) for one in listeners))
                async with Desk.run("--rate", "0") as second:
                    said = [
                        [f"count.t{i}", {"n": n, "life": "second"}, f"k{n % 2}"] for i in range(3) for n in (1, 2, 3)
                    ]
                    await second.request("POST", "/say", json={"messages": said})
                    proxy.targets = (second.port,)
                    newest = {(f"count.t{i}", n) for i in range(3) for n in (2, 3)}
                    await eventually(lambda: all(one.told(Connected)[-1].restarted for one in listeners))
                    for one in listeners:
                        await eventually(
                            lambda one=one: (
                                newest <= {(m.topic, m.data["n"]) for m in one.messages if m.data["life"] == "second"}
                            )
                        )
                        old, new = one.told(Connected)
                        assert old.epoch != new.epoch
                        assert {gap.topic for gap in one.told(Gap)} == {"count.t0", "count.t1", "count.t2"}
                        assert len([m for m in one.messages if m.data["life"] == "second"]) == 6, "and nothing else"

    run(test())


def test_messages_beyond_history_are_announced_by_a_gap():
    async def test() -> None:
        async with Desk.in_process("--rate", "0", "--history", "5") as desk, Proxy(desk.port) as proxy:
            async with listening(proxy.port, ["a"], 1, backoff=(0.3, 0.3)) as [one]:
                await eventually(lambda: one.told(Subscribed))
                await desk.request("POST", "/say", json={"messages": [["a", 1, "k"]]})
                await eventually(lambda: len(one.messages) == 1)
                proxy.cut()
                await eventually(lambda: one.told(Disconnected))
                await desk.request("POST", "/say", json={"messages": [["a", n, f"k{n % 2}"] for n in range(2, 30)]})
                await eventually(lambda: len(one.messages) == 4)
                assert one.told(Gap) == [Gap("a", 1, one.client.epoch)]
                assert [(m.key, m.data) for m in one.messages[1:]] == [("k", 1), ("k0", 28), ("k1", 29)]
                assert one.client.stats().gaps == 1

    run(test())


def test_a_silent_connection_is_closed():
    async def test() -> None:
        async with Desk.in_process("--rate", "20", "--ping", "0.4", "--pong", "0.4") as desk, Proxy(desk.port) as proxy:
            async with listening(proxy.port, ["count.*"], 3) as listeners:
                await eventually(lambda: all(len(one.messages) > 10 for one in listeners))
                proxy.stall()
                await eventually(lambda: all(one.told(Disconnected) for one in listeners))
                assert {one.told(Disconnected)[0].code for one in listeners} == {1006}
                proxy.resume()
                seen = [len(one.messages) for one in listeners]
                await eventually(lambda: all(len(one.messages) > n + 30 for one, n in zip(listeners, seen)))
                for one in listeners:
                    one.whole()

    run(test())


def test_a_drain_sends_clients_to_the_next_server():
    async def test() -> None:
        async with Desk.in_process() as old, Desk.in_process() as new, Proxy(old.port) as proxy:
            async with listening(proxy.port, ["count.*"], 5, backoff=(15.0, 20.0)) as listeners:
                await eventually(lambda: all(len(one.messages) > 10 for one in listeners))
                proxy.targets = (new.port,)
                await old.request("POST", "/drain?spread=0.2")
                await eventually(lambda: all(len(one.told(Connected)) == 2 for one in listeners), 14)
                for one in listeners:
                    (gone,) = one.told(Disconnected)
                    assert gone.code == 3001
                    assert 0 <= gone.delay <= 0.2

    run(test())


def test_a_reader_that_falls_behind_pauses_or_conflates():
    async def test() -> None:
        async with Desk.in_process("--topics", "4", "--rate", "200") as desk:
            url = f"ws://127.0.0.1:{desk.port}/stream?topics=count.*"
            async with Client(url, buffer=10, **QUICK) as pausing:
                held = 0
                got: dict[str, list[int]] = defaultdict(list)
                async for message in pausing:
                    got[message.topic].append(message.data["n"])
                    held = max(held, pausing.stats().waiting)
                    if len(got["count.t0"]) % 5 == 0:
                        await asyncio.sleep(0.01)
                    if len(got["count.t0"]) >= 150:
                        break
                assert held < 10 + 4 * 100, "the buffer, and what one WebSocket message held"
                for numbers in got.values():
                    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
            async with Client(url, buffer=3, on_full="conflate", **QUICK) as conflating:
                got.clear()
                async for message in conflating:
                    got[message.topic].append(message.data["n"])
                    assert conflating.stats().waiting <= 3
                    await asyncio.sleep(0.02)
                    if sum(map(len, got.values())) > 60:
                        break
                assert conflating.stats().conflated > 0
                for numbers in got.values():
                    assert numbers == sorted(set(numbers))

    run(test())


def test_requests_are_answered_or_refused():
    async def test() -> None:
        async with Desk.in_process("--rate", "0") as desk, Proxy(desk.port) as proxy:
            async with listening(proxy.port, ["a"], 1) as [one]:
                await one.client.connected(60)
                await one.client.subscribe(["b.*", "c"], newest=True)
                with pytest.raises(SubscribeError) as refused:
                    await one.client.subscribe("x..y")
                assert refused.value.code == 101
                await one.client.unsubscribe("a")
                await desk.request("POST", "/say", json={"messages": [["a", 0], ["b.x", 1], ["c", 2]]})
                await eventually(lambda: len(one.messages) == 2)
                assert [m.data for m in one.messages] == [1, 2]
                assert one.client.topics == ["b.*", "c"]
                proxy.cut()
                await one.client.subscribe("d")  # answered, or kept for the next link
                await eventually(lambda: len(one.told(Connected)) == 2)
                await eventually(lambda: {s.topic for s in one.told(Subscribed)} >= {"b.x", "c", "d"})
                await desk.request("POST", "/say", json={"messages": [["d", 3]]})
                await eventually(lambda: len(one.messages) == 3)

    run(test())


def test_a_token_callable_is_called_and_its_token_renewed():
    async def test() -> None:
        asked = 0

        async def give_later() -> str:
            nonlocal asked
            asked += 1
            await asyncio.sleep(0)
            return f"good {asked}"

        async with Desk.in_process("--token", "good", "--ttl", "1", "--rate", "50") as desk:
            async with listening(desk.port, ["count.t0"], 1, token=give_later) as [one]:
                await eventually(lambda: asked >= 3)
                await eventually(lambda: len(one.messages) > 40)
                assert not one.told(Disconnected)
                assert one.client.stats().connections == 1

    run(test())


def test_a_token_that_is_not_renewed_expires_and_the_next_link_asks_again():
    async def test() -> None:
        async with Desk.in_process("--token", "good", "--ttl", "0.5", "--rate", "50") as desk:
            async with listening(desk.port, ["count.t0"], 1, token="good for once") as [one]:
                await eventually(lambda: len(one.told(Connected)) == 2)
                assert one.told(Disconnected)[0].code == 3005
                await eventually(lambda: len(one.messages) > 40)
                one.whole()

    run(test())


def test_a_token_source_that_fails_is_asked_again():
    async def test() -> None:
        answers = [OSError("no network"), asyncio.CancelledError(), SystemExit(3), 7, "\ud800", "good"]

        async def ask() -> Any:
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            if isinstance(answer, BaseException):
                raise answer
            return answer

        async with Desk.in_process("--token", "good", "--rate", "50") as desk:
            async with listening(desk.port, ["count.t0"], 1, token=ask) as [one]:
                await eventually(lambda: one.messages)
                assert [notice.code for notice in one.told(Disconnected)] == [1006] * 5

    run(test())


def test_a_token_source_that_hangs_is_asked_again(monkeypatch):
    async def test() -> None:
        monkeypatch.setattr(module, "_ASK_WITHIN", 0.05)
        asked = 0

        async def ask() -> str:
            nonlocal asked
            asked += 1
            if asked == 1:
                await asyncio.sleep(600)
            return "good"

        async with Desk.in_process("--token", "good", "--rate", "50") as desk:
            async with listening(desk.port, ["count.t0"], 1, token=ask) as [one]:
                await eventually(lambda: one.messages)
                assert len(one.told(Disconnected)) == 1

    run(test())


def test_a_refused_token_ends_it():
    async def test() -> None:
        async with Desk.in_process("--token", "good", "--rate", "0") as desk:
            url = f"ws://127.0.0.1:{desk.port}/stream"
            async with Client(url, ["a"], token="bad", **QUICK) as client:
                with pytest.raises(StreamClosed, match="3500"):
                    async for _ in client:
                        pass
                with pytest.raises(StreamClosed):
                    await client.connected(10)
                assert not client.stats().connected

    run(test())


def test_a_client_that_was_not_started_is_refused_instead_of_waiting():
    async def test() -> None:
        client = Client("ws://127.0.0.1:9/stream", ["a"], **QUICK)
        with pytest.raises(RuntimeError, match="expected one that was started by `async with`"):
            await client.connected()
        with pytest.raises(RuntimeError, match="expected one that was started by `async with`"):
            await anext(client)
        await client.aclose()
        assert [message async for message in client] == []

    run(test())


def test_an_unreachable_server_is_retried_and_a_wrong_page_is_not():
    async def test() -> None:
        async with Desk.in_process("--rate", "50") as desk, Proxy(1) as proxy:
            async with listening(proxy.port, ["count.*"], 1) as [one]:
                await eventually(lambda: len(one.told(Disconnected)) >= 3)
                with pytest.raises(
                    TimeoutError, match=r"^connected: expected the server to accept within 0\.01 s, got \S"
                ):
                    await one.client.connected(0.01)
                await one.client.subscribe("later")
                proxy.targets = (desk.port,)
                await eventually(lambda: len(one.messages) > 10)
                assert one.client.topics == ["count.*", "later"]
            options = {**QUICK, "connect_options": {"proxy": None, "origin": "https://elsewhere.example"}}
            async with Client(f"ws://127.0.0.1:{desk.port}/stream", **options) as client:
                with pytest.raises(StreamClosed, match="HTTP 403"):
                    await anext(aiter(client))

    run(test())


def test_messages_from_a_server_are_limited():
    async def test() -> None:
        async with Desk.in_process("--rate", "0") as desk:
            url = f"ws://127.0.0.1:{desk.port}/stream"
            async with Client(url, ["a"], newest=True, limits=Limits(depth=5), **QUICK) as client:
                await client.connected(60)
                await desk.request("POST", "/say", json={"messages": [["a", json.loads("[" * 20 + "]" * 20)]]})
                await desk.request("POST", "/say", json={"messages": [["a", "after it"]]})
                assert (await anext(aiter(client))).data == "after it", "what cannot be read is passed over"
            async with Client(url, ["b"], newest=True, limits=Limits(size=1000), **QUICK) as client:
                await client.connected(60)
                await desk.request("POST", "/say", json={"messages": [["b", "x" * 5000]]})
                with pytest.raises(StreamClosed, match="1009"):
                    await anext(aiter(client))

    run(test())


def test_callbacks_may_be_coroutines_and_their_errors_end_the_client():
    async def test() -> None:
        got = []

        async def take(message: Message) -> None:
            await asyncio.sleep(0)
            got.append(message)
            if len(got) == 5:
                raise LookupError("mine")

        async with Desk.in_process() as desk:
            client = Client(f"ws://127.0.0.1:{desk.port}/stream", ["count.*"], on_message=take, **QUICK)
            with pytest.raises(TypeError, match=r"^on_message: expected none"):
                aiter(client)
            async with client:
                await client.connected(60)
                await eventually(lambda: client._finished)
                with pytest.raises(LookupError, match="mine"):
                    await client.connected(60)
            assert len(got) == 5

    run(test())


def test_a_callback_that_is_cancelled_ends_the_client_with_an_error():
    async def test() -> None:
        def take(message: Message) -> None:
            raise asyncio.CancelledError

        async with Desk.run() as desk:
            async with Client(f"ws://127.0.0.1:{desk.port}/stream", ["count.*"], on_message=take, **QUICK) as client:
                await eventually(lambda: client._finished)
                with pytest.raises(RuntimeError, match=r"callback.*CancelledError"):
                    await client.connected(60)

    run(test())


def test_closing_ends_the_iteration_and_leaves_nothing_running():
    async def test() -> None:
        async with Desk.in_process() as desk:
            client = Client(f"ws://127.0.0.1:{desk.port}/stream", ["count.*"], **QUICK)
            before = asyncio.all_tasks()
            async with client:
                await anext(aiter(client))
                with pytest.raises(RuntimeError, match=r"^start: expected"):
                    await client.start()
            rest = [message async for message in client]
            assert len(rest) < 1000
            assert asyncio.all_tasks() == before
            while (await desk.request("GET", "/stats"))["clients"]:
                await asyncio.sleep(0.02)

    run(test())


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"url": "http://x/"}, ValueError, "^url: expected ws:// or wss://, got 'http://x/'$"),
        ({"url": 5}, TypeError, "^url: expected a str, got int$"),
        ({"topics": "a"}, TypeError, "^topics: expected an iterable of names, got str$"),
        ({"buffer": 0}, ValueError, "^buffer: expected an int >= 1, got 0$"),
        ({"on_full": "drop"}, ValueError, "^on_full: expected one of pause, conflate, got 'drop'$"),
        ({"backoff": (2, 1)}, ValueError, "^backoff: expected two numbers"),
        ({"on_message": 3}, TypeError, "^on_message: expected a callable, got int$"),
        ({"token": 3}, TypeError, "^token: expected a callable, got int$"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, said):
    with pytest.raises(error, match=said):
        Client(**{"url": "ws://x/", **arguments})


def test_without_websockets_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "websockets.asyncio.client", None)
    with pytest.raises(ImportError, match=r"^Client: expected the package websockets; pip install .*\[service\]\"$"):
        run(Client("ws://x/").start())


def test_the_page_is_there():
    async def test() -> None:
        async with Desk.in_process("--rate", "0") as desk:

            def get() -> str:
                opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
                with opener.open(f"http://127.0.0.1:{desk.port}/static/client.js", timeout=30) as answer:
                    return str(answer.read(30))

            assert "browser" in await asyncio.to_thread(get)

    run(test())
