"""The dashboard below a prefix, behind real proxies that remove it or keep it, and that have a login of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Response

from fastcore import Switch, flags
from fastcore.service import install
from fastcore.service.dashboard import Prices
from tests.streaming.running import Running
from tests.system.board import TOKEN, show, unlock, until
from tests.system.proxied import CADDY, NGINX, free_port, running_caddy, running_nginx

FLAG = "proxied.square"
PASSED = """
    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $connection_upgrade;
    proxy_set_header Host $http_host;
"""

MAP = 'map $http_upgrade $connection_upgrade { default upgrade; "" ""; }'

pytestmark = pytest.mark.skipif(NGINX is None or CADDY is None, reason="needs nginx and caddy")


@contextmanager
def service(path: str = "/fastcore", **options: Any) -> Iterator[int]:
    """The port of a service with a flag, prices and a page for every path that it does not know."""
    app = FastAPI()
    Switch(FLAG, control=lambda n: n * n, candidate=lambda n: n**2)
    prices = Prices()

    @app.get("/{path:path}")
    def everything(path: str) -> Response:
        return Response("a page of the application")

    install(app, path=path, token=TOKEN, public=["dashboard"], prices=prices, alerts=False, triggers=False)
    prices.update("AAPL", 100.0)
    with Running(app, lifespan="on", timeout_graceful_shutdown=1, **options) as running:
        yield running.port
    flags.resume(FLAG)
    flags.clear(FLAG)


@contextmanager
def nginx(folder: Path, backend: int, removed: bool, more: str = "") -> Iterator[str]:
    port = free_port()
    upstream = f"http://127.0.0.1:{backend}{'/' if removed else ''}"
    location = f"location /desk/ {{ proxy_pass {upstream}; {PASSED} {more} }}"
    with running_nginx(folder, f"{MAP}\nserver {{ listen 127.0.0.1:{port}; {location} }}", port):
        yield f"http://127.0.0.1:{port}/desk"


@contextmanager
def caddy(folder: Path, backend: int, removed: bool) -> Iterator[str]:
    port = free_port()
    handle = "handle_path" if removed else "handle"
    site = f"http://127.0.0.1:{port} {{\n {handle} /desk/* {{\n reverse_proxy 127.0.0.1:{backend}\n }}\n}}\n"
    with running_caddy(folder, site, port):
        yield f"http://127.0.0.1:{port}/desk"


PROXIES = {"nginx": nginx, "caddy": caddy}


@pytest.mark.parametrize("proxy", PROXIES)
@pytest.mark.parametrize(
    ("removed", "options"),
    [(True, {}), (True, {"root_path": "/desk"}), (False, {"path": "/desk/fastcore"})],
    ids=["removed", "removed, and the server knows it", "kept"],
)
def test_pages_stream_and_actions_work_below_a_prefix(
    page: Any, tmp_path: Path, proxy: str, removed: bool, options: dict[str, Any]
) -> None:
    with service(**options) as backend, PROXIES[proxy](tmp_path, backend, removed) as url:
        uses_every_part(page, url)


def uses_every_part(page: Any, url: str) -> None:
    page.goto(f"{url}/fastcore#switches/{FLAG}")  # without the slash
    page.wait_for_selector("#link.state-good")
    assert page.url == f"{url}/fastcore/#switches/{FLAG}"
    unlock(page)
    page.wait_for_selector(f'[data-row="{FLAG}"][aria-selected="true"]')
    page.click("button.danger")
    page.fill("#ask-0", "through a proxy")
    page.click("#ask-yes")
    page.wait_for_selector(f'[data-row="{FLAG}"] .state-bad')
    assert flags.get(FLAG).source == "rollback"
    show(page, url, "prices")
    until(page, "document.querySelector('.chart').dataset.drawn >= 1")  # plotly.js and the stream of a symbol
    page.reload()
    page.wait_for_selector('nav a[aria-current="page"][href="#prices"]')
    assert all(request.startswith((url, url.replace("http", "ws", 1))) for request in page.watched.requests)
    page.goto("about:blank")  # before the service ends


def test_the_login_of_a_proxy_does_not_stand_in_the_way_of_the_token(browser: Any, tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text("ann:{PLAIN}secret\n")
    users.chmod(0o644)
    login = f'auth_basic "desk"; auth_basic_user_file {users};'
    with service() as backend, nginx(tmp_path, backend, True, login) as url:
        context = browser.new_context(http_credentials={"username": "ann", "password": "secret"})
        try:
            signed_in = context.new_page()
            signed_in.set_default_timeout(60_000)
            signed_in.goto(f"{url}/fastcore/#switches/{FLAG}")
            signed_in.wait_for_selector("#link.state-good")
            unlock(signed_in)
            signed_in.wait_for_selector(f'[data-row="{FLAG}"][aria-selected="true"]')
            signed_in.click("button.danger")
            signed_in.fill("#ask-0", "behind a login")
            signed_in.click("#ask-yes")
            signed_in.wait_for_selector(f'[data-row="{FLAG}"] .state-bad')
        finally:
            context.close()


def test_two_dashboards_of_one_origin_have_a_token_each(page: Any, tmp_path: Path) -> None:
    with service() as backend:
        port = free_port()
        other = f"location /other/ {{ proxy_pass http://127.0.0.1:{backend}/; {PASSED} }}"
        desk = f"location /desk/ {{ proxy_pass http://127.0.0.1:{backend}/; {PASSED} }}"
        with running_nginx(tmp_path, f"{MAP}\nserver {{ listen 127.0.0.1:{port}; {desk} {other} }}", port):
            show(page, f"http://127.0.0.1:{port}/desk", "overview")
            unlock(page)
            show(page, f"http://127.0.0.1:{port}/other", "overview")
            assert page.inner_text("#token") == "Unlock"  # the token of one is not sent to the other
            show(page, f"http://127.0.0.1:{port}/desk", "overview")
            assert page.inner_text("#token") == "Lock"
            page.goto("about:blank")
