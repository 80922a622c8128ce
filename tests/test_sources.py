"""Fetching public sets, from a server on this machine."""

import hashlib
import http.server
import json
import threading
import zipfile
from dataclasses import replace
from io import BytesIO

import pytest
from test_schema import validator

from melodysim.errors import MelodysimError
from melodysim.library.importers.sources import SOURCES, fetch, source_named

CONTENT = json.dumps([{"name": f"tune {k}"} for k in range(20_000)]).encode()


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with `content`, ranges too; breaks the first answers off after `broken` bytes."""

    content, broken, asked, version = CONTENT, [], [], '"1"'

    def do_GET(self):
        first = 0
        type(self).asked.append(self.headers.get("Range"))
        if self.headers.get("Range") and self.headers.get("If-Range") == self.version:
            first = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
            if first >= len(self.content):
                self.send_response(416)
                self.end_headers()
                return
            self.send_response(206)
        else:
            self.send_response(200)
        body = self.content[first:]
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", self.version)
        self.end_headers()
        if self.broken:
            body = body[: self.broken.pop(0)]
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    Handler.content, Handler.broken, Handler.asked, Handler.version = CONTENT, [], [], '"1"'
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{running.server_address[1]}/tunes.json"
    running.shutdown()
    thread.join()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def made(url, **more):
    return replace(source_named("thesession"), url=url, **more)


def test_a_download_that_broke_off_goes_on(server, tmp_path):
    Handler.broken = [100_000]
    seen = []
    with pytest.raises(MelodysimError, match="run it again"):
        fetch(made(server), tmp_path)
    there = fetch(made(server), tmp_path, lambda done, total: seen.append((done, total)))
    assert there.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert Handler.asked[0] is None
    assert int(Handler.asked[-1].removeprefix("bytes=").rstrip("-")) > 50_000
    count = len(Handler.asked)
    assert fetch(made(server), tmp_path) == there
    assert len(Handler.asked) == count  # it is there


def test_a_file_that_changed_meanwhile_is_fetched_anew(server, tmp_path):
    Handler.broken = [100_000]
    with pytest.raises(MelodysimError, match="run it again"):
        fetch(made(server), tmp_path)
    Handler.content, Handler.version = CONTENT[::-1], '"2"'
    assert fetch(made(server), tmp_path).read_bytes() == CONTENT[::-1]
    assert [path.name for path in (tmp_path / "thesession").iterdir()] == ["tunes.json"]


def test_a_web_page_is_no_set(server, tmp_path):
    Handler.content = b"\n<!DOCTYPE html><title>Sign in</title>"
    with pytest.raises(MelodysimError, match="a web page came"):
        fetch(made(server), tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_an_address_that_is_none_is_said(tmp_path):
    for address in ("ftp://x/tunes.json", "x/tunes.json"):
        with pytest.raises(MelodysimError, match="could not be fetched"):
            fetch(made(address), tmp_path)


def test_what_is_not_the_file_is_refused(server, tmp_path):
    right = hashlib.sha256(CONTENT).hexdigest()
    assert fetch(made(server, sha256=right), tmp_path / "right").read_bytes() == CONTENT
    with pytest.raises(MelodysimError, match="checksum"):
        fetch(made(server, sha256="0" * 64), tmp_path / "wrong")
    assert [p for p in (tmp_path / "wrong").rglob("*") if p.is_file()] == []


def test_an_archive_is_unpacked(server, tmp_path):
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("POP909/001/001.mid", b"MThd")
    Handler.content = packed.getvalue()
    there = fetch(made(server, packed="zip"), tmp_path)
    assert (there / "POP909" / "001" / "001.mid").read_bytes() == b"MThd"


def test_offline_is_said_in_a_line(tmp_path):
    with pytest.raises(MelodysimError, match="offline") as caught:
        fetch(made("http://127.0.0.1:9/tunes.json"), tmp_path)
    assert "\n" not in str(caught.value)


def test_what_needs_consent_is_named_not_fetched(run, tmp_path):
    for source in SOURCES:
        if not source.url:
            with pytest.raises(MelodysimError, match="cannot be fetched"):
                fetch(source, tmp_path)
    done = run("library", "fetch", "wjazzd")
    assert done.returncode == 2
    assert "consent" in done.stderr


def test_the_command_shows_the_licence_first(run, server, tmp_path):
    arguments = "library", "fetch", "thesession", "--from", server, "--folder", tmp_path
    refused = run(*arguments)  # no terminal to say yes at
    assert refused.returncode != 0
    assert "Open Database License" in refused.stderr
    assert not list(tmp_path.rglob("tunes.json"))
    done = run(*arguments, "--yes")
    assert done.returncode == 0, done.stderr
    assert "library import" in done.stdout
    assert (tmp_path / "thesession" / "tunes.json").read_bytes() == CONTENT


def test_sources_are_listed(run):
    listed = json.loads(run("library", "sources", "--format", "json").stdout)
    validator("sources").validate(listed)
    text = run("library", "sources").stdout
    for source in SOURCES:
        assert source.title in text
        assert source.licence in text
    assert run("library", "fetch", "nothing").returncode == 2
