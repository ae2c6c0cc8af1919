"""Flags: precedence, strict parsing, overrides, rollbacks, listeners, threads."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from datetime import UTC, datetime, timedelta

import pytest

from fastcore import BackendUnavailable, _ext, flags
from fastcore.dispatch import modes
from fastcore.dispatch.store import HOT_PATHS, Change, FlagStore


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture
def environ() -> dict[str, str]:
    return {}


@pytest.fixture
def store(environ: dict[str, str]) -> FlagStore:
    return FlagStore(environ, Clock())


@pytest.fixture
def loadable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every compiled twin can be had, so that precedence is tested whatever is built."""
    monkeypatch.setattr(_ext, "load", lambda name: None)


def test_hot_paths_begin_at_auto(store: FlagStore) -> None:
    assert {name: flag.mode for name, flag in store.snapshot().items()} == dict.fromkeys(HOT_PATHS, "auto")
    assert store.get("cache").source == "default"


@pytest.mark.usefixtures("loadable")
def test_precedence_from_the_default_up(environ: dict[str, str], store: FlagStore) -> None:
    environ["FASTCORE_BACKEND"] = "compiled"
    store.refresh()
    assert store.get("cache")[1:3] == ("compiled", "FASTCORE_BACKEND")
    environ["FASTCORE_CACHE"] = "python"
    store.refresh()
    assert store.get("cache")[1:3] == ("python", "FASTCORE_CACHE")
    assert store.get("heap")[1:3] == ("compiled", "FASTCORE_BACKEND")
    store.set("cache", "ramp:25", reason="trial")
    assert store.get("cache")[1:3] == ("ramp:25", "set")
    assert store.get("cache").reason == "trial"
    store.rollback("cache", "wrong answers")
    assert store.get("cache")[1:3] == ("python", "rollback")
    assert store.set("cache", "compiled").source == "rollback"
    with store.override("cache", "compiled") as flag:
        assert flag.source == "rollback"
    assert store.resume("cache")[1:3] == ("compiled", "set")
    assert store.clear("cache")[1:3] == ("python", "FASTCORE_CACHE")
    environ.clear()
    store.refresh()
    assert store.get("cache")[1:3] == ("auto", "default")


def test_environment_is_for_hot_paths_only(environ: dict[str, str]) -> None:
    environ.update(FASTCORE_BACKEND="python", FASTCORE_DESK="candidate")
    store = FlagStore(environ)
    assert store.declare("desk").mode == "control"
    assert store.get("heap").mode == "python"


@pytest.mark.parametrize("value", ["fast", "1", "true", "ramp", "ramp:101", "control", "shadow:5"])
@pytest.mark.parametrize("variable", ["FASTCORE_BACKEND", "FASTCORE_CACHE"])
def test_a_bad_variable_is_named(variable: str, value: str) -> None:
    with pytest.raises(ValueError, match=rf"^{variable}: .*{value}"):
        FlagStore({variable: value})


def test_a_bad_variable_at_refresh_changes_nothing(environ: dict[str, str], store: FlagStore) -> None:
    environ["FASTCORE_HEAP"] = "python"
    environ["FASTCORE_INDICATORS"] = "quick"
    with pytest.raises(ValueError, match="FASTCORE_INDICATORS"):
        store.refresh()
    assert store.get("heap").mode == "auto"


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("auto", "auto"),
        (" Python ", "python"),
        ("ramp:0", "ramp:0"),
        ("ramp:100", "ramp:100"),
        ("ramp:100.0", "ramp:100"),
        ("ramp:.5", "ramp:0.5"),
        ("ramp:33.333333333", "ramp:33.333333333"),
        ("RAMP:5.", "ramp:5"),
    ],
)
def test_modes_parse_to_one_spelling(text: str, mode: str) -> None:
    parsed = modes.parse(text, modes.PATH_WORDS)
    assert str(parsed) == mode
    assert modes.parse(str(parsed), modes.PATH_WORDS) == parsed


@pytest.mark.parametrize(
    "text",
    ["", "on", "ramp", "ramp:", "ramp:-1", "ramp:100.1", "ramp:nan", "ramp:inf", "ramp:1e1", "ramp:1_0", "ramp:5%",
     "ramp: 5", "ramp:٥", "auto:1", "control", "ramp:0x10", "ramp:."],
)  # fmt: skip
def test_modes_are_parsed_strictly(text: str) -> None:
    with pytest.raises(ValueError, match=r"^mode: expected one of auto, compiled, python, ramp:P with P in 0\.\.100"):
        modes.parse(text, modes.PATH_WORDS)


@pytest.mark.parametrize("value", [None, True, 1, b"auto"])
def test_a_mode_is_a_str(value: object) -> None:
    with pytest.raises(TypeError, match=f"got {type(value).__name__}"):
        modes.parse(value, modes.PATH_WORDS)


@pytest.mark.parametrize(
    ("text", "mode"),
    [("shadow:1", "shadow:1"), ("Canary", "canary"), ("canary:25", "canary:25"), (" shadow:.5", "shadow:0.5")],
)
def test_trials_parse_to_one_spelling(text: str, mode: str) -> None:
    parsed = modes.parse(text, modes.SERVICE_WORDS)
    assert str(parsed) == mode
    assert modes.parse(mode, modes.SERVICE_WORDS) == parsed
    with pytest.raises(ValueError, match=r"ramp:P with P in 0\.\.100, got"):
        modes.parse(text, modes.SERVICE_WORDS, trials=False)


@pytest.mark.parametrize("text", ["shadow", "shadow:", "shadow:101", "canary:", "canary:x"])
def test_trials_are_parsed_strictly(text: str) -> None:
    with pytest.raises(ValueError, match="shadow:P, canary, got"):
        modes.parse(text, modes.SERVICE_WORDS)


@pytest.mark.parametrize(
    ("text", "words", "end"),
    [
        ("shadow", modes.SERVICE_WORDS, "got 'shadow'; write shadow:10 for 10 percent"),
        ("ramp:", modes.SERVICE_WORDS, "got 'ramp:'; write ramp:10 for 10 percent"),
        ("ramp:200", modes.SERVICE_WORDS, "got 'ramp:200'"),
        ("python", modes.SERVICE_WORDS, "got 'python'; did you mean control?"),
        ("Candidate", modes.PATH_WORDS, "got 'Candidate'; did you mean compiled?"),
        ("candidat", modes.SERVICE_WORDS, "got 'candidat'; did you mean candidate?"),
    ],
)
def test_a_wrong_mode_says_what_to_write(text: str, words: tuple[str, ...], end: str) -> None:
    with pytest.raises(ValueError, match=f"{end}$".replace("?", r"\?")):
        modes.parse(text, words)


@pytest.mark.usefixtures("loadable")
@pytest.mark.parametrize("path", ["cache", "heap", "framing"])
@pytest.mark.parametrize("mode", ["shadow:1", "canary"])
def test_objects_with_state_refuse_trials(store: FlagStore, path: str, mode: str) -> None:
    with pytest.raises(
        ValueError, match=r"^mode: expected one of auto, compiled, python, ramp:P with P in 0\.\.100, got"
    ):
        store.set(path, mode)
    assert store.set("indicators", mode).mode == mode


@pytest.mark.parametrize(("percent", "threshold"), [("0", 0), ("100", 2**32), ("50", 2**31), ("0.0000000001", 1)])
def test_thresholds(percent: str, threshold: int) -> None:
    assert modes.parse(f"ramp:{percent}", modes.PATH_WORDS).threshold == threshold


def test_unknown_names_raise_everywhere(store: FlagStore) -> None:
    message = r"name: expected a declared flag \(cache, framing, heap, indicators\), got 'desk'; see flags\.declare"
    for act in (
        lambda: store.get("desk"),
        lambda: store.set("desk", "control"),
        lambda: store.clear("desk"),
        lambda: store.rollback("desk", ""),
        lambda: store.resume("desk"),
        lambda: store.override("desk", "control").__enter__(),
    ):
        with pytest.raises(ValueError, match=message):
            act()
    with pytest.raises(ValueError, match="got \\[\\]"):
        store.get([])  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", "a b", "a\n", "\x00"])
def test_names_are_printable(store: FlagStore, name: str) -> None:
    with pytest.raises(ValueError, match=r"^name: "):
        store.declare(name)


def test_declare_again_keeps_what_is_set(store: FlagStore) -> None:
    store.declare("desk")
    store.set("desk", "candidate")
    assert store.declare("desk").mode == "candidate"
    assert store.declare("cache").mode == "auto"  # a hot path stays one


def test_compiled_raises_when_it_cannot_run(store: FlagStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        raise BackendUnavailable(f"fastcore._ext.{name} is not available: cause; remedy")

    monkeypatch.setattr(_ext, "load", refuse)
    for mode in ("compiled", "ramp:5"):
        with pytest.raises(BackendUnavailable, match=r"fastcore\._ext\.heap"):
            store.set("heap", mode)
    assert store.get("heap").mode == "auto"
    assert store.set("heap", "python").mode == "python"


def test_overrides_nest_and_restore(store: FlagStore) -> None:
    before = store.set("cache", "python", reason="kept")
    with store.override("cache", "auto", reason="outer"):
        with store.override("cache", "python"):
            assert store.get("cache")[1:3] == ("python", "override")
        assert store.get("cache").reason == "outer"
    assert store.get("cache") == before


def test_an_override_restores_after_an_exception(store: FlagStore) -> None:
    with pytest.raises(KeyError), store.override("cache", "python"):
        raise KeyError
    assert store.get("cache").mode == "auto"


def test_overrides_may_end_in_any_order(store: FlagStore) -> None:
    first, second = store.override("cache", "python"), store.override("cache", "auto")
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert store.get("cache")[1:3] == ("auto", "override")
    second.__exit__(None, None, None)
    assert store.get("cache").source == "default"


def test_set_within_an_override_wins_and_stays(store: FlagStore) -> None:
    with store.override("cache", "auto"):
        store.set("cache", "python", reason="kill switch")
        assert store.get("cache").mode == "python"
    assert store.get("cache")[1:] == ("python", "set", store.get("cache").since, "kill switch", "set")


def test_a_refused_override_leaves_nothing(store: FlagStore) -> None:
    with pytest.raises(ValueError), store.override("cache", "fast"):
        pytest.fail("the block must not run")
    assert store.get("cache").source == "default"


def test_listeners_get_changes_and_only_changes(store: FlagStore) -> None:
    seen: list[Change] = []
    unsubscribe = store.subscribe(seen.append)
    store.set("cache", "python", reason="a")
    store.set("cache", "python", reason="a")
    store.set("cache", "python", reason="b")
    store.rollback("cache", "c")
    store.set("cache", "auto")  # the rollback is still in force
    store.resume("cache")
    unsubscribe()
    unsubscribe()
    store.clear("cache")
    assert [(c.old.source, c.new.source, c.new.reason) for c in seen] == [
        ("default", "set", "a"),
        ("set", "set", "b"),
        ("set", "rollback", "c"),
        ("rollback", "set", ""),
    ]
    assert [c.serial for c in seen] == [1, 2, 3, 4]
    assert [c.new for c in seen[:-1]] == [c.old for c in seen[1:]]


def test_a_listener_that_raises_is_logged(store: FlagStore, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[Change] = []
    store.subscribe(lambda change: 1 / 0)
    store.subscribe(seen.append)
    assert store.set("cache", "python").mode == "python"
    assert len(seen) == 1
    assert "cache" in caplog.text
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("error", [SystemExit, GeneratorExit, asyncio.CancelledError])
def test_a_listener_that_exits_does_not_stop_a_change(error: type[BaseException]) -> None:
    def exits(change: object) -> None:
        raise error

    store, seen = FlagStore({}), []
    for subscribe in (store.subscribe, store.journal.subscribe):
        subscribe(exits)
        subscribe(seen.append)  # type: ignore[arg-type]
    store.declare("desk")
    assert store.rollback("desk", "wrong").rolled_back
    assert len(seen) == 2


def test_a_listener_may_set_flags(store: FlagStore) -> None:
    def follow(change: Change) -> None:
        if change.new.name == "cache":
            store.set("heap", change.new.mode)

    store.subscribe(follow)
    store.set("cache", "python")
    assert store.get("heap").mode == "python"


class Follower:
    def __init__(self, refuses: tuple[str, ...] = ()) -> None:
        self.refuses = refuses
        self.obeyed: list[str] = []

    def _accept(self, mode: modes.Mode) -> None:
        if mode.word in self.refuses:
            raise ValueError(f"cannot {mode}")

    def _obey(self, mode: modes.Mode) -> None:
        self.obeyed.append(str(mode))


def test_followers_apply_the_mode_at_once_and_every_change(store: FlagStore) -> None:
    store.declare("desk")
    follower = Follower()
    store.follow("desk", follower)
    store.set("desk", "candidate")
    store.rollback("desk", "")
    store.resume("desk")
    assert follower.obeyed == ["control", "candidate", "control", "candidate"]


def test_a_follower_that_refuses_leaves_all_as_it_was(store: FlagStore) -> None:
    store.declare("desk")
    willing, unwilling = Follower(), Follower(refuses=("candidate",))
    store.follow("desk", willing)
    store.follow("desk", unwilling)
    with pytest.raises(ValueError, match="cannot candidate"):
        store.set("desk", "candidate")
    assert store.get("desk").source == "default"
    assert willing.obeyed == unwilling.obeyed == ["control"]
    store.declare("other")
    store.set("other", "candidate")
    with pytest.raises(ValueError, match="cannot candidate"):
        store.follow("other", unwilling)


def test_followers_are_held_weakly(store: FlagStore) -> None:
    store.follow("heap", Follower())
    store.set("heap", "python")
    assert not list(store._states["heap"].followers)


@pytest.mark.parametrize("reason", [None, 1])
def test_a_reason_is_a_str(store: FlagStore, reason: object) -> None:
    with pytest.raises(TypeError, match=r"^reason: "):
        store.set("heap", "python", reason)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^reason: "):
        store.rollback("heap", reason)  # type: ignore[arg-type]


def test_threads_leave_a_consistent_flag(store: FlagStore) -> None:
    store.declare("desk")
    follower = Follower()
    store.follow("desk", follower)
    serials: list[int] = []
    store.subscribe(lambda change: serials.append(change.serial))

    def flip(n: int) -> None:
        for i in range(200):
            if n % 2:
                store.set("desk", ("control", "candidate", f"ramp:{i % 100}")[i % 3], reason=str(n))
            else:
                with store.override("desk", "candidate"):
                    store.get("desk")

    threads = [threading.Thread(target=flip, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.get("desk").source == "set"
    assert follower.obeyed[-1] == store.get("desk").mode
    assert sorted(serials) == list(range(1, len(serials) + 1))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_forked_while_a_thread_holds_the_lock_can_set_flags(store: FlagStore) -> None:
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with store._lock:
            held.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    pid = os.fork()
    if pid == 0:
        store.set("cache", "python")
        os._exit(0 if store.get("cache").mode == "python" else 1)
    try:
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    finally:
        done.set()
        thread.join()


def test_a_setting_during_a_rollback_says_that_it_does_not_act(caplog: pytest.LogCaptureFixture) -> None:
    flags.declare("test.not_acting")
    flags.rollback("test.not_acting", "wrong prices")
    try:
        with caplog.at_level(logging.WARNING, "fastcore.flags"):
            flag = flags.set("test.not_acting", "candidate")
        assert flag.rolled_back
        said = "does not act while the flag is rolled back (wrong prices); resume it first"
        assert flags.not_acting(flag) == said
        assert f"flag test.not_acting: set to candidate: {said}" in caplog.text
    finally:
        assert flags.resume("test.not_acting").mode == "candidate"
        flags.clear("test.not_acting")
    assert flags.not_acting(flags.get("test.not_acting")) == ""
