"""Histories of a Fanout: resuming, and newest messages on request."""

from __future__ import annotations

import pytest


def test_resuming_within_history(wire, fan):
    for i in range(5):
        fan.publish("x", i)
    (told,) = fan.subscribe("a", "x", since=("e1", {"x": 3}))
    assert told == ("x", 1, "e1", 5, True)
    assert wire.tick(fan) == {"a": [["x", 4, 3], ["x", 5, 4]]}
    (told,) = fan.subscribe("b", "x", since=("e1", {"x": 5}))
    assert told.recovered
    assert wire.tick(fan) == {}


@pytest.mark.parametrize("since", [("e1", {"x": 1}), ("e0", {"x": 20}), ("e1", {"x": 21})])
def test_resuming_after_history_was_exceeded(wire, fan, since):
    """Beyond history, from another epoch, or from the future: the newest of each key, and a notice."""
    for i in range(20):
        fan.publish("x", i, key=i % 3)
    (told,) = fan.subscribe("a", "x", since=since)
    assert not told.recovered
    assert (told.epoch, told.offset) == ("e1", 20)
    assert wire.tick(fan) == {"a": [["x", 18, 17], ["x", 19, 18], ["x", 20, 19]]}


def test_resuming_a_pattern(wire, fan):
    fan.publish("p.a", 1)
    fan.publish("p.a", 2)
    fan.publish("p.b", 3)
    told = fan.subscribe("a", "p.*", since=("e1", {"p.a": 1}))
    assert [(t.topic, t.recovered) for t in told] == [("p.a", True), ("p.b", True)]
    assert wire.tick(fan) == {"a": [["p.a", 2, 2], ["p.b", 1, 3]]}


def test_newest_messages_on_request(wire, fan):
    fan.publish("x", 1, key="k")
    fan.publish("x", 2, key="k")
    fan.subscribe("a", "x", newest=True)
    fan.subscribe("b", "x")
    assert wire.tick(fan) == {"a": [["x", 2, 2]]}


def test_newest_messages_are_bounded(wire, twin):
    fan = twin("framing").Fanout(history=1, max_keys=2)
    for i in range(5):
        fan.publish("x", i, key=str(i))
    fan.connect("a")
    fan.subscribe("a", "x", newest=True)
    assert [m[2] for m in wire.tick(fan)["a"]] == [3, 4]


def test_a_topic_that_no_longer_keeps_history_has_no_newest_messages(wire, fan):
    fan.publish("prices.AAPL", 1, key="AAPL")
    fan.configure("prices.*", history=0)
    fan.publish("prices.AAPL", 2, key="AAPL")
    fan.subscribe("a", "prices.AAPL", newest=True)
    assert wire.tick(fan) == {}, "the first message is not the newest any more"
    fan.configure("prices.*", history=5)
    fan.publish("prices.AAPL", 3, key="AAPL")
    fan.subscribe("b", "prices.AAPL", newest=True)
    assert wire.tick(fan) == {"a": [["prices.AAPL", 3, 3]], "b": [["prices.AAPL", 3, 3]]}


@pytest.mark.parametrize(("kept", "since"), [(1, 4), (2, 3), (4, 1), (5, 0), (9, 0)])
def test_a_shorter_history_still_resumes_from_what_it_keeps(wire, fan, kept, since):
    for n in range(1, 6):
        fan.publish("t", n)
    fan.configure("t", history=kept)
    for asked in range(6):
        [told] = fan.subscribe("a", "t", since=("e1", {"t": asked}))
        assert told.recovered is (asked >= since)
        if told.recovered:
            assert wire.tick(fan).get("a", []) == [["t", n, n] for n in range(asked + 1, 6)]
        fan.tick()


def test_resuming_from_below_the_floor_reports_a_gap(fan):
    """Even where it has the last message that came here: others may have come elsewhere."""
    fan.publish("t", 1)
    fan.renew("e2", 5)
    [told] = fan.subscribe("a", "t", since=("e2", {"t": 1}))
    assert (told.recovered, told.offset) == (False, 5)
    [told] = fan.subscribe("b", "t", since=("e2", {"t": 5}))
    assert (told.recovered, told.offset) == (True, 5)
