"""The saved state of live objects and boards: its format, and the definitions that it is of.

A state is read by any build whose definitions come to the same programs of operators, or to programs that remember
nothing; what says so is pickled with it.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fastcore.indicators import missing
from python_fallback.shared.indicators import Program, fingerprint, missing_data

if TYPE_CHECKING:
    from fastcore.indicators.definition import Definition

__all__ = ["FORMAT", "load", "made_of"]

FORMAT = 1  # raised when states are laid out in another way: those of a build before are then refused
_INSTEAD = "make it again, and give it its bars with extend()"

Saved = tuple[int, dict[str, str]]  # the format, and the fingerprint of each definition's program by its name


def made_of(definitions: Mapping[str, Definition], nan: str | None = None) -> Saved:
    """Return what is pickled with the state of `definitions` under the policy `nan`."""
    return FORMAT, {name: fingerprint(_program(definition, nan)) for name, definition in definitions.items()}


def load(
    what: str, definitions: Mapping[str, Definition], state: bytes, saved: Saved | None, nan: str | None = None
) -> Any:
    """Return the core of a live object or a board from its pickled state.

    Raises
    ------
    ValueError
        If a definition comes to another program than when it was saved, or the state is laid out in another way; the
        text says which.
    """
    if saved is not None:
        number, prints = saved
        if number != FORMAT:
            raise ValueError(f"{what}: expected a state in format {FORMAT}, got one in format {number}: {_INSTEAD}")
        programs = {name: _program(one, nan) for name, one in definitions.items()}
        other = [
            repr(definitions[name])
            for name, program in programs.items()
            if prints.get(name) != fingerprint(program) and missing_data(program) != "bar"  # that has no memory
        ]
        if other:
            raise ValueError(
                f"{what}: expected a state of today's definitions, got one that was saved when "
                f"{', '.join(other)} {'was' if len(other) == 1 else 'were'} computed in another way: {_INSTEAD}"
            )
    try:
        return pickle.loads(state)
    except ValueError as error:
        raise ValueError(f"{what}: expected a state that this build reads: {error}: {_INSTEAD}") from error


def _program(definition: Definition, nan: str | None) -> Program:
    row, values = definition.row, definition.values
    return missing.program(row, values) if nan else row.program(values)
