"""Put what benchmarks printed into the pages that show it.

``docs/research/results/NAME.txt`` holds a command and, below it, what it printed. A page shows it
between ``<!-- result: NAME -->`` and ``<!-- end -->``. Nobody writes such a block by hand::

    python docs/make_results.py                     # all blocks, from the files
    python docs/make_results.py --run kernels       # run the command of one anew, then the same
"""

from __future__ import annotations

import argparse
import re
import subprocess
from pathlib import Path

DOCS = Path(__file__).resolve().parent
RESULTS = DOCS / "research" / "results"
BLOCK = re.compile(r"<!-- result: (\S+) -->\n.*?<!-- end -->\n", re.DOTALL)


def command_lines(text: str) -> list[str]:
    """Return the lines of the command that a results file begins with."""
    lines = text.splitlines()
    last = next(k for k, line in enumerate(lines) if not line.endswith("\\"))
    return lines[: last + 1]


def command_of(text: str) -> str:
    """Return that command as one line."""
    words = (line.removesuffix("\\").strip() for line in command_lines(text))
    return " ".join(words).removeprefix("$ ")


def rewritten(page: str) -> str:
    """Return a page with every block as its results file has it."""

    def block(found: re.Match[str]) -> str:
        name = found[1]
        text = (RESULTS / f"{name}.txt").read_text(encoding="utf-8").strip("\n")
        return f"<!-- result: {name} -->\n```text\n{text}\n```\n<!-- end -->\n"

    return BLOCK.sub(block, page)


def pages() -> dict[Path, list[str]]:
    """Return the names of the results that each page shows, of those that show any."""
    found = {
        page: BLOCK.findall(page.read_text(encoding="utf-8")) for page in sorted(DOCS.rglob("*.md"))
    }
    return {page: names for page, names in found.items() if names}


def measure(name: str) -> None:
    """Run the command of a results file again and keep what it prints."""
    path = RESULTS / f"{name}.txt"
    text = path.read_text(encoding="utf-8")
    done = subprocess.run(
        command_of(text), shell=True, cwd=DOCS.parent, stdout=subprocess.PIPE, text=True, check=True
    )
    kept = [*command_lines(text), done.stdout.strip(), ""]
    path.write_text("\n".join(kept), encoding="utf-8")


def main() -> None:
    """Rewrite the pages whose results have changed, and name them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--run", nargs="+", default=[], metavar="NAME", help="measure these anew first")
    for name in parser.parse_args().run:
        measure(name)
    for page in pages():
        text = page.read_text(encoding="utf-8")
        if (new := rewritten(text)) != text:
            page.write_text(new, encoding="utf-8")
            print(page.relative_to(DOCS.parent))


if __name__ == "__main__":
    main()
