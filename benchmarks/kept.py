"""What it brings that a library keeps what was heard of a recording, and not its line alone.

    kept.py --songs FOLDER --font SOUNDFONT [--font …] --library FILE [--count N] [--keep FILE]

From each song (MIDI, with a track whose name begins with "melody") half a minute is rendered, and
imported into a copy of the library as somebody's recording. It is looked for in another recording of
the passage (another singer or instrument, key, tempo and sounds, 10 to 30 % of its notes changed), and,
for every second song, in a hum of it. Then in whole tracks: for every second song, its other recording
comes twice among three of other songs; and in as many tracks of such songs alone. Each is checked
against the library with recordings, and with their lines alone. `--keep` stores what was heard.
"""

from __future__ import annotations

import argparse
import json
import pickle
import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import lru_cache, partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from covers import read_tracks, two_takes, window
from rich.progress import track as progress
from suspects import heard, hum

from melodysim import Library, Piece, check
from melodysim.checking import measure_recordings
from melodysim.library import Entry, Reference, Store
from melodysim.library.entries import Recording
from melodysim.library.rights import Rights
from melodysim.melody import Melody, SemitoneSalience
from melodysim.packed_piece import pack_piece
from melodysim.transcribe import TRANSCRIPTION_VERSION

LEVELS = (0.1, 0.03, 0.01, 0.005, 0.0001)
SHOWN = 200

Takes = tuple[Piece, Piece, Piece | None]
"""What the library has of a song; another recording of it; a hum, of every second song."""


def takes_of(number: int, song: Path, fonts: list[Path]) -> Takes:
    """Render the takes of a song, and hear them."""
    kept, other = two_takes(song, song, fonts, hard=False)
    if number % 2:
        return kept, other, None
    tracks = read_tracks(song)
    # The passage that `two_takes` draws for this song.
    drawn = np.random.default_rng([9, *song.stem.encode()])
    onset = tracks[0].onset
    lead, _ = window(*tracks, float(onset[int(drawn.integers(0, max(1, len(onset) - 80)))]))
    return kept, other, heard(hum(lead, np.random.default_rng([11, *song.stem.encode()])))


def joined(pieces: list[Piece]) -> Piece:
    """Put what was heard of several recordings together, one after the other."""
    salience = [piece.heard for piece in pieces if piece.heard is not None]
    frame, separated = salience[0].frame, salience[0].separated
    strength = np.concatenate([each.strength for each in salience])
    begun = np.concatenate([each.onset for each in salience])
    begins = np.cumsum([0, *(len(each.strength) * frame for each in salience)])
    lines = []
    for k in range(min(len(piece.melodies) for piece in pieces)):
        parts = [
            (m.onset + begin, m.duration, m.pitch, m.confidence)
            for m, begin in zip((p.melodies[k] for p in pieces), begins, strict=False)
        ]
        onset, duration, pitch, confidence = map(np.concatenate, zip(*parts, strict=True))
        voice = pieces[0].melodies[k].voice
        lines.append(Melody.from_notes(onset, duration, pitch, confidence, voice=voice))
    whole = SemitoneSalience(strength, begun, frame, separated)
    return replace(pieces[0], heard=whole, melodies=tuple(lines), duration=float(begins[-1]))


def library_of(path: Path, base: Path, takes: dict[str, Takes], whole: bool) -> Library:
    """Copy a library, and add recordings of songs, or their lines alone."""
    shutil.copy(base, path)
    with Store(path, writable=True) as store, store.transaction():
        for name, (kept, *_) in takes.items():
            source = f"{name}.mp3"
            entry = Entry(name, name, None, source, Rights("in-copyright"))
            packed = Recording(TRANSCRIPTION_VERSION, pack_piece(kept)) if whole else None
            reference = Reference(entry, kept.melodies[0])
            store.put([reference], source, kept.sha256 or name, heard=packed)
    return Library(path)


def smallest(track: tuple[str | None, Piece], path: Path) -> tuple[float, float]:
    """Check a track; give the E-values of its own song, if it is named, and of the best other."""
    name, piece = track
    found = {
        match.reference.id: match.e_value
        for match in check(piece, opened(path), top=SHOWN).matches
        if match.reference.rights.protected
    }
    own = found.pop(name, np.inf) if name else np.nan
    return own, min(found.values(), default=np.inf)


@lru_cache(maxsize=1)
def opened(path: Path) -> Library:
    """Open a library once in each process."""
    return Library(path)


def told(tracks: Sequence[tuple[str | None, Piece]], path: Path, what: str) -> dict[str, object]:
    """Check tracks, each with the name of its song, if that is in the library."""
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        found = pool.map(partial(smallest, path=path), tracks)
        both = list(progress(found, what, total=len(tracks), transient=True))
    mine, theirs = np.array(both).T
    answer: dict[str, object] = {
        "tracks": len(mine),
        "others below": {str(x): round(float((theirs < x).mean()), 3) for x in (1, 0.3, *LEVELS)},
    }
    if not np.isnan(mine).any():
        answer["first"] = round(float((mine < theirs).mean()), 3)
        answer["own below"] = {str(x): round(float((mine < x).mean()), 3) for x in LEVELS}
        answer["mean log10 E"] = round(float(np.log10(np.clip(mine, 1e-12, 10)).mean()), 2)
    return answer


def main() -> None:
    """Render, check, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--songs", type=Path, required=True)
    parser.add_argument("--font", type=Path, action="append", required=True)
    parser.add_argument("--library", type=Path, required=True)
    parser.add_argument("--count", type=int, default=72)
    parser.add_argument("--keep", type=Path)
    args = parser.parse_args()
    if args.keep and args.keep.exists():
        takes: dict[str, Takes] = pickle.loads(args.keep.read_bytes())
    else:
        songs = sorted(p for p in args.songs.glob("*.mid") if "-" not in p.stem)
        songs = [songs[k] for k in np.linspace(1, len(songs) - 2, args.count).astype(int)]
        takes = {
            song.stem: takes_of(k, song, args.font)
            for k, song in enumerate(progress(songs, "rendering", transient=True))
        }
        takes = {name: some for name, some in takes.items() if all(p.melodies for p in some if p)}
        if args.keep:
            args.keep.write_bytes(pickle.dumps(takes))
    names = list(takes)
    rng = np.random.default_rng(3)

    def fillers() -> list[Piece]:
        return [takes[name][1] for name in rng.choice(names[1::2], 3, replace=False)]

    whole_tracks, strangers = [], []
    for name in names[::2]:
        a, b, c = fillers()
        whole_tracks.append((name, joined([a, takes[name][1], b, takes[name][1], c])))
        a, b, c = fillers()
        strangers.append((None, joined([a, b, a, c, b])))
    half = {name: takes[name] for name in names[::2]}
    groups: dict[str, tuple[dict[str, Takes], Sequence[tuple[str | None, Piece]]]] = {
        "another recording": (takes, [(name, some[1]) for name, some in takes.items()]),
        "a hum": (takes, [(name, some[2]) for name, some in takes.items() if some[2]]),
        "in a whole track": (half, whole_tracks),
        "in none": (half, strangers),
    }
    answer: dict[str, dict[str, object]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for what, (held, tracks) in groups.items():
            answer[what] = {}
            for whole in (False, True):
                path = Path(folder, f"{len(held)}-{whole}.db")
                if not path.exists():
                    measure_recordings(library_of(path, args.library, held, whole), 2)
                named = "recordings" if whole else "lines alone"
                answer[what][named] = told(tracks, path, f"{what}, {named}")
    print(json.dumps(answer, indent=1))


if __name__ == "__main__":
    main()
