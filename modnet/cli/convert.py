"""The body of `modnet convert`."""

from __future__ import annotations

from pathlib import Path

from modnet.cli.output import tell
from modnet.cli.places import check_output
from modnet.cli.plugin_file import load_plugin_files
from modnet.cli.prediction import check_not_input
from modnet.cli.settings import parse_pairs, parsed_value
from modnet.model.formats import check_options
from modnet.model.load import load
from modnet.model.reader import opened
from modnet.model.save import save
from modnet.plugins.registry import default_registry
from modnet.words import legible, readable_bytes


def run(source: str, target: str, options: tuple[str, ...], plugins: tuple[str, ...]) -> None:
    load_plugin_files(plugins)
    path = Path(target)
    check_output(path)
    check_not_input(target, model=source)
    given = parse_pairs("--option NAME=VALUE", options, "opset=18")
    values = {name: parsed_value(text, f"--option {legible(name)}") for name, text in given.items()}
    check_options(path, values, default_registry())
    network = load(source)
    with opened(source) as file:
        before = file.size
    save(network, path, options=values)
    tell(f"{target}  {readable_bytes(path.stat().st_size)}, was {readable_bytes(before)}")
