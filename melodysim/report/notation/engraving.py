"""Engrave MusicXML as SVG, with verovio."""

from __future__ import annotations

import re
import threading

from melodysim.errors import MelodysimError, MissingDependencyError

PAGE_WIDTH = 2400
"""In verovio's unit, a tenth of a millimetre before scaling: four or five bars of a song a line."""
SCALE = 45
"""Per cent."""
_OPTIONS = {
    "pageWidth": PAGE_WIDTH,
    "pageHeight": 60000,
    "adjustPageHeight": True,
    "pageMarginTop": 20,
    "pageMarginBottom": 20,
    "pageMarginLeft": 20,
    "pageMarginRight": 20,
    "header": "none",
    "footer": "none",
    "breaks": "auto",
    "scale": SCALE,
    "svgViewBox": True,
    "smuflTextFont": "none",
    "mnumInterval": 0,
    "lyricSize": 4.0,
    "xmlIdSeed": 1,
}
_lock = threading.Lock()


def engraved(musicxml: str, prefix: str) -> str:
    """Engrave a score as SVG.

    Parameters
    ----------
    musicxml : str
        A short score: all of it goes on one page.
    prefix : str
        Set before every id, so that several engravings can stand in one document.

    Returns
    -------
    str
        An SVG element; a note's id in the MusicXML, after the prefix, is the id of its group.

    Raises
    ------
    MissingDependencyError
        If verovio is not installed.
    MelodysimError
        If verovio cannot read the score.
    """
    try:
        import verovio
    except ImportError as error:
        raise MissingDependencyError(
            "engraving needs verovio: run `pip install 'melodysim[report]'`"
        ) from error
    with _lock:  # verovio's log level and random ids are the process's own
        verovio.enableLog(verovio.LOG_OFF)
        toolkit = verovio.toolkit()
        toolkit.setOptions(_OPTIONS)
        if not toolkit.loadData(musicxml):
            raise MelodysimError("the passage could not be engraved: verovio did not read its MusicXML")
        svg: str = toolkit.renderToSVG(1)
    svg = re.sub(r"\n\s*", "", svg)
    svg = re.sub(r"<desc>.*?</desc>", "", svg)
    # Of thousands of ids only those of our notes and of the glyphs are ever asked for.
    svg = re.sub(r' id="(?![qr]\d+p|E[0-9A-F]{3,})[^"]*"(?=[^>]* class=)', "", svg)
    svg = re.sub(r'\b(id=")', rf"\g<1>{prefix}", svg)
    svg = re.sub(r'((?:xlink:)?href="#)', rf"\g<1>{prefix}", svg)
    return re.sub(
        r"(?<=[}>,\s])#(?=[\w-]+ (?:g|ellipse|path|polygon|polyline|rect)\b)", f"#{prefix}", svg
    )
