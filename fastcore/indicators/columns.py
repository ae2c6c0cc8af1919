"""Checks the columns that a Plan needs, with an error that suggests what to write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastcore.indicators.definition import Definition

__all__ = ["alike", "one_ticker", "require"]

SHOWN = 20


def require(what: str, definitions: Mapping[str, Definition], there: Iterable[Any]) -> None:
    """Raise a ValueError unless each column of `definitions` is `there` once; it lists the columns and a fix."""
    given = list(there)
    names = list(dict.fromkeys(given))
    wanted = list(dict.fromkeys(column for definition in definitions.values() for column in definition.columns))
    lacking = [column for column in wanted if column not in names]
    if not lacking:
        for column in wanted if len(given) > len(names) else ():
            if given.count(column) > 1:
                raise ValueError(f"{what}: expected one column {column}, got {given.count(column)}")
        return
    text = f"{what}: expected columns {', '.join(wanted)}, got no {', '.join(lacking)}"
    shown = ", ".join(str(name) for name in names[:SHOWN])
    text += f"; there are {shown or 'none'}" + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
    instead = {column: found for column in lacking if (found := alike(column, names))}
    for key, definition in definitions.items():
        renamed = [instead.get(column, column) for column in definition.columns]
        if renamed != list(definition.columns):
            example = type(definition)(**definition.params, **dict(zip(definition.row.inputs, renamed)))
            raise ValueError(f"{text}: write {key}={example!r}, or rename the columns")
    raise ValueError(text)


def one_ticker(frame: Any, definitions: Mapping[str, Definition], columns: Sequence[str]) -> Any:
    """Return a frame of pandas whose columns have several levels, as one of one level.

    Raises
    ------
    ValueError
        If the columns wanted are in none of the levels, or are there for more than one ticker.
    """
    levels = [list(frame.columns.unique(i)) for i in range(frame.columns.nlevels)]
    holding = [i for i, names in enumerate(levels) if all(column in names for column in columns)]
    if not holding:
        likely = max(levels, key=lambda names: sum(alike(column, names) is not None for column in columns))
        require("bars", definitions, likely)
    level = holding[0]
    others = frame.columns.droplevel(level).unique()
    if len(others) != 1:
        shown = ", ".join(repr(other) for other in others[:SHOWN])
        rest = [i for i in range(len(levels)) if i != level]
        raise ValueError(
            f"bars: expected the columns of one ticker, got those of {shown}: for one of them write "
            f"frame.xs({others[0]!r}, axis=1, level={rest[0] if len(rest) == 1 else rest})"
        )
    flat = frame.copy(deep=False)
    flat.columns = frame.columns.get_level_values(level)
    return flat


def alike(column: str, names: Iterable[Any]) -> str | None:
    """Return the one of `names` that is `column` in other spelling, or else ends with it."""
    wanted = _plain(column)
    plain = {name: _plain(name) for name in names if isinstance(name, str)}
    same = [name for name, text in plain.items() if text == wanted]
    ending = [name for name, text in plain.items() if text.endswith(wanted)]
    return next(iter(same + ending), None)


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name.lower()))
