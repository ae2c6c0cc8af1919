"""The figures in README and docs: each is that of the committed results."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.backend_independent

ROOT = Path(__file__).resolve().parents[2]
ROW = {
    "case": "hit, str, 1,000",
    "timings": {"ours": {"median": 2.5e-8}, "theirs": {"median": 1e-6}},
    "ratios": {"theirs / ours": {"value": 40.0}, "share": {"value": 0.123}},
}


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import figures as module

    return module


@pytest.fixture
def results(figures: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    report = {
        "parts": {"hits": {"rows": [ROW, {"case": "hit, int", "ratios": {}}], "summary": {"mean": {"value": 2.0}}}}
    }
    (tmp_path / "cache.json").write_text(json.dumps(report))
    monkeypatch.setattr(figures, "RESULTS", tmp_path)
    return tmp_path


def test_the_figures_of_readme_and_docs_are_those_of_the_results(
    figures: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sum(len(figures.FIGURE.findall(page.read_text(encoding="utf-8"))) for page in figures.pages()) > 20
    monkeypatch.setattr(sys, "argv", ["figures.py", "--check"])
    assert figures.main() == 0, capsys.readouterr().out


def test_the_chart_of_the_readme_is_that_of_the_results(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import draw_speed

    monkeypatch.setattr(sys, "argv", ["draw_speed.py", "--check"])
    assert draw_speed.main() == 0, capsys.readouterr().out


def test_no_line_begins_with_a_figure(figures: ModuleType) -> None:
    """Markdown takes such a line as HTML, and shows its markup."""
    assert [
        line for page in figures.pages() for line in page.read_text("utf-8").splitlines() if line[:5] == "<!--="
    ] == []


def test_a_figure_does_not_end_the_cell_of_a_table(figures: ModuleType) -> None:
    assert [
        found
        for page in figures.pages()
        for found in figures.FIGURE.findall(page.read_text("utf-8"))
        if "|" in found[0]
    ] == []


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        ("cache ; hit, str, 1,000 ; theirs / ours ; .0f", "40"),
        ("cache ; hit, str ; share ; .1%", "12.3%"),
        ("cache ; hit, str ; ours ; ns", "25"),
        ("cache ; hit, str ; theirs ; us", "1"),
        ("cache ; hit, str ; ours / theirs ; .3f", "0.025"),
        ("cache ; summary ; mean ; .1f", "2.0"),
    ],
)
def test_a_reference_names_a_ratio_a_time_or_a_quotient(
    figures: ModuleType, results: Path, reference: str, text: str
) -> None:
    assert figures.renewed(f"is <!--= {reference} -->old<!--/-->.") == f"is <!--= {reference} -->{text}<!--/-->."


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("cache ; hit, str ; ours", "expected script"),
        ("heap ; hit ; ours ; ns", "expected one of cache"),
        ("cache ; hit ; ours ; ns", "expected one case of that name, got 2"),
        ("cache ; hit, str ; nobody ; ns", "expected one of theirs / ours, share, ours, theirs, got 'nobody'"),
    ],
)
def test_a_wrong_reference_is_refused(figures: ModuleType, results: Path, reference: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        figures.figure(reference)
