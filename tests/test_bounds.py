"""Limits: what unpacks to more than music needs is refused in time, in a line."""

import gzip
import io
import resource
import time
import zipfile

import pytest

from melodysim.errors import ReadError
from melodysim.readers.bounds import MOST_TAGS, finite, gunzipped, parse_xml
from melodysim.readers.read import read


def zipped(name, content):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.als", gzip.compress(b"<a>" * 300 + b"</a>" * 300, mtime=0), "200 deep"),
        ("b.als", gzip.compress(b"<a>" + b"<b/>" * (MOST_TAGS + 1) + b"</a>", mtime=0), "tags of XML"),
        ("c.mxl", zipped("score.xml", b" " * (200 << 20)), "MB"),
        ("d.dawproject", zipped("project.xml", b"<P>" * 5000 + b"</P>" * 5000), "200 deep"),
        (
            "e.musicxml",
            b"<!DOCTYPE a [<!ENTITY a 'b'>]><score-partwise>&a;</score-partwise>",
            "entities",
        ),
        ("f.mid.gz", gzip.compress(b"x", mtime=0), "not a MIDI file"),
        ("g.rpp", b"<REAPER_PROJECT\n" + b"<A\n" * 500, "deep"),
    ],
)
def test_bombs_are_refused_in_a_line(tmp_path, name, content, says):
    path = tmp_path / name
    path.write_bytes(content)
    began = time.monotonic()
    with pytest.raises(ReadError, match=says) as error:
        read(path)
    assert time.monotonic() - began < 20
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 4 << 20
    )  # kilobytes, of the whole test run


def test_long_lines_of_abc_take_time_in_proportion(tmp_path):
    for piece in ("{", "[", '"', "!", "(", "C/", "[C", "+", "-", "<", "&", "[1", "C2/3", "'"):
        path = tmp_path / "long.abc"
        path.write_text("X:1\nK:C\nCDEF GABc|\n" + piece * (200_000 // len(piece)) + "\n")
        began = time.monotonic()
        try:
            read(path)
        except ReadError as error:
            assert "\n" not in str(error)
        assert time.monotonic() - began < 10, piece


@pytest.mark.parametrize("said", ["nan", "inf", "1e400", "9" * 50, "1e18"])
def test_numbers_that_no_music_has_are_refused(said):
    with pytest.raises(ReadError, match="number"):
        finite(said)


def test_gzip_is_unpacked_and_other_bytes_are_left():
    assert gunzipped(gzip.compress(b"abc")) == b"abc"
    assert gunzipped(b"abc") == b"abc"


def test_xml_without_any_element_is_refused():
    with pytest.raises(SyntaxError):
        parse_xml(b"  ")
