from collections.abc import Callable
from typing import Any

from python_fallback.framing.decode import ExtraData as ExtraData
from python_fallback.framing.decode import Incomplete as Incomplete
from python_fallback.framing.wsframe import frame_packed as frame_packed

packb: Callable[..., bytes]
unpackb: Callable[..., Any]
frame: Callable[..., bytes]
