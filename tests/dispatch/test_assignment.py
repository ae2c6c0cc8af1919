"""Keys: the hash against its published values, the same place on both twins and in every process."""

from __future__ import annotations

import asyncio
import enum
import random
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastcore
from fastcore import _ext, flags
from fastcore.dispatch import assignment, backends, process
from python_fallback import switch as pure

Twin = Callable[[str], ModuleType]


@pytest.mark.parametrize(
    ("data", "seed", "expected"),
    [
        # The test vectors that circulate with Austin Appleby's reference implementation.
        (b"", 0, 0),
        (b"", 1, 0x514E28B7),
        (b"", 0xFFFFFFFF, 0x81F16F39),
        (b"\xff\xff\xff\xff", 0, 0x76293B50),
        (b"\x21\x43\x65\x87", 0, 0xF55B516B),
        (b"\x21\x43\x65\x87", 0x5082EDEE, 0x2362F9DE),
        (b"\x21\x43\x65", 0, 0x7E4A8634),
        (b"\x21\x43", 0, 0xA0F7B07A),
        (b"\x21", 0, 0x72661CF4),
        (b"\0\0\0\0", 0, 0x2362F9DE),
        (b"\0\0\0", 0, 0x85F0B427),
        (b"\0\0", 0, 0x30F4C306),
        (b"\0", 0, 0x514E28B7),
        (b"Hello, world!", 0x9747B28C, 0x24884CBA),
        (b"The quick brown fox jumps over the lazy dog", 0x9747B28C, 0x2FA826CD),
    ],
)
def test_murmur3_is_the_published_one(twin: Twin, data: bytes, seed: int, expected: int) -> None:
    assert twin("switch").murmur3_32(data, seed) == expected


keys = st.one_of(st.text(st.characters(exclude_categories=["Cs"])), st.binary(), st.integers(), st.booleans())


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), keys)
def test_the_twins_assign_every_key_alike(salt: str, key: Any) -> None:
    if _ext.probe("switch").module is None:
        pytest.skip("there is one twin only")
    place = _ext.load("switch").bucket(salt, key)
    assert place == pure.bucket(salt, key)
    text = key if isinstance(key, bytes) else (str(int(key)) if isinstance(key, int) else key).encode()
    assert place == pure.murmur3_32(salt.encode() + b":" + text)


@given(st.binary(max_size=80), st.integers(0, 2**32 - 1))
def test_the_twins_hash_alike(data: bytes, seed: int) -> None:
    if _ext.probe("switch").module is None:
        pytest.skip("there is one twin only")
    assert _ext.load("switch").murmur3_32(data, seed) == pure.murmur3_32(data, seed)


def test_a_number_and_its_digits_are_one_key(twin: Twin) -> None:
    bucket = twin("switch").bucket
    assert bucket("s", 7) == bucket("s", "7") == bucket("s", b"7")
    assert bucket("s", -(2**63)) == bucket("s", str(-(2**63)))
    assert bucket("s", 2**200) == bucket("s", str(2**200))
    assert bucket("s", True) == bucket("s", "1")


def test_subclasses_of_key_types(twin: Twin) -> None:
    class Symbol(str):
        def __str__(self) -> str:
            raise AssertionError("its characters count, not what it prints")

        def __eq__(self, other: object) -> bool:
            raise AssertionError("nothing is compared")

        __hash__ = None  # type: ignore[assignment]

    class Number(int):
        def __repr__(self) -> str:
            return "seven"

    assert twin("switch").bucket("s", Symbol("AAPL")) == twin("switch").bucket("s", "AAPL")
    assert twin("switch").bucket("s", Number(7)) == twin("switch").bucket("s", 7)


class Venue(enum.Enum):
    XNAS = 1


@pytest.mark.parametrize("key", [None, bytearray(b"a"), object(), ["a"], {"a": 1}, (object(),), 1j, int, {1, 2}])
def test_keys_without_one_text_in_every_process_are_refused(twin: Twin, key: Any) -> None:
    got = "object" if type(key) is tuple else type(key).__name__
    with pytest.raises(TypeError, match=rf"^key: expected a str, bytes, int or another value .*, got {got}$"):
        twin("switch").bucket("s", key)
    if key is not None:
        with pytest.raises(TypeError, match=r"^key: expected"), assignment.assigned(key):
            pytest.fail("the block must not run")


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (1.5, "1.5"),
        (np.float32(0.5), "0.5"),
        (np.int64(7), "7"),
        (Decimal("1.10"), "1.10"),
        (Fraction(1, 3), "1/3"),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, 3, 4, tzinfo=UTC), "2026-01-02T03:04:00+00:00"),
        (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (Venue.XNAS, "Venue.XNAS"),
        (PurePosixPath("a/b"), "a/b"),
        (("AAPL", 7, (1.5, None)), "('AAPL',7,(1.5,None))"),
    ],
)
def test_keys_of_other_types_are_assigned_by_their_text(twin: Twin, key: Any, text: str) -> None:
    assert twin("switch").bucket("s", key) == twin("switch").bucket("s", text)
    with assignment.assigned(key):
        assert assignment.assignment_key.get() == text


def test_equal_keys_of_different_types_are_distinguished(twin: Twin) -> None:
    assert twin("switch").bucket("s", 1) != twin("switch").bucket("s", 1.0)


def test_the_public_bucket() -> None:
    assert assignment.bucket("s", "AAPL") == pure.bucket("s", "AAPL")
    with pytest.raises(TypeError, match=r"^salt: expected a str, got int$"):
        assignment.bucket(3, "AAPL")  # type: ignore[arg-type]


def test_belongs_is_strictly_below(twin: Twin) -> None:
    belongs, place = twin("switch").belongs, twin("switch").bucket("s", "AAPL")
    assert not belongs("s", place, "AAPL")
    assert belongs("s", place + 1, "AAPL")
    assert not belongs("s", 0, None)
    assert belongs("s", 2**32, None)


def test_draws_differ_between_threads_and_forks(twin: Twin) -> None:
    belongs = twin("switch").belongs

    def draws() -> tuple[bool, ...]:
        return tuple(belongs("s", 2**31, None) for _ in range(64))

    found = [draws()]
    threads = [threading.Thread(target=lambda: found.append(draws())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 5


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_forked_workers_draw_independently(backend: str) -> None:
    code = (
        "import os, sys\n"
        "from fastcore.dispatch import backends\n"
        f"module = backends.twin('switch', {backend!r})\n"
        "module.belongs('s', 2**31, None)\n"
        "for _ in range(3):\n"
        "    if os.fork() == 0:\n"
        "        print(''.join(str(int(module.belongs('s', 2**31, None))) for _ in range(64)))\n"
        "        sys.stdout.flush()\n"
        "        os._exit(0)\n"
        "    os.wait()\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert len(set(out.split())) == 3


def test_a_caller_s_seed_keeps_its_sequence() -> None:
    random.seed(5)
    expected = [random.random() for _ in range(3)]
    random.seed(5)
    pure.belongs("s", 2**31, None)
    assert [random.random() for _ in range(3)] == expected


def test_assigned_restores_after_an_exception() -> None:
    assert fastcore.assignment_key.get() is None
    with fastcore.assigned("outer"):
        with fastcore.assigned("inner"):
            assert fastcore.assignment_key.get() == "inner"
        with pytest.raises(KeyError), fastcore.assigned("inner"):
            raise KeyError
        assert fastcore.assignment_key.get() == "outer"
    assert fastcore.assignment_key.get() is None


def test_each_task_has_its_own_key() -> None:
    async def one(key: str) -> object:
        with fastcore.assigned(key):
            await asyncio.sleep(0)
            return fastcore.assignment_key.get()

    async def main() -> list[object]:
        return list(await asyncio.gather(*(one(key) for key in "abc")))

    assert asyncio.run(main()) == ["a", "b", "c"]


def test_backend_for_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ext, "load", lambda name: None)
    with flags.override("heap", "ramp:40"):
        found = {key: backends.backend_for("heap", key) for key in map(str, range(500))}
        assert 120 < sum(backend == "compiled" for backend in found.values()) < 280
        assert found == {key: backends.backend_for("heap", key) for key in found}
        for key, backend in list(found.items())[:20]:
            assert (backend == "compiled") == (assignment.bucket("heap", key) < 0.4 * 2**32)
            with fastcore.assigned(key):
                assert backends.backend_for("heap") == backend
        assert {backends.backend_for("heap") for _ in range(200)} == {"compiled", "python"}
    with flags.override("heap", "python"):
        assert backends.backend_for("heap", "any") == "python"
    with flags.override("heap", "compiled"):
        assert backends.backend_for("heap") == "compiled"


def test_backend_for_while_the_compiled_twin_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = _ext.Extension("heap", None, "not built for this Python", "")
    monkeypatch.setitem(_ext._probed, "heap", missing)
    assert backends.backend_for("heap") == "python"
    for mode in ("compiled", "ramp:10"):
        monkeypatch.setattr(process, "store", type(process.store)({"FASTCORE_HEAP": mode}))
        with pytest.raises(fastcore.BackendUnavailable, match=r"fastcore\._ext\.heap is not available: not built"):
            backends.twin("heap", backends.backend_for("heap"))


def test_backend_for_an_unknown_path() -> None:
    with pytest.raises(ValueError, match="name: expected a declared flag"):
        backends.backend_for("nothing")
    with pytest.raises(ValueError, match="backend: expected one of compiled, python, got 'auto'"):
        backends.twin("heap", "auto")
