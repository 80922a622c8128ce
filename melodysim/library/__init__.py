"""The reference library: the melodies that queries are compared with, and their rights.

On disk: `store` keeps melodies (`entries`) and rights in one SQLite file (`schema`); `rights` works out
what a status means in a place on a day; `importers` fill a library; `watch_list` keeps the songs that a
person named, and the findings that were accepted. For a search: `packed` holds the melodies as arrays;
a `shelf` is what a check sees, with what `chance` does among its works. `library` opens it all.
"""

from melodysim.library.entries import Entry, Reference
from melodysim.library.library import Holdings, Library, default_library_path
from melodysim.library.packed.index import Index
from melodysim.library.shelf import Shelf, Unrelated, shelf_of_work
from melodysim.library.store import Store
from melodysim.library.watch_list import Accepted, Suspect, WatchList, finding_id

__all__ = ["Accepted", "Entry", "Holdings", "Index", "Library", "Reference", "Shelf", "Store"]
__all__ += ["Suspect", "Unrelated", "WatchList", "finding_id"]
__all__ += ["default_library_path", "shelf_of_work"]
