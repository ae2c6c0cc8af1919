"""Takes the pictures of the dashboard that the documentation shows: ``python tools/screenshots.py [--only overview]``.

Runs the market desk under some load and looks at it with Chromium, in both themes: as narrow as a phone, and wide.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("overview", "requests", "alerts", "switches", "tasks", "task", "caches", "memory", "streaming", "prices")
VIEWS: tuple[tuple[Literal["light", "dark"], int], ...] = (
    *(("light", 1200), ("dark", 1200), ("light", 375)),
    *(("dark", 375), ("light", 2560), ("dark", 2560)),
)
WIDTHS = {375: "-narrow", 1200: "", 2560: "-wide"}
LARGEST = 300_000  # bytes of a picture
COLOURS = 128  # of a picture
TOKEN = "a token for pictures"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync", "--no-first-run"]


@contextmanager
def desk() -> Iterator[str]:
    """Run the market desk; gives its address."""
    command = [sys.executable, "-m", "examples.market_desk", "serve", "--port", "0"]
    environment = {**os.environ, "FASTCORE_ADMIN_TOKEN": TOKEN}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://[\d.:]+", process.stdout.readline())
            if found is None:
                raise SystemExit("the market desk did not start")
            yield found[0]
        finally:
            process.terminate()


def ask(url: str, body: Any = None) -> Any:
    """Return what the desk answers."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=60) as answer:
        return json.load(answer)


def load(address: str, stop: threading.Event) -> None:
    """Request analyses and reports until stopped; half of the indicators by each arm."""
    ask(f"{address}/fastcore/api/flags/technical_analysis/set", {"mode": "ramp:50", "reason": "half of the calls"})
    symbols = ("AAPL", "IBM", "MSFT", "GOOG", "FB")
    n = 0
    while not stop.is_set():
        ask(f"{address}/technical-analysis/{symbols[n % 5]}?bars={200 + n % 120}")
        if n % 60 == 0:
            ask(f"{address}/generate-report", [symbols[n // 60 % 5]])
        n += 1
        time.sleep(0.05)


def stream(address: str, stop: threading.Event) -> None:
    """Be three clients of the hub."""
    import asyncio

    from fastcore.streaming import Client

    async def listen() -> None:
        url = address.replace("http", "ws") + "/stream"
        clients = [Client(url, ["prices.*"], on_message=lambda message: None) for _ in range(3)]
        for client in clients:
            await client.start()
        while not stop.is_set():
            await asyncio.sleep(0.1)
        for client in clients:
            await client.aclose()

    asyncio.run(listen())


@contextmanager
def busy_desk() -> Iterator[str]:
    """Serve the market desk under some requests and subscribers; the address."""
    stop = threading.Event()
    with desk() as address:
        threads = [threading.Thread(target=work, args=(address, stop)) for work in (load, stream)]
        for thread in threads:
            thread.start()
        try:
            yield address
        finally:
            stop.set()
            for thread in threads:
                thread.join()


def browser_path() -> str | None:
    """Return where Chromium is."""
    return os.environ.get("FASTCORE_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")


def report(address: str) -> str:
    """Return the id of the newest report."""
    return str(ask(f"{address}/fastcore/api/tasks?text=report&limit=1")["tasks"][0]["id"])


def save(picture: bytes, path: Path) -> int:
    """Write a picture with as many colours as it needs to look the same; returns its bytes."""
    from PIL import Image

    picked = Image.open(io.BytesIO(picture)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    picked.save(path, optimize=True)
    return path.stat().st_size


def take(address: str, folder: Path, only: tuple[str, ...]) -> None:
    """Take every picture."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=ARGUMENTS)
        contexts = [
            (theme, width, browser.new_context(color_scheme=theme, viewport={"width": width, "height": 1000}))
            for theme, width in VIEWS
        ]
        opened = [(theme, width, context.new_page()) for theme, width, context in contexts]
        for _, _, page in opened:
            page.goto(f"{address}/fastcore/#overview")
            page.evaluate("token => sessionStorage.setItem('fastcore-token /fastcore/', token)", TOKEN)
            page.reload()
            page.wait_for_selector("#link.state-good")
        time.sleep(20)  # lines over time want a past
        for name in only:
            where = name if name != "task" else f"tasks/{report(address)}"
            where = "switches/technical_analysis" if name == "switches" else where
            for _, _, page in opened:
                page.goto(f"{address}/fastcore/#{where}")
            time.sleep(5)
            for theme, width, page in opened:
                page.wait_for_selector("#link.state-good")
                page.wait_for_selector("text=reading…", state="detached")
                path = folder / f"dashboard-{name}-{theme}{WIDTHS[width]}.png"
                size = save(page.screenshot(full_page=width <= 400, animations="disabled"), path)
                print(f"{path.relative_to(ROOT)}  {size:,} bytes", flush=True)
                if size > LARGEST:
                    raise SystemExit(f"{path}: expected at most {LARGEST} bytes, got {size}")
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--only", nargs="+", choices=PAGES, default=PAGES)
    told = parser.parse_args()
    told.folder.mkdir(parents=True, exist_ok=True)
    with busy_desk() as address:
        take(address, told.folder.resolve(), tuple(told.only))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
