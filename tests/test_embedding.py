"""melodysim inside a host that embeds Python and starts it more than once."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from conftest import small_library

import melodysim

SCRIPT = """
import importlib, os, sys, threading
import melodysim
importlib.reload(melodysim)
notes = [0.25 * k for k in range(32)], [0.25] * 32, [60, 62, 64, 65, 67, 69, 71, 72] * 4
try:
    level = melodysim.check_notes(*notes, library=os.environ["LIBRARY"]).verdict.level
except ImportError as error:
    level = str(error)
with open(os.environ["SAID"], "a") as said:
    said.write(level + "\\n")
held = [os.path.realpath("/proc/self/fd/" + name) for name in os.listdir("/proc/self/fd")]
assert not [path for path in held if path.endswith((".db", "-wal", "-shm"))], held
assert threading.active_count() == 1
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """A C program that embeds this Python."""
    compiler, config = shutil.which("cc"), sysconfig.get_config_vars()
    shared = Path(config.get("LIBDIR") or "", config.get("LDLIBRARY") or "")
    include = Path(sysconfig.get_path("include"))
    if not compiler or not config.get("Py_ENABLE_SHARED") or not (include / "Python.h").exists():
        pytest.skip("no C compiler, or no Python that can be embedded")
    made = tmp_path_factory.mktemp("host") / "host"
    source = Path(__file__).parent / "native" / "embedding.c"
    options = [f"-I{include}", f"-Wl,-rpath,{shared.parent}"]
    subprocess.run([compiler, source, *options, shared, "-o", made], check=True)
    return made


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_host_that_starts_python_three_times(host, tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    environment = {
        # Coverage cannot be loaded a second time in a process either.
        **{name: value for name, value in os.environ.items() if name != "COVERAGE_PROCESS_CONFIG"},
        "LIBRARY": str(small_library(tmp_path / "library.db")),
        "SAID": str(tmp_path / "said"),
    }
    # Python 3.12.1 itself does not survive this: then there is nothing to be seen of ours.
    (tmp_path / "control.py").write_text("import json, mmap, sqlite3, threading")
    if subprocess.run([host, "", tmp_path / "control.py", "3"], check=False).returncode:
        pytest.skip("the standard library of this Python crashes when it is loaded again")
    paths = os.pathsep.join([str(Path(melodysim.__file__).parents[1]), *sys.path[1:]])
    done = subprocess.run(
        [host, paths, tmp_path / "script.py", "3"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    first, *later = (tmp_path / "said").read_text().splitlines()
    assert first == "clear"
    # numpy refuses to be loaded twice: that is said in words, and nothing crashes.
    assert len(later) == 2
    assert all("daemon" in line for line in later)
