"""What every worker process of ours does when it begins."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading


def begin_worker(megabytes: int = 0) -> None:
    """End this process when its parent has ended, and bound its memory.

    A parent that is killed cannot stop its workers; they would go on, for nobody.

    Parameters
    ----------
    megabytes : int, optional
        Data that the process may take; more is refused it. 0 for no bound; none on Windows.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:

        def watch() -> None:
            parent.join()  # on a pipe that closes with it, on every system
            os._exit(1)

        threading.Thread(target=watch, daemon=True, name="watch-parent").start()
    if megabytes and sys.platform != "win32":
        import resource

        limit = megabytes * 1_000_000
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        if hard != resource.RLIM_INFINITY:
            limit = min(limit, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
