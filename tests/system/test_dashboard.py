"""The dashboard of a market desk in a real browser: figures, access control and use."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, NamedTuple

import httpx
import pytest
from fastapi import FastAPI
from websockets.sync.client import connect

from examples.market_desk.data.market import HISTORY, Market
from examples.market_desk.fast.app import build_app
from examples.market_desk.fast.optimizations import FLAGS, choose
from examples.market_desk.fast.services import OptimizedServices
from fastcore import flags
from fastcore.service import install
from tests.streaming.running import Running
from tests.system.board import TOKEN, show, unlock, until

FLAG = "technical_analysis"
SWITCH = "analysis.calculate_indicators"  # that follows the flag
HOT_PATHS = ("indicators", "cache", "heap", "framing")
PAGES = ("overview", "requests", "alerts", "switches", "tasks", "caches", "memory", "streaming", "prices")
SYMBOLS = ("AAPL", "IBM", "MSFT", "GOOG", "FB")


# Captions, and what tables without rows say, that the scrolling of their table cuts.
CUT = """() => [...document.querySelectorAll("caption span, td[colspan] span")].filter((e) => e.checkVisibility()
    && e.getBoundingClientRect().right > e.closest(".wide").getBoundingClientRect().right + 1)
    .map((e) => e.innerText)"""


class Served(NamedTuple):
    """A desk that serves."""

    url: str
    desk: OptimizedServices

    def get(self, path: str, **params: Any) -> Any:
        answer = httpx.get(f"{self.url}{path}", params=params, trust_env=False, timeout=60)
        answer.raise_for_status()
        return answer.json()


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """A desk whose prices move, that has answered analyses by both arms, and has made reports."""
    choose("after")
    desk = OptimizedServices(Market(), feeds=[])
    protocol = "fastcore.streaming.uvicorn:HubProtocol"
    with Running(build_app(desk, token=TOKEN), ws=protocol, lifespan="on", timeout_graceful_shutdown=2) as running:
        made = Served(f"http://127.0.0.1:{running.port}", desk)
        flags.set(FLAG, "ramp:50")
        for n in range(64):
            made.get(f"/technical-analysis/{SYMBOLS[n % 5]}", bars=100 + n)
        prefer = {"Prefer": "respond-async"}
        report = httpx.post(f"{made.url}/generate-report", json=["FB"], headers=prefer, trust_env=False, timeout=60)
        made.get(report.json()["result_url"], wait=30)
        yield made
    for name in (*FLAGS, *HOT_PATHS):
        flags.resume(name)
        flags.clear(name)
        flags.clear(name, everywhere=True)


@pytest.mark.parametrize("name", PAGES)
def test_every_page_shows_its_figures_at_any_width(page: Any, served: Served, name: str) -> None:
    page.emulate_media(reduced_motion="reduce")
    show(page, served.url, name)
    assert page.inner_text("#page > h2").lower() == name
    for width in (1280, 375):
        page.set_viewport_size({"width": width, "height": 800})
        until(page, f"document.documentElement.scrollWidth <= {width}")  # a chart follows a moment later
        assert page.evaluate(CUT) == []
    assert page.evaluate("document.getAnimations().length") == 0
    assert page.evaluate("getComputedStyle(document.querySelector('main')).scrollBehavior") == "auto"
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, a, meter, progress, [role=img], [role=region]")]
            .filter((e) => e.checkVisibility() && !(e.getAttribute("aria-label") || e.innerText?.trim()
                || e.labels?.length)).map((e) => e.outerHTML)"""
    )
    assert unnamed == []
    assert "plotly" not in page.evaluate("document.body.innerText")  # the library is there: no word of its absence


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast_in_both_themes(page: Any, served: Served, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    show(page, served.url, "overview")
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    poor = page.evaluate(
        """() => {
            const parse = (text) => text.match(/[\\d.]+/g).map(Number);
            const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
                .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
                .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
            const behind = (e) => {
                for (; e; e = e.parentElement) {
                    const found = parse(getComputedStyle(e).backgroundColor);
                    if (found.length === 3 || found[3] === 1) return found;
                }
                return [255, 255, 255];
            };
            return [...document.querySelectorAll(".state, .quiet, th, td, dt, dd, a, button, h2, small")]
                .filter((e) => e.checkVisibility() && e.innerText?.trim() && !e.disabled)
                .map((e) => {
                    const [a, b] = [light(parse(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
                    return [(a + 0.05) / (b + 0.05), e.className || e.tagName, e.innerText];
                }).filter(([contrast]) => contrast < 4.5);  // WCAG 2.1, 1.4.3
        }"""
    )
    assert poor == []


def test_charts_move_and_show_the_values_of_the_api(page: Any, served: Served) -> None:
    show(page, served.url, "prices")
    page.select_option("#symbol", "GOOG")
    assert page.url.endswith("#prices/GOOG")  # it can be linked to
    drawn = "document.querySelector('.chart').dataset.drawn"
    until(page, f"{drawn} >= 1")
    before = int(page.evaluate(drawn))
    until(page, f"{drawn} >= {before + 3}")  # it moves
    shown = page.evaluate(
        """() => Object.fromEntries(document.querySelector(".chart").data.map(
            (t) => [t.name, [...t.x].map((x, i) => [new Date(x).getTime() / 1000, t.y[i]])]))"""
    )
    api = served.get("/fastcore/api/lines/GOOG")
    names = {"price": "price", "average": "sma", "upper band": "bb_upper", "RSI": "rsi"}
    for name, key in names.items():
        known = dict(zip(api["at"], api[key]))
        both = [(value, known[at]) for at, value in shown[name][:-1] if at in known]  # the last bar still changes
        assert len(both) > 3
        told = [(one, other) for one, other in both if one is not None and other is not None]
        assert [one for one, _ in told] == pytest.approx([other for _, other in told], rel=1e-7), name
    closes = served.desk.market.frame("GOOG", HISTORY)["close"].tolist()
    assert all(price in closes for _, price in shown["price"])  # they are the desk's own


def test_a_symbol_is_part_of_the_address_and_is_drawn_without_the_stream(page: Any, served: Served) -> None:
    page.add_init_script("window.WebSocket = class { constructor() { throw new Error('no stream') } }")
    page.goto(f"{served.url}/fastcore/#prices/IBM")
    drawn = "document.querySelector('.chart')?.dataset.drawn"
    until(page, f"{drawn} >= 2")
    assert page.input_value("#symbol") == "IBM"
    page.goto(f"{served.url}/fastcore/#prices/NONE")
    page.wait_for_selector("text=No prices of NONE were published; these are those of")
    page.go_back()
    until(page, "document.getElementById('symbol').value === 'IBM'")


def test_figures_equal_those_of_the_api(page: Any, served: Served) -> None:
    show(page, served.url, "tasks")
    states = list(served.get("/fastcore/api/snapshot/tasks")["counts"])

    def counts() -> list[str]:
        found = served.get("/fastcore/api/snapshot/tasks")["counts"]
        return [f"{found[name]:,}" for name in states]

    agree(page, counts, lambda: [page.locator(f'[data-tile="{n}"] dd').inner_text().split("\n")[0] for n in states])
    show(page, served.url, "caches")
    row = page.locator("tr", has_text=FLAG).first

    def cache() -> list[str]:
        known = served.get("/fastcore/api/snapshot/caches")["caches"]
        [found] = [one for one in known if one["name"].startswith(FLAG)]
        return [f"{found[count]:,}" for count in ("hits", "misses")]

    agree(page, cache, lambda: [row.locator("td").nth(n).inner_text() for n in (3, 4)])
    show(page, served.url, "switches")
    page.click(f'[data-flag="{FLAG}"]')
    table = page.locator('[aria-label="Both arms"] tbody tr')

    def arms() -> list[str]:
        found = arms_of(served)
        return [f"{found[arm]['calls']:,}" for arm in ("control", "candidate")]

    agree(page, arms, lambda: [table.nth(n).locator("td").nth(1).inner_text() for n in (0, 1)])
    quantiles = "document.querySelector('.chart').data?.find((t) => t.name === 'control')?.x.length ?? 0"
    until(page, f"({quantiles}) === {len(arms_of(served)['control']['quantiles'])}")


def arms_of(served: Served) -> Any:
    """Both arms of the Switch that follows the flag."""
    return next(s for s in served.get("/fastcore/api/snapshot/switches")["switches"] if s["name"] == SWITCH)


def agree(page: Any, read: Callable[[], list[str]], shown: Callable[[], list[str]]) -> None:
    """Wait until the page shows what the API says: both go on while prices move."""
    deadline = time.monotonic() + 60
    while (told := read()) != (seen := shown()):
        assert time.monotonic() < deadline, (told, seen)
        page.wait_for_timeout(50)


def test_figures_continue_after_the_server_s_clock_was_set_back(
    page: Any, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    show(page, served.url, "streaming")
    monkeypatch.setattr("fastcore.service.dashboard.streaming.time", SimpleNamespace(time=lambda: time.time() - 3600))
    shown = page.inner_text("#age")
    hour = (int(shown.split()[2].split(":")[0]) - 1) % 24
    # In the first hour of a day the date of the day before stands between the two.
    until(page, f"/^as of .*\\b{hour:02}:/.test(document.getElementById('age').textContent)")
    assert not page.locator("main.old").count()
    with connect(served.url.replace("http", "ws") + "/stream?topics=prices.FB"):
        until(page, "document.querySelector('[data-tile=Delivered] dd').textContent.startsWith('0/s') === false")


def test_a_client_of_the_desk_is_the_hub_s(page: Any, served: Served) -> None:
    with connect(served.url.replace("http", "ws") + "/stream?topics=prices.FB"):
        show(page, served.url, "streaming")
        until(page, "Number(document.querySelector('[data-tile=Clients] dd').firstChild.textContent) >= 1")


def test_without_the_token_nothing_can_be_changed(page: Any, served: Served, watched_errors: list[str]) -> None:
    watched_errors.append("401")
    show(page, served.url, "switches")
    page.click(f'[data-flag="{FLAG}"]')
    page.wait_for_selector("text=Read-only: unlock with the token")
    assert page.locator("button.danger").is_disabled()
    assert page.locator('input[type="range"]').is_disabled()
    status = page.evaluate(
        """(flag) => fetch(`api/flags/${flag}/rollback`, {method: "POST", body: JSON.stringify({reason: "mine"})})
            .then((answer) => answer.status)""",
        FLAG,
    )
    assert status == 401
    unlock(page, "a wrong one, and long")
    page.wait_for_selector("#said >> text=token")
    assert page.locator("button.danger").is_disabled()
    assert flags.get(FLAG).source != "rollback"


def test_the_kill_switch_flips_the_path_and_the_journal_says_so(page: Any, served: Served) -> None:
    show(page, served.url, "switches")
    unlock(page)
    page.click(f'[data-flag="{FLAG}"]')
    reason = "p99 doubled since the deploy"
    page.click("button.danger")
    page.fill("#ask-0", reason)
    page.click("#ask-yes")
    page.wait_for_selector(f'[aria-label="Newest first"] >> text={reason}')
    assert (flags.get(FLAG).mode, flags.get(FLAG).source) == ("control", "rollback")
    page.wait_for_selector(f'[data-row="{FLAG}"] .state-bad >> text=control')

    before = arms_of(served)
    for n in range(10):
        served.get("/technical-analysis/IBM", bars=300 + n)
    after = arms_of(served)
    assert after["control"]["calls"] >= before["control"]["calls"] + 10  # what runs is the original
    assert after["candidate"]["calls"] == before["candidate"]["calls"]
    page.click("nav >> text=Overview")
    page.wait_for_selector(f"ul.wrong >> text={FLAG} is rolled back")
    page.click("nav >> text=Switches")
    assert not page.locator("text=Set mode").is_visible()  # only what is legal is offered
    assert not page.locator("button.danger").is_visible()
    page.click("text=Resume")
    page.wait_for_selector(f'[data-row="{FLAG}"] .state-good')
    assert flags.get(FLAG).source != "rollback"
    page.click("#token")  # locks again
    page.wait_for_selector("text=Read-only: unlock with the token")


def test_a_canary_shows_its_evidence_and_both_arms_over_time(page: Any, served: Served) -> None:
    flags.set(FLAG, "canary")
    try:
        for n in range(60):
            served.get("/technical-analysis/MSFT", bars=400 + n)
        show(page, served.url, f"switches/{FLAG}")
        page.wait_for_selector('[aria-label="Evidence"] svg.evidence')
        page.wait_for_selector('[aria-label="Steps"] [aria-current="step"]')
        over_time = "document.querySelector('[aria-label^=\"Agreement of both\"]').data"
        until(page, f'({over_time} ?? []).some((t) => t.name === "candidate\'s share" && [...t.y].some((y) => y > 0))')
    finally:
        flags.set(FLAG, "ramp:50")


def test_a_canary_that_its_guard_moves_on_is_not_called_rolled_back(page: Any, served: Served) -> None:
    show(page, served.url, "overview")
    words = """() => import("./pages/switches.js").then(({ setBy }) =>
        ["trial", "rolled_back"].map((state) => setBy({ source: "guard", state })))"""
    assert page.evaluate(words) == ["set by its guard", "rolled back by its guard"]


def test_the_journal_s_filters_are_part_of_the_address(page: Any, served: Served) -> None:
    flags.set(FLAG, "ramp:51", reason="a word to search for")
    flags.set(FLAG, "ramp:50")
    show(page, served.url, "switches")
    page.fill("#journal-text", "WORD to search")
    rows = "document.querySelectorAll('[aria-label=\"Newest first\"] tbody tr').length"
    until(page, f"{rows} === 1")
    page.reload()
    page.wait_for_selector('[aria-label="Newest first"] td:has-text("ramp:51")')
    until(page, f"{rows} === 1")
    page.select_option("#journal-what", "rollback")
    page.wait_for_selector("text=no entry matches")
    page.locator('[aria-label="Filter the journal"] >> text=Clear filters').click()
    until(page, f"{rows} > 1")


def test_a_question_asked_right_after_another_was_left_is_answered(page: Any, served: Served) -> None:
    """The browser tells of a closed dialog a moment later, when the next question is open already."""
    show(page, served.url, "overview")
    found = page.evaluate(
        """async () => {
            const { ask } = await import("./dialog.js");
            const dialog = document.getElementById("ask");
            const first = ask("One", "", [{ label: "Value" }]);
            dialog.close("cancel");
            const second = ask("Two", "", [{ label: "Value" }]);
            await new Promise((resolve) => setTimeout(resolve, 100));
            const open = dialog.open;
            document.getElementById("ask-0").value = "given";
            dialog.close("yes");
            return [open, await first, await second];
        }"""
    )
    assert found == [True, None, ["given"]]


def test_every_control_works_by_keyboard(page: Any, served: Served) -> None:
    show(page, served.url, "overview")
    order = []
    for _ in range(5 + len(PAGES)):
        page.keyboard.press("Tab")
        order.append(page.evaluate("document.activeElement.id || document.activeElement.innerText"))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid", order[-1]  # where one is can be seen
    assert order[:5] == ["Skip to the page", "range", "theme", "token", "help"]
    assert [name.lower() for name in order[5:]] == list(PAGES)
    page.locator("nav a", has_text="Switches").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector('nav a[aria-current="page"][href="#switches"]')
    page.focus("#token")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "ask-0"
    page.keyboard.press("Escape")
    assert not page.locator("#ask").is_visible()
    until(page, "document.activeElement.id === 'token'")
    page.keyboard.press("Enter")
    until(page, "document.activeElement.id === 'ask-0'")
    page.keyboard.type(TOKEN)
    page.keyboard.press("Enter")
    page.wait_for_selector('#token:text-is("Lock")')
    page.locator(f'[data-flag="{FLAG}"]').focus()
    page.keyboard.press("Enter")
    slider = page.locator('input[type="range"]')
    page.wait_for_selector('input[type="range"]:enabled')
    slider.focus()
    start = int(slider.input_value())
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert page.locator("output").inner_text() == f"{start + 3} %"
    page.wait_for_timeout(1500)  # figures come in meanwhile, and take neither focus nor the value away
    assert int(slider.input_value()) == start + 3
    assert page.evaluate("document.activeElement.type") == "range"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.type("a few more")
    page.keyboard.press("Enter")
    page.wait_for_selector(f'[data-row="{FLAG}"] >> text=ramp:{start + 3}')
    assert flags.get(FLAG).mode == f"ramp:{start + 3}"


def test_a_dead_task_is_retried_from_the_page(page: Any, served: Served) -> None:
    runs = threading.Semaphore(0)

    def flaky() -> str:
        runs.release()
        if not retried.is_set():
            raise OSError("no feed")
        return "done"

    retried = threading.Event()
    task = served.desk.queue.task(flaky, name="flaky", on="thread", retries=0)
    id = served.desk.queue.submit(task)
    assert runs.acquire(timeout=60)
    show(page, served.url, "tasks")
    unlock(page)
    retried.set()
    page.click('button[aria-label="Retry flaky"]')
    assert runs.acquire(timeout=60)
    assert served.desk.queue.result(id, timeout=60) == "done"
    page.wait_for_selector("text=Retry flaky: done")


def test_a_guarded_dashboard_shows_nothing_until_it_is_unlocked(page: Any, watched_errors: list[str]) -> None:
    watched_errors.append("401")
    app = FastAPI()
    install(app, token=TOKEN, alerts=False, triggers=False)
    with Running(app, lifespan="on", timeout_graceful_shutdown=1) as running:
        page.goto(f"http://127.0.0.1:{running.port}/fastcore/#memory")
        page.wait_for_selector('#link:text-is("locked: press Unlock")')
        assert page.locator("#page .tile").count() == 0
        unlock(page, "a wrong one of some length")
        page.wait_for_selector("text=Unlock: this is not the token of the service")
        page.click("nav >> text=Caches")
        page.click("#page >> text=Unlock…")
        page.fill("#ask-0", TOKEN)
        page.click("#ask-yes")
        page.wait_for_selector("#link.state-good")
        page.wait_for_selector("#page .card:visible, #page .tile:visible")
        page.evaluate("sessionStorage.setItem('fastcore-token /fastcore/', 'that of the service before')")
        page.reload()
        page.wait_for_selector("text=The token is not that of the service any more")
        page.wait_for_selector('#token:text-is("Unlock")')
        unlock(page)
        page.wait_for_selector("#link.state-good")
        page.click("#token")
        page.wait_for_selector('#link:text-is("locked: press Unlock")')


def test_a_page_that_is_opened_now_shows_the_past(page: Any, served: Served) -> None:
    deadline = time.monotonic() + 30
    while len(served.get("/fastcore/api/history/300")["at"]) < 5 and time.monotonic() < deadline:
        time.sleep(0.2)
    show(page, served.url, "requests")
    points = "document.querySelector('[aria-label^=\"Requests and errors\"]').data?.[0].x.length ?? 0"
    until(page, f"({points}) >= 5")
    api = served.get("/fastcore/api/history/900")
    shown = page.evaluate(
        """() => { const line = document.querySelector('[aria-label^="Requests and errors"]').data[0];
            return [...line.x].map((x, i) => [new Date(x).getTime() / 1000, line.y[i]]); }"""
    )
    known = dict(zip([round(at, 3) for at in api["at"]], api["series"]["requests"]))
    both = [(y, known[round(at, 3)]) for at, y in shown if round(at, 3) in known]
    assert len(both) >= 5
    assert [one for one, _ in both] == [other for _, other in both]


def test_the_chosen_range_holds_for_all_charts_and_is_kept(page: Any, served: Served) -> None:
    show(page, served.url, "streaming")
    page.select_option("#range", label="1 h")
    page.reload()
    page.wait_for_selector("#link.state-good")
    assert page.evaluate("document.getElementById('range').selectedOptions[0].textContent") == "1 h"
    page.click("nav >> text=Overview")
    page.wait_for_selector("text=The last 1 h")


def test_pointer_and_zoom_are_shared_by_the_charts_of_a_page(page: Any, served: Served) -> None:
    show(page, served.url, "requests")
    until(page, "[...document.querySelectorAll('.chart')].filter((e) => e.dataset.shared).length === 2")
    page.evaluate(
        """() => { const [one] = document.querySelectorAll(".chart"), x = one.data[0].x;
            return Plotly.relayout(one, {"xaxis.range[0]": x[1], "xaxis.range[1]": x[3]}); }"""
    )
    until(
        page,
        """(() => {
            const starts = [...document.querySelectorAll(".chart")].map((e) => new Date(e.layout.xaxis.range[0]));
            return String(starts[0]) === String(starts[1]); })()""",
    )
    until(page, "location.hash.includes('from=')")  # a copied address shows the same part of time
    start = "new Date(document.querySelector('.chart')?.layout?.xaxis?.range[0]).getTime() / 1000"
    zoomed = page.evaluate(start)
    page.reload()
    until(page, f"Math.abs({start} - {zoomed}) <= 1")
    page.click("text=Reset zoom")
    until(page, f"{start.replace('[0]', '[1]')} - {start} > 4")
    assert "from=" not in page.url
    page.wait_for_selector("#unzoom", state="hidden")


def test_a_rollback_is_a_mark_on_the_charts(page: Any, served: Served) -> None:
    flags.rollback(FLAG, "a mark on the chart")
    show(page, served.url, "requests")
    until(
        page,
        f"(document.querySelector('.chart').data ?? []).some((t) => t.text?.some?.((m) => m.startsWith('{FLAG}')))",
    )
    flags.resume(FLAG)


def test_the_overview_shows_lines_of_the_past(page: Any, served: Served) -> None:
    show(page, served.url, "overview")
    page.wait_for_selector('[data-series="requests"] svg path')
    assert page.locator('[data-series="rss"] dd').inner_text().endswith("MiB")
    page.click('[data-series="requests"]')
    page.wait_for_selector('nav a[aria-current="page"][href="#requests"]')


def test_pages_that_were_left_leave_nothing_behind(page: Any, served: Served) -> None:
    show(page, served.url, "overview")
    session = page.context.new_cdp_session(page)
    elements = []
    for _ in range(2):
        for name in ("requests", "prices", "switches", "tasks") * 3:
            page.evaluate(f"location.hash = '{name}'")
            until(page, "document.querySelector('#page .chart')?.dataset.drawn >= 1")
        page.evaluate("location.hash = 'alerts'")
        page.wait_for_timeout(300)  # the library's timers
        session.send("HeapProfiler.collectGarbage")
        elements.append(session.send("Memory.getDOMCounters")["nodes"])
    assert elements[1] - elements[0] < 2000, elements  # a chart has hundreds
