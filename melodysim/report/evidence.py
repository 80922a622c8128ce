"""What a match leaves for other programs: MIDI of both passages, MusicXML of the notation."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import dataclass

from melodysim.report.notation.musicxml import notation_of
from melodysim.report.note_files import midi_bytes, passage_melodies
from melodysim.report.passage import Passage, passage_of
from melodysim.report.reports import Report
from melodysim.search.match import Match

_NO_TIME = (1980, 1, 1, 0, 0, 0)
"""The same match gives the same bytes."""
_CONTAINER = """<?xml version="1.0" encoding="UTF-8"?>
<container><rootfiles><rootfile full-path="score.musicxml"/></rootfiles></container>
"""


@dataclass(frozen=True)
class EvidenceFiles:
    """Files of one match.

    Attributes
    ----------
    name : str
        For files, without a suffix: rank and title, of letters, digits, dots and dashes alone.
    midi : bytes
        Two tracks: the track's passage and the reference's.
    musicxml : bytes
        Both passages on two staves.
    """

    name: str
    midi: bytes
    musicxml: bytes


def evidence_of(rank: int, passage: Passage, match: Match) -> EvidenceFiles:
    """Make the files of one match.

    Parameters
    ----------
    rank : int
        From 1 on.
    passage : Passage
    match : Match
    """
    title = re.sub(r"[^A-Za-z0-9]+", "-", match.reference.title).strip("-")[:50]
    return EvidenceFiles(
        f"{rank:02d}-{title or 'match'}",
        midi_bytes(passage_melodies(passage.track, passage.reference, match)),
        notation_of(passage, match, None).musicxml.encode(),
    )


def compressed(evidence: EvidenceFiles) -> bytes:
    """Pack the MusicXML of a match as a compressed file (``.mxl``), which is a tenth of the size."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (
            ("META-INF/container.xml", _CONTAINER.encode()),
            ("score.musicxml", evidence.musicxml),
        ):
            archive.writestr(zipfile.ZipInfo(name, _NO_TIME), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def evidence_files(report: Report) -> list[EvidenceFiles]:
    """Make the files of all matches of a track; none for one that could not be read."""
    if report.piece is None:
        return []
    return [
        evidence_of(rank, passage_of(report.piece, match), match)
        for rank, match in enumerate(report.matches, 1)
    ]
