"""The reference library: the melodies that queries are compared with, and their rights.

`store` keeps melodies and rights in one SQLite file; `rights` works out what a status means; `index`
and its parts are what a search reads; `library` opens it all. `importers` fill a library.
"""

from melodysim.library.entries import Entry, Reference
from melodysim.library.index import Index
from melodysim.library.library import Holdings, Library, default_library_path
from melodysim.library.shelf import Shelf, shelf_of_work
from melodysim.library.store import Store

__all__ = [
    "Entry",
    "Holdings",
    "Index",
    "Library",
    "Reference",
    "Shelf",
    "Store",
    "default_library_path",
    "shelf_of_work",
]
