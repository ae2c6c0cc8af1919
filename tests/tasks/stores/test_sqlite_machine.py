"""The SQLite store behaves as the memory store, for any calls in any order."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from fastcore.tasks.errors import TaskError
from fastcore.tasks.ports import Reply, Want
from fastcore.tasks.records import Claim, Encoded, Failure, Group, Outcome, Progress, State
from fastcore.tasks.stores import MemoryStore
from fastcore.tasks.stores.sqlite.store import SqliteStore
from tests.tasks.stores.sqlite_specs import T0, check, spec

KINDS = ("alpha", "beta", "gamma")
ENDS = (State.SUCCEEDED, State.FAILED, State.CANCELLED, State.DEAD, State.QUEUED)


def answer(ask: Any) -> Any:
    """What a call brings: its value, or the kind of its error."""
    try:
        reply: Reply[Any] = ask()
        return reply.result(60)
    except TaskError as error:
        return type(error).__name__, getattr(error, "id", None)


def seen(view: Any) -> Any:
    """What both stores must agree about."""
    if not hasattr(view, "version"):
        return view
    if view.state is State.EXPIRED:  # a tombstone: that it was there
        return view.id, view.kind, view.state, view.priority
    found = replace(view, version=0)
    if view.error is not None:
        found.error = Failure(view.error.type, "", "")
    if view.state in (State.SUCCEEDED, State.CANCELLED):
        found.payload = None
    if view.finished_at is None:
        found.started_at = None
    return found


class Twins(RuleBasedStateMachine):
    """Every step is taken in both."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.now = T0
        self.ids: list[str] = []
        self.claims: list[Claim] = []
        self.groups: list[str] = []
        self.places = itertools.count()
        self.memory: MemoryStore
        self.sqlite: SqliteStore

    @initialize(most=st.sampled_from([None, None, 12]))
    def begin(self, most: int | None) -> None:
        options: dict[str, Any] = {
            "max_queued": most,
            "dead_ttl": 50.0,
            "tombstone_ttl": 30.0,
            "clock": lambda: self.now,
        }
        self.memory = MemoryStore(**options)
        self.sqlite = SqliteStore(self.folder / "tasks.db", durability="normal", **options)

    def both(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Do the same in both, and return what both answered."""
        expected = answer(lambda: getattr(self.memory, method)(*args, **kwargs))
        got = answer(lambda: getattr(self.sqlite, method)(*args, **kwargs))
        if method in ("get",):
            assert seen(got) == seen(expected), method
        elif method in ("find", "members"):
            assert [seen(one) for one in got] == [seen(one) for one in expected], method
        elif method == "claim":
            assert [(one.spec.id, one.attempt, one.token, one.lease_until) for one in got.claims] == [
                (one.spec.id, one.attempt, one.token, one.lease_until) for one in expected.claims
            ]
            assert got.due == expected.due
            assert sorted(got.cancels) == sorted(expected.cancels)
        elif method == "rescue":
            assert sorted(one[:4] for one in got) == sorted(one[:4] for one in expected)
        elif method in ("retry_dead", "purge"):
            assert sorted(got) == sorted(expected), method
        else:
            assert got == expected, method
        return got

    @rule(
        kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=4),
        priority=st.sampled_from([0.0, 5.0, 5.0, 9.0]),
        delay=st.sampled_from([0.0, 0.0, 3.0, 20.0]),
        attempts=st.integers(1, 3),
        unique=st.sampled_from([None, None, "u1", "u2"]),
        idempotent=st.sampled_from([None, None, None, "i1"]),
        fingerprint=st.sampled_from(["f1", "f2"]),
        ttl=st.sampled_from([5.0, 60.0]),
        serial=st.sampled_from([None, None, "k1", "k2"]),
    )
    def submit(
        self,
        kinds: Sequence[str],
        priority: float,
        delay: float,
        attempts: int,
        unique: str | None,
        idempotent: str | None,
        fingerprint: str,
        ttl: float,
        serial: str | None,
    ) -> None:
        specs = [
            spec(
                kind,
                at=self.now,
                delay=delay,
                priority=priority,
                # Ranks are unique: after a requeue, equal ranks are ordered by age in the one store and by time of
                # return in the other.
                rank=priority + 0.01 * (self.now + delay) + 1e-6 * next(self.places),
                attempts=attempts,
                unique_key=unique,
                idempotency_key=idempotent,
                fingerprint=fingerprint if idempotent else None,
                result_ttl=ttl,
                serial_key=serial,
            )
            for kind in kinds
        ]
        got = self.both("submit", specs)
        if isinstance(got, list):
            self.ids += [one for one in got if one not in self.ids]

    @rule(
        size=st.integers(0, 3),
        callback=st.booleans(),
        unique=st.sampled_from([None, "u1"]),
        serial=st.sampled_from([None, "k1"]),
    )
    def group(self, size: int, callback: bool, unique: str | None, serial: str | None) -> None:
        name = f"g{len(self.groups)}"
        then = spec("beta", at=self.now, collects=name, serial_key=serial) if callback else None
        members = [
            spec("alpha", at=self.now, group=name, index=i, unique_key=unique, serial_key=serial) for i in range(size)
        ]
        got = self.both("submit", members, Group(name, size, then))
        if isinstance(got, list):
            self.groups.append(name)
            self.ids += [one for one in got if one not in self.ids]
            self.ids += [then.id] if then is not None else []

    @rule(
        rooms=st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 3)), min_size=1, max_size=3),
        limit=st.integers(0, 5),
    )
    def claim(self, rooms: list[tuple[str, int]], limit: int) -> None:
        batch = self.both("claim", "me", [Want(limit, dict(rooms))], 15.0, self.now)
        self.claims += batch.claims

    @rule(data=st.data(), count=st.integers(1, 4), state=st.sampled_from(ENDS), counted=st.booleans())
    def settle(self, data: st.DataObject, count: int, state: State, counted: bool) -> None:
        outcomes = []
        for _ in range(count):
            if not self.claims:
                break
            one = data.draw(st.sampled_from(self.claims))
            success = state is State.SUCCEEDED
            outcomes.append(
                Outcome(
                    one.spec.id,
                    one.token,
                    state,
                    Encoded(b"r") if success else None,
                    None if success or state is State.CANCELLED else Failure("ValueError", "no", ""),
                    one.lease_until - 15.0,
                    self.now,
                    run_at=self.now + data.draw(st.sampled_from([0.0, 4.0])),
                    rank=one.spec.rank + 1,
                    counted=counted or state is not State.QUEUED,
                )
            )
        self.both("settle", outcomes)

    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        if self.claims:
            chosen = data.draw(st.lists(st.sampled_from(self.claims), max_size=3, unique_by=id))
            self.both("renew", chosen, 15.0, self.now)

    @rule(data=st.data(), fraction=st.floats(0, 1))
    def report(self, data: st.DataObject, fraction: float) -> None:
        if self.claims:
            one = data.draw(st.sampled_from(self.claims))
            self.both("report", [Progress(one.spec.id, one.token, fraction, "so far")])
            self.both("get", one.spec.id)

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        self.both("request_cancel", data.draw(st.sampled_from([*self.ids[-8:], "unknown"])))

    @rule(kind=st.sampled_from(KINDS), paused=st.booleans())
    def pause(self, kind: str, paused: bool) -> None:
        self.both("pause", kind, paused)
        self.both("paused")

    @rule(kind=st.sampled_from(KINDS))
    def purge(self, kind: str) -> None:
        self.both("purge", kind)

    @rule(seconds=st.sampled_from([0.5, 2.0, 10.0, 40.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def rescue(self) -> None:
        self.both("rescue", self.now)

    @rule()
    def prune(self) -> None:
        self.both("prune", self.now)

    @rule(data=st.data(), by_id=st.booleans(), kind=st.sampled_from([None, "alpha"]))
    def retry_dead(self, data: st.DataObject, by_id: bool, kind: str | None) -> None:
        ids = data.draw(st.lists(st.sampled_from(self.ids), max_size=3)) if by_id and self.ids else None
        self.both("retry_dead", ids, kind, self.now)

    @rule(name=st.sampled_from(["s1", "s2"]), definition=st.sampled_from(["every 5", "every 6"]))
    def schedule(self, name: str, definition: str) -> None:
        self.both("schedule", name, definition, self.now + 5)

    @rule(name=st.sampled_from(["s1", "s2"]), unique=st.sampled_from([None, "u1"]))
    def fire(self, name: str, unique: str | None) -> None:
        found = {one.name: one.next_at for one in self.memory.schedules().result()}
        new = spec("gamma", at=self.now, unique_key=unique)
        if self.both("fire", name, found.get(name, 0.0), self.now + 5, new).won:
            self.ids.append(new.id)

    @rule(name=st.sampled_from(["s1", "s2"]))
    def unschedule(self, name: str) -> None:
        self.both("unschedule", name)

    @rule(
        data=st.data(),
        states=st.sampled_from([None, [State.QUEUED], [State.DEAD, State.FAILED], [State.RUNNING, State.SUCCEEDED]]),
        kind=st.sampled_from([None, "alpha"]),
    )
    def find(self, data: st.DataObject, states: list[State] | None, kind: str | None) -> None:
        before = data.draw(st.sampled_from([None, *self.ids[-3:]]))
        self.both("find", states=states, kind=kind, limit=5, before=before)

    @rule()
    def look(self) -> None:
        self.both("counts")
        self.both("schedules")
        for id in self.ids:
            self.both("get", id)
        for name in self.groups:
            self.both("members", name)

    def teardown(self) -> None:
        if hasattr(self, "sqlite"):
            self.look()
            self.sqlite.close()
            check(self.folder / "tasks.db")
        shutil.rmtree(self.folder)


TestTwins = Twins.TestCase
TestTwins.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
