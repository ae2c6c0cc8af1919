"""The guard's statistics: the classes against their formulas, and their error rates by seeded simulation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from fastcore import Guard
from fastcore.dispatch.experiment import WARM_UP, Pair, Trial
from fastcore.dispatch.sequential_test import Detector, Evidence, bets_for
from tests.dispatch.simulation import Bits, Floats, alarms, boundary, chance, detections, first, slow, steps, times

pytestmark = pytest.mark.backend_independent  # numbers alone
ALPHA = Guard().alpha
RUN_LENGTH = Guard().run_length


def evidence(hits: Bits) -> Floats:
    """The e-process after every pair, by its formula: runs x pairs."""
    capital: Floats = np.exp(np.minimum(np.cumsum(steps(hits), axis=2), 600)).mean(axis=0)
    return capital


@pytest.mark.parametrize("seed", range(5))
def test_the_classes_follow_the_formulas(seed: int) -> None:
    hits = np.random.default_rng(seed).random(400) < 0.45
    ours, expected = Evidence(), evidence(hits[None])[0]
    np.testing.assert_allclose([ours.add(bool(hit)) for hit in hits], expected, rtol=1e-9)
    assert (ours.count, ours.hits) == (400, int(hits.sum()))
    detector = Detector()
    found = []
    for hit in hits:
        found.append(detector.add(bool(hit)) >= 5)
        if found[-1]:
            detector.clear()
    assert found == detections(hits[:, None], 5.0)[:, 0].tolist()


def test_many_misses_can_be_added_at_once() -> None:
    for make in (Evidence, Detector):
        one, many = make(0.01), make(0.01)
        for test in (one, many):
            test.add(True)
        for _ in range(300):
            one.add(False)
        many.miss(300)
        many.miss(0)
        assert math.isclose(one.value, many.value, rel_tol=1e-9)
        assert one.count == many.count == 301


@pytest.mark.parametrize("p0", [0.001, 0.01, 0.2, 0.5])
def test_a_bet_on_the_limit_itself_is_fair(p0: float) -> None:
    for bet in bets_for(p0):
        assert math.isclose(p0 * (1 + bet * (1 - p0) / p0) + (1 - p0) * (1 - bet), 1)


@pytest.mark.parametrize("p0", [0, 1, -0.1])
def test_rates_are_rates(p0: float) -> None:
    with pytest.raises(ValueError, match="p0: expected a rate"):
        Evidence(p0)


@pytest.fixture(scope="module")
def least() -> Any:
    """The hits at which the evidence of a canary is enough, after every number of pairs."""
    return boundary(2000, Guard(workers=1).enough)


@pytest.mark.parametrize("seed", range(3))
def test_the_boundary_is_reached_at_enough(seed: int, least: Any) -> None:
    hits = np.random.default_rng(seed).random(1000) < 0.5 + 0.1 * seed
    test = Evidence()
    said = [test.add(bool(hit)) >= 1 / ALPHA for hit in hits]
    assert said == (np.cumsum(hits) >= least[:1000]).tolist()


def test_the_exact_chance_of_a_false_rollback(least: Any) -> None:
    """At exactly 20 % slower half of the pairs are over the limit, whatever the latencies."""
    at_the_limit = chance(least, 0.5)
    assert ALPHA / 2 < at_the_limit <= ALPHA  # the level is used, and kept
    assert chance(least, 0.3) < ALPHA / 100


@pytest.mark.parametrize(("ratio", "sd"), [(1.0, 0.15), (1.0, 0.4), (1.2, 0.15), (1.2, 0.4)])
def test_a_canary_is_falsely_rolled_back_at_most_in_alpha_of_runs(ratio: float, sd: float, least: Any) -> None:
    runs, found = 4000, 0
    rng = np.random.default_rng(7)
    for _ in range(8):
        found += np.count_nonzero(first(slow(rng, (runs // 8, 1000), ratio, sd), least[:1000]))
    assert found / runs <= ALPHA
    if ratio == 1.0:
        assert found / runs <= ALPHA / 10


def tried(kind: Any, rng: np.random.Generator, ratios: tuple[float, ...], sd: float, pairs: int) -> int:
    """A whole trial, fed `pairs` latencies of each ratio in turn: at which of the last it rolls back, 0 if it does not.

    Negative where it does so before the last ratio.
    """
    trial = Trial(Guard(min_samples=10**9, workers=1), kind, 0.0)
    for last, ratio in enumerate(ratios, 1):
        control, candidate = times(rng, (1, pairs), 1.0, sd)[0], times(rng, (1, pairs), ratio, sd)[0]
        for i, (x, y) in enumerate(zip(control.tolist(), candidate.tolist()), 1):
            if trial.pair(Pair("same", x, y, ""), 0.0) is not None:
                return i if last == len(ratios) else -i
    return 0


@pytest.mark.parametrize(("ratio", "runs"), [(1.0, 60), (1.2, 120)])
def test_a_trial_keeps_the_level(ratio: float, runs: int) -> None:
    rng = np.random.default_rng(21)
    found = sum(tried("canary", rng, (ratio,), 0.4, 400) != 0 for _ in range(runs))
    assert found / runs <= (ALPHA if ratio > 1 else 0)


def test_a_trial_finds_a_candidate_half_as_slow_again() -> None:
    rng = np.random.default_rng(22)
    found = [tried("canary", rng, (1.5,), 0.4, 1500) for _ in range(301)]
    assert min(found) > 0
    assert np.median(found) <= 130 + WARM_UP


def test_a_promoted_trial_finds_a_change_soon() -> None:
    """500 healthy pairs first, which raise no alarm."""
    rng = np.random.default_rng(23)
    found = [tried("live", rng, (1.0, 1.5), 0.4, 500) for _ in range(61)]
    assert min(found) >= 0
    assert np.median([at or 10_000 for at in found]) <= 220


def test_a_repeated_z_test_exceeds_its_level() -> None:
    """The same peeking with a z-test at the same level: the data are hard enough to tell."""
    hits = slow(np.random.default_rng(7), (1000, 1000), 1.2, 0.4)
    n = np.arange(1, 1001)
    z = (np.cumsum(hits, axis=1) - n / 2) / np.sqrt(n / 4)
    assert (z[:, 20:] > 2.326).any(axis=1).mean() > 3 * ALPHA


def test_a_candidate_half_as_slow_again_is_found(least: Any) -> None:
    for sd, most in ((0.4, 130), (0.15, 30)):
        found = first(slow(np.random.default_rng(8), (1500, 1500), 1.5, sd), least[:1500])
        assert (found > 0).all()
        assert np.median(found) <= most


@pytest.mark.parametrize(("ratio", "least_pairs"), [(1.0, 100_000), (1.1, 50_000), (1.2, RUN_LENGTH)])
def test_false_alarms_after_promotion_are_far_between(ratio: float, least_pairs: int) -> None:
    chains, pairs = 400, 4000
    rate = slow(np.random.default_rng(9), (200, 2000), ratio, 0.4).mean()
    hits = np.random.default_rng(10).random((pairs, chains)) < rate
    found = np.count_nonzero(detections(hits, RUN_LENGTH))
    assert chains * pairs / max(1, found) >= least_pairs
    ours = hits[:, :40].T.ravel()  # the class itself, on a part of them
    assert len(ours) / max(1, alarms(ours, RUN_LENGTH)) >= least_pairs


def test_a_change_after_promotion_is_found_soon() -> None:
    """1,000 healthy pairs first, which weigh on an e-process and not on a detector."""
    rng = np.random.default_rng(11)
    before, after = slow(rng, (500, 1000), 1.0, 0.4), slow(rng, (500, 1500), 1.5, 0.4)
    found = detections(np.concatenate([before, after], axis=1).T, RUN_LENGTH)[1000:]
    assert found.any(axis=0).all()
    assert np.median(found.argmax(axis=0) + 1) <= 220
    plain = evidence(np.concatenate([before, after], axis=1))[:, 1000:] >= 1 / ALPHA
    assert np.median(np.where(plain.any(axis=1), plain.argmax(axis=1) + 1, 10_000)) > 1000


def test_errors_and_mismatches_at_an_allowed_rate() -> None:
    """The trial itself, fed with failures at the rate that is allowed and at four times that."""
    for rate, expected in ((0.01, 0.0), (0.04, 1.0)):
        rng = np.random.default_rng(12)
        rolled_back = 0
        for _ in range(40):
            trial = Trial(Guard(error_rate=0.01, mismatch_rate=0.01, min_samples=10**9), "canary", 0.0)
            for hit in rng.random(2000) < rate:
                decision = trial.pair(Pair("differs" if hit else "same", math.nan, math.nan, ""), 0.0)
                if decision is not None:
                    rolled_back += 1
                    break
        assert rolled_back / 40 == pytest.approx(expected, abs=0.03)


def drive(guard: Guard, ratios: Any, kind: Any = "canary", seconds: float = 1.0) -> tuple[list[str], Trial]:
    trial = Trial(guard, kind, 0.0)
    seen = []
    for i, ratio in enumerate(ratios):
        decision = trial.pair(Pair("same", 1.0, ratio, ""), i * seconds)
        if decision is not None:
            seen.append(f"{decision.what} {decision.percent:g}")
            if trial.ended:
                break
    return seen, trial


def test_the_steps_of_a_trial() -> None:
    guard = Guard(min_samples=50, min_seconds=0)
    seen, trial = drive(guard, [0.9] * 1000)
    assert seen == ["advance 1", "advance 5", "advance 25", "advance 50", "advance 100", "promote 100"]
    assert trial.pairs == 300
    assert trial.ratio == pytest.approx(0.9, rel=0.011)


def test_a_step_takes_at_least_min_seconds() -> None:
    seen, trial = drive(Guard(min_samples=50, min_seconds=100), [0.9] * 1000)
    assert seen[-1] == "promote 100"
    assert trial.pairs == pytest.approx(600, abs=7)


def test_what_a_step_waits_for_is_met_when_it_is_left() -> None:
    guard = Guard(min_samples=50, min_seconds=10.0, steps=(50, 100))
    trial = Trial(guard, "canary", 0.0)
    met = []
    for n in range(1, 200):
        waits = trial.waits(n / 10)
        met.append([wait.have >= wait.need for wait in waits])
        decision = trial.pair(Pair("same", 1.0, 0.5, ""), n / 10)
        if decision is not None:
            break
    assert decision is not None
    assert decision.what == "advance"
    assert [wait.what for wait in waits] == [
        "compared calls",
        "seconds",
        "evidence that it is not over 20% slower",
    ]
    assert met[0] == [False, False, False]
    assert met[-1] == [True, True, True]
    assert met[60] == [True, False, True]
    assert [wait.have for wait in trial.waits(n / 10)] == [0, 0.0, 0.0]  # of the next step


@pytest.mark.parametrize("kind", ["live", "shadow"])
def test_only_a_canary_waits(kind: Any) -> None:
    assert Trial(Guard(), kind, 0.0).waits(5.0) == []


def test_alike_is_not_shown_to_be_fast_enough_by_few_pairs() -> None:
    noise = np.random.default_rng(3).permutation([1.0, 1.5] * 50)  # half of the pairs over the limit
    seen, _ = drive(Guard(min_samples=10, min_seconds=0), noise)
    assert not seen
    seen, _ = drive(Guard(min_samples=10, min_seconds=0), np.tile([1.0, 1.5], 300))
    assert seen == ["pause 0"]


def test_a_slowdown_of_the_limit_or_less_is_allowed() -> None:
    assert drive(Guard(min_samples=10, min_seconds=0), [1.19] * 500)[0][-1] == "promote 100"
    assert drive(Guard(min_samples=10, min_seconds=0), [1.3] * 500)[0] == ["rollback 0"]
    assert drive(Guard(slowdown=0.5, min_samples=10, min_seconds=0), [1.3] * 500)[0][-1] == "promote 100"
    assert drive(Guard(), [1.3] * 500, "live")[0] == ["rollback 0"]
    assert drive(Guard(), [1.3] * 500, "shadow")[0] == []


def test_the_reported_slowdown_is_the_recent_one() -> None:
    guard = Guard()
    trial = Trial(guard, "live", 0.0)
    for i in range(2000):
        decision = trial.pair(Pair("same", 1.0, 0.5 if i < 1000 else 4.0, ""), float(i))
        if decision is not None:
            break
    assert decision is not None
    assert decision.why.startswith("over 20% slower (+300% by ")
    assert trial.ratio == pytest.approx(0.5, rel=0.011)


def test_the_first_pairs_warm_up() -> None:
    _, trial = drive(Guard(), [100.0] * WARM_UP + [1.0] * 10)
    assert trial.slower.hits == 0


def test_workers_share_alpha(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Guard(workers=4).enough == 400
    monkeypatch.setenv("WEB_CONCURRENCY", "3")
    assert Guard().enough == 300


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("slowdown", -1), ("slowdown", math.nan), ("mismatch_rate", 1), ("error_rate", "a"), ("alpha", 0),
        ("alpha", 0.9), ("min_samples", 0), ("min_samples", 1.5), ("min_samples", True), ("min_seconds", -1),
        ("steps", ()), ("steps", (5, 1, 100)), ("steps", (1, 50)), ("steps", (0, 100)), ("sample", 101),
        ("verify", "some"), ("verify", -1), ("live", -1), ("run_length", 1), ("failures", 0), ("workers", 0),
        ("recover", -1), ("budget", math.inf),
    ],
)  # fmt: skip
def test_a_guard_s_numbers(name: str, value: Any) -> None:
    with pytest.raises((ValueError, TypeError), match=f"^{name}: expected"):
        Guard(**{name: value})
