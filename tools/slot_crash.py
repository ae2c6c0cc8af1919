"""Kill a random process slot every second under 1,000 tasks, and count: ``python tools/slot_crash.py``.

Ends with an error unless every acknowledged task ended, fewer than 1 % failed, and at most one ran twice for a kill.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import random
import sys
import tempfile
import time
from pathlib import Path

import psutil

from fastcore.tasks import State, TaskQueue
from fastcore.tasks.executors.process.executor import ProcessExecutor


def work(path: str, number: int, seconds: float) -> int:
    """Note that it began, keep a CPU busy, and return."""
    with open(path, "a", encoding="ascii") as file:
        file.write(f"{number}\n")
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass
    return number


def slots() -> list[psutil.Process]:
    """The children that are slots."""
    found = []
    for child in psutil.Process().children():
        try:
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
        except psutil.Error:
            continue
    return found


async def main(options: argparse.Namespace) -> int:
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        marks = str(Path(folder, "marks"))
        queue = TaskQueue(f"sqlite:///{folder}/tasks.db", executors={"process": ProcessExecutor(options.slots)})
        task = queue.task(work, on="process", retries=3)
        async with queue:
            began = time.monotonic()
            calls = [(task, (marks, n, options.seconds)) for n in range(options.tasks)]
            ids = await queue.asubmit_many(calls)
            kills = 0

            async def kill() -> None:
                nonlocal kills
                while True:
                    await asyncio.sleep(options.every)
                    victims = slots()
                    if victims:
                        chance.choice(victims).kill()
                        kills += 1

            killer = asyncio.create_task(kill())
            states: collections.Counter[str] = collections.Counter()
            wrong = 0
            for number, id in enumerate(ids):
                view = await queue.wait(id)
                states[view.state] += 1
                wrong += view.state is State.SUCCEEDED and queue.decode(view.result) != number
            killer.cancel()
            took = time.monotonic() - began
        runs = collections.Counter(map(int, Path(marks).read_text(encoding="ascii").split()))
    twice = sum(runs.values()) - len(runs)
    failed = options.tasks - states[State.SUCCEEDED]
    print(
        f"{options.tasks} tasks of {options.seconds * 1e3:g} ms on {options.slots} slots, {took:.1f} s, {kills} kills"
    )
    print(f"acknowledged and never run: {options.tasks - len(runs)}   results of another task: {wrong}")
    print(f"ended otherwise than succeeded: {failed} ({failed / options.tasks:.2%}, goal < 1 %)")
    print(f"runs beyond the first: {twice} (goal <= {kills} kills)")
    return int(len(runs) < options.tasks or wrong > 0 or failed >= options.tasks / 100 or twice > kills)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=0.02, help="of CPU a task")
    parser.add_argument("--every", type=float, default=1.0, help="seconds between kills")
    parser.add_argument("--seed", type=int, default=1)
    sys.exit(asyncio.run(main(parser.parse_args())))
