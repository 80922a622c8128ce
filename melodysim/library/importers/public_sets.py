"""Public sets of melodies: how each is recognised and read, and its licence.

A licence is shown to the user and never acted on: it covers the data. Whether a composition is free is
another question, which `--rights` answers. Licences are given in the words of the sets' makers.
"""

from __future__ import annotations

import base64
import csv
import gzip
import itertools
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import IO, Any
from xml.etree import ElementTree

from melodysim.errors import MelodysimError, MissingDependencyError, ReadError
from melodysim.library.importers.jobs import Job, Made, file_jobs, reference, shown, unexpected
from melodysim.library.importers.rights_table import LONGEST_CELL
from melodysim.library.rights import Rights
from melodysim.melody import FEWEST_NOTES, Melody
from melodysim.readers.abc import read_abc
from melodysim.readers.midi import read_midi
from melodysim.readers.parts.melody_parts import candidate_melodies
from melodysim.util.passed_over import hidden
from melodysim.util.plain_text import printable

_LONGEST_CODE = 20_000
RECORDS = 200
"""Records of a set that are read, and stored, together."""
_SET_SUFFIXES = {".json", ".json.gz", ".csv", ".xml", ".marcxml"}
_SNIFFED = 65_536
"""Bytes from which a set is recognised."""
_SMALL_SET = 16 << 20
"""Bytes that a set may unpack to, however small it is packed."""
_MOST_UNPACKED = 16
"""Times its packed size that a set may unpack to."""


@dataclass(frozen=True)
class PublicSet:
    """A public set of melodies.

    Attributes
    ----------
    name : str
        Its usual name.
    licence : str
        Of the data, in the words of its makers.
    home : str
        Address of its web page.
    looks_like : callable
        Says whether a path is such a set.
    jobs : callable
        Lists the jobs that read it, from its path and the rights of new melodies.
    """

    name: str
    licence: str
    home: str
    looks_like: Callable[[Path], bool]
    jobs: Callable[[Path, Rights], Iterable[Job]]


def known_set(path: Path) -> PublicSet | None:
    """Return the public set that a path is; None for other files and folders."""
    try:
        return next((public for public in SETS if public.looks_like(path)), None)
    except OSError:
        return None


def sets_in(folder: Path) -> Iterator[tuple[PublicSet, Path]]:
    """Find the public sets in a folder that are one file each."""
    for path in sorted(folder.rglob("*")):
        if _suffixes(path) in _SET_SUFFIXES and not hidden(path, folder) and path.is_file():
            public = known_set(path)
            if public is not None:
                yield public, path


def _opened(path: Path) -> IO[bytes]:
    """Open a file for reading, gzipped or not."""
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def _beginning(path: Path) -> str:
    try:
        with _opened(path) as file:
            return file.read(_SNIFFED).decode("utf-8", errors="replace")
    except (EOFError, OSError, zlib.error):
        return ""


def _whole(path: Path) -> bytes:
    """Read a set that is one file, unpacked, within what such a set can hold.

    Raises
    ------
    ReadError
        If it unpacks to far more than sets do: text of music shrinks to a tenth or so.
    """
    most = max(_SMALL_SET, _MOST_UNPACKED * path.stat().st_size)
    with _opened(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ReadError(f"unpacks to more than {most >> 20:,} MB", "download it again", path)
    return content


def _suffixes(path: Path) -> str:
    return "".join(path.suffixes[-2:] if path.suffix == ".gz" else path.suffixes[-1:]).lower()


def _in_chunks(
    path: Path, reader: str, prefix: str, rights: Rights, records: Iterable[dict[str, Any]]
) -> Iterator[Job]:
    """Make a job of every `RECORDS` records of a set, each record with a unique name.

    Raises
    ------
    ReadError
        Where the set turns out to be damaged.
    """
    records = iter(_named(path, records))
    for number in itertools.count():
        some = tuple(itertools.islice(records, RECORDS))
        if not some:
            return
        yield Job(f"{shown(path)}#{number * RECORDS}", reader, path, prefix, rights, records=some)


def _named(path: Path, records: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield every record, its ``name of record`` made unique in the set."""
    seen: dict[str, int] = {}
    try:
        for record in records:
            if not isinstance(record, dict):
                record = {"name of record": "?", "damaged": type(record).__name__}
            name = str(record.get("name of record") or "?")
            seen[name] = seen.get(name, 0) + 1
            yield record | {"name of record": name if seen[name] == 1 else f"{name}~{seen[name]}"}
    except MelodysimError:
        raise
    except Exception as error:  # a parser may raise anything on a damaged download
        raise ReadError(unexpected(error, path).why, "download it again", path) from error


# POP909: folders 001 to 909, each with a file of that name, whose track MELODY is the tune.

_SONG_FOLDER = re.compile(r"\d{3}")


def _is_pop909(path: Path) -> bool:
    if not path.is_dir():
        return False
    folders = [folder for folder in path.iterdir() if folder.is_dir()]
    return bool(folders) and all(
        _SONG_FOLDER.fullmatch(folder.name) and (folder / f"{folder.name}.mid").is_file()
        for folder in folders
    )


def _pop909_jobs(path: Path, rights: Rights) -> list[Job]:
    jobs = []
    for job in file_jobs(path, rights, None, None):
        name, folder = job.path.stem, job.path.parent
        if folder.name == "versions":  # earlier states of the same files
            continue
        if folder.parent == path and folder.name == name:
            job = replace(job, identity=f"pop909/{name}", title=f"POP909 {name}")
        jobs.append(job)
    return jobs


# Lakh MIDI: files that are called by the MD5 sum of their content, in folders by its first digits.

_MD5_NAME = re.compile(r"[0-9a-f]{32}\.mid")


def _is_lakh(path: Path) -> bool:
    if not path.is_dir():
        return False
    first = list(itertools.islice(path.rglob("*.mid"), 200))
    return bool(first) and all(_MD5_NAME.fullmatch(file.name) for file in first)


def _lakh_jobs(path: Path, rights: Rights) -> list[Job]:
    return [
        replace(job, identity=f"lakh/{job.path.stem}") if _MD5_NAME.fullmatch(job.path.name) else job
        for job in file_jobs(path, rights, None, None)
    ]


# The Session: a dump of settings of tunes, with the body of each in ABC.


def _is_session(path: Path) -> bool:
    if not path.is_file() or _suffixes(path) not in (".json", ".csv"):
        return False
    start = _beginning(path)[:4000]
    return "setting_id" in start and "abc" in start


def _session_records(path: Path) -> Iterator[dict[str, Any]]:
    if path.suffix.lower() == ".csv":
        csv.field_size_limit(LONGEST_CELL)
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            yield from map(_setting, csv.DictReader(file))
        return
    yield from map(_setting, json.loads(path.read_bytes()))


def _setting(record: Any) -> Any:
    """Name a setting by its tune and its own number."""
    if not isinstance(record, dict):
        return record
    return record | {"name of record": f"thesession/{record.get('tune_id')}/{record.get('setting_id')}"}


def session_tunes(job: Job) -> Iterator[Made]:
    """Read settings of The Session."""
    for record in job.records:
        name = record["name of record"]
        title = printable(str(record.get("name") or name))
        body = record.get("abc")
        if not isinstance(body, str):
            yield _failed(job, name, ReadError("no tune in ABC"))
            continue
        body = body.replace("\r", "")
        text = (
            f"X:1\nT:{title}\nM:{record.get('meter') or '4/4'}\nL:1/8\n"
            f"K:{record.get('mode') or 'C'}\n{body}\n"
        )
        try:
            melodies = [
                melody
                for _, score in read_abc(job.path, text.encode())
                for melody in candidate_melodies(score)[:1]
                if len(melody) >= FEWEST_NOTES
            ]
        except Exception as error:  # one setting must not cost the others
            yield _failed(job, name, error)
            continue
        yield reference(job, melodies[0], name, title, None) if melodies else None


# Lead sheets as Hooktheory's: onsets in beats, a pitch class and an octave.


def _is_lead_sheets(path: Path) -> bool:
    if not path.is_file() or _suffixes(path) not in (".json", ".json.gz"):
        return False
    start = _beginning(path)
    return start.lstrip().startswith("{") and '"annotations"' in start and '"pitch_class"' in start


def _lead_sheet_records(path: Path) -> Iterator[dict[str, Any]]:
    whole = json.loads(_whole(path))
    for identity, sheet in whole.items():
        name = {"name of record": f"hooktheory/{identity}"}
        annotations = sheet.get("annotations") if isinstance(sheet, dict) else "none"
        if annotations is not None and not isinstance(annotations, dict):
            yield name | {"melody": None, "about": {}}
        elif annotations and annotations.get("melody"):
            about = sheet.get("hooktheory")
            yield name | {
                "melody": annotations["melody"],
                "about": about if isinstance(about, dict) else {},
            }


_BEAT_SECONDS = 0.5
_MIDDLE_C = 60


def lead_sheets(job: Job) -> Iterator[Made]:
    """Read lead sheets; a beat is taken as half a second, since only ratios matter."""
    for record in job.records:
        name = record["name of record"]
        about = record.get("about") or {}
        try:
            notes = sorted(record["melody"], key=lambda note: float(note["onset"]))
            beat = [float(note["onset"]) for note in notes]
            length = [float(note["offset"]) - start for note, start in zip(notes, beat, strict=True)]
            pitch = [_MIDDLE_C + 12 * int(n["octave"]) + int(n["pitch_class"]) for n in notes]
            onset = [b * _BEAT_SECONDS for b in beat]
            duration = [n * _BEAT_SECONDS for n in length]
            melody = Melody.from_notes(onset, duration, pitch, beat=beat)
        except Exception as error:  # one sheet must not cost the others
            yield _failed(job, name, error)
            continue
        if len(melody) < FEWEST_NOTES:
            yield None
        else:
            title = str(about.get("song") or name).replace("-", " ")
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
    for _, record in ElementTree.iterparse(path):
        if not record.tag.endswith("}record"):
            continue
        number = next((c.text or "" for c in record if c.get("tag") == "001"), "")
        title = _field(record, "240", "a") or _field(record, "245", "a") or number
        about = {
            "title": title,
            "composer": _field(record, "100", "a"),
            # With other authors, whose dates are not here, nobody knows who died last.
            "dates": _field(record, "100", "d") if record.find("*[@tag='700']") is None else None,
        }
        for datafield in record:
            if datafield.get("tag") != "031":
                continue
            said = {sub.get("code"): (sub.text or "").strip() for sub in datafield}
            if said.get("p"):
                place = ".".join(said.get(code, "") for code in "abc")
                yield about | {"name of record": f"rism/{number}/{place}", "pae": said}
        record.clear()


_LIVED = re.compile(r"(\d{4})\s*-\s*(\d{4})\.?")
"""Years of birth and death, and nothing else: "fl." and "ca." do not mark these."""


def _year_of_death(dates: str | None) -> int | None:
    lived = _LIVED.fullmatch((dates or "").strip())
    if lived is None or not int(lived[1]) < int(lived[2]) <= date.today().year:
        return None
    return int(lived[2])


def incipits(job: Job) -> Iterator[Made]:
    """Read incipits in Plaine & Easie Code, with Verovio."""
    try:
        import verovio
    except ImportError as error:
        raise MissingDependencyError(
            "incipits are read by Verovio: run `pip install 'melodysim[report]'`", path=job.path
        ) from error
    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    toolkit.setInputFrom("pae")
    for record in job.records:
        said, name = record.get("pae"), record["name of record"]
        if not said:
            yield _failed(job, name, ReadError("no incipit"))
            continue
        keys = (("clef", "g", "G-2"), ("keysig", "n", ""), ("timesig", "o", ""), ("data", "p", ""))
        code = "".join(f"@{key}:{_line(said.get(field)) or default}\n" for key, field, default in keys)
        try:
            if not toolkit.loadData(code):
                raise ReadError("no Plaine & Easie Code")
            score = read_midi(job.path, base64.b64decode(toolkit.renderToMIDI()))
            melodies = candidate_melodies(score)
        except Exception as error:  # one incipit must not cost the others
            yield _failed(job, name, error)
            continue
        if not melodies or len(melodies[0]) < FEWEST_NOTES:
            yield None
        else:
            died, rights = _year_of_death(record["dates"]), job.rights
            if died and rights.died is None:
                rights = replace(rights, died=died)
            yield reference(job, melodies[0], name, record["title"], record["composer"], rights)


def _line(text: str | None) -> str:
    """Return a field's text without line breaks and @, which would begin another field."""
    return re.sub(r"[\x00-\x1f@]+", " ", text or "")[:_LONGEST_CODE]


def _failed(job: Job, name: str, error: Exception) -> Made:
    """Return the source and the error of a record that could not be read."""
    found = error if isinstance(error, MelodysimError) else unexpected(error, job.path)
    return f"{job.path}#{name}", ReadError(f"{name}: {found.reason}", found.remedy, job.path)


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
