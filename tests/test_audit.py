"""Audits of generators: rates with known truth, and the whole command."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import random_tune, tune
from test_schema import validator

from melodysim.audit.audit_page import SHOWN, write_page
from melodysim.audit.auditing import audit, library_path
from melodysim.audit.rates import hits_below, rates_of, threshold_of
from melodysim.audit.sets import (
    Sample,
    Work,
    digest_of,
    even_subset,
    read_groups,
    read_samples,
    read_works,
)
from melodysim.errors import ReadError
from melodysim.library import Library
from melodysim.melody import Melody
from melodysim.report.sonify import melody_audio

EVERYTHING = 300


def found_by(rng, samples, planted, false=0.01, works=EVERYTHING):
    """Hits of samples of which a share is planted, and chance alike in both sets."""
    lists, values = [], []
    for _ in range(samples):
        some = []
        if rng.random() < planted:
            some.append(int(rng.integers(works)))
        if rng.random() < false:
            some.append(int(rng.integers(works)))
        if rng.random() < false:
            some.append(-1 - int(rng.integers(works)))
        lists.append(np.array(some, np.int64))
        values.append(np.full(len(some), 1e-4))
    whole = np.ones(works, bool)
    return hits_below(lists, values, 0.005, (works, works), [(whole, whole)])


@pytest.mark.parametrize("planted", [0.0, 0.01, 0.05, 0.2])
def test_intervals_hold_the_truth(planted):
    rng = np.random.default_rng(int(1000 * planted))
    held = 0
    for _ in range(100):
        rates = rates_of(found_by(rng, 400, planted), rng, 300)
        # A planted copy hides a chance hit of its own sample, and the other way round.
        held += rates.excess.low <= planted * 0.99 <= rates.excess.high
    assert held >= 93


def test_what_both_sets_share_falls_out():
    rng = np.random.default_rng(2)
    rates = rates_of(found_by(rng, 2000, 0.0, false=0.3), rng, 300)
    assert rates.training > 0.25
    assert rates.excess.low <= 0 <= rates.excess.high


def test_one_work_that_everybody_copies_is_less_sure_than_many():
    rng = np.random.default_rng(3)
    one = [np.array([7] if k < 50 else [], np.int64) for k in range(500)]
    many = [np.array([k] if k < 50 else [], np.int64) for k in range(500)]
    whole = [(np.ones(EVERYTHING, bool), np.ones(EVERYTHING, bool))]
    widths = []
    for works in (one, many):
        values = [np.full(len(some), 1e-4) for some in works]
        rates = rates_of(hits_below(works, values, 0.005, (EVERYTHING,) * 2, whole), rng, 500)
        assert rates.training == 0.1
        widths.append(rates.by_work[1] - rates.by_work[0])
    assert widths[0] > 3 * widths[1]


def test_the_threshold_is_where_copying_begins():
    rng = np.random.default_rng(4)
    sizes = np.array([1e3, 1e4, 1e5, 1e6])
    hits = [found_by(rng, 600, share) for share in (0.0, 0.0, 0.08, 0.3)]
    found = threshold_of(sizes, hits, 0.02, rng, 200)
    assert found.size == 1e5
    assert found.low <= 1e5 <= found.high
    none = threshold_of(sizes, [found_by(rng, 600, 0.0)] * 4, 0.05, rng, 200)
    assert none.size is None


def test_a_larger_set_is_cut_down_to_the_lengths_of_the_smaller():
    rng = np.random.default_rng(5)
    smaller, larger = rng.integers(20, 60, 80), rng.integers(20, 200, 900)
    chosen = even_subset(larger, smaller, rng)
    assert len(chosen) == len(set(chosen)) == 80
    assert abs(np.median(larger[chosen]) - np.median(smaller)) < 8


def changed(melody, share, rng):
    pitch = melody.pitch.copy()
    moved = rng.random(len(pitch)) < share
    pitch[moved] += rng.choice([-2, -1, 1, 2], moved.sum())
    return tune(pitch, melody.duration)


@pytest.fixture(scope="module")
def material():
    rng = np.random.default_rng(6)
    tunes = [random_tune(rng, int(n)) for n in rng.integers(40, 70, 300)]
    training, control = tunes[:140], tunes[140:270]
    fresh = [random_tune(rng, 50) for _ in range(60)]
    copies = [changed(training[k], 0.1, rng) for k in range(12)]
    return training, control, fresh, copies


def works(melodies, name, copies=1):
    return [Work(f"{name} {k}", melody, copies) for k, melody in enumerate(melodies)]


def test_planted_copies_are_found_and_groups_told_apart(material, tmp_path):
    training, control, fresh, copies = material
    samples = [Sample(f"f{k}", digest_of(m), m) for k, m in enumerate(fresh)]
    samples += [Sample(f"c{k}", digest_of(m), m) for k, m in enumerate(copies)]
    group_of = {s.id: ("copier" if s.id[0] == "c" else "honest",) for s in samples}
    arguments = samples, works(training, "t"), works(control, "c"), tmp_path
    given = {"columns": ("model",), "group_of": group_of}
    stages = []
    found = audit(*arguments, **given, progress=lambda stage, *_: stages.append(stage))
    copier, honest = found.groups
    assert (copier.values, honest.values) == (("copier",), ("honest",))
    assert copier.rates.training > 0.9
    assert copier.rates.excess.low > 0.2
    assert copier.copied_notes > 25
    assert honest.rates.excess.low <= 0 <= honest.rates.excess.high
    assert found.worst[0][0].startswith("c")
    assert found.human.samples > 100
    # The same audit goes on where it was: nothing is compared again, and nothing differs.
    again_stages = []
    again = audit(*arguments, **given, progress=lambda stage, *_: again_stages.append(stage))
    assert "comparing samples" in stages
    assert "comparing samples" not in again_stages
    assert again.every.rates == found.every.rates

    # The page shows the closest copies, each on a page of its own.
    library = Library(library_path(tmp_path, *arguments[1:3]))
    written = write_page(tmp_path, found, *arguments[:2], library)
    page = (tmp_path / "audit.html").read_text(encoding="utf-8")
    assert written[0] == "audit.html"
    assert len(written) == 1 + min(len(found.worst), SHOWN)
    assert f"{found.every.rates.excess.value:.1%}" in page
    for name, (sample, work, _) in zip(written[1:], found.worst, strict=False):
        assert f'href="{name}"' in page
        copy = (tmp_path / name).read_text(encoding="utf-8")
        assert f"{sample} beside {work}" in copy
        assert "<svg" in copy


def test_what_stands_in_both_sets_is_refused(material, tmp_path):
    training, control, fresh, _ = material
    samples = [Sample("f", digest_of(fresh[0]), fresh[0])]
    with pytest.raises(ReadError, match="stand in both sets"):
        audit(samples, works(training, "t"), works([*control, training[3]], "c"), tmp_path)


def table(path, melodies):
    """A table of notes with many melodies."""
    rows = [
        {"id": name, "notes": np.stack([m.onset, m.duration, m.pitch], axis=1).tolist()}
        for name, m in melodies
    ]
    path.write_text(json.dumps(rows))


def test_the_command_from_tables_to_files(run, material, tmp_path):
    training, control, fresh, copies = material
    made = [*fresh[:12], *copies[:6]]
    table(tmp_path / "samples.json", [(f"s{k}", m) for k, m in enumerate(made)])
    twice = [(f"t{k}", m) for k, m in enumerate(training)] + [("again", training[0])]
    table(tmp_path / "train.json", twice)
    table(tmp_path / "control.json", [(f"c{k}", m) for k, m in enumerate(control)])
    with (tmp_path / "by.csv").open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["id", "parameters"])
        writer.writerows([f"s{k}", 10 ** (3 + k // 6)] for k in range(18))
    arguments = (
        "audit", "--html", tmp_path / "samples.json", "--trained-on", tmp_path / "train.json",
        "--held-out", tmp_path / "control.json",
        "--by", tmp_path / "by.csv", "--folder", tmp_path / "out",
    )  # fmt: skip
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    assert "excess" in done.stdout
    answer = json.loads((tmp_path / "out" / "audit.json").read_text())
    validator("audit").validate(answer)
    assert [group["values"] for group in answer["groups"]] == [["1000"], ["10000"], ["100000"]]
    assert answer["groups"][2]["training"] > 0.8
    assert answer["threshold"]["size"] == 100000
    assert [some["copies"] for some in answer["all"]["multiplicity"]] == [1, 2]
    assert (tmp_path / "out" / "curve.png").read_bytes()[:4] == b"\x89PNG"
    assert len((tmp_path / "out" / "groups.csv").read_text().splitlines()) == 4
    shown = run(*arguments, "--format", "json")
    assert json.loads(shown.stdout) == answer
    lost = run(*arguments[:-3], tmp_path / "train.json", "--folder", tmp_path / "out")
    assert lost.returncode == 2


def test_what_cannot_be_read_is_said_and_sizes_are_read_as_people_write_them(run, material, tmp_path):
    known, held, samples = tmp_path / "known.json", tmp_path / "held.json", tmp_path / "samples"
    training, control = material[:2]
    table(known, [(f"t{k}", m) for k, m in enumerate(training)])
    table(held, [(f"c{k}", m) for k, m in enumerate(control)])
    samples.mkdir()
    names = [f"{k}.mid" for k in range(6)]
    for name, melody in zip(names, (*training[:3], *control[:3]), strict=True):
        (samples / name).write_bytes(melody.to_midi())
    (samples / "empty.mid").touch()
    (samples / "broken.musicxml").write_text("<score-partwise>")
    sizes = tmp_path / "sizes.csv"
    rows = zip(names, ["10M", "10M", "1.5B", "1.5B", "125 K", "125k"], strict=True)
    sizes.write_text("id,parameters\n" + "".join(f"{name},{size}\n" for name, size in rows))
    done = run(
        "audit", samples, "--trained-on", known, "--held-out", held, "--by", sizes,
        "--folder", tmp_path / "out", "--format", "json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["all"]["samples"] == 6
    assert [Path(line.split(":")[0]).name for line in found["unread"]] == [
        "broken.musicxml",
        "empty.mid",
    ]
    assert [group["values"][0] for group in found["groups"]] == ["125 K", "125k", "10M", "1.5B"]
    said = run(
        "audit", samples, "--trained-on", known, "--held-out", held, "--folder", tmp_path / "out"
    ).stdout
    assert "2 files or records could not be read" in said and "empty.mid" in said


def test_recordings_are_samples_too(tmp_path, monkeypatch):
    """One copies a work of the training set, one is another tune; neither is read twice."""
    rng = np.random.default_rng(6)
    training, control = ([random_tune(rng, 50) for _ in range(60)] for _ in range(2))
    (tmp_path / "samples").mkdir()
    for name, made in (("copy", training[7]), ("other", random_tune(rng, 50))):
        quick = Melody.from_notes(made.onset / 3, made.duration / 3, made.pitch)
        sound = melody_audio(quick, 0.0, quick.end, 22050)
        soundfile.write(tmp_path / "samples" / f"{name}.wav", sound, 22050)
    samples = read_samples(tmp_path / "samples")
    found = audit(samples, works(training, "t"), works(control, "c"), tmp_path / "out")
    assert [row[:2] for row in found.worst] == [("copy.wav", "t 7")]
    library = Library(library_path(tmp_path / "out", works(training, "t"), works(control, "c")))
    written = write_page(tmp_path / "out", found, samples, works(training, "t"), library)
    assert "copy.wav beside t 7" in (tmp_path / "out" / written[1]).read_text(encoding="utf-8")


def test_sets_are_read_with_their_copies(tmp_path):
    rng = np.random.default_rng(7)
    first, second = random_tune(rng, 30), random_tune(rng, 30)
    table(tmp_path / "set.json", [("a", first), ("b", second), ("c", first)])
    found = {work.id: work.copies for work in read_works(tmp_path / "set.json")}
    assert found == {"a": 2, "b": 1}
    with pytest.raises(ReadError, match="no such file"):
        read_works(tmp_path / "nothing")
    (tmp_path / "by.csv").write_text("name,model\nx,y\n")
    with pytest.raises(ReadError, match="column “id”"):
        read_groups(tmp_path / "by.csv")
