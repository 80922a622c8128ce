"""Import into a library: files and folders, public sets, and the tunes that come with music21.

`jobs` lists what is to be read and reads it, in worker processes; `run` stores the results in chunks,
so that an import that is stopped goes on where it was; `public_sets` recognises public sets; `exported`
reads what `library export` wrote; `tables` reads melodies as plain CSV and JSON.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from melodysim.errors import MissingDependencyError, ReadError
from melodysim.library.importers.exported import exported_jobs
from melodysim.library.importers.jobs import Job, file_jobs, is_exported
from melodysim.library.importers.public_sets import PublicSet, known_set, sets_in
from melodysim.library.importers.rights_table import INDEX, is_index
from melodysim.library.importers.run import ImportProgress, ImportResult, run_jobs
from melodysim.library.rights import Rights
from melodysim.library.store import Store
from melodysim.util.atomic_files import replaced
from melodysim.util.passed_over import suffix_of

__all__ = [
    "ImportProgress",
    "ImportResult",
    "builtin_folder",
    "fill_builtin",
    "import_builtin",
    "import_paths",
]

BUILTIN = {
    "essenFolksong": "Essen Folksong Collection",
    "oneills1850": "O'Neill's Music of Ireland (1903)",
    "airdsAirs": "Aird's Airs (1778-1801)",
    "ryansMammoth": "Ryan's Mammoth Collection (1883)",
    "nottingham-dataset": "Nottingham Music Database",
}
"""Folders of music21's corpus whose tunes are in the public domain, and what they are."""


def builtin_folder() -> Path:
    """Find the folder of the tunes that come with music21, without importing music21.

    Raises
    ------
    MissingDependencyError
        If music21 is not installed.
    """
    spec = importlib.util.find_spec("music21")
    folder = Path(spec.origin).parent / "corpus" if spec and spec.origin else None
    if folder is None or not folder.is_dir():
        raise MissingDependencyError(
            "the built-in melodies come with music21: run `pip install 'melodysim[score]'`"
        )
    return folder


def import_builtin(store: Store, progress: ImportProgress | None = None) -> ImportResult:
    """Fill a library with the public-domain tunes that come with music21.

    They are read where music21 is installed; nothing is copied but the notes.

    Parameters
    ----------
    store : Store
        Open for writing.
    progress : callable, optional
        See `ImportProgress`.
    """
    folder = builtin_folder()
    jobs = [
        Job(str(path), "file", path, f"{name}/{path.stem}", Rights("public-domain", note=collection))
        for name, collection in BUILTIN.items()
        for path in sorted((folder / name).glob("*.abc"))
    ]
    # Tunes that two collections share are kept in both.
    return run_jobs(store, jobs, progress, merge=False)


def fill_builtin(path: Path, progress: ImportProgress | None = None) -> ImportResult:
    """Make a library of the tunes that come with music21, or add them to one that is there.

    A new library appears when it is whole: with a part of the tunes it would be used as if it had all.

    Parameters
    ----------
    path : Path
        Of the library.
    progress : callable, optional
        See `ImportProgress`.
    """
    if not path.exists():
        with suppress(_MadeMeanwhileError), replaced(path) as temporary:
            with Store(temporary, create=True) as store:
                result = import_builtin(store, progress)
            if path.exists():
                raise _MadeMeanwhileError
            return result
    with Store(path, create=True) as store:
        return import_builtin(store, progress)


class _MadeMeanwhileError(Exception):
    """Another process has made the library: it must not be replaced."""


def import_paths(
    store: Store,
    paths: Iterable[Path],
    rights: Rights,
    title: str | None = None,
    creator: str | None = None,
    progress: ImportProgress | None = None,
    merge: bool = True,
) -> ImportResult:
    """Import files, all files of known kinds in folders, and public sets.

    Parameters
    ----------
    store : Store
        Open for writing.
    paths : iterable of Path
        Files and folders. A melody's id is its file's path relative to the folder given; in a set it
        is what the set calls it.
    rights : Rights
        Of new melodies. Melodies that are in the library already keep theirs; the index of an exported
        library comes first.
    title, creator : str, optional
        Instead of what the files say.
    progress : callable, optional
        See `ImportProgress`.
    merge : bool, optional
        Whether to skip files whose bytes are in the library from another place.
    """
    result = ImportResult()
    jobs: list[Job] = []
    sets: list[tuple[PublicSet, Path]] = []
    # A source is known by its path, wherever the program was started.
    paths = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100 - links stay as they are
    inside_of = {path: _indices(path) for path in paths}
    indices = [index for found in inside_of.values() for index in found]
    exports = {index.parent for index in indices}
    for path in paths:
        public = known_set(path)
        if public is not None:
            sets.append((public, path))
            continue
        inside = list(sets_in(path)) if path.is_dir() else []
        files = {file for _, file in inside}
        found = [
            job
            for job in file_jobs(path, rights, title, creator, result.passed_over)
            if job.path not in files and job.path not in indices and not is_exported(job.path, exports)
        ]
        if path.is_dir() and not found and not inside and not inside_of[path]:
            error = ReadError("no file of a known kind in this folder", path=path)
            result.failed.append((str(path), error))
        jobs += found
        sets += inside
        result.passed_over.subtract(
            suffix_of(file.name) for file in {*files, *inside_of[path]} - {path}
        )
    result.passed_over = +result.passed_over  # without what turned out to be a set or an index
    exported = []
    for index in dict.fromkeys(indices):
        try:
            exported += exported_jobs(index, rights)
        except ReadError as error:
            result.failed.append((str(index), error))
    result += run_jobs(store, exported, progress, merge=merge)
    # In one run, so that many files named one by one are read in parallel too.
    result += run_jobs(store, jobs, progress, merge=merge)
    for public, path in sets:
        result += _imported_set(store, public, path, rights, progress)
    return result


def _indices(path: Path) -> list[Path]:
    """Find the indices of exported libraries in a folder, or the index that a path itself is."""
    found = path.rglob(INDEX) if path.is_dir() else [path]
    return sorted(index for index in found if is_index(index))


def _imported_set(
    store: Store, public: PublicSet, path: Path, rights: Rights, progress: ImportProgress | None
) -> ImportResult:
    """Import a public set; a damaged one does not stop the import of others."""
    result = ImportResult(sets=[public])
    remembered = store.rights_of_set(path) if path.is_file() else {}
    there: list[str] = []

    def listed() -> Iterator[Job]:
        for job in public.jobs(path, rights):
            there.append(job.source)
            yield job

    jobs = listed() if path.is_file() else list(listed())
    try:
        result += run_jobs(store, jobs, progress, remembered=remembered)
    except ReadError as error:
        result.failed.append((str(path), error))
        return result
    if path.is_file():
        with store.transaction():
            store.forget_parts(path, there)
    return result
