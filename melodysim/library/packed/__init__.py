"""The packed melodies of a library: what a search reads.

A `shard` packs up to 100,000 melodies as arrays, which `index_files` keeps beside the library; `index`
searches the shards as one, here or on a cluster (`remote_shards`).
"""
