"""The command lines as people misuse them: one line that says what to write, one rule for exit codes, no traceback."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from fastcore import cli, flags
from fastcore.dispatch.journal import Journal
from fastcore.tasks.stores.sqlite.store import SqliteStore
from tests.tasks.stores.sqlite_specs import spec

pytestmark = pytest.mark.backend_independent


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of 30 tasks called crawl, and files that are no databases."""
    path = tmp_path_factory.mktemp("files")
    store = SqliteStore(path / "tasks.db", durability="normal").open()
    made = [spec("crawl", at=time.time()) for _ in range(30)]
    store.submit(made).result(30)
    store.close()
    (path / "half.db").write_bytes((path / "tasks.db").read_bytes()[:8192])
    (path / "text.db").write_text("not a database\n" * 200)
    (path / "folder").mkdir()
    (path / "broken.py").write_text("import os\nqueue = undefined_name\n")
    (path / "crooked.py").write_text("def f(:\n")
    (path / "jobs.py").write_text("from fastcore.tasks import TaskQueue\nqueue = TaskQueue()\nother = 3\n")
    (path / "journal.jsonl").write_bytes(b"\x00\x01 of another program\n" * 3)
    return path


def run(folder: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FASTCORE_")}
    root = str(Path(cli.__file__).parents[1])
    return subprocess.run(
        [sys.executable, "-m", "fastcore", *words],
        cwd=folder,
        env={**inherited, "PYTHONPATH": root, **environ},
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=60,
        check=False,
    )


MISSPELT = [
    (["statsu"], "did you mean status?", 2),
    (["--versoin"], "did you mean --version?", 2),
    (["status", "--jsno"], "did you mean --json?", 2),
    (["status", "extra"], "unexpected arguments: extra", 2),
    (["tasks", "--db", "tasks.db", "lst"], "did you mean list?", 2),
    (["tasks", "--db", "tasks.db", "list", "--limt", "3"], "did you mean --limit?", 2),
    (["tasks", "--db", "tasks.db", "list", "--lim", "3"], "did you mean --limit?", 2),
    (["tasks", "--db", "tasks.db", "list", "--state", "DEAD"], "did you mean dead?", 2),
    (["tasks", "--db", "tasks.db", "list", "--limit", "0"], "expected an int >= 1, got '0'", 2),
    (["tasks", "--db", "tasks.db", "list", "--limit", "many"], "expected an int >= 1, got 'many'", 2),
    (["tasks", "--db", "tasks.db", "list", "--task", "crwal"], "did you mean crawl?", 1),
    (["tasks", "--db", "tasks.db", "retry", "--all-dead", "--task", "crwal"], "did you mean crawl?", 1),
    (["tasks", "--db", "tasks.db", "purge", "crwal"], "did you mean crawl?", 1),
    (["tasks", "--db", "tasks.db", "retry"], "expected either ID, or --all-dead", 2),
    (["tasks", "--db", "tasks.db", "watch", "--interval", "nan"], "expected a number above 0, got 'nan'", 2),
    (["tasks", "list"], "--db: expected the file of the database", 2),
    (["tasks", "--db", "sqlite:///", "list"], "expected a URL such as sqlite:///tasks.db", 2),
    (["tasks", "--db", "", "list"], "--db: expected the file of the database", 2),
    (["tasks", "--db", "none.db", "list"], "got no such file", 2),
    (["tasks", "--db", "folder", "list"], "expected a database of tasks, got a directory", 2),
    (["tasks", "--db", "text.db", "list"], "got a damaged file or one of another kind", 2),
    (["tasks", "--db", "half.db", "list"], "got a damaged file or one of another kind", 2),
    (["tasks", "run", "jobs:queu"], "did you mean queue?", 2),
    (["tasks", "run", "job:queue"], "did you mean jobs?", 2),
    (["tasks", "run", "jobs.py:queue"], "did you mean jobs:queue?", 2),
    (["tasks", "run", "jobs:other"], "expected a TaskQueue at jobs:other, got int", 2),
    (["tasks", "run", "broken:queue"], "broken.py, line 2", 2),
    (["tasks", "run", "crooked:queue"], "crooked.py, line 1", 2),
    (["flags", "lst"], "did you mean list?", 2),
    (["flags", "list", "indicatorz"], "did you mean indicators?", 1),
    (["flags", "journal", "indicatorz"], "did you mean indicators?", 1),
    (["flags", "journal", "--limit", "-3"], "expected an int >= 1, got '-3'", 2),
    (["flags", "set", "indicators", "pythn"], "did you mean python?", 2),
    (["flags", "set", "indicators"], "mode: expected one", 2),
    (["flags", "clear", "indicators", "python"], "mode: only set takes one", 2),
    (["bnech"], "did you mean bench?", 2),
    (["bench", "haep"], "did you mean heap?", 1),
    (["bench", "--rounds", "0"], "expected an int >= 1, got '0'", 2),
    (["demo", "--prot", "1"], "did you mean --port?", 2),
    (["demo", "--port", "70000"], "expected a port in 0..65535, got '70000'", 2),
    (["demo", "--seconds", "-1"], "expected a number above 0, got '-1'", 2),
]


@pytest.mark.parametrize(("words", "told", "code"), MISSPELT, ids=[" ".join(words) for words, _, _ in MISSPELT])
def test_wrong_use_is_refused_with_what_to_write(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    told: str,
    code: int,
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr("fastcore.dispatch.process.store.journal", Journal(str(folder / "new.jsonl")))
    try:
        found = cli.main(words)
    except SystemExit as stop:
        found = stop.code  # type: ignore[assignment]
    out, err = capsys.readouterr()
    assert (found, out) == (code, ""), err
    assert told in err.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "commands"), [([], ("bench", "status", "tasks")), (["tasks"], ("list", "watch", "run"))]
)
def test_without_a_command_those_that_there_are_are_listed(
    capsys: pytest.CaptureFixture[str], words: list[str], commands: tuple[str, ...]
) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(words)
    out, err = capsys.readouterr()
    assert (stop.value.code, out) == (2, "")
    assert all(f"\n    {command} " in err for command in commands)


def test_a_share_beyond_its_range_gets_no_suggestion_of_the_same_word() -> None:
    with pytest.raises(ValueError, match=r"ramp:P with P in 0\.\.100, shadow:P, canary, got 'ramp:200'$"):
        flags.set("indicators", "ramp:200")


def test_a_shortened_list_states_that_it_was_cut(folder: Path) -> None:
    people = run(folder, "tasks", "list", "--db", "sqlite:///tasks.db", "--limit", "4").stdout
    assert people.count("crawl") == 4
    assert people.endswith("4 of 30 tasks; --limit shows more\n")
    programs = run(folder, "tasks", "--db", "tasks.db", "list", "--limit", "4", "--json")
    assert programs.stdout.endswith("]\n")
    assert programs.stderr == "4 of 30 tasks; --limit shows more\n"
    assert "shows more" not in run(folder, "tasks", "--db", "tasks.db", "list", "--limit", "30").stdout
    assert "shows more" not in run(folder, "tasks", "--db", "tasks.db", "list", "--state", "dead").stdout


def test_an_id_with_a_wrong_letter_is_suggested(folder: Path) -> None:
    id = run(folder, "tasks", "--db", "tasks.db", "list", "--limit", "1").stdout.split("\n")[1].split()[0]
    wrong = id[:20] + ("0" if id[20] != "0" else "1") + id[21:]
    assert f"did you mean {id}?" in run(folder, "tasks", "--db", "tasks.db", "show", wrong).stderr


def test_the_journal_states_how_many_entries_are_shown(tmp_path: Path) -> None:
    journal = str(tmp_path / "journal.jsonl")
    for _ in range(2):
        run(tmp_path, "flags", "set", "cache", "python", "--reason", "\x1b[31mred\nnext", FASTCORE_JOURNAL=journal)
    shown = run(tmp_path, "flags", "journal", "--limit", "1", FASTCORE_JOURNAL=journal).stdout
    assert shown.splitlines()[-1] == "1 of 2 entries, the newest; --limit shows more"
    assert "?[31mred?next" in shown  # what a terminal would obey does not reach it


def test_a_change_that_no_process_can_see_is_no_success(folder: Path) -> None:
    for path in ("folder", "nowhere/journal.jsonl"):
        ran = run(folder, "flags", "rollback", "cache", FASTCORE_JOURNAL=str(folder / path))
        assert ran.returncode == 2
        assert "could not be written" in ran.stderr


def test_a_journal_of_another_format_is_reported(folder: Path) -> None:
    ran = run(folder, "flags", "list", FASTCORE_JOURNAL=str(folder / "journal.jsonl"))
    assert "3 lines are no entries" in ran.stderr
    ran = run(folder, "flags", "journal", FASTCORE_JOURNAL=str(folder / "none.jsonl"))
    assert "no such file" in ran.stderr


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_letters_that_the_terminal_lacks(tmp_path: Path, encoding: str) -> None:
    journal = str(tmp_path / "journal.jsonl")
    run(tmp_path, "flags", "set", "cache", "python", "--reason", "средний ☃ €", FASTCORE_JOURNAL=journal)
    ran = run(tmp_path, "flags", "list", FASTCORE_JOURNAL=journal, PYTHONIOENCODING=f"{encoding}:strict")
    assert ran.returncode == 0, ran.stderr
    assert "\\u2603" in ran.stdout


def test_a_user_without_a_name_can_roll_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 54321")

    monkeypatch.setattr("getpass.getuser", nameless)
    monkeypatch.setattr("fastcore.dispatch.process.store.journal", Journal(str(tmp_path / "journal.jsonl")))
    try:
        assert cli.main(["flags", "rollback", "cache"]) == 0
    finally:
        assert cli.main(["flags", "resume", "cache"]) == 0
    assert "cli:unknown" in (tmp_path / "journal.jsonl").read_text()


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX")
@pytest.mark.parametrize(
    ("redirected", "code"), [(">&-", 0), (">&- 2>&-", 0), (">/dev/full", 2), ("| head -1", 0)], ids=str
)
def test_output_that_cannot_be_written(folder: Path, redirected: str, code: int) -> None:
    command = f"{sys.executable} -m fastcore tasks --db tasks.db list {redirected}; exit ${{PIPESTATUS[0]}}"
    ran = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == code, ran.stderr
    assert "Traceback" not in ran.stderr
    assert "Exception ignored" not in ran.stderr


@pytest.mark.skipif(os.name != "posix", reason="Windows cannot send Ctrl-C to one process")
def test_ctrl_c_ends_without_a_traceback(folder: Path) -> None:
    command = [sys.executable, "-m", "fastcore", "tasks", "--db", "tasks.db", "watch", "--interval", "0.05"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watch:
        assert watch.stdout is not None
        assert "crawl" in watch.stdout.readline() + watch.stdout.readline()
        watch.send_signal(signal.SIGINT)
        _, err = watch.communicate(timeout=60)
    assert (watch.returncode, err) == (130, "")


def test_a_database_that_another_process_locks(folder: Path) -> None:
    connection = sqlite3.connect(folder / "tasks.db", isolation_level=None)
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("BEGIN EXCLUSIVE")
    try:
        ran = run(folder, "tasks", "--db", "tasks.db", "list")
    finally:
        connection.close()
    assert ran.returncode == 2
    assert "got a lock of another process" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


def test_help_explains_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--help"], ["tasks", "--help"]):
        with pytest.raises(SystemExit):
            cli.main(words)
        assert "exit codes: 0 done; 1 what was named" in " ".join(capsys.readouterr().out.split())


def test_bench_compares_each_part_and_prints_json_for_programs(folder: Path) -> None:
    ran = run(folder, "bench", "framing", "heap", "--rounds", "2", "--json")
    assert (ran.returncode, ran.stderr) == (0, "")
    rows = json.loads(ran.stdout)["rows"]
    assert {row["part"] for row in rows} == {"framing", "heap"}
    assert all(row["ours"] > 0 and row["theirs"] > 0 and row["ratio"] > 0 for row in rows)
    people = run(folder, "bench", "heap", "--rounds", "2", FORCE_COLOR="1").stdout
    assert "queue.PriorityQueue" in people
    assert "\x1b[3" in people or "as fast" in people


def test_the_demo_serves_the_dashboard_and_ends_at_ctrl_c(folder: Path) -> None:
    pytest.importorskip("uvicorn")
    command = [sys.executable, "-m", "fastcore", "demo", "--port", "0", "--json", "--seconds", "60"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        told = json.loads(demo.stdout.readline())
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        names: set[str] = set()
        while "demo.signal" not in names:  # until the load has called its Switch
            assert demo.poll() is None
            time.sleep(0.1)
            with contextlib.suppress(urllib.error.URLError):  # it may not serve yet
                with opener.open(f"{told['dashboard']}api/snapshot/switches", timeout=30) as answer:
                    names = {one["name"] for one in json.load(answer)["switches"]}
        if os.name == "posix":
            demo.send_signal(signal.SIGINT)
            _, err = demo.communicate(timeout=60)
            assert "Traceback" not in err
        else:
            demo.kill()


@pytest.mark.parametrize(
    ("environ", "coloured"),
    [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)],
)
def test_states_have_colours_on_a_terminal_only(folder: Path, environ: dict[str, str], coloured: bool) -> None:
    for words in (["status"], ["tasks", "--db", "tasks.db", "list"]):
        out = run(folder, *words, **environ).stdout
        assert ("\x1b[3" in out) is coloured
        plain = re.sub(r"\x1b\[\d+m", "", out)
        assert re.search("(compiled|python|queued) ", plain)
    assert "\x1b" not in run(folder, "tasks", "--db", "tasks.db", "list", "--json", FORCE_COLOR="1").stdout
