"""Kill a whole service of tasks at random moments, start it again, and count: ``python tools/task_crash.py``.

A service submits and runs tasks on one SQLite file, and tells through a pipe what it was promised: ids once `submit`
had returned, and results once they were said to be recorded. It is killed with SIGKILL; the next one finds the file as
it was left. Ends with an error unless everything acknowledged has succeeded, whatever ran at a kill ran again long
before its lease had passed, no batch was stored in part, and no task was recorded twice or with another result.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

BATCH = 20  # tasks in one submit_many
LEASE = 3600.0  # nothing that was taken back in time owes it to the passing of its lease
GOAL = 2.0  # seconds from the start of the next service until what ran at the kill runs again


# ---- the service ----


class Service:
    """One life of the process that is killed."""

    def __init__(self, path: str, life: int, quiet: bool) -> None:
        from fastcore.tasks import TaskQueue, current

        logging.getLogger("fastcore.tasks").setLevel(logging.ERROR)  # each task that is taken back is a warning
        self.life = life
        self.quiet = quiet
        self.over = threading.Event()
        self.queue = TaskQueue(
            f"sqlite:///{path}", workers={"async": 32, "thread": 4}, lease=LEASE, heartbeat=5.0, drain=0.5
        )

        def found(number: str) -> list[Any]:
            me = current()
            assert me is not None
            return [number, me.attempt, life]

        async def nap(number: str, seconds: float) -> list[Any]:
            await asyncio.sleep(seconds)
            return found(number)

        def block(number: str, seconds: float) -> list[Any]:
            time.sleep(seconds)
            return found(number)

        options: dict[str, Any] = {"retries": 1000, "result_ttl": 86400.0}
        self.nap = self.queue.task(name="nap", on="async", **options)(nap)
        self.block = self.queue.task(name="block", on="thread", **options)(block)
        for event in ("start", "success", "failure", "dead"):
            self.queue.on(event, lambda told: self.tell(told.event, told.id, told.result))

    def tell(self, *words: Any) -> None:
        """Write a line to the pipe at once: what was written before the kill is read after it."""
        os.write(1, (json.dumps(words, default=lambda data: list(self.queue.decode(data))) + "\n").encode())

    def submit(self, way: str) -> None:
        """Submit until the end, and tell of each acknowledgement."""
        chance = random.Random(f"{self.life}{way}")
        made = 0

        def call() -> tuple[Any, tuple[Any, ...]]:
            nonlocal made
            made += 1
            task, longest = (self.nap, 0.15) if chance.random() < 0.8 else (self.block, 0.02)
            return task, (f"{self.life}-{way}-{made}", chance.random() * longest)

        while not self.over.is_set():
            if way == "many":
                ids = self.queue.submit_many([call() for _ in range(BATCH)])
                time.sleep(0.1)
            else:
                task, args = call()
                ids = [self.queue.submit(task, *args)]
                time.sleep(0.01)
            self.tell("acknowledged", ids)

    async def run(self) -> None:
        """Live until killed; a quiet one submits nothing, and ends when all is done."""
        self.tell("open")
        async with self.queue:
            if self.quiet:
                await self.queue.join()
                return
            for way in ("many", "one", "two"):
                threading.Thread(target=self.submit, args=(way,), daemon=True).start()
            await asyncio.sleep(3600)


# ---- the killing process ----


class Campaign:
    """What all services have acknowledged so far, and the outcomes."""

    def __init__(self, folder: str, seed: int) -> None:
        self.path = Path(folder, "tasks.db")
        self.chance = random.Random(seed)
        self.acknowledged: list[str] = []
        self.recorded: dict[str, list[list[Any]]] = {}
        self.bad: list[Any] = []
        self.resumed: list[float] = []  # seconds from the start of a process
        self.reopened: list[float] = []  # the same, from when it had imported what it needs and opened the file
        self.running_at_kill = 0
        self.cut_short = 0  # services killed before all that had run at the kill before ran again
        self.never_resumed = 0

    def live(self, life: int, seconds: float | None) -> None:
        """Start a service, kill it after so many seconds of work; without, let it end."""
        owed = self._running()
        command = [sys.executable, __file__, "--service", str(self.path), "--life", str(life)]
        began = time.monotonic()
        child = subprocess.Popen([*command, "--quiet"] if seconds is None else command, stdout=subprocess.PIPE)
        lines: list[tuple[float, bytes]] = []
        opened = threading.Event()

        def read() -> None:
            assert child.stdout is not None
            for line in child.stdout:
                lines.append((time.monotonic(), line))
                opened.set()

        reader = threading.Thread(target=read)
        reader.start()
        try:
            if seconds is None:
                child.wait(600)
            else:
                opened.wait(60)
                time.sleep(seconds)
        finally:
            child.kill()
            child.wait()
            reader.join()
            assert child.stdout is not None
            child.stdout.close()
        self._take_in(began, owed, lines, killed=seconds is not None)
        if seconds is None and child.returncode:
            raise SystemExit(f"task_crash.py: the last service ended with {child.returncode}")

    def _take_in(self, began: float, owed: set[str], lines: list[tuple[float, bytes]], killed: bool) -> None:
        opened = 0.0
        again: dict[str, float] = {}
        for at, line in lines:
            if not line.endswith(b"\n"):  # it was being written
                continue
            match json.loads(line):
                case ["open"]:
                    opened = at
                case ["acknowledged", ids]:
                    self.acknowledged += ids
                case ["start", id, _]:
                    again.setdefault(id, at)
                case ["success", id, result]:
                    self.recorded.setdefault(id, []).append(result)
                case other:
                    self.bad.append(other)
        if owed:
            self.running_at_kill += len(owed)
            missing = len(owed - set(again))
            if not missing:
                last = max(again[id] for id in owed)
                self.resumed.append(last - began)
                self.reopened.append(last - opened)
            elif killed:
                self.cut_short += 1
            else:
                self.never_resumed += missing

    def _running(self) -> set[str]:
        if not self.path.exists():
            return set()
        return {id for (id,) in self._ask("SELECT id FROM task WHERE state = 2")}

    def _ask(self, query: str) -> list[tuple[Any, ...]]:
        db = sqlite3.connect(self.path)
        try:
            return db.execute(query).fetchall()
        finally:
            db.close()

    def judge(self) -> dict[str, Any]:
        """Return the counts; all of `wrong` must be 0."""
        from fastcore.tasks.codec import Codec
        from fastcore.tasks.stores.sqlite.rows import SUCCEEDED

        codec = Codec()
        stored: dict[str, Any] = {}
        numbers: Counter[str] = Counter()
        crashes = 0
        for id, state, payload_result, attempt in self._ask("SELECT id, state, result, attempt FROM task"):
            stored[id] = codec.decode(payload_result) if state == SUCCEEDED else None
            numbers[stored[id][0] if stored[id] else f"? {id}"] += 1
            crashes += attempt - 1
        batches = Counter(
            (number.rpartition("-")[0], (int(number.rpartition("-")[2]) - 1) // BATCH)
            for number in numbers
            if "-many-" in number
        )
        kept = self._ask("SELECT kind, state, n FROM tally WHERE n != 0 ORDER BY 1, 2")
        wrong = {
            "acknowledged and not there": sum(id not in stored for id in self.acknowledged),
            "there and not succeeded": sum(result is None for result in stored.values()),
            "calls stored twice": sum(n - 1 for n in numbers.values()),
            "batches stored in part": sum(n != BATCH for n in batches.values()),
            "results said to be recorded twice": sum(len(results) - 1 for results in self.recorded.values()),
            "recorded results that changed": sum(results[0] != stored.get(id) for id, results in self.recorded.items()),
            "running at the last kill and not begun again": self.never_resumed,
            "failures told": len(self.bad),
            "faults of the file": int(self._ask("PRAGMA integrity_check") != [("ok",)]),
            "counts that are off": int(
                kept != self._ask("SELECT kind, state, count(*) FROM task GROUP BY 1, 2 ORDER BY 1, 2")
            ),
        }
        return {
            "tasks": len(stored),
            "acknowledged": len(self.acknowledged),
            "running at kills": self.running_at_kill,
            "services killed before all of these ran again": self.cut_short,
            "attempts beyond the first": crashes,
            "seconds until all of them ran again, worst": round(max(self.resumed, default=0.0), 2),
            "the same, from the opening of the file": round(max(self.reopened, default=0.0), 2),
            "wrong": wrong,
        }


def main(options: argparse.Namespace) -> int:
    folder = tempfile.mkdtemp(dir=options.dir)
    try:
        campaign = Campaign(folder, options.seed)
        for life in range(options.rounds):
            # Also where it has hardly begun: the first moments write the schema and take back what ran.
            campaign.live(life, campaign.chance.choice((0.05, 0.8, 2.0)) * campaign.chance.random() + 0.001)
        campaign.live(options.rounds, None)
        found = campaign.judge()
    finally:
        shutil.rmtree(folder)
    found = {"kills": options.rounds, **found}
    failed = any(found["wrong"].values())
    if options.json:
        print(json.dumps(found))
        return int(failed)
    wrong = found.pop("wrong")
    for name, value in found.items():
        print(f"{name}: {value}" + (f" (goal < {GOAL:g})" if name.startswith("seconds") else ""))
    for name, value in wrong.items():
        print(f"{name}: {value} (goal 0)")
    return int(failed)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dir", help="where the file lies; the system's place for temporary files unless given")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--service", help=argparse.SUPPRESS)
    parser.add_argument("--life", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--quiet", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.service:
        asyncio.run(Service(chosen.service, chosen.life, chosen.quiet).run())
    else:
        sys.exit(main(chosen))
