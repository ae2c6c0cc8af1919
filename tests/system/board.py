"""The dashboard in a browser: opening its pages, and waiting for what they show."""

from __future__ import annotations

import time
from typing import Any

__all__ = ["TOKEN", "show", "unlock", "until"]

TOKEN = "correct horse battery"


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
    page.fill("#ask-value", token)
    page.click("#ask-yes")
    if token == TOKEN:
        page.wait_for_selector('#token:text-is("Lock")')
