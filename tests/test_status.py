"""``fastcore.status()`` and ``python -m fastcore status``: which twin runs, and why."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import fastcore
from fastcore import Switch, _ext, cli, flags
from fastcore.dispatch import process
from fastcore.dispatch import status as module
from fastcore.dispatch.status import PathStatus, status
from tests.conftest import PURE_ONLY

ROOT = Path(fastcore.__file__).resolve().parent.parent


def path_of(name: str) -> PathStatus:
    return next(path for path in status().paths if path.name == name)


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("FASTCORE_")}
    return subprocess.run(
        [sys.executable, "-m", "fastcore", *arguments],
        capture_output=True,
        text=True,
        env={**clean, **env},
        check=False,
    )


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Pretend that the heap's extension is loaded and that of the cache is not."""
    heap: Any = ModuleType("heap")
    monkeypatch.setitem(_ext._probed, "heap", _ext.Extension("heap", heap, "", "/x/heap.so"))
    monkeypatch.setitem(_ext._probed, "cache", _ext.Extension("cache", None, "not built for this Python", ""))
    return heap


@pytest.mark.usefixtures("built")
def test_auto_reports_the_twin_that_runs() -> None:
    heap, cache = path_of("heap"), path_of("cache")
    assert (heap.runs, heap.why, heap.instruction_set) == ("compiled", "auto (default)", "baseline")
    assert (cache.runs, cache.instruction_set) == ("python", "")
    assert cache.why == "auto (default); no compiled twin: not built for this Python"
    assert heap.extension == "/x/heap.so"


def test_the_instruction_set_is_the_extension_s_own(built: Any) -> None:
    built.isa = lambda: "avx2"
    assert path_of("heap").instruction_set == "avx2"
    with flags.override("heap", "python"):
        assert path_of("heap").instruction_set == ""


@pytest.mark.usefixtures("built")
def test_status_shows_the_source_and_reason_of_a_flag() -> None:
    with flags.override("heap", "python", reason="ticket 42"):
        heap = path_of("heap")
    assert (heap.runs, heap.why) == ("python", "python (override): ticket 42")
    assert heap.flag.source == "override"
    with flags.override("heap", "ramp:10"):
        assert path_of("heap").runs == "ramp:10"
    flags.rollback("heap", "too slow")
    try:
        assert path_of("heap").why == "python (rollback): too slow"
    finally:
        flags.resume("heap")


@pytest.mark.usefixtures("built")
def test_requiring_a_missing_twin(monkeypatch: pytest.MonkeyPatch) -> None:
    insisting = type(process.store)({"FASTCORE_BACKEND": "compiled"})
    for name in flags.snapshot():
        insisting.declare(name)
    monkeypatch.setattr(process, "store", insisting)
    cache = path_of("cache")
    assert cache.runs == "unavailable"
    assert cache.why == "compiled (FASTCORE_BACKEND); no compiled twin: not built for this Python"
    assert path_of("heap").runs == "compiled"


def test_switches_are_listed_with_their_calls() -> None:
    switch = Switch("test.status", abs, abs)
    for x in range(5):
        switch(x)
    with flags.override("test.status", "candidate"):
        switch(1)
        row = next(s for s in status().switches if s.name == "test.status")
    assert (row.flag, row.mode, row.source) == ("test.status", "candidate", "override")
    assert (row.control_calls, row.candidate_calls, row.errors) == (5, 1, 0)
    assert "test.status" in str(status())


def test_a_hot_path_s_switches_are_listed_once_in_use() -> None:
    switch = Switch("test.on_a_path", abs, abs, flag="heap")
    assert "test.on_a_path" not in {s.name for s in status().switches}
    switch(1)
    assert "test.on_a_path" in {s.name for s in status().switches}


def test_the_dictionary_is_json() -> None:
    body = json.loads(json.dumps(status().to_dict()))
    assert set(body["paths"]) == {"indicators", "cache", "heap", "framing"}
    assert set(body["machinery"]) == {"switch", "metrics"}
    assert body["version"] == fastcore.__version__
    assert body["paths"]["heap"]["flag"]["mode"] == flags.get("heap").mode


def test_the_other_distribution_of_this_name_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name == "fastcore":
            return "9.9"
        raise importlib.metadata.PackageNotFoundError(name)

    assert module.name_clash() == ""
    monkeypatch.setattr(importlib.metadata, "version", version)
    assert "the distribution fastcore 9.9 is installed next to fastcore-native" in str(status())


def test_importing_next_to_the_other_distribution_warns(tmp_path: Path) -> None:
    package = tmp_path / "fastcore"
    shutil.copytree(ROOT / "fastcore", package, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    code = "import fastcore, warnings; print(fastcore.__file__)"
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}

    def imported() -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, cwd=tmp_path)

    assert str(package) in imported().stdout
    assert imported().stderr == ""
    (package / "foundation.py").write_text("")
    assert "RuntimeWarning: another distribution called fastcore" in imported().stderr


# ---- the command line ----


def test_status_prints_a_table() -> None:
    ran = run("status")
    assert ran.returncode == 0
    lines = ran.stdout.splitlines()
    assert lines[0].startswith(f"fastcore {fastcore.__version__}, Python ")
    assert [line.split()[0] for line in lines[3:9]] == ["indicators", "cache", "heap", "framing", "switch", "metrics"]
    assert ran.stderr == ""


def test_status_in_pure_python() -> None:
    body = json.loads(run("status", "--json", FASTCORE_NO_EXTENSIONS="1").stdout)
    assert {path["runs"] for path in body["paths"].values()} == {"python"}
    assert {path["cause"] for path in body["paths"].values()} == {"switched off by FASTCORE_NO_EXTENSIONS"}
    assert {part["runs"] for part in body["machinery"].values()} == {"python"}


@pytest.mark.skipif(PURE_ONLY, reason="without compiled twins the status says so first")
def test_status_of_a_free_threaded_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ext, "_free_threaded", lambda: True)
    monkeypatch.setattr(_ext, "_probed", {})
    (heap,) = (path for path in status().paths if path.name == "heap")
    cause = "this Python is free-threaded, and the compiled twins rely on the GIL"
    assert (heap.runs, heap.why) == ("python", f"auto (default); no compiled twin: {cause}")


def test_status_where_the_compiled_twins_are_insisted_on_and_missing() -> None:
    ran = run("status", "--json", FASTCORE_NO_EXTENSIONS="1", FASTCORE_BACKEND="compiled")
    assert ran.returncode == 0
    body = json.loads(ran.stdout)
    assert {part["runs"] for part in (body["paths"] | body["machinery"]).values()} == {"unavailable"}


def test_the_environment_is_named_as_the_source() -> None:
    body = json.loads(run("status", "--json", FASTCORE_BACKEND="python", FASTCORE_HEAP="auto").stdout)
    assert body["paths"]["cache"]["why"].startswith("python (FASTCORE_BACKEND)")
    assert body["paths"]["heap"]["why"].startswith("auto (FASTCORE_HEAP)")


def test_a_wrong_setting_is_reported_in_one_line() -> None:
    ran = run("status", FASTCORE_CACHE="fast")
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert ran.stderr.startswith("fastcore: FASTCORE_CACHE: expected one of auto, compiled, python, ramp:P")
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("arguments", [(), ("nothing",), ("status", "--nothing")])
def test_wrong_usage_is_refused(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2
    assert "usage: fastcore" in capsys.readouterr().err


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--version"], ["--help"], ["status", "--help"]):
        with pytest.raises(SystemExit) as stop:
            cli.main(arguments)
        assert stop.value.code == 0
    out = capsys.readouterr().out
    assert fastcore.__version__ in out
    assert "say which twin of every hot path runs, and why" in out


def test_a_closed_output_pipe_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ran = subprocess.run(
        [sys.executable, "-m", "fastcore", "status"], stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert ran.returncode == 0
    assert ran.stderr == b""


def test_a_command_is_imported_only_when_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cli.COMMANDS, "broken", cli.Command("fail", "fastcore.no_such_module"))
    assert cli.main(["status"]) == 0
    assert cli.main(["broken"]) == 2
