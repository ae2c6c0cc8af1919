"""The dashboard and the rules in docs/ speak of metrics that there are, by labels that they have."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from fastcore.monitor.help import HELP

DOCS = Path(__file__).resolve().parents[2] / "docs"
DASHBOARD = json.loads((DOCS / "grafana-dashboard.json").read_text(encoding="utf-8"))
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]
RULES = re.findall(r"expr: (?:>-\n)?(.+?)(?=\n +(?:for|labels|keep_firing_for|-|\w+):|\Z)",
                   (DOCS / "prometheus-rules.yml").read_text(encoding="utf-8"), re.S)  # fmt: skip
METRIC = re.compile(r"(?<![\w:])fastcore_\w+")


def known(name: str) -> bool:
    """Whether the page has a series of this name."""
    base = re.sub(r"_(bucket|sum|count)$", "", name)
    return name in HELP if base == name else base in HELP and base.endswith("_seconds")


def test_panels_and_rules_exist() -> None:
    assert len(PANELS) >= 20
    assert len(RULES) == 14
    assert DASHBOARD["uid"] == "fastcore"
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


@pytest.mark.parametrize("expression", QUERIES + RULES)
def test_queries_name_existing_metrics(expression: str) -> None:
    names = METRIC.findall(expression)
    assert names or "fastcore:" in expression
    for name in names:
        assert known(name), name
        if name.endswith(("_total", "_bucket")):
            assert re.search(rf"(rate|increase)\(\s*{name}\b", expression), f"{name}: expected its rate"
    assert expression.count("(") == expression.count(")")


def test_recorded_names_are_recorded() -> None:
    text = (DOCS / "prometheus-rules.yml").read_text(encoding="utf-8")
    recorded = set(re.findall(r"record: (\S+)", text))
    used = set(re.findall(r"fastcore:[\w:]+", text))
    assert used == recorded
    assert len(recorded) == 4


def test_every_panel_has_a_title_a_unit_and_the_chosen_source() -> None:
    for panel in PANELS:
        assert panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["datasource"]["uid"] == "${datasource}"
        for target in panel["targets"]:
            assert 'job=~"$job"' in target["expr"]
            assert "localhost" not in json.dumps(panel)


def test_no_panel_covers_another() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, f"{panel['title']} covers {taken.get((x, y))}"
                taken[x, y] = panel["title"]
