"""Where melodies come from that other people have gathered, and how they are fetched.

What may be downloaded by a program is; a set whose site asks for consent, or for an account, is named
with its address. A licence covers the data. Whether a composition is free is another question.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any, Literal

from melodysim.errors import MelodysimError, MissingDependencyError

_BLOCK = 1 << 16
_SECONDS = 30.0
"""To wait for an answer, and between two blocks."""

_SNIFFED = 200
"""Bytes that tell a web page from a set."""

FetchProgress = Callable[[int, int], None]
"""Called with bytes fetched and bytes in all; 0 where that is not known."""


@dataclass(frozen=True)
class Source:
    """A public set of melodies, and where it can be had.

    Attributes
    ----------
    name : str
        By which it is fetched.
    title, holds, licence, home : str
        Its usual name; what is in it; the licence of the data; its web page.
    command : str
        The command that imports it, with FILE for what was fetched.
    url : str
        Address of the file; empty for a set that a person has to get.
    sha256 : str
        Of the file, as others have published it; empty where nobody has, since the file changes.
    packed : {"", "zip", "tar"}
        How the file is packed.
    note : str
        What else a person should know.
    """

    name: str
    title: str
    holds: str
    licence: str
    home: str
    command: str
    url: str = ""
    sha256: str = ""
    packed: Literal["", "zip", "tar"] = ""
    note: str = ""


SOURCES = (
    Source(
        "hooktheory",
        "Hooktheory lead sheets",
        "melodies of sections of some 11,000 pop songs, as listeners wrote them down",
        "CC BY-NC-SA 3.0: not for commercial use; the songs themselves are in copyright",
        "https://github.com/chrisdonahue/sheetsage",
        "melodysim library import FILE --rights in-copyright",
        "https://github.com/chrisdonahue/sheetsage-data/raw/refs/heads/main/hooktheory/Hooktheory.json.gz",
        # sheetsage/assets/hooktheory.json
        "37d75cf1130aa361d5fd2c2e51c8f2ded0873b59ff9f07b4c32750488f8ff1b6",
    ),
    Source(
        "pop909",
        "POP909",
        "909 Chinese pop songs as MIDI files with the melody in a track of its own",
        "MIT licence, Music X Lab; the songs themselves are in copyright",
        "https://github.com/music-x-lab/POP909-Dataset",
        "melodysim library import FILE --rights in-copyright",
        "https://github.com/music-x-lab/POP909-Dataset/archive/refs/heads/master.zip",
        packed="zip",
    ),
    Source(
        "lakh",
        "Lakh MIDI Dataset (LMD-full)",
        "178,561 MIDI files from the web, most of them of songs; 1.8 GB packed",
        "CC BY 4.0, Colin Raffel; many of the songs themselves are in copyright",
        "https://colinraffel.com/projects/lmd/",
        "melodysim library import FILE --rights unknown",
        "http://hog.ee.columbia.edu/craffel/lmd/lmd_full.tar.gz",
        # MusPy, muspy/datasets/lmd.py
        "6fcfe2ac49ca08f3f214cec86ab138d4fc4dabcd7f27f491a838dae6db45a12b",
        "tar",
        note="Many files have no title: reports name them by their checksum.",
    ),
    Source(
        "thesession",
        "The Session",
        "some 50,000 settings of Irish and other traditional tunes",
        "Open Database License (ODbL) 1.0; most tunes are traditional, not all",
        "https://github.com/adactio/TheSession-data",
        "melodysim library import FILE --rights unknown",
        "https://raw.githubusercontent.com/adactio/TheSession-data/main/json/tunes.json",
        note="Newer tunes have authors who hold rights, so all count as protected until "
        "`melodysim library rights` says which are free.",
    ),
    Source(
        "rism",
        "RISM",
        "over two million incipits of manuscripts and prints, nearly all in the public domain",
        "CC BY 3.0, Répertoire International des Sources Musicales",
        "https://rism.info/community/data-services.html",
        "melodysim library import FILE --rights public-domain",
        note="The site gives out its dump in parts that change: choose one there.",
    ),
    Source(
        "wjazzd",
        "Weimar Jazz Database",
        "456 transcribed jazz solos as MIDI files, and many of their themes",
        "Open Data Commons Open Database License 1.0; the themes are in copyright for the most part",
        "https://jazzomat.hfm-weimar.de/download/download.html",
        "melodysim library import FILE --rights in-copyright",
        note="The site asks for your consent to its terms first.",
    ),
    Source(
        "mtc",
        "Meertens Tune Collections",
        "some 18,000 Dutch folk songs and related tunes as kern",
        "CC BY-NC-SA 3.0: not for commercial use; the tunes are traditional",
        "https://www.liederenbank.nl/mtc/",
        "melodysim library import FILE --rights public-domain",
        note="The site asks for your consent to its terms first.",
    ),
    Source(
        "own",
        "What you hold or represent",
        "the works of your catalogue: MIDI files, MusicXML, projects, tables, recordings",
        "yours",
        "",
        'melodysim library import FILE --rights in-copyright --holder "…"',
        note="The surest source. A publisher or a collecting society can give out lead sheets.",
    ),
)
"""The sets that can be fetched first."""


def source_named(name: str) -> Source:
    """Return the source of a name; raise `MelodysimError` if there is none."""
    found = next((source for source in SOURCES if source.name == name), None)
    if found is None:
        known = ", ".join(source.name for source in SOURCES if source.url)
        raise MelodysimError(f"no source is named {name!r}", f"there are {known}")
    return found


def fetch(source: Source, folder: Path, progress: FetchProgress | None = None) -> Path:
    """Download a set, check it, and unpack it.

    Parameters
    ----------
    source : Source
        With an address. A proxy of the environment (``HTTPS_PROXY``) is used.
    folder : Path
        Where it is kept. What was fetched before is not fetched again, and a download that broke off
        goes on where it was.
    progress : callable, optional
        See `FetchProgress`.

    Returns
    -------
    Path
        The file, or the folder that it was unpacked to: what `melodysim library import` takes.

    Raises
    ------
    MelodysimError
        If the set has to be got by a person, the site cannot be reached, or what came is not the file.
    MissingDependencyError
        If pooch is not installed.
    """
    if not source.url:
        raise MelodysimError(
            f"{source.title} cannot be fetched by a program. {source.note}".strip(),
            f"get it at {source.home}" if source.home else "",
        )
    try:
        import pooch
    except ImportError as error:
        raise MissingDependencyError(
            "fetching needs pooch: run `pip install 'melodysim[fetch]'`"
        ) from error
    pooch.get_logger().setLevel("ERROR")
    name = source.url.rsplit("/", 1)[-1]
    place = folder / source.name
    place.mkdir(parents=True, exist_ok=True)
    packed: Any = {
        "": None,
        "zip": pooch.Unzip(extract_dir="unpacked"),
        "tar": pooch.Untar(extract_dir="unpacked"),
    }[source.packed]
    try:
        pooch.retrieve(
            source.url,
            known_hash=f"sha256:{source.sha256}" if source.sha256 else None,
            fname=name,
            path=place,
            downloader=_Resuming(place / f".{name}.part", progress),
            processor=packed,
        )
    except OSError as error:  # of requests, some are a ValueError too
        raise _unreachable(source, error) from error
    except ValueError as error:  # the checksum
        (place / f".{name}.part").unlink(missing_ok=True)
        raise MelodysimError(
            "what came is not the file whose checksum was published", "try again later, or get it at "
            f"{source.home}", source.url,
        ) from error  # fmt: skip
    fetched = place / name
    with fetched.open("rb") as file:
        page = file.read(_SNIFFED).lstrip().startswith(b"<")
    if page:
        fetched.unlink()
        raise MelodysimError(
            "a web page came, and not the file", f"get it at {source.home}", source.url
        )
    return place / "unpacked" if source.packed else place / name


def _unreachable(source: Source, error: OSError) -> MelodysimError:
    """Say in a line why a site could not be reached."""
    from requests.exceptions import ConnectionError as Unreached
    from requests.exceptions import HTTPError, Timeout

    if isinstance(error, HTTPError) and error.response is not None:
        why = f"the site answers {error.response.status_code}"
    elif isinstance(error, Timeout):
        why = "the site does not answer"
    elif isinstance(error, Unreached):
        why = "the site cannot be reached; are you offline, or behind a proxy (HTTPS_PROXY)?"
    else:
        why = f"could not be fetched ({error.strerror or type(error).__name__})"
    return MelodysimError(why, "what was fetched is kept: run it again", source.url)


class _Resuming:
    """Downloads a file for pooch, going on where an earlier download broke off (RFC 9110, ranges)."""

    def __init__(self, part: Path, progress: FetchProgress | None) -> None:
        self.part, self.progress = part, progress

    def __call__(self, url: str, output_file: str | IO[bytes], _: Any = None) -> None:
        """Fetch an address into a file."""
        import requests

        known = self.part.with_suffix(".version")
        version = known.read_text() if known.exists() else ""
        there = self.part.stat().st_size if self.part.exists() and version else 0
        headers = {"Accept-Encoding": "identity"}
        if there:  # of another version the site sends all
            headers |= {"Range": f"bytes={there}-", "If-Range": version}
        with requests.get(url, stream=True, headers=headers, timeout=_SECONDS) as answer:
            # A range that begins at the end of the file: all of it is there.
            if answer.status_code != requests.codes.requested_range_not_satisfiable:
                answer.raise_for_status()
                tag = answer.headers.get("ETag", "")
                # A weak tag says nothing of bytes (RFC 9110, 13.1.5).
                strong = "" if tag.startswith("W/") else tag
                known.write_text(strong or answer.headers.get("Last-Modified", ""))
                self._receive(answer, there)
        known.unlink(missing_ok=True)
        shutil.move(self.part, output_file if isinstance(output_file, str) else output_file.name)

    def _receive(self, answer: Any, there: int) -> None:
        """Write what comes behind what is there, or anew where the site sends all of it."""
        from requests.exceptions import ConnectionError as Unreached

        first = there if answer.status_code == HTTPStatus.PARTIAL_CONTENT else 0
        length = int(answer.headers.get("Content-Length") or 0)
        with self.part.open("ab" if first else "wb") as part:
            for block in answer.iter_content(_BLOCK):
                part.write(block)
                if self.progress is not None:
                    self.progress(part.tell(), first + length if length else 0)
        if length and self.part.stat().st_size < first + length:
            raise Unreached("broken off")
