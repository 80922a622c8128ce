"""What a recording was not listened to for in full is said: in the text, the page and the JSON."""

import io
from dataclasses import replace

import numpy as np
from conftest import random_tune
from rich.console import Console
from test_salience_dtw import heard_from

from melodysim import check, track_dict, track_html
from melodysim.library import Holdings
from melodysim.melody import Piece
from melodysim.report.text import print_checks


def text_of(report):
    console = Console(width=100, record=True, file=io.StringIO())
    print_checks(console, [report])
    return " ".join(console.export_text().split())


def test_it_is_said_in_every_form(library):
    rng = np.random.default_rng(1)
    tune = random_tune(rng, 40)
    heard = heard_from(tune, rng, faster=2.5)
    report = check(Piece("song.mp3", "audio", (tune,), 60.0, heard=heard), library)
    free, protected = report.listened
    assert free < len(library)
    assert track_dict(report)["listened"] == free + protected
    assert "--exhaustive" in track_html(report)
    # All that is protected was listened to in full, so the verdict lacks nothing.
    assert "--exhaustive" not in text_of(report)

    large = replace(report, holdings=Holdings("l.db", 1_000_000, 500_000), listened=(10_000, 10_000))
    for said in (text_of(large), track_html(large)):
        assert "the 20,000 most promising, 10,000 of 500,000 protected ones among them" in said
        assert "50 times the listening" in said
    every = replace(report, listened=(report.holdings.melodies, 0))
    assert every.left_out is None
    notes = check(tune, library)
    assert notes.listened is None
    assert notes.left_out is None
    assert "listened" not in track_dict(notes)
