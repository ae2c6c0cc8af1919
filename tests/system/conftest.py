"""Tests against whole systems of others: a real browser, a real Prometheus. ``make test-system`` runs them.

They are left out of every other run. Fixtures: `page`, a browser's page that reaches loopback only; `modules`, one with
the modules of `client.js`; `serve`, an application under uvicorn in a thread; `service`, a busy one with a dashboard;
`aside`, an event loop in a thread for what has to run while a test runs; `served`, a hub on a server that believes a
proxy on this machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette

from fastcore import _env
from fastcore.streaming import Hub
from tests.streaming.running import Running
from tests.system.board import Service, running_service

if not _env.boolean("FASTCORE_SYSTEM_TESTS"):
    collect_ignore_glob = ["test_*.py"]

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-sync",
    "--metrics-recording-only",
    "--no-first-run",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
]
LOOPBACK = ("127.0.0.1", "localhost", "[::1]", "::1")


@pytest.fixture(scope="module")  # for longer, and no other module could run an event loop in this thread
def browser() -> Iterator[Any]:
    """Chromium, as the system has it installed; tests that use it run coroutines by `aside`."""
    from playwright.sync_api import sync_playwright

    told = os.environ.get("FASTCORE_CHROMIUM")
    found = told or next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.fail("expected chromium on PATH or in FASTCORE_CHROMIUM, found none (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield made
        made.close()


class Watched:
    """What a page has asked for and complained about."""

    def __init__(self, page: Any) -> None:
        self.requests: list[str] = []
        self.outside: list[str] = []  # refused: not on this machine
        self.errors: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("websocket", lambda link: self._asked(link.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)

    def _asked(self, url: str) -> None:
        self.requests.append(url)
        if urlsplit(url).hostname not in LOOPBACK:
            self.outside.append(url)

    def route(self, route: Any) -> None:
        """Allow requests to this machine only."""
        url = urlsplit(route.request.url)
        if url.scheme in ("data", "blob", "about") or url.hostname in LOOPBACK:
            route.continue_()
        else:
            self.outside.append(route.request.url)
            route.abort()


@pytest.fixture
def page(browser: Any, watched_errors: list[str]) -> Iterator[Any]:
    """A separate page; ``page.watched`` has its requests and errors.

    A test fails if the page asked for anything outside this machine, or complained about anything but what the test
    has put (as part of a text) into `watched_errors`.
    """
    context = browser.new_context(service_workers="block")
    made = context.new_page()
    made.set_default_timeout(60_000)
    made.watched = Watched(made)
    context.route("**/*", made.watched.route)
    yield made
    context.close()
    assert not made.watched.outside, "asked for outside this machine"
    left = [error for error in made.watched.errors if not any(part in error for part in watched_errors)]
    assert not left, "errors in the page"


@pytest.fixture(scope="module")
def modules(browser: Any) -> Iterator[Any]:
    """A page with the modules of `client.js` and nothing behind it."""
    static = resources.files("fastcore.streaming").joinpath("static")

    def answer(route: Any) -> None:
        name = route.request.url.rsplit("/", 1)[-1]
        body = static.joinpath(name).read_text(encoding="utf-8") if name else ""
        route.fulfill(body=body, content_type="text/javascript" if name else "text/html")

    context = browser.new_context()
    context.route("**/*", answer)
    made = context.new_page()
    made.goto("http://127.0.0.1:1/")
    yield made
    context.close()


@pytest.fixture
def watched_errors() -> list[str]:
    """Parts of the complaints that a test expects; it adds its own."""
    return []


class Aside:
    """An event loop in a thread, and the contexts that were entered there."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._contexts: list[AbstractAsyncContextManager[Any]] = []
        self._thread = threading.Thread(target=self.loop.run_forever, name="aside", daemon=True)
        self._thread.start()

    def call(self, waited: Awaitable[Any], timeout: float = 90.0) -> Any:
        """Run a coroutine there and return its result."""

        async def run() -> Any:
            return await waited

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(timeout)

    def soon(self, fn: Callable[..., Any], *args: Any) -> Any:
        """Call a function there and return its result."""
        done: Future[Any] = Future()

        def run() -> None:
            try:
                done.set_result(fn(*args))
            except BaseException as error:
                done.set_exception(error)

        self.loop.call_soon_threadsafe(run)
        return done.result(90)

    def enter(self, context: AbstractAsyncContextManager[Any]) -> Any:
        """Enter a context there; it is left when the test ends, the latest first."""
        made = self.call(context.__aenter__())
        self._contexts.append(context)
        return made

    def close(self) -> None:
        try:
            while self._contexts:
                self.call(self._contexts.pop().__aexit__(None, None, None))
        finally:
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(30)
            self.loop.close()


@pytest.fixture
def aside() -> Iterator[Aside]:
    """An event loop in a separate thread."""
    made = Aside()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """``serve(app, **config)`` runs an ASGI application under uvicorn in a thread and returns its URL."""
    import uvicorn

    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(app: Any, **config: Any) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        options = {"log_level": "warning", "timeout_graceful_shutdown": 2, **config}
        server = uvicorn.Server(uvicorn.Config(app, **options))
        failed: list[BaseException] = []

        def run() -> None:
            try:
                asyncio.run(server.serve(sockets=[listener]))
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=run, name="served", daemon=True)
        thread.start()
        running.append((server, thread))
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError("serve: expected an application that starts, got one that ended") from next(
                    iter(failed), None
                )
            thread.join(0.01)
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for server, _ in running:
        server.should_exit = True
    for server, thread in running:
        thread.join(30)
        if thread.is_alive():
            server.force_exit = True
            thread.join(30)
            with contextlib.suppress(AssertionError):
                assert not thread.is_alive()


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    """A busy service with a dashboard."""
    with running_service() as made:
        yield made


@pytest.fixture
def served() -> Iterator[tuple[Hub, Running]]:
    app = Starlette()
    hub = Hub(authenticate=lambda token: token == "good")
    hub.route(app)
    hub.sse(app, "/stream/events")
    with Running(app, proxy_headers=True, forwarded_allow_ips="127.0.0.1", timeout_graceful_shutdown=1) as server:
        yield hub, server
