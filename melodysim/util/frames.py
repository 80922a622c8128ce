"""Rows as a pandas frame, for notebooks; pandas is no dependency."""

from __future__ import annotations

from typing import Any

from melodysim.errors import MissingDependencyError


def frame_of(columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> Any:
    """Return rows as a ``pandas.DataFrame``, with its columns even where there are none.

    Raises
    ------
    MissingDependencyError
        If pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingDependencyError("tables need pandas: run `pip install pandas`") from error
    return pd.DataFrame(rows, columns=list(columns))
