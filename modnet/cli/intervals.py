"""The body of `modnet intervals`."""

from __future__ import annotations

from typing import Any

from modnet.assessment.intervals import intervals
from modnet.cli.held_out import output_of, read_held_out
from modnet.cli.output import echo_json, tell, tell_found
from modnet.cli.plugin_file import load_plugin_files
from modnet.model.load import load
from modnet.model.save import save
from modnet.words import counted


def run(
    model: str,
    data: str | None,
    spec: str | None,
    coverage: float,
    output: str | None,
    reading: dict[str, Any],
    plugins: tuple[str, ...],
    as_json: bool,
) -> None:
    load_plugin_files(plugins)
    path = output_of(model, output)
    network = load(model)
    dataset, name = read_held_out(network, data, spec, reading)
    made = intervals(network, dataset, coverage=coverage)
    save(made.network, path)
    if as_json:
        found = {target: interval.plain() for target, interval in made.found.items()}
        echo_json({"model": path, "rows": len(dataset), "intervals": found})
        return
    tell(f"{name}: {counted(len(dataset), 'row')}")
    tell_found(made)
    tell(f"written to {path}")
