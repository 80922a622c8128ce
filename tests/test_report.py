"""Reports against golden files; ``uv run python tests/test_report.py`` makes them anew."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import tune
from rich.console import Console

from melodysim.errors import ReadError
from melodysim.judge.verdict import Rates, judge
from melodysim.judge.wording import odds
from melodysim.library import Entry, Holdings
from melodysim.library.rights import Rights
from melodysim.melody import Piece
from melodysim.report.csv import checks_csv
from melodysim.report.json import checks_json
from melodysim.report.reports import Report
from melodysim.report.text import print_checks, print_scan
from melodysim.search.e_values import Background
from melodysim.search.match import Match, Span

GOLDEN = Path(__file__).parent / "golden"

HOLDINGS = Holdings("library.db", 12_900, 136)


def reports():
    melody = tune([60, 67, 65, 71, 62, 69, 64, 72, 59, 66], [0.5] * 10, start=62.0, voice="Lead")
    theirs = tune([57, 64, 62, 68, 60, 66, 61, 69, 56, 63])
    path = np.array([[k, k] for k in range(10) if k != 4])

    def match(title, status, e_value):
        return Match(
            reference=Entry(f"x/{title}", title, "A. Composer", "x.mid", Rights(status, "Holder")),
            reference_melody=theirs,
            query=Span((0, 10), (62.0, 67.0)),
            reference_span=Span((0, 10), (0.0, 10.0), (0.0, 9.0)),
            transposition=3,
            tempo_ratio=2.0,
            identity=0.9,
            notes=9,
            distinct=6 if e_value < 0.001 else 9,
            share=0.9,
            rhythm=1.0,
            score=41.27,
            e_value=e_value,
            standardised=20.0,
            path=path,
            melody=0,
            voice="Lead",
            evidence="notes",
            background=Background(4, 1, 1.5),
            places=((12.0, 17.0), (62.0, 67.0)) if e_value < 0.001 else (),
        )

    piece = Piece("song [1].mid", "midi", (melody,), 180.0, "Song", None, "ab" * 32)
    longer = tune([60, 67, 65, 71, 62, 69, 64, 72, 59, 66, 68, 61, 70, 63], voice="Lead")
    clear = Piece("other.mid", "midi", (longer,), 180.0, None, None, "cd" * 32)
    found = [match("Theirs <b>[red]", "in-copyright", 2.5e-6), match("Old", "public-domain", 0.004)]
    none = [match("Chance", "unknown", 7.2)]
    return [
        Report(
            piece.source,
            piece,
            judge(piece, found, 12_900, Rates(), 136),
            tuple(found),
            closest=found[0],
            holdings=HOLDINGS,
        ),
        Report(
            clear.source,
            clear,
            judge(clear, none, 12_900, Rates(), 136),
            tuple(none),
            closest=none[0],
            holdings=HOLDINGS,
        ),
        Report("broken.mp3", error=ReadError("cannot be decoded as audio", "convert it", "broken.mp3")),
    ]


def written(form):
    if form == "json":
        return checks_json(reports(), "library.db", 12_900, "exhaustive")
    if form == "csv":
        return checks_csv(reports())
    out = io.StringIO()
    print_checks(Console(file=out, width=80, no_color=True), reports())
    return "".join(line.rstrip() + "\n" for line in out.getvalue().splitlines())


@pytest.mark.parametrize("form", ["txt", "json", "csv"])
def test_reports_are_as_they_were(form):
    assert written(form) == (GOLDEN / f"checks.{form}").read_text()


def test_text_fits_80_columns():
    assert max(map(len, written("txt").splitlines())) <= 80


@pytest.mark.parametrize("width", [50, 60, 80])
def test_headlines_and_errors_wrap_below_themselves(width):
    out = io.StringIO()
    print_checks(Console(file=out, width=width, no_color=True), reports())
    lines = [line for line in out.getvalue().splitlines() if line.strip()]
    flush = [line.rstrip() for line in lines if not line.startswith(" ")]
    assert flush == ["song [1].mid", "other.mid", "broken.mp3"]


@pytest.mark.parametrize("notes", [9, 12, 40, 90])
def test_the_notes_of_a_picture_and_those_left_out_are_all_of_them(notes):
    melody = tune([60 + k % 7 for k in range(notes)], voice="Lead")
    match = replace(
        reports()[0].matches[0],
        reference_melody=melody,
        reference_span=Span((0, notes), (0.0, notes)),
        query=Span((0, notes), (0.0, notes)),
        transposition=0,
        path=np.array([[k, k] for k in range(notes)]),
    )
    piece = Piece("x.mid", "midi", (melody,), float(notes))
    verdict = judge(piece, [match], 12_900, Rates(), 136)
    out = io.StringIO()
    print_checks(Console(file=out, width=80, no_color=True), [Report("x", piece, verdict, (match,))])
    row = next(line for line in out.getvalue().splitlines() if line.startswith("  track    "))
    cells, _, more = row.removeprefix("  track").partition("…")
    assert len(cells.split()) + int(more.split()[0] if more else 0) == notes


def test_tracks_of_one_name_in_two_folders_are_told_apart():
    paths = ["a/song.mid", "b/song.mid"]
    groups = [{"tracks": paths}, {"tracks": ["a/one.mid", "a/two.mid"]}]
    answer = {"errors": [], "groups": groups, "verdicts": {"clear": 4}, "tracks": 4, "passed_over": {}}
    out = io.StringIO()
    print_scan(Console(file=out, width=80, no_color=True), answer, [], Path("out"))
    assert "a/song.mid, b/song.mid\n" in out.getvalue()
    assert ": one.mid, two.mid\n" in out.getvalue()


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for form in ("txt", "json", "csv"):
        (GOLDEN / f"checks.{form}").write_text(written(form))


def test_a_common_passage_is_a_diagonal_in_any_key():
    from melodysim.report.plot import common_intervals

    rng = np.random.default_rng(4)
    passage = rng.integers(60, 76, 14)
    one = tune([*rng.integers(60, 76, 5), *passage, 60, 71])
    other = tune([*rng.integers(60, 76, 9), *(passage + 5)])
    alike = common_intervals(one, other)
    assert alike.shape == (20, 22)
    inside = [alike[5 + k, 9 + k] for k in range(3, 10)]
    assert inside == [1.0] * 7
    assert (alike == 1).sum() == 7


def test_titles_cannot_command_the_terminal():
    from dataclasses import replace

    from melodysim.util.plain_text import printable

    escape = "\x1b]0;PWNED\x07\u202ereversed"
    assert printable(escape) == "]0;PWNEDreversed"
    one = reports()[0]
    hostile = replace(one, source=f"a{escape}.mid")
    out = io.StringIO()
    print_checks(Console(file=out, width=80, no_color=True), [hostile])
    assert "\x1b" not in out.getvalue()


def test_a_narrow_terminal_and_an_empty_passage_are_drawn():
    from dataclasses import replace

    from melodysim.report.passage import passage_of
    from melodysim.report.text_rolls import block_rolls

    one = reports()[0]
    out = io.StringIO()
    print_checks(Console(file=out, width=12, no_color=True), [one])
    match = one.matches[0]
    empty = replace(match, query=replace(match.query, notes=(3, 3)), path=np.zeros((0, 2), np.int64))
    assert block_rolls(passage_of(one.piece, empty), 60)


def test_titles_are_cut_before_numbers_are():
    first = reports()[0]
    wide = tuple(
        replace(first.matches[k % 2], e_value=3.2e-5 / (k + 1), query=Span((0, 10), (600.0, 700.0)))
        for k in range(12)
    )
    out = io.StringIO()
    print_checks(Console(file=out, width=80, no_color=True), [replace(first, matches=wide)])
    for match in wide:
        assert odds(match.e_value, "tracks") in out.getvalue()
    assert max(map(len, out.getvalue().splitlines())) <= 80
