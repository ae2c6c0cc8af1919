"""The asv suites, the check of the build that they measure, and what compares and draws their results."""

from __future__ import annotations

import ast
import html.parser
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytestmark = pytest.mark.backend_independent

ROOT = Path(__file__).resolve().parents[2]
ASV = ROOT / "benchmarks" / "asv"
SUITES = sorted((ASV / "benchmarks").glob("bench_*.py"))
NAN = float("nan")

EVERY_BENCHMARK = """
import importlib, pkgutil, benchmarks
for part in pkgutil.iter_modules(benchmarks.__path__):
    suite = importlib.import_module(f"benchmarks.{part.name}")
    for name, fn in vars(suite).items():
        if name.startswith(("time_", "track_", "peakmem_")):
            assert not hasattr(fn, "setup"), f"{part.name}.{name} would be skipped"
            fn()
from benchmarks import bench_definitions, bench_import, bench_indicators
for indicator in bench_indicators.CALL:
    bench_indicators.Call().time_call(indicator, 30)
for indicator in bench_definitions.Definition.params:
    bench_definitions.Definition().time_call(indicator)
for module in bench_import.PARTS:
    exec(bench_import.Import().timeraw_import(module))
"""


def suite_process(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("ASV_", "FASTCORE_BACKEND"))}
    env.update(PYTHONPATH=os.pathsep.join([str(ASV), variables.pop("ROOT", str(ROOT))]), **variables)
    command = [sys.executable, "-P", "-c", code]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=110, check=False)


def test_every_benchmark_runs(backend: str) -> None:
    ran = suite_process(EVERY_BENCHMARK, FASTCORE_BACKEND=backend)
    assert ran.returncode == 0, ran.stderr[-3000:]


EVERY_BENCHMARK_OF_A_COMMIT_WITHOUT_ALL = """
import importlib, pkgutil, benchmarks
from benchmarks.features import Skipped
def raised(call, *arguments):
    try:
        call(*arguments)
    except NotImplementedError as error:
        return type(error)
for part in pkgutil.iter_modules(benchmarks.__path__):
    suite = importlib.import_module(f"benchmarks.{part.name}")
    for name, fn in vars(suite).items():
        if name.startswith(("time_", "track_", "peakmem_")) and not name.endswith(("_direct", "_requests_alone")):
            assert raised(fn.setup) is NotImplementedError, f"{part.name}.{name}"
from benchmarks import bench_definitions, bench_import, bench_indicators
assert raised(bench_indicators.Call().time_call, "ema", 30) is Skipped
assert raised(bench_definitions.Definition().time_call, "ADX") is Skipped
assert raised(bench_import.Import().timeraw_import, "fastcore.tasks") is Skipped
"""


def test_a_commit_that_lacks_a_part_skips_what_is_measured_of_it(tmp_path: Path) -> None:
    (tmp_path / "fastcore").mkdir()
    (tmp_path / "fastcore" / "__init__.py").touch()
    ran = suite_process(EVERY_BENCHMARK_OF_A_COMMIT_WITHOUT_ALL, ROOT=str(tmp_path))
    assert ran.returncode == 0, ran.stderr[-3000:]


@pytest.mark.parametrize("suite", [path for path in SUITES if path.stem != "bench_instructions"], ids=lambda p: p.stem)
def test_a_suite_has_no_setup_hook(suite: Path) -> None:
    defined = {node.name for node in ast.walk(ast.parse(suite.read_text(encoding="utf-8"))) if hasattr(node, "name")}
    assert "setup" not in defined, "a setup hook makes asv time single calls"


def test_an_installed_copy_that_is_not_the_one_of_asv_is_refused(tmp_path: Path) -> None:
    (tmp_path / "asv-install-status.json").write_text(json.dumps({"commit_hash": "1" * 40}))
    ran = suite_process("import benchmarks.bench_heap", ASV_ENV_DIR=str(tmp_path))
    assert ran.returncode != 0
    assert "ForeignBuild: fastcore: expected the copy installed in" in ran.stderr


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports a module of benchmarks/asv, and forgets it and its companions after the test."""
    before = set(sys.modules)
    kept = sys.modules.pop("benchmarks", None)
    monkeypatch.syspath_prepend(str(ASV))

    def imported(name: str) -> ModuleType:
        return __import__(name, fromlist=["_"])

    yield imported
    for name in set(sys.modules) - before:
        if name.split(".")[0] in {path.stem for path in ASV.glob("*.py")} | {"benchmarks"}:
            del sys.modules[name]
    if kept is not None:
        sys.modules["benchmarks"] = kept


@pytest.mark.parametrize(("written", "fault"), [("a" * 40, ""), ("b" * 40, f"got {'b' * 40}"), (None, "without a")])
def test_a_build_of_another_commit_is_refused(
    load: Any, monkeypatch: pytest.MonkeyPatch, written: str | None, fault: str
) -> None:
    build = load("benchmarks.build")
    if written is None:
        monkeypatch.setitem(sys.modules, "fastcore._commit", None)
    else:
        made = ModuleType("fastcore._commit")
        made.COMMIT = written  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "fastcore._commit", made)
    if fault:
        with pytest.raises(build.ForeignBuild, match=fault):
            build.check_build("a" * 40, ROOT)
    else:
        build.check_build("a" * 40, ROOT)


def test_a_backend_that_does_not_run_is_refused(load: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    build = load("benchmarks.build")
    from fastcore.dispatch import backends

    monkeypatch.setattr(backends, "backend_for", lambda path: "compiled" if path == "heap" else "python")
    with pytest.raises(build.ForeignBuild, match="FASTCORE_BACKEND: expected heap to run on python"):
        build.check_twins("python")


def test_only_what_the_commit_itself_lacks_is_skipped(load: Any) -> None:
    features = load("benchmarks.features")
    assert features.feature("fastcore.heap:PriorityHeap").__name__ == "PriorityHeap"
    assert features.feature("fastcore.heap:Absent") is None
    assert features.feature("fastcore.absent:Thing") is None
    with pytest.raises(ModuleNotFoundError):
        features.feature("a_package_of_others:Thing")

    @features.needs(None)
    def benchmark() -> None: ...

    with pytest.raises(NotImplementedError):
        benchmark.setup()


def test_the_configuration_pins_each_package_and_removes_the_library_by_its_name() -> None:
    text = re.sub(r"^\s*//.*$", "", (ASV / "asv.conf.json").read_text(encoding="utf-8"), flags=re.MULTILINE)
    told = json.loads(text)
    assert all(re.fullmatch(r"(==)?[\d.]+", version) for (version,) in told["matrix"]["req"].values())
    assert told["matrix"]["env_nobuild"] == {"FASTCORE_BACKEND": ["compiled", "python"]}
    (removed,) = told["uninstall_command"]
    assert removed.endswith(" fastcore-native")
    assert "--force-reinstall" in told["install_command"][0]
    assert [pattern for pattern in told["regressions_thresholds"] if re.search(pattern, "bench_heap.time_update")] == [
        "^(?!bench_instructions\\.)"
    ]


def test_a_build_takes_only_binaries_and_objects_from_the_one_before(load: Any, tmp_path: Path) -> None:
    kept = ["lib.linux/fastcore/_ext/heap.so", "temp.linux/heap/module.o", "cython/metrics.c"]
    for name in (*kept, "lib.linux/fastcore/removed.py", "lib.linux/fastcore/_ext/_stamps.py", "bdist.linux/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    load("commit_wheel").keep_binaries(tmp_path)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*") if path.is_file()) == sorted(
        kept
    )


# --- what reads the results, with asv installed ---------------------------------------------------------------------


@pytest.fixture
def tools(load: Any) -> Any:
    pytest.importorskip("asv")
    return load


def one(tools: Any, value: float | None, *, unit: str = "seconds", backend: str = "compiled", commit: str = "b") -> Any:
    """A measurement whose samples are close to `value`."""
    from asv_runner.statistics import compute_stats

    samples = [value * (1 + k / 1000) for k in range(12)] if unit == "seconds" and value and value == value else []
    stats = compute_stats(samples, 1)[1] if samples else None
    spread = (samples[3], samples[8]) if samples else (value or 0.0, value or 0.0)
    return tools("measured").Measured("bench_heap.time_x", backend, commit, value, samples, spread, stats, unit)


@pytest.mark.parametrize(
    ("before", "after", "unit", "ratio"),
    [
        (1.0, 1.3, "seconds", 1.3),
        (1.0, 1.1, "seconds", 1.0),
        (1.3, 1.0, "seconds", 1.0),
        (1000, 1021, "instructions", 1.021),
        (1000, 1019, "instructions", 1.0),
        (1021, 1000, "instructions", 1000 / 1021),
        (1000, 1101, "bytes", 1.101),
        (1.0, None, "seconds", None),
        (None, 1.0, "seconds", 1.0),
        (NAN, 1.0, "seconds", 1.0),
        (1.0, NAN, "seconds", 1.0),
    ],
)
def test_a_slowdown_is_what_is_beyond_the_noise_of_its_measure(
    tools: Any, before: float | None, after: float | None, unit: str, ratio: float | None
) -> None:
    found = tools("check").ratio_of(one(tools, before, unit=unit), one(tools, after, unit=unit))
    assert found == (ratio if ratio is None else pytest.approx(ratio))


def test_a_slow_median_is_no_slowdown_where_the_fastest_run_is_as_fast(tools: Any) -> None:
    before, after = one(tools, 1.0), one(tools, 1.5)
    assert tools("check").ratio_of(before, after._replace(samples=[1.0, *after.samples[1:]])) == 1.0


def test_a_line_does_not_jump_where_the_fastest_run_is_as_fast(tools: Any) -> None:
    before, after = one(tools, 1.0), one(tools, 1.5)
    change = tools("measured").change
    assert change(before, after) == pytest.approx(1.5)
    assert change(after, before) == pytest.approx(1 / 1.5)
    assert change(before, after._replace(samples=[1.0, *after.samples[1:]])) == 1.0


def test_the_table_names_benchmark_values_and_ratio(tools: Any) -> None:
    check = tools("check")
    table = check.table([check.Change("bench_heap.time_x", "compiled", "1.00ms", "1.30ms", 1.3)])
    assert [line.split() for line in table.splitlines()] == [
        ["benchmark", "backend", "before", "after", "ratio"],
        ["bench_heap.time_x", "compiled", "1.00ms", "1.30ms", "1.300"],
    ]


@pytest.mark.parametrize(
    ("bench", "name", "counted"),
    [
        ("", "bench_heap.time_update", False),
        ("", "bench_instructions.Instructions.track_instructions('heap.update')", True),
        ("^bench_heap", "bench_heap.time_update", False),
        ("ema", "bench_instructions.Instructions.track_instructions('kernel.ema')", True),
    ],
)
def test_benchmarks_are_either_timed_or_counted(tools: Any, bench: str, name: str, counted: bool) -> None:
    selected = tools("driver").selected
    assert bool(re.search(selected(bench, counted=counted), name))
    assert not re.search(selected(bench, counted=not counted), name)
    assert not re.search(selected("other", counted=counted), name)


class Loads(html.parser.HTMLParser):
    """What a page loads by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag in ("script", "img", "link"):
            self.found.append(told.get("src") or told.get("href") or "")


def test_asvs_page_loads_nothing_from_elsewhere(tools: Any) -> None:
    import asv

    offline = tools("offline")
    page = (Path(asv.__file__).parent / "www" / "index.html").read_text(encoding="utf-8")
    local = {name: f"libraries/{name}" for library in offline.LIBRARIES for name in library.files}
    loads = Loads()
    loads.feed(offline.rewritten(page, local))
    assert [path for path in loads.found if "//" in path] == []
    assert set(local.values()) <= set(loads.found)
    order = [loads.found.index(path) for path in (local["jquery-3.3.1.min.js"], "data.js", "asv.js")]
    assert order == sorted(order)


def test_a_jump_is_marked_where_it_is(tools: Any) -> None:
    lines, driver = tools("lines"), tools("driver")
    history = {name: driver.Commit(name, "2026-01-01", f"Subject <{name}>", "", "") for name in "abc"}
    found = [one(tools, value, commit=commit) for commit, value in zip("abc", (1.0, 1.02, 1.5))]
    found += [one(tools, 9.0, commit=commit, backend="python") for commit in "abc"]
    (series,) = lines.series_of(found, history)
    assert [(jump.after.commit, jump.kind) for jump in series.jumps] == [("c", "slower")]
    page = lines.lines_page([series], history, "reference")
    assert page.count("<polygon") == 1
    assert page.count("<polyline") == 2
    assert "Subject &lt;c&gt;" in page
    assert "<td>heap x</td><td>compiled</td>" in page
    assert "No benchmark jumped." in lines.lines_page([series._replace(jumps=[])], history, "reference")
    loads = Loads()
    loads.feed(page)
    assert [path for path in loads.found if "//" in path] == []
