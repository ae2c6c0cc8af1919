"""Hubs on Starlette, on the two kinds of servers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from starlette.applications import Starlette

from fastcore.streaming import Hub
from tests.streaming.raw_client import RawClient, Refused
from tests.streaming.running import HUB, Running

Serve = Callable[..., tuple[Hub, Running]]
KINDS = {"direct": {"ws": HUB, "http": "h11"}, "asgi": {"ws": "websockets-sansio", "http": "httptools"}}


def make(kept: dict[str, Running], kind: str) -> Serve:
    def start(**options: Any) -> tuple[Hub, Running]:
        if kind not in kept:
            kept[kind] = Running(Starlette(), **KINDS[kind]).__enter__()
        kept[kind].app.router.routes.clear()
        hub = Hub(**options)
        hub.route(kept[kind].app)
        return hub, kept[kind]

    return start


@pytest.fixture(params=list(KINDS))
def serve(request: pytest.FixtureRequest, kept: dict[str, Running]) -> Serve:
    return make(kept, request.param)


@pytest.fixture
def serve_direct(kept: dict[str, Running]) -> Serve:
    return make(kept, "direct")


def status_of(port: int, path: str = "/stream", **headers: str) -> int:
    try:
        RawClient(port, path, headers=headers).close()
    except Refused as refused:
        return refused.status
    return 101
