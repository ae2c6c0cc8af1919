"""Every page and every action of the dashboard, on a service with 1,000 clients, 5,000 tasks and 10,000 series."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx
import pytest
from websockets.sync.client import connect

from fastcore import flags
from fastcore.service.dashboard.app import _ACTIONS
from tests.system.board import CLIENTS, PAGES, TASKS, TOKEN, Service, show, unlock, until

FLAG = "board.square"

pytestmark = pytest.mark.timeout(300)  # the first of them waits for 1,000 clients


@pytest.fixture
def unlocked(page: Any) -> Any:
    """A page that may change things."""
    page.add_init_script(f"sessionStorage.setItem('fastcore-token /fastcore/', '{TOKEN}')")
    return page


@pytest.fixture(autouse=True)
def flag_as_before() -> Iterator[None]:
    yield
    flags.resume(FLAG)
    flags.clear(FLAG)
    flags.clear(FLAG, everywhere=True)


@pytest.mark.parametrize("name", PAGES)
def test_every_page_shows_the_figures_of_all(page: Any, service: Service, name: str) -> None:
    with httpx.Client(trust_env=False) as client:
        client.get(f"{service.url}/square")
        policy = client.get(f"{service.url}/fastcore/").headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';")
    show(page, service.url, name)
    figures = {
        "requests": "of 5[0-9]{2} routes",
        "tasks": f"{TASKS:,}",
        "streaming": f"of {CLIENTS:,} clients",
    }
    if name in figures:
        page.wait_for_selector(f"main >> text=/{figures[name]}/")
    if name == "prices":
        until(page, "document.querySelectorAll('#symbol option').length >= 50")
    until(page, "!document.querySelector('main').classList.contains('old')")
    assert len(service.hub) >= CLIENTS


def press(page: Any, button: str, *answers: str, done: str) -> None:
    """Press a button, answer its question if it has one, and wait for what the page says."""
    page.click(button)
    for n, answer in enumerate(answers):
        page.fill(f"#ask-{n}", answer)
    if page.locator("#ask").is_visible():
        page.click("#ask-yes")
    page.wait_for_selector(f"#said >> text={done}")


def test_every_action_does_what_it_says(page: Any, service: Service) -> None:
    queue, url = service.queue, service.url
    posted: list[str] = []
    page.on("request", lambda r: posted.append(unquote(urlsplit(r.url).path)) if r.method == "POST" else None)
    show(page, url, "overview")
    unlock(page)
    press(page, "text=Add a mark", "deployed 2.0", done="Mark: done")

    page.goto(f"{url}/fastcore/#switches/{FLAG}")
    page.select_option('select[aria-label="Mode"]', "candidate")
    press(page, "text=Set mode", "measured", done=f"Set mode {FLAG}: done")
    assert flags.get(FLAG).mode == "candidate"
    press(page, "text=Clear setting", done=f"Clear setting {FLAG}: done")
    assert flags.get(FLAG).mode == "control"
    page.locator('input[type="range"]').fill("30")
    press(page, "button:text-is('Ramp')", "more of it", done=f"Ramp {FLAG}: done")
    assert flags.get(FLAG).mode == "ramp:30"
    flags.set(FLAG, "canary")
    press(page, "text=Promote", "fine", done=f"Promote {FLAG}: done")
    assert flags.get(FLAG).mode == "candidate"
    press(page, "text=Kill switch", "slow", done=f"Kill switch {FLAG}: done")
    assert flags.get(FLAG).source == "rollback"
    press(page, "text=Resume", done=f"Resume {FLAG}: done")
    assert flags.get(FLAG).source != "rollback"

    later = [queue.submit(queue.tasks["report"].configure(delay=600), f"later {n}") for n in range(4)]
    page.goto(f"{url}/fastcore/#tasks?state=queued&name=report")
    until(page, "document.querySelectorAll('tbody input[data-id]').length === 4")
    page.locator("tbody input[data-id]").first.check()
    press(page, "text=Cancel selected 1", done="1 of 1 cancelled")
    waiting = next(id for id in later if str(queue.status(id).state) == "queued")
    page.goto(f"{url}/fastcore/#tasks/{waiting}")
    press(page, "text=Cancel task", done="Cancel report: done")
    assert str(queue.status(waiting).state) == "cancelled"
    page.goto(f"{url}/fastcore/#tasks?name=report")
    press(page, 'button[aria-label="Pause report"]', done="Pause: report: paused")
    press(page, 'button[aria-label="Resume report"]', done="Resume: report: resumed")
    press(page, 'button[aria-label="Purge report"]', done="Cancel all waiting: report: 2 cancelled")

    dead = queue.submit(queue.tasks["broken"].configure(retries=1), "dead")
    service.running.call(lambda: queue.join(60))
    assert str(queue.status(dead).state) == "dead"
    page.goto(f"{url}/fastcore/#tasks/{dead}")
    press(page, "button:text-is('Retry')", done="Retry broken: done")
    service.running.call(lambda: queue.join(60))
    page.goto(f"{url}/fastcore/#tasks?state=dead")
    press(page, 'button[aria-label="Retry dead broken"]', done="Retry all dead: broken: 1 queued again")
    service.running.call(lambda: queue.join(60))
    page.locator("tbody input[data-id]").first.check()
    press(page, "text=Retry selected 1", done="1 of 1 queued again")

    page.goto(f"{url}/fastcore/#alerts")
    press(page, 'button[aria-label="Silence rule memory"]', "1h", "known", done="Silence memory: silenced for 1h")
    press(page, 'button[aria-label="End the silence of memory"]', done="End the silence of memory: done")

    stream = service.url.replace("http", "ws") + "/stream?topics=prices.alone"
    with connect(stream):
        service.running.until(lambda: len(service.hub) == CLIENTS + 1)
        page.goto(f"{url}/fastcore/#streaming?topic=prices.alone")
        until(page, "document.querySelectorAll('[aria-label^=\"Disconnect 127\"]').length === 1")
        press(page, '[aria-label^="Disconnect 127"]', done="Disconnect 127.0.0.1")
        assert len(service.hub) == CLIENTS

    httpx.get(f"{url}/square", trust_env=False)
    page.goto(f"{url}/fastcore/#caches")
    press(page, 'button[aria-label^="Clear"]:enabled', done="Clear")
    page.goto(f"{url}/fastcore/#memory")
    press(page, "text=Shrink caches and collect", done="Shrink caches: ")

    asked = {path.removeprefix("/fastcore/api/") for path in posted}
    assert "marks" in asked
    assert [pattern.pattern for pattern, _ in _ACTIONS if not any(map(pattern.fullmatch, asked))] == []


def test_theme_range_and_filters_change_what_is_shown(unlocked: Any, service: Service) -> None:
    page = unlocked
    show(page, service.url, "overview")
    before = page.evaluate("document.documentElement.dataset.theme")
    page.click("#theme")
    assert page.evaluate("document.documentElement.dataset.theme") != before
    page.reload()
    page.wait_for_selector("#link.state-good")
    assert page.evaluate("document.documentElement.dataset.theme") != before  # it is kept
    page.goto(f"{service.url}/fastcore/#tasks")
    page.click("text=Older")
    page.click('a:text-is("Newest")')
    until(page, "!location.hash.includes('before=')")
    page.goto(f"{service.url}/fastcore/#streaming")
    page.wait_for_selector(f"text=of {CLIENTS:,} clients")
    page.check("#client-slow")
    page.wait_for_selector("text=no client:")
    page.uncheck("#client-slow")
    page.fill("#client-text", "nobody")
    page.wait_for_selector("text=no client:")
