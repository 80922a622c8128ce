"""Scans of many tracks: found, checked in parallel, and resumed where a scan was stopped.

`settings` holds the options of a scan, `tracks` finds files, `ledger` stores results,
`transcription_cache` keeps transcriptions, `worker` is what a worker process does with one track,
`executors` are where workers run, `task_loop` is the loop over the tracks, `takes` finds takes of one
melody among them, `result_files` writes the results, `scan` is a scan from beginning to end.
"""
