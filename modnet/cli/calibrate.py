"""The body of `modnet calibrate`."""

from __future__ import annotations

from typing import Any

from modnet.assessment.calibration import calibrate
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
    output: str | None,
    reading: dict[str, Any],
    plugins: tuple[str, ...],
    as_json: bool,
) -> None:
    load_plugin_files(plugins)
    path = output_of(model, output)
    network = load(model)
    dataset, name = read_held_out(network, data, spec, reading)
    found = calibrate(network, dataset)
    save(found.network, path)
    if as_json:
        temperatures = {output: fitted.value for output, fitted in found.temperatures.items()}
        errors = {output: fitted.value * fitted.error for output, fitted in found.temperatures.items()}
        figures = {"before": dict(found.before), "after": dict(found.after)}
        echo_json({"model": path, "rows": len(dataset), "temperatures": temperatures, "errors": errors, **figures})
        return
    tell(f"{name}: {counted(len(dataset), 'row')}")
    tell_found(found)
    tell(f"written to {path}")
