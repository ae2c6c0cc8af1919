"""A provider of flags: its place in the order of precedence, its errors and its delays."""

from __future__ import annotations

import queue
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fastcore import flags
from fastcore.dispatch.provider import ProviderPoll
from fastcore.dispatch.store import FlagStore
from tests.dispatch.placed import moved_into_place
from tests.dispatch.stores import following


class Service:
    def __init__(self) -> None:
        self.modes: dict[str, Any] = {}
        self.broken = False

    def resolve_string_details(self, flag_key: str, default_value: str, evaluation_context: Any = None) -> Any:
        if self.broken:
            raise ConnectionError("no service")
        return SimpleNamespace(value=self.modes.get(flag_key, default_value))


def test_a_provider_has_precedence_over_the_default_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
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
    assert "the flag provider is not applied" in caplog.text
    with pytest.raises(TypeError, match="provider: expected resolve_string_details"):
        ProviderPoll(object(), list, print, 1)  # type: ignore[arg-type]


@pytest.mark.parametrize("order", [("file", "provider"), ("provider", "file"), ("file", "provider", "file")])
@pytest.mark.parametrize("dropped", ["file", "provider", ""])
def test_the_flag_file_has_precedence_over_a_provider_in_any_order(order: tuple[str, ...], dropped: str) -> None:
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
def test_an_unknown_flag_of_a_provider_affects_no_other_flag(tmp_path: Path, how: str) -> None:
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
def test_a_flag_keeps_its_mode_when_the_provider_fails_to_resolve_it(
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
def test_an_invalid_answer_of_a_provider_affects_no_other_flag(answer: object) -> None:
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
    assert caplog.text.count("is not applied") == 1
    follow.provided({"desk": "candidate"})
    follow.provided({"desk": "sidewise"})
    assert caplog.text.count("is not applied") == 2
    assert ours.get("desk").source == "provider"  # the last that could be obeyed
