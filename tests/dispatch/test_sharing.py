"""What the processes of a host share: the journal, the flag file, a provider; forks, restarts, crashes."""

from __future__ import annotations

import json
import multiprocessing
import os
import queue
import re
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fastcore import flags
from fastcore._filelock import locked
from fastcore.dispatch import journal as journals
from fastcore.dispatch.flagfile import FlagFile
from fastcore.dispatch.journal import Entry, Journal
from fastcore.dispatch.modes import Mode
from fastcore.dispatch.provider import ProviderPoll
from fastcore.dispatch.store import Change, FlagStore
from fastcore.dispatch.sync import Sync, journal_path
from fastcore.dispatch.ticker import Ticker
from tests.dispatch.placed import moved_into_place


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "journal.jsonl")


def store(path: str) -> FlagStore:
    """Another process, as far as the flags are concerned."""
    made = FlagStore({}, journal=Journal(path))
    made.declare("desk")
    made.follow_journal()
    return made


# ---- the journal ----


def test_an_entry_has_all_fields(path: str) -> None:
    ours = store(path)
    ours.set("desk", "ramp:10", reason="trial", who="alice")
    ours.rollback("desk", "rolled back: wrong", source="guard", who="guard", evidence={"pairs": 7})
    lines = [json.loads(line) for line in Path(path).read_text().splitlines()]
    assert [(e["who"], e["what"], e["flag"], e["why"], e["scope"]) for e in lines] == [
        ("alice", "set", "desk", "trial", "process"),
        ("guard", "rollback", "desk", "rolled back: wrong", "host"),
    ]
    assert lines[1]["pid"] == os.getpid()
    assert lines[1]["evidence"] == {"pairs": 7}
    assert lines[1]["old"] == {"mode": "ramp:10", "source": "set", "reason": "trial"}
    assert lines[1]["new"] == {"mode": "control", "source": "guard", "reason": "rolled back: wrong"}
    assert ours.journal.entries("desk")[0].what == "set"
    assert ours.journal.entries("heap") == []
    assert len(ours.journal.entries(limit=1)) == 1


def test_a_call_without_effect_is_not_journaled(path: str) -> None:
    ours = store(path)
    ours.clear("desk")
    ours.resume("desk")
    ours.set("desk", "candidate")
    ours.set("desk", "candidate")
    assert [e.what for e in ours.journal.entries()] == ["set"]


def test_a_rollback_reaches_the_others_and_those_that_start_later(path: str) -> None:
    ours, theirs = store(path), store(path)
    theirs.set("desk", "candidate")
    ours.rollback("desk", "rolled back: slow", source="guard", who="guard")
    theirs.follow_journal()
    assert theirs.get("desk")[1:3] == ("control", "guard")
    assert theirs.get("desk").reason == "rolled back: slow"
    restarted = store(path)
    restarted.set("desk", "canary")
    assert restarted.get("desk")[1:3] == ("control", "guard")
    theirs.resume("desk")
    for each in (ours, restarted):
        each.follow_journal()
    assert ours.get("desk").mode == "control"  # the default
    assert restarted.get("desk").mode == "canary"
    assert store(path).get("desk").source == "default"


def test_a_flag_that_is_declared_later_follows_too(path: str) -> None:
    ours = FlagStore({}, journal=Journal(path))
    ours.declare("later")
    ours.rollback("later", "why")
    theirs = FlagStore({}, journal=Journal(path))
    theirs.follow_journal()
    assert theirs.declare("later")[1:3] == ("control", "rollback")


def test_a_setting_for_all(path: str) -> None:
    ours, theirs = store(path), store(path)
    theirs.set("desk", "candidate")
    ours.set("desk", "ramp:20", reason="carefully", everywhere=True)
    theirs.follow_journal()
    assert theirs.get("desk")[1:3] == ("ramp:20", "everywhere")
    assert theirs.get("desk").reason == "carefully"
    assert theirs.set("desk", "candidate").mode == "ramp:20"  # one process does not overrule it
    assert store(path).get("desk").mode == "ramp:20"
    ours.rollback("desk", "why")
    ours.set("desk", "ramp:60", everywhere=True)  # below the rollback
    theirs.follow_journal()
    assert theirs.get("desk").mode == "control"
    theirs.resume("desk")
    assert theirs.get("desk").mode == "ramp:60"
    ours.clear("desk", everywhere=True)
    theirs.follow_journal()
    assert theirs.get("desk")[1:3] == ("candidate", "set")


def test_the_order_of_the_file_decides(path: str) -> None:
    """One rolls back, another resumes before it has heard of that: in the end all agree."""
    ours, theirs, third = store(path), store(path), store(path)
    theirs.rollback("desk", "first")
    ours.rollback("desk", "second")
    theirs.resume("desk")
    for _ in range(2):
        for each in (ours, theirs, third):
            each.follow_journal()
    assert {each.get("desk").source for each in (ours, theirs, third)} == {"default"}


def test_a_canary_advances_in_all_processes_and_never_goes_back(path: str) -> None:
    ours, theirs, idle = store(path), store(path), store(path)
    for each in (ours, theirs):
        each.set("desk", "canary")
    ours.advance("desk", Mode("canary", 25.0), "good", "advance", {})
    theirs.follow_journal()
    assert theirs.get("desk").mode == "canary:25"
    ours.advance("desk", Mode("canary", 5.0), "late", "advance", {})
    theirs.follow_journal()
    assert theirs.get("desk").mode == "canary:25"
    ours.advance("desk", Mode("candidate", 0.0, True), "promoted: good", "promote", {})
    theirs.follow_journal()
    assert theirs.get("desk")[1:3] == ("candidate", "guard")
    idle.follow_journal()
    assert idle.get("desk").mode == "control"
    restarted = store(path)  # it has seen nothing of the candidate itself, which may be a newer one
    restarted.set("desk", "canary")
    restarted.follow_journal()
    assert restarted.get("desk").mode == "canary"


def test_torn_and_foreign_lines_are_passed_over(path: str) -> None:
    ours = store(path)
    ours.rollback("desk", "why")
    with open(path, "ab") as file:
        file.write(b'{"when": "2026\n[]\nnull\n\xff\xfe\n{"flag": "desk"}\n{"cut of')
    other = store(path)
    assert other.get("desk").source == "rollback"
    other.resume("desk")  # begins a separate line
    ours.follow_journal()
    assert ours.get("desk").source == "default"
    assert [e.what for e in ours.journal.entries()] == ["rollback", "resume"]


def test_an_entry_that_cannot_be_applied_is_logged(path: str, caplog: pytest.LogCaptureFixture) -> None:
    ours = store(path)
    ours.journal.write("x", "set", "desk", new={"mode": "sideways"}, shared=True)
    theirs = store(path)
    assert theirs.get("desk").mode == "control"
    assert "cannot be obeyed" in caplog.text


def test_a_journal_that_cannot_be_written_raises_no_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ours = store(str(tmp_path / "missing" / "journal.jsonl"))
    assert ours.rollback("desk", "why").mode == "control"
    assert ours.journal.lost == 1
    assert "could not be written" in caplog.text
    assert [e.what for e in ours.journal.entries()] == ["rollback"]


def test_a_long_journal_is_rewritten_with_the_entries_in_force(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "LIMIT", 4000)
    ours, theirs = store(path), store(path)
    ours.declare("other")
    ours.rollback("other", "kept")
    for i in range(40):
        ours.set("desk", f"ramp:{i}", everywhere=True)
        if i % 7 == 0:
            theirs.follow_journal()
    assert os.path.getsize(path) < 5000
    assert os.path.exists(f"{path}.1")
    theirs.follow_journal()
    assert theirs.get("desk").mode == "ramp:39"
    late = store(path)
    assert late.get("desk").mode == "ramp:39"
    assert late.declare("other").source == "rollback"


def test_a_rewritten_journal_contains_all_entries_in_force(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = store(path)
    for name in ("other", "third"):
        ours.declare(name)
    ours.set("desk", "ramp:10", "carefully", everywhere=True)
    ours.rollback("other", "wrong")
    ours.set("third", "candidate", everywhere=True)
    ours.clear("third", everywhere=True)
    monkeypatch.setattr(journals, "LIMIT", 100)
    ours.set("third", "candidate", "of this process")
    os.unlink(f"{path}.state")
    later = store(path)
    for name in ("other", "third"):
        later.declare(name)
    assert [later.get(name)[1:3] for name in ("desk", "other", "third")] == [
        ("ramp:10", "everywhere"),
        ("control", "rollback"),
        ("control", "default"),
    ]


def test_a_change_is_journaled_before_listeners_are_called(path: str) -> None:
    ours = store(path)
    seen: list[tuple[str, str, str]] = []

    def heard(change: Change) -> None:
        started = store(path)  # as a process that starts now, or after a crash of this one
        seen.append((change.new.source, started.get("desk").source, ours.journal.entries()[-1].what))

    ours.subscribe(heard)
    ours.rollback("desk", "wrong")
    ours.resume("desk")
    ours.set("desk", "candidate", everywhere=True)
    assert seen == [
        ("rollback", "rollback", "rollback"),
        ("default", "default", "resume"),
        ("everywhere", "everywhere", "set"),
    ]


def test_processes_append_whole_lines(path: str) -> None:
    code = textwrap.dedent("""
        import sys
        from fastcore.dispatch.journal import Journal
        journal = Journal(sys.argv[1])
        for i in range(150):
            journal.write(sys.argv[2], "set", "desk", "x" * 300, shared=True)
        while journal.behind:  # on a busy machine the lock may not be had in time
            journal.save()
    """)
    reader = Journal(path)
    reader.write("reader", "set", "other", shared=True)
    reader.news()  # from here on it is given every line; the first look leaves out what is no longer in force
    writers = [subprocess.Popen([sys.executable, "-c", code, path, str(n)]) for n in range(4)]
    seen: list[Entry] = []
    while any(writer.poll() is None for writer in writers):
        seen += reader.news()[1]
    assert [writer.returncode for writer in writers] == [0] * 4
    seen += reader.news()[1]
    assert len(seen) == 600
    assert {(e.who, len(e.why)) for e in seen} == {(str(n), 300) for n in range(4)}


def test_listeners_of_the_journal() -> None:
    seen: list[Entry] = []
    stop = flags.subscribe_journal(seen.append)
    flags.subscribe_journal(lambda entry: 1 / 0)()  # ended at once
    flags.declare("test.listened")
    flags.set("test.listened", "candidate", who="me")
    stop()
    flags.clear("test.listened")
    assert [(e.who, e.what, e.flag) for e in seen] == [("me", "set", "test.listened")]


def test_a_lock_is_waited_for_and_freed_by_death(tmp_path: Path) -> None:
    lock = str(tmp_path / "lock")
    code = (
        "import time\nfrom fastcore._filelock import locked\n"
        f"with locked({lock!r}):\n print(1, flush=True)\n time.sleep(600)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(TimeoutError, match="another process holds it"), locked(lock, seconds=0.05):
            pass
    finally:
        holder.kill()
        holder.communicate()
    with locked(lock, seconds=30):
        pass


# ---- the flag file ----


def following(file: Path, environ: dict[str, str] | None = None) -> tuple[FlagStore, Sync]:
    made = FlagStore(environ or {}, journal=Journal())
    made.declare("desk")
    return made, Sync(made, Ticker(0.01), FlagFile(str(file)))


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
def test_misspelt_variables_are_told_with_the_one_that_is_meant(name: str, meant: str) -> None:
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


# ---- a provider ----


class Service:
    def __init__(self) -> None:
        self.modes: dict[str, Any] = {}
        self.broken = False

    def resolve_string_details(self, flag_key: str, default_value: str, evaluation_context: Any = None) -> Any:
        if self.broken:
            raise ConnectionError("no service")
        return SimpleNamespace(value=self.modes.get(flag_key, default_value))


def test_a_provider_comes_before_the_default_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "flags.toml"
    ours, follow = following(file)
    service = Service()
    poll = ProviderPoll(service, lambda: list(ours.snapshot()), follow.provided, 3600)
    service.modes = {"desk": "ramp:5", "heap": "python"}
    poll.poll()
    assert ours.get("desk")[1:3] == ("ramp:5", "provider")
    moved_into_place(file, 'desk = "candidate"')
    follow.look(strict=True)
    assert ours.get("desk").source == "file"
    service.broken = True
    poll.poll()
    assert ours.get("heap").source == "provider"  # what is not known does not change
    service.broken = False
    service.modes = {"heap": "sideways"}
    poll.poll()
    assert ours.get("heap").mode in ("python", "auto")
    assert "the flag provider is not obeyed" in caplog.text
    with pytest.raises(TypeError, match="provider: expected resolve_string_details"):
        ProviderPoll(object(), list, print, 1)  # type: ignore[arg-type]


@pytest.mark.parametrize("order", [("file", "provider"), ("provider", "file"), ("file", "provider", "file")])
@pytest.mark.parametrize("dropped", ["file", "provider", ""])
def test_the_file_goes_before_a_provider_whichever_speaks_last(order: tuple[str, ...], dropped: str) -> None:
    told = {"file": ("ramp:10", ""), "provider": ("ramp:20", "")}
    ours = FlagStore({})
    ours.declare("desk")
    for source in order:
        ours.outside(source, {"desk": told[source]})
    assert ours.get("desk")[1:3] == ("ramp:10", "file")
    if dropped:
        ours.outside(dropped, {})
    assert ours.get("desk")[1:3] == (("ramp:20", "provider") if dropped == "file" else ("ramp:10", "file"))
    ours.outside("file", {})
    ours.outside("provider", {})
    assert ours.get("desk").source == "default"


class FlagNotFoundError(Exception):
    """As OpenFeature providers raise it."""


@pytest.mark.parametrize("how", ["raises", "answers"])
def test_a_flag_that_a_provider_does_not_know_is_one_flag(tmp_path: Path, how: str) -> None:
    class Flagd:
        def resolve_string_details(self, key: str, default: str, evaluation_context: Any = None) -> Any:
            if key == "desk":
                return SimpleNamespace(value="candidate", error_code=None)
            if how == "raises":
                raise FlagNotFoundError(key)
            return SimpleNamespace(value=default, error_code="FLAG_NOT_FOUND")

    ours, follow = following(tmp_path / "flags.toml")
    ProviderPoll(Flagd(), lambda: list(ours.snapshot()), follow.provided, 3600).poll()
    assert ours.get("desk")[1:3] == ("candidate", "provider")
    assert ours.get("heap").source == "default"


@pytest.mark.parametrize("error", [ConnectionError, SystemExit])
def test_a_flag_that_a_provider_fails_to_resolve_keeps_what_it_said(
    error: type[BaseException], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ours, follow = following(tmp_path / "flags.toml")
    failing: set[str] = set()

    class Partly:
        def resolve_string_details(self, key: str, default: str, evaluation_context: Any = None) -> Any:
            if key in failing:
                raise error(key)
            return SimpleNamespace(value={"desk": "ramp:5", "heap": "python"}.get(key, default))

    poll = ProviderPoll(Partly(), lambda: list(ours.snapshot()), follow.provided, 3600)
    poll.poll()
    failing.add("desk")
    for _ in range(3):
        poll.poll()
    assert ours.get("desk")[1:3] == ("ramp:5", "provider")
    assert ours.get("heap")[1:3] == ("python", "provider")
    assert caplog.text.count("could not resolve desk") == 1  # once an outage


def test_provide_asks_now_and_then() -> None:
    service = Service()
    flags.declare("test.provided")
    service.modes = {"test.provided": "candidate"}
    stop = flags.provide(service, interval=0.01)
    try:
        assert flags.get("test.provided").source == "provider"
        service.modes = {}
        end = time.monotonic() + 60
        while flags.get("test.provided").source == "provider" and time.monotonic() < end:
            time.sleep(0.01)
        assert flags.get("test.provided").source == "default"
    finally:
        stop()


@pytest.mark.parametrize("answer", [None, object(), SimpleNamespace(value=True), 5], ids=range(4))
def test_a_flag_for_which_a_provider_returns_something_else_is_one_flag(answer: object) -> None:
    class Odd(Service):
        def resolve_string_details(self, flag_key: str, default_value: str, evaluation_context: Any = None) -> Any:
            found = super().resolve_string_details(flag_key, default_value, evaluation_context)
            return answer if flag_key == "test.odd" else found

    service = Odd()
    for name in ("test.odd", "test.provided"):
        flags.declare(name)
    service.modes = {"test.provided": "candidate"}
    stop = flags.provide(service, interval=60)
    try:
        assert (flags.get("test.odd").source, flags.get("test.provided").source) == ("default", "provider")
    finally:
        stop()


def test_a_hanging_provider_is_applied_when_it_answers_and_never_after_close() -> None:
    asked, answers = threading.Event(), threading.Event()

    class Slow(Service):
        def resolve_string_details(self, flag_key: str, default_value: str, evaluation_context: Any = None) -> Any:
            asked.set()
            assert answers.wait(60)
            return super().resolve_string_details(flag_key, default_value, evaluation_context)

    service, told = Slow(), queue.SimpleQueue[dict[str, str]]()
    service.modes = {"desk": "candidate"}
    poll = ProviderPoll(service, lambda: ["desk"], told.put, 60.0)
    poll.start(patience=0.01)
    assert asked.wait(60)
    assert told.empty()
    answers.set()
    assert told.get(timeout=60) == {"desk": "candidate"}
    poll.stop()
    poll.poll()
    assert told.empty()


def test_an_invalid_mode_from_a_provider_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ours, follow = following(tmp_path / "flags.toml")
    for _ in range(3):
        follow.provided({"desk": "sidewise"})
    assert caplog.text.count("is not obeyed") == 1
    follow.provided({"desk": "candidate"})
    follow.provided({"desk": "sidewise"})
    assert caplog.text.count("is not obeyed") == 2
    assert ours.get("desk").source == "provider"  # the last that could be obeyed


# ---- processes ----

APP = """
import os, sys, threading, time
import fastcore
from fastcore import flags, Switch
switch = Switch("desk", lambda: "control", lambda: "candidate")
def threads():
    return [t.name for t in threading.enumerate() if t.name.startswith("fastcore")]
"""


def run(code: str, **environ: str) -> str:
    made = subprocess.run(
        [sys.executable, "-c", APP + textwrap.dedent(code)],
        env={**os.environ, **environ}, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def test_no_thread_before_the_first_call_and_none_without_something_to_follow(tmp_path: Path) -> None:
    code = """
        flags.get("desk"); flags.set("desk", "control"); flags.rollback("desk", "why"); flags.resume("desk")
        before = threads()
        switch()
        print(before, threads())
    """
    assert run(code, FASTCORE_FLAGS_FILE=str(tmp_path / "flags.toml")) == "[] ['fastcore-flags']"
    assert run(code) == "[] []"
    for_key = """
        switch.call_for("key")
        print(threads())
    """
    assert run(for_key, FASTCORE_JOURNAL=str(tmp_path / "journal")) == "['fastcore-flags']"
    an_object = """
        from fastcore.cache import LRUCache
        LRUCache(3)
        print(threads())
    """
    assert run(an_object, FASTCORE_JOURNAL=str(tmp_path / "journal")) == "['fastcore-flags']"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("calls_before", [False, True])
def test_children_of_a_preloaded_process_follow(tmp_path: Path, calls_before: bool) -> None:
    file = tmp_path / "flags.toml"
    code = f"""
        import warnings
        warnings.simplefilter("ignore")
        if {calls_before}:
            switch()
        children, seen = [], {str(tmp_path / "seen")!r}
        for n in range(2):
            pid = os.fork()
            if pid == 0:
                end = time.monotonic() + 60
                while switch() != "candidate" and time.monotonic() < end:
                    time.sleep(0.01)
                open(f"{{seen}}{{n}}", "w").close()
                while n == 0 and not os.path.exists(seen + "1") and time.monotonic() < end:
                    time.sleep(0.01)  # or the other would be back on control before it ever met the candidate
                if n == 0:
                    flags.rollback("desk", "by a child")
                while switch() != "control" and time.monotonic() < end:
                    time.sleep(0.01)
                os._exit(0 if time.monotonic() < end and threads() == ["fastcore-flags"] else 1)
            children.append(pid)
        with open({str(file)!r} + ".new", "w") as new:
            new.write('desk = "candidate"')
        os.replace({str(file)!r} + ".new", {str(file)!r})
        print([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children])
        print(flags.get("desk").reason if not {calls_before} else "by a child")
    """
    assert run(code, FASTCORE_FLAGS_FILE=str(file)) == "[0, 0]\nby a child"


def _roll_back(path: str) -> None:
    store(path).rollback("desk", "from a spawned process")


def test_a_spawned_process_rolls_back(path: str) -> None:
    ours = store(path)
    child = multiprocessing.get_context("spawn").Process(target=_roll_back, args=(path,))
    child.start()
    child.join(100)
    assert child.exitcode == 0
    ours.follow_journal()
    assert ours.get("desk").reason == "from a spawned process"


def test_a_restart_does_not_enable_a_rolled_back_candidate(tmp_path: Path) -> None:
    file = tmp_path / "flags.toml"
    file.write_text('desk = "candidate"')
    code = """
        print(switch(), flags.get("desk").source)
        flags.rollback("desk", "why")
    """
    assert run(code, FASTCORE_FLAGS_FILE=str(file)) == "candidate file"
    assert run(code, FASTCORE_FLAGS_FILE=str(file)) == "control rollback"


def test_the_command_line(tmp_path: Path) -> None:
    environ = {**os.environ, "FASTCORE_JOURNAL": str(tmp_path / "journal.jsonl")}

    def command(*words: str, code: int = 0) -> str:
        made = subprocess.run(
            [sys.executable, "-m", "fastcore", "flags", *words], env=environ, capture_output=True, text=True
        )
        assert made.returncode == code, made.stderr
        return made.stdout + made.stderr

    assert "indicators" in command()
    refused = command("set", "desk", "ramp:10", code=1)
    assert "expected a flag that a process has declared, got 'desk'" in refused
    assert "did you mean indicators?" in command("set", "indicator", "python", code=1)
    assert "ramp:10" in command("set", "desk", "ramp:10", "--reason", "carefully", "--declare")
    assert "control" in command("rollback", "desk", "--reason", "wrong")
    body = json.loads(command("list", "desk", "--json"))
    assert (body["desk"]["mode"], body["desk"]["reason"]) == ("control", "wrong")
    said = "desk: ramp:10 does not act while the flag is rolled back (wrong); resume it first"
    assert said in command("set", "desk", "ramp:10")
    assert "ramp:10" in command("resume", "desk")
    command("clear", "desk")
    words = [entry["what"] for entry in json.loads(command("journal", "desk", "--json"))]
    assert words == ["set", "rollback", "set", "resume", "clear"]
    assert "carefully" in command("journal")
    assert "expected one of control" in command("set", "desk", "sideways", code=2)
    assert "expected the flag to set" in command("set", code=2)
    del environ["FASTCORE_JOURNAL"]
    assert "FASTCORE_JOURNAL or FASTCORE_FLAGS_FILE" in command("set", "desk", "control", code=2)
