"""The gain of each fast path of the queue: the same case with the path on and off, in one run.

Run ``python benchmarks/peers/tasks_paths.py``, or with names of paths after it. A path that gains less than 1.2 times
on its own case is not worth its code.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any, NamedTuple
from unittest.mock import patch

import tasks_ours as ours
from harness import Ratio, Report, interleave_phases, versions
from tasks_opponents import BOTH, P50, Phases

from fastcore.tasks.executors.process.executor import ProcessExecutor
from fastcore.tasks.stores.sqlite import bulk_statements, writer
from fastcore.tasks.stores.sqlite.direct_claim import DirectClaim
from fastcore.tasks.submitter import Submitter

GOAL = 1.2


async def by_itself(self: Submitter, target: Any, args: Any, kwargs: Any) -> str:
    return (await self.asubmit([self._calls.one(target, args, kwargs)]))[0]


class Path(NamedTuple):
    """A fast path: the case that it is for, the figure to compare, and the patches that turn it off."""

    case: Callable[[], Phases]
    phase: str
    off: list[tuple[Any, str, Any]]


def on_processes() -> Phases:
    found = ours.processes(2_000, 0.001)
    return {BOTH: found.seconds / 2_000}


def by_the_writers_thread(self: writer.Writer, handler: Any, argument: Any) -> Any:
    return self.ask(handler, argument).result()


def lone() -> Phases:
    return ours.sqlite_submitters(150, 1)


PATHS: dict[str, Path] = {
    "many rows in one statement": Path(lambda: ours.sqlite_many(10_000), BOTH, [(bulk_statements, "_MOST", 1)]),
    "direct claims": Path(
        lambda: ours.sqlite_latencies(100), P50, [(DirectClaim, "place", lambda self, change, specs: specs)]
    ),
    "coroutines' submissions as one request": Path(
        lambda: ours.sqlite_coroutines(6_400, 64), BOTH, [(Submitter, "asubmit_call", by_itself)]
    ),
    "a waiting thread writes itself": Path(lone, BOTH, [(writer.Writer, "run", by_the_writers_thread)]),
    "ends wait for a submission": Path(lone, BOTH, [(writer, "_PATIENCE", 0.0)]),
    "jobs ahead of processes": Path(on_processes, BOTH, [(ProcessExecutor, "_ahead", lambda self: 0)]),
}


def without(path: Path) -> Phases:
    with ExitStack() as stack:
        for target, name, value in path.off:
            stack.enter_context(patch.object(target, name, value))
        return path.case()


def main() -> None:
    chosen = sys.argv[1:] or list(PATHS)
    if unknown := sorted(set(chosen) - set(PATHS)):
        sys.exit(f"tasks_paths.py: expected names of {', '.join(PATHS)}, got {', '.join(unknown)}")
    report = Report("tasks_paths", "Fast paths of the queue, on and off", versions("fastcore-native"))
    for name in chosen:
        path = PATHS[name]
        found = interleave_phases({"on": path.case, "off": partial(without, path)}, rounds=7)[path.phase]
        report.add(name, found, {"off / on": Ratio(found["off"].median / found["on"].median, GOAL)})


if __name__ == "__main__":
    main()
