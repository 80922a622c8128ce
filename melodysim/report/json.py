"""The JSON of checks and comparisons, schema 1. The one place that knows it."""

from __future__ import annotations

import json
from typing import Any

from melodysim._version import __version__
from melodysim.library import Entry
from melodysim.report.reports import PairReport, Report
from melodysim.search.match import Match, Span

SCHEMA = 1


def entry_dict(entry: Entry) -> dict[str, Any]:
    """Give a library entry as JSON has it."""
    rights = {
        "status": entry.rights.status,
        "holder": entry.rights.holder,
        "iswc": entry.rights.iswc,
        "published": entry.rights.published,
        "died": entry.rights.died,
        "expires": entry.rights.expires,
        "note": entry.rights.note,
    }
    return {
        "id": entry.id,
        "title": entry.title,
        "creator": entry.creator,
        "source": entry.source,
        "rights": {k: v for k, v in rights.items() if v is not None},
    }


def _span_dict(span: Span) -> dict[str, Any]:
    given: dict[str, Any] = {
        "notes": list(span.notes),
        "seconds": [round(s, 3) for s in span.seconds],
    }
    if span.beats is not None:
        given["beats"] = [round(b, 4) for b in span.beats]
    return given


def match_dict(match: Match) -> dict[str, Any]:
    """Give a match as JSON has it."""
    return {
        "reference": entry_dict(match.reference),
        "score": round(match.score, 2),
        "e_value": float(f"{match.e_value:.4g}"),
        "identity": round(match.identity, 4),
        "notes": match.notes,
        "rhythm": None if match.rhythm is None else round(match.rhythm, 4),
        "transposition": match.transposition,
        "tempo_ratio": round(match.tempo_ratio, 4),
        "voice": match.voice,
        "evidence": match.evidence,
        "query": _span_dict(match.query),
        "reference_span": _span_dict(match.reference_span),
        "path": match.path.tolist(),
        "likeness": match.likeness,
        "share": round(match.share, 4),
        "places": [[round(begin, 3), round(end, 3)] for begin, end in match.places],
        "turn": None
        if match.turn is None
        else {
            "notes": list(match.turn.notes),
            "melodies": match.turn.melodies,
            "references": match.turn.references,
        },
    }


def track_dict(report: Report) -> dict[str, Any]:
    """Give the entry of one track as JSON has it."""
    if report.piece is None or report.verdict is None:
        return {"source": report.source, "error": str(report.error), "matches": []}
    piece, verdict = report.piece, report.verdict
    return {
        "source": piece.source,
        "sha256": piece.sha256,
        "kind": piece.kind,
        "duration": round(piece.duration, 3),
        "title": piece.title,
        "melodies": [
            {
                "voice": melody.voice,
                "notes": len(melody),
                "confidence": round(float(melody.confidence.mean()), 3),
            }
            for melody in piece.melodies
        ],
        "verdict": verdict.level,
        "probability": round(verdict.probability, 6),
        "reasons": list(verdict.reasons),
        "matches": [match_dict(match) for match in report.matches],
    }


def track_json(report: Report) -> str:
    """Give the same as text."""
    return json_text(track_dict(report))


def checks_json(reports: list[Report], library: str, melodies: int, search: str) -> str:
    """Write the answer of ``melodysim check --format json``."""
    return json_text(
        {
            "schema": SCHEMA,
            "melodysim": __version__,
            "library": {"path": library, "melodies": melodies, "search": search},
            "tracks": [track_dict(report) for report in reports],
        }
    )


def pair_json(report: PairReport) -> str:
    """Write the answer of ``melodysim compare --format json``."""
    return json_text(
        {
            "schema": SCHEMA,
            "melodysim": __version__,
            "score": round(report.score, 4),
            "verdict": report.verdict.level,
            "probability": round(report.verdict.probability, 6),
            "reasons": list(report.verdict.reasons),
            "match": None if report.match is None else match_dict(report.match),
        }
    )


def json_text(answer: dict[str, Any]) -> str:
    """Write an answer as text."""
    return json.dumps(answer, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
