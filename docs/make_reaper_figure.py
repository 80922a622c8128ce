"""Draw what the REAPER action leaves on the time line, from what it really does in the tests' host.

    uv run python docs/make_reaper_figure.py

No screenshot: REAPER does not run where this is made. Names, times and colours are the action's.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import melodysim
from melodysim.daemon import client
from melodysim.library import Store
from melodysim.library.importers import import_paths
from melodysim.library.rights import Rights

ROOT = Path(__file__).parents[1]
HOST = ROOT / "tests" / "reaper"
COMMAND = shlex.join([sys.executable, "-c", "from melodysim.cli import main; main()"])


def acted(folder: Path, notes: list[tuple[float, float, int]]) -> list[list[str]]:
    """Run the action on an item with these notes (seconds); gives what the host saw."""
    command = folder / "melodysim"
    command.write_text(f'#!/bin/sh\nexec {COMMAND} "$@"\n')
    command.chmod(0o755)
    rows = ",".join(f"{{{round(a * 1920)},{round((a + d) * 1920)},{p}}}" for a, d, p in notes)
    take = f'{{name="Lead",notes={{{rows}}},start=0,offset=0,rate=1}}'
    (folder / "project.lua").write_text(
        f'return {{folder="{folder}",command="{command}",tempo={{{{0,120}}}},'
        f"items={{{{position=0,length=60,take={take}}}}}}}"
    )
    given = [HOST / "host.lua", HOST / "signatures.txt", folder / "project.lua"]
    action = ROOT / "reaper" / "melodysim_check_midi_item.lua"
    done = subprocess.run(["lua5.4", *given, action], capture_output=True, text=True, check=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


def main() -> None:
    """Run the action, draw, and stop the daemon."""
    song = melodysim.read(ROOT / "fixtures" / "paper-lanterns.mid").melodies[0]
    rng = np.random.default_rng(4)
    steps = np.cumsum(rng.integers(-3, 4, 16)) + 65
    own = [(0.5 * k, 0.45, int(p)) for k, p in enumerate(steps)]
    taken = [
        (8 + float(o), float(d), int(p) + 3)
        for o, d, p in zip(song.onset, song.duration, song.pitch, strict=True)
    ]
    end = taken[-1][0] + 1
    after = [(end + 0.5 * k, 0.45, int(p)) for k, p in enumerate(steps[::-1])]
    notes = [*own, *taken, *after]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        with Store(folder / "library.db", create=True) as store:
            for name, title in (("paper-lanterns.mid", "Paper Lanterns"), ("twinkle.mid", "Twinkle")):
                import_paths(store, [ROOT / "fixtures" / name], Rights("in-copyright"), title)
        os.environ.update(
            {
                "XDG_RUNTIME_DIR": place,
                "MELODYSIM_LIBRARY": str(folder / "library.db"),
                client.COMMAND: COMMAND,
            }
        )
        try:
            rows = acted(folder, notes)
        finally:
            client.ask("stop")
    draw(notes, rows, ROOT / "docs" / "figures" / "reaper.svg")


def draw(notes: list[tuple[float, float, int]], rows: list[list[str]], output: Path) -> None:
    """Draw the regions over the item, and the window's table."""
    figure = Figure(figsize=(9, 3.6), facecolor="#2b2b2b", layout="constrained")
    axes, table = figure.subplots(2, 1, height_ratios=[3, 1])
    for axis in (axes, table):
        axis.set_facecolor("#333333")
        for side in axis.spines.values():
            side.set_color("#555555")
    low, high = min(p for *_, p in notes) - 2, max(p for *_, p in notes) + 2
    for onset, duration, pitch in notes:
        axes.barh(pitch, duration, left=onset, height=0.9, color="#7fb8a4")
    for row in (r for r in rows if r[0] == "region"):
        colour = f"#{int(row[5]) & 255:02x}{int(row[5]) >> 8 & 255:02x}{int(row[5]) >> 16 & 255:02x}"
        first, last = float(row[1]), float(row[2])
        axes.axvspan(first, last, color=colour, alpha=0.25)
        axes.barh(high + 2, last - first, left=first, height=2, color=colour)
        axes.text(first + 0.2, high + 2, row[3], color="white", va="center", fontsize=9)
    axes.set(ylim=(low, high + 3.4), yticks=[])
    axes.tick_params(colors="#bbbbbb", labelsize=8)
    axes.set_xlabel("seconds", color="#bbbbbb", fontsize=8)
    words = "\n".join(row[1] for row in rows if row[0] == "table")
    table.text(0.01, 0.9, words, color="#dddddd", va="top", fontsize=8, wrap=True)
    table.set(xticks=[], yticks=[])
    figure.savefig(output, facecolor=figure.get_facecolor())


if __name__ == "__main__":
    main()
