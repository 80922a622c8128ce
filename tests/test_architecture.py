"""The rooms: what imports what, and that a name means one thing."""

import ast
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

import melodysim

PACKAGE = Path(melodysim.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
CONTRACTS = PACKAGE.parent / "pyproject.toml"


def linted(config, tmp_path):
    """Run the contracts of pyproject.toml on a copy of the package."""
    command = [
        str(Path(sys.executable).with_name("lint-imports")),
        "--config",
        str(config),
        "--no-cache",
    ]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("module", "line", "kept"),
    [
        ("melody.py", "", True),
        ("melody.py", "import melodysim.search.match", False),  # upwards
        ("util/plain_text.py", "from melodysim.melody import Melody", False),
        ("align/dtw.py", "import numba", False),  # a check of notes would wait for it
        ("report/json.py", "import matplotlib", False),
    ],
)
def test_an_import_against_the_contracts_is_found(tmp_path, module, line, kept):
    copy = tmp_path / "melodysim"
    for source in MODULES:
        place = copy / source.relative_to(PACKAGE)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(source.read_text())
    changed = copy / module
    changed.write_text(changed.read_text() + f"\n{line}\n")
    done = linted(CONTRACTS, tmp_path)
    assert (done.returncode == 0) == kept, done.stdout


def public_classes():
    """Yield the names of public classes with the modules that define them."""
    for path in MODULES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                yield node.name, path


def test_a_class_has_its_name_for_itself():
    homes = defaultdict(set)
    for name, path in public_classes():
        homes[name].add(path)
    assert not {name: paths for name, paths in homes.items() if len(paths) > 1}


def test_a_module_has_its_name_for_itself():
    homes = defaultdict(list)
    for path in MODULES:
        # A command is called after what it does, which may be a room or a verb.
        if path.stem != "__init__" and "commands" not in path.parts:
            homes[path.stem].append(path)
    assert not {name: paths for name, paths in homes.items() if len(paths) > 1}


def test_no_public_name_is_also_a_room():
    # Importing a room would put the module in the place of the function: melodysim.read, say.
    rooms = {path.stem for path in PACKAGE.iterdir()}
    assert not rooms & set(melodysim.__all__)


def test_every_public_name_is_there():
    for name in melodysim.__all__:
        assert getattr(melodysim, name) is not None
    assert set(melodysim.__all__) <= set(dir(melodysim))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        melodysim.nothing  # noqa: B018


def test_rooms_are_small():
    for folder in {path.parent for path in MODULES} - {PACKAGE}:
        entries = [e for e in folder.iterdir() if e.name != "__pycache__" and ".so" not in e.suffixes]
        assert len([e for e in entries if not e.name.startswith("_native")]) <= 12, folder
    for path in MODULES:
        assert len(path.read_text().splitlines()) <= 500, path


def test_who_asks_the_package_by_its_public_face():
    # Conveniences of public classes forward to the public function; nothing else reaches upwards so.
    asking = set()
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import) and any(a.name == "melodysim" for a in node.names):
                asking.add(path.relative_to(PACKAGE).as_posix())
    assert asking == {"melody.py", "library/library.py", "report/reports.py"}
