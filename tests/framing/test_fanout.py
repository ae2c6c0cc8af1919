"""Fanout on both twins: delivery, policies, and the handling of slow clients."""

from __future__ import annotations

import random
from typing import Any

import msgpack
import pytest

from fastcore import framing
from tests.conftest import PURE_ONLY


def test_messages_reach_subscribers(wire, fan):
    fan.subscribe("a", "prices.AAPL")
    fan.subscribe("b", ["prices.AAPL", "prices.MSFT"])
    assert fan.publish("prices.AAPL", 1) == 1
    assert fan.publish("prices.MSFT", {"p": 2}) == 1
    assert fan.publish("prices.AAPL", 3) == 2
    assert fan.publish("news", "nobody") == 1
    assert wire.tick(fan) == {
        "a": [["prices.AAPL", 1, 1], ["prices.AAPL", 2, 3]],
        "b": [["prices.AAPL", 1, 1], ["prices.MSFT", 1, {"p": 2}], ["prices.AAPL", 2, 3]],
    }
    assert wire.tick(fan) == {}
    fan.unsubscribe("b", "prices.AAPL")
    fan.publish("prices.AAPL", 4)
    assert wire.tick(fan) == {"a": [["prices.AAPL", 3, 4]]}


def test_clients_with_the_same_messages_share_frames(wire, twin):
    fan = twin("framing").Fanout()
    for i in range(100):
        fan.connect(i)
        fan.subscribe(i, ["x", "y"] if i % 2 else "x")
    for i in range(4):
        fan.publish("x", i)
        fan.publish("y", i)
    sent = fan.tick()
    assert len({id(frames) for frames in sent.values()}) == 2
    assert all(len(frames) == 1 for frames in sent.values()), "short frames are copied together"
    assert wire.read(sent[0]) == [["x", i + 1, i] for i in range(4)]


def test_long_frames_are_not_copied_together(twin):
    fan = twin("framing").Fanout()
    fan.connect("a")
    fan.subscribe("a", "x")
    for _ in range(3):
        fan.publish("x", b"z" * 50_000)
    (frames,) = fan.tick().values()
    assert len(frames) == 3


@pytest.mark.parametrize(
    ("pattern", "hits"),
    [
        ("prices.*", ["prices.AAPL", "prices.MSFT"]),
        ("*.AAPL", ["prices.AAPL"]),
        ("prices.>", ["prices.AAPL", "prices.MSFT", "prices.AAPL.bid"]),
        (">", ["prices.AAPL", "prices.MSFT", "prices.AAPL.bid", "prices"]),
        ("*", ["prices"]),
        ("prices.*.bid", ["prices.AAPL.bid"]),
    ],
)
@pytest.mark.parametrize("early", [True, False])
def test_patterns_match_topics_by_word(wire, twin, pattern, hits, early):
    fan = twin("framing").Fanout()
    fan.connect("a")
    names = ["prices.AAPL", "prices.MSFT", "prices.AAPL.bid", "prices"]
    if early:
        assert fan.subscribe("a", pattern) == []
    for name in names:
        fan.publish(name, None)
    fan.tick()
    if not early:
        assert sorted(told.topic for told in fan.subscribe("a", pattern)) == sorted(hits)
    for name in names:
        fan.publish(name, None)
    assert [m[0] for m in wire.tick(fan).get("a", [])] == hits


def test_a_topic_matched_twice_is_delivered_once(wire, fan):
    fan.subscribe("a", ["prices.*", "prices.AAPL", "prices.AAPL"])
    fan.publish("prices.AAPL", 1)
    assert wire.tick(fan) == {"a": [["prices.AAPL", 1, 1]]}
    fan.unsubscribe("a", "prices.*")
    fan.publish("prices.AAPL", 2)
    assert wire.tick(fan) == {"a": [["prices.AAPL", 2, 2]]}
    fan.unsubscribe("a", ["prices.AAPL", "never.subscribed"])
    fan.publish("prices.AAPL", 3)
    assert wire.tick(fan) == {}


def test_a_subscription_after_publish_gets_no_earlier_message(wire, fan):
    fan.subscribe("a", "x")
    fan.publish("x", 1)
    fan.subscribe("b", "x")
    fan.publish("x", 2)
    assert wire.tick(fan) == {"a": [["x", 1, 1], ["x", 2, 2]], "b": [["x", 2, 2]]}


def test_a_disconnected_client_gets_nothing(wire, fan):
    fan.subscribe("a", ["x", "y.*"])
    fan.publish("x", 1)
    fan.disconnect("a")
    fan.disconnect("a")
    assert wire.tick(fan) == {}
    assert fan.subscribers("x") == 0
    assert len(fan) == 2
    assert "a" not in fan
    with pytest.raises(LookupError, match=r"^connection: expected one that is connected, got another$"):
        fan.subscribe("a", "x")
    fan.connect("a")
    fan.publish("x", 2)
    assert wire.tick(fan) == {}


def test_conflation_keeps_the_newest_of_each_key(wire, twin):
    fan = twin("framing").Fanout(policy="conflate")
    for name in "ab":
        fan.connect(name)
        fan.subscribe(name, ["p", "q"])
    fan.publish("p", 0, key="A")
    fan.blocked("a")
    for i in range(1, 5):
        fan.publish("p", i, key="AB"[i % 2])
        fan.publish("q", i)
    assert list(wire.tick(fan)) == ["b"]
    fan.writable("a")
    assert wire.tick(fan) == {"a": [["p", 4, 3], ["p", 5, 4], ["q", 4, 4]]}
    assert fan.stats().conflated == 6
    assert fan.backlog("a") == 0


def test_policies_by_topic(wire, twin):
    fan = twin("framing").Fanout(policy="all")
    fan.configure("quotes.*", policy="conflate")
    fan.configure("noise.>", policy="drop")
    fan.configure("noise.but.this", policy="all")
    fan.connect("a")
    fan.subscribe("a", ">")
    fan.blocked("a")
    for i in range(3):
        for topic in ("news", "quotes.A", "noise.x.y", "noise.but.this"):
            fan.publish(topic, i)
    assert wire.tick(fan) == {}
    fan.writable("a")
    expected = [
        ("news", 0),
        ("noise.but.this", 0),
        ("news", 1),
        ("noise.but.this", 1),
        ("news", 2),
        ("quotes.A", 2),
        ("noise.but.this", 2),
    ]
    assert [(m[0], m[2]) for m in wire.tick(fan)["a"]] == expected
    assert fan.stats().dropped == 3


def test_a_slow_client_is_closed_at_its_limit(wire, twin):
    fan = twin("framing").Fanout(limit=1000)
    for name in "ab":
        fan.connect(name)
        fan.subscribe(name, "x")
    fan.blocked("a")
    for _ in range(9):
        fan.publish("x", b"y" * 100)
        assert 0 < fan.backlog("a") <= 1000
    fan.publish("x", b"y" * 100)
    assert fan.take_closing() == [("a", 3008, "slow: more than 1000 bytes were waiting")]
    assert fan.take_closing() == []
    assert "a" not in fan
    assert list(wire.tick(fan)) == ["b"]
    stats = fan.stats()
    assert (stats.closed, stats.backlog_bytes, stats.connections, stats.delivered) == (1, 0, 1, 10)


def test_the_slowest_client_is_closed_at_the_total_limit(twin):
    fan = twin("framing").Fanout(total_limit=3000)
    for i in range(10):
        fan.connect(i)
        fan.subscribe(i, ["x", f"own.{i}"])
        fan.blocked(i)
    fan.publish("own.7", b"y" * 900)
    fan.publish("x", b"y" * 250)
    assert [closing.connection for closing in fan.take_closing()] == [7]
    assert fan.stats().backlog_bytes <= 3000


def test_pending_messages_are_queued_when_a_client_blocks(wire, twin):
    fan = twin("framing").Fanout(policy="all")
    fan.connect("a")
    fan.subscribe("a", "x")
    fan.publish("x", 1)
    fan.blocked("a")
    fan.blocked("a")
    assert wire.tick(fan) == {}
    assert fan.backlog("a") > 0
    fan.writable("a")
    fan.writable("a")
    fan.publish("x", 2)
    assert wire.tick(fan) == {"a": [["x", 1, 1], ["x", 2, 2]]}


@pytest.mark.parametrize(("window", "used"), [(15, 12), (12, 12), (10, 10), (9, 9)])
def test_deflated_once_for_each_window(wire, twin, window, used):
    f = twin("framing")
    fan = f.Fanout(threshold=50)
    for i in range(10):
        fan.connect(i, deflate=window)
        fan.subscribe(i, "x")
    fan.connect("plain")
    fan.connect("eight", deflate=8)  # zlib has no such window
    fan.subscribe("plain", "x")
    fan.subscribe("eight", "x")
    fan.publish("x", "long " * 100)
    fan.publish("x", "short")
    sent = fan.tick()
    assert len({id(sent[i]) for i in range(10)}) == 1
    assert sent["plain"] == sent["eight"]
    assert len(sent[0][0]) < 150 < len(sent["plain"][0])
    expected = [["x", 1, "long " * 100], ["x", 2, "short"]]
    assert wire.read(sent[0], wire.client(used)) == wire.read(sent["plain"]) == expected


def test_envelopes_and_prepacked_payloads(wire, twin):
    fan = twin("framing").Fanout(
        envelope=lambda topic, number, offset, obj: {"t": number, "o": offset, "d": obj}, default=sorted
    )
    fan.connect("a")
    fan.subscribe("a", "x")
    fan.publish("x", {2, 1})
    fan.publish("x", payload=msgpack.packb("ready"))
    assert wire.tick(fan) == {"a": [{"t": 1, "o": 1, "d": [1, 2]}, "ready"]}


def test_an_object_that_cannot_be_packed_is_not_published(wire, fan):
    fan.subscribe("a", "x")
    with pytest.raises(TypeError, match=r"^obj: expected a type that msgpack has, got object$"):
        fan.publish("x", object())
    assert fan.publish("x", 1) == 1
    assert wire.tick(fan) == {"a": [["x", 1, 1]]}


def test_publishing_from_callbacks(wire, twin):
    f = twin("framing")
    inner: list[Any] = []

    def envelope(topic, number, offset, obj):
        if obj == "outer":
            inner.append(fan.publish("other", "inner"))
        if obj == "same":
            fan.publish("x", "inner")
        if obj == "leave":
            fan.unsubscribe("a", "y")
        return [topic, offset, obj]

    fan = f.Fanout(envelope=envelope)
    fan.connect("a")
    fan.subscribe("a", ["x", "other", "y"])
    fan.publish("x", "outer")
    with pytest.raises(RuntimeError, match=r"^publish: expected no publish to the same topic from within, got one$"):
        fan.publish("x", "same")
    fan.publish("y", "leave")
    assert wire.tick(fan) == {"a": [["other", 1, "inner"], ["x", 1, "outer"], ["x", 2, "inner"]]}


def test_unused_topics_are_dropped(fan):
    fan.subscribe("a", [f"guess.{i}" for i in range(100)])
    assert len(fan.topics()) == 100
    fan.disconnect("a")
    assert fan.topics() == []
    fan.publish("x", 1)
    assert (fan.topics(), fan.offset("x"), fan.offset("y")) == (["x"], 1, 0)


def test_stats_count_clients_messages_and_bytes(fan):
    fan.subscribe("a", ["x", "y"])
    fan.subscribe("b", "x")
    fan.publish("x", 1)
    sent = fan.tick()
    fan.blocked("b")
    stats = fan.stats()
    assert stats == framing.FanoutStats(3, 2, 3, 1, 2, 0, 0, 0, 2 * len(sent["a"][0]), 0, 1)
    assert fan.subscribers("x") == 2


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda f: f.connect("a"), ValueError, "connection: expected a new one, got one that is connected"),
        (lambda f: f.connect("n", deflate=7), ValueError, "deflate: expected an int in 8..15, got 7"),
        (lambda f: f.publish("a.*", 1), ValueError, "topic: expected a name without * and >, got 'a.*'"),
        (lambda f: f.publish("", 1), ValueError, "topic: expected 1 to 255 characters, got 0"),
        (lambda f: f.publish("x" * 256, 1), ValueError, "topic: expected 1 to 255 characters, got 256"),
        (lambda f: f.publish("a..b", 1), ValueError, "topic: expected words with a dot between each two, got 'a..b'"),
        (lambda f: f.publish(5, 1), TypeError, "topic: expected a str, got int"),
        (lambda f: f.publish("x", 1, key=1.5), TypeError, "key: expected a str, bytes, int or None, got float"),
        (lambda f: f.publish("x", payload="text"), TypeError, "payload: expected a bytes-like object, got str"),
        (
            lambda f: f.subscribe("a", "a*"),
            ValueError,
            "topic: expected * as a whole word, and > as the last, got 'a*'",
        ),
        (
            lambda f: f.subscribe("a", ">.a"),
            ValueError,
            "topic: expected * as a whole word, and > as the last, got '>.a'",
        ),
        (
            lambda f: f.subscribe("a", [f"t{i}" for i in range(129)]),
            ValueError,
            "topics: expected at most 128 subscriptions, got 129",
        ),
        (
            lambda f: f.subscribe("a", "x", since="e1"),
            TypeError,
            "since: expected a pair of epoch and offsets by topic, or None, got something else",
        ),
        (
            lambda f: f.subscribe("a", "x", since=("e1", {"x": -1})),
            ValueError,
            f"since: offset of x: expected an int in 0..{2**63 - 1}, got -1",
        ),
        (
            lambda f: f.configure("x", policy="none"),
            ValueError,
            "policy: expected one of all, conflate, drop, got 'none'",
        ),
        (lambda f: type(f)(limit=0), ValueError, f"limit: expected an int in 1..{2**63 - 1}, got 0"),
        (lambda f: type(f)(colour=1), TypeError, "Fanout() got an unexpected keyword argument 'colour'"),
        (lambda f: type(f)(epoch=5), TypeError, "epoch: expected a str or None, got int"),
    ],
)
def test_calls_are_checked(fan, call, error, text):
    with pytest.raises(error) as caught:
        call(fan)
    assert str(caught.value) == text
    assert fan.stats().subscriptions == 0


@pytest.mark.skipif(PURE_ONLY, reason="compares the twins")
def test_the_twins_behave_alike():
    """A long random life, the same for both twins: every tick, closing and count is the same."""
    from fastcore.dispatch import backends

    pairs = [
        backends.twin("framing", name).Fanout(limit=2000, total_limit=5000, history=5, epoch="e", max_keys=3)
        for name in ("compiled", "python")
    ]
    for fan in pairs:
        fan.configure("c.*", policy="conflate")
        fan.configure("d.>", policy="drop", history=0)
    rng = random.Random(11)
    topics = ["a", "a.b", "c.x", "c.y", "d.z", "d.z.z"]

    def both(method: str, *args: Any, **kwargs: Any) -> Any:
        answers = []
        for fan in pairs:
            try:
                answers.append(getattr(fan, method)(*args, **kwargs))
            except (ValueError, LookupError) as error:
                answers.append(str(error))
        assert answers[0] == answers[1], (method, args)
        return answers[0]

    for _ in range(20_000):
        who = rng.randrange(30)
        match rng.randrange(12):
            case 0:
                both("connect", who, deflate=rng.choice([None, 9, 15]))
            case 1:
                both("disconnect", who)
            case 2 | 3:
                names = rng.sample([*topics, ">", "c.*", "*.*"], rng.randrange(1, 4))
                since = rng.choice([None, ("e", {t: rng.randrange(30) for t in topics}), ("old", {"a": 1})])
                both("subscribe", who, names, since=since, newest=rng.random() < 0.3)
            case 4:
                both("unsubscribe", who, rng.choice([*topics, ">", "c.*"]))
            case 5:
                both("blocked", who)
            case 6:
                both("writable", who)
            case 7:
                both("tick")
                both("take_closing")
                both("stats")
            case _:
                both("publish", rng.choice(topics), "x" * rng.randrange(300), rng.choice([None, 1, "k"]))
    assert both("stats").closed > 10


@pytest.mark.parametrize("policy", ["all", "conflate", "drop"])
def test_held_back_bytes_equal_the_sum_over_clients(twin, policy):
    """Through a random life; in the end nothing is held back."""
    fan = twin("framing").Fanout(policy=policy, limit=3000, total_limit=6000)
    rng, clients = random.Random(3), set[int]()
    for _ in range(3000):
        who = rng.randrange(8)
        match rng.randrange(6):
            case 0 if who not in clients:
                fan.connect(who)
                fan.subscribe(who, ["a", "b.*"])
                clients.add(who)
            case 1 if who in clients:
                fan.blocked(who)
            case 2 if who in clients:
                fan.writable(who)
            case 3 if who in clients and rng.random() < 0.2:
                fan.disconnect(who)
                clients.remove(who)
            case _:
                fan.publish(rng.choice(["a", "b.x", "b.y"]), "x" * rng.randrange(300), rng.choice([None, 1, 2]))
        clients -= {closing.connection for closing in fan.take_closing()}
        held = fan.stats().backlog_bytes
        assert held == sum(fan.backlog(one) for one in clients)
        assert held <= 6000
    for one in clients:
        fan.writable(one)
    assert fan.stats().backlog_bytes == 0


def test_a_topic_that_was_never_published_ends_with_its_last_subscriber(wire, fan):
    fan.subscribe("a", "t.*")
    [told] = fan.subscribe("b", "t.x")
    assert fan.known("t.x")
    fan.unsubscribe("b", "t.x")
    assert not fan.known("t.x")
    assert fan.subscribe("c", "t.*") == []
    assert fan.stats().topics == 0
    fan.publish("t.x", 1)
    [again] = fan.subscribe("b", "t.x")
    assert (again.id > told.id, again.offset) == (True, 1)
    fan.publish("t.x", 2)
    assert wire.tick(fan) == {
        "a": [["t.x", 1, 1], ["t.x", 2, 2]],
        "b": [["t.x", 2, 2]],
        "c": [["t.x", 1, 1], ["t.x", 2, 2]],
    }
