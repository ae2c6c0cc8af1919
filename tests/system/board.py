"""The dashboard in a browser: a service to look at, its pages, and waiting for what they show."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from fastapi import FastAPI

from fastcore.cache import cached
from fastcore.monitor import AlertManager
from fastcore.service import install
from fastcore.streaming import Hub
from fastcore.tasks import TaskQueue
from tests.streaming.running import Running

__all__ = ["HOSTILE", "TOKEN", "Service", "running_service", "show", "unlock", "until"]

TOKEN = "correct horse battery"
HOSTILE = "<img src=x onerror=alert(1)>"
TASKS = 5000


class Service(NamedTuple):
    """A service that runs."""

    url: str
    queue: TaskQueue
    hub: Hub
    running: Running
    alerts: AlertManager


@contextmanager
def running_service() -> Iterator[Service]:
    """A service with 5,000 tasks, of which some failed and some wait for ever."""
    queue, hub, app = TaskQueue(), Hub(), FastAPI()

    @queue.task(name="report")
    async def report(symbol: str, **more: Any) -> str:
        return symbol

    @queue.task(name="broken", retries=0)
    async def broken(text: str, **more: Any) -> None:
        raise OSError(f"no feed {text}")

    @cached(maxsize=8, name="desk-squares")
    def square(n: int) -> int:
        return n * n

    @app.get("/square")
    def read() -> int:
        return square(3)

    installed = install(app, tasks=queue, hub=hub, token=TOKEN, public=True)
    assert installed.alerts is not None
    with Running(app, lifespan="on", timeout_graceful_shutdown=1) as running:
        queue.submit_many([(report, (f"S{n}",)) for n in range(TASKS)])
        for text in ("one", "two", HOSTILE):
            queue.submit(broken, text, password="hunter2")
        running.call(lambda: queue.join(60))
        yield Service(f"http://127.0.0.1:{running.port}", queue, hub, running, installed.alerts)


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
    page.click("#ask-yes")
    if token == TOKEN:
        page.wait_for_selector('#token:text-is("Lock")')
