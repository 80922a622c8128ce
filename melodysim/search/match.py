"""What a check finds: a passage of a track that follows a passage of a reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from melodysim.align.salience_dtw import SalienceAlignment
from melodysim.library import Entry
from melodysim.library.chance import SMALLEST_BACKGROUND
from melodysim.melody import Melody
from melodysim.search.e_values import Background
from melodysim.util.plain_text import counted

DESCRIBED = 0.5
"""E-value below which a match is worth describing: chance does not explain it at once."""
HALF = 0.5
"""Share of the shorter melody from which a match is the same tune and not a borrowed passage; also the
share of inter-onset intervals in time from which the rhythm is followed."""


@dataclass(frozen=True, eq=False)
class Span:
    """A stretch of a melody.

    Attributes
    ----------
    notes : (int, int)
        First note, and the one after the last.
    seconds : (float, float)
        Beginning and end.
    beats : (float, float) or None
        Onsets of the first and the last note in quarter notes, where they are known.
    """

    notes: tuple[int, int]
    seconds: tuple[float, float]
    beats: tuple[float, float] | None = None


@dataclass(frozen=True)
class Turn:
    """A turn of a reference (five intervals in a row), and how common it is.

    Attributes
    ----------
    notes : (int, int)
        First note of the reference, and the one after the last.
    melodies, references : int
        Melodies of the library in which it occurs, the reference included; melodies of the library.
    """

    notes: tuple[int, int]
    melodies: int
    references: int

    @property
    def telling(self) -> bool:
        """Whether the library is large enough to say how common the turn is."""
        return self.references >= SMALLEST_BACKGROUND


Likeness = Literal["tune", "passage"]


@dataclass(frozen=True, eq=False)
class Match:
    """A passage of the track that follows a passage of a reference.

    Attributes
    ----------
    reference : Entry
        What is followed.
    reference_melody : Melody
        Its notes.
    query, reference_span : Span
        Where, in the track and in the reference.
    transposition : int
        Semitones from the reference up to the track.
    tempo_ratio : float
        How many times faster the track is than the reference's own timing.
    identity : float
        Share of the aligned notes that have the same pitch after transposing.
    notes : int
        Aligned notes.
    distinct : int
        Of these, notes that do not repeat what either melody has said before, with the first: what the
        match rests on. All of them if the match was heard.
    share : float
        Share of the shorter melody, the track's or the reference's, that is aligned, 0..1. If the match
        was heard: share of the reference's notes, or of the minute that is listened to at once,
        whichever is larger.
    rhythm : float or None
        Share of the inter-onset intervals between aligned notes that last as long as in the reference,
        after correcting for tempo; None if the match was heard, where all must.
    score : float
        Bits of evidence.
    e_value : float
        Expected number of unrelated references of its kind (free or protected) in this library that
        score at least so high, corrected for the number of hypotheses.
    standardised : float
        How far it stands above chance (`melodysim.search.standing`); of a recording, and of works that
        are compared by name, the score less its mode by chance, in units of the scale. It goes on
        growing where E-values have become 0.
    path : ndarray of int64, shape (k, 2)
        Pairs of a note of the melody and a note of the reference.
    melody : int
        Place among the track's melodies of the one that `path` and `query` count notes of.
    voice : str
        Its name, which other melodies may have too.
    evidence : str
        "notes" if melodies were aligned; "salience" if the reference was heard in the recording.
    background : Background
        Distribution of chance that the score was measured against.
    turn : Turn or None
        The rarest turn of the passage, for matches that chance hardly explains.
    places : tuple of (float, float)
        Seconds of every place in the track that follows the passage, this one among them, for matches
        that chance hardly explains; a refrain has several.
    recorded : bool
        Whether the reference is a recording, compared with the track as a whole and not by its line.
    """

    reference: Entry
    reference_melody: Melody
    query: Span
    reference_span: Span
    transposition: int
    tempo_ratio: float
    identity: float
    notes: int
    distinct: int
    share: float
    rhythm: float | None
    score: float
    e_value: float
    standardised: float
    path: NDArray[np.int64]
    melody: int
    voice: str
    evidence: str
    background: Background
    turn: Turn | None = None
    places: tuple[tuple[float, float], ...] = ()
    listening: SalienceAlignment | None = None
    recorded: bool = False

    def __repr__(self) -> str:
        """Return one line: the reference, the notes, the seconds and the E-value."""
        begin, end = self.query.seconds
        return (
            f"<Match with {self.reference.title!r}: {counted(self.notes, 'note')}, "
            f"{begin:.1f} to {end:.1f} s, E-value {self.e_value:.2g}>"
        )

    @property
    def explained_by_chance(self) -> bool:
        """Whether chance explains the match: its E-value is at least `DESCRIBED`."""
        return self.e_value >= DESCRIBED

    @property
    def in_time(self) -> bool:
        """Whether the rhythm is followed too."""
        return self.rhythm is None or self.rhythm >= HALF

    @property
    def likeness(self) -> Likeness:
        """Whether most of the shorter melody follows ("tune"), or only a passage of it."""
        return "tune" if self.share >= HALF else "passage"
