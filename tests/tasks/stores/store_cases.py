"""The stores, and one of them with the short words that tests use."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from fastcore.tasks.codec import Codec
from fastcore.tasks.ports import TaskStore, Want
from fastcore.tasks.records import Claim, Encoded, Group, Outcome, State, TaskSpec
from fastcore.tasks.specs import new_id
from fastcore.tasks.stores import MemoryStore, SqliteStore

STORES: dict[str, Callable[..., TaskStore]] = {
    "memory": lambda path, **options: MemoryStore(**options),
    "sqlite": lambda path, **options: SqliteStore(path / "tasks.db", **options),
}
"""Name -> what makes a store in an empty folder; `options` are ``max_queued``."""

LEASE = 15.0


class Harness:
    """A store, with the short words that the tests use."""

    def __init__(self, store: TaskStore) -> None:
        self.store = store
        self.codec = Codec()
        self.now = time.time()
        self.made = 0

    def spec(self, kind: str = "work", args: tuple[Any, ...] = (), **given: Any) -> TaskSpec:
        self.made += 1
        at = given.pop("submitted_at", self.now)
        fields: dict[str, Any] = {
            "id": new_id(self.now + self.made),  # in the order in which they are made
            "kind": kind,
            "payload": Encoded(self.codec.encode_call(args, {})) if self.store.encodes else (args, {}),
            "priority": 5.0,
            "run_at": at,
            "submitted_at": at,
            "attempts": 3,
            "timeout": None,
            "result_ttl": 60.0,
        }
        fields |= given
        fields.setdefault("rank", fields["priority"])
        return TaskSpec(**fields)

    def submit(self, *specs: TaskSpec, group: Group | None = None) -> list[str]:
        return self.store.submit(list(specs), group).result(30)

    def claim(
        self, limit: int = 10, kinds: dict[str, int] | None = None, now: float | None = None, owner: str = "me"
    ) -> list[Claim]:
        want = Want(limit, {"work": 1000} if kinds is None else kinds)
        return self.store.claim(owner, [want], LEASE, self.now if now is None else now).result(30).claims

    def outcome(self, claim: Claim, state: State = State.SUCCEEDED, value: Any = None, **given: Any) -> Outcome:
        result = None
        if state is State.SUCCEEDED:
            result = Encoded(self.codec.encode(value)) if self.store.encodes else value
        fields: dict[str, Any] = {
            "id": claim.spec.id,
            "token": claim.token,
            "state": state,
            "result": result,
            "error": None,
            "started_at": self.now,
            "finished_at": self.now + 1,
        }
        return Outcome(**fields | given)

    def settle(self, *outcomes: Outcome) -> list[bool]:
        return self.store.settle(list(outcomes)).result(30)

    def state(self, id: str) -> State:
        return self.store.get(id).result(30).state

    def value(self, id: str) -> Any:
        found = self.store.get(id).result(30).result
        return self.codec.decode(found) if self.store.encodes else found

    def cancels(self, owner: str = "me") -> list[str]:
        return self.store.claim(owner, [], LEASE, self.now).result(30).cancels
