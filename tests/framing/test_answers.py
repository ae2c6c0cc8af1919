"""Answers to followers of a pattern: built once for equal requests, and equal to separate answers."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from fastcore.framing import Fanout
from python_fallback.shared.framing.topics import matches
from python_fallback.shared.framing.words import WordTree

WORDS = ["a", "b", "c"]


def crowded(topics: int = 100, **options: Any) -> Any:
    fan = Fanout(history=10, **options)
    for n in range(topics):
        fan.publish(f"p.{n}", n, key="k")
        fan.publish(f"p.{n}", -n, key="k")
    return fan


@pytest.mark.parametrize("start", [{}, {"newest": True}, {"last": 2}, {"resumes": True}])
def test_a_shared_answer_equals_a_separate_one(backend: str, start: dict[str, Any]) -> None:
    fan, positions = crowded(), {f"p.{n}": n % 3 for n in range(100)}
    random.seed(7)
    told: dict[int, Any] = {}
    for n in range(6):
        options: dict[str, Any] = dict(start)
        alone = dict(start)
        if options.pop("resumes", False):
            options["since"] = fan.epoch, positions
            alone = {"since": (fan.epoch, dict(positions))}
        fan.connect(n)
        told[n] = fan.follow(n, "p.*", **options)
        fan.connect("alone")
        expected = fan.subscribe("alone", "p.*", **alone)
        sent = fan.tick()
        assert len(told[n]) == len(expected) == 100
        assert [one.recovered for one in told[n]] == [one.recovered for one in expected]
        if "since" not in options:  # else an older answer and what came since are as good
            assert list(told[n]) == expected
        assert b"".join(sorted(_frames(sent.get(n, ())))) == b"".join(sorted(_frames(sent.get("alone", ()))))
        fan.disconnect("alone")
        for _ in range(n):
            fan.publish(f"p.{random.randrange(100)}", "later", key="k")
        fan.tick()
    if "since" in options:
        assert told[0] is told[5]


def _frames(lines: tuple[bytes, ...]) -> list[bytes]:
    data, found = b"".join(bytes(line) for line in lines), []
    while data:
        size = 2 + data[1]
        assert data[1] < 126
        found.append(data[:size])
        data = data[size:]
    return found


@pytest.mark.parametrize(
    "change",
    [
        lambda fan: fan.publish("p.new", 1),
        lambda fan: fan.renew("another", 10**6),
        lambda fan: fan.configure("p.1", history=1),
        lambda fan: (fan.forget_answers(), fan.forget_answers()),
    ],
)
def test_a_shared_answer_is_not_reused_after_a_change(backend: str, change: Callable[[Any], object]) -> None:
    fan, positions = crowded(), {f"p.{n}": 2 for n in range(100)}
    for client in ("a", "b", "c"):
        fan.connect(client)
    since = fan.epoch, positions
    first = fan.follow("a", "p.*", since=since)
    assert fan.follow("b", "p.*", since=since) is first
    change(fan)
    again = fan.follow("c", "p.*", since=since)
    assert again is not first
    fan.connect("alone")
    assert list(again) == fan.subscribe("alone", "p.*", since=(since[0], dict(positions)))


def test_positions_are_checked_once_for_a_shared_answer(backend: str) -> None:
    class Positions(dict[str, int]):
        read = 0

        def items(self) -> Any:
            self.read += 1
            return super().items()

    fan, positions = crowded(), Positions({"p.1": 1})
    for client in range(3):
        fan.connect(client)
        fan.follow(client, "p.*", since=(fan.epoch, positions))
    assert positions.read == 1
    with pytest.raises(ValueError, match=r"since: offset of p\.1: expected an int"):
        fan.follow(0, "p.*", since=(fan.epoch, {"p.1": -1}))


def test_clients_with_different_rights_or_positions_get_different_answers(backend: str) -> None:
    fan = crowded()
    for client in range(4):
        fan.connect(client)
    positions = {f"p.{n}": 2 for n in range(100)}
    told = [
        fan.follow(0, "p.*", since=(fan.epoch, positions)),
        fan.follow(1, "p.*", since=(fan.epoch, {})),
        fan.follow(2, "p.*", since=("another", positions)),
        fan.follow(3, "p.*", since=(fan.epoch, positions), allow=lambda topic: topic != "p.7"),
    ]
    assert [len(one) for one in told] == [100, 100, 100, 99]
    assert [{entry.recovered for entry in one} for one in told] == [{True}, {True}, {False}, {True}]
    sent = fan.tick()
    assert {client: len(_frames(sent.get(client, ()))) for client in range(4)} == {0: 0, 1: 200, 2: 100, 3: 0}


def test_answers_are_bounded(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("python_fallback.shared.framing.subscriptions.KEPT", 250)
    monkeypatch.setattr("python_fallback.shared.framing.topics.NOTED", 5)
    fan = crowded()
    for client in range(10):
        fan.connect(client)
        fan.follow(client, "p.*", since=(fan.epoch, {"p.1": client}))
        assert fan._kept <= 250
    [audience] = fan._answered
    for n in range(20):
        fan.publish("p.1", n)
        assert len(audience.noted) <= 5
    assert not audience.answers
    fan.forget_answers()
    assert not fan._answered
    assert fan._kept == 0


def test_a_new_subscription_begins_with_the_last_messages(backend: str) -> None:
    fan = Fanout(history=5, last=2, envelope=lambda topic, number, offset, obj: obj)
    fan.configure("quiet", last=0, history=5)
    for n in range(1, 9):
        fan.publish("t", n, key="k")
        fan.publish("quiet", n)
    told, sent = {}, {}
    for client, topics, options in (
        ("by the rule", ["t", "quiet"], {}),
        ("more than there are", "t", {"last": 50}),
        ("of a pattern", "*", {"last": 1}),
        ("the newest", "t", {"newest": True}),
        ("nothing", "t", {"last": 0}),
        ("resumed", "t", {"since": (fan.epoch, {"t": 7}), "last": 3}),
    ):
        fan.connect(client)
        told[client] = {one.topic: one.offset for one in fan.subscribe(client, topics, **options)}
        sent[client] = [frame[-1] for frame in _frames(fan.tick().get(client, ()))]
    assert sent == {
        "by the rule": [7, 8],
        "more than there are": [4, 5, 6, 7, 8],
        "of a pattern": [8, 8],
        "the newest": [8],
        "nothing": [],
        "resumed": [8],
    }
    assert told["by the rule"] == {"t": 6, "quiet": 8}
    assert told["more than there are"] == {"t": 3}


@pytest.mark.parametrize("wrong", [-1, 1.5, "3", True])
def test_a_wrong_count_of_last_messages_is_named(backend: str, wrong: Any) -> None:
    fan = Fanout()
    fan.connect("a")
    for call in (lambda: Fanout(last=wrong), lambda: fan.subscribe("a", "t", last=wrong)):
        with pytest.raises((ValueError, TypeError), match="last: expected an int"):
            call()


def test_reached_counts_clients_whose_patterns_match(backend: str) -> None:
    fan = Fanout()
    for client, pattern in (("a", "t.*"), ("b", ">"), ("c", "u.*"), ("d", "t.x")):
        fan.connect(client)
        fan.subscribe(client, pattern, allow=lambda topic: topic != "t.secret")
    for published in (False, True):
        assert set(fan.reached("t.y")) == {"a", "b"}
        assert fan.reached("t.secret") == []
        assert fan.subscribers("t.y") == 2
        if not published:
            fan.publish("t.y", 1)
    assert set(fan.reached("t.x")) == {"a", "b", "d"}


def test_topics_are_indexed_by_word_as_patterns_match() -> None:
    rng = random.Random(11)
    names = sorted({".".join(rng.choices(WORDS, k=rng.randint(1, 4))) for _ in range(60)})
    patterns = sorted({".".join(rng.choices([*WORDS, "*"], k=rng.randint(1, 4))) for _ in range(60)})
    patterns += [">", *(f"{one}.>" for one in patterns)]
    topics: WordTree[str] = WordTree()
    rules: WordTree[str] = WordTree()
    for name in names:
        topics.put(name, name)
    for pattern in patterns:
        rules.put(pattern, pattern)
    for _ in range(2):
        for pattern in patterns:
            assert sorted(topics.meant(pattern)) == [name for name in names if matches(pattern, name)]
        for name in names:
            assert sorted(rules.meaning(name)) == sorted(one for one in set(patterns) if matches(one, name))
        for gone in names[::2]:
            topics.remove(gone)
            assert topics.get(gone) is None
        names = names[1::2]
    for name in names:
        topics.remove(name)
    assert not topics
