"""Whether two answers are the same: by type, shape, dtype, index and value, NaN equal to NaN."""

from __future__ import annotations

import math
import numbers
import sys
import types
from array import array
from collections import Counter, UserList, deque
from collections.abc import AsyncIterator, ItemsView, Iterator, Mapping, Set, ValuesView
from dataclasses import fields, is_dataclass
from decimal import Decimal
from itertools import islice
from typing import Any

from fastcore.dispatch.formatting import BRIEF, cut

__all__ = ["Incomparable", "difference", "magnitude"]

DEPTH = 40
LARGEST = 500_000  # values that are compared one by one, which takes a second
_MISSING = object()
_ONCE = (Iterator, AsyncIterator)
_PLAIN = frozenset((int, float, str, bytes, bool, type(None)))
_LISTS = (tuple, list, array, deque, UserList)


class Incomparable(Exception):
    """Two answers that cannot be compared, such as generators, which comparing would use up."""


def difference(control: Any, candidate: Any, rtol: float = 1e-9, atol: float = 0.0) -> str:
    """Say where two answers differ; the empty string when they are the same.

    Numbers are the same when ``abs(a - b) <= atol + rtol * abs(a)``, where `a` is the control's, or when both are NaN
    or the same infinity. Floats compare with floats of their own width, bools and integers exactly.

    Raises
    ------
    Incomparable
        If the answers are iterators or awaitables, nested too deeply, or objects that have neither a comparison of
        their own nor attributes.
    Exception
        Whatever comparing objects of other classes raises.
    """
    return _differ(control, candidate, _How(rtol, atol), "", 0)


class _How:
    """How far numbers may differ, and how many values are still compared one by one."""

    __slots__ = ("atol", "left", "rtol")

    def __init__(self, rtol: float, atol: float) -> None:
        self.rtol, self.atol, self.left = rtol, atol, LARGEST

    def exact(self) -> _How:
        return _How(0.0, 0.0)


def _differ(a: Any, b: Any, how: _How, at: str, depth: int) -> str:
    if a is b and not isinstance(a, _ONCE):
        return ""
    how.left -= 1
    if how.left < 0:  # lists that hold one another many times have more parts than any time is enough for
        raise Incomparable(f"{at}: more than {LARGEST:,} values to compare one by one")
    if depth > DEPTH:
        raise Incomparable(f"{at}: nested more than {DEPTH} deep")
    if isinstance(a, _ONCE) or hasattr(a, "__await__"):
        raise Incomparable(f"{at or 'answer'}: a {type(a).__name__} can be used only once")
    if type(a) is not type(b):
        return f"{at or 'answer'}: a {type(b).__name__} instead of a {type(a).__name__}"
    if isinstance(a, (str, bytes, bool, int)) or a is None:
        return "" if a == b else f"{at or 'answer'}: {_short(b)} instead of {_short(a)}"
    if isinstance(a, float):
        return "" if _near(a, b, how) else f"{at or 'answer'}: {b!r} instead of {a!r}"
    if isinstance(a, complex):
        near = _near(a.real, b.real, how) and _near(a.imag, b.imag, how)
        return "" if near else f"{at or 'answer'}: {b!r} instead of {a!r}"
    for name, compare in (("numpy", _numpy), ("pandas", _pandas), ("polars", _polars)):
        module = sys.modules.get(name)
        if module is not None:
            found = compare(module, a, b, how, at, depth)
            if found is not None:
                return found
    if isinstance(a, Mapping):
        return _mappings(a, b, how, at, depth)
    if isinstance(a, ItemsView):
        return _mappings(dict(a), dict(b), how, at, depth)
    if isinstance(a, ValuesView):
        return _differ(list(a), list(b), how, at, depth + 1)
    if isinstance(a, _LISTS):
        if len(a) != len(b):
            return f"{at or 'answer'}: {len(b)} items instead of {len(a)}"
        if type(a) in (list, tuple) and _plainly_same(a, b):
            return ""
        names = getattr(a, "_fields", None)
        return _first(
            _differ(x, y, how, f"{at}.{names[i]}" if names else f"{at}[{i}]", depth + 1)
            for i, (x, y) in enumerate(zip(a, b))
        )
    if isinstance(a, Set):
        missing, extra = set(a) - set(b), set(b) - set(a)
        same = Counter(map(_without_nan, missing)) == Counter(map(_without_nan, extra))
        return "" if same else _members(missing, extra, at, "values")
    if is_dataclass(a):
        return _first(
            _differ(getattr(a, f.name), getattr(b, f.name), how, f"{at}.{f.name}", depth + 1) for f in fields(a)
        )
    if isinstance(a, Decimal) and (a.is_nan() or b.is_nan()):  # a signalling NaN has no comparison
        same = a.is_nan() and b.is_nan() and a.is_snan() == b.is_snan()
        return "" if same else f"{at or 'answer'}: {b!r} instead of {a!r}"
    if isinstance(a, numbers.Number) and a != a and b != b:
        return ""
    ours, theirs = _attributes(a), _attributes(b)
    if ours is not None and theirs is not None:
        return _first(
            _differ(ours.get(name, _MISSING), theirs.get(name, _MISSING), how, f"{at}.{name}", depth + 1)
            for name in {**ours, **theirs}
        )
    if not _compares(type(a)):
        raise Incomparable(f"{at or 'answer'}: a {type(a).__name__} has no comparison of its own, and no attributes")
    return "" if bool(a == b) else f"{at or 'answer'}: {_short(b)} instead of {_short(a)}"


def _attributes(value: Any) -> dict[str, Any] | None:
    """The attributes of an object that is compared by them; None if it has a comparison of its own, or none of either.

    Classes of pydantic, attrs and msgspec compare by their fields, and so exactly; here floats may differ by `rtol`.
    """
    kind = type(value)
    fields = getattr(kind, "__struct_fields__", None) or [
        getattr(field, "name", field) for field in getattr(kind, "__attrs_attrs__", ())
    ]
    if fields:
        return {name: getattr(value, name, _MISSING) for name in fields}
    by_fields = hasattr(kind, "__pydantic_fields__") or kind is types.SimpleNamespace
    if not by_fields and _compares(kind):
        return None
    slots = [
        f"_{base.__name__.lstrip('_')}{name}" if name[:2] == "__" and name[-2:] != "__" else name
        for base in kind.__mro__
        for name in _names(base.__dict__.get("__slots__", ()))
    ]
    found = {name: getattr(value, name) for name in slots if name[:2] != "__" and hasattr(value, name)}
    found |= getattr(value, "__dict__", {})
    if by_fields:
        found |= getattr(value, "__pydantic_extra__", None) or {}
    return found if found or by_fields else None


def _compares(kind: Any) -> bool:
    """Whether objects of the class compare by something other than identity."""
    return kind.__eq__ is not object.__eq__


def _names(slots: Any) -> tuple[str, ...]:
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _mappings(a: Any, b: Any, how: _How, at: str, depth: int) -> str:
    missing = [key for key in a if key not in b]
    extra = [key for key in b if key not in a]
    matched = _matched(missing, extra)
    if matched is None:
        return _members(missing, extra, at, "keys")
    if matched:
        b = {**b, **{ours: b[theirs] for ours, theirs in matched.items()}}
    if type(a) is dict and _plainly_same(list(a.values()), list(map(b.get, a))):
        return ""
    return _first(_differ(value, b[key], how, f"{at}[{_short(key)}]", depth + 1) for key, value in a.items())


def _members(missing: Any, extra: Any, at: str, what: str) -> str:
    few, few_too = (list(islice(found, 5)) for found in (missing, extra))
    return f"{at or 'answer'}: {what} missing {_short(few)}, {what} too many {_short(few_too)}"


def _plainly_same(a: Any, b: Any) -> bool:
    """Whether sequences hold equal plain values of the same types: quick, and False where it is not known."""
    kinds = list(map(type, a))
    return _PLAIN.issuperset(kinds) and kinds == list(map(type, b)) and bool(a == b)


def _matched(missing: Any, extra: Any) -> dict[Any, Any] | None:
    """Keys that are the same but for NaN, which equals no other value, as pairs; None where others are left."""
    ours, theirs = ({_without_nan(key): key for key in keys} for keys in (missing, extra))
    if ours.keys() != theirs.keys() or not len(ours) == len(missing) == len(extra):
        return None
    return {key: theirs[plain] for plain, key in ours.items()}


def _without_nan(key: Any) -> Any:
    """A key with its NaNs, also those in tuples, replaced by their types."""
    if type(key) in (tuple, frozenset):
        return type(key)(map(_without_nan, key))
    return (type(key), _MISSING) if isinstance(key, numbers.Number) and key != key else key


def _first(found: Iterator[str]) -> str:
    return next((text for text in found if text), "")


def _numpy(np: Any, a: Any, b: Any, how: _How, at: str, depth: int) -> str | None:
    if not isinstance(a, (np.ndarray, np.generic)):
        return None
    if isinstance(a, np.ma.MaskedArray):
        return _masked(np, a, b, how, at, depth)
    if a.dtype != b.dtype:
        return f"{at or 'answer'}: dtype {b.dtype} instead of {a.dtype}"
    if a.shape != b.shape:
        return f"{at or 'answer'}: shape {b.shape} instead of {a.shape}"
    if a.dtype.names:
        return _first(_differ(a[name], b[name], how, f"{at}.{name}", depth + 1) for name in a.dtype.names)
    if a.dtype.kind in "OT":  # of text of variable width a value may be missing, as NaN or None
        pairs = enumerate(zip(np.ravel(a), np.ravel(b)))
        return _first(_differ(x, y, how, f"{at}[{i}]", depth + 1) for i, (x, y) in pairs)
    if a.dtype.kind in "fc":
        with np.errstate(all="ignore"):
            same = (a == b) | (np.abs(a - b) <= how.atol + how.rtol * np.abs(a)) & np.isfinite(a)
        same |= np.isnan(a) & np.isnan(b)
    elif a.dtype.kind in "mM":
        same = (a == b) | (np.isnat(a) & np.isnat(b))
    else:
        same = a == b
    if np.all(same):
        return ""
    wrong = np.flatnonzero(~np.ravel(np.asarray(same)))
    place = wrong[0]
    where = at or "answer"
    if a.ndim:
        where += "[" + ", ".join(str(i) for i in np.unravel_index(place, a.shape)) + "]"
    more = f" ({len(wrong)} of {a.size} values)" if a.size > 1 else ""
    return f"{where}: {_short(np.ravel(b)[place])} instead of {_short(np.ravel(a)[place])}{more}"


def _masked(np: Any, a: Any, b: Any, how: _How, at: str, depth: int) -> str:
    """Masked arrays: the same values are masked, and the others are the same."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return f"{at or 'answer'}: {b.dtype}{list(b.shape)} instead of {a.dtype}{list(a.shape)}"
    if a.dtype.names:
        return _first(_differ(a[name], b[name], how, f"{at}.{name}", depth + 1) for name in a.dtype.names)
    masks = np.ma.getmaskarray(a), np.ma.getmaskarray(b)
    found = _differ(*masks, how.exact(), f"{at}.mask", depth + 1)
    if found:
        return found
    values = np.ma.getdata(a).copy(), np.ma.getdata(b).copy()
    for data, mask in zip(values, masks):
        data[mask] = values[0].flat[0] if data.size else 0  # what is masked is no value
    return _differ(*values, how, at, depth + 1)


def _pandas(pd: Any, a: Any, b: Any, how: _How, at: str, depth: int) -> str | None:
    if not hasattr(pd, "DataFrame"):  # still being imported by another thread
        return None
    if a is pd.NaT or a is pd.NA:
        return "" if a is b else f"{at or 'answer'}: {b!r} instead of {a!r}"
    if isinstance(a, pd.DataFrame):
        found = _differ(a.columns, b.columns, how.exact(), f"{at}.columns", depth + 1)
        found = found or _differ(a.index, b.index, how, f"{at}.index", depth + 1)
        return found or _first(
            _values(a.iloc[:, i], b.iloc[:, i], how, f"{at}[{_short(a.columns[i])}]", depth) for i in range(a.shape[1])
        )
    if isinstance(a, pd.Series):
        if not _same_name(a.name, b.name):
            return f"{at or 'answer'}: name {_short(b.name)} instead of {_short(a.name)}"
        found = _differ(a.index, b.index, how, f"{at}.index", depth + 1)
        return found or _values(a, b, how, at, depth)
    if isinstance(a, pd.MultiIndex):
        if a.nlevels != b.nlevels or not all(map(_same_name, a.names, b.names)):
            return f"{at or 'answer'}: levels {_short(list(b.names))} instead of {_short(list(a.names))}"
        return _first(
            _values(a.get_level_values(i), b.get_level_values(i), how, f"{at}.level{i}", depth)
            for i in range(a.nlevels)
        )
    if isinstance(a, pd.Index):
        if not _same_name(a.name, b.name):
            return f"{at or 'answer'}: name {_short(b.name)} instead of {_short(a.name)}"
        return _values(a, b, how, at, depth)
    if isinstance(a, pd.api.extensions.ExtensionArray):
        return _values(a, b, how, at, depth)
    return None


def _same_name(a: Any, b: Any) -> bool:
    return a is b or (type(a) is type(b) and (a == b or a != a))


def _values(a: Any, b: Any, how: _How, at: str, depth: int) -> str:
    """Columns of pandas: what is missing is missing in both, and the rest is the same."""
    if a.dtype != b.dtype:
        return f"{at or 'answer'}: dtype {b.dtype} instead of {a.dtype}"
    if len(a) != len(b):
        return f"{at or 'answer'}: {len(b)} values instead of {len(a)}"
    import numpy as np

    if isinstance(a.dtype, np.dtype):
        return _differ(np.asarray(a), np.asarray(b), how, at, depth + 1)
    gone, gone_too = np.asarray(a.isna()), np.asarray(b.isna())
    if (gone != gone_too).any():
        return f"{at or 'answer'}[{int(np.flatnonzero(gone != gone_too)[0])}]: missing in one and not in the other"
    if isinstance(getattr(a.dtype, "numpy_dtype", None), np.dtype) and a.dtype.numpy_dtype.kind in "fiub":
        kind = a.dtype.numpy_dtype
        there, there_too = a[~gone].to_numpy(kind), b[~gone].to_numpy(kind)
        return _differ(there, there_too, how, at, depth + 1)
    there, there_too = np.asarray(a[~gone], dtype=object), np.asarray(b[~gone], dtype=object)
    return _differ(there, there_too, how, at, depth + 1)


def _polars(pl: Any, a: Any, b: Any, how: _How, at: str, depth: int) -> str | None:
    if isinstance(a, pl.LazyFrame):
        raise Incomparable(f"{at or 'answer'}: a LazyFrame is not computed yet")
    if isinstance(a, pl.DataFrame):
        found = _differ(a.columns, b.columns, how.exact(), f"{at}.columns", depth + 1)
        return found or _first(_differ(a[name], b[name], how, f"{at}[{name!r}]", depth + 1) for name in a.columns)
    if not isinstance(a, pl.Series):
        return None
    if a.dtype != b.dtype or a.name != b.name or len(a) != len(b):
        return f"{at or 'answer'}: {b.name} {b.dtype}[{len(b)}] instead of {a.name} {a.dtype}[{len(a)}]"
    if a.dtype != pl.Object and a.equals(b, null_equal=True):
        return ""
    if a.dtype.is_numeric() and not a.dtype.is_decimal() and not a.null_count() and not b.null_count():
        return _differ(a.to_numpy(), b.to_numpy(), how, at, depth + 1)
    return _first(_differ(x, y, how, f"{at}[{i}]", depth + 1) for i, (x, y) in enumerate(zip(a, b)))


def _near(a: float, b: float, how: _How) -> bool:
    if a == b or (a != a and b != b):
        return True
    return math.isfinite(a) and abs(a - b) <= how.atol + how.rtol * abs(a)


def _short(value: object) -> str:
    try:
        text = BRIEF.repr(value)
    except KeyboardInterrupt:
        raise
    except BaseException:  # a caller's, or an int of more digits than Python writes out
        text = f"<{type(value).__name__}>"
    return cut(text, 60)


def magnitude(arguments: tuple[Any, ...], named: Mapping[str, Any]) -> float:
    """Return the largest finite number among the arrays and columns given; 0 when there is none.

    What an indicator computes as a difference of large numbers is only as exact as those.
    """
    found = 0.0
    np = sys.modules.get("numpy")
    for value in (*arguments, *named.values()):
        if isinstance(value, numbers.Real) or np is None or isinstance(value, (str, bytes)):
            continue
        try:
            array = np.asarray(value)
            if array.dtype.kind in "fiu" and array.size:
                found = max(found, float(np.max(np.abs(array), where=np.isfinite(array), initial=0.0)))
        except Exception:  # not an array of numbers
            continue
    return found
