"""States that another build saved: read where the definitions are the same, and refused by name where they are not."""

from __future__ import annotations

import pickle
from types import ModuleType
from typing import Any

import pytest

from fastcore import indicators
from fastcore.dispatch import backends
from fastcore.indicators import saved
from python_fallback.shared.indicators.operators import OPERATORS
from tests.indicators.arrays import assert_allclose
from tests.indicators.saved_boards import BARS, SAVED, after, panels, plan

CLOSE = panels(0, BARS)["close"]


def operators(plan: Any) -> set[str]:
    """Those of a plan that remember something."""
    nodes = [node for one in plan.definitions.values() for node in one.row.program(one.values).nodes]
    return {node.operator for node in nodes if OPERATORS[node.operator].kind != "map"}


def test_a_board_that_an_earlier_build_saved_continues(ta: ModuleType, backend: str) -> None:
    board = pickle.loads((SAVED / f"board-{backend}.pickle").read_bytes())
    assert board.backend == backend
    assert operators(board.plan) >= operators(plan())
    fresh = board.plan.live(history=panels(0, BARS))
    for ours, wanted in zip(after(board), after(fresh), strict=True):
        assert_allclose(ours, wanted, rtol=1e-9, atol=1e-9)


def mean(o: Any, close: Any, timeperiod: int = 5) -> Any:
    return o.mean(close, timeperiod)


def other(o: Any, close: Any, timeperiod: int = 5) -> Any:
    return o.weighted(close, timeperiod)


mine = indicators.indicator(mean)
mine.__dict__["__qualname__"] = "mine"


def test_a_definition_that_has_changed_is_named(ta: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    board = ta.Plan(rsi=ta.RSI(14), own=mine(7)).live(history={"close": CLOSE})
    texts = [pickle.dumps(board), pickle.dumps(mine(7).live(CLOSE[0]))]
    for text in texts:
        pickle.loads(text)
    changed = indicators.indicator(other)
    changed.__dict__["__qualname__"] = "mine"
    monkeypatch.setitem(globals(), "mine", changed)
    for what, text in zip(("board", "live"), texts):
        with pytest.raises(
            ValueError, match=rf"{what}: expected a state of today's definitions, got .* other\(time.* was"
        ):
            pickle.loads(text)


def test_a_state_in_another_format_is_refused(ta: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    board = ta.Plan(rsi=ta.RSI(14)).live(history={"close": CLOSE})
    monkeypatch.setattr(saved, "FORMAT", 2)
    text = pickle.dumps(board)
    monkeypatch.undo()
    with pytest.raises(ValueError, match="board: expected a state in format 1, got one in format 2: make it again"):
        pickle.loads(text)


def test_a_state_that_the_twin_refuses_says_what_to_do(ta: ModuleType, backend: str) -> None:
    board = ta.Plan(rsi=ta.RSI(14)).live(history={"close": CLOSE})
    make, arguments = board.__reduce__()
    if backend == "compiled":
        core = backends.twin("indicators", backend).Board([("sma", (3.0,), ("close",))], 2)
        build, (_, symbols), state = core.__reduce__()
        state = pickle.dumps(Refused(build, (board._core.specs, symbols), state))
        with pytest.raises(ValueError, match=r"board: expected a state that this build reads: state: .* extend"):
            make(*arguments[:3], state, arguments[4])
    assert make(*arguments[:4])["rsi"].shape == (2,)  # as earlier builds pickled it: without its definitions


class Refused:
    """Is pickled as what it is given."""

    def __init__(self, *reduced: Any) -> None:
        self.reduced = reduced

    def __reduce__(self) -> Any:
        return self.reduced
