"""The load, in a process of its own: subscribers or pollers, reads, batches, reports and tasks, on a schedule."""

from __future__ import annotations

import asyncio
import json
import math
import os
import random
import sys
import time
import zlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from examples.market_desk.compare.open_reads import OpenReads
from examples.market_desk.data.feed import PERIOD
from examples.market_desk.event_loop import run
from examples.market_desk.http_client import PREFER, Answer, HttpClient
from examples.market_desk.latency import summarise
from examples.market_desk.open_files import raise_limit
from examples.market_desk.parent import end_with_parent

__all__ = ["LoadPlan", "at_rest", "main", "until_ready"]

WINDOWS = (250, 125, 500)  # bars of an analysis, the most asked for first
SYMBOLS = 3  # that a subscriber or poller follows
POLL = 30.0  # seconds between two readings of a poller
TIMEOUT = 10.0  # seconds after which a request has failed
BATCH, REPORT = 10, 5  # symbols
BATCHES, REPORTS = 0.5, 0.2  # a second
LIMIT, ERRORS = 1.0, 0.01  # seconds of p95, and the share of errors, up to which a rate is sustained
EAGER = 8  # clients that ask without a pause
BURST, MANY = 40, 1000  # tasks at once: reports, and short ones
GZIPPED = "content-encoding: gzip\r\nAccept-Encoding: gzip\r\n"  # what compression adds to both heads
CONNECTIONS = 200  # for requests, as a proxy in front of the server keeps; more at once wait for one
ALONE = 5.0  # seconds of the measurement without requests


@dataclass(frozen=True)
class LoadPlan:
    """What to do: `rate` analyses a second for `seconds`, then steps of `step` seconds with the `rates` in turn."""

    arm: str
    port: int
    clients: int
    seconds: float
    rate: float
    step: float
    rates: tuple[float, ...]


@dataclass
class Tally:
    """The outcomes of one kind of request: seconds from when each was due, and the errors."""

    times: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """Return counts and percentiles."""
        return {**summarise(self.times)._asdict(), "failed": len(self.errors), "errors": self.errors[:3]}

    @property
    def failed(self) -> float:
        """The share of errors."""
        return len(self.errors) / max(1, len(self.errors) + len(self.times))


def zipf(things: Sequence[Any], rng: random.Random) -> Iterator[Any]:
    """Yield things forever; the one of rank r has weight 1/r."""
    weights = [1 / rank for rank in range(1, len(things) + 1)]
    while True:
        yield from rng.choices(things, weights, k=256)


def is_stale(at: float, sent: float) -> bool:
    """Return whether an answer is of a bar before the last but one that was due when it was asked for."""
    return at < math.floor(sent / PERIOD) * PERIOD - 1.5 * PERIOD


async def timed(send: Callable[[], Awaitable[None]], tally: Tally, since: float, limit: float) -> None:
    """Note in `tally` how long after `since` a request was answered, or how it failed."""
    try:
        async with asyncio.timeout(limit):
            await send()
        tally.times.append(time.perf_counter() - since)
    except (OSError, EOFError, ValueError, TimeoutError) as error:
        tally.errors.append(f"{type(error).__name__}: {error}")


class Load:
    """The requests to one server."""

    def __init__(self, plan: LoadPlan, symbols: Sequence[str], seed: int = 1) -> None:
        self.plan, self.symbols = plan, list(symbols)
        self.http, self.orders = HttpClient(plan.port, CONNECTIONS), HttpClient(plan.port)
        rng = random.Random(seed)
        rng.shuffle(self.symbols)
        self.names, self.windows = zipf(self.symbols, rng), zipf(WINDOWS, rng)

    async def open_loop(
        self, rate: float, seconds: float, send: Callable[[], Awaitable[None]], tally: Tally, offset: float = 0.0
    ) -> None:
        """Start `rate` requests a second on time, whether or not earlier ones were answered; wait for the last."""
        start = time.perf_counter() + offset
        running = set()
        for n in range(int(rate * (seconds - offset))):
            due = start + n / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            running.add(asyncio.create_task(timed(send, tally, due, TIMEOUT)))
        await asyncio.gather(*running)

    def path(self) -> str:
        """Return the path of the next analysis."""
        return f"/technical-analysis/{next(self.names)}?bars={next(self.windows)}"

    async def analysis(self) -> None:
        """Read one analysis."""
        sent = time.time()
        check_one(await self.http.get(self.path()), sent)

    async def analyses(self, rate: float, seconds: float, tally: Tally) -> None:
        """Read `rate` analyses a second, each on time."""
        reads = OpenReads(
            self.plan.port,
            CONNECTIONS,
            self.path,
            check_one,
            answered=tally.times.append,
            failed=lambda error: tally.errors.append(f"{type(error).__name__}: {error}"),
            limit=TIMEOUT,
        )
        await reads.run(rate, seconds)

    async def batch(self) -> None:
        """Read the analyses of ten symbols."""
        names = ",".join(next(self.names) for _ in range(BATCH))
        sent = time.time()
        answer = await self.http.get(f"/technical-analysis?symbols={names}")
        found = expect(answer, 200)
        if len(found) != BATCH:
            raise ValueError(f"batch: expected {BATCH} analyses, got {len(found)}")
        check(found, sent)

    async def report(self) -> None:
        """Order a report, and wait for it."""
        found = expect(await self.http.post("/generate-report", [next(self.names) for _ in range(REPORT)]), 200)
        if "<svg" not in found["html"]:
            raise ValueError("report: expected charts, got none")

    async def task(self, path: str, body: Any) -> None:
        """Order work in the background, and look for its result until it is there."""
        answer = await (self.orders.get(path, PREFER) if body is None else self.orders.post(path, body, PREFER))
        if answer.status == 200:  # it was cached
            return
        url = expect(answer, 202)["result_url"]
        wait = "?wait=10" if self.plan.arm.startswith("fast") else ""
        while (answer := await self.orders.get(url + wait)).status in (202, 503):  # not yet, or too many wait
            await asyncio.sleep(0.1)
        expect(answer, 200)


def expect(answer: Answer, status: int) -> Any:
    """Return the decoded body of an answer, which must have a status."""
    if answer.status != status:
        raise ValueError(f"status: expected {status}, got {answer.status}: {answer.body[:100]!r}")
    return answer.json()


def check(found: Sequence[dict[str, Any]], sent: float) -> None:
    """Raise where an analysis is older than one bar."""
    for analysis in found:
        if is_stale(analysis["at"], sent):
            raise ValueError(f"stale: asked at {sent:.2f}, got the bar of {analysis['at']:.2f}")


def check_one(answer: Answer, sent: float) -> None:
    """Raise where an answer is not an analysis that is new enough."""
    check([expect(answer, 200)], sent)


class Pollers:
    """Clients that read their prices every `POLL` seconds."""

    def __init__(self, load: Load, count: int) -> None:
        self._load = load
        rng = random.Random(3)
        names = zipf(load.symbols, rng)
        self._paths = [
            "/prices?symbols=" + ",".join(dict.fromkeys(next(names) for _ in range(SYMBOLS))) for _ in range(count)
        ]
        self.tally = Tally()
        self.ages: list[float] = []
        self.bytes = self.gzipped = self.readings = 0

    async def poll(self, seconds: float) -> None:
        """Poll for some seconds: each client at its own moment of the interval."""
        turns = iter(self._paths * (1 + int(seconds / POLL)))

        async def one() -> None:
            path = next(turns)
            answer = await self._load.http.get(path)
            quotes = expect(answer, 200)
            now = time.time()
            self.ages += [now - quote["at"] for quote in quotes]
            self.readings += len(quotes)
            self.bytes += answer.bytes
            self.gzipped += answer.bytes - len(answer.body) + len(GZIPPED) + len(zlib.compress(answer.body, 6))

        await self._load.open_loop(len(self._paths) / POLL, seconds, one, self.tally)


def tell(event: str, **facts: Any) -> None:
    """Write one JSON line to the parent."""
    print(json.dumps({"event": event, **facts}), flush=True)


async def drive(plan: LoadPlan) -> None:
    """Do everything, and tell the results."""
    http = HttpClient(plan.port)
    await until_ready(http)
    from examples.market_desk.data.universe import Universe

    load = Load(plan, Universe.load().symbols)
    tell("connected", clients=plan.clients)
    result: dict[str, Any] = {"stream": await at_rest(http) if plan.arm != "plain" else {}}
    result["steady"] = await steady(load, http)
    tell("progress", what="steady load", **result["steady"]["analysis"])
    result["steps"] = await steps(load, http)
    result["saturated"] = await saturate(load, http)
    result["tasks"] = await tasks(load)
    result["end"] = (await http.get("/status")).json()
    tell("result", **result)


async def until_ready(http: HttpClient) -> None:
    """Wait until the server answers."""
    for _ in range(600):
        try:
            if (await http.get("/status")).status == 200:
                return
        except OSError:
            pass
        await asyncio.sleep(0.1)
    raise ConnectionError("the server did not answer within a minute")


async def at_rest(http: HttpClient) -> dict[str, Any]:
    """Return what the server does without requests: prices delivered, and seconds of CPU."""
    await asyncio.sleep(1.0)
    before = (await http.get("/status")).json()
    await asyncio.sleep(ALONE)
    after = (await http.get("/status")).json()
    delivered = after.get("delivered", 0) - before.get("delivered", 0)
    return {"delivered": delivered, "cpu": after["cpu"] - before["cpu"], "seconds": ALONE}


async def steady(load: Load, http: HttpClient) -> dict[str, Any]:
    """Run the mixed load at one rate."""
    plan, polls = load.plan, load.plan.arm == "plain"
    kinds = {name: Tally() for name in ("analysis", "batch", "report")}
    pollers = Pollers(load, plan.clients)
    before = (await http.get("/status")).json()
    began, window = time.perf_counter(), [time.time()]
    await asyncio.gather(
        load.open_loop(plan.rate, plan.seconds, load.analysis, kinds["analysis"]),
        load.open_loop(BATCHES, plan.seconds, load.batch, kinds["batch"], 0.5),
        load.open_loop(REPORTS, plan.seconds, load.report, kinds["report"], 1.0),
        *([pollers.poll(plan.seconds)] if polls else []),
    )
    took = time.perf_counter() - began
    after = (await http.get("/status")).json()
    found: dict[str, Any] = {name: tally.summary() for name, tally in kinds.items()}
    found |= {"seconds": took, "before": before, "after": after, "window": [*window, time.time()]}
    if polls:
        found["prices"] = {
            "ages": summarise(pollers.ages)._asdict(),
            "gap": POLL,
            "readings": pollers.readings,
            "bytes": pollers.bytes,
            "gzipped": pollers.gzipped,
            "failed": pollers.tally.failed,
        }
    else:
        found["prices"] = {"bytes": after["bytes_out"] - before["bytes_out"]}  # and what the subscribers tell
    return found


async def steps(load: Load, http: HttpClient) -> list[dict[str, Any]]:
    """Raise the rate of analyses until two in a row are not sustained, as one may be by chance; return every step."""
    found = []
    for rate in load.plan.rates:
        tally = Tally()
        before, began = (await http.get("/status")).json(), time.perf_counter()
        await load.analyses(rate, load.plan.step, tally)
        took, after = time.perf_counter() - began, (await http.get("/status")).json()
        step: dict[str, Any] = {"rate": rate, **tally.summary(), "cpu": after["cpu"] - before["cpu"], "seconds": took}
        step["sustained"] = bool(tally.times) and step["p95"] <= LIMIT * 1e3 and tally.failed <= ERRORS
        step["cache"] = {
            kind: after.get("cache", {}).get(kind, 0) - before.get("cache", {}).get(kind, 0)
            for kind in ("hits", "misses")
        }
        found.append(step)
        tell("progress", what=f"{rate:g} analyses a second", **step)
        if len(found) > 1 and not (found[-1]["sustained"] or found[-2]["sustained"]):
            break
        await asyncio.sleep(0.3)
    return found


async def saturate(load: Load, http: HttpClient) -> dict[str, Any]:
    """Have some clients ask for one analysis after the other without a pause; return what the server answered."""
    tally, end = Tally(), time.perf_counter() + load.plan.step
    before, began = (await http.get("/status")).json(), time.perf_counter()

    async def ask() -> None:
        while (now := time.perf_counter()) < end:
            await timed(load.analysis, tally, now, TIMEOUT)

    await asyncio.gather(*(ask() for _ in range(EAGER)))
    took, after = time.perf_counter() - began, (await http.get("/status")).json()
    found = {**tally.summary(), "cpu": after["cpu"] - before["cpu"], "seconds": took}
    tell("progress", what=f"{EAGER} clients without a pause, {found['n'] / took:.0f} analyses a second", **found)
    return found


async def tasks(load: Load) -> dict[str, Any]:
    """Order many reports at once, and then a thousand short tasks; return how long they took."""
    reports, short = Tally(), Tally()
    began = time.perf_counter()

    async def report() -> None:
        body = [next(load.names) for _ in range(REPORT)]
        if load.plan.arm == "plain":
            expect(await load.orders.post("/generate-report", body), 200)
        else:
            await load.task("/generate-report", body)

    async def guarded(send: Callable[[], Awaitable[None]], tally: Tally, limit: float) -> None:
        await timed(send, tally, time.perf_counter(), limit)

    await asyncio.gather(*(guarded(report, reports, 60) for _ in range(BURST)))
    found: dict[str, Any] = {"reports": reports.summary(), "seconds": time.perf_counter() - began}
    if load.plan.arm.startswith("fast"):
        began = time.perf_counter()

        async def one() -> None:
            await load.task(f"/technical-analysis/{next(load.names)}?bars={random.randint(50, 600)}", None)

        await asyncio.gather(*(guarded(one, short, 60) for _ in range(MANY)))
        found |= {"short": short.summary(), "short_seconds": time.perf_counter() - began}
    return found


def main(plan: LoadPlan) -> int:
    """Run the load; 0 when it could be measured."""
    raise_limit()
    end_with_parent(lambda: os._exit(1))
    try:
        run(drive(plan))
    except Exception as error:
        print(f"load: {error!r} {asdict(plan)}", file=sys.stderr, flush=True)
        return 1
    return 0
