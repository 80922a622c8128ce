"""Where workers run: on this machine, or on a cluster that is there already.

Both are executors as `concurrent.futures` has them, so that one loop serves both. On this machine it
is pebble's pool, because the standard library's cannot kill a worker that hangs and loses other tracks
when one dies; on a cluster Dask's, which retries a task whose worker died and can kill nothing that
hangs.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol

from melodysim.errors import MelodysimError, MissingDependencyError
from melodysim.workers import begin_worker

TASKS_OF_A_WORKER = 500
"""After which it is replaced, so that what a decoder leaks does not add up."""
_IN_FLIGHT = 3
"""Tasks handed over for each worker: enough to keep it busy, few enough to stop soon."""


class Pool(Protocol):
    """Runs functions in workers."""

    @property
    def in_flight(self) -> int:
        """How many tasks to hand over at a time."""

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Run a function of a module with plain arguments."""

    def stop(self) -> None:
        """Stop at once, whatever is running."""


class LocalPool:
    """Spawned processes of this machine.

    Parameters
    ----------
    workers : int
        Processes.
    seconds : float
        After which a task is given up, and its process killed.
    megabytes : int
        Memory that a process may take for its data; more is refused it. Not kept on Windows.

    Raises
    ------
    MissingDependencyError
        If pebble is not installed.
    """

    def __init__(self, workers: int, seconds: float, megabytes: int) -> None:
        try:
            from pebble import ProcessPool
        except ImportError as error:
            raise MissingDependencyError(
                "scanning needs pebble: run `pip install 'melodysim[scan]'`"
            ) from error
        self.in_flight = _IN_FLIGHT * workers
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


class ClusterPool:
    """The workers of a Dask cluster, which must see the same files under the same paths.

    Parameters
    ----------
    address : str
        Of the scheduler, such as ``tcp://10.0.0.1:8786``.
    retries : int
        How often a task is tried again whose worker died.

    Raises
    ------
    MissingDependencyError
        If distributed is not installed.
    MelodysimError
        If the scheduler does not answer.
    """

    def __init__(self, address: str, retries: int) -> None:
        try:
            from distributed import Client
        except ImportError as error:
            raise MissingDependencyError(
                "a cluster needs Dask: run `pip install 'melodysim[cluster]'`"
            ) from error
        try:
            self._client = Client(address, timeout=20, set_as_default=False)
        except (OSError, ValueError) as error:
            raise MelodysimError(f"{address}: no Dask scheduler answers there ({error})") from error
        self._executor = self._client.get_executor(retries=retries, pure=False)

    @property
    def in_flight(self) -> int:
        """Follows the cluster as it grows and shrinks."""
        try:
            threads = sum(self._client.nthreads().values())
        except (OSError, TimeoutError) as error:
            raise MelodysimError(
                f"the Dask scheduler does not answer any more ({error}); what is done is kept"
            ) from error
        return _IN_FLIGHT * max(1, threads)

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Run a function on any worker."""
        future: Future[Any] = self._executor.submit(function, *args)
        return future

    def stop(self) -> None:
        """Let go of the cluster."""
        self._executor.shutdown(wait=False)  # cancels what has not begun
        self._client.close(timeout=5)
