"""The body of `modnet schema`."""

from __future__ import annotations

import json

from modnet.cli.output import echo
from modnet.model.atomic import replace_file
from modnet.plugins.registry import default_registry
from modnet.specs.json_schema import json_schema


def run(output: str | None) -> None:
    text = json.dumps(json_schema(default_registry()), indent=2) + "\n"
    if output is None or output == "-":
        echo(text, nl=False)
    else:
        replace_file(output, [text.encode()], durable=False)
