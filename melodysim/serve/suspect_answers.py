"""The web app's answers about songs that are watched for: they come as files, or hummed."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from melodysim.library import WatchList
from melodysim.report.html.template import rendered_page
from melodysim.report.json import played_dict, suspect_dict
from melodysim.report.note_files import midi_bytes
from melodysim.serve.check_queue import CheckQueue, known_suffix
from melodysim.serve.requests import COMMON, answered, ours, receive, upload_name


def suspect_routes(queue: CheckQueue, most_bytes: int) -> list[Route]:
    """Return the routes of the page of named songs; parameters as in `create_app`."""
    answers = _SuspectAnswers(queue, most_bytes)
    return [
        Route("/suspects", answers.page),
        Route("/api/suspects", answers.listed, methods=["GET"]),
        Route("/api/suspects", answers.add, methods=["POST"]),
        Route("/api/suspects", answers.remove, methods=["DELETE"]),
        Route("/api/suspects/notes", answers.notes),
        Route("/api/suspects/midi", answers.midi),
    ]


class _SuspectAnswers:
    """One method a route."""

    def __init__(self, queue: CheckQueue, most_bytes: int) -> None:
        self.queue, self.most_bytes = queue, most_bytes
        self.library_path = queue.terms.library

    async def page(self, _: Request) -> Response:
        page = rendered_page(
            "melodysim.serve/suspects.html.j2",
            ("melodysim.serve/tones.js", "melodysim.serve/suspects.js"),
            connect="'self'",
            most_megabytes=self.most_bytes // 1_000_000,
        )
        return HTMLResponse(page, headers=COMMON)

    async def listed(self, _: Request) -> Response:
        return answered({"suspects": await run_sync(_listed, self.library_path)})

    @ours
    async def add(self, request: Request) -> Response:
        """Take a song, or with ``correct`` the notes of one that is watched for."""
        name, query = upload_name(request), request.query_params
        suffix = known_suffix(name)
        folder = Path(await run_sync(tempfile.mkdtemp, "-melodysim"))
        # The name becomes the song's, so it is kept as far as it is safe.
        path = folder / f"song{suffix}"
        stem = name[: -len(suffix)].strip()
        try:
            await receive(request, path, self.most_bytes)
            await run_sync(
                self.queue.name_song,
                path,
                name,
                query.get("title") or stem or None,
                query.get("creator") or None,
                query.get("correct"),
            )
        finally:
            await run_sync(shutil.rmtree, folder, True)
        return answered({"suspects": await run_sync(_listed, self.library_path)}, 201)

    @ours
    async def remove(self, request: Request) -> Response:
        await run_sync(_remove, self.library_path, request.query_params.get("id", ""))
        return answered({})

    async def notes(self, request: Request) -> Response:
        suspect = await run_sync(_suspect, self.library_path, request.query_params.get("id", ""))
        return answered(played_dict(suspect.piece.melodies[0]))

    async def midi(self, request: Request) -> Response:
        suspect = await run_sync(_suspect, self.library_path, request.query_params.get("id", ""))
        headers = COMMON | {"Content-Disposition": 'attachment; filename="heard.mid"'}
        return Response(midi_bytes(suspect.piece.melodies), media_type="audio/midi", headers=headers)


def _listed(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    with WatchList(path) as watched:
        return [suspect_dict(suspect) for suspect in watched.suspects()]


def _suspect(path: Path, identity: str) -> Any:
    with WatchList(path) as watched:
        return watched.suspect(identity)


def _remove(path: Path, identity: str) -> None:
    with WatchList(path, writable=True) as watched:
        watched.remove(identity)
