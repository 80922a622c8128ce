"""The daemon and its one-file client, as a script in another Python sees them."""

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from conftest import COMMAND, FIXTURES, daemon_of, small_library

import melodysim
from melodysim.cli.commands.ask import _lines
from melodysim.daemon import client


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return small_library(tmp_path_factory.mktemp("daemon") / "library.db")


@pytest.fixture
def runtime(path, tmp_path, monkeypatch):
    """A place of its own for the daemon's file; whatever was started is stopped."""
    with daemon_of(path, tmp_path, monkeypatch):
        yield tmp_path


def notes():
    tune = melodysim.read(FIXTURES / "paper-lanterns.mid").melodies[0]
    return {
        "onsets": tune.onset.tolist(),
        "durations": tune.duration.tolist(),
        "pitches": [float(p) + 1 for p in tune.pitch],
    }


def test_it_is_started_by_the_first_question_and_answers_the_next(runtime, path):
    stages = []
    assert not client.running()
    answer = client.ask("check_notes", stages.append, **notes(), top=1)
    assert answer["verdict"] == "likely"
    assert answer["matches"][0]["transposition"] == 1
    assert "aligning notes" in stages
    assert answer == melodysim.check_notes(**notes(), library=path, top=1).to_dict()
    began = time.monotonic()
    assert client.ask("ping")["melodies"] == 3
    assert time.monotonic() - began < 5
    state = runtime / "melodysim-daemon.json"
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    client.ask("stop")
    end = time.monotonic() + 20
    while state.exists():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_files_additions_and_what_is_wrong(runtime, tmp_path, path):
    own = tmp_path / "own.db"
    shutil.copy(path, own)
    found = client.ask("check_file", path=str(FIXTURES / "paper-lanterns.mid"), library=str(own))
    assert found["matches"][0]["reference"]["id"] == "paper-lanterns.mid"
    assert client.ask("add", **notes(), title="My hook", rights="own", library=str(own)) == {
        "id": "My hook"
    }
    assert client.ask("check_notes", **notes(), library=str(own))["matches"][0]["reference"]["id"] in (
        "My hook", "paper-lanterns.mid"
    )  # fmt: skip
    for question, given, words in (
        ("check_file", {"path": "nowhere.mid"}, "no such file"),
        ("check_notes", {"onsets": [0], "durations": [1], "pitches": ["x"]}, "not numbers"),
        ("check_notes", {"onsets": [0]}, "missing"),
        ("sing", {}, "no such question"),
        ("ping", {"library": str(tmp_path / "none.db")}, "no library there"),
    ):
        with pytest.raises(client.AskError, match=words):
            client.ask(question, **given)


def test_who_does_not_know_the_token_gets_nothing(runtime):
    client.ask("ping")
    state = json.loads((runtime / "melodysim-daemon.json").read_text())
    for request in (b'{"token": "0", "do": "ping", "with": {}}\n', b"GET / HTTP/1.1\n", b"[]\n"):
        with socket.create_connection(("127.0.0.1", state["port"]), 10) as connection:
            connection.sendall(request)
            said = connection.makefile().readline()
        assert "error" in json.loads(said)
        assert state["token"] not in said
    assert client.running()


def test_eight_clients_at_once(runtime):
    expected, found = client.ask("check_notes", **notes()), []
    threads = [
        threading.Thread(target=lambda: found.append(client.ask("check_notes", **notes())))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 8


def test_it_ends_when_nobody_asks(runtime, path):
    command = [*COMMAND, "daemon"]
    running = subprocess.Popen([*command, "--idle", "1", "--library", str(path)])
    end = time.monotonic() + 30
    while not client.running():
        assert time.monotonic() < end
        time.sleep(0.05)
    second = subprocess.run([*command, "--idle", "1"], capture_output=True, text=True, check=False)
    assert "running already" in second.stderr
    assert running.wait(30) == 0
    assert not (runtime / "melodysim-daemon.json").exists()


def test_a_command_that_is_not_there(runtime, monkeypatch):
    monkeypatch.setenv(client.COMMAND, "/nowhere/melodysim")
    with pytest.raises(client.AskError, match="install melodysim"):
        client.ask("ping")
    monkeypatch.setenv(client.COMMAND, f"{sys.executable} -c 'raise SystemExit(3)'")
    with pytest.raises(client.AskError, match="daemon` in a terminal"):
        client.ask("ping")


def test_ask_from_the_command_line(runtime, run, tmp_path, path):
    request = tmp_path / "request.json"
    request.write_text(json.dumps({"do": "check_notes", "with": {**notes(), "library": str(path)}}))
    done = run("ask", request)
    assert json.loads(done.stdout)["verdict"] == "likely"
    rows = [line.split("\t") for line in run("ask", request, "--format", "lines").stdout.splitlines()]
    assert rows[0][:2] == ["verdict", "likely"]
    match = next(row for row in rows if row[0] == "match")
    assert match[8] == "Paper Lanterns"
    assert float(match[1]) < float(match[2])
    request.write_text("{}")
    bad = run("ask", request)
    assert bad.returncode == 2
    assert "not a request" in bad.stderr


# Others that are installed beside this one, as pyenv and uv do.
OTHER_PYTHONS = sorted(
    path
    for path in Path(sys.base_prefix).parent.glob("*3.*/bin/python3")
    if int(path.parent.parent.name.split("3.")[1].split(".")[0].split("-")[0]) >= 8
)


def test_the_client_is_one_file_for_old_pythons(runtime, tmp_path):
    import ast

    source = Path(client.__file__).read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 8))
    imported = {
        name.name.split(".")[0]
        for node in ast.walk(tree)
        for name in getattr(node, "names", [])
        if isinstance(node, ast.Import)
    } | {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= sys.stdlib_module_names
    copied = tmp_path / "elsewhere" / "melodysim_client.py"
    copied.parent.mkdir()
    copied.write_text(source)
    for python in [sys.executable, *OTHER_PYTHONS]:
        done = subprocess.run(
            [python, "-I", str(copied), "check_notes"],
            input=json.dumps(notes()), capture_output=True, text=True, check=False, env=os.environ,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["verdict"] == "likely"


def test_nothing_long_is_read_before_the_token_is_known(runtime):
    client.ask("ping")
    state = json.loads((runtime / "melodysim-daemon.json").read_text())
    with socket.create_connection(("127.0.0.1", state["port"]), 10) as connection:
        connection.sendall(b'{"do": "ping", "with": {"x": "' + b"y" * 100_000)  # and no end
        connection.settimeout(10)
        said = connection.makefile().readline()
    assert "token first" in json.loads(said)["error"]
    assert client.running()


@pytest.mark.parametrize("token", ['"\\ud800"', '"é"', "3", "null", "[]", '"' + "0" * 99 + '"'])
def test_odd_tokens_are_answered(runtime, token):
    client.ask("ping")
    state = json.loads((runtime / "melodysim-daemon.json").read_text())
    request = f'{{"token": {token}, "do": "ping", "with": {{}}}}\n'.encode()
    with socket.create_connection(("127.0.0.1", state["port"]), 10) as connection:
        connection.sendall(request)
        assert "error" in json.loads(connection.makefile().readline())
    assert client.running()


def test_deep_json_is_answered(runtime):
    client.ask("ping")
    state = json.loads((runtime / "melodysim-daemon.json").read_text())
    deep = "[" * 200_000
    with socket.create_connection(("127.0.0.1", state["port"]), 10) as connection:
        begun = f'{{"token": "{state["token"]}", "do": "ping", "with": {deep}\n'
        connection.sendall(begun.encode())
        assert "not a request" in json.loads(connection.makefile().readline())["error"]
    assert client.running()


def test_an_impostor_at_its_address_gets_no_notes(runtime):
    heard = []
    listener = socket.create_server(("127.0.0.1", 0))

    def impostor():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                heard.append(connection.recv(100_000))
                connection.sendall(b'{"proof": "0000"}\n{"answer": {}}\n')

    thread = threading.Thread(target=impostor, daemon=True)
    thread.start()
    state = {"port": listener.getsockname()[1], "token": "secret"}
    (runtime / "melodysim-daemon.json").write_text(json.dumps(state))
    assert not client.running()
    # The file is stale: a daemon is started in its place, and answers.
    assert client.ask("check_notes", **notes(), top=1)["verdict"] == "likely"
    listener.close()
    assert heard
    assert not any(b"onsets" in said or b"secret" in said for said in heard)


@pytest.mark.parametrize("content", ["", "[]", '{"port": "x"}', '{"port": 1, "token": "a"}', "\x00"])
def test_a_stale_file_is_made_anew(runtime, content):
    (runtime / "melodysim-daemon.json").write_text(content)
    assert client.ask("ping")["melodies"] == 3


def test_a_relative_path_is_the_askers(runtime, tmp_path, path, monkeypatch):
    for name, song in (("one", "paper-lanterns.mid"), ("two", "twinkle.mid")):
        (tmp_path / name).mkdir()
        shutil.copy(FIXTURES / song, tmp_path / name / "mix.mid")
    shutil.copy(path, tmp_path / "two" / "own.db")
    monkeypatch.chdir(tmp_path / "one")
    assert client.ask("check_file", path="mix.mid")["verdict"] == "likely"  # starts the daemon here
    monkeypatch.chdir(tmp_path / "two")
    answer = client.ask("check_file", path="mix.mid", library="own.db")
    assert answer["verdict"] != "likely"
    assert Path(answer["source"]) == tmp_path / "two" / "mix.mid"


def test_what_goes_wrong_at_the_asker_is_not_the_daemons(runtime):
    with pytest.raises(client.AskError, match="not a request that JSON can hold"):
        client.ask("check_notes", onsets=range(3), durations=[1] * 3, pitches=[60] * 3)

    def stage(_):
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        client.ask("check_notes", stage, **notes())
    with pytest.raises(client.AskError, match="give a number of matches"):
        client.ask("check_notes", **notes(), top="abc")
    with pytest.raises(client.AskError, match="needs a title"):
        client.ask("add", **notes(), title=None)


def test_the_library_is_the_askers(runtime, tmp_path, path, monkeypatch):
    other = tmp_path / "other.db"
    melodysim.Library.open(other, create=True).add(
        melodysim.read(FIXTURES / "twinkle.mid").melodies[0], "Twinkle"
    )
    monkeypatch.setenv("MELODYSIM_LIBRARY", str(other))
    assert client.ask("ping")["melodies"] == 1  # starts the daemon
    monkeypatch.setenv("MELODYSIM_LIBRARY", str(path))
    assert client.ask("ping")["melodies"] == 3
    assert client.ask("check_notes", **notes())["verdict"] == "likely"
    assert client.ask("ping", library=str(other))["melodies"] == 1


@pytest.mark.parametrize(
    ("question", "given", "says"),
    [
        ("check_notes", {"onsets": [1]}, "check_notes: durations, pitches missing"),
        ("ping", {"tell": 1}, "ping takes no tell; it takes library"),
        ("ping", {"library": 5}, "are names of files"),
        ("check_file", {"path": None}, "are names of files"),
        ("add", {"title": "a\ud800"}, "half a character"),
    ],
)
def test_wrong_arguments_are_answered_in_words(runtime, question, given, says):
    if question == "add":
        given = {**notes(), **given}
    with pytest.raises(client.AskError, match=says):
        client.ask(question, **given)


def test_a_daemon_that_is_ended_from_outside_removes_its_file(runtime):
    state = runtime / "melodysim-daemon.json"
    with subprocess.Popen([*COMMAND, "daemon"]) as daemon:
        end = time.monotonic() + 60
        while not client.running():
            assert time.monotonic() < end
            time.sleep(0.05)
        daemon.terminate()
        daemon.wait(20)
    assert not state.exists()


def test_what_somebody_has_settled_is_no_alarm_in_lines(library, fixtures):
    """Hosts mark passages by the status of the work."""
    answer = library.check(fixtures / "paper-lanterns.mid").to_dict()
    (row,) = [row for row in _lines(answer) if row.startswith("match") and "Paper Lanterns" in row]
    assert "\tin-copyright\t" in row
    settled = answer | {"accepted": [{"id": answer["closest"]["id"], "note": "", "day": "2026-01-01"}]}
    (row,) = [row for row in _lines(settled) if row.startswith("match") and "Paper Lanterns" in row]
    assert "\taccepted\t" in row
