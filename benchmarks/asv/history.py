"""Measures the last commits on both backends, and writes pages that need no internet.

Usage: python benchmarks/asv/history.py N MACHINE [BENCH]

What a commit has been measured for before, on the machine of that name, is not measured again.
"""

from __future__ import annotations

import sys
import time

from driver import SCRATCH, Driver, commits
from pages import write_pages

PROFILE = {"rounds": 2, "repeat": 6, "warmup_time": 0.02, "sample_time": 0.005}


def main(count: str, machine: str, bench: str = "") -> int:
    if not count.isdigit() or count == "0":
        raise SystemExit(f"N: expected a number of commits, at least 1, got {count!r}")
    began = time.monotonic()
    driver = Driver(machine=machine)
    driver.register()
    chosen = commits(int(count))
    print(f"asv: {len(chosen)} commits on both backends; the first build takes a minute or two", flush=True)
    listed = SCRATCH / "commits.txt"
    listed.parent.mkdir(exist_ok=True)
    listed.write_text("\n".join(chosen), encoding="ascii")
    options = ("--skip-existing-successful", "--record-samples", f"HASHFILE:{listed}")
    status = driver.measure("run", *options, bench=bench, **PROFILE)
    published = driver.run("publish", "--no-pull", quiet=True)
    if published:
        return published
    for line in write_pages(driver.conf(), machine):
        print(line)
    print(f"asv: took {(time.monotonic() - began) / 60:.1f} minutes")
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
