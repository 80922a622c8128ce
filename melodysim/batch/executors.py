"""Where workers run: on this machine, or on a cluster that is there already.

Both are executors as `concurrent.futures` has them, so that one loop serves both: on this machine
`melodysim.util.worker_processes.LocalPool`; on a cluster Dask's, which retries a task whose worker died
and can kill nothing that hangs.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol

from melodysim.errors import MelodysimError, MissingDependencyError
from melodysim.util.worker_processes import IN_FLIGHT


class Pool(Protocol):
    """A pool of workers that run functions."""

    @property
    def in_flight(self) -> int:
        """Most tasks to hand over at a time."""

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Run a function of a module with plain arguments."""

    def stop(self) -> None:
        """Stop at once, whatever is running."""


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
            raise MelodysimError(f"no Dask scheduler answers there ({error})", path=address) from error
        self._executor = self._client.get_executor(retries=retries, pure=False)

    @property
    def in_flight(self) -> int:
        """Most tasks to hand over at a time; follows the cluster as it grows and shrinks."""
        try:
            threads = sum(self._client.nthreads().values())
        except (OSError, TimeoutError) as error:
            raise MelodysimError(
                f"the Dask scheduler does not answer any more ({error})", "what is done is kept"
            ) from error
        return IN_FLIGHT * max(1, threads)

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Run a function on any worker."""
        future: Future[Any] = self._executor.submit(function, *args)
        return future

    def stop(self) -> None:
        """Disconnect from the cluster."""
        self._executor.shutdown(wait=False)  # cancels what has not begun
        self._client.close(timeout=5)
