"""The web app's answers. Loopback only by default, and only for pages of its own.

Three things keep other web pages out: the Host header must be ours (against DNS rebinding), whatever
changes something must carry a header that no other site's page can send without asking first, and
nothing is ever answered with permission to share. Reports are served in a sandbox of their own.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

from melodysim.errors import MelodysimError
from melodysim.library import WatchList
from melodysim.library.rights import STATUSES, Rights, Territory, check_rights, effective
from melodysim.library.store import Store
from melodysim.report.html.template import rendered_page
from melodysim.report.json import browsed_dict, entry_dict, played_dict
from melodysim.serve.check_queue import CheckQueue, known_suffix
from melodysim.serve.requests import (
    COMMON,
    OwnHosts,
    RefusedError,
    answered,
    failed_answer,
    number_of,
    object_of,
    ours,
    receive,
    refused,
    upload_name,
)
from melodysim.serve.suspect_answers import suspect_routes
from melodysim.util.atomic_files import file_stem, make_folder

MOST_ENTRIES = 200
"""Of the library, in one answer."""
_LONGEST_NAME = 100
_SANDBOX = "sandbox allow-scripts allow-downloads allow-modals"


def create_app(
    queue: CheckQueue, hosts: Collection[str], most_bytes: int, *, any_address: bool = False
) -> Starlette:
    """Make the web app.

    Parameters
    ----------
    queue : CheckQueue
        That does the checks; it is closed with the app.
    hosts : collection of str
        Names under which the app may be asked.
    most_bytes : int
        Of an upload.
    any_address : bool, optional
        Whether it may be asked under any address in numbers.
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
        Route("/api/library/names", answers.names, methods=["POST"]),
        Route("/api/library/notes", answers.notes),
        Route("/api/library/holdings", answers.holdings),
        Route("/api/findings", answers.accept, methods=["POST"]),
        *suspect_routes(queue, most_bytes),
    ]
    return Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[Middleware(OwnHosts, names=hosts, any_address=any_address)],
        exception_handlers={RefusedError: refused, MelodysimError: refused, Exception: failed_answer},
    )


class _Answers:
    """One method a route."""

    def __init__(self, queue: CheckQueue, most_bytes: int) -> None:
        self.queue, self.most_bytes = queue, most_bytes
        self.library_path = queue.terms.library

    def _page(self, template: str, *scripts: str, **values: Any) -> Response:
        page = rendered_page(
            f"melodysim.serve/{template}",
            tuple(f"melodysim.serve/{script}" for script in scripts),
            connect="'self'",
            most_megabytes=self.most_bytes // 1_000_000,
            **values,
        )
        return HTMLResponse(page, headers=COMMON)

    async def home(self, _: Request) -> Response:
        return self._page("home.html.j2", "home.js")

    async def holdings(self, _: Request) -> Response:
        return answered(await run_sync(_holdings, self.library_path, self.queue.terms.territory))

    async def notes(self, request: Request) -> Response:
        identity = request.query_params.get("id", "")
        return answered(await run_sync(_notes, self.library_path, identity))

    @ours
    async def names(self, request: Request) -> Response:
        asked = await object_of(request)
        identity, title, creator = (asked.get(name) for name in ("id", "title", "creator"))
        if not isinstance(identity, str) or not isinstance(title, str) or not title.strip():
            raise RefusedError(400, "give an id and a title")
        if creator is not None and not isinstance(creator, str):
            raise RefusedError(400, "creator: not text")
        return answered(await run_sync(_set_names, self.library_path, identity, title, creator))

    @ours
    async def accept(self, request: Request) -> Response:
        """Settle what a check found, or let alarm again what was settled, and check again."""
        asked = await object_of(request)
        ticket = self.queue.ticket(str(asked.get("check", "")))
        note, settle = str(asked.get("note", "")), bool(asked.get("accept", True))
        finding = str(asked.get("finding", ""))
        known: Sequence[Sequence[str]] = ()
        if ticket is not None:
            known = ticket.findings if settle else ticket.settled
        if ticket is None or finding not in {identity for identity, _ in known}:
            raise RefusedError(404, "no such finding")
        await run_sync(_settle, self.library_path, finding, ticket.name, note, settle)
        return answered(asdict(await run_sync(self.queue.again, ticket.id)))

    async def library(self, _: Request) -> Response:
        return self._page("library.html.j2", "tones.js", "library.js", statuses=STATUSES)

    async def checks(self, _: Request) -> Response:
        return answered({"checks": [asdict(ticket) for ticket in self.queue.tickets()]})

    async def check(self, request: Request) -> Response:
        ticket = self.queue.ticket(request.path_params["id"])
        if ticket is None:
            raise RefusedError(404, "no such check")
        return answered(asdict(ticket))

    @ours
    async def new_check(self, request: Request) -> Response:
        name = upload_name(request)
        identity, path = await run_sync(self.queue.upload_path, name)
        try:
            await receive(request, path, self.most_bytes)
            ticket = await run_sync(self.queue.submit, identity, name)
        except BaseException:
            await run_sync(self.queue.discard, identity)
            raise
        return answered(asdict(ticket), 201)

    @ours
    async def forget(self, request: Request) -> Response:
        if not await run_sync(self.queue.remove, request.path_params["id"]):
            raise RefusedError(404, "no such check")
        return answered({})

    async def report(self, request: Request) -> Response:
        return self._file(request, "report.html", {"Content-Security-Policy": _SANDBOX})

    async def report_json(self, request: Request) -> Response:
        return self._file(request, "report.json", {"Content-Disposition": "attachment"})

    def _file(self, request: Request, name: str, headers: dict[str, str]) -> Response:
        path = self.queue.page(request.path_params["id"], name)
        if path is None or not path.is_file():
            raise RefusedError(404, "no such report")
        return FileResponse(path, headers=COMMON | headers)

    async def entries(self, request: Request) -> Response:
        query = request.query_params
        offset, limit = number_of(query.get("offset"), 0), number_of(query.get("limit"), 50)
        found = await run_sync(
            _entries, self.library_path, query.get("text"), min(limit, MOST_ENTRIES), offset
        )
        return answered(found)

    @ours
    async def import_(self, request: Request) -> Response:
        name, query = upload_name(request), request.query_params
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
            await receive(request, path, self.most_bytes)
            result = await run_sync(self.queue.import_file, path, rights, title, creator)
            if result.failed:
                raise RefusedError(400, str(result.failed[0][1].renamed(path, name)))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        there = result.unchanged + result.duplicates
        if not result.imported:
            await run_sync(shutil.rmtree, folder, True)
        return answered({"imported": result.imported, "unchanged": there}, 201)

    @ours
    async def rights(self, request: Request) -> Response:
        asked = await object_of(request)
        identity = asked.pop("id", None)
        known = {field.name for field in fields(Rights)}
        if not isinstance(identity, str) or not asked.keys() <= known:
            raise RefusedError(400, f"give an id and any of {', '.join(sorted(known))}")
        for name, value in asked.items():
            wanted = int if name in {"published", "died"} else str
            if value is not None and (not isinstance(value, wanted) or isinstance(value, bool)):
                raise RefusedError(400, f"{name}: not {'a year' if wanted is int else 'text'}")
        return answered(await run_sync(_set_rights, self.library_path, identity, asked))

    @ours
    async def remove(self, request: Request) -> Response:
        await run_sync(_remove, self.library_path, request.query_params.get("id", ""))
        return answered({})


def _entries(path: Path, text: str | None, limit: int, offset: int) -> dict[str, Any]:
    if not path.exists():
        return {"melodies": 0, "entries": []}
    with Store(path) as store:
        entries, total = store.entries(text or None, limit, offset), store.count()
    return {"melodies": total, "entries": [browsed_dict(entry) for entry in entries]}


def _holdings(path: Path, territory: Territory) -> dict[str, Any]:
    """Count what tracks are compared with."""
    if not path.exists():
        return {"melodies": 0, "protected": 0, "suspects": 0}
    with Store(path) as store:
        melodies, protected = store.count(), len(store.protected(territory)[0])
    with WatchList(path) as watched:
        return {"melodies": melodies, "protected": protected, "suspects": len(watched.digests())}


def _notes(path: Path, identity: str) -> dict[str, Any]:
    with Store(path) as store:
        return played_dict(store.melody(identity))


def _set_names(path: Path, identity: str, title: str, creator: str | None) -> dict[str, Any]:
    with Store(path, writable=True) as store, store.transaction():
        store.set_names(identity, title, creator)
        return entry_dict(store.entries_by_id([identity])[identity])


def _settle(path: Path, finding: str, track: str, note: str, settle: bool) -> None:
    with WatchList(path, writable=True) as watched:
        if settle:
            watched.accept(finding, note, track)
        elif finding in watched.accepted():
            watched.withdraw(finding)


def _set_rights(path: Path, identity: str, asked: dict[str, Any]) -> dict[str, Any]:
    with Store(path, writable=True) as store, store.transaction():
        entry = store.entries_by_id([identity]).get(identity)
        if entry is None:
            raise RefusedError(404, "no melody with this id")
        rights = check_rights(replace(entry.rights, **asked))
        store.set_rights(identity, rights)
    return entry_dict(replace(entry, rights=rights)) | {"today": effective(rights).status}


def _remove(path: Path, identity: str) -> None:
    with Store(path, writable=True) as store, store.transaction():
        store.remove(identity)
