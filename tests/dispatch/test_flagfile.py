"""The flag file: what it sets, what has precedence over it, and how mistakes in it are reported."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fastcore.dispatch.flagfile import FlagFile
from fastcore.dispatch.journal import Journal
from fastcore.dispatch.modes import Mode
from fastcore.dispatch.store import FlagStore
from fastcore.dispatch.sync import Sync, journal_path
from fastcore.dispatch.ticker import Ticker
from tests.dispatch.placed import moved_into_place
from tests.dispatch.stores import following


def test_the_file_is_followed(tmp_path: Path) -> None:
    file = tmp_path / "flags.toml"
    ours, follow = following(file)
    follow.look(strict=True)
    assert ours.get("desk").source == "default"
    moved_into_place(
        file, 'desk = "ramp:10"\n[cache]\nmode = "python"\nreason = "ticket 42"\n[flags]\nunknown = "candidate"\n'
    )
    follow.look(strict=True)
    assert ours.get("desk")[1:3] == ("ramp:10", "file")
    assert ours.get("cache")[1:3] == ("python", "file")
    assert ours.get("cache").reason == "ticket 42"
    assert ours.declare("unknown").mode == "candidate"
    since = ours.get("desk").since
    moved_into_place(file, 'desk = "ramp:10"\n')
    follow.look(strict=True)
    assert ours.get("desk").since == since  # nothing has changed there
    assert ours.get("cache").source == "default"
    assert ours.set("desk", "candidate").source == "set"
    ours.clear("desk")
    file.unlink()
    follow.look(strict=True)
    assert ours.get("desk")[1:3] == ("ramp:10", "file")  # what a deleted file said stays in force
    assert follow.problems()[0] == f"{file}: expected a file, found none; its last settings stay in force"
    moved_into_place(file, "")
    follow.look(strict=True)
    assert (ours.get("desk").source, follow.problems()) == ("default", [])


def test_undeclared_names_are_reported(tmp_path: Path) -> None:
    file = tmp_path / "flags.toml"
    made = FlagStore(environ={}, journal=Journal())
    environ = {"FASTCORE_INDICATOR": "python", "FASTCORE_HEAP": "python", "FASTCORE_BUILD_ONLY": "cache"}
    follow = Sync(made, Ticker(0.01), FlagFile(str(file)), environ)
    follow.look(strict=True)
    assert follow.problems()[0] == f"{file}: expected a file, found none"
    moved_into_place(file, 'tecnical_analysis = "control"\nelsewhere = "control"\n')
    made.declare("technical_analysis")
    follow.look(strict=True)
    assert follow.problems() == [
        f"{file}: tecnical_analysis: no such flag is declared; did you mean technical_analysis?",
        f"{file}: elsewhere: no such flag is declared",
        "FASTCORE_INDICATOR: no such variable; did you mean FASTCORE_INDICATORS?",
    ]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("FASTCORE_METRIC_DIR", "FASTCORE_METRICS_DIR"),
        ("FASTCORE_PUBLC", "FASTCORE_PUBLIC"),
        ("FASTCORE_ALLOWED_HOST", "FASTCORE_ALLOWED_HOSTS"),
        ("FASTCORE_BASELINES_FILE", "FASTCORE_BASELINE_FILE"),
    ],
)
def test_misspelt_variables_are_reported_with_a_suggestion(name: str, meant: str) -> None:
    follow = Sync(FlagStore(environ={}, journal=Journal()), Ticker(0.01), FlagFile(""), {name: "x"})
    assert follow.problems() == [f"{name}: no such variable; did you mean {meant}?"]


def test_every_variable_that_the_documentation_names_is_known() -> None:
    root = Path(__file__).parents[2]
    pages = [root / "README.md", *(root / "docs").glob("*.md")]
    named = {name for page in pages for name in re.findall(r"FASTCORE_[A-Z_]+\b", page.read_text())}
    assert "FASTCORE_BACKEND" in named
    follow = Sync(FlagStore(environ={}, journal=Journal()), Ticker(0.01), FlagFile(""), dict.fromkeys(named, "x"))
    assert follow.problems() == []


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "flags.toml"
    moved_into_place(file, 'cache = "python"\nheap = "python"\n')
    ours, follow = following(file, {"FASTCORE_CACHE": "auto"})
    follow.look(strict=True)
    assert ours.get("cache").source == "FASTCORE_CACHE"
    assert ours.get("heap").source == "file"


@pytest.mark.parametrize("text", ["desk = ", 'cache = "pyhton"\nheap = "pyhton"\n'], ids=["torn", "misspelt"])
def test_the_environment_holds_while_the_file_cannot_be_obeyed(tmp_path: Path, text: str) -> None:
    file = tmp_path / "flags.toml"
    moved_into_place(file, text)
    ours, follow = following(file, {"FASTCORE_CACHE": "auto"})
    follow.first_look()
    assert ours.get("cache")[1:3] == ("auto", "FASTCORE_CACHE")
    assert ours.get("heap")[1:3] == ("python", "file")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("desk = ", "expected TOML"),
        ("desk = 1", "desk: expected a mode in quotes"),
        ('desk.price = "candidate"', 'a name with a dot stands in quotes: "desk.price"'),
        ("desk = true", "expected a mode in quotes"),
        ('[desk]\nmode = "control"\nfoo = 1', "expected mode and reason, got foo"),
        ('desk = "sideways"', "file: desk: expected one of control, candidate"),
        ('cache = "canary"', "file: cache: expected one of auto"),
        ("flags = 3", "flags: expected a table"),
    ],
)
def test_an_invalid_file_is_reported_once_and_not_applied(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, said: str
) -> None:
    file = tmp_path / "flags.toml"
    moved_into_place(file, 'heap = "python"')
    ours, follow = following(file)
    follow.look(strict=True)
    moved_into_place(file, text + "\n")
    for _ in range(3):
        follow.look()
    assert said in caplog.text
    assert caplog.text.count(said) == 1
    assert ours.get("desk").source == "default"
    moved_into_place(file, 'desk = "candidate"')
    follow.look()
    assert ours.get("desk").mode == "candidate"
    moved_into_place(file, text + "  \n")
    with pytest.raises(ValueError, match="expected"):
        follow.look(strict=True)


def test_a_canary_from_the_file_keeps_its_step_when_the_file_is_touched(tmp_path: Path) -> None:
    file = tmp_path / "flags.toml"
    moved_into_place(file, 'desk = "canary"')
    ours, follow = following(file)
    follow.look(strict=True)
    ours.advance("desk", Mode("canary", 25.0), "good", "advance", {})
    moved_into_place(file, 'desk = "canary"\nheap = "python"')
    follow.look(strict=True)
    assert ours.get("desk").mode == "canary:25"
    moved_into_place(file, 'desk = "control"')
    follow.look(strict=True)
    assert ours.get("desk").mode == "control"


def test_where_the_journal_is() -> None:
    assert journal_path({}) == ""
    assert journal_path({"FASTCORE_FLAGS_FILE": "/etc/flags.toml"}) == "/etc/flags.journal.jsonl"
    assert journal_path({"FASTCORE_FLAGS_FILE": "/etc/flags.toml", "FASTCORE_JOURNAL": "/var/j"}) == "/var/j"
