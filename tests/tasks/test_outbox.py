"""Outbox: what becomes of the ends that executors report, until the store has them."""

from __future__ import annotations

from typing import Any

import pytest

from fastcore.concurrency import Retry
from fastcore.tasks import State, TaskQueue
from fastcore.tasks.engine.job import Job
from fastcore.tasks.outbox import Outbox
from fastcore.tasks.ports import Want

NOW = 1000.0


class Told(Outbox):
    """One that counts how often it asked for a turn."""

    woken = 0

    def wake(self) -> None:
        self.woken += 1


@pytest.fixture
def outbox() -> Told:
    return Told(False, 1 / 60, lambda: NOW)


def jobs(outbox: Any, n: int) -> list[Job]:
    queue = TaskQueue(clock=lambda: NOW - 60)
    task = queue.task(lambda: None, name="work", retries=Retry(3, base=30.0, cap=30.0, rng=lambda: 1.0), priority=5)
    queue.submit_many([(task, ())] * n)
    claims = queue.store.claim("me", [Want(n, {"work": n})], 15.0, NOW).result().claims
    return [Job(claim, task, claim.spec.payload, outbox, NOW) for claim in claims]


def test_unrecorded_outcomes_are_recorded_first_and_in_order(outbox: Told) -> None:
    made = jobs(outbox, 4)
    for job in made[:3]:
        outbox.done(job, None)
    ended = outbox._take_ended()
    assert outbox._take_ended() == []
    outbox.done(made[3], None)
    outbox._put_back(ended)
    assert outbox._take_ended() == made


def test_a_retry_ages_from_the_time_when_it_is_due(outbox: Told) -> None:
    [job] = jobs(outbox, 1)
    outbox.failed(job, ValueError("bad"))
    outcome = job.outcome
    assert (outcome.state, outcome.counted, outcome.run_at) == (State.QUEUED, True, NOW + 30.0)
    assert outcome.rank == pytest.approx(5 + (NOW + 30.0) / 60)


def test_returned_tasks_keep_their_place(outbox: Told) -> None:
    [job] = jobs(outbox, 1)
    outbox.returned(job)
    outcome = job.outcome
    assert (outcome.state, outcome.counted, outcome.run_at) == (State.QUEUED, False, NOW)
    assert outcome.rank == job.claim.spec.rank == pytest.approx(5 + (NOW - 60) / 60)


def test_a_job_ends_once_and_each_report_asks_for_a_turn(outbox: Told) -> None:
    [job] = jobs(outbox, 1)
    outbox.done(job, 1)
    outbox.failed(job, ValueError("late"))
    outbox.cancelled(job)
    assert outbox._take_ended() == [job]
    assert (job.outcome.state, job.outcome.result) == (State.SUCCEEDED, 1)
    assert outbox.woken == 3
