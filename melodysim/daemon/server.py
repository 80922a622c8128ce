"""The daemon: one process that holds libraries open and answers on loopback, a line of JSON each way.

A connection begins with ``{"hello": NONCE}``, answered with ``{"proof"}``: a code that only one
who knows the token can make of it (HMAC-SHA-256, RFC 2104), so that a client sends its notes to nobody
else that listens here. A request is ``{"token", "do", "with"}``, the token first: no more than the
beginning of a line is read before the token is known. Answers are any number of ``{"stage"}`` and then
one ``{"answer"}`` or ``{"error"}``. Every connection has a thread of its own, since libraries are safe
to share.
"""

from __future__ import annotations

import hmac
import inspect
import json
import os
import re
import secrets
import socketserver
import threading
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from melodysim._version import __version__
from melodysim.api import melody_of, piece_of_notes
from melodysim.daemon.client import proof_of, running, state_path
from melodysim.errors import InvalidNotesError, MelodysimError
from melodysim.library import Library, default_library_path
from melodysim.util.atomic_files import replaced

IDLE_SECONDS = 900.0
"""After which a daemon that nobody asked ends."""
LONGEST_UNKNOWN = 200
"""Bytes of a line that are read before its token is known."""
LONGEST_LINE = 64 << 20
_HELLO = re.compile(rb'\{"hello": "([0-9a-f]{1,64})"\}\s*\n')
_TOKEN = re.compile(rb'\{\s*"token"\s*:\s*"([^"\\]{0,100})"')
_LOOK_SECONDS = 0.5

Answerer = Callable[..., Any]


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = False

    def __init__(self, library: Path | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.token = secrets.token_hex(24)
        self.asked = time.monotonic()
        self.busy = 0
        self.stopping = threading.Event()
        self._default = library
        self._libraries: dict[Path, tuple[date, Library]] = {}
        self._lock = threading.Lock()

    def library(self, path: str | None) -> Library:
        """Open a library, or give the one that is open if it has not changed."""
        place = (Path(path) if path else None) or self._default or default_library_path()
        with self._lock:
            # Licences run out, and works become free, by the day.
            today = date.today()
            day, opened = self._libraries.get(place, (None, None))
            if opened is None or day != today:
                opened = Library.open(place)
                self._libraries[place] = today, opened
            else:
                opened.refresh()
            return opened

    def began(self) -> None:
        """Note that somebody asks."""
        with self._lock:
            self.busy += 1
            self.asked = time.monotonic()

    def ended(self) -> None:
        """Note that somebody has an answer."""
        with self._lock:
            self.busy -= 1
            self.asked = time.monotonic()


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        """Answer one request after the other, until the other side goes or has no right to ask."""
        while begun := self.rfile.readline(LONGEST_UNKNOWN):
            self.server.began()
            try:
                if not self._known(begun):
                    return
            except OSError:  # gone
                return
            finally:
                self.server.ended()

    def _known(self, begun: bytes) -> bool:
        """Answer a line of which the beginning was read; return False if the token is not known."""
        hello = _HELLO.match(begun)
        if hello:
            self._say({"proof": proof_of(self.server.token, hello[1].decode())})
            return True
        asked = _TOKEN.match(begun)
        if asked is None:
            self._say({"error": "not a request; it is {token, do, with}, with the token first"})
            return False
        if not hmac.compare_digest(asked[1], self.server.token.encode()):
            self._say({"error": "wrong token; read it from the daemon's file"})
            return False
        rest = b"" if begun.endswith(b"\n") else self.rfile.readline(LONGEST_LINE)
        self._say(self._answered(begun + rest))
        return True

    def _say(self, what: dict[str, Any]) -> None:
        self.wfile.write(json.dumps(what).encode() + b"\n")

    def _answered(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            question, given = str(request["do"]), dict(request["with"])
        except (ValueError, KeyError, TypeError, RecursionError):
            return {"error": "not a request; it is {token, do, with}"}
        answerer = _QUESTIONS.get(question)
        if answerer is None:
            return {"error": f"{question}: no such question; there are {', '.join(_QUESTIONS)}"}
        wrong = _wrong_arguments(question, answerer, given)
        if wrong:
            return {"error": wrong}
        try:
            return {"answer": answerer(self.server, lambda stage: self._say({"stage": stage}), **given)}
        except MelodysimError as error:
            said = str(error)
        except TypeError as error:
            said = f"{question}: {error}"
        except OSError:
            raise
        except Exception as error:  # a bug of ours must not take the daemon down
            said = f"melodysim failed ({type(error).__name__}: {error}); please report it"
        return {"error": said}


def _wrong_arguments(question: str, answerer: Answerer, given: dict[str, Any]) -> str | None:
    """Say what is missing, or what a question does not take; None if nothing is wrong."""
    takes = list(inspect.signature(answerer).parameters.values())[2:]
    known = {parameter.name for parameter in takes}
    needed = [p.name for p in takes if p.default is p.empty and p.name not in given]
    odd = sorted(given.keys() - known)
    if needed:
        return f"{question}: {', '.join(needed)} missing"
    if odd:
        return f"{question} takes no {', '.join(odd)}; it takes {', '.join(p.name for p in takes)}"
    path, library = given.get("path", ""), given.get("library")
    if not isinstance(path, str) or not (library is None or isinstance(library, str)):
        return f"{question}: path and library are names of files"
    return None


def _ping(server: _Server, tell: Answerer, library: str | None = None) -> dict[str, Any]:
    return {"melodysim": __version__, "melodies": len(server.library(library))}


def _check_notes(
    server: _Server,
    tell: Answerer,
    onsets: list[float],
    durations: list[float],
    pitches: list[float],
    library: str | None = None,
    top: int = 10,
) -> dict[str, Any]:
    notes = piece_of_notes(onsets, durations, pitches)
    return server.library(library).check(notes, top, progress=tell).to_dict()


def _check_file(
    server: _Server, tell: Answerer, path: str, library: str | None = None, top: int = 10
) -> dict[str, Any]:
    threads = os.cpu_count() or 1
    opened = server.library(library)
    return opened.check(str(path), top, threads=threads, progress=tell).to_dict()


def _add(
    server: _Server,
    tell: Answerer,
    onsets: list[float],
    durations: list[float],
    pitches: list[float],
    title: str,
    creator: str | None = None,
    rights: Any = "unknown",
    library: str | None = None,
) -> dict[str, Any]:
    if not isinstance(title, str):
        raise InvalidNotesError("a melody needs a title")
    notes = melody_of(onsets, durations, pitches)
    return {"id": server.library(library).add(notes, title, creator=creator, rights=rights)}


def _stop(server: _Server, tell: Answerer) -> dict[str, Any]:
    server.stopping.set()
    return {}


_QUESTIONS: dict[str, Answerer] = {
    "ping": _ping,
    "check_notes": _check_notes,
    "check_file": _check_file,
    "add": _add,
    "stop": _stop,
}


def serve(library: Path | None = None, idle: float = IDLE_SECONDS) -> bool:
    """Answer until nobody has asked for a while; return False where another daemon does already.

    Parameters
    ----------
    library : Path, optional
        For questions that name none; by default the user's own.
    idle : float, optional
        Seconds without a question after which it ends.

    Raises
    ------
    MelodysimError
        If its file cannot be written.
    """
    if running():
        return False
    place = Path(state_path())
    with _Server(library) as server:
        _write_state(place, {"port": server.server_address[1], "token": server.token})
        thread = threading.Thread(target=server.serve_forever, args=(_LOOK_SECONDS,), daemon=True)
        thread.start()
        try:
            while not server.stopping.wait(_LOOK_SECONDS):
                if not server.busy and time.monotonic() - server.asked > idle:
                    break
        finally:
            _forget_state(place, server.token)
            server.shutdown()
            thread.join()
    return True


def _write_state(place: Path, state: dict[str, Any]) -> None:
    """Write port and token for the user's eyes alone."""
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with replaced(place) as temporary:
        temporary.chmod(0o600)
        temporary.write_text(json.dumps(state))


def _forget_state(place: Path, token: str) -> None:
    """Remove the file, unless it is another daemon's by now."""
    try:
        if json.loads(place.read_text())["token"] == token:
            place.unlink()
    except (OSError, ValueError, KeyError):
        pass
