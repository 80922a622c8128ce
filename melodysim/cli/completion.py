"""``melodysim completion``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print a script that completes melodysim's commands and options in SHELL.

    \b
    bash: melodysim completion bash > ~/.local/share/bash-completion/completions/melodysim
    zsh:  melodysim completion zsh > "${fpath[1]}/_melodysim"
    fish: melodysim completion fish > ~/.config/fish/completions/melodysim.fish
    """
    from melodysim.cli import cli

    complete = get_completion_class(shell)
    if complete is None:  # pragma: no cover - the choices above are click's own
        raise click.UsageError(f"no completion for {shell}")
    click.echo(complete(cli, {}, "melodysim", "_MELODYSIM_COMPLETE").source())
