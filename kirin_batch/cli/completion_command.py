"""`kirin-batch completion`: prints the script that makes a shell complete."""

import click

from kirin_batch.cli.completion import SHELLS, completion_script
from kirin_batch.errors import ExitCode

__all__ = ["command"]

_EPILOG = """\b
Examples:
  eval "$(kirin-batch completion bash)"
  kirin-batch completion zsh > ~/.zfunc/_kirin-batch
  kirin-batch completion fish > ~/.config/fish/completions/kirin-batch.fish

\b
bash (4.4 or later): the first line, in ~/.bashrc. With the package
bash-completion, or as a file of its own, which starts shells faster:
  kirin-batch completion bash \\
    > ~/.local/share/bash-completion/completions/kirin-batch
zsh: the second line, once; and in ~/.zshrc, before `compinit` is called:
  fpath+=(~/.zfunc); autoload -Uz compinit; compinit
fish: the third line, once.

\b
Jobs, tags and specs are those of .kirin/manifest.json, which a run writes;
models are the bundled ones too.
"""


@click.command("completion", epilog=_EPILOG)
@click.argument("shell", type=click.Choice(list(SHELLS)))
def command(shell: str) -> int:
    """Print the script that makes SHELL complete commands, options, jobs, tags, models and specs."""
    click.echo(completion_script(shell), nl=False)
    return ExitCode.DONE
