"""Reports for the terminal, with rich: the verdict first, then the passages, then their notes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from melodysim.intervals import estimate_key, note_name
from melodysim.judge.verdict import REVIEW_RATE, Verdict
from melodysim.judge.wording import GRADE_WORDS, clock, odds
from melodysim.melody import Piece
from melodysim.report.passage import Passage, columns, passage_of
from melodysim.report.reports import PairReport, Report
from melodysim.report.text_rolls import block_rolls
from melodysim.search.match import Match
from melodysim.util.passed_over import passed_over_words
from melodysim.util.plain_text import counted, printable

STYLES = {
    "unchecked": "bold dim",
    "clear": "bold green",
    "accepted": "bold cyan",
    "uncertain": "yellow",
    "review": "bold yellow",
    "likely": "bold red",
}
"""By grade."""
_PICTURED = 3
"""Matches whose notes are drawn."""
_MOST_COLUMNS = 48
_NARROWEST, _WIDEST = 30, 100
"""Characters of a piano roll, however wide the terminal is."""
_INDENT = 13
_LISTED = 20
"""Tracks, errors and groups that the summary of a scan names."""


def print_checks(console: Console, reports: list[Report], seeded: int = 0, every: bool = False) -> None:
    """Print the reports of some tracks.

    Parameters
    ----------
    console : Console
    reports : list of Report
    seeded : int, optional
        Melodies of the library if seeds chose which to align, else 0.
    every : bool, optional
        Whether to list every match of a report, and not only those worth a look.
    """
    for report in reports:
        console.print(Text(printable(report.source), style="bold"))
        if report.verdict is None or report.piece is None:
            failure = Text(f"NOT CHECKED: {printable(str(report.error))}", style="red")
            console.print(Padding(failure, (0, 0, 0, 2), expand=False))
        else:
            matches = report.matches if every else report.telling
            console.print(_track(report.piece, report.verdict, matches, console.width))
            if report.named:
                console.print(Padding(_named(report), (1, 0, 0, 2), expand=False))
        console.print()
    # Of free works alone it would only distract: the page and the JSON say it.
    left_out = next((report.left_out for report in reports if report.protected_left_out), None)
    if left_out:
        console.print(Text(left_out, style="dim"))
    if seeded:
        console.print(
            Text(
                f"Seeds chose whom to align, of {seeded:,} melodies; --exhaustive leaves none out.",
                style="dim",
            )
        )


def print_scan(
    console: Console,
    answer: dict[str, Any],
    rows: list[tuple[str, str, dict[str, Any]]],
    folder: Path,
    only_new: bool = False,
    uncertain: Sequence[str] = (),
) -> None:
    """Print the result of a scan: the tracks to look at, then the counts."""
    if rows:
        ranked = sorted(rows, key=lambda row: (row[1], row[2]["e_value"]))
        table = Table(box=None, pad_edge=False, header_style="dim")
        table.add_column("verdict", no_wrap=True)
        for name, most in (("track", 30), ("follows", 22)):
            table.add_column(name, no_wrap=True, overflow="ellipsis", max_width=most)
        for name in ("at", "by chance"):
            table.add_column(name, justify="right", no_wrap=True)
        for path, level, closest in ranked[:_LISTED]:
            table.add_row(
                Text(level, STYLES[level]),
                escape(printable(Path(path).name)),
                escape(closest["title"]),
                clock(closest["seconds"][0]),
                odds(closest["e_value"]),
            )
        console.print(table)
        _print_more(console, len(ranked))
        console.print()
    for failure in answer["errors"][:_LISTED]:
        console.print(Text(printable(f"not checked: {failure['error']}"), "red"))
    _print_more(console, len(answer["errors"]))
    for group in answer["groups"][:_LISTED]:
        names = _short_names(group["tracks"])
        shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        console.print(Text(printable(f"takes of one melody: {shown}")))
    counts = ", ".join(_counts(answer["verdicts"]))
    if answer.get("uncertain"):
        counts += f" (of the clear, {answer['uncertain']:,} not for certain)"
    if uncertain:
        few = ", ".join(Path(path).name for path in uncertain[:_LISTED])
        more = f" and {len(uncertain) - _LISTED:,} more" if len(uncertain) > _LISTED else ""
        console.print(Text(printable(f"not alarming, not cleared: {few}{more}"), STYLES["uncertain"]))
    if only_new and "new" in answer:
        new = ", ".join(_counts(answer["new"], none=False))
        console.print(Text(f"new since the last run: {new or 'nothing'}", "bold"))
    console.print(Text(f"{counted(answer['tracks'], 'track')}: {counts}", "bold"))
    passed = passed_over_words(Counter(answer["passed_over"]))
    if passed:
        console.print(Text(printable(passed), "dim"))
    console.print(Text(f"results in {folder}", "dim"))


def _counts(verdicts: dict[str, int], none: bool = True) -> list[str]:
    """Count tracks by verdict in words, with `none` also verdicts that no track has.

    What could not be read has not been checked either.
    """
    merged = {level: n for level, n in verdicts.items() if level != "error"}
    merged["unchecked"] = merged.get("unchecked", 0) + verdicts.get("error", 0)
    return [f"{n:,} {GRADE_WORDS.get(level, level)}" for level, n in merged.items() if n or none]


def _short_names(paths: Sequence[str]) -> list[str]:
    """Return the names of some files; their paths where two have the same name."""
    names = [Path(path).name for path in paths]
    return names if len(set(names)) == len(names) else list(paths)


def _print_more(console: Console, count: int) -> None:
    if count > _LISTED:
        console.print(Text(f"… and {count - _LISTED:,} more", "dim"))


def print_pair(console: Console, report: PairReport) -> None:
    """Print the report of two works compared."""
    console.print(Text(printable(f"{report.new.source}  ~  {report.earlier.source}"), style="bold"))
    matches = () if report.match is None else (report.match,)
    shown = report.new, report.verdict, matches, console.width
    console.print(_track(*shown, unrelated="pairs of works"))
    console.print(Text(f"  likeness {report.score:.1f} (unrelated works: about 0 to 5)\n"))


def _track(
    piece: Piece,
    verdict: Verdict,
    matches: tuple[Match, ...],
    width: int,
    unrelated: str = "tracks",
) -> RenderableType:
    told = verdict.level in {"review", "likely"}
    parts: list[RenderableType] = [
        Padding(
            Text.assemble(
                (verdict.headline, STYLES[verdict.grade]),
                f"  (probability {verdict.probability:.3f})" if told else "",
            ),
            (0, 0, 0, 2),
            expand=False,
        )
    ]
    key = estimate_key(piece.melodies[0])
    about = f"{piece.kind}, {clock(piece.duration)}" + (f", about {key}" if key else "")
    lines = [*(Text("• " + reason) for reason in verdict.reasons), Text(about, "dim")]
    parts += [Padding(line, (0, 2, 0, 4), expand=False) for line in lines]
    if matches:
        parts.append(Padding(_table(matches, unrelated, width), (1, 0, 0, 2), expand=False))
        for rank, match in enumerate(matches[:_PICTURED], 1):
            if not match.explained_by_chance:
                passage = passage_of(piece, match)
                picture: list[RenderableType] = [Text(f"{rank}  {match.reference.title}", style="bold")]
                table = _picture(passage, match, width)
                picture += [table] if table is not None else []
                if rank == 1 and width >= _NARROWEST:
                    picture += ["", *block_rolls(passage, min(width, _WIDEST) - 4)]
                parts.append(Padding(Group(*picture), (1, 0, 0, 2), expand=False))
    return Group(*parts)


def _named(report: Report) -> Table:
    """List the songs that are watched for, and what came of each."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("songs you named", max_width=30, no_wrap=True, overflow="ellipsis")
    for name in ("verdict", "track", "by chance"):
        table.add_column(name, no_wrap=True)
    for song in report.named:
        match, grade = song.match, song.verdict.grade
        settled = " (accepted)" if song.id in report.accepted else ""
        table.add_row(
            escape(song.title),
            Text(GRADE_WORDS.get(grade, grade) + settled, STYLES[grade]),
            "" if match is None else "-".join(clock(second) for second in match.query.seconds),
            "" if match is None else odds(match.e_value, "pairs of works"),
        )
    return table


def _table(matches: tuple[Match, ...], unrelated: str, width: int) -> Table:
    rights = max(7, *(len(match.reference.rights.status) for match in matches))
    chances = [odds(match.e_value, unrelated) for match in matches]
    spans = ["-".join(clock(second) for second in match.query.seconds) for match in matches]
    # Titles may be cut, numbers may not: titles get the room that seven columns, two apart, leave.
    numbers = 2 + rights + max(map(len, spans)) + 5 + 5 + max(9, *map(len, chances))
    titles = min(24, max(9, width - 2 - numbers - 6 * 2))
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("", justify="right", no_wrap=True, min_width=2)
    table.add_column("reference", max_width=titles, no_wrap=True, overflow="ellipsis")
    table.add_column("rights", no_wrap=True, min_width=7)
    table.add_column("track", justify="right", no_wrap=True)
    table.add_column("notes", justify="right", no_wrap=True, min_width=5)
    # Of a reference that was heard it is the share of its notes that were: nothing else is known.
    heard = any(match.evidence == "salience" for match in matches)
    table.add_column("heard" if heard else "same", justify="right", no_wrap=True, min_width=5)
    table.add_column("by chance", justify="right", no_wrap=True)
    for rank, (match, span, chance) in enumerate(zip(matches, spans, chances, strict=True), 1):
        table.add_row(
            str(rank),
            escape(match.reference.title),
            match.reference.rights.status,
            span,
            str(match.notes),
            f"{match.identity:.0%}",
            chance,
            style="" if match.e_value < REVIEW_RATE else "dim",
        )
    return table


def _picture(passage: Passage, match: Match, width: int) -> Table | None:
    """Draw the aligned notes in two rows, the reference moved to the track's pitch."""
    cells = _names(passage, match)
    if not cells:
        return None
    room = max(8, min(_MOST_COLUMNS, (width - _INDENT - 4) // 4))
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    for _ in range(room + 1):
        table.add_column(no_wrap=True)
    shown, more = cells, []
    if len(cells) > room:
        shown = cells[: room - 3]
        more = [Text(f"… {len(cells) - len(shown)} more", "dim")]
    rows = (("track", [c[0] for c in shown]), ("reference", [c[1] for c in shown]))
    for name, row in rows:
        styled = [
            Text(cell, "" if mine == theirs else "yellow" if cell != "·" else "dim")
            for cell, (mine, theirs) in zip(row, shown, strict=True)
        ]
        table.add_row(Text(name, "dim"), *styled, *(more if name == "track" else []))
    return table


def _names(passage: Passage, match: Match) -> list[tuple[str, str]]:
    """Return the note names of the track and the reference side by side; · where one has no note.

    All notes of a reference that was heard in the salience are shown, each with the transcribed note
    that overlaps it: the match does not rest on the transcription.
    """
    return [
        (
            "·" if i is None else note_name(int(passage.pitch[i])),
            "·" if j is None else note_name(int(passage.reference_pitch[j])),
        )
        for i, j in columns(passage)
        if j is not None or match.evidence == "notes"
    ]
