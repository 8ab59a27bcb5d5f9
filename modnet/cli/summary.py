"""The body of `modnet summary`."""

from __future__ import annotations

from pathlib import Path

import click

from modnet.cli.output import echo, echo_json


def run(file: str, plugins: tuple[str, ...], settings: tuple[str, ...], as_json: bool) -> None:
    from modnet.cli.job import Job
    from modnet.cli.plugin_file import load_plugin_files
    from modnet.engine.summary import Summary
    from modnet.model import load

    if _is_model(Path(file)):
        if settings:
            raise click.UsageError("--set changes a spec; this is a model file")
        load_plugin_files(plugins)
        network = load(file, mmap=True)
    else:
        network = Job.open(file, plugins, settings).network
    summary = Summary.of(network)
    if not as_json:
        echo(str(summary))
        return
    nodes = [
        {
            "name": row.name,
            "type": row.type,
            "shape": row.shape,
            "parameters": row.parameters,
            "multiply_adds": row.multiply_adds,
            "trainable": row.trainable,
        }
        for row in summary.rows
    ]
    echo_json(
        {
            "inputs": summary.inputs,
            "nodes": nodes,
            "parameters": summary.parameters,
            "multiply_adds": summary.multiply_adds,
            "dtype": summary.dtype,
            "bytes": summary.bytes,
        }
    )


def _is_model(path: Path) -> bool:
    from modnet.model.container import MAGIC

    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(1 + len(MAGIC))[1:] == MAGIC
