"""The built documentation in a browser: its links, its search, and its pages on a phone."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PHONE = {"width": 375, "height": 800}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("furo")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "docs", str(folder)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return folder


@pytest.mark.timeout(300)
def test_links_and_names_of_the_site_are_complete(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check = runpy.run_path(str(ROOT / "tools" / "check_site.py"))["main"]
    assert check(site) == 0, capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ("rsi", "reference/indicators-momentum.html#fastcore.indicators.rsi"),
        ("dataframe", "reference/memory.html#fastcore.memory.optimize_dataframe"),
    ],
)
def test_the_search_finds_a_name(site: Path, browser: Any, words: str, place: str) -> None:
    page = browser.new_page()
    page.goto((site / "search.html").as_uri() + f"?q={words}")
    page.wait_for_selector(f"#search-results li a[href*='{place}']")
    first = [link.get_attribute("href") for link in page.query_selector_all("#search-results li a")[:5]]
    assert any(place in str(link) for link in first), first


SCRIPTS = [
    (page.relative_to(ROOT).as_posix(), code)
    for page in sorted((ROOT / "docs").rglob("*.md"))
    for code in re.findall(
        r"^```(?:javascript|html)\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
]


@pytest.mark.parametrize(("page_name", "code"), SCRIPTS, ids=[name for name, _ in SCRIPTS])
def test_the_scripts_of_a_page_are_javascript(browser: Any, page_name: str, code: str) -> None:
    body = re.sub(r"^\s*(import .*|</?script.*|<[^>]*>)$", "", code, flags=re.MULTILINE)
    page = browser.new_page()
    page.evaluate("(code) => { Object.getPrototypeOf(async function () {}).constructor(code); }", body)


@pytest.mark.parametrize("name", ["index", "tutorial", "guides/from-celery", "performance", "reference/cache"])
def test_a_page_fits_a_phone(site: Path, browser: Any, name: str) -> None:
    page = browser.new_page(viewport=PHONE)
    page.goto((site / f"{name}.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    wide = (
        "[...document.querySelectorAll('table.stacked')].filter((t) => t.scrollWidth > t.parentElement.clientWidth + 1)"
    )
    assert page.evaluate(f"{wide}.length") == 0
