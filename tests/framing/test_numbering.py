"""Offsets that are made elsewhere, and shared with other nodes: on both twins."""

from __future__ import annotations

import pytest


@pytest.fixture
def fan(twin):
    made = twin("framing").Fanout(epoch="own", history=3)
    made.renew("shared", 10)
    made.connect("a")
    made.connect("b")
    return made


def test_explicit_offsets_are_used(wire, fan):
    fan.subscribe("a", ["x", "y"])
    assert [fan.publish("x", 1, offset=12), fan.publish("y", 2, offset=13), fan.publish("x", 3, offset=20)] == [
        12,
        13,
        20,
    ]
    assert wire.tick(fan) == {"a": [["x", 12, 1], ["y", 13, 2], ["x", 20, 3]]}
    assert fan.epoch == "shared"
    assert fan.publish("x", 4) == 21


@pytest.mark.parametrize("offset", [10, 3, 0, -1])
def test_a_repeated_offset_is_refused(fan, offset):
    with pytest.raises(ValueError, match=r"^offset: expected"):
        fan.publish("x", 1, offset=offset)
    fan.publish("x", 1, offset=11)
    with pytest.raises(ValueError, match=r"^offset: expected one above 11, got 11$"):
        fan.publish("x", 1, offset=11)
    with pytest.raises(TypeError, match=r"^offset: expected an int"):
        fan.publish("x", 1, offset="12")


def test_resuming_works_with_gaps_in_offsets(wire, fan):
    for offset in (11, 15, 17, 30):
        fan.publish("x", offset, key=offset, offset=offset)

    def back(offset):
        (told,) = fan.subscribe("a", "x", since=("shared", {"x": offset}))
        got = [message[1] for message in wire.tick(fan).get("a", [])]
        fan.unsubscribe("a", "x")
        return told.recovered, told.offset, got

    assert back(11) == (True, 30, [15, 17, 30])
    assert back(16) == (True, 30, [17, 30])
    assert back(30) == (True, 30, [])
    assert back(44) == (True, 30, []), "a client may have been at a node that is ahead"
    assert back(10) == (False, 30, [11, 15, 17, 30]), "11 has left the history: the newest of each key instead"


def test_positions_below_the_floor_are_a_gap(fan):
    (told,) = fan.subscribe("a", "x", since=("shared", {"x": 9}))
    assert (told.recovered, told.offset) == (False, 10)
    (told,) = fan.subscribe("b", "x", since=("shared", {"x": 10}))
    assert told.recovered
    (told,) = fan.subscribe("b", "z")
    fan.publish("z", 1, offset=11)
    assert told.offset == 10, "from where a client that saw nothing may come back"


def test_a_new_numbering_keeps_newest_messages_without_duplicate_offsets(wire, fan):
    fan.publish("x", "old", key="k", offset=15)
    fan.publish("y", "low", key="k", offset=11)
    fan.renew("next", 12)
    (told,) = fan.subscribe("a", "x", since=("shared", {"x": 11}))
    assert (told.epoch, told.offset, told.recovered) == ("next", 12, False)
    assert wire.tick(fan) == {}, "15 will come again"
    (told,) = fan.subscribe("a", "y", newest=True)
    assert wire.tick(fan) == {"a": [["y", 11, "low"]]}
    assert fan.publish("x", "new", key="k", offset=13) == 13
    assert wire.tick(fan) == {"a": [["x", 13, "new"]]}


def test_a_shorter_history_drops_the_oldest_messages(fan):
    for offset in (11, 15, 17):
        fan.publish("x", offset, offset=offset)
    fan.configure("x", history=1)
    assert not fan.subscribe("a", "x", since=("shared", {"x": 11}))[0].recovered
    assert fan.subscribe("b", "x", since=("shared", {"x": 15}))[0].recovered


def test_bad_arguments_are_refused(fan):
    with pytest.raises(TypeError, match=r"^epoch: expected a str, got int$"):
        fan.renew(1)
    with pytest.raises(ValueError, match=r"^floor: expected an int"):
        fan.renew("e", -1)


def test_a_topic_has_one_number(fan):
    first = fan.topic_id("x")
    (told,) = fan.subscribe("a", "x")
    assert told.id == first == fan.topic_id("x")
    assert fan.topic_id("y") != first
    assert fan.topics() == ["x", "y"]
    assert fan.subscribers("y") == 0


@pytest.mark.parametrize(
    ("topic", "error"), [("x.*", ValueError), ("", ValueError), ("x" * 256, ValueError), (b"x", TypeError)]
)
def test_what_is_no_topic_has_no_number(fan, topic, error):
    with pytest.raises(error, match=r"^topic: expected"):
        fan.topic_id(topic)
    assert fan.topics() == []
