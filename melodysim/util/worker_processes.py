"""A pool of worker processes on this machine, and what each does when it starts."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

TASKS_OF_A_WORKER = 500
"""Tasks after which a worker is replaced, so that a decoder's memory leaks do not add up."""
IN_FLIGHT = 3
"""Tasks handed over for each worker: enough to keep it busy, few enough to stop soon."""


def begin_worker(megabytes: int = 0) -> None:
    """Make this process end when its parent ends, and limit its memory.

    A parent that is killed cannot stop its workers, which would go on for nothing.

    Parameters
    ----------
    megabytes : int, optional
        Memory that the process may take for its data; 0 for no limit. Not enforced on Windows.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:

        def watch() -> None:
            parent.join()  # waits on a pipe that closes when the parent ends
            os._exit(1)

        threading.Thread(target=watch, daemon=True, name="watch-parent").start()
    if megabytes and sys.platform != "win32":
        import resource

        limit = megabytes * 1_000_000
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        if hard != resource.RLIM_INFINITY:
            limit = min(limit, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


class LocalPool:
    """A pool of spawned processes on this machine.

    It uses pebble, because the standard library's pool cannot kill a worker that hangs, and loses other
    tasks when one dies.

    Parameters
    ----------
    workers : int
        Number of processes.
    seconds : float
        Time after which a task is given up, and its process killed.
    megabytes : int
        Memory that a process may take for its data. Not enforced on Windows.
    """

    def __init__(self, workers: int, seconds: float, megabytes: int) -> None:
        from pebble import ProcessPool

        self.in_flight = IN_FLIGHT * workers
        self._seconds = seconds
        # Spawned: a forked copy of a process with threads may hang.
        self._pool = ProcessPool(
            max_workers=workers,
            max_tasks=TASKS_OF_A_WORKER,
            initializer=begin_worker,
            initargs=[megabytes],
            context=multiprocessing.get_context("spawn"),
        )

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Run a function; its future ends with pebble's ``ProcessExpired`` if the process died."""
        future: Future[Any] = self._pool.schedule(function, args=list(args), timeout=self._seconds)
        return future

    def stop(self) -> None:
        """Kill the processes."""
        self._pool.stop()
        self._pool.join(10)
