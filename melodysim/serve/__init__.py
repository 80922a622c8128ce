"""A small web app on this machine: drop a file, see the report; look after the library.

`check_queue` keeps the checks and has them done by a worker process that can be killed; `app` answers
the browser. Nothing that the browser says is ever used as a path.
"""
