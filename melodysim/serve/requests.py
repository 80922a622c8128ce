"""Requests to the web app: what is taken of them, what is refused, and how they are answered."""

from __future__ import annotations

import ipaddress
import json
import re
import sys
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import Any

from anyio.to_thread import run_sync
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from melodysim.util.atomic_files import reason_of

HEADER = "x-melodysim"
"""Must stand in every request that changes something."""
_MOST_JSON = 100_000
COMMON = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class OwnHosts:
    """Answers only requests for a name of ours.

    A page of another site can have its own name lead to this machine (DNS rebinding); its requests name
    that site. No name leads to an address that is written out in numbers.

    Parameters
    ----------
    app : ASGIApp
    names : collection of str
        In small letters, and addresses without brackets.
    any_address : bool
        Whether any address in numbers is ours, where the app listens at all of them.
    """

    def __init__(self, app: ASGIApp, names: Collection[str], any_address: bool) -> None:
        self._app, self._names, self._any_address = app, names, any_address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "http" and not self._is_ours(Headers(scope=scope).get("host", "")):
            words = "this is not a name of the server's; `--allow-host NAME` lets it be one"
            await JSONResponse({"error": words}, 400, headers=COMMON)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_ours(self, host: str) -> bool:
        bracketed = re.fullmatch(r"\[([^\]]*)\](:\d+)?", host)
        name = bracketed[1] if bracketed else host.rpartition(":")[0] or host
        if name.lower().rstrip(".") in self._names:
            return True
        if not self._any_address:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


class RefusedError(Exception):
    """A request that cannot be answered: its status, and why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


async def refused(_: Request, error: Exception) -> Response:
    """Say why a request is not answered."""
    status = error.status if isinstance(error, RefusedError) else 400
    return JSONResponse({"error": str(error)}, status, headers=COMMON)


async def failed_answer(_: Request, error: Exception) -> Response:
    """Say that something is wrong with the program, here and there, without a traceback."""
    words = f"{type(error).__name__}: {error}"
    print(f"melodysim: the request failed ({words})", file=sys.stderr)  # noqa: T201
    return JSONResponse({"error": f"something went wrong ({words})"}, 500, headers=COMMON)


def ours(
    answer: Callable[[Any, Request], Awaitable[Response]],
) -> Callable[[Any, Request], Awaitable[Response]]:
    """Answer a request that changes something only if a page of ours sent it."""

    async def guarded(self: Any, request: Request) -> Response:
        if request.headers.get(HEADER) != "1":
            raise RefusedError(403, f"requests that change something need the header {HEADER}: 1")
        return await answer(self, request)

    return guarded


def answered(content: Any, status: int = 200) -> Response:
    """Answer with JSON."""
    return JSONResponse(content, status, headers=COMMON)


def upload_name(request: Request) -> str:
    """Name of an upload: hostile text, never a path."""
    name = request.query_params.get("name", "").replace("\\", "/").rsplit("/", 1)[-1].strip()
    if not name or len(name) > 500:
        raise RefusedError(400, "give the file's name: ?name=song.mp3")
    return name


def number_of(text: str | None, otherwise: int) -> int:
    """Read a whole number of a query; `otherwise` for what is none."""
    return int(text) if text and len(text) < 10 and text.isdecimal() and text.isascii() else otherwise


async def object_of(request: Request) -> dict[str, Any]:
    """Read a small JSON object."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_JSON:
            raise RefusedError(413, "too long")
    try:
        given = json.loads(body)
        json.dumps(given, ensure_ascii=False).encode()  # no lone surrogates
    except (ValueError, RecursionError) as error:
        raise RefusedError(400, "not JSON") from error
    if not isinstance(given, dict):
        raise RefusedError(400, "not a JSON object")
    return given


async def receive(request: Request, path: Path, most_bytes: int) -> None:
    """Stream a request's body to disk, no further than the limit."""
    too_large = RefusedError(413, f"the file is larger than {most_bytes:,} bytes")
    declared = request.headers.get("content-length", "0")
    if number_of(declared, 0 if len(declared) < 10 else most_bytes + 1) > most_bytes:
        raise too_large
    received = 0
    try:
        with path.open("wb") as file:
            async for chunk in request.stream():
                received += len(chunk)
                if received > most_bytes:
                    raise too_large
                await run_sync(file.write, chunk)
    except ClientDisconnect as error:
        raise RefusedError(400, "the upload was broken off") from error
    except OSError as error:
        raise RefusedError(507, f"the upload could not be stored: {reason_of(error)}") from error
    if not received:
        raise RefusedError(400, "the file is empty")
