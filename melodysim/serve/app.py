"""The web app's answers. Loopback only by default, and only for pages of its own.

Three things keep other web pages out: the Host header must be ours (against DNS rebinding), whatever
changes something must carry a header that no other site's page can send without asking first, and
nothing is ever answered with permission to share. Reports are served in a sandbox of their own.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from melodysim.errors import MelodysimError
from melodysim.library.rights import STATUSES, Rights, check_rights, effective
from melodysim.library.store import Store
from melodysim.report.html.template import rendered_page
from melodysim.report.json import browsed_dict, entry_dict
from melodysim.serve.check_queue import CheckQueue, known_suffix
from melodysim.util.atomic_files import file_stem, make_folder

HEADER = "x-melodysim"
"""Must stand in every request that changes something."""
MOST_ENTRIES = 200
"""Of the library, in one answer."""
_MOST_JSON = 100_000
_LONGEST_NAME = 100
_COMMON = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_SANDBOX = "sandbox allow-scripts allow-downloads allow-modals"


class _RefusedError(Exception):
    """A request that cannot be answered: its status, and why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def create_app(queue: CheckQueue, hosts: list[str], most_bytes: int) -> Starlette:
    """Make the web app.

    Parameters
    ----------
    queue : CheckQueue
        That does the checks; it is closed with the app.
    hosts : list of str
        Names under which the app may be asked.
    most_bytes : int
        Of an upload.
    """
    answers = _Answers(queue, most_bytes)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await run_sync(queue.close)

    routes = [
        Route("/", answers.home),
        Route("/library", answers.library),
        Route("/api/checks", answers.checks, methods=["GET"]),
        Route("/api/checks", answers.new_check, methods=["POST"]),
        Route("/api/checks/{id}", answers.check, methods=["GET"]),
        Route("/api/checks/{id}", answers.forget, methods=["DELETE"]),
        Route("/checks/{id}", answers.report),
        Route("/checks/{id}/report.json", answers.report_json),
        Route("/api/library", answers.entries, methods=["GET"]),
        Route("/api/library", answers.import_, methods=["POST"]),
        Route("/api/library", answers.remove, methods=["DELETE"]),
        Route("/api/library/rights", answers.rights, methods=["POST"]),
    ]
    return Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False)],
        exception_handlers={_RefusedError: _refused, MelodysimError: _refused, Exception: _failed},
    )


async def _refused(_: Request, error: Exception) -> Response:
    status = error.status if isinstance(error, _RefusedError) else 400
    return JSONResponse({"error": str(error)}, status, headers=_COMMON)


async def _failed(_: Request, error: Exception) -> Response:
    """Say that something is wrong with the program, here and there, without a traceback."""
    words = f"{type(error).__name__}: {error}"
    print(f"melodysim: the request failed ({words})", file=sys.stderr)  # noqa: T201
    return JSONResponse({"error": f"something went wrong ({words})"}, 500, headers=_COMMON)


def _ours(
    answer: Callable[[Any, Request], Awaitable[Response]],
) -> Callable[[Any, Request], Awaitable[Response]]:
    """Answer a request that changes something only if a page of ours sent it."""

    async def guarded(self: Any, request: Request) -> Response:
        if request.headers.get(HEADER) != "1":
            raise _RefusedError(403, f"requests that change something need the header {HEADER}: 1")
        return await answer(self, request)

    return guarded


def _json(content: Any, status: int = 200) -> Response:
    return JSONResponse(content, status, headers=_COMMON)


class _Answers:
    """One method a route."""

    def __init__(self, queue: CheckQueue, most_bytes: int) -> None:
        self.queue, self.most_bytes = queue, most_bytes
        self.library_path = queue.terms.library

    def _page(self, template: str, script: str, **values: Any) -> Response:
        page = rendered_page(
            f"melodysim.serve/{template}",
            f"melodysim.serve/{script}",
            connect="'self'",
            most_megabytes=self.most_bytes // 1_000_000,
            **values,
        )
        return HTMLResponse(page, headers=_COMMON)

    async def home(self, _: Request) -> Response:
        return self._page("home.html.j2", "home.js")

    async def library(self, _: Request) -> Response:
        return self._page("library.html.j2", "library.js", statuses=STATUSES)

    async def checks(self, _: Request) -> Response:
        return _json({"checks": [asdict(ticket) for ticket in self.queue.tickets()]})

    async def check(self, request: Request) -> Response:
        ticket = self.queue.ticket(request.path_params["id"])
        if ticket is None:
            raise _RefusedError(404, "no such check")
        return _json(asdict(ticket))

    @_ours
    async def new_check(self, request: Request) -> Response:
        name = _name(request)
        identity, path = await run_sync(self.queue.upload_path, name)
        try:
            await self._receive(request, path)
            ticket = await run_sync(self.queue.submit, identity, name)
        except BaseException:
            await run_sync(self.queue.discard, identity)
            raise
        return _json(asdict(ticket), 201)

    async def _receive(self, request: Request, path: Path) -> None:
        """Stream a request's body to disk, no further than the limit."""
        too_large = _RefusedError(413, f"the file is larger than {self.most_bytes:,} bytes")
        declared = request.headers.get("content-length", "0")
        if _number(declared, 0 if len(declared) < 10 else self.most_bytes + 1) > self.most_bytes:
            raise too_large
        received = 0
        try:
            with path.open("wb") as file:
                async for chunk in request.stream():
                    received += len(chunk)
                    if received > self.most_bytes:
                        raise too_large
                    await run_sync(file.write, chunk)
        except ClientDisconnect as error:
            raise _RefusedError(400, "the upload was broken off") from error
        except OSError as error:
            raise _RefusedError(507, f"the upload could not be stored ({error.strerror})") from error
        if not received:
            raise _RefusedError(400, "the file is empty")

    @_ours
    async def forget(self, request: Request) -> Response:
        if not await run_sync(self.queue.remove, request.path_params["id"]):
            raise _RefusedError(404, "no such check")
        return _json({})

    async def report(self, request: Request) -> Response:
        return self._file(request, "report.html", {"Content-Security-Policy": _SANDBOX})

    async def report_json(self, request: Request) -> Response:
        return self._file(request, "report.json", {"Content-Disposition": "attachment"})

    def _file(self, request: Request, name: str, headers: dict[str, str]) -> Response:
        path = self.queue.page(request.path_params["id"], name)
        if path is None or not path.is_file():
            raise _RefusedError(404, "no such report")
        return FileResponse(path, headers=_COMMON | headers)

    async def entries(self, request: Request) -> Response:
        query = request.query_params
        offset, limit = _number(query.get("offset"), 0), _number(query.get("limit"), 50)
        found = await run_sync(
            _entries, self.library_path, query.get("text"), min(limit, MOST_ENTRIES), offset
        )
        return _json(found)

    @_ours
    async def import_(self, request: Request) -> Response:
        name, query = _name(request), request.query_params
        status: Any = query.get("rights", "unknown")
        rights = check_rights(Rights(status, query.get("holder") or None))
        # The name becomes the melody's id, so it is kept as far as it is safe; each upload has a folder
        # of its own, so that none replaces another of the same name.
        suffix = known_suffix(name)
        stem = file_stem(name[: -len(suffix)])[:_LONGEST_NAME]
        folder = self.library_path.parent / "imported" / secrets.token_hex(8)
        path = folder / f"{stem}{suffix}"
        title, creator = query.get("title") or None, query.get("creator") or None
        try:
            await run_sync(make_folder, folder)
            await self._receive(request, path)
            result = await run_sync(self.queue.import_file, path, rights, title, creator)
            if result.failed:
                raise _RefusedError(400, str(result.failed[0][1].renamed(path, name)))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        there = result.unchanged + result.duplicates
        return _json({"imported": result.imported, "unchanged": there}, 201)

    @_ours
    async def rights(self, request: Request) -> Response:
        asked = await _object(request)
        identity = asked.pop("id", None)
        known = {field.name for field in fields(Rights)}
        if not isinstance(identity, str) or not asked.keys() <= known:
            raise _RefusedError(400, f"give an id and any of {', '.join(sorted(known))}")
        for name, value in asked.items():
            wanted = int if name in {"published", "died"} else str
            if value is not None and (not isinstance(value, wanted) or isinstance(value, bool)):
                raise _RefusedError(400, f"{name}: not {'a year' if wanted is int else 'text'}")
        return _json(await run_sync(_set_rights, self.library_path, identity, asked))

    @_ours
    async def remove(self, request: Request) -> Response:
        await run_sync(_remove, self.library_path, request.query_params.get("id", ""))
        return _json({})


def _name(request: Request) -> str:
    """Name of an upload: hostile text, never a path."""
    name = request.query_params.get("name", "").replace("\\", "/").rsplit("/", 1)[-1].strip()
    if not name or len(name) > 500:
        raise _RefusedError(400, "give the file's name: ?name=song.mp3")
    return name


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text and len(text) < 10 and text.isdecimal() and text.isascii() else otherwise


async def _object(request: Request) -> dict[str, Any]:
    """Read a small JSON object."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_JSON:
            raise _RefusedError(413, "too long")
    try:
        given = json.loads(body)
        json.dumps(given, ensure_ascii=False).encode()  # no lone surrogates
    except (ValueError, RecursionError) as error:
        raise _RefusedError(400, "not JSON") from error
    if not isinstance(given, dict):
        raise _RefusedError(400, "not a JSON object")
    return given


def _entries(path: Path, text: str | None, limit: int, offset: int) -> dict[str, Any]:
    if not path.exists():
        return {"melodies": 0, "entries": []}
    with Store(path) as store:
        entries, total = store.entries(text or None, limit, offset), store.count()
    return {"melodies": total, "entries": [browsed_dict(entry) for entry in entries]}


def _set_rights(path: Path, identity: str, asked: dict[str, Any]) -> dict[str, Any]:
    with Store(path, writable=True) as store, store.transaction():
        entry = store.entries_by_id([identity]).get(identity)
        if entry is None:
            raise _RefusedError(404, "no melody with this id")
        rights = check_rights(replace(entry.rights, **asked))
        store.set_rights(identity, rights)
    return entry_dict(replace(entry, rights=rights)) | {"today": effective(rights).status}


def _remove(path: Path, identity: str) -> None:
    with Store(path, writable=True) as store, store.transaction():
        store.remove(identity)
