"""The body of `modnet train`."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import tempfile
import textwrap
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from modnet.cli.job import Job
from modnet.cli.output import discard, echo, echo_json
from modnet.cli.places import check_output
from modnet.cli.report import FAILED, HUNG_UP, INTERRUPTED, TERMINATED, warn
from modnet.data.dataset import Dataset
from modnet.data.load import LoadedData
from modnet.engine.network import Network
from modnet.errors import Diverged
from modnet.model.save import save
from modnet.training import run as endings
from modnet.training.callbacks import JSONLog
from modnet.training.checkpoint import newest_last
from modnet.training.checkpointing import Checkpoint
from modnet.training.history import History
from modnet.training.profiling import Profile
from modnet.training.profiling import profile as timed
from modnet.training.progress import ProgressDisplay, figure_text, figure_title
from modnet.training.run import Run
from modnet.training.train import evaluate, prepare
from modnet.words import counted, readable_bytes

STOPPED = (INTERRUPTED, TERMINATED, HUNG_UP)
"""The exit statuses of a run that was stopped and can go on."""


def run(
    spec: str,
    output: str | None,
    plugins: tuple[str, ...],
    settings: tuple[str, ...],
    resume: bool,
    profiled: bool,
    as_json: bool,
) -> int:
    job = Job.open(spec, plugins, settings)
    path = Path(output) if output else Path(f"{Path(spec).stem}.modnet")
    check_output(path)
    objective = job.objective()
    loaded = job.load_data()
    network = job.network
    network.card = network.card.replace(schema=loaded.schema)
    job.require_savable(objective)
    screen = _Screen(path)
    if not as_json:
        screen.tell(_introduction(job, loaded))
    job.check_figures(objective, validation=loaded.validation is not None)
    _check_logs(job, path)
    run, history, own_folder, status, failure = _run(job, loaded, path, resume, quiet=as_json)
    if status and not run.step:
        echo(f"stopped before the first step; {_untouched(path)}", err=True)
        return status
    with _saving(status) as interrupts:
        metrics, failure = _final_figures(network, loaded.validation, history, interrupts, failure)
        network.card = network.card.replace(metrics=metrics)
        written = _save(network, path, own_folder)
        status = status or interrupts.status or (FAILED if written != path else 0)
        if own_folder is not None and not status and failure is None:
            # Not before the model is in its place: what the run has learnt is somewhere at any moment.
            _remove(history.checkpoints, own_folder)
    path = screen.path = written
    profile = None
    if profiled and failure is None:
        try:
            profile = timed(network, loaded.train)
        except Exception as error:
            failure = error
    if as_json:
        screen.tell_json(_plain(network, path, history, profile))
    else:
        again = shlex.join(_command(spec, output, plugins, settings)) if status in STOPPED else ""
        screen.tell(_conclusion(job, loaded, path, plugins, again, whole=failure is None))
        if profile is not None:
            screen.tell(f"\n{profile}")
    if failure is not None:
        raise _with_line(failure, f"they are in {path}") if isinstance(failure, Diverged) else failure
    return status


def _plain(network: Network, path: Path, history: History, profile: Profile | None) -> dict[str, Any]:
    """What `--json` tells."""
    return {
        "model": str(path),
        "bytes": path.stat().st_size,
        "parameters": network.layout.parameter_count,
        "epochs": history.epochs,
        "best_epoch": history.best_epoch,
        "stopped": history.stopped,
        "metrics": network.card.metrics,
        "history": history.figures,
        **({} if profile is None else {"profile": profile.plain()}),
    }


class _Screen:
    """What the command tells on standard output, of whose errors nothing depends: the model is what was asked for.

    The first error that is more than a reader who has left is reported on standard error; what follows goes nowhere.

    Args:
        path: where the model goes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def tell(self, text: str) -> None:
        self._try(echo, text)

    def tell_json(self, value: Any) -> None:
        self._try(echo_json, value)

    def _try(self, tell: Callable[[Any], None], what: Any) -> None:
        try:
            tell(what)
        except OSError as error:
            with suppress(OSError, ValueError):  # it has no descriptor
                discard(sys.stdout)
            reason = (error.strerror or str(error)).lower()
            warn(f"standard output cannot be written to ({reason}); the model goes to {self.path} all the same")


def _introduction(job: Job, loaded: LoadedData) -> str:
    data = job.network.card.spec.data
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
    nodes, parameters = len(network.graph.nodes), network.layout.parameter_count
    size = f"{counted(nodes, 'node')}, {counted(parameters, 'parameter')}, {network.dtype}"
    labelled = [name, *[""] * (len(lines) - 1), "network"]
    return "\n".join(f"{label:<{indent}}{line}" for label, line in zip(labelled, [*lines, size], strict=True))


def _run(
    job: Job, loaded: LoadedData, path: Path, resume: bool, *, quiet: bool
) -> tuple[Run, History, Path | None, int, Exception | None]:
    """Trains.

    Returns:
        The run, its course, the folder of its checkpoints where the spec does not name one, the exit status if a signal
        has stopped it, and what has ended it after it had learnt something: a callback's or a metric's error.
    """

    callbacks, folder, own_folder = _callbacks(job, path, quiet)
    _tell_of_checkpoints(folder, resume)
    runs: list[Run] = []
    received = _heed_termination(runs)
    failure: Exception | None = None
    # What overflows is found by the run, which says where; numpy's warnings say less.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        run = prepare(
            job.network,
            loaded.train,
            given={"callbacks": callbacks},
            validation=loaded.validation,
            resume=folder if resume else None,
        )
        runs.append(run)
        try:
            run.fit()
        except Exception as error:
            if isinstance(error, Diverged) and error.best_epoch is None:
                raise _with_line(error, _untouched(path)) from error
            if not run.step or not np.isfinite(job.network.parameters.flat).all():
                raise
            failure = error
    return run, run.history, own_folder, _status(run.history, received), failure


def _callbacks(job: Job, path: Path, quiet: bool) -> tuple[list[Any], Path, Path | None]:
    """The callbacks of the run, the folder of its checkpoints, and the same again where the spec does not name one."""
    asked = job.training().callbacks
    callbacks: list[Any] = [used for used in asked if not isinstance(used.callback, ProgressDisplay)]
    folders = [Path(used.callback.directory).expanduser() for used in asked if isinstance(used.callback, Checkpoint)]
    own_folder = None if folders else Path(f"{path.with_suffix('')}.checkpoints")
    if own_folder is not None:
        folders = [own_folder]
        callbacks.append(Checkpoint(directory=str(own_folder), every_minutes=5.0))
    if not quiet:
        callbacks += [used for used in asked if isinstance(used.callback, ProgressDisplay)] or [ProgressDisplay()]
    return callbacks, folders[0], own_folder


def _heed_termination(runs: Sequence[Run]) -> list[int]:
    """Lets SIGTERM and SIGHUP end the command; a list that gets the numbers of those that a run is ended by.

    Args:
        runs: has the run as soon as there is one. From then on it ends after its step, and the model is still written.
    """
    received: list[int] = []

    def terminate(number: int, _: object) -> None:
        if not runs:
            raise SystemExit(128 + number)
        received.append(number)
        runs[0].terminate()

    signal.signal(signal.SIGTERM, terminate)
    hangup = getattr(signal, "SIGHUP", None)  # Windows has none
    if hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN:  # as it is under nohup
        signal.signal(hangup, terminate)
    return received


def _tell_of_checkpoints(folder: Path, resume: bool) -> None:
    found = newest_last(folder)
    if resume and not found:
        warn(f"{folder} has no checkpoint; beginning at the beginning")
    elif found and not resume:
        step = int(found[-1].stem.removeprefix("step-"))
        warn(f"{folder} has checkpoints of an earlier run, the newest after step {step:,}; with --resume it goes on")


def _remove(checkpoints: Sequence[Path], folder: Path) -> None:
    for file in checkpoints:
        with suppress(OSError):
            file.unlink()
    with suppress(OSError):  # somebody else's files are in it
        folder.rmdir()


def _with_line(error: Diverged, line: str) -> Diverged:
    return Diverged(f"{error}\n{line}", error.step, error.epoch, error.node, error.best_epoch)


def _check_logs(job: Job, path: Path) -> None:
    """Checks that no log goes where the model goes."""
    for place, used in enumerate(job.training().callbacks):
        if isinstance(used.callback, JSONLog) and Path(used.callback.path).expanduser().resolve() == path.resolve():
            where = ("training", "callbacks", place, "path")
            raise job.problem(where, f"{path} is where the model is written to", "give the log another file")


def _untouched(path: Path) -> str:
    return f"{path} is as it was" if path.exists() else f"{path} was not written"


def _status(history: History, received: Sequence[int]) -> int:
    if history.stopped == endings.TERMINATED:
        return 128 + received[0] if received else TERMINATED
    return INTERRUPTED if history.stopped == endings.INTERRUPTED else 0


class _Interrupts:
    """Ctrl-C while what was learnt is being written: the first one waits, a further one ends the command.

    Attributes:
        status: the exit status that it asks for.
        waits: whether the first one waits; else it ends what is being done, which is not needed for the model.
    """

    def __init__(self, status: int) -> None:
        self.stopped = bool(status)
        self.status = 0
        self.waits = True

    def __call__(self, *_: object) -> None:
        again = self.stopped or bool(self.status)
        self.status = INTERRUPTED
        if again or not self.waits:
            raise KeyboardInterrupt


@contextmanager
def _saving(status: int) -> Iterator[_Interrupts]:
    interrupts = _Interrupts(status)
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:  # it is ignored, or the program's own
        yield interrupts
        return
    signal.signal(signal.SIGINT, interrupts)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)


def _final_figures(
    network: Network, validation: Dataset | None, history: History, interrupts: _Interrupts, failure: Exception | None
) -> tuple[dict[str, Any], Exception | None]:
    """The figures of the network as it is written: measured on the validation data where there are some.

    Where they cannot be measured they are those of the history, and the error is given back with them.
    """
    epoch = (history.best_epoch or history.epochs) - 1
    known = {name: values[epoch] for name, values in history.figures.items() if epoch >= 0}
    if validation is None or (failure is not None and not isinstance(failure, Diverged)):
        return known, failure
    interrupts.waits = False
    try:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            figures = evaluate(network, validation)
        return {f"validation_{name}": np.asarray(value).tolist() for name, value in figures.items()}, failure
    except KeyboardInterrupt:
        if interrupts.stopped or not interrupts.status:
            raise
        return known, failure
    except Exception as error:
        return known, failure or error
    finally:
        interrupts.waits = True


def _save(network: Network, path: Path, checkpoints: Path | None) -> Path:
    """Writes the model file; where that fails in the end, to another folder.

    Args:
        checkpoints: the run's own.

    Raises:
        Exception: what has kept it from being written, where no other folder would take it.
    """
    # What is not installed came by --plugin, of which the last line of the screen tells.
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        try:
            save(network, path)
            return path
        except Exception as error:  # of the system, of a plugin that writes another format, or of memory
            reason = (error.strerror or str(error)).lower() if isinstance(error, OSError) else str(error)
            reason = reason or type(error).__name__
            for folder in dict.fromkeys(_refuges()):
                refuge = None
                try:
                    refuge = Path(tempfile.mkdtemp(prefix="modnet-", dir=folder))
                    file = refuge / f"{path.stem}.modnet"
                    save(network, file)
                except Exception:
                    if refuge is not None:
                        with suppress(OSError):
                            refuge.rmdir()
                    continue
                warn(f"{path}: {reason}; {_untouched(path)}, and the model is in {file}")
                return file
            warn(f"the model could not be written anywhere{_left(checkpoints)}")
            raise


def _refuges() -> Iterator[str]:
    """Folders that may take a model which its own folder does not."""
    with suppress(OSError):  # none of the folders for temporary files takes one
        yield tempfile.gettempdir()
    yield "/var/tmp"
    with suppress(OSError):  # the current folder is gone
        yield os.getcwd()
    yield os.path.expanduser("~")


def _left(checkpoints: Path | None) -> str:
    found = newest_last(checkpoints) if checkpoints is not None else []
    return f"; the newest checkpoint is {found[-1]}" if found else ""


def _command(spec: str, output: str | None, plugins: tuple[str, ...], settings: tuple[str, ...]) -> list[str]:
    """The command with which a run that was stopped goes on."""
    options = [("-o", output)] if output else []
    options += [("--plugin", file) for file in plugins] + [("--set", setting) for setting in settings]
    return ["modnet", "train", spec, *(word for option in options for word in option), "--resume"]


def _conclusion(job: Job, loaded: LoadedData, path: Path, plugins: tuple[str, ...], again: str, *, whole: bool) -> str:
    network = job.network
    figures = {name: value for name, value in network.card.metrics.items() if isinstance(value, int | float)}
    chosen = [name for name in figures if name.startswith("validation_") or loaded.validation is None]
    chosen = [name for name in chosen if not name.endswith("loss")] or chosen
    texts = [f"{figure_title(name)} {figure_text(name, figures[name])}" for name in chosen]
    for index, name in enumerate(chosen):
        if name == "validation_accuracy" and loaded.validation is not None:
            texts[index] += hits_text(figures[name], loaded.validation)
    first = f"{path}  {readable_bytes(path.stat().st_size)}   {', '.join(texts)}".rstrip()
    if again or not whole:
        first = f"what was learnt so far is in {first}"
    first = textwrap.fill(first, 80, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    options = [word for file in plugins for word in ("--plugin", file)]
    kind = "csv" if network.card.schema is not None and network.card.schema.inputs else "npz"
    if again:
        return f"\n{first}\ngo on: {again}"
    if not whole:
        return f"\n{first}"
    return f"\n{first}\nnext: {shlex.join(['modnet', 'predict', str(path), f'NEW.{kind}', *options])}"


def hits_text(accuracy: float, dataset: Dataset) -> str:
    """` (69 of 69)`, where every row has one label."""
    target = next(iter(dataset.targets.values()))
    return f" ({round(accuracy * len(dataset)):,} of {len(dataset):,})" if target.ndim == 1 else ""
