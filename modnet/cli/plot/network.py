"""The body of `modnet plot network`."""

from __future__ import annotations

from modnet.cli.plot.place import place_of, tell
from modnet.cli.summary import network_in
from modnet.engine.drawing import check_form, content_of
from modnet.model.atomic import replace_file


def run(file: str, output: str | None, settings: tuple[str, ...], plugins: tuple[str, ...]) -> None:
    path = place_of(output, file, "network", check_form)
    network = network_in(file, plugins, settings)
    replace_file(path, [content_of(network, check_form(path))], durable=False)
    tell(path)
