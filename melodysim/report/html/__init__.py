"""Reports as web pages that open from disk: styles, scripts, pictures and sound inside.

`track_page` makes the page of one track or of a pair of works, `index_page` the page over many tracks.
"""
