"""Write docs/commands.md from the commands' own help: ``uv run python docs/make_commands.py``."""

from pathlib import Path

import click

from melodysim.cli import cli
from melodysim.cli.findings import command as findings


def sections(command: click.Command, context: click.Context) -> list[str]:
    """Help of a command and of the commands in it."""
    text = ["```text", context.get_help(), "```", ""]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            inner = click.Context(child, info_name=name, parent=context)
            text += [f"## {inner.command_path}", "", *sections(child, inner)]
            if name == "scan":  # its commands stand in for folders of such names
                whole = click.Context(findings, info_name=name, parent=context)
                text += sections(findings, whole)[4:]
    return text


def commands_page() -> str:
    """Give the whole page."""
    context = click.Context(
        cli, info_name="melodysim", max_content_width=88, terminal_width=88, **cli.context_settings
    )
    intro = "# Commands\n\nMade from the commands' own help by `docs/make_commands.py`.\n"
    return "\n".join([intro, *sections(cli, context)]).rstrip() + "\n"


if __name__ == "__main__":
    (Path(__file__).parent / "commands.md").write_text(commands_page())
