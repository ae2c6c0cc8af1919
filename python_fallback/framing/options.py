"""The options of packing and unpacking, checked once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from python_fallback.shared.framing.checks import (
    DEPTH_LIMIT,
    MAX_DEPTH,
    NO_LIMIT,
    check_callable,
    check_errors,
    check_int,
    check_limit,
)


class PackOptions(NamedTuple):
    """How objects become msgpack."""

    default: Callable[[Any], Any] | None = None
    use_single_float: bool = False
    use_bin_type: bool = True
    strict_types: bool = False
    datetime: bool = False
    unicode_errors: str = "strict"
    numpy: bool = False
    decimal: str | None = None
    max_depth: int = MAX_DEPTH


class UnpackOptions(NamedTuple):
    """How msgpack becomes objects, and how much of it is accepted."""

    use_list: bool = True
    raw: bool = False
    timestamp: int = 0
    strict_map_key: bool = True
    object_hook: Callable[[Any], Any] | None = None
    object_pairs_hook: Callable[[Any], Any] | None = None
    list_hook: Callable[[Any], Any] | None = None
    ext_hook: Callable[[int, bytes], Any] | None = None
    unicode_errors: str = "strict"
    max_str_len: int = NO_LIMIT
    max_bin_len: int = NO_LIMIT
    max_array_len: int = NO_LIMIT
    max_map_len: int = NO_LIMIT
    max_ext_len: int = NO_LIMIT
    max_depth: int = MAX_DEPTH
    max_memory: int = NO_LIMIT

    @property
    def hooks(self) -> bool:
        return (self.object_hook or self.object_pairs_hook or self.list_hook or self.ext_hook) is not None


def pack_options(
    *,
    default: Any = None,
    use_single_float: Any = False,
    use_bin_type: Any = True,
    strict_types: Any = False,
    datetime: Any = False,
    unicode_errors: Any = None,
    numpy: Any = False,
    decimal: Any = None,
    max_depth: Any = MAX_DEPTH,
) -> PackOptions:
    """Check the options of packing."""
    if decimal is not None and decimal not in ("str", "float"):
        raise ValueError(f"decimal: expected 'str', 'float' or None, got {decimal!r}")
    return PackOptions(
        check_callable("default", default),
        bool(use_single_float),
        bool(use_bin_type),
        bool(strict_types),
        bool(datetime),
        check_errors(unicode_errors),
        bool(numpy),
        decimal,
        check_int("max_depth", max_depth, 1, DEPTH_LIMIT),
    )


def unpack_options(
    *,
    use_list: Any = True,
    raw: Any = False,
    timestamp: Any = 0,
    strict_map_key: Any = True,
    object_hook: Any = None,
    object_pairs_hook: Any = None,
    list_hook: Any = None,
    ext_hook: Any = None,
    unicode_errors: Any = None,
    max_str_len: Any = None,
    max_bin_len: Any = None,
    max_array_len: Any = None,
    max_map_len: Any = None,
    max_ext_len: Any = None,
    max_depth: Any = MAX_DEPTH,
    max_memory: Any = None,
) -> UnpackOptions:
    """Check the options of unpacking."""
    if object_hook is not None and object_pairs_hook is not None:
        raise TypeError("object_pairs_hook: expected None together with an object_hook, got both")
    return UnpackOptions(
        bool(use_list),
        bool(raw),
        check_int("timestamp", timestamp, 0, 3),
        bool(strict_map_key),
        check_callable("object_hook", object_hook),
        check_callable("object_pairs_hook", object_pairs_hook),
        check_callable("list_hook", list_hook),
        check_callable("ext_hook", ext_hook),
        check_errors(unicode_errors),
        check_limit("max_str_len", max_str_len),
        check_limit("max_bin_len", max_bin_len),
        check_limit("max_array_len", max_array_len),
        check_limit("max_map_len", max_map_len),
        check_limit("max_ext_len", max_ext_len),
        check_int("max_depth", max_depth, 1, DEPTH_LIMIT),
        check_limit("max_memory", max_memory),
    )


def named(function: str, options: dict[str, Any], check: Callable[..., Any]) -> Any:
    """Check the keyword arguments of `function`, in whose name an unknown one is refused."""
    for name in options:
        if name not in (check.__kwdefaults__ or {}):
            raise TypeError(f"{function}() got an unexpected keyword argument '{name}'")
    return check(**options)
