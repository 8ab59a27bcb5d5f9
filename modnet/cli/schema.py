"""modnet schema"""

from __future__ import annotations

import json

import click

from modnet.cli.output import echo


@click.command("schema", short_help="Print the JSON Schema of a spec, for completion in an editor.")
@click.option("-o", "--output", metavar="FILE", type=click.Path(), help="Where to; by default the screen.")
def command(output: str | None) -> None:
    """Print the JSON Schema of a spec with every installed component in it, for completion and checks in an editor.

    \b
    Example:
      modnet schema -o modnet.schema.json
    """
    from modnet.model.atomic import replace_file
    from modnet.plugins.registry import default_registry
    from modnet.specs.schema import json_schema

    text = json.dumps(json_schema(default_registry()), indent=2) + "\n"
    if output is None or output == "-":
        echo(text, nl=False)
    else:
        replace_file(output, [text.encode()], durable=False)
