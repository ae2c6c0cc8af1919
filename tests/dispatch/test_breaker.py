"""The breaker in isolation, on a clock of the test."""

from __future__ import annotations

from fastcore.dispatch.breaker import LOST, Breaker


def opened(failures: int = 3, backoff: float = 1.0, cap: float = 300.0) -> Breaker:
    made = Breaker(failures, backoff, cap)
    for _ in range(failures):
        assert made.state == "closed"
        made.failed(0.0)
    assert made.state == "open"
    return made


def test_only_failures_in_a_row_open_it() -> None:
    breaker = Breaker(3, 1.0, 10.0)
    assert not any(breaker.failed(0.0, succeeded=1) for _ in range(20))
    assert [breaker.failed(0.0) for _ in range(3)] == [False, True, False]


def test_half_open_lets_one_probe_through() -> None:
    breaker = opened()
    assert not breaker.tick(0.9)
    assert not breaker.take_probe()
    assert breaker.tick(1.0)
    assert not breaker.tick(1.0)
    assert [breaker.take_probe() for _ in range(3)] == [True, False, False]


def test_the_wait_doubles_up_to_the_cap() -> None:
    breaker, now, waits = opened(cap=5.0), 0.0, []
    for _ in range(5):
        wait = next(w / 10 for w in range(1, 1000) if breaker.tick(now + w / 10))
        waits.append(wait)
        now += wait
        assert breaker.take_probe()
        breaker.probed(False, now)
    assert waits == [1.0, 2.0, 4.0, 5.0, 5.0]
    breaker.close()
    breaker.open(now)
    assert breaker.tick(now + 1.0)  # it begins with the short one again


def test_probes_that_pass_are_counted_in_a_row() -> None:
    breaker, now = opened(), 0.0
    for passed, expected in ((True, 1), (True, 2), (False, 0), (True, 1)):
        now += 1000.0
        assert breaker.tick(now)
        assert breaker.take_probe()
        breaker.probed(passed, now)
        assert breaker.passed == expected
    assert breaker.tried == 4


def test_a_lost_probe_is_repeated() -> None:
    breaker = opened()
    assert breaker.tick(1.0)
    assert breaker.take_probe()
    assert not breaker.tick(LOST)
    assert breaker.tick(LOST + 2.0)
    assert breaker.take_probe()
