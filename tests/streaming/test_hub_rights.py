"""What a client may have: asked for each topic and grant, and again with every new token."""

from __future__ import annotations

import time
from collections import Counter

import msgpack
import pytest

from fastcore.streaming import Grant, Hub, Limits
from tests.streaming.conftest import Serve
from tests.streaming.raw_client import BINARY, RawClient, frame


def grant_of(token: str) -> Grant:
    user, _, topics = token.partition("-")
    return Grant(user=user, topics=tuple(topics.split(",")) if topics else None)


@pytest.mark.parametrize("name", [">", "*.salaries", "*.>", "internal.*", "internal.>", "internal.salaries"])
def test_no_pattern_passes_authorize(serve: Serve, name: str) -> None:
    hub, server = serve(authenticate=grant_of, authorize=lambda grant, topic: not topic.startswith("internal."))
    hub.publish("internal.salaries", "before")
    with RawClient(server.port, f"/stream?token=ann&newest=1&topics={name},open") as client:
        assert "internal.salaries" not in [entry[0] for entry in client.hear_kind(3)[2]]
        hub.publish("internal.salaries", "after")
        hub.publish("internal.late", "came into being later")
        hub.publish("open", "for everybody")
        message = client.hear()
        while message[0] in (2, 5):
            assert not str(message[2]).startswith("internal")
            message = client.hear()
        assert (message[0], message[3]) == (1, "for everybody")


def test_authorize_is_asked_once_for_each_topic_and_grant(serve: Serve) -> None:
    asked: Counter[tuple[str, str]] = Counter()

    def authorize(grant: Grant, topic: str) -> bool:
        asked[grant.user, topic] += 1
        return True

    hub, server = serve(authenticate=grant_of, authorize=authorize)
    for n in range(5):
        hub.publish(f"t.{n}", n)
    clients = [RawClient(server.port, f"/stream?token={user}&topics=t.*,*.1") for user in ("ann", "ann", "bob")]
    try:
        for client in clients:
            client.hear_kind(3)
        for _ in range(3):
            hub.publish("t.late", 1)
        for client in clients:
            client.hear_kind(1)
        assert set(asked.values()) == {1}
        assert {topic for user, topic in asked if user == "bob"} == {
            "t.*",
            "*.1",
            *(f"t.{n}" for n in range(5)),
            "t.late",
        }
    finally:
        for client in clients:
            client.close()


def test_a_new_token_removes_disallowed_subscriptions(serve: Serve) -> None:
    hub, server = serve(authenticate=grant_of, authorize=lambda grant, topic: topic != f"t.not_{grant.user}")
    hub.publish("t.not_bob", 1)
    with RawClient(server.port, "/stream?token=ann&topics=orders.ann,t.*") as client:
        client.hear_kind(3)
        client.say(8, 1, "bob-t.*")
        assert client.hear_kind(8)[:2] == [8, 1]
        kind, ref, code, _, names = client.hear()
        assert (kind, ref, code, names) == (5, 0, 103, ["orders.ann"])
        hub.publish("orders.ann", "not for bob")
        hub.publish("t.not_bob", "nor this")
        hub.publish("t.not_ann", "but this")
        assert client.hear_kind(1)[3] == "but this"


def test_a_new_token_sends_nothing_again(serve: Serve) -> None:
    hub, server = serve(authenticate=grant_of, history=5, last=2)
    hub.publish("t.a", "before")
    with RawClient(server.port, "/stream?token=ann&topics=t.*") as client:
        assert client.hear_kind(1)[3] == "before"
        client.say(8, 1, "bob")
        client.hear_kind(8)
        hub.publish("t.a", "after")
        assert client.hear_kind(1)[3] == "after"
        client.say(3, 2, ["t.*"], {"last": 0})
        client.hear_kind(3)
        hub.publish("t.a", "later")
        assert client.hear_kind(1)[3] == "later"


def test_an_expiry_is_seen_where_the_clock_is_set(serve: Serve, ahead: list[float]) -> None:
    _, server = serve(authenticate=lambda token: Grant(expires=time.time() + 3600), beat=0.05)
    with RawClient(server.port, "/stream?token=x") as client:
        client.hear()
        ahead[0] = 4000.0
        assert client.closed() == 3005


def test_disconnected_clients_with_long_lived_tokens_are_freed(serve: Serve) -> None:
    hub, server = serve(authenticate=lambda token: Grant(expires=time.time() + 86400), ping=0.2, pong=0.1, beat=0.05)
    with RawClient(server.port, "/stream?token=x") as stays:
        stays.hear()
        for _ in range(30):
            RawClient(server.port, "/stream?token=x").close()
        stays.say(6)
        server.until(lambda: len(hub.clients) <= 1)
        server.until(lambda: len(hub.clients.wheel) <= 3)


def test_valid_first_topics_are_subscribed_to(serve: Serve) -> None:
    _, server = serve(
        authenticate=grant_of, authorize=lambda grant, topic: topic != "secret", limits=Limits(subscriptions=3)
    )
    with RawClient(server.port, "/stream?token=x&topics=a,secret,b,a..b,c,d,e") as client:
        client.hear()
        told = {}
        while (message := client.hear())[0] == 5:
            told[message[2]] = message[4]
        assert told == {101: ["a..b"], 103: ["secret"], 102: ["d", "e"]}
        assert [entry[0] for entry in message[2]] == ["a", "b", "c"]


def test_every_request_of_a_message_counts_towards_the_rate(serve: Serve) -> None:
    hub, server = serve(limits=Limits(message_rate=0.001, message_burst=20))
    with RawClient(server.port) as client:
        client.hear()
        client.write(frame(BINARY, b"".join(msgpack.packb([3, n, ["t"]]) for n in range(1, 21))))
        for n in range(1, 21):
            assert client.hear()[1] == n
        client.write(frame(BINARY, msgpack.packb([3, 21, ["t"]])))
        assert client.closed() == 3013
    server.until(lambda: hub.stats().closed == {3013: 1})


def test_positions_may_be_sent_in_parts(serve: Serve) -> None:
    hub, server = serve(history=5)
    for n in range(20):
        hub.publish(f"p.{n}", 1)
        hub.publish(f"p.{n}", 2)
    with RawClient(server.port) as client:
        client.hear()
        for part in ({f"p.{n}": 1 for n in range(10)}, {f"p.{n}": 2 for n in range(10, 20)}, {"never": 7}):
            client.say(10, 1, [hub.epoch, part])
        client.say(3, 1, ["p.*"], {"since": [hub.epoch, {}]})
        assert {entry[3] for entry in client.hear()[2]} == {1}
        assert [client.hear()[3] for _ in range(10)] == [2] * 10
        client.say(3, 2, ["p.1"], {"since": [hub.epoch, {}]})
        assert client.hear()[2][0][3] == 0, "parts are for the next subscribe alone"


@pytest.mark.parametrize("obj", [{1.5: 1}, {b"k": 1}, {None: 1}, {True: 1}, [{"a": {(1, 2): 3}}], b"x" * (17 << 20)])
def test_messages_that_clients_cannot_read_are_refused(obj: object) -> None:
    hub = Hub()
    for publish in (hub.publish, lambda topic, value: hub.publish_packed(topic, msgpack.packb(value))):
        with pytest.raises(ValueError, match="obj: expected"):
            publish("t", obj)
    deep: list[object] = []
    for _ in range(61):
        deep = [deep]
    hub.publish("t", deep)
    with pytest.raises(ValueError, match="62 nested levels"):
        hub.publish("t", [deep])
    for wrong in ("t.\udc80", "\ud800"):
        with pytest.raises(ValueError, match="lone surrogates"):
            hub.publish(wrong, 1)
    with pytest.raises(ValueError, match="lone surrogates"):
        hub.publish("t", 1, key="\udc80")
    with pytest.raises(ValueError, match="64 bits"):
        hub.publish("t", 1, key=2**64)
    hub.publish("t", {1: {"a": b"\xc4"}, -5: None}, key=2**64 - 1)
    assert hub.stats().published == 2
