"""What E-values promise beside what was observed, for the benchmarks: lines of a table, a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.stats import binomtest


def interval(count: int, total: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share."""
    found = binomtest(count, total).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


def as_promised(e_values: np.ndarray, level: float) -> str:
    """Say in how many cases E is below a level, and should be."""
    below = e_values < level
    low, high = interval(int(below.sum()), len(below))
    return f"  {level:<9g} {-np.expm1(-level):8.4f}   {below.mean():.4f} ({low:.4f} to {high:.4f})"


def draw_promised(
    path: Path, levels: np.ndarray, groups: dict[str, tuple[np.ndarray, np.ndarray]], least: float
) -> None:
    """Draw shares below each level against what is promised.

    `groups` has the shares, [levels], and their bounds, [2, levels], by name; `least` is the smallest
    share that is shown.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.plot(levels, -np.expm1(-levels), "k--", label="promised")
    for name, (share, bounds) in groups.items():
        (line,) = axes.plot(levels, np.where(share > 0, share, np.nan), "o-", ms=3, label=name)
        axes.fill_between(levels, *np.maximum(bounds, 1e-6), alpha=0.12, color=line.get_color())
    axes.set(xscale="log", yscale="log", xlabel="E-value below", ylabel="share of unrelated tracks")
    axes.set(ylim=(least, 1.2))
    axes.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)
