"""Flip flags of four workers under load, then break their candidate: count lost requests, and time the rollback.

    python tools/flip_load.py --seconds 60

The service is that of the tests (`tests/dispatch/service.py`), four uvicorn processes behind one port. Ends with 1
where a request failed or a worker took longer than two seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.dispatch.cluster import SWITCHES, Cluster, Load, flip

GOAL = 2.0  # seconds


async def run(cluster: Cluster, seconds: float, connections: int, rounds: int) -> bool:
    await cluster.ready()
    async with Load(cluster.port, connections, pause=0.0) as load:
        start = time.monotonic()
        flips = await flip(cluster, seconds)
        taken = time.monotonic() - start
    print(f"{flips} flips of {len(SWITCHES)} flags in {taken:.0f} s, {load.requests} requests:")
    print(f"  {len(load.errors)} errors (goal 0), {len(load.wrong)} wrong answers (goal 0)")
    lost = len(load.errors) + len(load.wrong)
    slowest = 0.0
    for fault in ("wrong", "slow", "raising") * rounds:
        cluster.ail("")
        for name in SWITCHES:
            await cluster.admin("POST", f"/flags/{name}/resume")
            await cluster.admin("POST", f"/flags/{name}/ramp", {"percent": 50})
            await cluster.all_say(name, "ramp:50", "everywhere")
        async with Load(cluster.port, connections, pause=0.0) as load:
            await load.more(200)
            broken = time.time()
            cluster.ail(fault)
            for name in SWITCHES:
                await cluster.all_say(name, "control", "guard")
        verified = sum(name == "strict" for name, _ in load.wrong)
        lost += len(load.errors) + verified
        for name in SWITCHES:
            first, last = cluster.rolled_back(name, broken)
            slowest = max(slowest, last - first)
            print(
                f"  {fault:8} {name:7} found after {first - broken:5.2f} s, all workers {last - first:.2f} s later "
                f"(goal {GOAL:g}); {sum(n == name for n, _ in load.wrong)} wrong answers, {len(load.errors)} errors"
            )
    return lost == 0 and slowest <= GOAL


def main() -> int:
    parser = argparse.ArgumentParser(description="flip flags under load, and count what is lost")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=2, help="how often each fault is tried")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(Path(folder))
        try:
            good = asyncio.run(run(cluster, options.seconds, options.connections, options.rounds))
        finally:
            print(cluster.stop(), end="")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
