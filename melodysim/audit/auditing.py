"""An audit from the folders to the result; what it needs to go on lies in its output folder."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from melodysim.audit.ranking import Ranked, ranked_samples
from melodysim.audit.rates import (
    DRAWS,
    CopyRates,
    Hits,
    Threshold,
    hits_below,
    rates_of,
    threshold_of,
)
from melodysim.audit.sets import Sample, Work, digest_of, even_subset
from melodysim.errors import ReadError
from melodysim.library import Entry, Library, Reference, Store
from melodysim.library.rights import Rights
from melodysim.search.own_works import with_chance
from melodysim.util.atomic_files import make_folder

AUDIT_VERSION = 1
E_VALUE = 0.005
"""Below which a sample copies, unless told otherwise: one unrelated melody in two hundred."""
HUMAN = 300
"""Held-out works that are looked for in the training set, for the human baseline."""
EXCESS = 0.01
"""Excess from which a generator is said to copy, in the threshold."""
MATCHES = "matches.jsonl"
_HUMAN = "held-out/"
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([KMBGTkmbgt])")
_THOUSANDS = {"K": 1e3, "M": 1e6, "B": 1e9, "G": 1e9, "T": 1e12}

AuditProgress = Callable[[str, int, int], None]
"""Called with a stage, how much of it is done, and of how much."""


@dataclass(frozen=True)
class Multiplicity:
    """Works that stand in the training set so often, and how often they were copied.

    Attributes
    ----------
    copies, works : int
        Times in the set; works that stand there so often.
    samples : int
        Samples that copy one of them.
    copied : int
        Of the works, those that were copied.
    """

    copies: int
    works: int
    samples: int
    copied: int


@dataclass(frozen=True, eq=False)
class Group:
    """Samples of one model, or whatever they are grouped by, and how often they copy.

    Attributes
    ----------
    values : tuple of str
        Of the columns that they are grouped by.
    rates : CopyRates
    copied_notes : float or None
        Median notes of a copied passage; None if none was copied.
    multiplicity : tuple of Multiplicity
        Copies by how often the works stand in the training set.
    """

    values: tuple[str, ...]
    rates: CopyRates
    copied_notes: float | None
    multiplicity: tuple[Multiplicity, ...]


@dataclass(frozen=True, eq=False)
class Audit:
    """The result of an audit.

    Attributes
    ----------
    columns : tuple of str
        What samples are grouped by.
    groups : tuple of Group
        All samples as one if there are no columns.
    every : Group
        Of all samples.
    human : CopyRates
        How often held-out works copy the training set, and other held-out works: the baseline of what
        people share.
    threshold : Threshold or None
        Over the first column whose values are numbers.
    e_value : float
        Below which a sample copies.
    sizes : (int, int)
        Works of the training and the control set, of which so many as the smaller has count at once.
    too_short : int
        Samples of too few notes, or recordings that cannot be read, which copy nothing.
    unread : tuple of str
        A line for each file or record of the three sets that could not be read, and is in none.
    worst : tuple of (str, str, float)
        Sample, work of the training set and E-value of the closest copies.
    """

    columns: tuple[str, ...]
    groups: tuple[Group, ...]
    every: Group
    human: CopyRates
    threshold: Threshold | None
    e_value: float
    sizes: tuple[int, int]
    too_short: int
    worst: tuple[tuple[str, str, float], ...]
    unread: tuple[str, ...] = ()


def audit(
    samples: list[Sample],
    training: list[Work],
    control: list[Work],
    output: Path,
    *,
    columns: tuple[str, ...] = (),
    group_of: dict[str, tuple[str, ...]] | None = None,
    e_value: float = E_VALUE,
    workers: int = 1,
    seed: int = 0,
    progress: AuditProgress = lambda *_: None,
) -> Audit:
    """Measure how often samples copy the works that a generator was trained on.

    Parameters
    ----------
    samples : list of Sample
    training, control : list of Work
        What the generator was trained on, and melodies of the same kind that it never saw.
    output : Path
        Folder in which results are kept as they come: the same audit goes on where it was.
    columns, group_of : optional
        See `melodysim.audit.sets.read_groups`.
    e_value : float, optional
        Below which a sample copies.
    workers : int, optional
        Processes.
    seed : int, optional
        Of everything that is drawn: the same audit gives the same numbers.
    progress : callable, optional
        See `AuditProgress`.

    Raises
    ------
    ReadError
        If the sets share works, or a sample has no group.
    """
    alike = _alike(training, control)
    if alike:
        raise ReadError(
            f"{len(alike):,} works stand in both sets, such as {sorted(alike)[0]!r}",
            "the control must hold nothing that the generator was trained on",
        )
    if group_of is not None and (lost := [s.id for s in samples if s.id not in group_of]):
        raise ReadError(f"{len(lost):,} samples have no group, such as {lost[0]!r}", "complete --by")
    make_folder(output)
    library = _library(training, control, output, workers, progress)
    rng = np.random.default_rng(seed)
    drawn = rng.permutation(len(control))[:HUMAN]
    human = [Sample(f"{_HUMAN}{control[k].id}", f"{_HUMAN}{k}", control[k].melody) for k in drawn]
    ranked = _ranked(library, [*samples, *human], output, workers, progress)

    place = {f"t/{work.id}": k for k, work in enumerate(training)}
    place |= {f"c/{work.id}": -1 - k for k, work in enumerate(control)}
    subsets = _subsets(training, control, rng)
    counts = len(training), len(control)

    def hits(digests: list[str], without: list[int] | None = None) -> Hits:
        works, values = [], []
        for number, digest in enumerate(digests):
            found = ranked[digest]
            where = np.array([place[name] for name in found.works], np.int64)
            keep = np.ones(len(where), bool) if without is None else where != -1 - without[number]
            works.append(where[keep])
            values.append(np.array(found.e_values)[keep])
        return hits_below(works, values, e_value, counts, subsets)

    found = hits([sample.digest for sample in samples])
    copies = np.array([work.copies for work in training])

    def group(values: tuple[str, ...], members: NDArray[np.int64]) -> Group:
        some = found.of(members)
        digests = [samples[int(k)].digest for k in members]
        notes = _copied_notes([ranked[digest] for digest in digests], e_value)
        return Group(values, rates_of(some, rng), notes, _multiplicity(copies, some))

    groups = _groups(samples, columns, group_of, group)
    every = group((), np.arange(len(samples)))
    baseline = rates_of(hits([s.digest for s in human], [int(k) for k in drawn]), rng)
    return Audit(
        columns,
        groups or (every,),
        every,
        baseline,
        _threshold(columns, groups, samples, found, group_of, rng),
        e_value,
        counts,
        sum(not ranked[sample.digest].works for sample in samples),
        _worst(samples, ranked, e_value),
    )


def _alike(training: list[Work], control: list[Work]) -> set[str]:
    """Return the ids of works of the control that stand in the training set note for note."""
    seen = {digest_of(work.melody) for work in training}
    return {work.id for work in control if digest_of(work.melody) in seen}


def library_path(folder: Path, training: list[Work], control: list[Work]) -> Path:
    """Return the library that an audit in a folder keeps the works of both sets in."""
    names = "\n".join(
        f"{kind}/{work.id}/{len(work.melody)}"
        for kind, works in (("t", training), ("c", control))
        for work in works
    )
    return folder / f"works-{hashlib.sha256(names.encode()).hexdigest()[:12]}.db"


def _library(
    training: list[Work], control: list[Work], output: Path, workers: int, progress: AuditProgress
) -> Path:
    """Put the works of both sets into one library, in which chance is measured once."""
    path = library_path(output, training, control)
    if not path.exists():
        part = path.with_name(f".{path.name}")
        part.unlink(missing_ok=True)
        with Store(part, create=True) as store, store.transaction():
            for kind, works in (("t", training), ("c", control)):
                for number, work in enumerate(works):
                    if number % 200 == 0:
                        progress("laying out the works", number, len(works))
                    # A source of its own for each: works of one source would not be strangers.
                    name = f"{kind}/{work.id}"
                    entry = Entry(name, name, None, name, Rights("in-copyright"))
                    store.put([Reference(entry, work.melody)], name, "")
        part.replace(path)
    with_chance(Library(path), workers, lambda done, of: progress("measuring chance", done, of))
    return path


def _ranked(
    library: Path, samples: list[Sample], output: Path, workers: int, progress: AuditProgress
) -> dict[str, Ranked]:
    """Rank the works for each sample; what was done before is read, and what comes is kept."""
    place = output / MATCHES
    mark = f"{AUDIT_VERSION}-{library.stem}"
    found: dict[str, Ranked] = {}
    if place.exists():
        for line in place.read_text(encoding="utf-8").splitlines():
            try:
                row = json.loads(line)
                if row.pop("mark") == mark:
                    found[row["digest"]] = Ranked(**row)
            except (ValueError, KeyError, TypeError):
                continue  # the last line of a run that was killed
    todo = list({s.digest: s for s in samples if s.digest not in found}.values())
    done = len(samples) - len(todo)
    with place.open("a", encoding="utf-8") as out:

        def keep(one: Ranked) -> None:
            nonlocal done
            found[one.digest] = one
            out.write(json.dumps({"mark": mark, **asdict(one)}) + "\n")
            out.flush()
            done += 1
            progress("comparing samples", done, len(samples))

        ranked_samples(library, todo, workers, keep)
    return found


def _subsets(
    training: list[Work], control: list[Work], rng: np.random.Generator
) -> list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Draw subsets of the larger set that are as large as the smaller, and of the same lengths."""
    notes = [np.array([len(work.melody) for work in works]) for works in (training, control)]
    if len(training) == len(control):
        return [(np.ones(len(training), bool), np.ones(len(control), bool))]
    larger = 0 if len(training) > len(control) else 1
    found = []
    for _ in range(DRAWS):
        chosen = np.zeros(len(notes[larger]), bool)
        chosen[even_subset(notes[larger], notes[1 - larger], rng)] = True
        whole = np.ones(len(notes[1 - larger]), bool)
        found.append((chosen, whole) if larger == 0 else (whole, chosen))
    return found


def _copied_notes(ranked: list[Ranked], e_value: float) -> float | None:
    """Return the median length of the passages that were copied from the training set."""
    notes = [
        one.copied
        for one in ranked
        if one.copied and one.e_values[0] < e_value and one.works[0].startswith("t/")
    ]
    return float(np.median(notes)) if notes else None


def _groups(
    samples: list[Sample],
    columns: tuple[str, ...],
    group_of: dict[str, tuple[str, ...]] | None,
    group: Callable[[tuple[str, ...], NDArray[np.int64]], Group],
) -> tuple[Group, ...]:
    """Judge each group by itself, in the order of their values, numbers as numbers."""
    if not columns or group_of is None:
        return ()
    members: dict[tuple[str, ...], list[int]] = {}
    for number, sample in enumerate(samples):
        members.setdefault(group_of[sample.id], []).append(number)
    ordered = sorted(members, key=lambda values: tuple(map(_sortable, values)))
    return tuple(group(values, np.array(members[values])) for values in ordered)


def _sortable(text: str) -> tuple[bool, float, str]:
    number = number_of_text(text)
    return number is None, number or 0.0, text


def number_of_text(text: str) -> float | None:
    """Return a text as a number, "125M" and "1.3B" as people write sizes; None for one that is none."""
    size = _SIZE.fullmatch(text.strip())
    try:
        value = float(size[1]) * _THOUSANDS[size[2].upper()] if size else float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def _multiplicity(copies: NDArray[np.int64], found: Hits) -> tuple[Multiplicity, ...]:
    """Count copies by how often the works stand in the training set."""
    work = found.training[0]
    hit = work[work >= 0]
    return tuple(
        Multiplicity(
            int(count),
            int((copies == count).sum()),
            int((copies[hit] == count).sum()),
            len(np.unique(hit[copies[hit] == count])),
        )
        for count in np.unique(copies)
    )


def _threshold(
    columns: tuple[str, ...],
    groups: tuple[Group, ...],
    samples: list[Sample],
    found: Hits,
    group_of: dict[str, tuple[str, ...]] | None,
    rng: np.random.Generator,
) -> Threshold | None:
    """Estimate the size from which on samples copy, over the first column of numbers."""
    for number in range(len(columns)):
        sizes = {number_of_text(group.values[number]) for group in groups}
        if group_of is None or None in sizes or len(sizes) < 3:
            continue
        ordered = sorted(size for size in sizes if size is not None)
        own = np.array([number_of_text(group_of[sample.id][number]) for sample in samples])
        hits = [found.of(np.flatnonzero(own == size)) for size in ordered]
        return threshold_of(np.array(ordered), hits, EXCESS, rng)
    return None


def _worst(
    samples: list[Sample], ranked: dict[str, Ranked], e_value: float, most: int = 20
) -> tuple[tuple[str, str, float], ...]:
    """Return the samples that copy the training set most closely."""
    rows = []
    for sample in samples:
        one = ranked[sample.digest]
        first = next((k for k, name in enumerate(one.works) if name.startswith("t/")), None)
        if first is not None and one.e_values[first] < e_value:
            rows.append((sample.id, one.works[first].removeprefix("t/"), one.e_values[first]))
    return tuple(sorted(rows, key=lambda row: row[2])[:most])
