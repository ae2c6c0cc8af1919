"""Specs: the calls of submissions, checked and encoded."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from fastcore.dispatch.formatting import meant
from fastcore.tasks.engine.groups import PARTIAL
from fastcore.tasks.errors import UnsupportedOption
from fastcore.tasks.ports import Cap, Executor
from fastcore.tasks.records import NO_ARGUMENTS, Group, Payload, TaskSpec
from fastcore.tasks.task import Configured, Task

__all__ = ["Specs", "Target", "new_id", "new_ids"]

Target = Task[..., Any] | Configured[..., Any] | str
"""What can be submitted: a task, one with options, or the name of one."""


_NO_KEYWORDS: dict[str, Any] = {}  # shared, and so never changed


def new_ids(n: int, now: float) -> list[str]:
    """Return ids that cannot be guessed, and that sort by time."""
    head = f"{int(now * 1000):012x}"
    tail = os.urandom(10 * n).hex()
    return [head + tail[i : i + 20] for i in range(0, 20 * n, 20)]


def new_id(now: float) -> str:
    """Return one id."""
    return f"{int(now * 1000):012x}{os.urandom(10).hex()}"


class Specs:
    """Makes specs for a queue."""

    def __init__(
        self,
        tasks: Mapping[str, Task[..., Any]],
        executor: Callable[[str], Executor],
        *,
        encodes: bool,
        aging: float,
        clock: Callable[[], float],
        spec: type[TaskSpec] = TaskSpec,
    ) -> None:
        self._tasks = tasks
        self._executor = executor
        self._encodes = encodes
        self._aging = aging
        self._clock = clock
        self._made = spec

    def resolve(self, target: Target) -> Configured[..., Any]:
        """Return what a target names.

        Raises
        ------
        LookupError
            If no task of that name is registered.
        UnsupportedOption
            If the task's executor cannot honour one of its options.
        """
        if isinstance(target, str):
            if target not in self._tasks:
                close = meant(target, self._tasks)
                raise LookupError(f"task: expected the name of a registered task, got {target!r}{close}")
            found = self._tasks[target].configured
        elif isinstance(target, Task):
            found = target.configured
        elif isinstance(target, Configured):
            found = target
        else:
            hint = "; make it a task with @queue.task()" if callable(target) else ""
            raise TypeError(f"task: expected a task or the name of one, got {type(target).__name__}{hint}")
        if self._tasks.get(found.task.name) is not found.task:
            raise LookupError(f"task: expected one of this queue, got {found.task.name!r} of another")
        if not found.checked:
            _check(found, self._executor(found.task.on))
            found.checked = True
        return found

    def one(
        self,
        target: Target,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        now: float | None = None,
        id: str | None = None,
    ) -> TaskSpec:
        """Return the spec of one call; submitted now, and with an id of its own, unless they are given."""
        if now is None:
            now = self._clock()
        if id is None:
            id = new_id(now)
        found = self.resolve(target)
        return self._spec(found, id, self._payload(found.task, args, kwargs), args, kwargs, now)

    def many(self, calls: Iterable[tuple[Any, ...]]) -> list[TaskSpec]:
        """Return the specs of ``(task, args)`` or ``(task, args, kwargs)``."""
        calls = list(calls)
        now = self._clock()
        specs: list[TaskSpec] = []
        last: Any = None
        last_args: Any = None
        payload: Payload = NO_ARGUMENTS
        found: Configured[..., Any] | None = None
        rank = priority = 0.0
        plain = False
        made, append = self._made, specs.append
        for id, call in zip(new_ids(len(calls), now), calls, strict=True):
            if len(call) == 2:
                target, args = call
                kwargs = _NO_KEYWORDS
            else:
                target, args, kwargs = _with_keywords(call)
            if target is not last or found is None:
                last, last_args, found = target, None, self.resolve(target)
                task, options = found.task, found.options
                kind, priority, attempts = task.name, options.priority, found.attempts
                timeout, ttl, plain = options.timeout, options.result_ttl, found.plain
                rank = priority + self._aging * now
            if args is not last_args or kwargs or type(args) is not tuple:  # else what was made of them is shared
                args = args if type(args) is tuple else tuple(args)
                payload = self._payload(task, args, kwargs)
                last_args = None if kwargs else args
            if plain:
                append(made(id, kind, payload, priority, rank, now, now, attempts, timeout, ttl))
            else:
                append(self._spec(found, id, payload, args, kwargs, now))
        return specs

    def group(
        self, calls: Iterable[tuple[Any, ...]], then: Target | None, args: tuple[Any, ...], partial: bool
    ) -> tuple[list[TaskSpec], Group]:
        """Return the specs of a group's members, and the group with its callback."""
        specs = self.many(calls)
        if not specs:
            raise ValueError("calls: expected at least one, got none")
        group = Group(new_id(self._clock()), len(specs), None)
        for index, spec in enumerate(specs):
            spec.group, spec.index = group.id, index
        if then is not None:
            given = {PARTIAL: True} if partial else {}
            group.then = self.callback(then, args, given)
            group.then.collects = group.id
        return specs, group

    def callback(self, target: Target, args: tuple[Any, ...], marks: dict[str, Any]) -> TaskSpec:
        """Return the spec of a group's callback, called with the results in front; `marks` are for the engine."""
        found = self.resolve(target)
        now = self._clock()
        found.task.check(([], *args), {})
        payload = self._payload(found.task, args, marks, checked=True)
        return self._spec(found, new_id(now), payload, args, {}, now)

    def _payload(
        self, task: Task[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], *, checked: bool = False
    ) -> Payload:
        if not checked:
            task.check(args, kwargs)
        if self._encodes:
            return task.encode(args, kwargs)
        return (args, kwargs) if kwargs else (args, _NO_KEYWORDS) if args else NO_ARGUMENTS

    def _spec(
        self,
        found: Configured[..., Any],
        id: str,
        payload: Payload,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        now: float,
    ) -> TaskSpec:
        task = found.task
        options = found.options
        priority = options.priority
        run_at = now + options.delay if options.run_at is None else max(now, options.run_at)
        key = options.unique_key
        if key is None and options.unique:
            key = task.key_of(options.unique, args, kwargs)
        fingerprint = options.fingerprint
        if options.idempotency_key is not None and fingerprint is None:
            fingerprint = task.identity(args, kwargs)
        return self._made(
            id,
            task.name,
            payload,
            priority,
            priority + self._aging * run_at,
            run_at,
            now,
            found.attempts,
            options.timeout,
            options.result_ttl,
            key,
            options.idempotency_key,
            fingerprint,
            serial_key=task.serial_key_of(options.serial_key, args, kwargs),
        )


def _with_keywords(call: tuple[Any, ...]) -> tuple[Any, Any, dict[str, Any]]:
    if len(call) != 3:
        raise TypeError(f"calls: expected (task, args) or (task, args, kwargs), got {len(call)} items")
    target, args, kwargs = call
    return target, args, dict(kwargs)


def _check(found: Configured[..., Any], executor: Executor) -> None:
    task = found.task
    asked: Sequence[tuple[str, Any, Cap, str]] = (
        ("timeout", found.options.timeout, Cap.TIMEOUT, "cannot end a running attempt"),
        ("memory_limit", task.memory_limit, Cap.MEMORY_LIMIT, "cannot bound the memory of an attempt"),
    )
    for name, value, cap, why in asked:
        if value is not None and not executor.capabilities & cap:
            raise UnsupportedOption(
                f"{name}: expected none for {task.name!r}, as the executor {executor.name!r} {why}, got {value!r}"
            )
