"""Generators, plain and async, that are timed: what is spent in them, not by those who take their items."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable
from typing import Any

__all__ = ["measured_generator"]


def measured_generator(
    function: Callable[..., Any], observe: Callable[[float], object], failed: Callable[[], object]
) -> Callable[..., Any]:
    """Return the generator function, timed: `observe` is given seconds at its end, `failed` is called if it raised."""
    clock = time.perf_counter

    @functools.wraps(function)
    def timed(*args: Any, **kwargs: Any) -> Any:
        generator, spent = function(*args, **kwargs), 0.0
        step, given = generator.send, None
        try:
            while True:
                began = clock()
                try:
                    item = step(given)
                finally:
                    spent += clock() - began
                try:
                    step, given = generator.send, (yield item)
                except GeneratorExit:
                    generator.close()
                    raise
                except BaseException as error:
                    step, given = generator.throw, error
        except StopIteration as end:
            return end.value
        except GeneratorExit:
            raise
        except BaseException:
            failed()
            raise
        finally:
            observe(spent)
            del given

    @functools.wraps(function)
    async def timed_async(*args: Any, **kwargs: Any) -> Any:
        generator, spent = function(*args, **kwargs), 0.0
        step, given = generator.asend, None
        try:
            while True:
                began = clock()
                try:
                    item = await step(given)
                finally:
                    spent += clock() - began
                try:
                    step, given = generator.asend, (yield item)
                except GeneratorExit:
                    await generator.aclose()
                    raise
                except BaseException as error:
                    step, given = generator.athrow, error
        except StopAsyncIteration:
            return
        except GeneratorExit:
            raise
        except BaseException:
            failed()
            raise
        finally:
            observe(spent)
            del given

    return timed_async if inspect.isasyncgenfunction(function) else timed
