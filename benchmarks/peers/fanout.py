"""One message to a thousand clients: CPU time of the server per delivery, compared with other servers.

Run ``python benchmarks/peers/fanout.py``. Every server runs in a separate process (uvloop, TCP_NODELAY), all with
clients connected, and they take turns, in an order shuffled each round; the clients are one C program. Times are
processor time of the server, user and system, for one message to one client.
"""

from __future__ import annotations

import json
import math
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from harness import Ratio, Report, Timing, interleave_phases, versions

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PROGRAM = ROOT / "build" / "peers" / "fanout_client"
CLIENTS = 1000
QUOTE, SNAPSHOT = 141, 2000  # bytes of a message
EVERY = ("socket.send loop", "transport.write, uvloop", "websockets.broadcast", "picows", "Starlette", "fastcore")
QUIET = {"ping": 3600.0, "pong": 60.0}  # the C client does not speak the protocol above WebSocket's
SLOW = "3008"


def compile_client() -> None:
    """Build the C client where it is older than its source."""
    source = HERE / "fanout_client.c"
    if PROGRAM.exists() and PROGRAM.stat().st_mtime > source.stat().st_mtime:
        return
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        sys.exit("fanout: expected a C compiler for the clients (CC=...), found none")
    PROGRAM.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([compiler, "-O2", "-o", str(PROGRAM), str(source)], check=True)


class Child:
    """A process that answers lines with lines of JSON."""

    def __init__(self, command: Sequence[str], **environment: str) -> None:
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        )
        self.hello = self.answer()

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args!r}: expected an answer, got its end ({self.process.wait()})")
        found: dict[str, Any] = json.loads(line)
        return found

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def ask(self, line: str) -> dict[str, Any]:
        self.tell(line)
        return self.answer()

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()


class Pair:
    """A server and its clients."""

    def __init__(
        self, stack: ExitStack, name: str, clients: int, *, deflate: bool = False, rcvbuf: int = 0, **hub: Any
    ):
        self.name, self.clients = name, clients
        script = [sys.executable, str(HERE / "fanout_server.py"), name, *(["1"] if deflate else [])]
        self.server = stack.enter_context(Child(script, FANOUT_HUB=json.dumps({**QUIET, **hub})))
        self.stack, self.deflate, self.rcvbuf = stack, deflate, rcvbuf
        self.crowd = self.connect(clients) if clients else None

    def connect(self, clients: int) -> Child:
        port = str(self.server.hello["port"])
        options = [str(clients), str(int(self.deflate)), str(self.rcvbuf)]
        return self.stack.enter_context(Child([str(PROGRAM), port, "/stream?topics=prices", *options]))

    def settle(self) -> None:
        """Subtract the bytes of the handshake from the counts."""
        assert self.crowd is not None
        time.sleep(0.5)
        self.crowd.ask("report")

    def send(self, ticks: int, messages: int, size: int) -> float:
        """Processor seconds of the server for a message to a client; all that was sent must have come."""
        assert self.crowd is not None
        cpu = self.server.ask(f"send {ticks} {messages} {size}")["cpu"]
        expected, got = ticks * messages * self.clients, 0
        for _ in range(100):
            found = self.crowd.ask("report")
            got += found["messages"]
            if got >= expected:
                break
            time.sleep(0.05)
        if got != expected or found["faults"]:
            raise RuntimeError(f"{self.name}: expected {expected} messages, got {got} and {found['faults']} faults")
        return float(cpu) / expected


def compare(
    report: Report, case: str, pairs: Sequence[Pair], shape: tuple[int, int, int], goals: dict[str, Any]
) -> None:
    for pair in pairs:
        pair.send(3, *shape[1:])  # warm
    found = interleave_phases({p.name: (lambda p=p: {"cpu": p.send(*shape)}) for p in pairs}, rounds=7)["cpu"]
    ours = found["fastcore"].median
    ratios = {}
    for peer, (goal, at_least) in goals.items():
        if at_least:
            ratios[f"less than {peer}"] = Ratio(found[peer].median / ours, goal)
        else:
            ratios[f"of {peer}"] = Ratio(ours / found[peer].median, goal, at_least=False)
    report.add(case, found, ratios)


def plain(report: Report) -> None:
    with ExitStack() as stack:
        pairs = [Pair(stack, name, CLIENTS) for name in EVERY]
        for pair in pairs:
            pair.settle()
        goals = {"socket.send loop": (1.35, False), "Starlette": (3.0, True), "websockets.broadcast": (1.8, True)}
        compare(report, f"one message to {CLIENTS} clients", pairs, (15, 1, QUOTE), goals)
        compare(report, "ten messages a tick", pairs, (3, 10, QUOTE), {"Starlette": (20.0, True)})


def deflated(report: Report) -> None:
    with ExitStack() as stack:
        pairs = [Pair(stack, name, CLIENTS, deflate=True) for name in ("websockets.broadcast", "fastcore")]
        for pair in pairs:
            pair.settle()
        goals = {"websockets.broadcast": (4.0, True)}
        compare(report, f"{SNAPSHOT} bytes, deflated", pairs, (8, 1, SNAPSHOT), goals)
        for pair in pairs:
            report.notes.append(f"deflated: {pair.name}: {json.dumps(pair.server.ask('statistics'))}")


def paced(report: Report, clients: int = 5000, rate: int = 10, seconds: int = 8) -> None:
    with ExitStack() as stack:
        pair = Pair(stack, "fastcore", clients)
        assert pair.crowd is not None
        pair.settle()
        took = pair.server.ask(f"pace {rate * seconds} {rate} 1 {QUOTE} {clients}")
        found = pair.crowd.ask("report")
        case = f"{clients} clients, {rate} messages/s"
        timing = Timing(found["p50"], found["p50"], found["p99"], 1)
        share = found["messages"] / (clients * rate * seconds)
        report.add(
            f"{case}: p50 [..p99]",
            {"fastcore": timing},
            {"p99 in ms": Ratio(1e3 * found["p99"], 100, at_least=False), "delivered": Ratio(share, 1.0)},
        )
        report.notes.append(
            f"{case}: server {took['cpu'] / took['seconds']:.0%} of a core, the clients {found['cpu']:.1f} s"
        )


def idle_memory(report: Report, clients: int = 2000) -> None:
    per_client = {}
    for name in ("Starlette", "fastcore"):
        found = []
        for _ in range(3):
            with ExitStack() as stack:
                pair = Pair(stack, name, 0)
                for child in [pair.connect(200)]:  # what the first connections cost once
                    child.__exit__(None, None, None)
                time.sleep(1.0)
                before = pair.server.ask("memory")["uss"]
                pair.connect(clients)
                time.sleep(1.0)
                found.append((pair.server.ask("memory")["uss"] - before) / clients)
        per_client[name] = statistics.median(found)
    over = (per_client["fastcore"] - per_client["Starlette"]) / 1024
    report.conclude("KiB of an idle client over uvicorn's own", Ratio(over, 4.0, at_least=False))
    report.notes.append(
        "memory of an idle client: " + ", ".join(f"{name} {size / 1024:.1f} KiB" for name, size in per_client.items())
    )


def stuck(report: Report, clients: int = 1000, stop: int = 50) -> None:
    """Some clients stop reading: measure the delay of the others, and how the stalled ones are handled."""
    p99: dict[bool, list[float]] = {False: [], True: []}
    growth, after, backlog, conflated, closed, told = 0.0, 0.0, 0, stop**9, stop, stop
    order = [False, True] * 3
    random.Random(0).shuffle(order)
    for some in order:
        with ExitStack() as stack:
            limits = {"backlog": 1 << 18, "stalled": 2.0, "linger": 30.0}
            pair = Pair(stack, "fastcore", clients, rcvbuf=4096, policy="conflate", limits=limits)
            assert pair.crowd is not None
            pair.settle()
            before = pair.server.ask("memory")["uss"]
            if some:
                pair.crowd.tell(f"stall {stop}")
            took = pair.server.ask(f"pace 50 10 20 {QUOTE} {stop}")
            p99[some].append(pair.crowd.ask("report")["p99"])
            if some:
                growth = max(growth, pair.server.ask("memory")["uss"] - before)
                after = max(after, took["blocked_after"] if took["blocked"] else math.inf)
                backlog = max(backlog, took["backlog_bytes"] // stop)
                found = pair.server.ask("statistics")
                conflated, closed = min(conflated, found["conflated"]), min(closed, found["closed"].get(SLOW, 0))
                pair.crowd.tell("resume")
                time.sleep(1.0)
                told = min(told, pair.crowd.ask("report")["closes"].get(SLOW, 0))
    ratio = statistics.median(p99[True]) / statistics.median(p99[False])
    case = f"{stop} of {clients} clients stop reading"
    report.conclude(f"{case}: p99 of the others", Ratio(ratio, 1.2, at_least=False))
    report.conclude(f"{case}: all of them show within, s", Ratio(after, 2.0, at_least=False))
    report.conclude(f"{case}: conflated, messages of each", Ratio(conflated / stop, 1.0))
    report.conclude(f"{case}: held back for each, KiB", Ratio(backlog / 1024, 256, at_least=False))
    report.conclude(f"{case}: closed with {SLOW}", Ratio(closed, stop))
    report.conclude(f"{case}: who read on were told {SLOW}", Ratio(told, stop))
    report.conclude(f"{case}: server grew, MiB", Ratio(growth / 2**20, stop * 0.25 + 4, at_least=False))
    without, among = (1e3 * statistics.median(p99[some]) for some in (False, True))
    report.notes.append(f"{case}: p99 {without:.1f} ms without stalled clients, {among:.1f} ms with them")


def main() -> None:
    compile_client()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    report = Report(
        "fanout",
        "Fan-out to WebSocket clients",
        versions("uvloop", "uvicorn", "starlette", "websockets", "picows"),
        notes=["Processor time of the server, user and system, for one message to one client."],
    )
    parts = {f.__name__: f for f in (plain, deflated, idle_memory, stuck, paced)}
    for name in sys.argv[1:] or parts:
        parts[name](report)
    if sys.argv[1:]:
        print(*report.notes, sep="\n")
    else:
        report.write()


if __name__ == "__main__":
    main()
