"""Many tracks: found, checked side by side, and taken up again where a scan was stopped.

`tracks` finds files, `ledger` remembers what is done, `cache` keeps transcriptions, `work` is what a
worker process does with one track, `pools` are the places where workers run, `groups` finds takes of
one melody among the tracks, `outcome` writes the results, `scan` is the loop over it all.
"""
