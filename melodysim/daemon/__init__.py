"""A local process that answers scripts whose host cannot carry melodysim itself.

`client` is one file of the standard library alone, for Python 3.8 and later: it may be copied anywhere.
`server` holds the library open and answers over loopback, in lines of JSON.
"""
