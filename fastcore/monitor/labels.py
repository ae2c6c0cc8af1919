"""Renames labels of the application that have the name of a label which is added."""

from __future__ import annotations

from fastcore._snapshot import Labels

__all__ = ["exported"]


def exported(labels: Labels, added: str) -> Labels:
    """Return the labels, one named `added` renamed to ``exported_...`` as Prometheus renames it."""
    names = {name for name, _ in labels}
    if added not in names:
        return labels
    free = f"exported_{added}"
    while free in names:
        free = f"exported_{free}"
    return tuple(sorted((free if name == added else name, value) for name, value in labels))
