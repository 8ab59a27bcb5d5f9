"""The hook that adds `modnet serve`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import modnet

if TYPE_CHECKING:
    import click


@modnet.hookimpl
def modnet_commands(cli: click.Group) -> None:
    """Adds `modnet serve`."""
    from modnet_serve.options import serve

    cli.add_command(serve)
