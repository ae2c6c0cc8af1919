"""Every page of the dashboard as axe-core sees it: both themes, from a phone to a wide screen."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from typing import Any

import httpx
import pytest

from tests.system.board import PAGES, TOKEN, Service, until

VIEWS = (*PAGES, "task")
WIDTHS = (375, 1280, 2560)

pytestmark = pytest.mark.timeout(300)  # the first of them waits for 1,000 clients


@pytest.fixture(scope="module", autouse=True)
def something_on_every_page(service: Service) -> Iterator[None]:
    silence = service.alerts.silence("memory", "1h", reason="a new limit")
    httpx.get(f"{service.url}/square", trust_env=False)
    yield
    service.alerts.unsilence(silence.id)


@pytest.fixture(scope="module")
def axe() -> str:
    """The script of axe-core, which comes with a package of the `system` extra."""
    return resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")


@pytest.mark.parametrize(("scheme", "unlocked"), [("light", True), ("dark", False)])
def test_axe_finds_nothing_on_any_page(page: Any, service: Service, axe: str, scheme: str, unlocked: bool) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    if unlocked:
        page.add_init_script(f"sessionStorage.setItem('fastcore-token /fastcore/', '{TOKEN}')")
    page.goto(f"{service.url}/fastcore/#overview")
    page.wait_for_selector("#link.state-good")
    page.evaluate(axe)
    wrong = []
    for name in VIEWS:
        [task] = [t.id for t in service.queue.find(kind="broken", limit=1)]
        page.evaluate(f"location.hash = '{f'tasks/{task}' if name == 'task' else name}'")
        page.wait_for_selector(f'nav a[aria-current="page"][href="#{"tasks" if name == "task" else name}"]')
        page.wait_for_selector('text="All tasks"' if name == "task" else "#page .card:visible, #page .tile:visible")
        until(page, "!document.querySelector('main').innerText.includes('reading…')")
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            until(page, f"document.documentElement.scrollWidth <= {width}")
            found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            wrong += [
                (name, width, one["id"], node["html"][:150], node["failureSummary"][:200])
                for one in found["violations"]
                for node in one["nodes"][:2]
            ]
    assert not wrong, "\n".join(map(str, wrong))


def test_keys_lead_to_pages_and_to_the_search_unless_they_are_switched_off(page: Any, service: Service) -> None:
    page.goto(f"{service.url}/fastcore/#overview")
    page.wait_for_selector("#link.state-good")
    page.keyboard.press("g")
    page.keyboard.press("t")
    page.wait_for_selector('nav a[aria-current="page"][href="#tasks"]')
    assert page.inner_text("#arrived") == "Tasks"  # said to those who do not see it
    page.wait_for_selector("#task-text:visible")
    page.keyboard.press("/")
    until(page, "document.activeElement.id === 'task-state'")
    page.focus("#task-text")
    page.keyboard.type("go?")  # text in a field is text
    assert page.input_value("#task-text") == "go?"
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.wait_for_selector("#keys[open]")
    page.uncheck("#keys-on")
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("o")
    page.wait_for_timeout(300)
    assert page.url.partition("#")[2].startswith("tasks")
    page.reload()
    page.wait_for_selector("#link.state-good")
    page.click("#help")  # the button is there for those without keys
    assert not page.is_checked("#keys-on")


def test_a_mark_is_put_on_every_chart(page: Any, service: Service) -> None:
    page.add_init_script(f"sessionStorage.setItem('fastcore-token /fastcore/', '{TOKEN}')")
    page.goto(f"{service.url}/fastcore/#overview")
    page.click("text=Add a mark")
    page.fill("#ask-0", "deployed <b>1.2.3</b>")
    page.click("#ask-yes")
    page.wait_for_selector('ul.wrong li:has-text("deployed <b>1.2.3</b>")')
    page.goto(f"{service.url}/fastcore/#requests")
    marks = "(document.querySelector('.chart').data ?? []).some((t) => t.text?.some?.((m) => m.includes('1.2.3')))"
    until(page, marks)
