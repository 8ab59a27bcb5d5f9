"""modnet train"""

from __future__ import annotations

import shlex
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modnet.cli.app import INTERRUPTED, TERMINATED, warn
from modnet.cli.options import json_option, plugin_option, set_option
from modnet.cli.output import echo, echo_json

if TYPE_CHECKING:
    from modnet.cli.job import Job
    from modnet.data.dataset import Dataset
    from modnet.data.load import LoadedData
    from modnet.errors import Diverged
    from modnet.network import Network
    from modnet.training.history import History
    from modnet.training.run import Run


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
@click.option("--resume", is_flag=True, help="Go on where an earlier run of this spec was stopped.")
@click.option("--profile", "profiled", is_flag=True, help="Show at the end where the time of a step goes.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    spec: str,
    output: str | None,
    plugins: tuple[str, ...],
    settings: tuple[str, ...],
    resume: bool,
    profiled: bool,
    as_json: bool,
) -> None:
    """Train the network of SPEC with the data that it names, and write a model file.

    Ctrl-C stops after the step that is being made; what was learnt is written, and the exit status is 130. So does
    SIGTERM, with status 143. A run that diverges writes nothing, unless early_stopping had kept the best weights: those
    are written, and the status is 1. A second Ctrl-C stops at once and writes nothing.

    Checkpoints go where the spec's checkpoint callback says. Without one they are written every five minutes, and when
    the run is stopped, to a folder beside the model file (digits.checkpoints), which is removed when the model of the
    finished run is written. With --resume the run goes on from the newest, to the same result as if it had never been
    stopped. It has to be the same network, training and data, whatever the number of epochs and the callbacks.

    \b
    Example:
      modnet train penguins.toml -o models/penguins.modnet --set training.epochs=5

    \b
    JSON: {"model", "bytes", "parameters", "epochs", "best_epoch", "stopped",
           "metrics": {figure: value}, "history": {figure: [value of each epoch]},
           "profile": {"batch", "seconds", "peak_gflops",
             "rows": [{"name", "type", "forward", "backward", "bytes",
                       "forward_gflops", "backward_gflops"}]}}

    The profile is there with --profile only; its times are in seconds.
    """
    from modnet.cli.job import Job
    from modnet.errors import Diverged

    job = Job.open(spec, plugins, settings)
    path = Path(output) if output else Path(f"{Path(spec).stem}.modnet")
    check_output(path)
    objective = job.objective()
    loaded = job.load_data(objective)
    network = job.network
    network.schema = loaded.schema
    if not as_json:
        echo(_introduction(job, loaded))
    job.check_figures(objective, validation=loaded.validation is not None)
    _check_logs(job, path)
    try:
        run, history, own_folder = _run(job, loaded, path, resume, quiet=as_json)
    except Diverged as error:
        raise Diverged(
            f"{error}\n{_rescued(network, loaded, path, error)}", error.step, error.epoch, error.node, error.best_epoch
        ) from error
    status = _status(history)
    if status and not run.step:
        echo(f"stopped before the first step; {_untouched(path)}", err=True)
        ctx.exit(status)
    network.metrics = _final_figures(network, loaded.validation, history)
    written = _save(network, path)
    if own_folder is not None and not status and written == path:
        # Not before the model is in its place: what the run has learnt is somewhere at any moment.
        _remove(history.checkpoints, own_folder)
    path = written
    profile = network.profile(loaded.train) if profiled else None
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
                **({} if profile is None else {"profile": profile.plain()}),
            }
        )
    else:
        again = shlex.join(_command(spec, output, plugins, settings)) if status else ""
        echo(_conclusion(job, loaded, path, plugins, again))
        if profile is not None:
            echo(f"\n{profile}")
    ctx.exit(status)


def check_place(path: Path) -> None:
    """Checks, before any work is done, that a file can be put there.

    Raises:
        ModnetError: it is a folder, there is no such folder around it, or that may not be written to.
    """
    import os

    from modnet.errors import ModnetError

    if path.is_dir():
        raise ModnetError(f"{path}: this is a folder; name a file in it with -o")
    if not path.parent.is_dir():
        raise ModnetError(f"{path}: there is no folder {path.parent}; make it, or choose another file with -o")
    if not os.access(path.parent, os.W_OK):
        raise ModnetError(f"{path}: the folder {path.parent} may not be written to; choose another file with -o")


def check_output(path: Path) -> None:
    """Checks, before any work is done, that a model file can be written there.

    Raises:
        ModnetError: there is no such folder, it may not be written to, or another kind of file is in the way.
    """
    from modnet.errors import ModelFileError, NotAModelFile
    from modnet.modelfile.reader import read_header

    check_place(path)
    if path.exists() and (not path.is_file() or path.stat().st_size):
        try:
            read_header(path)
        except NotAModelFile as error:
            raise NotAModelFile(
                path, f"{error.what.partition('; ')[0]}, no model file; it is not overwritten: choose another with -o"
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


def _run(job: Job, loaded: LoadedData, path: Path, resume: bool, *, quiet: bool) -> tuple[Run, History, Path | None]:
    """Trains. Gives the run, its course, and the folder of its checkpoints where the spec does not name one."""
    import numpy as np

    from modnet.component import Callback
    from modnet.training.callbacks import Checkpoint
    from modnet.training.progress import Progress
    from modnet.training.trainer import train

    runs: list[Run] = []

    class Begin(Callback):
        def modnet_training_started(self, run: Run) -> None:
            runs.append(run)

    callbacks: list[Any] = [Begin()]
    callbacks += [used for used in job.training().callbacks if not isinstance(used.callback, Progress)]
    folders = [
        Path(used.callback.directory).expanduser() for used in callbacks[1:] if isinstance(used.callback, Checkpoint)
    ]
    own_folder = None if folders else Path(f"{path.with_suffix('')}.checkpoints")
    if own_folder is not None:
        folders = [own_folder]
        callbacks.append(Checkpoint(directory=str(own_folder), every_minutes=5.0))
    _tell_of_checkpoints(folders[0], resume)
    if not quiet:
        wanted = [used for used in job.training().callbacks if isinstance(used.callback, Progress)]
        callbacks += wanted or [Progress()]

    def terminate(*_: object) -> None:
        # From the first step on the run ends after its step, and the model is still written.
        if not runs:
            raise SystemExit(TERMINATED)

    signal.signal(signal.SIGTERM, terminate)
    # What overflows is found by the trainer, which says where; numpy's warnings say less.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        history = train(
            job.network,
            loaded.train,
            validation=loaded.validation,
            callbacks=callbacks,
            resume=folders[0] if resume else None,
        )
    return runs[0], history, own_folder


def _tell_of_checkpoints(folder: Path, resume: bool) -> None:
    from modnet.training.checkpoint import newest_last

    found = newest_last(folder)
    if resume and not found:
        warn(f"{folder} has no checkpoint; beginning at the beginning")
    elif found and not resume:
        step = int(found[-1].stem.removeprefix("step-"))
        warn(f"{folder} has checkpoints of an earlier run, the newest after step {step:,}; with --resume it goes on")


def _remove(checkpoints: Sequence[Path], folder: Path) -> None:
    from contextlib import suppress

    for file in checkpoints:
        with suppress(OSError):
            file.unlink()
    with suppress(OSError):  # somebody else's files are in it
        folder.rmdir()


def _rescued(network: Network, loaded: LoadedData, path: Path, error: Diverged) -> str:
    """Writes the best weights of a run that has diverged, where it had kept them. Says what has become of the file."""
    if error.best_epoch is None:
        return _untouched(path)
    if loaded.validation is not None:
        network.metrics = _measured(network, loaded.validation)
    return f"they are in {_save(network, path)}"


def _check_logs(job: Job, path: Path) -> None:
    """Checks that no log goes where the model goes."""
    from modnet.training.callbacks import JSONLog

    for place, used in enumerate(job.training().callbacks):
        if isinstance(used.callback, JSONLog) and Path(used.callback.path).expanduser().resolve() == path.resolve():
            where = ("training", "callbacks", place, "path")
            raise job.problem(where, f"{path} is where the model is written to", "give the log another file")


def _untouched(path: Path) -> str:
    return f"{path} is as it was" if path.exists() else f"{path} was not written"


def _status(history: History) -> int:
    from modnet.training import run

    return {run.INTERRUPTED: INTERRUPTED, run.TERMINATED: TERMINATED}.get(history.stopped, 0)


def _final_figures(network: Network, validation: Dataset | None, history: History) -> dict[str, Any]:
    """The figures of the network as it is written: measured on the validation data where there are some."""
    if validation is None:
        epoch = (history.best_epoch or history.epochs) - 1
        return {name: values[epoch] for name, values in history.figures.items()}
    return _measured(network, validation)


def _measured(network: Network, validation: Dataset) -> dict[str, Any]:
    import numpy as np

    from modnet.training.trainer import evaluate

    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        figures = evaluate(network, validation)
    return {f"validation_{name}": np.asarray(value).tolist() for name, value in figures.items()}


def _save(network: Network, path: Path) -> Path:
    """Writes the model file; where that fails in the end, into the system's folder for temporary files."""
    import tempfile
    import warnings

    from modnet.modelfile import save

    # What is not installed came by --plugin, of which the last line of the screen tells.
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        try:
            save(network, path)
        except OSError as error:
            refuge = Path(tempfile.mkdtemp(prefix="modnet-")) / path.name
            save(network, refuge)
            warn(f"{path}: {(error.strerror or str(error)).lower()}; the model is in {refuge}")
            return refuge
    return path


def _command(spec: str, output: str | None, plugins: tuple[str, ...], settings: tuple[str, ...]) -> list[str]:
    """The command with which a run that was stopped goes on."""
    options = [("-o", output)] if output else []
    options += [("--plugin", file) for file in plugins] + [("--set", setting) for setting in settings]
    return ["modnet", "train", spec, *(word for option in options for word in option), "--resume"]


def _conclusion(job: Job, loaded: LoadedData, path: Path, plugins: tuple[str, ...], again: str) -> str:
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
    if again:
        first = f"what was learnt so far is in {first}"
    first = textwrap.fill(first, 80, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    options = [word for file in plugins for word in ("--plugin", file)]
    kind = "csv" if network.schema is not None and network.schema.inputs else "npz"
    if again:
        return f"\n{first}\ngo on: {again}"
    return f"\n{first}\nnext: {shlex.join(['modnet', 'predict', str(path), f'NEW.{kind}', *options])}"


def hits_text(accuracy: float, dataset: Dataset) -> str:
    """` (69 of 69)`, where every row has one label."""
    target = next(iter(dataset.targets.values()))
    return f" ({round(accuracy * len(dataset)):,} of {len(dataset):,})" if target.ndim == 1 else ""
