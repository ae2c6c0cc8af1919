from collections.abc import Callable, Sequence
from typing import Any

from numpy import float64
from numpy.typing import NDArray

_Array = NDArray[float64]
_Param = tuple[str, str, float, float, float]
_Bind = Callable[[tuple[Any, ...], dict[str, Any]], tuple[tuple[_Array, ...], tuple[float, ...], Any]]

def function(
    name: str, inputs: tuple[str, ...], params: tuple[_Param, ...], result_type: type[tuple[Any, ...]] | None, bind: _Bind
) -> Callable[..., Any]: ...
def batch(
    name: str, params: Sequence[float], arrays: Sequence[_Array], threads: int = 0, isa: str | None = None
) -> tuple[_Array, ...]: ...
def isa() -> str: ...
def isas() -> tuple[str, ...]: ...
