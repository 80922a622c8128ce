"""The packed parts of a library on disk: made from the database, kept, and brought up to date.

They are a cache. A folder beside the library holds a file for each part, a file with the numbering of
the references, and a manifest that names these files and the version of the database content that they
were made from. Melodies added later go into a new part; removed ones are left out of the numbering;
small parts are merged as melodies are added. Files are written to a temporary name and renamed, and
never changed; the manifest is written last. Where the library's folder is not writable, the user's
cache folder is used; if that fails too, the parts live in memory only.

What chance does among the protected works is kept beside them. It is measured anew once the library
has a quarter more or fewer protected works than it was measured with; until then it is carried over to
their number (`Chance.among`).
"""

from __future__ import annotations

import json
import re
import secrets
import time
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melodysim.align.surprisal import Rarity
from melodysim.errors import MelodysimError
from melodysim.library.chance import Chance, few_beside_free
from melodysim.library.packed.index import Index, Order, order_shards, sample_references
from melodysim.library.packed.shard import (
    MOST,
    Shard,
    open_shard,
    pack_shard,
    packed_tables,
    unpacked_tables,
    write_shard,
)
from melodysim.library.rights import Territory
from melodysim.library.store import Store
from melodysim.util.array_files import map_arrays, write_arrays
from melodysim.util.atomic_files import write_whole

FORMAT = 9
"""Raised whenever the arrays, or how they are worked out, change."""
CHANCE_METHOD = 4
"""Raised whenever the same library's chance would be measured to another result."""
CHANCE_FILE = "chance.json"
HEARD_FOLDER = "heard"
"""Folder of a file for each recording: what chance does in it. Whoever reads one must see whether it
was measured in the same way, on the same melodies."""
_DIGEST = re.compile(r"[0-9a-f]{64}")
FEWER, MORE = 0.8, 1.25
"""Shares of the works that chance was measured with between which it serves."""
KEPT = ("manifest.json", CHANCE_FILE)
"""Files that go on beside other parts: what chance does changes little when melodies are added."""
SMALL = 5_000
"""A part of fewer melodies is packed anew, together with those added since."""
DEAD = 0.25
"""A part is packed anew once this share of its melodies has been removed."""
_DAMAGED = (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError)
"""Errors that reading a torn, foreign or missing file raises."""
_STALE_SECONDS = 86_400.0
_ORDER = ("shard", "local", "length", "key")


@dataclass(frozen=True)
class _Manifest:
    """The files of an index, and the version of the database content that they were made from."""

    format: int
    content: str
    parts: tuple[str, ...]
    order: str


def load_index(store: Store) -> Index:
    """Open the packed parts of a library, after bringing them up to date.

    Parameters
    ----------
    store : Store
        Open.
    """
    content = store.version()
    for folder in _folders(store.path):
        index = _open(folder, content)
        if index is not None:
            return index
    for folder in _folders(store.path):
        try:
            return _refresh(folder, store, content)
        except (MelodysimError, OSError):
            continue
    shards = list(_packed(store, store.serials()))
    return Index(shards, order_shards(shards))


def compact(store: Store) -> tuple[int, int]:
    """Pack a library's melodies anew; return the number of parts before and after.

    Raises
    ------
    MelodysimError
        If they cannot be written to any folder.
    """
    failed: Exception | None = None
    for folder in _folders(store.path):
        manifest = _manifest(folder)
        try:
            index = _refresh(folder, store, store.version(), afresh=True)
        except (MelodysimError, OSError) as error:
            failed = failed or error
            continue
        return len(manifest.parts) if manifest else 0, len(index.parts)
    raise MelodysimError(f"its packed parts can be written nowhere ({failed})", path=store.path)


def _folders(path: Path) -> Iterator[Path]:
    """Yield the folders that may hold the packed parts, the best one first."""
    yield path.with_name(path.name + ".index")
    from platformdirs import user_cache_path

    yield (
        user_cache_path("melodysim")
        / f"{path.stem}-{zlib.crc32(str(path.absolute()).encode()):08x}.index"
    )


def _manifest(folder: Path) -> _Manifest | None:
    """Read a folder's manifest; None where it is missing or damaged."""
    try:
        said: dict[str, Any] = json.loads((folder / "manifest.json").read_bytes())
        return _Manifest(said["format"], said["content"], tuple(said["parts"]), said["order"])
    except _DAMAGED:
        return None


def _write_manifest(folder: Path, manifest: _Manifest) -> None:
    """Write a folder's manifest, which puts the files that it names into use."""
    write_whole(folder / "manifest.json", json.dumps(asdict(manifest)).encode())


def _open(folder: Path, content: str) -> Index | None:
    """Open the index in a folder; None unless it is whole and was made from this content."""
    manifest = _manifest(folder)
    if manifest is None or (manifest.format, manifest.content) != (FORMAT, content):
        return None
    try:
        shards = [open_shard(folder / name) for name in manifest.parts]
        return Index(shards, _open_order(folder / manifest.order))
    except _DAMAGED:
        return None


def _open_order(path: Path) -> Order:
    arrays, _ = map_arrays(path)
    rarity = Rarity(*unpacked_tables("rarity", arrays))
    return Order(**{name: arrays[name] for name in _ORDER}, rarity=rarity)


def _write_order(path: Path, order: Order) -> None:
    arrays = {name: getattr(order, name) for name in _ORDER}
    write_arrays(path, arrays | packed_tables("rarity", order.rarity))


def _refresh(folder: Path, store: Store, content: str, *, afresh: bool = False) -> Index:
    """Bring the packed parts in a folder up to date, and open them."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.with_name(folder.name + ".npz").unlink(missing_ok=True)  # of versions before 0.1
    manifest = _manifest(folder)
    live = store.serials()
    known = None if manifest is None or afresh else _known(folder, manifest)
    if manifest is not None and known is not None and np.array_equal(known, live):
        # Only rights or titles have changed, not the notes.
        _write_manifest(folder, replace(manifest, content=content))
        index = _open(folder, content)
        if index is not None:
            return index
    kept = [] if afresh or manifest is None else list(_kept(folder, manifest, live))
    known = np.concatenate([np.zeros(0, np.int64), *(shard.serial for _, shard in kept)])
    names = [name for name, _ in kept]
    for shard in _packed(store, live[~np.isin(live, known)]):
        names.append(f"part-{secrets.token_hex(6)}.bin")
        write_shard(folder / names[-1], shard)
        del shard
    shards = [open_shard(folder / name) for name in names]
    order = f"order-{secrets.token_hex(6)}.bin"
    _write_order(folder / order, order_shards(shards, live))
    _write_manifest(folder, _Manifest(FORMAT, content, tuple(names), order))
    _sweep(folder, manifest, {*names, order})
    return Index(shards, _open_order(folder / order))


def _known(folder: Path, manifest: _Manifest) -> NDArray[np.int64] | None:
    """Return the serial numbers, increasing, that a manifest's files hold; None if they are damaged."""
    index = _open(folder, manifest.content)
    return None if index is None else np.sort(index.serials)


def _kept(folder: Path, manifest: _Manifest, live: NDArray[np.int64]) -> Iterator[tuple[str, Shard]]:
    """Yield the parts that need not be packed anew, each with its file's name."""
    if manifest.format != FORMAT:
        return
    for name in manifest.parts:
        try:
            shard = open_shard(folder / name)
        except _DAMAGED:
            continue
        alive = int(np.isin(shard.serial, live).sum())
        if alive >= SMALL and alive > (1 - DEAD) * len(shard):
            yield name, shard


def _packed(store: Store, serials: NDArray[np.int64]) -> Iterator[Shard]:
    """Pack melodies of the store into parts of at most `MOST` melodies."""
    parts = -(-len(serials) // MOST)
    for part in np.array_split(serials, parts) if parts else ():
        yield pack_shard(store.melodies_of(part))


def _sweep(folder: Path, before: _Manifest | None, used: set[str]) -> None:
    """Remove unused files: those of the former manifest, and leftovers older than a day."""
    replaced = set() if before is None else {*before.parts, before.order}
    now = time.time()
    for path in folder.iterdir():
        if path.name in {*used, *KEPT, HEARD_FOLDER} or path.name.startswith("rights-"):
            continue
        try:
            if path.name in replaced or now - path.stat().st_mtime > _STALE_SECONDS:
                path.unlink()
        except OSError:  # mapped by another process, where the system keeps such files
            continue


def protection(
    store: Store, index: Index, territory: Territory
) -> tuple[NDArray[np.bool_], tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Find the protected references of an index, and the background of each kind.

    Parameters
    ----------
    store : Store
        Open.
    index : Index
        Of the same library.
    territory : {"anywhere", "us", "eu", "uk", "life+50"}

    Returns
    -------
    ndarray of bool, shape (references,)
        Whether each is in copyright, or not known to be free, today.
    (ndarray of int64, ndarray of int64)
        Background among the free references, and among the protected ones.
    """
    content, today = store.version(), date.today().isoformat()
    name = f"rights-{territory}.bin"
    for folder in _folders(store.path):
        try:
            arrays, note = map_arrays(folder / name)
            manifest = _manifest(folder)
            if manifest is None or note["order"] != manifest.order:
                continue
            if note["content"] == content and note["from"] <= today <= note["until"]:
                protected = arrays["protected"].view(np.bool_)
                if len(protected) == len(index):
                    return protected, (arrays["free"], arrays["bound"])
        except _DAMAGED:
            continue
    serials, until = store.protected(territory)
    protected = np.isin(index.serials, serials)
    free, bound = (sample_references(index.order.key, kind) for kind in (~protected, protected))
    note = {"content": content, "from": today, "until": until.isoformat()}
    for folder in _folders(store.path):
        manifest = _manifest(folder)
        if manifest is not None and manifest.content == content:
            note["order"] = manifest.order
            try:
                write_arrays(
                    folder / name,
                    {"protected": protected.view(np.uint8), "free": free, "bound": bound},
                    note,
                )
            except MelodysimError:
                continue
            break
    return protected, (free, bound)


def load_chance(store: Store, works: int, free: int) -> Chance | None:
    """Read what was measured; None where nothing was, or with another number of works.

    Parameters
    ----------
    store : Store
    works, free : int
        Protected and free works of the library today.
    """
    few = few_beside_free(works, free)
    for folder in _folders(store.path):
        try:
            said = json.loads((folder / CHANCE_FILE).read_bytes())
            mode, scale, beside = float(said["mode"]), float(said["scale"]), bool(said["beside_free"])
            chance = Chance(mode, scale, int(said["works"]), beside_free=beside)
            method = int(said["method"])
        except (OSError, ValueError, KeyError, TypeError):
            if (folder / "manifest.json").exists():
                return None  # the folder in use; the other one need not be looked for
            continue
        same = method == CHANCE_METHOD and chance.beside_free == few
        if same and chance.works and FEWER <= works / chance.works <= MORE:
            return chance
    return None


def save_chance(store: Store, chance: Chance) -> bool:
    """Write what was measured beside the packed parts; return whether any folder took it."""
    content = json.dumps({"method": CHANCE_METHOD, **asdict(chance)}).encode()
    for folder in _folders(store.path):
        try:
            write_whole(folder / CHANCE_FILE, content)
        except MelodysimError:
            continue
        return True
    return False


def load_heard(path: Path, digest: str) -> Iterator[dict[str, Any]]:
    """Yield what was kept of chance in a recording, from each folder that has something.

    Parameters
    ----------
    path : Path
        Of the library.
    digest : str
        Of what was heard: 64 hexadecimal digits, or nothing is there.
    """
    for folder in _folders(path) if _DIGEST.fullmatch(digest) else ():
        try:
            said = json.loads((folder / HEARD_FOLDER / f"{digest}.json").read_bytes())
        except (OSError, ValueError):
            continue
        if isinstance(said, dict):
            yield said


def save_heard(path: Path, digest: str, said: dict[str, Any]) -> bool:
    """Write what chance does in a recording beside the parts; return whether any folder took it."""
    content = json.dumps(said).encode()
    for folder in _folders(path) if _DIGEST.fullmatch(digest) else ():
        try:
            (folder / HEARD_FOLDER).mkdir(parents=True, exist_ok=True)
            write_whole(folder / HEARD_FOLDER / f"{digest}.json", content)
        except (MelodysimError, OSError):
            continue
        return True
    return False


def part_files(store: Store) -> list[Path]:
    """List the files of a library's parts, in their order; none if they live in memory only."""
    content = store.version()
    for folder in _folders(store.path):
        manifest = _manifest(folder)
        if manifest is not None and (manifest.format, manifest.content) == (FORMAT, content):
            return [folder / name for name in manifest.parts]
    return []
