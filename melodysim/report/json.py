"""The JSON of every answer, schema 1 (docs/melodysim-1.schema.json). The one place that knows it."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from melodysim._version import __version__
from melodysim.judge.advice import trust_words
from melodysim.judge.verdict import LEVELS, Verdict
from melodysim.library import Accepted, Entry, Suspect, finding_id
from melodysim.library.rights import effective
from melodysim.melody import Measures, Melody, Piece
from melodysim.report.reports import NamedSong, PairReport, Report
from melodysim.search.match import Match, Span

if TYPE_CHECKING:
    from collections.abc import Iterable

    from melodysim.library.importers import ImportResult
    from melodysim.library.importers.sources import Source

SCHEMA_VERSION = 1


def json_text(answer: dict[str, Any]) -> str:
    """Write an answer as text."""
    return json.dumps(answer, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _answer(**content: Any) -> dict[str, Any]:
    """Return an answer with its schema and the version of melodysim that gave it."""
    return {"schema": SCHEMA_VERSION, "melodysim": __version__, **content}


# Tracks


def _seconds(span: tuple[float, float]) -> list[float]:
    return [round(second, 3) for second in span]


def _e_value(e_value: float) -> float:
    return float(f"{e_value:.4g}")


def _span_dict(span: Span) -> dict[str, Any]:
    given: dict[str, Any] = {"notes": list(span.notes), "seconds": _seconds(span.seconds)}
    if span.beats is not None:
        given["beats"] = [round(b, 4) for b in span.beats]
    return given


def _measures_dict(span: Span, measures: Measures | None) -> dict[str, Any]:
    """Return where a passage stands on the page of a score."""
    if measures is None or span.beats is None:
        return {}
    return {
        "measures": [measures.at(beat) + 1 for beat in span.beats],
        "bars": list(measures.bars(span.beats)),
    }


def match_dict(match: Match, piece: Piece) -> dict[str, Any]:
    """Return a match of a piece as JSON has it."""
    turn = match.turn
    return {
        "finding": finding_id(piece, match.reference.id),
        "reference": entry_dict(match.reference),
        "score": round(match.score, 2),
        "e_value": _e_value(match.e_value),
        "identity": round(match.identity, 4),
        "notes": match.notes,
        "distinct_notes": match.distinct,
        "rhythm": None if match.rhythm is None else round(match.rhythm, 4),
        "transposition": match.transposition,
        "tempo_ratio": round(match.tempo_ratio, 4),
        "melody": match.melody,
        "voice": match.voice,
        "evidence": match.evidence,
        "recorded": match.recorded,
        "query": _span_dict(match.query) | _measures_dict(match.query, piece.measures),
        "reference_span": _span_dict(match.reference_span),
        "path": match.path.tolist(),
        "likeness": match.likeness,
        "share": round(match.share, 4),
        "places": [_seconds(place) for place in match.places],
        "turn": None
        if turn is None
        else {"notes": list(turn.notes), "melodies": turn.melodies, "references": turn.references},
    }


def closest_dict(match: Match, piece: Piece) -> dict[str, Any]:
    """Return the work, its rights, E-value and seconds of a match, for a list of tracks."""
    rights = match.reference.rights
    return {
        "finding": finding_id(piece, match.reference.id),
        "id": match.reference.id,
        "title": match.reference.title,
        "creator": match.reference.creator,
        "rights": rights.status,
        "holder": rights.holder,
        "e_value": _e_value(match.e_value),
        "seconds": _seconds(match.query.seconds),
    }


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 3)


def _probability(verdict: Verdict) -> float | None:
    return None if verdict.probability is None else round(verdict.probability, 6)


def piece_dict(piece: Piece) -> dict[str, Any]:
    """Return a piece as JSON has it, without its notes."""
    voice = {} if piece.heard is None else {"voice_share": _rounded(piece.heard.separated)}
    return voice | {
        "source": piece.source,
        "sha256": piece.sha256,
        "kind": piece.kind,
        "duration": round(piece.duration, 3),
        "title": piece.title,
        "remarks": list(piece.remarks),
        "melodies": [
            {
                "voice": melody.voice,
                "notes": len(melody),
                "confidence": round(float(melody.confidence.mean()), 3),
            }
            for melody in piece.melodies
        ],
    }


def track_dict(report: Report) -> dict[str, Any]:
    """Return the entry of one track as JSON has it."""
    if report.piece is None or report.verdict is None:
        return {"source": report.source, "error": str(report.error), "matches": []}
    verdict = report.verdict
    listened = {} if report.listened is None else {"listened": sum(report.listened)}
    return (
        piece_dict(report.piece)
        | listened
        | {
            "verdict": verdict.level,
            "firm": verdict.firm,
            "probability": _probability(verdict),
            "heard_share": round(verdict.heard, 3),
            "closest": None if report.leading is None else closest_dict(report.leading, report.piece),
            "reasons": list(verdict.reasons),
            "named": [_named_dict(song, report.piece) for song in report.named],
            "accepted": [
                {"id": work, "note": settled.note, "day": settled.day}
                for work, settled in report.accepted.items()
            ],
            "matches": [match_dict(match, report.piece) for match in report.matches],
        }
    )


def _named_dict(song: NamedSong, piece: Piece) -> dict[str, Any]:
    """Return what came of a song that is watched for."""
    return {
        "id": song.id,
        "title": song.title,
        "verdict": song.verdict.level,
        "firm": song.verdict.firm,
        "probability": _probability(song.verdict),
        "match": None if song.match is None else match_dict(song.match, piece),
    }


def track_json(report: Report) -> str:
    """Write the entry of one track as JSON text."""
    return json_text(track_dict(report))


def library_dict(path: str, melodies: int, search: str) -> dict[str, Any]:
    """Return the library that tracks were compared with, and how it was searched."""
    return {"path": path, "melodies": melodies, "search": search}


def checks_json(reports: list[Report], library: str, melodies: int, search: str) -> str:
    """Write the answer of ``melodysim check --format json``."""
    compared = library_dict(library, melodies, search)
    return json_text(_answer(library=compared, tracks=[track_dict(report) for report in reports]))


def pair_json(report: PairReport) -> str:
    """Write the answer of ``melodysim compare --format json``."""
    answer = _answer(
        score=round(report.score, 4),
        verdict=report.verdict.level,
        firm=report.verdict.firm,
        probability=_probability(report.verdict),
        reasons=list(report.verdict.reasons),
        match=None if report.match is None else match_dict(report.match, report.new),
    )
    return json_text(answer)


# Scans


def scan_dict(
    counts: Counter[str],
    library: dict[str, Any] | None,
    errors: list[dict[str, str]],
    groups: list[list[str]],
    alike: list[dict[str, Any]] | None,
    passed: Counter[str],
) -> dict[str, Any]:
    """Return the summary of a scan, as ``summary.json`` and ``scan --format json`` have it.

    Parameters
    ----------
    counts : Counter of str
        Tracks by verdict; those of a "clear" that is not firm are counted as "uncertain" too.
    library : dict or None
        `library_dict`; None where tracks were compared with each other.
    errors : list of dict
        Source and error of each track that could not be checked.
    groups : list of list of str
        Tracks that are takes of one melody.
    alike : list of dict or None
        `alike_dict` of each pair that shares a passage, where tracks were compared with each other.
    passed : Counter of str
        Files of kinds that are not read, by suffix.
    """
    levels = LEVELS[::-1] if library is not None else ("melody",)
    answer = _answer(
        library=library,
        tracks=sum(counts[level] for level in (*levels, "error")),
        verdicts={level: counts[level] for level in (*levels, "error")},
        uncertain=counts["uncertain"],
        groups=[{"group": number, "tracks": group} for number, group in enumerate(groups, 1)],
        errors=errors,
        passed_over=dict(sorted(passed.items())),
    )
    return answer if alike is None else answer | {"alike": alike}


def alike_dict(
    tracks: tuple[str, str],
    e_value: float,
    notes: int,
    share: float,
    seconds: tuple[tuple[float, float], tuple[float, float]],
) -> dict[str, Any]:
    """Return two tracks that share a passage as JSON has them."""
    return {
        "tracks": list(tracks),
        "e_value": _e_value(e_value),
        "notes": notes,
        "share": round(min(share, 1.0), 4),
        "seconds": [_seconds(span) for span in seconds],
    }


# The library


def entry_dict(entry: Entry) -> dict[str, Any]:
    """Return a library entry as JSON has it, with the known fields of its rights."""
    names = ("status", "holder", "iswc", "published", "died", "expires", "note")
    known = {name: getattr(entry.rights, name) for name in names}
    return {
        "id": entry.id,
        "title": entry.title,
        "creator": entry.creator,
        "source": entry.source,
        "rights": {name: value for name, value in known.items() if value is not None},
    }


def listed_dict(entry: Entry) -> dict[str, Any]:
    """Return an entry with its length, as lists of the library have it."""
    return entry_dict(entry) | {"notes": entry.notes}


def played_dict(melody: Melody) -> dict[str, Any]:
    """Return the notes of a melody for the web app to draw and to play."""
    return {
        "onset": melody.onset.round(3).tolist(),
        "duration": melody.duration.round(3).tolist(),
        "pitch": melody.pitch.round(2).tolist(),
    }


def browsed_dict(entry: Entry) -> dict[str, Any]:
    """Return an entry as the web app lists it: with the status that holds today."""
    return listed_dict(entry) | {"today": effective(entry.rights).status}


def entries_json(entries: list[Entry], melodies: int) -> str:
    """Write the answer of ``melodysim library list --format json``."""
    rows = [listed_dict(entry) for entry in entries]
    return json_text({"schema": SCHEMA_VERSION, "melodies": melodies, "entries": rows})


def melody_json(entry: Entry, melody: Melody, key: str | None) -> str:
    """Write the answer of ``melodysim library show --format json``."""
    notes = {
        "onset": melody.onset.round(6).tolist(),
        "duration": melody.duration.round(6).tolist(),
        "pitch": melody.pitch.tolist(),
    }
    return json_text({"schema": SCHEMA_VERSION, **listed_dict(entry), "key": key, "melody": notes})


def import_json(result: ImportResult) -> str:
    """Write the answer of ``melodysim library import --format json``."""
    return json_text(
        {
            "schema": SCHEMA_VERSION,
            "imported": result.imported,
            "unchanged": result.unchanged,
            "duplicates": result.duplicates,
            "skipped": result.skipped,
            "failed": [{"source": source, "error": str(error)} for source, error in result.failed],
            "passed_over": dict(sorted(result.passed_over.items())),
            "remarks": [{"source": source, "remark": remark} for source, remark in result.odd],
        }
    )


def suspects_json(suspects: list[Suspect]) -> str:
    """Write the answer of ``melodysim suspect list --format json``."""
    return json_text(_answer(suspects=[suspect_dict(suspect) for suspect in suspects]))


def suspect_dict(suspect: Suspect) -> dict[str, Any]:
    """Return a song that is watched for as JSON has it."""
    piece = suspect.piece
    return {
        "id": suspect.id,
        "title": suspect.title,
        "creator": suspect.creator,
        "source": suspect.source,
        "added": suspect.added,
        "kind": piece.kind,
        "corrected": suspect.corrected,
        "notes": len(piece.melodies[0]),
        "trust": trust_words(piece),
    }


def accepted_json(settled: list[Accepted]) -> str:
    """Write the answer of ``melodysim scan accepted --format json``."""
    rows = [{"id": s.id, "day": s.day, "note": s.note, "about": s.about} for s in settled]
    return json_text(_answer(accepted=rows))


def sources_json(sources: Iterable[Source]) -> str:
    """Write the answer of ``melodysim library sources --format json``."""
    names = "name", "title", "holds", "licence", "home", "url", "sha256", "command", "note"
    return json_text(_answer(sources=[{n: getattr(source, n) for n in names} for source in sources]))


def statistics_json(path: str, numbers: dict[str, dict[str, int]]) -> str:
    """Write the answer of ``melodysim library stats --format json``."""
    return json_text({"schema": SCHEMA_VERSION, "path": path, **numbers})


# The installation


def installation_json(
    python: str,
    packages: dict[str, dict[str, str | None]],
    models: dict[str, str],
    kernels: str,
    accelerators: dict[str, object],
    library: dict[str, object],
) -> str:
    """Write the answer of ``melodysim doctor --format json``."""
    answer = _answer(
        python=python,
        packages=packages,
        models=models,
        kernels=kernels,
        accelerators=accelerators,
        library=library,
    )
    return json_text(answer)
