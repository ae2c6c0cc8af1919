"""Weighted sums: products with numbers and their additions, which one operator carries out."""

from __future__ import annotations

from collections import Counter
from typing import TypeAlias

from python_fallback.shared.indicators.program import Node, Program, numbered, pruned

__all__ = ["join_sums"]

_COMBINED = {2: "combine_two", 3: "combine_three", 4: "combine_four"}
_Terms: TypeAlias = tuple[tuple[int, float], ...]  # values and their weights


def join_sums(program: Program) -> Program:
    """Return the program with ``x * 2.0 - y`` or ``x * 3.0 + y - z`` as one node where nothing else reads the parts.

    The results are the same to the last digit: the terms are added in the order in which the definition adds them.
    Nodes that no output depends on are left out.
    """
    program = pruned(program)
    readers = Counter(program.outputs)
    for node in program.nodes:
        readers.update(node.inputs)
    sums: dict[int, _Terms] = {}
    joined = []
    for node, made in numbered(program):
        terms = _terms(node, {value: sums[value] for value in node.inputs if readers[value] == 1 and value in sums})
        if terms:
            sums[made.start] = terms
        if terms and node.operator in ("add", "sub") and any(abs(weight) != 1.0 for _, weight in terms):
            node = Node(_COMBINED[len(terms)], tuple(value for value, _ in terms), tuple(w for _, w in terms))
        joined.append(node)
    return pruned(program._replace(nodes=tuple(joined)))


def _terms(node: Node, sums: dict[int, _Terms]) -> _Terms | None:
    """Return the terms of a node that is a weighted sum, those of its inputs in `sums` in place of them."""
    if node.operator == "times":
        return ((node.inputs[0], node.params[0]),)
    if node.operator == "neg":
        return ((node.inputs[0], -1.0),)
    if node.operator in _COMBINED.values():
        return tuple(zip(node.inputs, node.params))
    if node.operator not in ("add", "sub"):
        return None
    left, right = (sums.get(value, ((value, 1.0),)) for value in node.inputs)
    if node.operator == "add" and len(left) == 1:
        left, right = right, left
    if len(right) > 1 or len(left) == 4:
        return None
    (value, weight), *_ = right
    return *left, (value, -weight if node.operator == "sub" else weight)
