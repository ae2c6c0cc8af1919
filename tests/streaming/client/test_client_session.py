"""The client's side of the wire protocol: every rule of it, without a socket or a clock."""

from __future__ import annotations

import random
from typing import Any

import msgpack
import pytest

from fastcore.streaming import messages as wire
from fastcore.streaming.client.events import Connected, Disconnected, Gap, Message, Refusal, Subscribed
from fastcore.streaming.client.session import Limits, Session

WELCOME = [0, {"v": 1, "epoch": "e1", "ping": 15.0, "pong": 8.0, "ttl": None, "session": "s"}]


def made(*topics: str, **options: Any) -> Session:
    return Session(topics, rng=options.pop("rng", random.Random(1).random), **options)


def packed(*values: Any) -> bytes:
    return b"".join(msgpack.packb(value) for value in values)


def heard(session: Session, *values: Any, now: float = 0.0) -> list[Any]:
    return list(session.received(packed(*values), now))


def sent(messages: list[bytes]) -> list[Any]:
    return [msgpack.unpackb(message, strict_map_key=False) for message in messages]


def subscribed(session: Session, *entries: list[Any], epoch: str = "e1") -> list[Any]:
    """Open a connection and answer what it asks for at connect."""
    session.opened(0.0)
    return heard(session, [0, {**WELCOME[1], "epoch": epoch}], [3, 0, list(entries)])


def test_it_connects_with_its_topics_and_token():
    assert sent(made("prices.*", "news").opened(0.0, "secret")) == [
        [0, {"token": "secret", "topics": ["prices.*", "news"], "newest": False}]
    ]
    assert sent(made().opened(0.0)) == [[0, {}]]
    assert sent(made("x", newest=True).opened(0.0)) == [[0, {"topics": ["x"], "newest": True}]]


def test_messages_carry_topic_offset_and_key():
    session = made("x")
    assert subscribed(session, ["x", 7, 41, 0]) == [Connected("e1", False, "s"), Subscribed("x", 41, False)]
    assert heard(session, [1, 7, 42, {"p": 1}], [1, 7, 43, None, "k"], [1, 7, 44, 1, "k", "what may come later"]) == [
        Message("x", {"p": 1}, 42),
        Message("x", None, 43, "k"),
        Message("x", 1, 44, "k"),
    ]
    assert session.positions == {"x": 44}
    assert heard(session, [1, 99, 1, "of a topic that was left"], [77, "a kind of later"]) == []


def test_no_message_is_delivered_twice():
    session = made("x")
    subscribed(session, ["x", 7, 10, 0])
    got = heard(session, [1, 7, 12, "a"], [1, 7, 12, "a"], [1, 7, 11, "older"], [1, 7, 13, "b"])
    assert [message.data for message in got] == ["a", "b"]


def test_it_resumes_with_the_epoch_and_its_positions():
    session = made("x", "y")
    subscribed(session, ["x", 7, 10, 0], ["y", 8, 0, 0])
    heard(session, [1, 7, 11, "a"])
    session.closed(1006, "", 1.0)
    assert sent(session.opened(2.0)) == [
        [0, {"topics": ["x", "y"], "newest": True, "since": ["e1", {"x": 11, "y": 0}]}]
    ]
    assert heard(session, WELCOME, [3, 0, [["x", 3, 14, 1], ["y", 4, 0, 1]]]) == [
        Connected("e1", False, "s"),
        Subscribed("x", 14, True),
        Subscribed("y", 0, True),
    ]
    assert [m.offset for m in heard(session, [1, 3, 12, "b"], [1, 3, 14, "c"])] == [12, 14]
    assert heard(session, [1, 7, 99, "an id of the link before"]) == []


def test_a_gap_is_announced_and_clears_the_position():
    session = made("x")
    subscribed(session, ["x", 7, 10, 0])
    session.closed(1006, "", 1.0)
    session.opened(2.0)
    told = heard(session, WELCOME, [3, 0, [["x", 7, 90, 2]]])
    assert told == [Connected("e1", False, "s"), Gap("x", 10, "e1"), Subscribed("x", 90, False)]
    assert session.positions == {}
    assert [
        m.data for m in heard(session, [1, 7, 4, "the newest of a quiet key", "q"], [1, 7, 90, "of another", "r"])
    ] == [
        "the newest of a quiet key",
        "of another",
    ]
    assert session.positions == {"x": 90}


def test_a_new_epoch_is_announced_and_clears_positions():
    session = made("x")
    subscribed(session, ["x", 7, 10, 0])
    session.closed(1006, "", 1.0)
    assert sent(session.opened(2.0))[0][1]["since"] == ["e1", {"x": 10}]
    told = heard(session, [0, {**WELCOME[1], "epoch": "e2"}], [3, 0, [["x", 1, 3, 2]]])
    assert told == [Connected("e2", True, "s"), Gap("x", None, "e2"), Subscribed("x", 3, False)]
    assert [m.offset for m in heard(session, [1, 1, 3, "low numbers count again"])] == [3]
    assert session.epoch == "e2"


def test_a_new_epoch_may_come_on_an_open_connection():
    session = made("x")
    subscribed(session, ["x", 7, 10, 0])
    assert heard(session, [9, "e2"]) == [Connected("e2", True, ""), Gap("x", None, "e2")]
    assert session.positions == {}
    assert heard(session, [9, "e2"]) == []
    assert [m.offset for m in heard(session, [1, 7, 2, "numbers begin again"])] == [2]
    assert heard(session, [9, "e2"]) == [Gap("x", 2, "e2")], "a node that fell too far behind the others"


def test_newest_is_requested_while_no_position_is_known():
    session = made("x", newest=True)
    subscribed(session, ["x", 7, 50, 0])
    assert session.positions == {}
    session.closed(1006, "", 1.0)
    assert sent(session.opened(2.0))[0][1] == {"topics": ["x"], "newest": True, "since": ["e1", {}]}
    heard(session, WELCOME, [3, 0, [["x", 7, 50, 0]]])
    assert [m.offset for m in heard(session, [1, 7, 3, "a", "a"], [1, 7, 50, "b", "b"])] == [3, 50]


def test_after_the_first_ping_a_topic_without_messages_has_a_place_to_resume_at():
    session = made("x", newest=True)
    subscribed(session, ["x", 7, 50, 0])
    heard(session, [6])
    session.closed(1006, "", 1.0)
    assert sent(session.opened(2.0))[0][1]["since"] == ["e1", {"x": 50}]


def test_an_unpublished_topic_has_a_position_at_once():
    session = made("x", newest=True)
    subscribed(session, ["x", 7, 0, 0])
    assert session.positions == {"x": 0}


def test_topics_of_a_pattern_may_be_announced_later():
    session = made("prices.*")
    subscribed(session)
    assert heard(session, [2, 9, "prices.IBM"], [1, 9, 1, 5.0]) == [Message("prices.IBM", 5.0, 1)]


def test_a_ping_is_answered_and_keeps_the_link_alive():
    session = made()
    session.opened(100.0)
    assert session.deadline == 123.0
    heard(session, WELCOME, now=101.0)
    assert session.deadline == 124.0
    heard(session, [6], now=110.0)
    assert session.deadline == 133.0
    assert session.out == [b"\x91\x06"]


def test_subscribe_and_unsubscribe_requests_are_numbered():
    session = made("a")
    subscribed(session, ["a", 1, 5, 0])
    ref, request = session.subscribe(["b.*"], True)
    assert sent([request]) == [[3, ref, ["b.*"], {"newest": True}]]
    heard(session, [3, ref, [["b.x", 2, 9, 0]]])
    assert ref in session.done
    heard(session, [1, 2, 9, "n"])
    assert session.positions == {"a": 5, "b.x": 9}
    ref, request = session.unsubscribe(["b.*", "never"])
    assert sent([request]) == [[4, ref, ["b.*"]]]
    assert session.positions == {"a": 5}
    assert session.topics == ["a"]
    assert sent(session.opened(1.0))[0][1]["topics"] == ["a"]


def test_unanswered_requests_are_sent_again_after_reconnecting():
    session = made("a")
    subscribed(session, ["a", 1, 5, 0])
    session.subscribe(["b"], False)
    session.closed(1006, "", 1.0)
    first, second = sent(session.opened(2.0))
    assert first == [0, {"topics": ["a"], "newest": True, "since": ["e1", {"a": 5}]}]
    assert second[2:] == [["b"], {"newest": False, "partial": True}]


def test_a_refused_subscription_is_announced_and_dropped():
    session = made("a")
    subscribed(session, ["a", 1, 5, 0])
    ref, _ = session.subscribe(["secret"], False)
    assert heard(session, [5, ref, 103, "not allowed"]) == [Refusal(ref, 103, "not allowed")]
    assert session.refused[ref].code == 103
    assert session.topics == ["a"]


def test_a_token_is_renewed():
    session = made()
    session.opened(0.0, "one")
    heard(session, [0, {**WELCOME[1], "ttl": 60.0}], now=10.0)
    assert session.expires == 70.0
    (message,) = sent([session.renew_token("two")])
    assert message[0] == 8
    assert message[2] == "two"
    heard(session, [8, message[1], 30.0], now=50.0)
    assert session.expires == 80.0
    heard(session, [8, message[1], None], now=51.0)
    assert session.expires is None


@pytest.mark.parametrize("code", [1001, 1006, 1011, 1012, 1013, 3000, 3001, 3005, 3008, 3012, 3013, 3499, 4000, 4499])
def test_close_codes_that_allow_reconnecting(code):
    assert made().closed(code, "why", 0.0).delay is not None


@pytest.mark.parametrize("code", [1000, 1002, 1003, 1007, 1009, 3500, 3501, 3502, 3999, 4500, 4999])
def test_close_codes_that_forbid_reconnecting(code):
    assert made().closed(code, "why", 0.0) == Disconnected(code, "why", None)


def test_waits_are_drawn_below_a_bound_that_doubles():
    top = made(rng=lambda: 1.0)
    waits = [top.closed(1006, "", 0.0).delay for _ in range(9)]
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 20.0, 20.0, 20.0, 20.0]
    low = made(rng=lambda: 0.0)
    assert [low.closed(1006, "", 0.0).delay for _ in range(9)] == [0.5] * 9
    session = made(rng=random.Random(7).random)
    for _ in range(6):
        session.closed(1006, "", 0.0)
    drawn = [session.closed(1006, "", 0.0).delay or 0.0 for _ in range(4000)]
    assert min(drawn) >= 0.5
    assert max(drawn) <= 20.0
    assert sum(drawn) / len(drawn) == pytest.approx(10.25, abs=0.4), "uniform: half way"


def test_the_backoff_starts_over_after_a_long_connection():
    session = made(rng=lambda: 1.0)
    for _ in range(5):
        session.closed(1006, "", 0.0)
    session.opened(0.0)
    heard(session, WELCOME)
    assert session.closed(1006, "", 5.0).delay == 20.0, "it was up for too short a time"
    session.opened(10.0)
    heard(session, WELCOME, now=10.0)
    assert session.closed(1006, "", 40.0).delay == 1.0


def test_a_drain_says_when_to_reconnect():
    session = made("x")
    subscribed(session, ["x", 1, 0, 0])
    heard(session, [7, 3.25])
    assert session.closed(3001, "drained", 1.0) == Disconnected(3001, "drained", 3.25)
    session.opened(2.0)
    assert session.closed(3001, "drained", 3.0).delay != 3.25, "it is said for one time"


@pytest.mark.parametrize(
    "payload",
    [
        b"\xc1",
        b"\x92\x01",
        packed({"not": "an array"}),
        packed([]),
        packed([0, None]),
        packed([0, {}]),
        packed([3, 0, 5]),
        packed([3, 0, [["x", -1, 0, 0]]]),
        packed([2, "id", "name"]),
        packed([7, "soon"]),
        packed([1]),
        packed([5, 1]),
        b"\x91" * 100 + b"\x06",
    ],
)
def test_protocol_violations_are_errors(payload):
    session = made("x")
    subscribed(session, ["x", 7, 0, 0])
    with pytest.raises(ValueError, match=r"^message: expected"):
        list(session.received(payload, 0.0))


def test_limits_hold_for_what_a_server_sends():
    session = made("x", limits=Limits(memory=10_000))
    subscribed(session, ["x", 7, 0, 0])
    [skipped] = heard(session, [1, 7, 1, [0] * 5000])
    assert (skipped.topic, skipped.at) == ("x", 1)
    assert "memory" in skipped.text
    assert heard(session, [1, 7, 2, "fine"]) == [Message("x", "fine", 2)]
    assert session.positions == {"x": 2}, "what was passed over is not asked for again"
    with pytest.raises(ValueError, match="memory"):
        heard(session, [3, 0, [0] * 5000])


def test_positions_that_do_not_fit_into_one_message_are_sent_in_parts_after_the_welcome():
    count = 20_000
    session = made("p.*", newest=True)
    subscribed(session, *[[f"p.{n}", n + 1, 0, 0] for n in range(count)])
    session.closed(1006, "", 1.0)
    assert sent(session.opened(2.0, "secret")) == [[0, {"token": "secret"}]], (
        "nothing large before the server knows who it is"
    )
    heard(session, WELCOME)
    assert all(len(message) <= 65536 for message in session.out)
    *parts, last = sent(session.out)
    found: dict[str, int] = {}
    for kind, ref, [epoch, part] in parts:
        assert (kind, ref, epoch) == (10, last[1], "e1")
        found |= part
    assert found == {f"p.{n}": 0 for n in range(count)}
    assert last[2:] == [["p.*"], {"newest": True, "partial": True, "since": ["e1", {}]}]
    entries = [[f"p.{n}", n + 1, 3, 1] for n in range(count)]
    assert len(heard(session, [3, last[1], entries[:5], True])) == 5
    assert last[1] not in session.done
    heard(session, [3, last[1], entries[5:]])
    assert last[1] in session.done
    assert [m.offset for m in heard(session, [1, count, 1, "x"])] == [1]


def test_too_many_names_for_one_message_are_sent_in_parts():
    names = [f"instrument.{n:06}" for n in range(5000)]
    session = made(*names)
    session.opened(0.0)
    heard(session, WELCOME)
    asked = sent(session.out)
    assert [name for _, _, part, _ in asked for name in part] == names
    assert all(len(message) <= 65536 for message in session.out)


def test_messages_respect_the_servers_size_limit():
    session = made("p.*")
    subscribed(session, *[[f"p.{n}", n + 1, 9, 0] for n in range(3000)])
    session.closed(1006, "", 1.0)
    session.opened(2.0)
    for _ in range(6):
        assert session.closed(1009, "", 2.0).delay is not None
        session.opened(3.0)
        heard(session, WELCOME)
        most = max(map(len, session.out))
        session.out.clear()
    assert most <= 2048
    session.opened(4.0)
    heard(session, [0, {**WELCOME[1], "size": 5000}])
    session.closed(1006, "", 5.0)
    session.opened(6.0)
    heard(session, WELCOME)
    assert 1800 < max(map(len, session.out)) <= 5000


def test_refused_names_do_not_affect_the_rest_of_a_request():
    session = made("a", "secret", "b")
    session.opened(0.0)
    heard(session, WELCOME, [5, 0, 103, "not allowed", ["secret"]], [3, 0, [["a", 1, 5, 0], ["b", 2, 6, 0]]])
    assert session.positions == {"a": 5, "b": 6}
    session.closed(1006, "", 1.0)
    first, second = sent(session.opened(2.0))
    assert first[1]["topics"] == ["a", "b"]
    assert second[2:] == [["secret"], {"newest": False, "partial": True}]


def test_close_codes_equal_those_of_the_server():
    assert wire.comes_back(3001)
    assert not wire.comes_back(3500)


def test_a_name_that_is_wanted_again_begins_like_a_new_one():
    session = made("x", newest=True)
    subscribed(session, ["x", 7, 3, 0])
    heard(session, [1, 7, 4, "a"])
    heard(session, [4, session.unsubscribe(["x"])[0]])
    ref, request = session.subscribe(["x"], newest=False, last=5)
    assert sent([request]) == [[3, ref, ["x"], {"newest": False, "last": 5}]]
    session.closed(1006, "", 1.0)
    assert sent(session.opened(2.0))[0][1] == {"topics": ["x"], "newest": False, "last": 5}, "it was not answered yet"


def test_a_topic_does_not_resume_from_before_a_gap():
    session = made("x", newest=True)
    subscribed(session, ["x", 7, 50, 0])
    heard(session, [6])
    session.closed(1006, "", 1.0)
    session.opened(2.0)
    assert heard(session, WELCOME, [3, 0, [["x", 7, 90, 2]]])[1:] == [Gap("x", None, "e1"), Subscribed("x", 90, False)]
    session.closed(1006, "", 3.0)
    assert sent(session.opened(4.0))[0][1]["since"] == ["e1", {}]
    heard(session, WELCOME, [3, 0, [["x", 7, 90, 0]]], [6])
    session.closed(1006, "", 5.0)
    assert sent(session.opened(6.0))[0][1]["since"] == ["e1", {"x": 90}]


def test_unreadable_messages_are_not_requested_again():
    session = made("x", limits=Limits(depth=3))
    subscribed(session, ["x", 7, 0, 0])
    [skipped] = heard(session, [1, 7, 5, [[[["too deep"]]]]])
    assert (skipped.topic, skipped.at) == ("x", 5)
    session.closed(1006, "", 1.0)
    assert sent(session.opened(2.0))[0][1]["since"] == ["e1", {"x": 5}]
