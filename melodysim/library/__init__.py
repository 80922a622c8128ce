"""The reference library: the melodies that queries are compared with, and their rights.

On disk: `store` keeps melodies (`entries`) and rights in one SQLite file (`schema`); `rights` works out
what a status means in a place on a day; `importers` fill a library. For a search: a `shard` packs up to
100,000 melodies as arrays, which `index_files` keeps beside the library; `index` searches the shards as
one, here or on a cluster (`remote_shards`); a `shelf` is what a check sees. `library` opens it all.
"""

from melodysim.library.entries import Entry, Reference
from melodysim.library.index import Index
from melodysim.library.library import Holdings, Library, default_library_path
from melodysim.library.shelf import Shelf, shelf_of_work
from melodysim.library.store import Store

__all__ = ["Entry", "Holdings", "Index", "Library", "Reference", "Shelf", "Store"]
__all__ += ["default_library_path", "shelf_of_work"]
