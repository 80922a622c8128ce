"""Reports as web pages that open from disk: styles, scripts, pictures and sound inside.

`track` makes the page of one track or of a pair of works, `index` the page over many tracks.
"""
