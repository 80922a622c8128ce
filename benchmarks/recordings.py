"""How well a melody is heard in a finished mix, and how fast.

Renders arrangements of songs (half of them in the library) in another key, at another tempo, with
several sound fonts, sung or played, through MP3 at 128 kbit/s, and checks them; then times what the
check spends on hearing against basic-pitch's own `predict`, in turns.

    uv run python benchmarks/recordings.py --songs FOLDER --font A.sf2 --font B.sf2 --font C.sf3

The songs are MIDI files with a track named melody. Needs the `fluidsynth` command; for the peer,
`uv run --with librosa --with mir_eval --with pretty_midi --with resampy --with scikit-learn`. With
`--track FILE` only the speed is measured, on that recording.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import mir_eval
import numpy as np
import soundfile
from builtin import builtin_library
from calibrate import logistic
from numpy.typing import NDArray
from render import RATE, Notes, mp3_bytes, render

import melodysim
from melodysim.library import Library


def heard_notes(piece: melodysim.Piece, truth: Notes) -> list[tuple[str, float, bool]]:
    """Of each transcribed note: its line, its confidence, and whether the melody was there."""
    rows = []
    for line in piece.melodies:
        for onset, duration, pitch, sure in zip(
            line.onset, line.duration, line.pitch, line.confidence, strict=True
        ):
            begin = np.maximum(truth.onset, onset)
            end = np.minimum(truth.onset + truth.duration, onset + duration)
            same = (truth.pitch - round(float(pitch))) % 12 == 0
            common = np.maximum(0, end - begin)[same].sum()
            rows.append((line.voice, float(sure), bool(common > 0.5 * duration)))
    return rows


def pitch_at(notes: melodysim.Melody | Notes, times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fundamental frequencies of a melody in hertz at times in seconds, 0 where it rests."""
    last = np.searchsorted(notes.onset, times, side="right") - 1
    sounding = (last >= 0) & (times < (notes.onset + notes.duration)[last])
    return np.where(sounding, 440 * 2 ** ((np.asarray(notes.pitch, float)[last] - 69) / 12), 0.0)


def melody_scores(piece: melodysim.Piece, truth: Notes) -> dict[str, dict[str, float]]:
    """Return the measures of MIREX audio melody extraction for each line of a transcription.

    Overall accuracy, raw pitch and chroma accuracy, voicing recall and false alarm, in frames of 10 ms
    (Salamon & Gomez, "Melody extraction from polyphonic music signals", 2012).
    """
    times = np.arange(0, piece.duration, 0.01)
    right = pitch_at(truth, times)
    return {
        line.voice: mir_eval.melody.evaluate(times, right, times, pitch_at(line, times))
        for line in piece.melodies
    }


def rendered_set(args: argparse.Namespace, work: Path) -> dict:
    """Check rendered arrangements."""
    songs = sorted(p for p in args.songs.glob("*.mid") if "-" not in p.stem)[-args.count :]
    with builtin_library(work / "library.db", songs[::2]) as library:
        return checked_renderings(args, work, songs, library)


def checked_renderings(
    args: argparse.Namespace, work: Path, songs: list[Path], library: Library
) -> dict:
    """Render each song, check it, and sum up."""
    inside, flagged, notes, by = [], [], [], defaultdict(list)
    extraction: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    chances: list[tuple[bool, float]] = []
    for k, song in enumerate(songs):
        rng = np.random.default_rng(args.seed + k)
        font = args.font[k // 2 % len(args.font)]
        made = render(song, font, rng, seconds=args.seconds, kbits=128)
        track = work / f"{k:03d}.mp3"
        track.write_bytes(mp3_bytes(made.audio, RATE, 128))
        piece = melodysim.read(track)
        report = melodysim.check(piece, library, top=10, threads=2)
        assert report.verdict is not None
        notes += heard_notes(piece, made.melody)
        for line, scores in melody_scores(piece, made.melody).items():
            for measure, value in scores.items():
                extraction[line][measure].append(value)
        if k % 2 == 0:
            first = Path(report.matches[0].reference.source).stem if report.matches else ""
            ranks = [Path(m.reference.source).stem for m in report.matches]
            inside.append((first == song.stem, song.stem in ranks, report.verdict.level))
            chances += [
                (True, m.e_value) for m in report.matches if Path(m.reference.source).stem == song.stem
            ] or [(True, 1e3)]
            by[font.stem].append(first == song.stem)
            by["sung" if made.sung else "played"].append(first == song.stem)
        else:
            flagged.append(report.verdict.level)
            protected = [m.e_value for m in report.matches if m.reference.rights.protected]
            chances.append((False, min(protected, default=1e3)))
        print(k, song.stem, report.verdict.level, inside[-1] if k % 2 == 0 else "", file=sys.stderr)
    top1, top10, levels = zip(*inside, strict=True)
    result = {
        "arrangements": len(songs),
        "top1": float(np.mean(top1)),
        "top10": float(np.mean(top10)),
        "inside_not_clear": float(np.mean([level != "clear" for level in levels])),
        "outside_flagged": float(np.mean([level != "clear" for level in flagged])),
        "outside_likely": float(np.mean([level == "likely" for level in flagged])),
        "top1_by": {name: (float(np.mean(v)), len(v)) for name, v in by.items()},
        "melody": {
            line: {measure: round(float(np.mean(v)), 3) for measure, v in scores.items()}
            for line, scores in extraction.items()
        },
        "confidence": confidence_table(notes),
        "significance": significance(chances),
        "e_values": [[related, float(f"{e_value:.3g}")] for related, e_value in chances],
    }
    if args.notes:
        args.notes.write_text(json.dumps(notes))
    return result


def significance(chances: list[tuple[bool, float]]) -> dict:
    """Share of E-values below some, and the logistic of log10 E: fitted on even, scored on odd."""
    related = np.array([c[0] for c in chances], float)
    # As the verdict has it: not beyond 1 and, for the fit, not beyond what the few unrelated can tell.
    decades = np.clip(-np.log10(np.maximum([c[1] for c in chances], 1e-12)), 0, 3)
    even = np.arange(len(chances)) // 2 % 2 == 0
    intercept, slope = logistic(decades[even], related[even])
    said = 1 / (1 + np.exp(-(intercept + slope * decades[~even])))
    return {
        "intercept": intercept,
        "slope": slope,
        "brier": float(np.mean((said - related[~even]) ** 2)),
        "below": {
            level: [
                float(np.mean([c[1] < level for c in chances if c[0] == kind]))
                for kind in (False, True)
            ]
            for level in (10, 1, 0.1, 0.05, 0.01, 0.001)
        },
    }


def confidence_table(notes: list[tuple[str, float, bool]]) -> dict:
    """Share of right notes by confidence, for each line."""
    table: dict = {}
    for name in sorted({n[0] for n in notes}):
        sure = np.array([n[1] for n in notes if n[0] == name])
        right = np.array([n[2] for n in notes if n[0] == name])
        bins = np.minimum((sure * 5).astype(int), 4)
        rows = [(sure[bins == b], right[bins == b]) for b in range(5) if (bins == b).any()]
        table[name] = [(round(float(x.mean()), 2), round(float(y.mean()), 2), len(x)) for x, y in rows]
    return table


def speed(track: Path, rounds: int) -> dict:
    """Time hearing against basic-pitch's own `predict`, in turns."""
    seconds = soundfile.info(track).duration
    ours, theirs = [], []
    try:
        from basic_pitch import FilenameSuffix, build_icassp_2022_model_path
        from basic_pitch.inference import Model, predict

        network = Model(build_icassp_2022_model_path(FilenameSuffix.onnx))
    except ImportError as error:
        predict, network = None, None
        print(f"basic-pitch cannot be run: {error}", file=sys.stderr)
    melodysim.read(track)
    for _ in range(rounds):
        begin = time.perf_counter()
        melodysim.read(track)
        ours.append(seconds / (time.perf_counter() - begin))
        if predict is not None:
            begin = time.perf_counter()
            predict(str(track), network)
            theirs.append(seconds / (time.perf_counter() - begin))
    return {
        "seconds_of_audio": seconds,
        "times_real_time": statistics.median(ours),
        "basic_pitch_predict": statistics.median(theirs) if theirs else None,
    }


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--songs", type=Path)
    parser.add_argument("--font", type=Path, action="append")
    parser.add_argument("--track", type=Path, help="time hearing this recording, and nothing else")
    parser.add_argument("--count", type=int, default=100, help="the last of the songs, by name")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--notes", type=Path, help="write each note's confidence and rightness (JSON)")
    args = parser.parse_args()
    if args.track:
        print(json.dumps(speed(args.track, args.rounds), indent=1))
        return
    if not (args.songs and args.font):
        parser.error("give --songs and --font, or --track")
    work = args.work or Path(tempfile.mkdtemp(prefix="melodysim-"))
    work.mkdir(parents=True, exist_ok=True)
    result = rendered_set(args, work)
    result["speed"] = speed(work / "000.mp3", args.rounds)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
