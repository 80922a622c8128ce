"""``melodysim ask``: a question to the daemon, from a language that has no client of its own.

Imports the standard library and click alone, so that it is over at once.
"""

from __future__ import annotations

import json
from typing import Any

import click


@click.command()
@click.argument("request", type=click.File("rb"))
@click.option(
    "--format", "form", type=click.Choice(["json", "lines"]), default="json", show_default=True,
    help="lines: one a value, for languages without JSON.",
)  # fmt: skip
def command(request: Any, form: str) -> None:
    """Ask the daemon what stands in the file REQUEST (- for standard input), starting it if need be.

    \b
    {"do": "check_notes", "with": {"onsets": [0, 0.5, …], "durations": […], "pitches": […]}}

    The answer is a track as `check --format json` has it.
    """
    from melodysim.daemon import client

    try:
        asked = json.load(request)
        answer = client.ask(asked["do"], **asked.get("with", {}))
    except client.AskError as error:
        raise click.ClickException(str(error)) from error
    except (ValueError, KeyError, TypeError) as error:
        raise click.ClickException(f"{request.name}: not a request ({error}); see --help") from error
    if form == "json":
        click.echo(json.dumps(answer, ensure_ascii=False, indent=1))
        return
    for line in _lines(answer):
        click.echo(line)


def _lines(answer: dict[str, Any]) -> list[str]:
    """Give what a table or markers need, tab-separated: words first, then values."""

    def text(value: Any) -> str:
        return str("" if value is None else value).replace("\t", " ").replace("\n", " ")

    rows: list[tuple[Any, ...]] = []
    if "id" in answer:
        rows.append(("id", answer["id"]))
    if "verdict" in answer:
        rows.append(("verdict", answer["verdict"], answer["probability"]))
        rows += [("reason", reason) for reason in answer["reasons"]]
        settled = {one["id"] for one in answer["accepted"]}
        for match in answer["matches"]:
            reference = match["reference"]
            status = reference["rights"]["status"]
            rows.append(
                (
                    "match",
                    *match["query"]["seconds"],
                    match["e_value"],
                    match["notes"],
                    match["identity"],
                    match["transposition"],
                    "accepted" if reference["id"] in settled else status,
                    reference["title"],
                    reference["creator"],
                )
            )
    return ["\t".join(map(text, row)) for row in rows]
