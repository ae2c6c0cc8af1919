"""Listeners: functions called with published messages, in the same process."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from fastcore.streaming import Hub, Published


def test_a_listener_gets_only_matching_topics() -> None:
    hub = Hub()
    heard: list[tuple[str, Any]] = []
    stop = hub.listen("prices.*", lambda topic, obj: heard.append((topic, obj)))
    hub.publish("prices.AAPL", {"price": 1.5}, key="AAPL")
    hub.publish("prices.old.AAPL", 1)
    hub.publish("news", "no")
    hub.publish("prices.MSFT", 2)
    assert heard == [("prices.AAPL", {"price": 1.5}), ("prices.MSFT", 2)]
    stop()
    hub.publish("prices.AAPL", 3)
    assert len(heard) == 2
    stop()  # again does no harm


def test_one_function_twice_is_two_listeners_of_which_one_can_leave() -> None:
    hub = Hub()
    heard: list[str] = []

    def hear(topic: str, obj: Any) -> None:
        heard.append(topic)

    hub.listen("a", hear)
    stop = hub.listen(">", hear)
    hub.publish("a")
    stop()
    hub.publish("a")
    assert heard == ["a", "a", "a"]


def test_each_listener_gets_its_own_object(caplog: pytest.LogCaptureFixture) -> None:
    hub = Hub()
    sent = {"rows": [1, 2], 3: "three"}
    heard: list[Any] = []

    def spoil(topic: str, obj: Any) -> None:
        heard.append(obj.copy())
        obj.clear()
        raise ZeroDivisionError("on purpose")

    hub.listen("a", spoil)
    hub.listen("a", lambda topic, obj: heard.append(obj))
    hub.publish("a", sent)
    assert heard == [sent, sent]
    assert sent == {"rows": [1, 2], 3: "three"}
    assert "a listener to a raised" in caplog.text


def test_messages_published_by_a_listener_come_after_its_own() -> None:
    hub = Hub()
    order: list[tuple[str, str]] = []

    def answer(topic: str, obj: Any) -> None:
        order.append(("first", topic))
        if topic == "a":
            hub.publish("b")

    hub.listen(">", answer)
    hub.listen(">", lambda topic, obj: order.append(("second", topic)))
    hub.publish("a")
    assert order == [("first", "a"), ("second", "a"), ("first", "b"), ("second", "b")]


def test_listeners_may_be_added_and_removed_during_delivery() -> None:
    hub = Hub()
    heard: list[str] = []

    def once(topic: str, obj: Any) -> None:
        stop()
        heard.append("once")
        hub.listen("a", lambda topic, obj: heard.append("later"))

    stop = hub.listen("a", once)
    hub.publish("a")
    assert heard == ["once"]
    hub.publish("a")
    assert heard == ["once", "later"]


def test_a_listener_gets_messages_of_many_threads_once_and_one_at_a_time() -> None:
    hub = Hub()
    heard: list[int] = []
    inside = threading.Lock()

    def hear(topic: str, obj: Any) -> None:
        assert inside.acquire(blocking=False), "two threads at once"
        heard.append(obj)
        inside.release()

    hub.listen("a", hear)
    threads = [threading.Thread(target=lambda k=k: [hub.publish("a", n) for n in range(k, 2000, 4)]) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(heard) == list(range(2000))


def test_messages_of_other_threads_are_delivered_in_the_loop() -> None:
    async def run() -> None:
        hub = Hub()
        await hub.start()
        done: asyncio.Future[tuple[int, Any]] = asyncio.get_running_loop().create_future()
        hub.listen("a", lambda topic, obj: done.set_result((threading.get_ident(), obj)))
        await asyncio.to_thread(hub.publish, "a", 5)
        assert await asyncio.wait_for(done, 60) == (threading.get_ident(), 5)
        await hub.aclose()

    asyncio.run(run())


def test_a_listener_gets_messages_of_the_backplane() -> None:
    async def run() -> None:
        hub = Hub()
        await hub.start()
        heard: list[Any] = []
        hub.listen("prices.*", lambda topic, obj: heard.append((topic, obj)))
        hub.renew("epoch", 0, ())
        hub.deliver(Published("prices.AAPL", 7, "AAPL", b"\x2a"))
        assert heard == [("prices.AAPL", 42)]
        await hub.aclose()

    asyncio.run(run())


def test_invalid_listeners_raise_a_clear_error() -> None:
    hub = Hub()
    with pytest.raises(ValueError, match=r"topic: expected \* as a whole word"):
        hub.listen("pri*", print)
    with pytest.raises(TypeError, match="fn: expected a function of topic and object, got int"):
        hub.listen("prices", 3)  # type: ignore[arg-type]
