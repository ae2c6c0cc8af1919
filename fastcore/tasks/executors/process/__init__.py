"""An executor that runs tasks in child processes."""

from __future__ import annotations

from fastcore.tasks.executors.process.executor import ProcessExecutor

__all__ = ["ProcessExecutor"]
