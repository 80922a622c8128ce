"""Public sets of melodies that people have: recognised by what they look like, with their licences.

A licence is told to the user and never acted on: it is about the data; whether a composition is free is
another question, which `--rights` answers. What is said here is what the makers say of their sets.
"""

from __future__ import annotations

import base64
import csv
import gzip
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any
from xml.etree import ElementTree

from melodysim.errors import MelodysimError, MissingDependencyError, ReadError
from melodysim.library.importers.jobs import Job, Made, file_jobs, reference
from melodysim.melody import Melody
from melodysim.readers.midi import read_midi
from melodysim.readers.score import read_abc
from melodysim.rights import Rights
from melodysim.transcribe.voices import MIN_NOTES, candidate_melodies

RECORDS = 200
"""Records of a set that are read, and stored, together."""
_SNIFFED = 65_536
"""Bytes from which a set is recognised."""


@dataclass(frozen=True)
class PublicSet:
    """A public set of melodies.

    Attributes
    ----------
    name : str
        What people call it.
    licence : str
        Of the data, in the words of its makers.
    home : str
        Where it is from.
    looks_like : callable
        Whether a path is one.
    jobs : callable
        What is to be read of it.
    """

    name: str
    licence: str
    home: str
    looks_like: Callable[[Path], bool]
    jobs: Callable[[Path, Rights], Iterable[Job]]


def known_set(path: Path) -> PublicSet | None:
    """Recognise a set; None for files and folders of one's own."""
    try:
        return next((public for public in SETS if public.looks_like(path)), None)
    except OSError:
        return None


def _opened(path: Path) -> IO[bytes]:
    """Open a file, zipped or not."""
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def _beginning(path: Path) -> str:
    try:
        with _opened(path) as file:
            return file.read(_SNIFFED).decode("utf-8", errors="replace")
    except (EOFError, gzip.BadGzipFile):
        return ""


def _suffixes(path: Path) -> str:
    return "".join(path.suffixes[-2:] if path.suffix == ".gz" else path.suffixes[-1:]).lower()


def _in_chunks(
    path: Path, reader: str, prefix: str, rights: Rights, records: Iterable[dict[str, Any]]
) -> Iterator[Job]:
    """Make a job of every so many records; a chunk is known by its records, wherever it lies."""
    records = iter(records)
    for number in itertools.count():
        some = tuple(itertools.islice(records, RECORDS))
        if not some:
            return
        yield Job(f"{path}#{number * RECORDS}", reader, path, prefix, rights, records=some)


# POP909: folders 001 to 909, each with a file of that name, whose track MELODY is the tune.

_SONG_FOLDER = re.compile(r"\d{3}")


def _is_pop909(path: Path) -> bool:
    return path.is_dir() and any(
        _SONG_FOLDER.fullmatch(folder.name) and (folder / f"{folder.name}.mid").is_file()
        for folder in itertools.islice(sorted(path.iterdir()), 20)
    )


def _pop909_jobs(path: Path, rights: Rights) -> list[Job]:
    # Its folders `versions` hold earlier states of the same files.
    songs = sorted(path.glob("[0-9][0-9][0-9]/[0-9][0-9][0-9].mid"))
    return [
        Job(str(song), "file", song, f"pop909/{song.stem}", rights, f"POP909 {song.stem}")
        for song in songs
    ]


# Lakh MIDI: files that are called by the MD5 sum of their content, in folders by its first digits.

_MD5_NAME = re.compile(r"[0-9a-f]{32}\.mid")


def _is_lakh(path: Path) -> bool:
    if not path.is_dir():
        return False
    first = list(itertools.islice(path.rglob("*.mid"), 20))
    return bool(first) and all(_MD5_NAME.fullmatch(file.name) for file in first)


def _lakh_jobs(path: Path, rights: Rights) -> list[Job]:
    return [
        replace(job, identity=f"lakh/{job.path.stem}") for job in file_jobs(path, rights, None, None)
    ]


# The Session: a dump of settings of tunes, with the body of each in ABC.


def _is_session(path: Path) -> bool:
    if not path.is_file() or _suffixes(path) not in (".json", ".csv"):
        return False
    start = _beginning(path)[:4000]
    return "setting_id" in start and "abc" in start


def _session_records(path: Path) -> Iterator[dict[str, Any]]:
    if path.suffix.lower() == ".csv":
        csv.field_size_limit(10_000_000)
        with path.open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)
        return
    try:
        yield from json.loads(path.read_bytes())
    except ValueError as error:
        raise ReadError(f"{path}: not JSON ({error}); download it again") from error


def session_tunes(job: Job) -> Iterator[Made]:
    """Read settings of The Session."""
    for record in job.records:
        name = f"thesession/{record.get('tune_id')}/{record.get('setting_id')}"
        title = str(record.get("name") or name)
        body = str(record.get("abc") or "").replace("\r", "")
        text = (
            f"X:1\nT:{title}\nM:{record.get('meter') or '4/4'}\nL:1/8\n"
            f"K:{record.get('mode') or 'C'}\n{body}\n"
        )
        try:
            melodies = [
                melody
                for _, score in read_abc(job.path, text.encode())
                for melody in candidate_melodies(score)[:1]
                if len(melody) >= MIN_NOTES
            ]
        except MelodysimError as error:
            yield f"{job.path}#{name}", f"{job.path}: {name}: {_reason(job, error)}"
            continue
        if melodies:
            yield reference(job, melodies[0], name, title, None)


# Lead sheets as Hooktheory's: onsets in beats, a pitch class and an octave.


def _is_lead_sheets(path: Path) -> bool:
    if not path.is_file() or _suffixes(path) not in (".json", ".json.gz"):
        return False
    start = _beginning(path)
    return start.lstrip().startswith("{") and '"annotations"' in start and '"pitch_class"' in start


def _lead_sheet_records(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with _opened(path) as file:
            whole = json.loads(file.read())
    except (ValueError, OSError, EOFError) as error:
        raise ReadError(f"{path}: damaged ({error}); download it again") from error
    for identity, sheet in whole.items():
        annotations = sheet.get("annotations") or {}
        about = sheet.get("hooktheory") or {}
        if annotations.get("melody"):
            yield {"id": identity, "melody": annotations["melody"], "about": about}


_BEAT_SECONDS = 0.5
_MIDDLE_C = 60


def lead_sheets(job: Job) -> Iterator[Made]:
    """Read lead sheets; a beat is taken as half a second, since only ratios matter."""
    for record in job.records:
        about, name = record["about"], f"hooktheory/{record['id']}"
        try:
            notes = sorted(record["melody"], key=lambda note: float(note["onset"]))
            beat = [float(note["onset"]) for note in notes]
            length = [float(note["offset"]) - start for note, start in zip(notes, beat, strict=True)]
            pitch = [_MIDDLE_C + 12 * int(n["octave"]) + int(n["pitch_class"]) for n in notes]
            onset = [b * _BEAT_SECONDS for b in beat]
            duration = [n * _BEAT_SECONDS for n in length]
            melody = Melody.from_notes(onset, duration, pitch, beat=beat)
        except (MelodysimError, KeyError, TypeError, ValueError) as error:
            yield f"{job.path}#{name}", f"{job.path}: {name}: {_reason(job, error)}"
            continue
        if len(melody) >= MIN_NOTES:
            title = str(about.get("song") or record["id"]).replace("-", " ")
            artist = str(about["artist"]).replace("-", " ") if about.get("artist") else None
            yield reference(job, melody, name, title, artist)


# RISM: catalogue records in MARCXML, whose fields 031 hold incipits in Plaine & Easie Code.


def _is_rism(path: Path) -> bool:
    if not path.is_file() or path.suffix.lower() not in (".xml", ".marcxml"):
        return False
    return "MARC21/slim" in _beginning(path)


def _field(record: ElementTree.Element, tag: str, code: str) -> str | None:
    for datafield in record:
        if datafield.get("tag") == tag:
            for subfield in datafield:
                if subfield.get("code") == code and subfield.text:
                    return subfield.text.strip()
    return None


def _rism_records(path: Path) -> Iterator[dict[str, Any]]:
    try:
        for _, record in ElementTree.iterparse(path):
            if not record.tag.endswith("}record"):
                continue
            number = next((c.text or "" for c in record if c.get("tag") == "001"), "")
            title = _field(record, "240", "a") or _field(record, "245", "a") or number
            about = {
                "title": title,
                "composer": _field(record, "100", "a"),
                "dates": _field(record, "100", "d"),
            }
            for datafield in record:
                if datafield.get("tag") != "031":
                    continue
                said = {sub.get("code"): (sub.text or "").strip() for sub in datafield}
                if said.get("p"):
                    place = ".".join(said.get(code, "") for code in "abc")
                    yield about | {"id": f"rism/{number}/{place}", "pae": said}
            record.clear()
    except ElementTree.ParseError as error:
        raise ReadError(f"{path}: damaged ({error}); download it again") from error


_DIED = re.compile(r"-\s*(\d{4})\b")


def incipits(job: Job) -> Iterator[Made]:
    """Read incipits in Plaine & Easie Code, by way of Verovio."""
    try:
        import verovio
    except ImportError as error:
        raise MissingDependencyError(
            f"{job.path}: incipits are read by Verovio: run `pip install 'melodysim[report]'`"
        ) from error
    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    toolkit.setInputFrom("pae")
    for record in job.records:
        said, name = record["pae"], record["id"]
        keys = (("clef", "g", "G-2"), ("keysig", "n", ""), ("timesig", "o", ""), ("data", "p", ""))
        code = "".join(f"@{key}:{said.get(field) or default}\n" for key, field, default in keys)
        try:
            if not toolkit.loadData(code):
                raise ReadError("no Plaine & Easie Code")
            score = read_midi(job.path, base64.b64decode(toolkit.renderToMIDI()))
            melodies = candidate_melodies(score)
        except MelodysimError as error:
            yield f"{job.path}#{name}", f"{job.path}: {name}: {_reason(job, error)}"
            continue
        if melodies and len(melodies[0]) >= MIN_NOTES:
            died = _DIED.search(record["dates"] or "")
            rights = job.rights
            if died and rights.died is None:
                rights = replace(rights, died=int(died.group(1)))
            yield reference(job, melodies[0], name, record["title"], record["composer"], rights)


def _reason(job: Job, error: Exception) -> str:
    return str(error).removeprefix(f"{job.path}: ")


SETS = (
    PublicSet(
        "POP909",
        "MIT licence, Music X Lab; the songs themselves are in copyright",
        "https://github.com/music-x-lab/POP909-Dataset",
        _is_pop909,
        _pop909_jobs,
    ),
    PublicSet(
        "Lakh MIDI Dataset",
        "CC BY 4.0, Colin Raffel; many of the songs themselves are in copyright",
        "https://colinraffel.com/projects/lmd/",
        _is_lakh,
        _lakh_jobs,
    ),
    PublicSet(
        "The Session",
        "Open Database License (ODbL) 1.0; most tunes are traditional, not all",
        "https://github.com/adactio/TheSession-data",
        _is_session,
        lambda path, rights: _in_chunks(path, "session", "thesession", rights, _session_records(path)),
    ),
    PublicSet(
        "Hooktheory lead sheets",
        "CC BY-NC-SA 3.0: not for commercial use; the songs themselves are in copyright",
        "https://github.com/chrisdonahue/sheetsage",
        _is_lead_sheets,
        lambda path, rights: _in_chunks(
            path, "lead-sheets", "hooktheory", rights, _lead_sheet_records(path)
        ),
    ),
    PublicSet(
        "RISM",
        "CC BY 3.0, Répertoire International des Sources Musicales",
        "https://rism.info/community/data-services.html",
        _is_rism,
        lambda path, rights: _in_chunks(path, "incipits", "rism", rights, _rism_records(path)),
    ),
)
"""Tried in this order."""
