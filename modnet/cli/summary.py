"""The body of `modnet summary`."""

from __future__ import annotations

from pathlib import Path

import click

from modnet.cli.output import echo_json, tell_found
from modnet.cli.plugin_file import load_plugin_files
from modnet.engine.network import Network
from modnet.engine.summary import Summary
from modnet.model.container import MAGIC
from modnet.model.load import load
from modnet.model.url import is_url


def run(file: str, plugins: tuple[str, ...], settings: tuple[str, ...], as_json: bool) -> None:
    summary = Summary.of(network_in(file, plugins, settings))
    if not as_json:
        tell_found(summary)
        return
    nodes = [
        {
            "name": row.name,
            "type": row.type,
            "shape": row.shape,
            **({"outputs": dict(zip(row.outputs, row.shapes, strict=True))} if row.outputs else {}),
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


def network_in(file: str, plugins: tuple[str, ...], settings: tuple[str, ...]) -> Network:
    """The network of a model file, or of a spec.

    Raises:
        UsageError: `--set` is given for a model file.
        ModnetError: the file cannot be read; a spec has faults.
    """
    if is_url(file) or _is_model(Path(file)):
        if settings:
            raise click.UsageError("--set changes a spec; this is a model file")
        load_plugin_files(plugins)
        return load(file, mmap=not is_url(file))
    from modnet.cli.job import Job  # imports everything for data and training: a fifth of the time for a model file

    return Job.open(file, plugins, settings).network


def _is_model(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(1 + len(MAGIC))[1:] == MAGIC
