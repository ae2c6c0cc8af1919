"""A real Prometheus scrapes a real server; its rules fire, and the dashboard's queries are answered."""

from __future__ import annotations

import gc
import json
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fastapi import FastAPI

from fastcore import Switch, flags, metrics
from fastcore.dispatch.middleware import AssignmentMiddleware
from fastcore.memory import MemoryWatch, optimize_dataframe, record_gc_pauses
from fastcore.monitor import (
    AlertManager,
    Health,
    HealthApp,
    MetricsApp,
    MetricsMiddleware,
    Rule,
    exposition,
    measure_execution_time,
)
from fastcore.streaming import Hub
from fastcore.tasks import TaskQueue

DOCS = Path(__file__).resolve().parents[2] / "docs"
FLAG = "system_prometheus"

pytestmark = pytest.mark.timeout(300)  # more than what its waits may take together


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.fail(f"expected {name} on PATH, found none (Debian: apt-get install prometheus)")
    return found


def promtool(*arguments: str, text: str = "", folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [tool("promtool"), *arguments], input=text, capture_output=True, text=True, timeout=100, cwd=folder, check=False
    )


def application() -> FastAPI:
    """A service that has every kind of metric on its page."""
    app = FastAPI()

    @app.get("/prices/{symbol}")
    async def price(symbol: str) -> dict[str, str]:
        return {"symbol": symbol}

    @app.get("/broken")
    async def broken() -> None:
        raise ZeroDivisionError

    app.mount("/metrics", MetricsApp())
    app.mount("/health", HealthApp(Health()))
    return app


@pytest.fixture
def busy(aside: Any) -> Iterator[None]:
    """Have every part of the package count something."""
    flags.declare(FLAG)
    switch = Switch(f"{FLAG}.call", control=lambda x: x, candidate=lambda x: -x, flag=FLAG)
    for mode in ("control", "candidate", "shadow:100"):
        flags.set(FLAG, mode)
        for number in range(200):
            switch(number)
    flags.set(FLAG, "ramp:50")

    @measure_execution_time(service="system", operation="work")
    def work() -> None:
        return None

    work()
    optimize_dataframe(pd.DataFrame({"x": np.arange(1000)}))
    stop_recording = record_gc_pauses()
    gc.collect()
    stop_recording()
    MemoryWatch().poll()
    manager = AlertManager(rules=[Rule(name="r", value=lambda snapshot: 1, above=0)])
    manager.evaluate()
    queue = TaskQueue(store="memory", workers={"thread": 1})
    task = queue.task(name="system.task", on="thread")(work)
    aside.enter(queue)
    aside.call(queue.wait(aside.call(queue.asubmit(task))))

    async def hub() -> Hub:
        made = Hub()
        await made.start()
        made.publish("t", {"x": 1})
        return made

    made = aside.call(hub())
    yield
    aside.call(made.drain(0.0))
    manager.stop()
    flags.clear(FLAG)


def page(accept: str = "") -> str:
    return exposition(metrics.snapshot, accept=accept)[0].decode()


@pytest.mark.usefixtures("busy")
def test_promtool_reports_no_problem(serve: Callable[..., str]) -> None:
    url = serve(MetricsMiddleware(application(), flag=FLAG))
    for path in ("/prices/A", "/none", "/health/readyz"):
        try:
            urllib.request.urlopen(f"{url}{path}", timeout=60).close()
        except urllib.error.HTTPError as error:
            error.close()
    text = page()
    assert text.count("# TYPE fastcore_") > 25
    found = promtool("check", "metrics", text=text)
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


def test_promtool_accepts_the_rules(tmp_path: Path) -> None:
    found = promtool("check", "rules", str(DOCS / "prometheus-rules.yml"))
    assert found.returncode == 0, found.stdout + found.stderr
    assert "14 rules found" in found.stdout
    for path in (DOCS / "prometheus-rules.yml", Path(__file__).with_name("prometheus_rules_test.yml")):
        shutil.copy(path, tmp_path)
    found = promtool("test", "rules", "prometheus_rules_test.yml", folder=tmp_path)
    assert found.returncode == 0, found.stdout + found.stderr


class Prometheus:
    """A separate server that scrapes one target every two seconds."""

    def __init__(self, folder: Path, target: str) -> None:
        shutil.copy(DOCS / "prometheus-rules.yml", folder)
        (folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 2s, scrape_timeout: 2s, evaluation_interval: 1s}\n"
            "rule_files: [prometheus-rules.yml]\n"
            "scrape_configs:\n"
            f"  - {{job_name: desk, static_configs: [{{targets: ['{target.removeprefix('http://')}']}}]}}\n",
            encoding="utf-8",
        )
        self._folder = folder
        self._begin()

    def _begin(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        with open(self._folder / "log", "wb") as log:
            self.process = subprocess.Popen(
                [
                    tool("prometheus"),
                    f"--config.file={self._folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={self._folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{port}",
                ],
                stdout=log,
                stderr=log,
            )

    def ask(self, path: str, **parameters: str) -> Any:
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=30) as answer:
            return json.loads(answer.read())["data"]

    def query(self, expression: str) -> list[Any]:
        found: list[Any] = self.ask("query", query=expression)["result"]
        return found

    def eventually(self, look: Callable[[], Any]) -> Any:
        """What `look` returns as soon as it is something; a server that did not get its port begins again."""
        end = time.monotonic() + 90
        while time.monotonic() < end:
            if self.process.poll() is not None:
                self._begin()
            try:
                if found := look():
                    return found
            except OSError:
                pass  # it is not up yet
            time.sleep(0.2)
        raise AssertionError(
            f"it did not come; the log says\n{(self._folder / 'log').read_text(errors='replace')[-3000:]}"
        )

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(60)


@pytest.fixture
def prometheus(tmp_path: Path, serve: Callable[..., str]) -> Iterator[tuple[Prometheus, str]]:
    app = AssignmentMiddleware(MetricsMiddleware(application(), flag=FLAG))
    url = serve(app)
    made = Prometheus(tmp_path, url)
    yield made, url
    made.stop()


@pytest.mark.usefixtures("busy")
def test_it_scrapes_and_its_rules_fire(prometheus: tuple[Prometheus, str]) -> None:
    server, url = prometheus
    labels = {"method": "GET", "route": "/prices/{symbol}", "arm": "unassigned", "status": "200"}
    before = metrics.counter("fastcore_http_requests_total", **labels).value  # the server runs in this process
    for n in range(20):
        with urllib.request.urlopen(f"{url}/prices/S{n}", timeout=60) as answer:
            answer.read()
    total = 'sum(fastcore_http_requests_total{route="/prices/{symbol}",arm="unassigned"})'
    requests = server.eventually(lambda: server.query(f"{total} >= {before + 20}"))
    assert float(requests[0]["value"][1]) == before + 20
    [target] = server.ask("targets")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")
    assert server.query("fastcore_build_info")[0]["metric"]["version"]
    p95 = server.query("histogram_quantile(0.95, sum by (le) (fastcore_http_request_duration_seconds_bucket))")
    assert 0 < float(p95[0]["value"][1]) <= 10
    shown = {label for found in server.query("fastcore_http_requests_total") for label in found["metric"].values()}
    assert not any(label.startswith("/prices/S") for label in shown)

    flags.rollback(FLAG, "for the test")
    try:
        fired = server.eventually(
            lambda: [a for a in server.ask("alerts")["alerts"] if a["labels"].get("flag") == FLAG]
        )
        assert fired[0]["labels"]["alertname"] == "FastcoreRolledBack"
        assert fired[0]["annotations"]["summary"] == f"{FLAG} of desk is rolled back: its control serves"
    finally:
        flags.resume(FLAG)
    rules = [rule for group in server.ask("rules")["groups"] for rule in group["rules"]]
    assert [rule["name"] for rule in rules if rule["health"] != "ok"] == []


@pytest.mark.usefixtures("busy")
def test_it_answers_every_query_of_the_dashboard(prometheus: tuple[Prometheus, str]) -> None:
    server, _ = prometheus
    server.eventually(lambda: server.query("fastcore_build_info"))
    body = json.loads((DOCS / "grafana-dashboard.json").read_text(encoding="utf-8"))
    # What only comes with something wrong, which this service has not had.
    rare = {"fastcore_rollbacks_total", "fastcore_fallbacks_total", "fastcore_degraded", "fastcore_degradation_ratio"}
    rare |= {"fastcore_triggers_total", "fastcore_alert_failures_total", "fastcore_tasks_retried_total"}
    wanted = set()
    for panel in body["panels"]:
        for asked in panel.get("targets", ()):
            expression = asked["expr"].replace("$__rate_interval", "1m").replace("$job", ".+")
            wanted |= {
                part for part in expression.replace("{", " ").replace("(", " ").split() if part.startswith("fastcore_")
            }
            server.query(expression)  # raises where it is not one
    for name in wanted - rare:
        server.eventually(lambda name=name: server.query(name))  # after a scrape that took too long there is none
