"""In every order of submits, claims and ends, no task runs twice, before its turn, or beyond the limits."""

from __future__ import annotations

import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fastcore.tasks.ports import Want
from fastcore.tasks.records import Claim, TaskSpec
from fastcore.tasks.stores.sqlite.store import SqliteStore
from tests.tasks.stores.direct_claim_cases import ANY, LEASE, LONG
from tests.tasks.stores.sqlite_specs import T0, check, ended, in_writer, inside, spec

POOLS = {"small": ("a", "b"), "large": ("d", "e")}
SIZES = {"small": 2, "large": 4}
POOL_OF = {kind: pool for pool, kinds in POOLS.items() for kind in kinds}


class Desk:
    """A loop that runs only when it is stepped."""

    def __init__(self) -> None:
        self._calls: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()

    def call_soon(self, fn: Callable[..., object], *args: Any) -> None:
        self._calls.append((fn, args))

    call_soon_threadsafe = call_soon

    def turn(self) -> None:
        while self._calls:
            fn, args = self._calls.popleft()
            fn(*args)


tasks = st.fixed_dictionaries(
    {"kind": st.sampled_from(list(POOL_OF)), "rank": st.sampled_from([0.0, 1.0, 2.0, 3.0])},
    optional={"delay": st.just(3.0), "keyed": st.just(True)},
)


class Standing(RuleBasedStateMachine):
    """An owner of two pools that gets direct claims, and another process that submits and works too."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "tasks.db"
        self.now = T0
        self.desk = Desk()
        self.specs: dict[str, TaskSpec] = {}  # all that was ever submitted
        self.waiting: dict[str, TaskSpec] = {}
        self.given: list[str] = []  # what was claimed, by whichever way
        self.heard: dict[str, Claim] = {}  # what the owner knows to be its own, and has not ended
        self.elsewhere: dict[str, Claim] = {}

    @initialize()
    def begin(self) -> None:
        self.mine = SqliteStore(self.path, durability="normal")
        self.other = SqliteStore(self.path, durability="normal")
        self.mine.push_to("me", cast(Any, self.desk), self.hear)
        self.take(self.wants())

    def hear(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            self.given.append(claim.spec.id)
            self.heard[claim.spec.id] = claim

    def made(self, fields: Sequence[dict[str, Any]]) -> list[TaskSpec]:
        found = []
        for one in fields:
            given = {name: value for name, value in one.items() if name != "keyed"}
            key = f"key {len(self.specs)}" if "keyed" in one else None
            new = spec(at=self.now, unique_key=key, **given)
            self.specs[new.id] = new
            found.append(new)
        return found

    def ready(self, pool: str) -> list[TaskSpec]:
        return [one for one in self.waiting.values() if POOL_OF[one.kind] == pool and one.run_at <= self.now]

    # ---- what comes in ----

    @rule(fields=st.lists(tasks, min_size=1, max_size=6), each=st.booleans())
    def submit(self, fields: Sequence[dict[str, Any]], each: bool) -> None:
        new = self.made(fields)
        before = {pool: min((one.rank for one in self.ready(pool)), default=9.0) for pool in POOLS}
        method: Any = self.mine.submit_each if each else self.mine.submit
        assert method(new).result(LONG) == [one.id for one in new]
        begun = {id for (id,) in inside(self.path, "SELECT id FROM task WHERE state = 2")}
        pushed = [one for one in new if one.id in begun]
        self.waiting.update({one.id: one for one in new if one.id not in begun})
        for one in pushed:
            pool = POOL_OF[one.kind]
            assert one.unique_key is None
            assert one.run_at <= self.now
            assert one.rank <= before[pool], "it went past one that was ready"
            if not each or all(other.unique_key is None for other in new):
                left = [other.rank for other in self.ready(pool) if other in new]
                assert one.rank <= min(left, default=9.0), "it went past one of the same request"

    @rule(fields=st.lists(tasks, min_size=1, max_size=2))
    def submit_elsewhere(self, fields: Sequence[dict[str, Any]]) -> None:
        new = self.made(fields)
        self.other.submit(new).result(LONG)
        self.waiting.update({one.id: one for one in new})

    # ---- what is taken ----

    def wants(self) -> list[Want]:
        found = []
        for pool, kinds in POOLS.items():
            free = SIZES[pool] - sum(POOL_OF[claim.spec.kind] == pool for claim in self.heard.values())
            if free > 0:
                found.append(Want(free, dict.fromkeys(kinds, ANY)))
        return found

    @rule()
    def claim(self) -> None:
        self.take(self.wants())

    @rule()
    def want_nothing(self) -> None:
        assert self.take([]) == []
        self.turn()
        came = len(self.given)
        self.submit([{"kind": "a", "rank": 0.0}], False)
        self.turn()
        assert len(self.given) == came, "it came to somebody who wants nothing"
        self.take(self.wants())

    def take(self, wants: Sequence[Want]) -> list[Claim]:
        claims = self.mine.claim("me", wants, LEASE, self.now).result(LONG).claims
        for pool in POOLS:
            taken = [claim.spec.rank for claim in claims if POOL_OF[claim.spec.kind] == pool]
            assert taken == sorted(taken)
            for claim in claims:
                self.waiting.pop(claim.spec.id, None)
            assert max(taken, default=0.0) <= min((one.rank for one in self.ready(pool)), default=9.0)
        self.hear(claims)
        return claims

    @rule(pool=st.sampled_from(list(POOLS)))
    def claim_elsewhere(self, pool: str) -> None:
        want = Want(1, dict.fromkeys(POOLS[pool], ANY))
        for claim in self.other.claim("you", [want], LEASE, self.now).result(LONG).claims:
            self.given.append(claim.spec.id)
            self.elsewhere[claim.spec.id] = claim
            del self.waiting[claim.spec.id]

    @rule()
    def turn(self) -> None:
        in_writer(self.mine, lambda connection: None)  # it is through with what it did before, bells and all
        self.desk.turn()

    # ---- what ends ----

    @precondition(lambda self: self.heard)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        n = data.draw(st.integers(1, len(self.heard)))
        outcomes = [ended(self.heard.pop(id)) for id in list(self.heard)[:n]]
        assert self.mine.settle(outcomes).result(LONG) == [True] * n
        if data.draw(st.booleans()):
            self.take(self.wants())

    @rule()
    def wait(self) -> None:
        self.now += 2.0

    # ---- what holds ----

    @invariant()
    def nobody_is_given_twice_and_no_more_run_than_there_is_room_for(self) -> None:
        assert len(self.given) == len(set(self.given))
        if not self.specs:
            return
        running = [
            kind
            for id, kind in inside(self.path, "SELECT id, kind FROM task WHERE state = 2")
            if id not in self.elsewhere
        ]
        for pool, size in SIZES.items():
            assert sum(POOL_OF[kind] == pool for kind in running) <= size, pool

    def teardown(self) -> None:
        self.now += 10.0
        for _ in range(2 * len(self.specs) + 2):
            self.turn()
            self.take(self.wants())
            for id in list(self.heard):
                self.mine.settle([ended(self.heard.pop(id))]).result(LONG)
        self.other.settle([ended(claim) for claim in self.elsewhere.values()]).result(LONG)
        assert sorted(self.given) == sorted(self.specs), "some were never given to anyone"
        assert set(inside(self.path, "SELECT state FROM task")) <= {(3,)}
        self.mine.close()
        self.other.close()
        check(self.path)
        shutil.rmtree(self.folder)


TestStanding = Standing.TestCase
TestStanding.settings = settings(max_examples=100, stateful_step_count=20, deadline=None)
