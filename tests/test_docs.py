"""The documentation: links, commands, examples, and figures that come from results files."""

import ast
import importlib.util
import re
import shlex
import subprocess
import sys

import click
import pytest
from conftest import ROOT

from melodysim.cli import cli

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "models" / "README.md", *sorted(DOCS.rglob("*.md"))]
BEFORE = {"python3", "-m", "uv", "run", "$"}
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def load(name):
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def blocks(page, *languages):
    return [text for kind, text in FENCE.findall(page.read_text("utf-8")) if kind in languages]


def test_the_site_is_built_without_a_warning(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "--site-dir", tmp_path / "site"],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "check_notes" in (tmp_path / "site" / "api" / "index.html").read_text("utf-8")


@pytest.mark.parametrize("page", PAGES[:2], ids=lambda page: page.parent.name)
def test_links_outside_the_site_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8")):
        assert target.startswith("http") or (page.parent / target).exists(), target


def shell_lines(page):
    """What a page shows as typed into a shell: in blocks of it, after a $, or in prose."""
    text = page.read_text("utf-8")
    for block in blocks(page, "sh", "console", "cron", "yaml"):
        yield from re.sub(r"\\\n\s*", " ", block).splitlines()
    yield from re.findall(r"^\s*(\$ melodysim .*)$", text, re.MULTILINE)
    yield from re.findall(r"(?<!`)`(melodysim [a-z][^`\n]*)`", text)


def commands(page):
    """The commands of melodysim that a page shows, without comments, pipes and what surrounds them."""
    found = []
    for line in shell_lines(page):
        words = shlex.split(line.strip().removeprefix("$ ").partition("  ")[0], comments=True)
        stops = [k for k, word in enumerate(words) if word in {"|", "||", "&&", ">", ">>", ";", "&"}]
        for first, last in zip([-1, *stops], [*stops, len(words)], strict=True):
            part = words[first + 1 : last]
            starts = [k for k, word in enumerate(part) if word == "melodysim"][:1]
            # Also after environment variables, and after `python3 -m uv run`.
            if starts and all("=" in w or w in BEFORE for w in part[: starts[0]]):
                found.append(part[starts[0] + 1 :])
    return found


def parsed(words):
    """Parse a command as it would be run, down to its options and the number of its arguments."""
    context = click.Context(cli, info_name="melodysim", **cli.context_settings)
    command, rest = cli, list(words)
    while isinstance(command, click.Group):
        with context:
            parser = command.make_parser(context)
            _, rest, _ = parser.parse_args(list(rest))
            if not rest:
                return
            name, command, rest = command.resolve_command(context, rest)
        context = click.Context(command, info_name=name, parent=context)
    command.make_parser(context).parse_args(list(rest))


def test_every_command_that_is_shown_exists_with_its_options():
    shown = [(page, words) for page in PAGES for words in commands(page)]
    assert len(shown) > 60
    for page, words in shown:
        try:
            # Prose names an option without its value: "`library rights --csv`".
            parsed([*words, "VALUE"] if words[-1].startswith("--") and len(words) > 1 else words)
        except click.ClickException as error:
            pytest.fail(f"{page.name}: melodysim {shlex.join(words)}: {error.format_message()}")


def test_python_that_is_shown_can_be_read():
    for page in PAGES:
        for text in blocks(page, "python"):
            ast.parse(text)


def test_the_readme_stays_short():
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) < 120


def test_every_figure_is_the_one_that_was_measured():
    results = load("make_results")
    shown = results.pages()
    assert set().union(*shown.values()) == {path.stem for path in results.RESULTS.glob("*.txt")}
    for page in shown:
        text = page.read_text("utf-8")
        assert results.rewritten(text) == text, f"{page.name} is older: run docs/make_results.py"


def test_results_name_commands_that_are_there():
    results = load("make_results")
    for path in results.RESULTS.glob("*.txt"):
        command = results.command_of(path.read_text("utf-8"))
        (script,) = re.findall(r"(benchmarks/\S+\.py)", command)
        assert (ROOT / script).exists()


def test_a_result_that_is_newer_than_its_page_is_seen(tmp_path, monkeypatch):
    results = load("make_results")
    (tmp_path / "speed.txt").write_text("$ uv run python \\\n    a.py\nfast: 3\n")
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    page = (
        "# Speed\n\n<!-- result: speed -->\n```text\n$ uv run python a.py\nfast: 2\n```\n<!-- end -->\n"
    )
    new = results.rewritten(page)
    assert "fast: 3" in new
    assert "fast: 2" not in new
    assert results.command_of((tmp_path / "speed.txt").read_text()) == "uv run python a.py"


def test_nothing_of_the_machine_or_of_releases_that_never_were():
    for page in PAGES:
        text = page.read_text("utf-8")
        assert not re.search(r"/work/|/root/|the (release|version) before", text), page.name
