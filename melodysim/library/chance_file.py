"""What chance does among the protected works of a library, kept beside its packed parts.

It is measured anew once the library has a quarter more or fewer protected works than it was measured
with; until then it is carried over to their number (`Chance.among`).
"""

from __future__ import annotations

import json
from dataclasses import asdict

from melodysim.errors import MelodysimError
from melodysim.library.chance import Chance
from melodysim.library.index_files import folders
from melodysim.library.store import Store
from melodysim.util.atomic_files import write_whole

METHOD = 3
"""Raised whenever the same library would be measured to another result."""
NAME = "chance.json"
FEWER, MORE = 0.8, 1.25
"""Shares of the works it was measured with between which it serves."""


def load_chance(store: Store, works: int) -> Chance | None:
    """Read what was measured; None where nothing was, or with another number of works.

    Parameters
    ----------
    store : Store
    works : int
        Protected works of the library today.
    """
    for folder in folders(store.path):
        try:
            said = json.loads((folder / NAME).read_bytes())
            chance = Chance(float(said["mode"]), float(said["scale"]), int(said["works"]))
            method = int(said["method"])
        except (OSError, ValueError, KeyError, TypeError):
            if (folder / "manifest.json").exists():
                return None  # the folder in use; the other one need not be looked for
            continue
        if method == METHOD and chance.works and FEWER <= works / chance.works <= MORE:
            return chance
    return None


def save_chance(store: Store, chance: Chance) -> bool:
    """Write what was measured beside the packed parts; return whether any folder took it."""
    content = json.dumps({"method": METHOD, **asdict(chance)}).encode()
    for folder in folders(store.path):
        try:
            write_whole(folder / NAME, content)
        except MelodysimError:
            continue
        return True
    return False
