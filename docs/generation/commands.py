"""The help texts of the commands."""

from __future__ import annotations

import click

from modnet.cli.app import cli
from modnet.cli.commands import BODIES, COMMANDS


def help_texts() -> dict[str, str]:
    """`modnet train --help` -> what it prints on a terminal of 80 columns (click leaves two free)."""
    texts = {}
    commands = {
        "modnet": cli,
        **{f"modnet {name}": row.made() for name, row in {**COMMANDS, **BODIES}.items()},
    }
    for name, command in commands.items():
        context = click.Context(command, info_name=name, terminal_width=78, **cli.context_settings)
        context.meta["modnet.plugin_commands"] = {}  # none, whatever is installed here
        texts[f"{name} --help"] = f"```text\n{command.get_help(context)}\n```"
    return texts
