"""The hub over real connections: on transports that it takes over, and behind the plain `send` of another server."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette

from fastcore import metrics
from fastcore.streaming import (
    Hub,
    HubBusy,
    Limits,
    broadcast_analysis_results,
    installed_hub,
)
from fastcore.streaming.uvicorn import HubLink
from tests.streaming.raw_client import BINARY, CLOSE, CONT, PING, PONG, TEXT, RawClient, frame
from tests.streaming.running import WAIT, Running

Serve = Callable[..., tuple[Hub, Running]]


def values(client: RawClient, n: int) -> list[Any]:
    """The objects of the next data messages."""
    return [client.hear_kind(1)[3] for _ in range(n)]


# -- from hello to data ------------------------------------------------------------------------------------------


def test_the_simplest_client_sends_no_message(serve: Serve) -> None:
    hub, server = serve()
    with RawClient(server.port, "/stream?topics=prices.AAPL,prices.MSFT") as client:
        welcome = client.hear()
        assert welcome[0] == 0
        assert welcome[1] == {
            "v": 1, "epoch": hub.epoch, "ping": 15.0, "pong": 8.0, "ttl": None, "session": welcome[1]["session"],
        }  # fmt: skip
        kind, ref, entries = client.hear()
        assert (kind, ref) == (3, 0)
        assert [[name, offset, state] for name, _, offset, state in entries] == [
            ["prices.AAPL", 0, 0],
            ["prices.MSFT", 0, 0],
        ]
        ids = {name: number for name, number, _, _ in entries}
        hub.publish("prices.MSFT", {"price": 411.5}, key="MSFT")
        hub.publish("prices.AAPL", 187.25)
        hub.publish("prices.TSLA", "for others")
        hub.publish("prices.AAPL", [1, None], key=7)
        assert [client.hear() for _ in range(3)] == [
            [1, ids["prices.MSFT"], 1, {"price": 411.5}, "MSFT"],
            [1, ids["prices.AAPL"], 1, 187.25],
            [1, ids["prices.AAPL"], 2, [1, None], 7],
        ]
        assert len(hub) == 1
    server.until(lambda: len(hub) == 0)


def test_connect_subscribe_and_unsubscribe_by_message(serve: Serve) -> None:
    hub, server = serve()
    with RawClient(server.port) as client:
        assert client.hear()[0] == 0
        client.say(0, {"topics": ["a"]})
        assert client.hear()[:2] == [3, 0]
        client.say(3, 11, ["b", "c"])
        [_, ref, entries] = client.hear()
        assert ref == 11
        assert [entry[0] for entry in entries] == ["b", "c"]
        client.say(4, 12, ["a", "never subscribed"])
        assert client.hear() == [4, 12]
        for topic in "abc":
            hub.publish(topic, topic)
        assert values(client, 2) == ["b", "c"]
        assert server.call(lambda: hub.subscribers("a")) == 0


def test_messages_may_come_in_one_frame_or_in_fragments(serve: Serve) -> None:
    hub, server = serve()
    import msgpack

    both = msgpack.packb([3, 1, ["a"]]) + msgpack.packb([3, 2, ["b"]])
    with RawClient(server.port) as client:
        client.write(frame(BINARY, both))
        assert [client.hear_kind(3)[1] for _ in range(2)] == [1, 2]
        client.write(frame(BINARY, both[:3], fin=False) + frame(PING, b"!") + frame(CONT, both[3:]))
        pong = client.read()
        assert (pong.opcode, pong.data) == (PONG, b"!")
        assert [client.hear_kind(3)[1] for _ in range(2)] == [1, 2]
    assert hub.epoch


def test_a_pattern_announces_topics_created_later(serve: Serve) -> None:
    hub, server = serve()
    hub.publish("prices.AAPL", 1)
    with RawClient(server.port, "/stream?topics=prices.*,news.>") as client:
        client.hear()
        assert [entry[0] for entry in client.hear()[2]] == ["prices.AAPL"]
        hub.publish("prices.MSFT", 2)
        kind, number, name = client.hear()
        assert (kind, name) == (2, "prices.MSFT")
        assert client.hear() == [1, number, 1, 2]
        hub.publish("news.tech.chips", 3)
        assert client.hear()[::2] == [2, "news.tech.chips"]
        client.hear()
        client.say(4, 1, ["news.>"])
        assert client.hear() == [4, 1]
        hub.publish("news.late", 4)
        hub.publish("prices.MSFT", 5)
        assert client.hear() == [1, number, 2, 5]


# -- coming back -------------------------------------------------------------------------------------------------


def test_a_reconnecting_client_misses_nothing_within_history(serve: Serve) -> None:
    hub, server = serve(history=5)
    for n in range(1, 9):
        hub.publish("t", n, key=n % 2)
    for since, state, expected in [(8, 1, []), (5, 1, [6, 7, 8]), (3, 1, [4, 5, 6, 7, 8]), (2, 2, [7, 8])]:
        with RawClient(server.port, f"/stream?topics=t&epoch={hub.epoch}&since=t:{since}") as client:
            client.hear()
            [[_, _, offset, told]] = client.hear()[2]
            assert (offset, told) == (8, state)
            assert values(client, len(expected)) == expected
    with RawClient(server.port) as client:
        client.say(3, 1, ["t"], {"since": ["another epoch", {"t": 8}]})
        assert client.hear_kind(3)[2][0][3] == 2
        assert values(client, 2) == [7, 8]
    with RawClient(server.port, "/stream?topics=t&newest=1") as client:
        assert client.hear_kind(3)[2][0][3] == 0
        assert values(client, 2) == [7, 8]


def test_history_is_set_by_topic(serve: Serve) -> None:
    hub, server = serve(history=5)
    hub.configure("ticks.*", history=0)
    hub.publish("ticks.a", 1)
    with RawClient(server.port, f"/stream?topics=ticks.a&epoch={hub.epoch}&since=ticks.a:0") as client:
        assert client.hear_kind(3)[2][0][3] == 2
        hub.publish("ticks.a", 2)
        assert values(client, 1) == [2]


# -- what is published -------------------------------------------------------------------------------------------


def test_threads_publish_in_their_own_order(serve: Serve) -> None:
    hub, server = serve()
    with RawClient(server.port, "/stream?topics=a,b,c,d") as client:
        client.hear_kind(3)

        def work(topic: str) -> None:
            for n in range(200):
                hub.publish(topic, [topic, n])

        threads = [threading.Thread(target=work, args=(topic,)) for topic in "abcd"]
        for thread in threads:
            thread.start()
        found: dict[str, list[int]] = {topic: [] for topic in "abcd"}
        for _ in range(800):
            topic, n = client.hear_kind(1)[3]
            found[topic].append(n)
        for thread in threads:
            thread.join()
        assert all(found[topic] == list(range(200)) for topic in "abcd")


def test_an_object_may_change_after_it_was_published() -> None:
    hub = Hub()
    row = {"price": 1}
    hub.publish("t", row)
    row["price"] = 2
    [message] = hub._fan._topics["t"].history
    assert message.payload.endswith(b"\xa5price\x01")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("bad..topic",), ValueError),
        (("prices.*",), ValueError),
        ((7,), TypeError),
        (("t" * 256,), ValueError),
        (("t", object()), TypeError),
        (("t", 1, 1.5), TypeError),
        (("t", 1, True), TypeError),
    ],
)
def test_publish_refuses_what_it_cannot_send(arguments: tuple[Any, ...], error: type[Exception]) -> None:
    hub = Hub()
    with pytest.raises(error, match="expected"):
        hub.publish(*arguments)
    assert hub.stats().published == 0


def test_publishing_threads_are_bounded_while_the_loop_is_blocked(running: list[Running]) -> None:
    hub = Hub(limits=Limits(inbox=1000))
    server = Running(Starlette()).__enter__()
    running.append(server)
    server.call(hub.start)
    go = threading.Event()
    standing = threading.Event()

    def stand() -> None:
        standing.set()
        go.wait(WAIT)

    server.loop.call_soon_threadsafe(stand)
    standing.wait(WAIT)
    try:
        for _ in range(10):
            hub.publish("t", b"x" * 90)
        with pytest.raises(HubBusy, match="expected at most 1000 bytes"):
            hub.publish("t", b"x" * 90)
    finally:
        go.set()
    server.until(lambda: hub.stats().published == 10)
    hub.publish("t", b"x" * 90)
    server.until(lambda: hub.stats().published == 11)


def test_compressed_frames_are_shared_and_small_ones_plain(running: list[Running]) -> None:
    hub = Hub()
    app = Starlette()
    hub.route(app, "/stream")
    running.append(Running(app).__enter__())
    port = running[0].port
    path = "/stream?topics=t"
    with (
        RawClient(port, path, deflate="permessage-deflate; client_max_window_bits") as one,
        RawClient(port, path) as two,
    ):
        for client in (one, two):
            client.hear_kind(3)
        hub.publish("t", "price 187.25 " * 100)
        squeezed, plain = one.read(), two.read()
        assert squeezed.rsv == 4
        assert plain.rsv == 0
        assert len(squeezed.data) * 10 < len(plain.data)
        hub.publish("t", 1)
        assert one.read().rsv == 0


# -- what is misunderstood ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\xc1", 100),
        (b"\x93\x03\x01", 100),
        (b"\x01", 100),
        (b"\x90", 100),
        (b"\x91\x63", 100),
        (b"\x92\x03\x01", 100),
        (b"\x93\x03\x01\xa1a", 100),
        (b"\x93\x03\xff\x91\xa1a", 100),
        (b"\x93\x03\x01\x91\xa1.", 101),
        (b"\x93\x03\x01\x91\xa3a>b", 101),
        (b"\x93\x03\x01\x91\xa0", 101),
        (b"\x91" * 50 + b"\x01", 100),
        (b"\xdd\xff\xff\xff\xff", 100),
    ],
)
def test_errors_leave_the_connection_open(shared: tuple[Hub, Running], data: bytes, code: int) -> None:
    _, server = shared
    with RawClient(server.port) as client:
        client.write(frame(BINARY, data))
        found = client.hear_kind(5)
        assert found[2] == code
        assert "expected" in found[3]
        client.say(3, 9, ["fine"])
        assert client.hear()[:2] == [3, 9]


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[Hub, Running]]:
    hub = Hub(limits=Limits(bad_messages=3))
    app = FastAPI()
    router = APIRouter(prefix="/never")
    hub.route(app, "/stream")
    app.include_router(router)
    with Running(app) as server:
        yield hub, server


def test_too_many_errors_close_the_connection(shared: tuple[Hub, Running]) -> None:
    with RawClient(shared[1].port) as client:
        for _ in range(4):
            client.write(frame(BINARY, b"\xc1"))
        assert client.closed() == 3501


def test_text_ends_it(serve: Serve) -> None:
    _, server = serve()
    with RawClient(server.port) as client:
        client.write(frame(TEXT, b"{}"))
        assert client.closed() == 1003


@pytest.mark.parametrize(
    "data", [frame(CONT, b"x"), frame(3), frame(BINARY, b"", rsv=4), frame(BINARY, b"", mask=False), frame(CLOSE, b"x")]
)
def test_frames_that_break_the_protocol_end_it(shared: tuple[Hub, Running], data: bytes) -> None:
    hub, server = shared
    with RawClient(server.port, "/stream?topics=t") as client:
        client.hear_kind(3)
        client.write(data)
        assert client.closed() == 1002
    server.until(lambda: len(hub) == 0)


def test_a_close_is_answered(serve: Serve) -> None:
    hub, server = serve()
    with RawClient(server.port, "/stream?topics=t") as client:
        client.hear_kind(3)
        client.write(frame(CLOSE, (4001).to_bytes(2, "big") + b"bye"))
        assert client.closed() == 4001
    server.until(lambda: hub.stats().closed == {4001: 1})


def test_close_codes_that_clients_make_up_are_counted_together_beyond_a_few(serve: Serve) -> None:
    hub, server = serve()
    made_up = range(4000, 4023)
    for code in (*made_up, 1001, 1013):
        with RawClient(server.port, "/stream?topics=t") as client:
            client.hear_kind(3)
            client.write(frame(CLOSE, code.to_bytes(2, "big")))
            assert client.closed() == code
    server.until(lambda: hub.stats().closed == {**dict.fromkeys(made_up[:20], 1), 0: 3, 1001: 1, 1013: 1})
    labels = {
        dict(sample.labels)["code"] for sample in metrics.snapshot() if sample.name == "fastcore_stream_closed_total"
    }
    assert "other" in labels


def test_a_connection_that_breaks_is_forgotten(serve: Serve) -> None:
    hub, server = serve()
    client = RawClient(server.port, "/stream?topics=t,u.*")
    client.hear_kind(3)
    client.close()
    server.until(lambda: len(hub) == 0 and len(hub.clients) == 0 and hub.clients.seats.taken == 0)
    assert not hub._fan._audiences
    hub.publish("t", 1)


# -- where it stands ---------------------------------------------------------------------------------------------


def test_readiness_names_the_slow_path(serve: Serve) -> None:
    hub, server = serve()
    assert server.call(hub.readiness) == {"ready": True, "path": "direct", "clients": 0, "detail": "ok"}
    with RawClient(server.port) as client:
        client.hear()
        found = server.call(hub.readiness)
    assert found["ready"]
    assert found["path"] == ("asgi" if serve.kind == "asgi" else "direct")  # type: ignore[attr-defined]
    assert ("HubProtocol" in found["detail"]) == (serve.kind == "asgi")  # type: ignore[attr-defined]


def test_statistics_and_metrics(serve: Serve) -> None:
    hub, server = serve()
    with RawClient(server.port, "/stream?topics=t") as client, RawClient(server.port, "/stream?topics=t") as other:
        for one in (client, other):
            one.hear_kind(3)
        hub.publish("t", 1)
        for one in (client, other):
            values(one, 1)
        server.until(lambda: hub.stats().delivered == 2)
        stats = hub.stats()
        assert (stats.clients, stats.subscriptions, stats.published, stats.topics) == (2, 2, 1, 1)
        found = server.call(metrics.snapshot)
        names = {sample.name for sample in found}
        assert {
            "fastcore_stream_clients",
            "fastcore_stream_delivered_total",
            "fastcore_stream_publish_seconds",
        } <= names


def test_a_hub_belongs_to_one_loop_and_may_have_another_after_it() -> None:
    hub = Hub()

    async def start() -> None:
        await hub.start()
        hub.publish("t", 1)

    asyncio.run(start())
    hub.publish("t", 2)  # its loop is closed
    asyncio.run(start())
    assert hub.stats().published == 3

    async def other_thread() -> None:
        await hub.start()
        with pytest.raises(RuntimeError, match="expected clients of one event loop"):
            await asyncio.to_thread(asyncio.run, start())

    asyncio.run(other_thread())


def test_connections_leave_nothing_behind(running: list[Running]) -> None:
    hub = Hub(ping=0.2, pong=0.1, beat=0.05)
    app = Starlette()
    hub.route(app, "/stream")
    server = Running(app).__enter__()
    running.append(server)
    with RawClient(server.port, "/stream?topics=t,u.*") as client:
        client.hear_kind(3)
        sessions = [weakref.ref(one) for one in server.call(hub.clients.all)]
        assert len(sessions) == 1

    def gone() -> bool:
        gc.collect()
        return sessions[0]() is None and not [
            one for one in gc.get_objects() if type(one) is HubLink and one._hub is hub
        ]

    server.until(gone)


def test_the_task_and_scope_of_a_taken_over_connection_are_released(running: list[Running]) -> None:
    hub = Hub()
    app = Starlette()
    hub.route(app, "/stream")
    server = Running(app).__enter__()
    running.append(server)
    with RawClient(server.port) as client:
        client.hear()
        server.until(lambda: not server.server.server_state.tasks)
        assert [type(one) for one in server.server.server_state.connections] == [HubLink]


# -- the hub of the process --------------------------------------------------------------------------------------


def test_results_are_broadcast_on_the_hub_that_was_routed() -> None:
    hub = Hub()
    with pytest.raises(LookupError, match="expected a hub"):
        asyncio.run(broadcast_analysis_results({"AAPL": 1}))
    hub.route(Starlette())
    assert installed_hub() is hub
    assert asyncio.run(broadcast_analysis_results({"AAPL": {"rsi": 70.1}, "MSFT": {"rsi": 30.0}})) == 2
    assert asyncio.run(broadcast_analysis_results([{"symbol": "TSLA", "rsi": 50.0}])) == 1
    assert hub._fan.topics() == ["analysis.AAPL", "analysis.MSFT", "analysis.TSLA"]
    with pytest.raises(LookupError, match="expected a symbol"):
        asyncio.run(broadcast_analysis_results([{"rsi": 50.0}]))


def test_symbols_with_dots_are_one_word_of_a_topic(serve: Serve) -> None:
    hub, server = serve()
    symbols = ["AAPL", "BRK.B", "0700.HK", "a*b>c", "100%2E"]
    with RawClient(server.port, "/stream?topics=analysis.*,analysis.BRK%252EB") as client:
        client.hear_kind(3)
        assert asyncio.run(broadcast_analysis_results(dict.fromkeys(symbols, 1))) == len(symbols)
        assert sorted(client.hear_kind(1)[4] for _ in symbols) == sorted(symbols)
        assert hub.subscribers("analysis.BRK%2EB") == 1


def test_route_requires_an_application() -> None:
    with pytest.raises(TypeError, match="expected a FastAPI or Starlette application"):
        Hub().route(object())
