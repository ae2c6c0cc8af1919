"""What can be done on the dashboard, in a real browser, on a service with thousands of tasks."""

from __future__ import annotations

import socket
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

from fastcore.cache.registry import named_caches
from fastcore.service import install
from fastcore.tasks import TaskQueue
from tests.streaming.running import Running
from tests.system.board import CLIENTS, HOSTILE, TOKEN, Service, show, unlock, until

pytestmark = pytest.mark.timeout(300)  # the first of them waits for 1,000 clients


def test_tasks_are_searched_and_their_address_shows_the_same_again(page: Any, service: Service) -> None:
    show(page, service.url, "tasks")
    page.select_option("#task-state", "failed")
    page.wait_for_selector('td:has-text("no feed two")')
    page.fill("#task-text", "FEED ONE")
    until(page, "document.querySelectorAll('tbody input[data-id]').length === 1")
    assert "state=failed" in page.url
    page.reload()
    page.wait_for_selector('td:has-text("no feed one")')
    assert page.locator("tbody input[data-id]").count() == 1
    assert page.input_value("#task-text") == "FEED ONE"
    page.fill("#task-text", "nothing like it")
    page.wait_for_selector("text=no task matches")
    page.click("text=Clear filters")
    until(page, "document.querySelectorAll('tbody input[data-id]').length === 50")
    first = page.locator("tbody a").first.get_attribute("href")
    page.click("text=Older")
    until(page, f"document.querySelector('tbody a').getAttribute('href') !== '{first}'")


def test_a_task_s_page_shows_its_call_only_to_those_with_the_token(page: Any, service: Service) -> None:
    [id] = [t.id for t in service.queue.find(states=["failed"]) if HOSTILE in t.error.text]
    show(page, service.url, f"tasks/{id}")
    page.wait_for_selector("text=Shown after unlocking")
    assert page.locator("pre").count() == 0
    unlock(page)
    page.wait_for_selector('pre:has-text("Traceback")')
    page.wait_for_selector(f'[aria-label="Arguments of the call"] td:has-text("{HOSTILE}")')  # as text
    assert page.locator("main img").count() == 0
    assert "hunter2" not in page.inner_text("main")
    page.wait_for_selector("svg.attempts rect.span-failed")
    page.wait_for_selector('[aria-label="What happened"] td:has-text("OSError: no feed")')
    page.goto(f"{service.url}/fastcore/#tasks/nothing")
    page.wait_for_selector("text=No such task")
    page.wait_for_timeout(2500)
    assert sum(url.endswith("/api/tasks/nothing") for url in page.watched.requests) == 1
    page.watched.errors[:] = [error for error in page.watched.errors if "404" not in error]


def test_several_tasks_are_retried_and_cancelled_at_once(page: Any, service: Service) -> None:
    queue = service.queue
    delayed = [queue.submit(queue.tasks["report"].configure(delay=600), "late") for _ in range(3)]
    show(page, service.url, "tasks?state=queued")
    unlock(page)
    until(page, "document.querySelectorAll('tbody input[data-id]').length === 3")
    page.check("input[data-all]")
    page.click("text=Cancel selected 3")
    page.click("#ask-no")
    assert str(queue.status(delayed[0]).state) == "queued"  # only once it was confirmed
    page.click("text=Cancel selected 3")
    page.click("#ask-yes")
    page.wait_for_selector("text=3 of 3 cancelled")
    assert {str(queue.status(id).state) for id in delayed} == {"cancelled"}
    page.goto(f"{service.url}/fastcore/#tasks?name=broken")
    before = {t.id: t.version for t in queue.find(kind="broken")}
    page.wait_for_selector('td:has-text("no feed two")')
    page.locator("tbody input[data-id]").first.check()
    page.click("text=Retry selected 1")
    page.wait_for_selector("text=1 of 1 queued again")
    service.running.call(lambda: queue.join(60))
    assert sum(t.version > before[t.id] for t in queue.find(kind="broken")) == 1
    page.click('button[aria-label="Pause broken"]')
    page.wait_for_selector('button[aria-label="Resume broken"]')
    assert queue.paused() == ["broken"]
    page.click('button[aria-label="Resume broken"]')
    page.wait_for_selector('button[aria-label="Pause broken"]')


def test_a_message_stays_until_the_next_click_or_key_and_a_moment_at_least(page: Any, service: Service) -> None:
    page.clock.install()
    show(page, service.url, "overview")
    page.evaluate("import('./messages.js').then(({ say }) => { for (let n = 0; n < 7; n++) say(`done ${n}`); })")
    page.keyboard.press("Shift")
    assert page.locator("#said p").all_inner_texts() == [f"done {n}" for n in range(2, 7)]
    page.clock.fast_forward(60_000)
    assert page.locator("#said p").count() == 5  # nobody has touched the page since
    page.keyboard.press("Shift")
    assert page.locator("#said p").count() == 0


def test_a_hidden_page_does_not_read_the_past(page: Any, service: Service) -> None:
    page.add_init_script("Object.defineProperty(document, 'hidden', { get: () => window.away ?? false })")
    show(page, service.url, "overview")
    page.wait_for_selector('[data-series="rss"] svg path')

    def read() -> int:
        return sum("/api/history/" in url for url in page.watched.requests)

    page.evaluate("window.away = true; document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_timeout(500)  # for what was asked before
    before = read()
    page.wait_for_timeout(6000)
    assert read() == before
    page.evaluate(
        """async () => {
            window.away = false;
            for (let n = 0; n < 8; n++) {
                document.dispatchEvent(new Event("visibilitychange"));
                await new Promise((resolve) => setTimeout(resolve, 150));
            }
        }"""
    )
    page.wait_for_timeout(1000)
    before, shown = read(), before
    assert before > shown
    page.wait_for_timeout(6000)
    assert 1 <= read() - before <= 4  # one reading after the other, every 2.5 s


def test_attempts_of_other_processes_are_counted(page: Any, service: Service) -> None:
    show(page, service.url, "overview")
    task = {"queued": 1.0, "started": 30.0, "finished": 31.0, "at": 40.0, "state": "failed", "error": None}
    last = {"attempt": 2, "started": 11.0, "ended": 12.0, "error": "OSError: no feed", "again": 30.0}
    text = """(task) => import("./tasks/timeline.js").then(({ attemptLine }) =>
        attemptLine(task).filter(Boolean).map((element) => element.textContent).join(" "))"""
    found = page.evaluate(text, {**task, "attempt": 3, "earlier": [last]})
    assert "1 earlier attempt is not shown: it ran in another process" in found
    assert "not shown" not in page.evaluate(text, {**task, "attempt": 2, "earlier": [{**last, "attempt": 1}]})


def test_tasks_selected_while_others_are_cancelled_stay_selected(page: Any, service: Service) -> None:
    queue = service.queue
    for n in range(2):
        queue.submit(queue.tasks["report"].configure(delay=600), f"later {n}")
    show(page, service.url, "tasks?state=queued&name=report")
    unlock(page)
    until(page, "document.querySelectorAll('tbody input[data-id]').length === 2")
    held: list[Any] = []
    page.route("**/api/snapshot", lambda route: held.append(route))  # the figures that are read after every change
    page.locator("tbody input[data-id]").first.check()
    page.click("text=Cancel selected 1")
    page.click("#ask-yes")
    page.wait_for_selector("text=1 of 1 cancelled")
    page.locator("tbody input[data-id]").last.check()
    until(page, "document.querySelectorAll('tbody input[data-id]').length === 1")
    with page.expect_response("**/api/snapshot") as answer:
        held.pop().continue_()
    answer.value.finished()
    page.wait_for_timeout(100)  # for what the page does with it
    assert page.locator("tbody input[data-id]").first.is_checked()
    page.wait_for_selector("button:enabled:text-is('Cancel selected 1')")
    queue.purge("report")


def test_a_rule_is_silenced_and_heard_again(page: Any, service: Service) -> None:
    show(page, service.url, "alerts")
    assert page.locator('button[aria-label="Silence rule memory"]').is_disabled()
    unlock(page)
    page.click('button[aria-label="Silence rule memory"]')
    assert page.input_value("#ask-0") == "1h"
    page.fill("#ask-0", "2h")
    page.fill("#ask-1", "a new limit is tried")
    page.click("#ask-yes")
    page.wait_for_selector('[aria-label="Silences"] td:has-text("a new limit is tried")')
    [silence] = service.alerts.silences()
    assert (silence.rule, silence.who) == ("memory", "dashboard")
    page.click('button[aria-label="End the silence of memory"]')
    page.wait_for_selector('[aria-label="Silences"]', state="detached")
    assert service.alerts.silences() == []


def test_a_client_is_found_by_its_topic_and_disconnected(page: Any, service: Service) -> None:
    address = service.url.replace("http", "ws") + "/stream?topics="
    with connect(address + "prices.FB") as one:
        service.running.until(lambda: len(service.hub) == CLIENTS + 1)
        service.running.call(lambda: service.hub.publish("prices.FB", 1.0))
        show(page, service.url, "streaming")
        unlock(page)
        page.wait_for_selector(f"text=of {CLIENTS + 1:,} clients")
        page.fill("#topic-text", "prices.FB")
        page.click('a:text-is("prices.FB")')
        until(page, "document.querySelectorAll('[aria-label^=\"Disconnect 127\"]').length === 1")
        page.click('[aria-label^="Disconnect 127"]')
        page.click("#ask-yes")
        page.wait_for_selector("text=no client:")
        assert len(service.hub) == CLIENTS
        with pytest.raises(ConnectionClosedError, match="3503"):
            next(frame for frame in one if frame is None)


def test_a_cache_is_cleared_and_a_route_has_a_past(page: Any, service: Service) -> None:
    for _ in range(5):
        httpx.get(f"{service.url}/square", trust_env=False)
    show(page, service.url, "caches")
    unlock(page)
    [name] = [name for name in named_caches() if "desk-squares" in name]
    page.click(f'button[aria-label="Clear {name}"]')
    page.click("#ask-yes")
    page.wait_for_selector(f"text=Clear {name}: done")
    assert len(named_caches()[name]) == 0
    page.click(f'a[href*="{name}"]')
    page.wait_for_selector(f'h2:text-is("Hit ratio of {name}")')
    page.goto(f"{service.url}/fastcore/#requests")
    page.click('tr a[href*="square"]')
    rate = "document.querySelector('[aria-label^=\"Requests and errors\"]').data?.[0].y"
    until(page, f"[...({rate} ?? [])].some((y) => y > 0)")


def test_a_restart_is_said_and_the_page_goes_on(page: Any, watched_errors: list[str]) -> None:
    watched_errors += ["ERR_CONNECTION_REFUSED", "WebSocket", "503", "ERR_EMPTY_RESPONSE"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def serve() -> Running:
        app = FastAPI()
        install(app, tasks=TaskQueue(), token=TOKEN, public=True)
        return Running(app, lifespan="on", timeout_graceful_shutdown=1, port=port)

    with serve():
        show(page, f"http://127.0.0.1:{port}", "tasks")
    page.wait_for_selector("#link:not(.state-good)")
    assert page.inner_text("#link") in ("reconnecting", "no new figures", "disconnected")
    with serve():
        page.wait_for_selector("#link.state-good")
        until(page, "!document.querySelector('main.old')")
