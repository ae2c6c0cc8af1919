"""Which library an array, Series or DataFrame belongs to, found without importing that library."""

from __future__ import annotations

import weakref
from typing import Any

__all__ = ["library_of", "record_state"]

_ROOTS = {
    ("numpy", "ndarray"),
    ("pandas", "DataFrame"),
    ("pandas", "Series"),
    ("pandas", "Index"),
    ("pandas", "ExtensionArray"),
    ("polars", "DataFrame"),
    ("polars", "Series"),
    ("pyarrow", "Table"),
    ("pyarrow", "RecordBatch"),
    ("pyarrow", "ChunkedArray"),
    ("pyarrow", "Array"),
}

_known: weakref.WeakKeyDictionary[type, str] = weakref.WeakKeyDictionary()


def library_of(kind: type) -> str:
    """Return ``"numpy"``, ``"pandas"``, ``"polars"`` or ``"pyarrow"`` for a type that holds their data; else ""."""
    library = _known.get(kind)
    if library is None:
        roots = ((base.__module__.partition(".")[0], base.__name__) for base in kind.__mro__)
        library = next((root[0] for root in roots if root in _ROOTS), "")
        _known[kind] = library
    return library


def record_state(value: Any) -> dict[str, Any] | None:
    """Return the fields of a dataclass, attrs or pydantic instance by name; None for everything else."""
    kind = type(value)
    if issubclass(kind, type):
        return None
    fields = getattr(kind, "__dataclass_fields__", None)
    if fields is None:
        attributes = getattr(kind, "__attrs_attrs__", None)
        fields = None if attributes is None else [attribute.name for attribute in attributes]
    if fields is not None:
        return {name: getattr(value, name) for name in fields if hasattr(value, name)}
    if hasattr(kind, "__pydantic_fields__"):
        return {**vars(value), **(getattr(value, "__pydantic_extra__", None) or {})}
    return None
