"""Installs the built wheels as people do, into empty environments, and runs the main job there.

Takes minutes and fetches packages, so it runs only where ``MELODYSIM_INSTALL=1`` is set. Pythons that
uv does not find are skipped.
"""

import functools
import os
import shutil
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
WANTED = "melodysim[audio,score]"
_QUICK = "dtw kernels seeds intervals melody midi abc store rights e_values models"
QUICK = [f"test_{name}.py" for name in _QUICK.split()]
"""Tests that are run with every Python: the kernels, the readers, the library, the networks."""
TESTING = ["pytest", "hypothesis", "onnx==1.23.2", "mido", "parasail", "jsonschema", "pip", "librosa"]

pytestmark = pytest.mark.skipif(
    not os.environ.get("MELODYSIM_INSTALL"), reason="MELODYSIM_INSTALL is not set"
)


def run(*command, env=None, cwd=None, status=0):
    """Run a command that has to end with a status; give what it wrote."""
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, env=env, cwd=cwd
    )
    assert done.returncode == status, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def index_url(tmp_path_factory):
    """A package index with the wheels of both distributions, as a folder that is served."""
    folder = tmp_path_factory.mktemp("index")
    run(
        sys.executable,
        "-m",
        "uv",
        "build",
        "--all-packages",
        "--wheel",
        "-o",
        folder / "built",
        cwd=ROOT,
    )
    for wheel in (folder / "built").glob("*.whl"):
        name = wheel.name.split("-")[0].replace("_", "-")
        (folder / name).mkdir()
        shutil.move(wheel, folder / name / wheel.name)
    handler = functools.partial(Silent, directory=folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture
def home(tmp_path):
    """Environment of somebody who has never run melodysim, and stands in an empty folder."""
    path = tmp_path / "home"
    path.mkdir()
    ours = ("VIRTUAL_ENV", "PYTHONPATH", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")
    env = {name: value for name, value in os.environ.items() if name not in ours}
    # What is fetched is kept with what pip and uv have fetched before.
    caches = {"PIP_CACHE_DIR": Path.home() / ".cache/pip", "UV_CACHE_DIR": Path.home() / ".cache/uv"}
    env |= {name: os.environ.get(name, str(folder)) for name, folder in caches.items()}
    return env | {
        "HOME": str(path),
        "XDG_DATA_HOME": str(path / "data"),
        "XDG_CACHE_HOME": str(path / "cache"),
    }


def the_main_job(program, env):
    """Run the demo, then a check of a recording against the library of the reader."""
    folder = env["HOME"]
    shown = run(program, "demo", env=env, cwd=folder)
    assert "LIKELY" in shown
    assert "CLEAR" in shown
    run(program, "library", "import", ROOT / "fixtures/paper-lanterns.mid", "--rights", "in-copyright",
        env=env, cwd=folder)  # fmt: skip
    recording = ROOT / "fixtures/copies-paper-lanterns.mp3"
    assert "paper-lanterns" in run(program, recording, "--format", "csv", env=env, cwd=folder, status=1)
    assert "compiled" in run(program, "doctor", env=env, cwd=folder)


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_with_pip(index_url, home, tmp_path, version):
    found = subprocess.run(
        [sys.executable, "-m", "uv", "python", "find", "--no-project", version],
        capture_output=True, text=True, check=False, env=home,
    )  # fmt: skip
    if found.returncode:
        pytest.skip(f"there is no Python {version} here")
    run(found.stdout.strip(), "-m", "venv", tmp_path / "venv", env=home)
    here = tmp_path / "venv" / "bin"
    run(here / "pip", "install", "-q", "--extra-index-url", index_url, WANTED, env=home)
    the_main_job(here / "melodysim", home)
    if version != "3.11":  # which the whole suite runs with
        run(here / "pip", "install", "-q", *TESTING, env=home)
        shutil.copytree(
            ROOT / "tests", tmp_path / "tests", ignore=shutil.ignore_patterns("__pycache__")
        )
        shutil.copytree(ROOT / "fixtures", tmp_path / "fixtures")
        for each in ("make_networks", "make_reference.py"):
            source, copy = ROOT / "models" / each, tmp_path / "tests" / each
            shutil.copytree(source, copy) if source.is_dir() else shutil.copy(source, copy)
        run(here / "python", "-P", "-m", "pytest", "-q", "-x", *QUICK, env=home, cwd=tmp_path / "tests")


def test_with_uv_tool(index_url, home, tmp_path):
    env = home | {"UV_TOOL_DIR": str(tmp_path / "tools"), "UV_TOOL_BIN_DIR": str(tmp_path / "bin")}
    install = [sys.executable, "-m", "uv", "tool", "install", "-q", "--python", "3.11"]
    run(*install, "--index", index_url, WANTED, env=env, cwd=tmp_path)
    the_main_job(tmp_path / "bin" / "melodysim", env)


def test_with_pipx(index_url, home, tmp_path):
    env = home | {"PIPX_HOME": str(tmp_path / "pipx"), "PIPX_BIN_DIR": str(tmp_path / "bin")}
    run(sys.executable, "-m", "pipx", "install", WANTED, "--pip-args", f"--extra-index-url {index_url}",
        env=env, cwd=tmp_path)  # fmt: skip
    the_main_job(tmp_path / "bin" / "melodysim", env)


def test_a_users_first_command_fetches_no_development_tools():
    names = run(sys.executable, "-m", "uv", "export", "--frozen", "--no-hashes", "-q", cwd=ROOT)
    packages = {line.split("==")[0] for line in names.splitlines() if "==" in line}
    assert "onnxruntime" in packages
    assert not packages & {"playwright", "pytest", "mypy", "ruff", "onnx", "torch", "tensorflow"}
