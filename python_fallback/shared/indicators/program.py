"""Programs: what a definition with its parameters comes to."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Literal, NamedTuple

from python_fallback.shared.indicators.operators import OPERATORS

__all__ = ["Node", "Program", "fingerprint", "first_results", "gap", "lookback", "missing_data", "numbered", "pruned"]


class Node(NamedTuple):
    """An operator with its parameters, and the values it takes."""

    operator: str
    inputs: tuple[int, ...]
    params: tuple[float, ...]


class Program(NamedTuple):
    """Nodes in the order in which they are carried out.

    Values are numbered: first the inputs, then the outputs of each node. A bar that lacks one of the inputs is missing
    as a whole, and so is a result that lacks one of the outputs.
    """

    inputs: int
    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]


def fingerprint(program: Program) -> str:
    """Return a text that equal programs have in common, and others do not."""
    nodes = [(node.operator, node.inputs, node.params) for node in program.nodes]
    return hashlib.sha256(repr((program.inputs, nodes, program.outputs)).encode()).hexdigest()[:16]


def numbered(program: Program) -> Iterator[tuple[Node, range]]:
    """Yield each node with the numbers of the values that it makes."""
    first = program.inputs
    for node in program.nodes:
        made = range(first, first + OPERATORS[node.operator].outputs)
        yield node, made
        first = made.stop


def pruned(program: Program) -> Program:
    """Return the program without the nodes that no output depends on; the values left are numbered again."""
    needed, kept = set(program.outputs), []
    for node, made in reversed(list(numbered(program))):
        if not needed.isdisjoint(made):
            needed.update(node.inputs)
            kept.append((node, made))
    if len(kept) == len(program.nodes):
        return program
    number = {value: value for value in range(program.inputs)}
    nodes = []
    for node, made in reversed(kept):
        nodes.append(Node(node.operator, tuple(number[value] for value in node.inputs), node.params))
        number.update(zip(made, range(len(number), len(number) + len(made)), strict=True))
    return Program(program.inputs, tuple(nodes), tuple(number[value] for value in program.outputs))


def first_results(program: Program) -> list[int]:
    """Return for each value how many bars of clean data come before its first."""
    first = [0] * program.inputs
    for node in program.nodes:
        operator = OPERATORS[node.operator]
        start = max((first[value] for value in node.inputs), default=0) + operator.lag(*node.params)
        first += [start] * operator.outputs
    return first


def lookback(program: Program) -> int:
    """Return how many bars of clean data come before the first result."""
    first = first_results(program)
    return max(first[value] for value in program.outputs)


def gap(program: Program) -> int:
    """Return how many results one missing bar costs, once there are results: windows that follow each other add up."""
    gaps = [1] * program.inputs
    for node in program.nodes:
        operator = OPERATORS[node.operator]
        most = max((gaps[value] for value in node.inputs), default=0)
        if operator.kind == "window" or (operator.kind == "count" and node.params[0] == node.params[1]):
            most += operator.lag(*node.params)
        gaps += [most] * operator.outputs
    return max(gaps[value] for value in program.outputs)


def missing_data(program: Program) -> Literal["bar", "window", "count", "recurrence", "mixed"]:
    """Return how a program meets missing data: by its bars, its windows, its counts, its recurrences, or several."""
    kinds = {OPERATORS[node.operator].kind for node in program.nodes} - {"map"}
    if len(kinds) > 1:
        return "mixed"
    return kinds.pop() if kinds else "bar"  # type: ignore[return-value]
