"""The web app: the real command, asked by a browser and by whoever should not be answered."""

import io
import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import COMMAND, FIXTURES, small_library
from test_html import HOSTILE
from test_midi import midi, scale

from melodysim.cli.commands.serve import _names
from melodysim.errors import MelodysimError
from melodysim.judge.verdict import Rates
from melodysim.library.rights import Rights
from melodysim.library.store import Store
from melodysim.serve.check_queue import CheckQueue, Terms, known_suffix
from melodysim.serve.requests import OwnHosts

OURS = {"X-Melodysim": "1"}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A library of one song and some tunes, in a folder of its own."""
    folder = tmp_path_factory.mktemp("served")
    small_library(folder / "library.db")
    return folder


@pytest.fixture(scope="module")
def address(place):
    arguments = ["serve", "--library", place / "library.db", "--port", "0", "--most-megabytes", "1"]
    server = subprocess.Popen([*COMMAND, *map(str, arguments)], stderr=subprocess.PIPE, text=True)
    line = server.stderr.readline()
    assert line.startswith("melodysim: http://127.0.0.1:"), line
    yield line.split(" ")[1].strip()
    server.send_signal(2)
    assert server.wait(20) in {0, 130}


def ask(address, path, method="GET", content=None, headers=OURS):
    request = urllib.request.Request(
        address.rstrip("/") + path, data=content, method=method, headers=dict(headers)
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read(), error.headers


def finished(address, identity, seconds=90):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ticket = json.loads(ask(address, f"/api/checks/{identity}")[1])
        if ticket["state"] in {"done", "failed"}:
            return ticket
        time.sleep(0.2)
    raise AssertionError(ticket)


def upload(address, file, name=None, **more):
    query = urllib.parse.urlencode({"name": name or file.name})
    return ask(address, f"/api/checks?{query}", "POST", file.read_bytes(), **more)


def test_a_track_dropped_on_the_page_ends_in_a_report(address, page):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(address)
    content = list((FIXTURES / "copies-paper-lanterns.mp3").read_bytes())
    page.evaluate(
        """([bytes, name]) => {
            const held = new DataTransfer();
            held.items.add(new File([Uint8Array.from(bytes)], name));
            document.dispatchEvent(new DragEvent('drop', { dataTransfer: held, bubbles: true }));
        }""",
        [content, "my song.mp3"],
    )
    page.wait_for_selector("li[data-state=done]", timeout=90_000)
    row = page.locator("li[data-state=done]", has_text="my song.mp3")
    assert row.locator(".badge").inner_text() == "likely"
    row.locator("a").click()
    page.wait_for_selector("#match-1 .paper svg")
    assert page.locator("h1").inner_text() == "my song.mp3"
    assert "Paper Lanterns" in page.locator("#match-1").inner_text()
    page.locator("#match-1 button[data-play=both]").click()
    page.wait_for_selector("#match-1.playing")
    page.wait_for_timeout(800)
    assert float(page.locator("#match-1 .cursor.mine").get_attribute("x1")) > 36
    assert all(url.startswith(address) for url in asked)
    assert wrong == []


def test_the_focus_stays_with_its_check_whatever_others_are_called(address, page):
    ids = []
    for name in ("twinkle.mid", "paper-lanterns.mid"):
        ids.append(json.loads(upload(address, FIXTURES / name, "song.mid")[1])["id"])
        finished(address, ids[-1])
    page.goto(address)
    button = page.locator(f"li[data-id='{ids[1]}'] button", has_text="Forget")
    button.focus()
    third = json.loads(upload(address, FIXTURES / "twinkle.mid", "song.mid")[1])["id"]
    page.wait_for_selector(f"li[data-id='{third}'][data-state=done]", timeout=30_000)
    assert page.evaluate("document.activeElement.closest('li').dataset.id") == ids[1]
    page.keyboard.press("Enter")
    page.wait_for_selector(f"li[data-id='{ids[1]}']", state="detached")
    assert page.locator(f"li[data-id='{ids[0]}']").count() == 1


def test_an_upload_can_be_stopped(address, page):
    page.goto(address)
    page.route("**/api/checks?name=*", lambda route: None)  # never answered
    page.locator("#file").set_input_files(FIXTURES / "twinkle.mid")
    page.locator("li", has_text="uploading").locator("button", has_text="Stop").click()
    page.wait_for_function("!document.body.innerText.includes('uploading')")
    assert page.locator("#says").inner_text() == ""


def test_a_hostile_file_name_stays_text(address, page):
    name = HOSTILE.replace("/", "") + ".mid"
    status, body, _ = upload(address, FIXTURES / "paper-lanterns.mid", name)
    assert status == 201
    ticket = finished(address, json.loads(body)["id"])
    assert ticket["name"] == name
    page.on("dialog", lambda dialog: pytest.fail("a script ran"))
    page.goto(address)
    page.wait_for_selector("li")
    assert page.locator(".check-name", has_text="onerror").inner_text() == name
    assert page.locator("img").count() == 0
    page.goto(f"{address}checks/{ticket['id']}")
    assert name in page.locator("body").inner_text()
    assert page.locator("img").count() == 0


def test_what_cannot_be_read_fails_alone_and_says_why(address, tmp_path):
    broken = tmp_path / "broken.mp3"
    broken.write_bytes(b"ID3 nothing that is sound" * 50)
    _, body, _ = upload(address, broken)
    ticket = finished(address, json.loads(body)["id"])
    assert ticket["state"] == "failed"
    assert ticket["words"].startswith("broken.mp3: cannot be decoded")
    assert str(Path(address)) not in ticket["words"]
    assert ask(address, f"/checks/{ticket['id']}")[0] == 404


@pytest.mark.parametrize(
    ("name", "content", "status"),
    [
        ("notes.txt", b"abc", 400),
        ("", b"abc", 400),
        ("empty.mid", b"", 400),
        ("large.wav", b"x" * 1_000_001, 413),
    ],
)
def test_uploads_that_are_refused_leave_nothing(address, place, name, content, status):
    before = sorted(p.name for p in (place / "checks").iterdir())
    answer = ask(address, f"/api/checks?{urllib.parse.urlencode({'name': name})}", "POST", content)
    assert answer[0] == status
    assert json.loads(answer[1])["error"]
    assert sorted(p.name for p in (place / "checks").iterdir()) == before


def test_an_upload_without_a_length_is_cut_off_too(address):
    import http.client

    host = urllib.parse.urlsplit(address).netloc
    connection = http.client.HTTPConnection(host, timeout=20)
    try:
        connection.request(
            "POST",
            "/api/checks?name=large.wav",
            (b"x" * 100_000 for _ in range(12)),
            OURS,
            encode_chunked=True,
        )
        assert connection.getresponse().status == 413
    except (BrokenPipeError, ConnectionResetError):
        pass  # refused while it was still being sent
    connection.close()


def test_only_pages_of_ours_may_change_anything(address):
    for path, method in (
        ("/api/checks?name=a.mid", "POST"),
        ("/api/checks/0123456789abcdef", "DELETE"),
        ("/api/library?name=a.mid", "POST"),
        ("/api/library/rights", "POST"),
        ("/api/library?id=paper-lanterns.mid", "DELETE"),
    ):
        assert ask(address, path, method, b"{}", {})[0] == 403, path
    assert ask(address, "/", headers={"Host": "attacker.example"})[0] == 400
    headers = ask(address, "/api/checks")[2]
    assert "access-control-allow-origin" not in {name.lower() for name in headers}


@pytest.mark.parametrize(
    ("host", "on_loopback", "everywhere"),
    [
        ("localhost:8765", True, True), ("LOCALHOST", True, True), ("127.0.0.1:8765", True, True),
        ("[::1]:8765", True, True), ("192.168.1.7:8765", False, True), ("[fe80::1]", False, True),
        ("attacker.example", False, False), ("attacker.example:8765", False, False), ("", False, False),
        ("127.0.0.1.attacker.example", False, False), ("localhost.", True, True),
    ],
)  # fmt: skip
def test_only_names_of_ours_are_answered(host, on_loopback, everywhere):
    """A name of somebody else's can lead here; an address in numbers leads nowhere else."""
    names = _names("127.0.0.1")
    assert OwnHosts(None, names, any_address=False)._is_ours(host) is on_loopback
    assert OwnHosts(None, _names("0.0.0.0"), any_address=True)._is_ours(host) is everywhere


def test_a_folder_of_checks_is_used_by_one_process_at_a_time(place, tmp_path):
    """A second one would throw away uploads that the first is receiving."""
    terms = Terms(place / "library.db", "anywhere", Rates(), 1)
    queue = CheckQueue(tmp_path / "checks", terms)
    upload, _ = queue.upload_path("song.mid")
    try:
        with pytest.raises(MelodysimError, match="another `melodysim serve` keeps its checks here"):
            CheckQueue(tmp_path / "checks", terms)
        assert (tmp_path / "checks" / upload).exists()
        if os.name == "posix":
            assert (tmp_path / "checks").stat().st_mode & 0o077 == 0
    finally:
        queue.close()
    CheckQueue(tmp_path / "checks", terms).close()


@pytest.mark.parametrize("identity", ["..%2f..%2fetc", "....", "%2e%2e", "0123456789abcdef", "x" * 400])
def test_an_id_is_never_a_path(address, identity):
    for path in ("/checks/{}", "/checks/{}/report.json", "/api/checks/{}"):
        assert ask(address, path.format(identity))[0] == 404


def test_reports_are_sandboxed(address):
    _, body, _ = upload(address, FIXTURES / "paper-lanterns.mid")
    ticket = finished(address, json.loads(body)["id"])
    status, page, headers = ask(address, f"/checks/{ticket['id']}")
    assert status == 200
    assert headers["Content-Security-Policy"].startswith("sandbox")
    assert b"default-src &#39;none&#39;" in page
    answer = json.loads(ask(address, f"/checks/{ticket['id']}/report.json")[1])
    assert answer["tracks"][0]["source"] == "paper-lanterns.mid"
    assert ask(address, f"/api/checks/{ticket['id']}", "DELETE")[0] == 200
    assert ask(address, f"/checks/{ticket['id']}")[0] == 404


def test_the_library_is_browsed_imported_into_and_edited(address, place, page):
    from playwright.sync_api import expect

    page.goto(address + "library")
    page.wait_for_selector("#entries tbody tr")
    page.select_option("#import-rights", "own")
    page.fill("#import-creator", "<b>Me</b>")
    page.set_input_files("#file", FIXTURES / "twinkle.mid")
    page.locator("#says", has_text="1 imported").wait_for(timeout=60_000)
    page.fill("#text", "twinkle.mid")
    expect(page.locator("#entries tbody tr")).to_have_count(1)
    row = page.locator("#entries tbody tr")
    assert "<b>Me</b>" in row.inner_text()
    assert row.locator(".badge").inner_text() == "own"
    row.get_by_role("button", name="Edit").click()
    page.select_option("dialog select[name=status]", "in-copyright")
    page.fill("dialog input[name=published]", "3000")
    page.locator("#save").click()
    page.locator("#edit-says", has_text="3000").wait_for()
    page.fill("dialog input[name=published]", "1999")
    page.locator("#save").click()
    page.wait_for_selector("#entries .badge.review")
    with Store(place / "library.db") as store:
        rights = store.entries_by_id(["twinkle.mid"])["twinkle.mid"].rights
    assert (rights.status, rights.published) == ("in-copyright", 1999)
    page.on("dialog", lambda dialog: dialog.accept())
    row.get_by_role("button", name="Edit").click()
    page.locator("#remove").click()
    expect(page.locator("#entries tbody tr")).to_have_count(0)
    with Store(place / "library.db") as store:
        assert store.entries_by_id(["twinkle.mid"]) == {}


@pytest.mark.parametrize("name", ["../../../escaped.mid", "..\\..\\escaped.mid", "/tmp/escaped.mid"])
def test_an_import_cannot_leave_its_folder(address, place, name):
    content = (FIXTURES / "twinkle.mid").read_bytes()
    query = urllib.parse.urlencode({"name": name, "rights": "own"})
    assert ask(address, f"/api/library?{query}", "POST", content)[0] == 201
    (kept,) = place.parent.rglob("*escaped*")
    assert kept.parent.parent == place / "imported"
    assert kept.read_bytes() == content
    ask(address, "/api/library?id=escaped.mid", "DELETE")
    shutil.rmtree(kept.parent)


@pytest.mark.parametrize(
    "asked",
    [b"no json", b"[]", b'{"id": 3}', b'{"id": "a", "evil": 1}', b'{"id": "a", "published": "x"}',
     b'{"id": "paper-lanterns.mid", "status": "mine"}'],
)  # fmt: skip
def test_rights_that_make_no_sense_are_refused(address, asked):
    status, body, _ = ask(address, "/api/library/rights", "POST", asked)
    assert status == 400
    assert json.loads(body)["error"]


def terms(place):
    return Terms(place / "library.db", "anywhere", Rates(), 1)


def wait_for(queue, identity, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ticket = queue.ticket(identity)
        if ticket.state in {"done", "failed"}:
            return ticket
        time.sleep(0.1)
    raise AssertionError(ticket)


def test_a_check_that_takes_too_long_is_given_up_and_the_next_goes_on(place, tmp_path):
    queue = CheckQueue(tmp_path / "checks", terms(place), limit=0.001)
    try:
        identity, path = queue.upload_path("slow.mid")
        shutil.copy(FIXTURES / "paper-lanterns.mid", path)
        queue.submit(identity, "slow.mid")
        ticket = wait_for(queue, identity)
        assert ticket.state == "failed"
        assert "given up" in ticket.words
        queue.limit = 60.0
        identity, path = queue.upload_path("next.mid")
        shutil.copy(FIXTURES / "paper-lanterns.mid", path)
        queue.submit(identity, "next.mid")
        assert wait_for(queue, identity).level == "likely"
    finally:
        queue.close()


def test_checks_that_were_cut_off_are_taken_up_again(place, tmp_path):
    first = CheckQueue(tmp_path / "checks", terms(place))
    identity, path = first.upload_path("song.mid")
    shutil.copy(FIXTURES / "paper-lanterns.mid", path)
    first.submit(identity, "song.mid")
    first.close()
    (tmp_path / "checks" / "torn").mkdir()
    (tmp_path / "checks" / "torn" / "check.json").write_text('{"id": "to')
    second = CheckQueue(tmp_path / "checks", terms(place))
    try:
        assert wait_for(second, identity).level == "likely"
        assert [t.id for t in second.tickets()] == [identity]
        assert second.remove(identity)
        assert not (tmp_path / "checks" / identity).exists()
    finally:
        second.close()


def test_kinds_of_files_are_known_by_their_suffix():
    assert known_suffix("A.Song.MP3") == ".mp3"
    for name in ("song", "song.exe", "mp3", ""):
        with pytest.raises(MelodysimError, match="does not read"):
            known_suffix(name)


def test_a_port_that_is_taken_is_said(run, place):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("serve", "--library", place / "library.db", "--port", port)
    assert done.returncode == 2
    assert "another with --port" in done.stderr
    assert os.linesep.join(done.stderr.splitlines()) == done.stderr.strip()


def import_(address, name, file, **more):
    query = urllib.parse.urlencode({"name": name, **more})
    status, body, _ = ask(address, f"/api/library?{query}", "POST", file.read_bytes())
    return status, json.loads(body)


def test_no_import_replaces_another_of_the_same_name(address, place):
    assert import_(address, "song.mid", FIXTURES / "twinkle.mid", rights="public-domain")[0] == 201
    status, _ = import_(
        address, "song.mid", FIXTURES / "harbour-band.mid", rights="in-copyright", holder="ACME"
    )
    assert status == 201
    (place / "other.mid").write_bytes(midi([scale(notes=(60, 64, 67, 72, 71, 67, 65, 62))]))
    assert import_(address, "paper-lanterns.mid", place / "other.mid", rights="own")[0] == 201
    status, answer = import_(address, "again.mid", place / "other.mid", rights="own")
    assert (status, answer) == (201, {"imported": 0, "unchanged": 1})
    with Store(place / "library.db") as store:
        found = store.entries_by_id(
            ["song.mid", "song.mid~2", "paper-lanterns.mid", "paper-lanterns.mid~2"]
        )
    assert [entry.rights.status for entry in found.values()] == [
        "public-domain", "in-copyright", "in-copyright", "own"
    ]  # fmt: skip
    assert found["song.mid~2"].rights.holder == "ACME"
    before = sorted((place / "imported").rglob("*"))
    (place / "garbage.mid").write_bytes(b"garbage")
    assert import_(address, "song.mid", place / "garbage.mid")[0] == 400
    assert sorted((place / "imported").rglob("*")) == before
    for identity in ("song.mid", "song.mid~2", "paper-lanterns.mid~2"):
        ask(address, f"/api/library?{urllib.parse.urlencode({'id': identity})}", "DELETE")


def test_odd_names_are_imported_or_refused_in_words(address):
    for name in ("x" * 300 + ".mid", "!!!.mid", "\u202egpj.mid"):
        status, answer = import_(address, name, FIXTURES / "twinkle.mid", rights="own")
        assert status == 201, answer
    for path in ("/api/library?limit=²", f"/api/library?offset={'9' * 5000}"):
        assert ask(address, urllib.parse.quote(path, safe="/?=&"))[0] == 200
    for asked in (b"[" * 50_000, b'{"id": "paper-lanterns.mid", "holder": "\\ud800"}'):
        assert ask(address, "/api/library/rights", "POST", asked)[0] == 400


def test_an_upload_that_was_cut_off_is_swept_away(place, tmp_path):
    torn = tmp_path / "checks" / "0123456789abcdef"
    torn.mkdir(parents=True)
    (torn / "track.wav").write_bytes(b"half")
    CheckQueue(tmp_path / "checks", terms(place)).close()
    assert not torn.exists()


def test_an_import_that_waits_does_not_keep_the_program_from_ending(place, tmp_path):
    import threading

    queue = CheckQueue(tmp_path / "checks", terms(place))
    os.mkfifo(tmp_path / "hangs.mid")
    failed = []

    def wait():
        try:
            queue.import_file(tmp_path / "hangs.mid", Rights("own"), None, None)
        except MelodysimError as error:
            failed.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.5)
    queue.close()
    waiting.join(10)
    assert not waiting.is_alive()
    assert failed


def test_a_killed_server_leaves_no_worker(place, tmp_path):
    hangs = tmp_path / "checks" / "0123456789abcdef"
    hangs.mkdir(parents=True)
    os.mkfifo(hangs / "track.mid")
    ticket = {"id": hangs.name, "name": "x.mid", "suffix": ".mid", "asked": "2026"}
    (hangs / "check.json").write_text(json.dumps(ticket))
    arguments = ["serve", "--library", place / "library.db", "--port", "0", "--folder", hangs.parent]
    server = subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stderr=subprocess.PIPE,
        text=True,
    )
    server.stderr.readline()
    end = time.monotonic() + 30
    while not (hangs / "stage").exists():
        assert time.monotonic() < end
        time.sleep(0.1)
    children = [p for p in Path("/proc").glob("[0-9]*/stat") if _parent(p) == server.pid]
    assert children
    server.kill()
    server.wait()
    end = time.monotonic() + 10
    while any(_alive(path) for path in children):
        assert time.monotonic() < end
        time.sleep(0.2)


def _fields(stat):
    try:
        return stat.read_text().rsplit(")", 1)[1].split()
    except OSError:
        return ["X", "0"]


def _parent(stat):
    return int(_fields(stat)[1])


def _alive(stat):
    return _fields(stat)[0] not in "ZX"


def test_the_page_says_what_the_library_holds(address, page):
    page.goto(address)
    page.locator("#holdings", has_text="protected").wait_for()
    assert "The library holds" in page.locator("#holdings").inner_text()


def test_a_library_is_made_where_there_is_none(tmp_path):
    arguments = ["serve", "--library", str(tmp_path / "new.db"), "--port", "0", "-q"]
    server = subprocess.Popen([*COMMAND, *arguments], stderr=subprocess.PIPE, text=True)
    try:
        line = server.stderr.readline()
        assert line.startswith("melodysim: http://127.0.0.1:"), line
        held = json.loads(ask(line.split(" ")[1].strip(), "/api/library/holdings")[1])
        assert held["melodies"] > 10_000
        assert held["protected"] == 0
    finally:
        server.send_signal(2)
        server.wait(20)


def test_an_entry_is_played_and_named_anew(address, place, page):
    page.goto(address + "library")
    page.fill("#text", "paper-lanterns.mid")
    page.wait_for_selector("#entries tbody tr:only-child")
    page.get_by_role("button", name="Play Paper Lanterns").click()
    page.wait_for_selector("#entries button[aria-pressed=true]")
    page.get_by_role("button", name="Edit Paper Lanterns").click()
    page.fill("#edit-name", "Lanterns <i>of paper")
    page.fill("#edit-creator", "Somebody")
    page.locator("#save").click()
    page.locator("#entries td", has_text="Lanterns <i>of paper").wait_for()
    with Store(place / "library.db") as store:
        entry = store.entries_by_id(["paper-lanterns.mid"])["paper-lanterns.mid"]
    assert (entry.title, entry.creator) == ("Lanterns <i>of paper", "Somebody")
    named = json.dumps({"id": "paper-lanterns.mid", "title": "Paper Lanterns", "creator": None})
    assert ask(address, "/api/library/names", "POST", named.encode())[0] == 200
    for asked in (b"{}", b'{"id": "x", "title": " "}', b'{"id": "nothing", "title": "t"}'):
        assert ask(address, "/api/library/names", "POST", asked)[0] == 400


HUM = """() => {
    // A microphone that hums: four notes, again and again.
    navigator.mediaDevices.getUserMedia = async () => {
        const context = new AudioContext(), voice = context.createOscillator();
        const out = context.createMediaStreamDestination();
        await context.resume();
        const now = context.currentTime, tune = [60, 64, 67, 65, 62, 69, 71, 72, 67, 64, 62, 60];
        tune.forEach((pitch, k) =>
            voice.frequency.setValueAtTime(440 * 2 ** ((pitch - 69) / 12), now + 0.45 * k));
        voice.connect(out);
        voice.start();
        return out.stream;
    };
}"""


def test_a_song_is_hummed_shown_played_and_taken_off(address, page):
    page.goto(address + "suspects")
    page.locator("#none").wait_for()
    page.evaluate(HUM)
    page.fill("#title", "<b>My</b> hum")
    page.locator("#hum").click()
    page.wait_for_timeout(7000)
    page.locator("#hum").click()
    page.locator("#says", has_text="watched for from now on").wait_for(timeout=60_000)
    row = page.locator("article.suspect")
    assert row.locator(".check-name").inner_text() == "<b>My</b> hum"
    assert row.locator("svg .note").count() >= 5
    row.get_by_role("button", name="Play what was heard").click()
    page.wait_for_selector("article.suspect button[aria-pressed=true]")
    row.locator("input[type=file]").set_input_files(FIXTURES / "twinkle.mid")
    page.locator("#says", has_text="corrected").wait_for(timeout=60_000)
    page.locator("article.suspect", has_text="Corrected by hand").wait_for()
    # Every check asks about it by itself.
    ticket = finished(address, json.loads(upload(address, FIXTURES / "twinkle.mid")[1])["id"])
    assert ticket["level"] in {"review", "likely"}
    assert "A song you named" in ticket["words"]
    status, midi, _ = ask(
        address, f"/api/suspects/midi?{urllib.parse.urlencode({'id': '<b>My</b> hum'})}"
    )
    assert (status, midi[:4]) == (200, b"MThd")
    page.get_by_role("button", name="Take <b>My</b> hum off the list").click()
    page.locator("#none").wait_for()
    assert ask(address, "/api/suspects?id=nothing", "DELETE")[0] == 400


def test_a_finding_is_accepted_and_alarms_no_more(address, page):
    ticket = finished(address, json.loads(upload(address, FIXTURES / "paper-lanterns.mid")[1])["id"])
    assert ticket["grade"] == "likely"
    page.goto(address)
    row = page.locator(f"li[data-id='{ticket['id']}']")
    page.on("dialog", lambda dialog: dialog.accept("licence 9"))
    row.get_by_role("button", name="Accept").click()
    row.locator(".badge.accepted").wait_for(timeout=60_000)
    report = ask(address, f"/checks/{ticket['id']}")[1].decode()
    assert "licence 9" in report
    row.get_by_role("button", name="alarm again").click()
    row.locator(".badge.likely").wait_for(timeout=60_000)
    assert ask(address, "/api/findings", "POST", b'{"check": "0000000000000000"}')[0] == 404


def test_each_finding_is_settled_and_let_alarm_again_by_itself(address):
    content = (FIXTURES / "paper-lanterns.mid").read_bytes()
    assert ask(address, "/api/suspects?name=feared.mid&title=Feared", "POST", content)[0] == 201
    again = ask(address, "/api/suspects?name=feared.mid", "POST", content)
    assert again[0] == 400
    assert "this song is watched for already, as “Feared”" in json.loads(again[1])["error"]
    silent = io.BytesIO()
    soundfile.write(silent, np.zeros(22_050 * 2), 22_050, format="WAV")
    said = ask(address, "/api/suspects?name=silence.wav", "POST", silent.getvalue())
    assert json.loads(said[1])["error"].startswith("silence.wav: no melody was heard")
    (song,) = json.loads(ask(address, "/api/suspects")[1])["suspects"]
    assert song["source"] == "feared.mid"

    ticket = finished(address, json.loads(upload(address, FIXTURES / "paper-lanterns.mid")[1])["id"])
    assert [title for _, title in ticket["findings"]] == ["Feared", "Paper Lanterns"]
    assert ticket["words"].startswith("A song you named, “Feared”")

    def settle(finding, accept):
        asked = {"check": ticket["id"], "finding": finding, "accept": accept, "note": "n"}
        assert ask(address, "/api/findings", "POST", json.dumps(asked).encode())[0] == 200
        return finished(address, ticket["id"])

    named, library = (identity for identity, _ in ticket["findings"])
    half = settle(named, True)
    assert (half["level"], half["accepted"]) == ("likely", False)
    assert (half["findings"], half["settled"]) == ([[library, "Paper Lanterns"]], [[named, "Feared"]])
    both = settle(library, True)
    assert (both["findings"], both["accepted"]) == ([], True)
    back = settle(named, False)
    assert [identity for identity, _ in back["findings"]] == [named]
    settle(library, False)
    asked = {"check": ticket["id"], "finding": "0000000000", "accept": True}
    assert ask(address, "/api/findings", "POST", json.dumps(asked).encode())[0] == 404
    assert ask(address, "/api/suspects?id=Feared", "DELETE")[0] == 200


def test_an_upload_that_is_known_leaves_nothing(address, place):
    assert import_(address, "once.mid", FIXTURES / "harbour-band.mid", rights="own")[0] == 201
    before = sorted((place / "imported").rglob("*"))
    status, answer = import_(address, "twice.mid", FIXTURES / "harbour-band.mid", rights="own")
    assert (status, answer["imported"]) == (201, 0)
    assert sorted((place / "imported").rglob("*")) == before


def test_a_full_disk_is_said_in_words(monkeypatch, tmp_path):
    import asyncio
    import errno

    from melodysim.serve import requests

    class Full:
        def __init__(self):
            self.headers = {}

        async def stream(self):
            yield b"x"

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "open", full)
    # In a thread of its own: the browser's tests keep a loop running in this one.
    with ThreadPoolExecutor(1) as pool, pytest.raises(requests.RefusedError, match="the disk is full"):
        pool.submit(asyncio.run, requests.receive(Full(), tmp_path / "a", 100)).result()
