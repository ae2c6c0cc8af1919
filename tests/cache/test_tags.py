"""Tags across pickles and files: what was invalidated stays invalid, what was valid is served."""

from __future__ import annotations

import gc
import pickle
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fastcore import flags
from fastcore.cache import cached, invalidate_tag, policy, restore, save

SCRIPT = """
import sys
from collections import OrderedDict
from fastcore.cache import cached, invalidate_tag, restore, save
step, path = sys.argv[1:]
calls = []
@cached(ttl=600, tags=lambda x: ["all", f"of {x}"])
def f(x):
    calls.append(x)
    return step
if step == "save":
    for _ in range(3):
        invalidate_tag("all")
    f(1), f(2), f(3), invalidate_tag("of 2")
    save(f.cache, path)
elif step == "restore":
    restore(f.cache, path)
    print(f(1), f(2), f(3), end=" ")
    invalidate_tag("of 3")
    print(f(1), f(3))
else:
    invalidate_tag("of 1")
    restore(f.cache, path)
    print(f(1), f(3))
"""


def test_tags_hold_in_a_file_read_by_other_processes(tmp_path: Path) -> None:
    def run(step: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, step, str(tmp_path / "file")], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    run("save")
    assert run("restore") == "save restore save save restore"
    assert run("invalidated before it was restored") == "invalidated before it was restored save"


@pytest.fixture
def build(backend: str) -> Callable[..., Any]:
    def make(tags: Any = ("prices",)) -> Any:
        with flags.override("cache", backend):

            @cached(ttl=600, tags=tags)
            def quote(symbol: str) -> list[str]:
                calls.append(symbol)
                return [symbol]

        quote.calls = calls = []
        return quote

    return make


def test_tags_hold_in_a_file_read_by_the_same_process(build: Callable[..., Any], tmp_path: Path) -> None:
    quote = build()
    quote("A")
    save(quote.cache, tmp_path / "file")
    quote.cache_clear()
    assert restore(quote.cache, tmp_path / "file").entries == 1
    quote("A")
    assert quote.calls == ["A"]
    invalidate_tag("prices")
    quote.cache_clear()
    restore(quote.cache, tmp_path / "file")
    quote("A")
    assert quote.calls == ["A", "A"]
    data = pickle.dumps(quote.cache._cache)
    invalidate_tag("prices")
    quote("A")
    assert all(not tag.valid for tag in pickle.loads(data).peek(quote.key("A")).tags)


def test_unused_names_are_forgotten(build: Callable[..., Any]) -> None:
    quote = build(lambda symbol: f"only of {symbol}")
    for n in range(2 * policy.REMEMBERED):
        invalidate_tag(f"unused {n}")
    assert len(policy._versions) <= policy.REMEMBERED
    for n in range(100):
        quote(str(n))
    quote.cache_clear()
    gc.collect()
    assert not [name for name in list(policy._current) if name.startswith("only of")]
    quote("A"), invalidate_tag("only of A"), quote("A")
    assert quote.calls[-2:] == ["A", "A"]


def test_a_pickle_older_than_what_is_remembered_is_not_trusted(
    build: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    quote = build()
    quote("A")
    data = pickle.dumps(quote.cache._cache)
    monkeypatch.setattr(policy, "REMEMBERED", 0)
    monkeypatch.setattr(policy, "_versions", OrderedDict())
    invalidate_tag("prices")
    assert all(not tag.valid for tag in pickle.loads(data).peek(quote.key("A")).tags)


def test_a_name_that_is_invalidated_again_is_forgotten_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "REMEMBERED", 2)
    monkeypatch.setattr(policy, "_versions", OrderedDict())
    monkeypatch.setattr(policy, "_forgotten", (0, 0.0))
    invalidate_tag("again"), invalidate_tag("once")
    (tag,) = policy.tags_of("again")
    data = pickle.dumps(tag)
    assert pickle.loads(data).valid
    invalidate_tag("again")
    for n in range(4):
        assert not pickle.loads(data).valid
        invalidate_tag(f"another {n}")
    assert not pickle.loads(data).valid
