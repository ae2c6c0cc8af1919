"""Cancellation: who asked for it, decided in one way wherever code of others runs inside a task of ours.

`Task.cancelling()` does not say: before Python 3.13 a failed TaskGroup leaves it above 0, and code may cancel its own
task, swallow a request, or raise CancelledError itself. So the owner of a task notes when it cancels that task. Every
other CancelledError belongs to the code that ran, and is an error of that code like others.
"""

from __future__ import annotations

import asyncio
import signal
import threading

__all__ = ["absolve", "ends_program"]


async def absolve(task: asyncio.Task[object]) -> None:
    """Forget the requests to cancel the current task that the code it ran has left behind.

    The owner of the task calls it between two pieces of code, when it has not asked for the task's end itself.
    """
    if not task.cancelling():
        return
    try:
        await asyncio.sleep(0)  # a request that was made last is delivered here; `uncancel` drops it from 3.13 on only
    except asyncio.CancelledError:
        pass
    while task.uncancel():
        pass


def ends_program(error: BaseException) -> bool:
    """Whether an error is the user's Ctrl-C; any other KeyboardInterrupt was raised by the code that ran.

    Python raises it in the main thread, and only while its own handler is in force: event loops that see to Ctrl-C
    replace that handler.
    """
    return (
        issubclass(type(error), KeyboardInterrupt)
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
