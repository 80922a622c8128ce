"""Files in a folder that are of no kind that is read, counted: nobody shall take them for checked."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

_OUTER = (".gz", ".bz2", ".xz", ".zip")
_NAMED = 8


def suffix_of(name: str) -> str:
    """Return the suffix of a file's name, in lower case, with the one before it if it is packed.

    Examples
    --------
    >>> suffix_of("Song.MID.gz"), suffix_of("notes.txt"), suffix_of("README")
    ('.mid.gz', '.txt', '(no suffix)')
    """
    suffixes = [suffix.lower() for suffix in Path(name).suffixes]
    if not suffixes:
        return "(no suffix)"
    return "".join(suffixes[-2:]) if suffixes[-1] in _OUTER else suffixes[-1]


def hidden(path: Path, root: Path) -> bool:
    """Say whether a file, or a folder between it and the root, has a name that begins with a dot."""
    return any(part.startswith(".") for part in path.relative_to(root).parts)


def passed_over_words(passed: Counter[str]) -> str:
    """Say how many files were passed over, by suffix; empty if none was.

    Examples
    --------
    >>> passed_over_words(Counter({".txt": 3, ".caf": 1}))
    'passed over 4 files of kinds that are not read: 3 .txt, 1 .caf'
    """
    if not passed:
        return ""
    count = sum(passed.values())
    named = ", ".join(f"{number:,} {suffix}" for suffix, number in passed.most_common(_NAMED))
    more = ", …" if len(passed) > _NAMED else ""
    files = (
        "1 file of a kind that is not read"
        if count == 1
        else f"{count:,} files of kinds that are not read"
    )
    return f"passed over {files}: {named}{more}"
