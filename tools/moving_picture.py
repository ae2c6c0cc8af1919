"""Draws the moving picture of the dashboard in the README: ``python tools/moving_picture.py``.

Runs the market desk under load, as ``tools/screenshots.py`` does, looks at three pages of its dashboard in turn and
writes docs/images/dashboard.gif.
"""

from __future__ import annotations

import argparse
import io
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

from screenshots import ARGUMENTS, browser_path, busy_desk  # noqa: E402

PAGES = ("overview", "prices", "switches")
SIZE = (1000, 640)  # of the window
SHOWN = (800, 512)  # of the picture
FRAMES = 12  # of a page
PAUSE = 0.5  # seconds between two frames
COLOURS = 64
LARGEST = 1_000_000  # bytes


def frames(address: str) -> Iterator[bytes]:
    """Yield what a window shows, one PNG after the other."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=ARGUMENTS)
        context = browser.new_context(color_scheme="dark", viewport={"width": SIZE[0], "height": SIZE[1]})
        page = context.new_page()
        page.goto(f"{address}/fastcore/#{PAGES[0]}")
        page.wait_for_selector("#link.state-good")
        time.sleep(40)  # lines over time want a past
        for name in PAGES:
            page.goto(f"{address}/fastcore/#{name}")
            time.sleep(2)
            for _ in range(FRAMES):
                begun = time.monotonic()
                yield page.screenshot()
                time.sleep(max(0.0, PAUSE - (time.monotonic() - begun)))
        browser.close()


def written(pictures: list[bytes], path: Path) -> int:
    """Write the frames as one GIF that repeats; returns its bytes."""
    from PIL import Image

    opened = [Image.open(io.BytesIO(data)).convert("RGB").resize(SHOWN, Image.Resampling.LANCZOS) for data in pictures]
    sheet = Image.new("RGB", (SHOWN[0], SHOWN[1] * len(PAGES)))  # one palette for all, so that equal parts stay equal
    for number in range(len(PAGES)):
        sheet.paste(opened[number * FRAMES], (0, SHOWN[1] * number))
    palette = sheet.quantize(COLOURS, dither=Image.Dither.NONE)
    drawn: list[Any] = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in opened]
    times = [int(PAUSE * 1000)] * len(drawn)
    drawn[0].save(path, save_all=True, append_images=drawn[1:], duration=times, loop=0, optimize=True)
    return path.stat().st_size


def main() -> None:
    """Take the frames and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--path", type=Path, default=ROOT / "docs" / "images" / "dashboard.gif")
    path = parser.parse_args().path
    with busy_desk() as address:
        taken = list(frames(address))
    size = written(taken, path)
    print(f"{path}  {size:,} bytes")
    if size > LARGEST:
        raise SystemExit(f"{path}: expected at most {LARGEST:,} bytes, got {size:,}")


if __name__ == "__main__":
    main()
