"""The pages of ``make asv``, opened as files in a browser that reaches nothing: no request leaves, charts are drawn."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.backend_independent]

ROOT = Path(__file__).resolve().parents[2]
# Made-up results of the last three commits: one benchmark that jumped, on both backends.
PUBLISH = """
import subprocess, sys
from pathlib import Path
sys.path.insert(0, "benchmarks/asv")
import driver, pages
from asv.results import Results
from asv.runner import BenchmarkResult
from asv.util import write_json
from datetime import datetime, timezone
folder = Path(sys.argv[1])
made = driver.Driver(folder / "results", machine="reference")
conf = made.conf()
conf.html_dir = str(folder / "html")
names = [f"bench_cache.time_{word}" for word in ("get", "put", "pop")]
about = {"code": "", "param_names": [], "params": [], "type": "time", "unit": "seconds", "version": "1"}
benchmarks = {name: {**about, "name": name} for name in names}
write_json(str(folder / "results" / "benchmarks.json"), benchmarks, 2)
write_json(str(folder / "results" / "reference" / "machine.json"), {"machine": "reference"}, 1)
for place, commit in enumerate(reversed(driver.commits(3))):
    for backend, scale in (("compiled", 1e-6), ("python", 1e-4)):
        date = int(driver.git("show", "-s", "--format=%at", commit)) * 1000
        of = {"FASTCORE_BACKEND": backend}
        result = Results({"machine": "reference"}, {}, commit, date, "3.11", f"virtualenv-{backend}", of)
        for name in names:
            value = scale * (1.5 if place == 2 and name.endswith("get") and backend == "compiled" else 1.0)
            samples = [value * (1 + k / 1000) for k in range(8)]
            took = BenchmarkResult([value], [samples], [1], 0, "", None)
            result.add_result(benchmarks[name], took, started_at=datetime.now(timezone.utc), duration=1.0)
        result.save(conf.results_dir)
assert made.run("publish", "--no-pull", "--html-dir", conf.html_dir) == 0
print(*pages.write_pages(conf, "reference"), sep="\\n")
"""


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("asv")
    command = [sys.executable, "-c", PUBLISH, str(folder)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=500, check=False)
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    assert "load their libraries from the internet" not in ran.stdout
    return folder / "html"


@pytest.fixture
def view(browser: Any) -> Iterator[Any]:
    """A page that reads files only; what else it asked for and complained about must be nothing."""
    context = browser.new_context()
    page = context.new_page()
    outside: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: None if request.url.startswith("file:") else outside.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    context.set_offline(True)
    yield page
    context.close()
    assert [url for url in outside if not url.startswith("data:")] == []
    assert errors == []


def test_the_page_of_lines_draws_a_chart_for_each_benchmark(view: Any, html: Path) -> None:
    view.goto((html / "lines.html").as_uri())
    assert view.locator("figure").count() == 3
    assert view.locator("figure svg circle").count() == 3 * 3 * 2
    assert view.locator("figure svg polygon").count() == 1
    view.get_by_role("link", name="commits", exact=True).click()
    assert view.locator("section").count() == 3


def test_asvs_own_pages_draw_their_charts(view: Any, html: Path) -> None:
    view.goto((html / "index.html").as_uri())
    view.locator("#summarygrid-display canvas.flot-base").first.wait_for(timeout=30_000)
    view.goto((html / "index.html").as_uri() + "#bench_cache.time_get")
    view.locator("#graph-display canvas.flot-base").first.wait_for(timeout=30_000)
    view.goto((html / "index.html").as_uri() + "#/summarylist")
    view.locator("#summarylist-display td").first.wait_for(timeout=30_000)
    view.goto((html / "index.html").as_uri() + "#/regressions")
    view.locator("#regressions-display").wait_for(timeout=30_000)
