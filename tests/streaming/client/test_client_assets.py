"""The browser's client comes out of the package."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from fastcore.streaming.assets import Assets


class Http:
    """Requests to an application, one at a time and without a socket."""

    def __init__(self, app: Any) -> None:
        self._transport = httpx.ASGITransport(app)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="http://desk") as client:
                return await client.request(method, path, **options)

        return asyncio.run(ask())

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)


@pytest.fixture
def http():
    return Http(Starlette(routes=[Mount("/fastcore/static", Assets())]))


@pytest.mark.parametrize("name", ["client.js", "session.js", "msgpack.js"])
def test_every_module_is_served_as_a_script(http, name):
    answer = http.get(f"/fastcore/static/{name}")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "export" in answer.text
    assert len(answer.content) == int(answer.headers["content-length"])
    again = http.get(f"/fastcore/static/{name}", headers={"If-None-Match": f'"other", {answer.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    head = http.request("HEAD", f"/fastcore/static/{name}")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == answer.headers["content-length"]


def test_types_are_there(http):
    assert "export class Client" in http.get("/fastcore/static/client.d.ts").text


@pytest.mark.parametrize(
    "path", ["", "nothing.js", "../client.py", "%2e%2e/client.py", "sub/client.js", "__init__.py", "client.js/x"]
)
def test_nothing_else_is_served(http, path):
    assert http.get(f"/fastcore/static/{path}").status_code == 404


def test_only_reading_is_allowed(http):
    assert http.request("POST", "/fastcore/static/client.js").status_code == 405
