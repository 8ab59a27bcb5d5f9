"""modnet train"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modnet.cli.options import echo_json, json_option, plugin_option, set_option

if TYPE_CHECKING:
    from modnet.cli.job import Job
    from modnet.data.dataset import Dataset
    from modnet.data.load import LoadedData
    from modnet.network import Network
    from modnet.training.history import History


@click.command("train", short_help="Train the network of a spec and write a model file.")
@click.argument("spec", type=click.Path())
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(),
    help="The model file; by default the spec's name with .modnet, here.",
)
@plugin_option
@set_option
@click.option("--profile", "profiled", is_flag=True, help="Show at the end where the time of a step goes.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    spec: str,
    output: str | None,
    plugins: tuple[str, ...],
    settings: tuple[str, ...],
    profiled: bool,
    as_json: bool,
) -> None:
    """Train the network of SPEC with the data that it names, and write a model file.

    Ctrl-C stops after the step that is being made; what was learnt is written, and the exit status is 130.
    A run that diverges writes nothing. A second Ctrl-C stops at once and writes nothing.

    \b
    Example:
      modnet train penguins.toml -o models/penguins.modnet --set training.epochs=5

    \b
    JSON: {"model", "bytes", "parameters", "epochs", "best_epoch", "stopped",
           "metrics": {figure: value}, "history": {figure: [value of each epoch]}}
    """
    from modnet.cli.job import Job

    job = Job.open(spec, plugins, settings)
    path = Path(output) if output else Path(f"{Path(spec).stem}.modnet")
    check_output(path)
    objective = job.objective()
    loaded = job.load_data(objective)
    network = job.network
    network.schema = loaded.schema
    if not as_json:
        click.echo(_introduction(job, loaded))
    history = _run(job, loaded, path, quiet=as_json)
    interrupted = history.stopped == _interrupted()
    network.metrics = _final_figures(network, loaded.validation, history)
    path = _save(network, path)
    if as_json:
        echo_json(
            {
                "model": str(path),
                "bytes": path.stat().st_size,
                "parameters": network.parameters.flat.size,
                "epochs": history.epochs,
                "best_epoch": history.best_epoch,
                "stopped": history.stopped,
                "metrics": network.metrics,
                "history": history.figures,
            }
        )
    else:
        click.echo(_conclusion(job, loaded, path, plugins, interrupted))
    if profiled and not as_json:
        batch = loaded.train.take(range(min(job.training().batch_size, len(loaded.train))))
        rows = slice(None) if batch.rows is None else batch.rows
        click.echo(f"\n{network.profile({name: array[rows] for name, array in batch.inputs.items()})}")
    if interrupted:
        ctx.exit(130)


def check_output(path: Path) -> None:
    """Checks, before any work is done, that a model file can be written there.

    Raises:
        ModelFileError: there is no such folder, it may not be written to, or another kind of file is in the way.
    """
    import os

    from modnet.errors import ModelFileError, NotAModelFile
    from modnet.modelfile.reader import read_header

    if path.is_dir():
        raise ModelFileError(path, "this is a folder; name a file in it with -o")
    if not path.parent.is_dir():
        raise ModelFileError(path, f"there is no folder {path.parent}; make it, or choose another file with -o")
    if not os.access(path.parent, os.W_OK):
        raise ModelFileError(path, f"the folder {path.parent} may not be written to; choose another file with -o")
    if path.exists() and (not path.is_file() or path.stat().st_size):
        try:
            read_header(path)
        except NotAModelFile as error:
            raise NotAModelFile(
                path, f"{error.what}, no model file; it is not overwritten: choose another with -o"
            ) from None
        except ModelFileError:
            pass  # damaged, or of another version: it was a model file


def _introduction(job: Job, loaded: LoadedData) -> str:
    import textwrap

    data = job.network.spec.data
    assert data is not None
    source = data.train
    name = source if isinstance(source, str) else source.path or f"{source.x} and {source.y}"
    indent = max(12, len(name)) + 2
    lines = []
    for note in loaded.notes:
        # Where a line is too long it is broken between its two halves, rather than anywhere.
        halves = [note] if indent + len(note) <= 80 else note.split("; ")
        lines += [line for half in halves for line in textwrap.wrap(half, max(80 - indent, 40))]
    network = job.network
    count = len(network.graph.nodes)
    size = f"{count} node{'' if count == 1 else 's'}, {network.parameters.flat.size:,} parameters, {network.dtype}"
    labelled = [name, *[""] * (len(lines) - 1), "network"]
    return "\n".join(f"{label:<{indent}}{line}" for label, line in zip(labelled, [*lines, size], strict=True))


def _run(job: Job, loaded: LoadedData, path: Path, *, quiet: bool) -> History:
    import numpy as np

    from modnet.errors import Diverged
    from modnet.training.progress import Progress
    from modnet.training.trainer import train

    callbacks: list[Any] = [used for used in job.training().callbacks if not isinstance(used.callback, Progress)]
    if not quiet:
        wanted = [used for used in job.training().callbacks if isinstance(used.callback, Progress)]
        callbacks += wanted or [Progress()]
    try:
        # What overflows is found by the trainer, which says where; numpy's warnings say less.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return train(job.network, loaded.train, validation=loaded.validation, callbacks=callbacks)
    except Diverged as error:
        untouched = f"{path} is as it was" if path.exists() else f"{path} was not written"
        raise Diverged(f"{error}\n{untouched}", error.step, error.epoch, error.node) from error


def _interrupted() -> str:
    from modnet.training.trainer import INTERRUPTED

    return INTERRUPTED


def _final_figures(network: Network, validation: Dataset | None, history: History) -> dict[str, Any]:
    """The figures of the network as it is written: measured on the validation data where there are some."""
    import numpy as np

    from modnet.training.trainer import evaluate

    if validation is None:
        epoch = (history.best_epoch or history.epochs) - 1
        return {name: values[epoch] for name, values in history.figures.items()}
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        figures = evaluate(network, validation)
    return {f"validation_{name}": np.asarray(value).tolist() for name, value in figures.items()}


def _save(network: Network, path: Path) -> Path:
    """Writes the model file; where that fails in the end, into the system's folder for temporary files."""
    import tempfile

    from modnet.cli.app import warn
    from modnet.modelfile import save

    try:
        save(network, path)
    except OSError as error:
        refuge = Path(tempfile.mkdtemp(prefix="modnet-")) / path.name
        save(network, refuge)
        warn(f"{path}: {(error.strerror or str(error)).lower()}; the model is in {refuge}")
        return refuge
    return path


def _conclusion(job: Job, loaded: LoadedData, path: Path, plugins: tuple[str, ...], interrupted: bool) -> str:
    import textwrap

    from modnet.summary import readable_bytes
    from modnet.training.progress import figure_text, figure_title

    network = job.network
    figures = {name: value for name, value in network.metrics.items() if isinstance(value, int | float)}
    chosen = [name for name in figures if name.startswith("validation_") or loaded.validation is None]
    chosen = [name for name in chosen if not name.endswith("loss")] or chosen
    texts = [f"{figure_title(name)} {figure_text(name, figures[name])}" for name in chosen]
    for index, name in enumerate(chosen):
        if name == "validation_accuracy" and loaded.validation is not None:
            texts[index] += hits_text(figures[name], loaded.validation)
    first = f"{path}  {readable_bytes(path.stat().st_size)}   {', '.join(texts)}".rstrip()
    if interrupted:
        first = f"what was learnt so far is in {first}"
    first = textwrap.fill(first, 80, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    options = "".join(f" --plugin {file}" for file in plugins)
    kind = "csv" if network.schema is not None and network.schema.inputs else "npz"
    return f"\n{first}\nnext: modnet predict {path} NEW.{kind}{options}"


def hits_text(accuracy: float, dataset: Dataset) -> str:
    """` (69 of 69)`, where every row has one label."""
    target = next(iter(dataset.targets.values()))
    return f" ({round(accuracy * len(dataset)):,} of {len(dataset):,})" if target.ndim == 1 else ""
