"""Mutations of a file: of its bytes, of the numbers in its text, and of what is packed inside it."""

import gzip
import io
import re
import zipfile
import zlib

from fuzz_corpus import zipped

_NUMBERS = (
    b"0", b"-1", b"1e308", b"-1e308", b"nan", b"inf", b"999999999999999999999", b"1" * 5000, b"0.0000001",
    b"65536", b"4294967295", b"", b"x", b"1/0", b"-0", b"1_0",
)  # fmt: skip
_BYTES = (
    b"\0",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\xff\xff\xff\xff",
    b"\0\0\0\0",
    b"\x7f\xff\xff\xff",
    b"<",
    b"\n\n",
)
_DIGITS = re.compile(rb"-?\d+(?:\.\d+)?")
_LEAF = re.compile(rb"<(\w[\w-]*)(?:\s[^<>]*)?(?:/>|>[^<]*</\1>)")
_LARGEST = 400_000


def mutated(content, others, rng):
    """Return a file with one to eight mutations.

    Parameters
    ----------
    content : bytes
        A valid file.
    others : list of bytes
        Files of its kind, to splice with.
    rng : random.Random
    """
    if rng.random() < 0.7:
        inner = _repacked(content, others, rng)
        if inner is not None:
            return inner
    return _mutated_bytes(content, others, rng)


def _repacked(content, others, rng):
    """Mutate what is inside a zip or a gzip, and pack it again; None if it is neither."""
    try:
        if content.startswith(b"PK"):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                members = {name: archive.read(name) for name in archive.namelist()}
            chosen = rng.choice(sorted(members))
            members[chosen] = _mutated_bytes(members[chosen], list(members.values()), rng)
            return zipped(members)
        if content.startswith(b"\x1f\x8b"):
            return gzip.compress(_mutated_bytes(gzip.decompress(content), others, rng))
    except (OSError, zlib.error, zipfile.BadZipFile, EOFError, ValueError):
        return None
    return None


def _mutated_bytes(content, others, rng):
    out = bytearray(content)
    ways = _GENTLE if rng.random() < 0.5 else _WAYS
    for _ in range(rng.randint(1, 8)):
        rng.choice(ways)(out, others, rng)
        del out[_LARGEST:]
    return bytes(out)


def _place(out, rng):
    return rng.randrange(len(out) + 1)


def _flip(out, _, rng):
    for _ in range(rng.randint(1, 4)):
        if out:
            out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)


def _overwrite(out, _, rng):
    piece = rng.choice(_BYTES)
    at = _place(out, rng)
    out[at : at + len(piece)] = piece


def _insert(out, _, rng):
    at = _place(out, rng)
    out[at:at] = rng.choice(_BYTES) if rng.random() < 0.5 else rng.randbytes(rng.randint(1, 30))


def _delete(out, _, rng):
    at = _place(out, rng)
    del out[at : at + rng.randint(1, 60)]


def _cut_off(out, _, rng):
    if rng.random() < 0.4:
        del out[_place(out, rng) :]


def _repeat(out, _, rng):
    at = _place(out, rng)
    piece = bytes(out[at : at + rng.randint(1, 80)])
    out[at:at] = piece * rng.choice((1, 2, 10, 1000))


def _splice(out, others, rng):
    other = rng.choice(others)
    at, begin = _place(out, rng), rng.randrange(len(other) + 1)
    out[at : at + 40] = other[begin : begin + rng.randint(1, 200)]


def _number(out, _, rng):
    found = list(_DIGITS.finditer(bytes(out[:20_000])))
    if found:
        one = rng.choice(found)
        out[one.start() : one.end()] = rng.choice(_NUMBERS)


def _leaf(out, _, rng):
    """Remove, double or move an element of XML, or a line of text: what is left is well formed."""
    text = bytes(out[:60_000])
    found = list(_LEAF.finditer(text)) or list(re.finditer(rb"[^\n]*\n", text))
    if not found:
        return
    one, other = rng.choice(found), rng.choice(found)
    way = rng.randrange(4)
    if way == 0:
        del out[one.start() : one.end()]
    elif way == 1:
        out[one.start() : one.start()] = one[0] * rng.choice((1, 3, 300))
    else:
        out[other.start() : other.start()] = one[0]


_GENTLE = (_number, _number, _leaf)
"""Ways that leave a file well formed, so that what lies behind the parser is reached."""
_WAYS = (_flip, _overwrite, _insert, _delete, _cut_off, _repeat, _splice, _number, _number)
