"""The reference library: what melodies are compared with, and who owns them."""

from melodysim.library.index import Index
from melodysim.library.library import Library, default_library_path
from melodysim.library.shelf import MemoryShelf, Shelf
from melodysim.library.store import Entry, Reference, Store

__all__ = [
    "Entry",
    "Index",
    "Library",
    "MemoryShelf",
    "Reference",
    "Shelf",
    "Store",
    "default_library_path",
]
