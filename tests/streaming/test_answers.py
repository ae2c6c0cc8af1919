"""Answers about many topics, which are packed once for all clients with equal answers."""

from __future__ import annotations

import msgpack
import pytest

from fastcore.framing import Subscription
from fastcore.streaming import answers
from fastcore.streaming.jsonwire import payloads


@pytest.mark.parametrize("count", [1, 15, 16, 17, 32, 33, 100])
@pytest.mark.parametrize("resumed", [False, True])
@pytest.mark.parametrize("more", [False, True])
def test_every_topic_is_announced_once_in_order(
    monkeypatch: pytest.MonkeyPatch, count: int, resumed: bool, more: bool
) -> None:
    monkeypatch.setattr(answers, "ENTRIES", 40)
    monkeypatch.setattr(answers, "FEW", 16)
    told = tuple(Subscription(f"t{n}", n + 1, "e", 3 * n, n % 2 == 1) for n in range(count))
    made = answers.Answers()
    messages = [msgpack.unpackb(next(iter(payloads(frame)))) for frame in made.frames(told, resumed, 7, more)]
    assert [entry for message in messages for entry in message[2]] == [
        [f"t{n}", n + 1, 3 * n, 1 if n % 2 else 2 if resumed else 0] for n in range(count)
    ]
    assert [message[:2] for message in messages] == [[3, 7]] * -(-count // 40)
    assert [len(message) == 4 for message in messages] == [True] * (len(messages) - 1) + [more]
    assert made.frames(told, resumed, 7, more) is made.frames(told, resumed, 7, more)
    assert made.frames(told, resumed, 8, more) != made.frames(told, not resumed, 8, not more)
