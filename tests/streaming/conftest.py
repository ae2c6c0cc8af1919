"""Hubs on servers of every kind."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from fastcore.streaming import Hub, install_hub, sessions
from tests.streaming.running import HUB, Running

SERVERS = {
    "direct": {"ws": HUB},
    "uvloop": {"ws": HUB, "loop": "uvloop"},
    "asgi": {"ws": "websockets-sansio", "http": "h11"},
}
if sys.platform == "win32":
    del SERVERS["uvloop"]

Serve = Callable[..., tuple[Hub, Running]]


@pytest.fixture(autouse=True)
def nothing_installed() -> Iterator[None]:
    before = install_hub(None)
    yield
    install_hub(before)


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder for sockets: on macOS the path of `tmp_path` is longer than theirs may be."""
    folder = None if sys.platform == "win32" else "/tmp"
    with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as path:
        yield Path(path)


@pytest.fixture
def ahead(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds by which the wall clock of the sessions is ahead; a test may change them."""
    seconds = [0.0]

    class Clock:
        monotonic = staticmethod(time.monotonic)

        @staticmethod
        def time() -> float:
            return time.time() + seconds[0]

    monkeypatch.setattr(sessions, "time", Clock)
    return seconds


@pytest.fixture
def running() -> Iterator[list[Running]]:
    found: list[Running] = []
    yield found
    for server in found:
        server.__exit__(None, None, None)


@pytest.fixture(scope="module")
def kept() -> Iterator[dict[str, Running]]:
    """Servers that many tests use, one after the other."""
    found: dict[str, Running] = {}
    yield found
    for server in found.values():
        server.__exit__(None, None, None)


@pytest.fixture(params=list(SERVERS))
def serve(request: pytest.FixtureRequest, kept: dict[str, Running]) -> Serve:
    """``serve(**options)``: a hub at /stream of a server of the kind under test."""
    kind = request.param

    def start(**options: Any) -> tuple[Hub, Running]:
        if kind not in kept:
            kept[kind] = Running(FastAPI(), **SERVERS[kind]).__enter__()
        app = kept[kind].app
        app.router.routes.clear()
        hub = Hub(**options)
        hub.route(app)
        return hub, kept[kind]

    start.kind = kind  # type: ignore[attr-defined]
    return start
