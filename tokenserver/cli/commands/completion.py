"""`completion`: the few lines that a shell needs in order to ask this command what could come next."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from tokenserver.cli.session import Session, shared_options, show_lines

_VARIABLE = "_TOKENSERVER_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@shared_options
def completion(_session: Session, shell: str) -> None:
    """Print what makes SHELL complete commands and options.

    bash: eval "$(tokenserver completion bash)" in ~/.bashrc. zsh: the same with zsh in ~/.zshrc. fish: tokenserver
    completion fish > ~/.config/fish/completions/tokenserver.fish
    """
    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"There is no completion for {shell}.")
    made = found(click.get_current_context().find_root().command, {}, "tokenserver", _VARIABLE)
    show_lines(made.source_template % made.source_vars())
