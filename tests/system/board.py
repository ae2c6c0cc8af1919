"""The dashboard in a browser: a busy service to look at, its pages, and waiting for what they show."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import httpx
from fastapi import FastAPI

from fastcore import Switch, metrics
from fastcore.cache import cached
from fastcore.monitor import AlertManager
from fastcore.service import install
from fastcore.streaming import Hub, Limits
from fastcore.tasks import TaskQueue
from tests.streaming.running import Running
from tests.system.crowd import TOPICS, crowd

__all__ = ["CLIENTS", "HOSTILE", "PAGES", "TASKS", "TOKEN", "Service", "running_service", "show", "unlock", "until"]

TOKEN = "correct horse battery"
HOSTILE = "<img src=x onerror=alert(1)>"
PAGES = ("overview", "requests", "alerts", "switches", "tasks", "caches", "memory", "streaming", "prices")
TASKS, CLIENTS, ROUTES, SERIES = 5000, 1000, 500, 10_000


class Service(NamedTuple):
    """A service that runs."""

    url: str
    queue: TaskQueue
    hub: Hub
    running: Running
    alerts: AlertManager


@contextmanager
def running_service() -> Iterator[Service]:
    """A service with 5,000 tasks, of which some failed, 1,000 streaming clients and 10,000 series."""
    limits = Limits(connections=CLIENTS + 50, per_address=CLIENTS + 50)
    queue, hub, app = TaskQueue(), Hub(limits=limits), FastAPI()

    @queue.task(name="report")
    async def report(symbol: str, **more: Any) -> str:
        return symbol

    @queue.task(name="broken", retries=0)
    async def broken(text: str, **more: Any) -> None:
        raise OSError(f"no feed {text}")

    @cached(maxsize=8, name="desk-squares")
    def square(n: int) -> int:
        return n * n

    switch = Switch("board.square", control=lambda n: n * n, candidate=lambda n: n**2)

    @app.get("/square")
    def read() -> int:
        return int(switch(square(3)))

    async def publish() -> None:
        while True:
            for n in range(TOPICS):
                hub.publish(f"prices.S{n}", 100.0 + time.monotonic() % 7)
            await asyncio.sleep(1)

    installed = install(app, tasks=queue, hub=hub, token=TOKEN, public=True)
    assert installed.alerts is not None
    with ExitStack() as stack:
        running = stack.enter_context(Running(app, lifespan="on", timeout_graceful_shutdown=1))
        for _ in range(5):  # the routes of most requests have a history
            httpx.get(f"http://127.0.0.1:{running.port}/square", trust_env=False)
        stack.enter_context(many_series())
        queue.submit_many([(report, (f"S{n}",)) for n in range(TASKS)])
        for text in ("one", "two", HOSTILE):
            queue.submit(broken, text, password="hunter2")
        running.call(lambda: queue.join(60))
        stack.enter_context(crowd(running.port, CLIENTS))
        publishing = running.call(lambda: [running.loop.create_task(publish())])
        stack.callback(lambda: running.call(publishing[0].cancel))
        yield Service(f"http://127.0.0.1:{running.port}", queue, hub, running, installed.alerts)


@contextmanager
def many_series() -> Iterator[None]:
    """10,000 series, of which 1,000 are those of 500 routes."""
    made: list[tuple[str, dict[str, str]]] = []
    for number in range(ROUTES):
        labels = {"method": "GET", "route": f"/route{number}"}
        made += [("fastcore_http_requests_total", {**labels, "status": "200"})]
        made += [("fastcore_http_request_duration_seconds", labels)]
        metrics.latency(made[-1][0], **made[-1][1]).observe(0.001 * (1 + number % 50))
        made += [(f"board_{name}_total", {"number": str(number)}) for name in range(SERIES // ROUTES - 2)]
    for name, labels in made:
        if name.endswith("_total"):
            metrics.counter(name, **labels).add()
    yield
    for name, labels in made:
        metrics.remove(name, **labels)


def show(page: Any, url: str, name: str) -> None:
    """Open a page of the dashboard, and wait for its figures."""
    page.goto(f"{url}/fastcore/#{name}")
    page.wait_for_selector("#link.state-good")
    page.wait_for_selector(f'nav a[aria-current="page"][href="#{name.split("/")[0].split("?")[0]}"]')
    page.wait_for_selector("#page .card:visible, #page .tile:visible")


def until(page: Any, condition: str) -> None:
    """Wait for something to hold in the page; Playwright's own way needs `eval`, which the content policy forbids."""
    deadline = time.monotonic() + 60
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, f"{condition}; the page: {page.inner_text('body')[:1000]}"
        page.wait_for_timeout(20)


def unlock(page: Any, token: str = TOKEN) -> None:
    page.click("#token")
    page.fill("#ask-0", token)
    if token != TOKEN:
        page.click("#ask-yes")
        return
    with page.expect_navigation():  # the page is loaded again: what is done before that is lost
        page.click("#ask-yes")
    page.wait_for_selector('#token:text-is("Lock")')
    page.wait_for_selector('#link:not(:text-is("connecting"))')  # elements may be replaced until then
