"""Reports of a check and of a comparison: the data that every output format shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from melodysim.errors import MelodysimError
from melodysim.judge.verdict import NEAR_RATE, Rates, Verdict, probability_of
from melodysim.library import Accepted, Holdings
from melodysim.melody import Piece
from melodysim.search.match import Match
from melodysim.util.plain_text import counted


@dataclass(frozen=True, eq=False)
class NamedSong:
    """What came of comparing a track with a song that is watched for.

    Attributes
    ----------
    id, title : str
    verdict : Verdict
        On the track, of this comparison alone.
    match : Match or None
        The passage that follows the song best.
    """

    id: str
    title: str
    verdict: Verdict
    match: Match | None


@dataclass(frozen=True, eq=False)
class Report:
    """Report of one checked track.

    Attributes
    ----------
    source : str
        The track.
    piece : Piece or None
        As it was read; None where it could not be.
    verdict : Verdict or None
        None where it could not be read.
    matches : tuple of Match
        Best first.
    error : MelodysimError or None
        Why it could not be checked.
    closest : Match or None
        The best match with a work that is, or may be, protected: what the verdict rests on.
    holdings : Holdings or None
        What the library holds that the track was compared with.
    rates : Rates
        Of false alarms, that the verdict was drawn with.
    named : tuple of NamedSong
        What came of each song that is watched for.
    accepted : dict of str to Accepted
        Findings among the matches and the named songs that a person has settled, by the id of the work.
    listened : (int, int) or None
        Of a recording: free and protected melodies of the library that it was listened to for in full,
        at least; all, or those that a first look put first. None for notes, compared with all.
    """

    source: str
    piece: Piece | None = None
    verdict: Verdict | None = None
    matches: tuple[Match, ...] = ()
    error: MelodysimError | None = None
    closest: Match | None = None
    holdings: Holdings | None = None
    rates: Rates = field(default_factory=Rates)
    named: tuple[NamedSong, ...] = ()
    accepted: dict[str, Accepted] = field(default_factory=dict)
    listened: tuple[int, int] | None = None

    def __repr__(self) -> str:
        """Say what came of it, in a line."""
        if self.verdict is None:
            return f"<Report of {self.source!r}: {self.error}>"
        return (
            f"<Report of {self.source!r}: {self.verdict.grade}, "
            f"{counted(len(self.matches), 'match', 'matches')}>"
        )

    @property
    def left_out(self) -> str | None:
        """What a recording was not listened to for in full, in a sentence; None if that is nothing."""
        if self.listened is None or self.holdings is None:
            return None
        melodies, in_full = self.holdings.melodies, sum(self.listened)
        if in_full >= melodies:
            return None
        protected = f"{self.listened[1]:,} of {self.holdings.protected:,} protected ones"
        return (
            f"After a first look for all {melodies:,} melodies, the recording was listened to in full "
            f"for the {in_full:,} most promising, {protected} among them; --exhaustive does so for "
            f"all, which takes {times(melodies / in_full)} the listening."
        )

    @property
    def protected_left_out(self) -> bool:
        """Whether there are protected works that a recording was not listened to for in full."""
        known = self.listened is not None and self.holdings is not None
        return known and self.listened[1] < self.holdings.protected  # type: ignore[index, union-attr]

    @property
    def leading(self) -> Match | None:
        """The match that a list of tracks shows: with a named song, or the closest protected work."""
        found = [
            song.match
            for song in self.named
            if song.match is not None and song.id not in self.accepted and song.verdict.near
        ]
        found += [] if self.closest is None else [self.closest]
        return max(found, key=lambda match: (probability_of(match), -match.e_value), default=None)

    @property
    def named_matches(self) -> tuple[Match, ...]:
        """The matches with songs that were named, of those that are followed."""
        return tuple(
            song.match
            for song in self.named
            if song.match is not None and song.verdict.grade in {"review", "likely"}
        )

    @property
    def telling(self) -> tuple[Match, ...]:
        """The matches worth showing: the closest protected work, and what chance hardly does."""
        closest = None if self.closest is None else self.closest.reference.id

        def shown(match: Match) -> bool:
            if match.reference.rights.protected:
                return match.reference.id == closest or not match.explained_by_chance
            return match.e_value < NEAR_RATE

        return tuple(filter(shown, self.matches))

    def _repr_html_(self) -> str:
        """Show the verdict, its reasons and the passages in a notebook."""
        from html import escape

        if self.verdict is None:
            return f"<p><b>{escape(self.source)}</b>: {escape(str(self.error))}</p>"
        reasons = "".join(f"<li>{escape(reason)}</li>" for reason in self.verdict.reasons)
        rows = "".join(
            f"<tr><td>{escape(match.reference.title)}</td><td>{match.reference.rights.status}</td>"
            f"<td>{match.query.seconds[0]:.1f} to {match.query.seconds[1]:.1f} s</td>"
            f"<td>{match.notes}</td><td>{match.e_value:.2g}</td></tr>"
            for match in self.telling
        )
        head = "".join(f"<th>{name}</th>" for name in ("reference", "rights", "track", "notes", "E"))
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>" if rows else ""
        return (
            f"<p>{escape(self.source)}<br><b>{escape(self.verdict.headline)}</b></p>"
            f"<ul>{reasons}</ul>{table}"
        )

    def to_frame(self) -> Any:
        """Return the matches as a ``pandas.DataFrame``, a row a match, the best first.

        Raises
        ------
        MissingDependencyError
            If pandas is not installed.
        """
        from melodysim.util.frames import frame_of

        of_reference = ("id", "title", "creator", "rights")
        of_match = ("e_value", "notes", "identity", "transposition")
        seconds = ("begin", "end", "reference_begin", "reference_end")
        rows = [
            (
                match.reference.id,
                match.reference.title,
                match.reference.creator,
                match.reference.rights.status,
                *(getattr(match, name) for name in of_match),
                *match.query.seconds,
                *match.reference_span.seconds,
                match.evidence,
            )
            for match in self.matches
        ]
        return frame_of((*of_reference, *of_match, *seconds, "evidence"), rows)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as ``melodysim check --format json`` has it in ``tracks``."""
        import melodysim

        return melodysim.track_dict(self)

    def to_json(self) -> str:
        """Return the report as JSON text; see `melodysim.track_json`."""
        import melodysim

        return melodysim.track_json(self)

    def to_html(self) -> str:
        """Return the report as a page that opens from disk; see `melodysim.track_html`."""
        import melodysim

        return melodysim.track_html(self)


def times(ratio: float) -> str:
    """Write a ratio in words of one figure: "1.4 times", "50 times"."""
    return f"{ratio:.1f} times" if ratio < 10 else f"{ratio:.0f} times"


@dataclass(frozen=True, eq=False)
class PairReport:
    """Report of two works compared.

    Attributes
    ----------
    new, earlier : Piece
        The works.
    score : float
        How much more alike they are than unrelated works, standardised; comparable between pairs.
    verdict : Verdict
        On the new work.
    match : Match or None
        The best passage of the new work that follows the earlier one.
    rates : Rates
        Of false alarms among unrelated pairs, that the verdict was drawn with.
    """

    new: Piece
    earlier: Piece
    score: float
    verdict: Verdict
    match: Match | None
    rates: Rates = field(default_factory=Rates)

    def __repr__(self) -> str:
        """Say what came of it, in a line."""
        return (
            f"<PairReport of {self.new.source!r} and {self.earlier.source!r}: {self.verdict.level}, "
            f"score {self.score:.1f}>"
        )
