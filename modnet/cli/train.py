"""The body of `modnet train`."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from modnet.cli.failures import FAILED, HUNG_UP, INTERRUPTED, TERMINATED, warn
from modnet.cli.job import Job
from modnet.cli.launched import place, quiet_but_first, sharing
from modnet.cli.output import echo
from modnet.cli.places import check_output
from modnet.cli.rescue import Interrupts, save_somewhere, saving, untouched
from modnet.cli.settings import parse_pairs
from modnet.cli.training_texts import Screen, conclusion, introduction
from modnet.datasets.dataset import Dataset
from modnet.datasets.load import LoadedData
from modnet.engine.history import History
from modnet.engine.network import Network
from modnet.errors import Diverged, SpecError
from modnet.kinds.callback import Callback
from modnet.kinds.figures import TEST, VALIDATION
from modnet.training import run as endings
from modnet.training.callbacks import EpochLog
from modnet.training.checkpoint import newest_last
from modnet.training.checkpointing import Checkpoint
from modnet.training.evaluate import evaluate
from modnet.training.profiling import Profile
from modnet.training.profiling import profile as timed
from modnet.training.progress import ProgressDisplay
from modnet.training.run import Run
from modnet.training.train import prepare

STOPPED = (INTERRUPTED, TERMINATED, HUNG_UP)
"""The exit statuses of a run that was stopped and can be resumed."""


@dataclass
class _Outcome:
    """The outcome of a run.

    Attributes:
        own_folder: that of its checkpoints, where the spec does not name one.
        status: the exit status.
        failure: what ended it after it had learnt something: a callback's or a metric's error.
    """

    run: Run
    own_folder: Path | None
    status: int
    failure: Exception | None

    @property
    def history(self) -> History:
        return self.run.history


def run(
    spec: str,
    output: str | None,
    plugins: tuple[str, ...],
    settings: tuple[str, ...],
    resume: bool,
    entries: tuple[str, ...],
    profiled: bool,
    as_json: bool,
) -> int:
    where = place()
    with quiet_but_first(where):
        metadata = parse_pairs("--set-metadata KEY=VALUE", entries, "commit=1f3a9c2")
        job = Job.open(spec, plugins, settings)
        path = Path(output) if output else Path(f"{Path(spec).stem}.modnet")
        sharing_it = sharing(job, where)
        loaded = _checked(job, path, metadata)
        if where.leads:
            again = shlex.join(_command(spec, output, plugins, settings, entries))
            return _lead(job, loaded, path, sharing_it, resume, profiled, as_json, plugins, again)
        _follow(job, loaded, path, sharing_it, resume)
    return 0  # of a follower, always: another status would end the first process, which may be writing the model


def _checked(job: Job, path: Path, metadata: Mapping[str, str]) -> LoadedData:
    """The data; everything that can be is found out before the run.

    Args:
        metadata: for the model's card.

    Raises:
        ModnetError, OSError: there is something that keeps the run from its end.
    """
    check_output(path)
    objective = job.objective()
    loaded = job.load_data()
    network = job.network
    network.card = network.card.replace(metadata={**network.card.metadata, **metadata})
    job.require_savable(objective)
    job.check_figures(objective, validation=loaded.validation is not None)
    _check_logs(job, path)
    return loaded


def _lead(
    job: Job,
    loaded: LoadedData,
    path: Path,
    sharing_it: Sequence[Callback],
    resume: bool,
    profiled: bool,
    as_json: bool,
    plugins: tuple[str, ...],
    again: str,
) -> int:
    """The run, its model file and its output; `again` is the command that goes on with it after a stop."""
    network, screen = job.network, Screen(path)
    if not as_json:
        screen.tell(introduction(job, loaded.notes, place().size))
    callbacks, folder, own_folder = _callbacks(job, path, as_json)
    _tell_of_checkpoints(folder, resume)
    outcome = _train(job, loaded, path, [*callbacks, *sharing_it], folder if resume else None, own_folder)
    if outcome.status and not outcome.run.step:
        echo(f"stopped before the first step; {untouched(path)}", err=True)
        return outcome.status
    path = screen.path = _write(network, loaded, path, outcome)
    profile = _profile(network, loaded.train, outcome) if profiled else None
    if as_json:
        screen.tell_json(_plain(network, path, outcome.history, profile))
    else:
        again = again if outcome.status in STOPPED else ""
        screen.tell(conclusion(job, loaded, path, plugins, again, whole=outcome.failure is None))
        if profile is not None:
            screen.tell(f"\n{profile}")
    if outcome.failure is not None:
        raise _telling(outcome.failure, f"they are in {path}")
    return outcome.status


def _follow(job: Job, loaded: LoadedData, path: Path, sharing_it: Sequence[Callback], resume: bool) -> None:
    """The run in a process that shares it with the first one, which writes and prints.

    Raises:
        Exception: what has ended the run.
    """
    callbacks, folder, own_folder = _callbacks(job, path, quiet=True)
    outcome = _train(job, loaded, path, [*callbacks, *sharing_it], folder if resume else None, own_folder)
    if outcome.failure is not None:
        raise outcome.failure


def _write(network: Network, loaded: LoadedData, path: Path, outcome: _Outcome) -> Path:
    """Measures the network and writes it; returns the file."""
    with saving(outcome.status) as interrupts:
        network.card = network.card.replace(metrics=_final_figures(network, loaded, outcome, interrupts))
        written = save_somewhere(network, path, outcome.own_folder)
        outcome.status = outcome.status or interrupts.status or (FAILED if written != path else 0)
        if outcome.own_folder is not None and not outcome.status and outcome.failure is None:
            # Only now, when the model is in its place: at any time, at least one file has what the run has learnt.
            _remove(outcome.history.checkpoints, outcome.own_folder)
    return written


def _profile(network: Network, train: Dataset, outcome: _Outcome) -> Profile | None:
    """Where the time goes; an error is the outcome's, as the model is written by now."""
    if outcome.failure is None:
        try:
            return timed(network, train)
        except Exception as error:
            outcome.failure = error
    return None


def _plain(network: Network, path: Path, history: History, profile: Profile | None) -> dict[str, Any]:
    """The output of `--json`."""
    return {
        "model": str(path),
        "bytes": path.stat().st_size,
        "id": network.id,
        "parameters": network.layout.parameter_count,
        "epochs": history.epochs,
        "best_epoch": history.best_epoch,
        **({} if history.best_epochs is None else {"best_epochs": history.best_epochs}),
        "stopped": history.stopped,
        "metrics": network.card.metrics,
        "history": history.figures,
        **({} if profile is None else {"profile": profile.plain()}),
    }


def _train(
    job: Job,
    loaded: LoadedData,
    path: Path,
    callbacks: Sequence[Any],
    checkpoints: Path | None,
    own_folder: Path | None,
) -> _Outcome:
    """The run; it goes on from the newest of these checkpoints."""
    runs: list[Run] = []
    received = _handle_termination(runs)
    failure: Exception | None = None
    # The run itself finds numbers that are not finite, and says where; numpy's warnings would say less.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        try:
            run = prepare(
                job.network,
                loaded.train,
                given={"callbacks": callbacks},
                validation=loaded.validation,
                resume=checkpoints,
            )
        except SpecError as error:
            raise job.located(error) from None
        run.history.notes = loaded.notes
        runs.append(run)
        try:
            run.fit()
        except Exception as error:
            if isinstance(error, Diverged) and error.best_epoch is None:
                raise _telling(error, untouched(path)) from error
            if not run.step or not np.isfinite(job.network.parameters.flat).all():
                raise
            failure = error
    return _Outcome(run, own_folder, _status(run.history, received), failure)


def _callbacks(job: Job, path: Path, quiet: bool) -> tuple[list[Any], Path, Path | None]:
    """The callbacks of the run, the folder of its checkpoints, and the same again where the spec does not name one."""
    asked = job.training().callbacks
    displays: list[Any] = [used for used in asked if isinstance(used.callback, ProgressDisplay)]
    others: list[Any] = [used for used in asked if used not in displays]
    shown = [] if quiet else displays or [ProgressDisplay()]
    for used in asked:
        if isinstance(used.callback, Checkpoint):
            return [*others, *shown], Path(used.callback.directory).expanduser(), None
    folder = Path(f"{path.with_suffix('')}.checkpoints")
    return [*others, Checkpoint(directory=str(folder), every_minutes=5.0), *shown], folder, folder


def _handle_termination(runs: Sequence[Run]) -> list[int]:
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
    hangup = getattr(signal, "SIGHUP", None)  # not on Windows
    if hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN:  # ignored under nohup
        signal.signal(hangup, terminate)
    return received


def _tell_of_checkpoints(folder: Path, resume: bool) -> None:
    found = newest_last(folder)
    if resume and not found:
        warn(f"{folder} has no checkpoint; starting from the beginning")
    elif found and not resume:
        step = int(found[-1].stem.removeprefix("step-"))
        warn(f"{folder} has checkpoints of an earlier run, the newest after step {step:,}; use --resume to continue it")


def _remove(checkpoints: Sequence[Path], folder: Path) -> None:
    for file in checkpoints:
        with suppress(OSError):
            file.unlink()
    with suppress(OSError):  # it has other files in it
        folder.rmdir()


def _telling(error: Exception, line: str) -> Exception:
    """The error; where a run has diverged, with what became of its model."""
    if not isinstance(error, Diverged):
        return error
    return Diverged(f"{error}\n{line}", error.step, error.epoch, error.node, error.best_epoch)


def _check_logs(job: Job, path: Path) -> None:
    """Checks that no log has the path of the model."""
    for number, used in enumerate(job.training().callbacks):
        if isinstance(used.callback, EpochLog) and Path(used.callback.path).expanduser().resolve() == path.resolve():
            where = ("training", "callbacks", number, "path")
            raise job.problem(where, f"{path} is where the model is written to", "give the log another file")


def _status(history: History, received: Sequence[int]) -> int:
    if history.stopped == endings.TERMINATED:
        return 128 + received[0] if received else TERMINATED
    return INTERRUPTED if history.stopped == endings.INTERRUPTED else 0


def _final_figures(network: Network, loaded: LoadedData, outcome: _Outcome, interrupts: Interrupts) -> dict[str, Any]:
    """The figures of the network as it is written: measured on the validation and test data where there are some.

    Where they cannot be measured they are those of the history, and the error is the outcome's.
    """
    history = outcome.history
    epoch = (history.best_epoch or history.epochs) - 1
    known = {name: values[epoch] for name, values in history.figures.items() if epoch >= 0}
    parts = {VALIDATION: loaded.validation, TEST: loaded.test}
    if loaded.train.folds is not None:  # all members together have learnt from the rows that each is validated with
        known, parts = dict(network.card.metrics), {TEST: loaded.test}
    if not any(parts.values()) or (outcome.failure is not None and not isinstance(outcome.failure, Diverged)):
        return known
    measured: dict[str, Any] = {} if parts.get(VALIDATION) is not None else known
    interrupts.waits = False
    try:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            for prefix, part in parts.items():
                figures = {} if part is None else evaluate(network, part)
                measured.update({f"{prefix}{name}": np.asarray(value).tolist() for name, value in figures.items()})
        return measured
    except KeyboardInterrupt:
        if interrupts.stopped or not interrupts.status:
            raise
    except Exception as error:
        outcome.failure = outcome.failure or error
    finally:
        interrupts.waits = True
    return known


def _command(
    spec: str, output: str | None, plugins: tuple[str, ...], settings: tuple[str, ...], entries: tuple[str, ...]
) -> list[str]:
    """The command that resumes a stopped run."""
    options = [("-o", output)] if output else []
    options += [("--plugin", file) for file in plugins] + [("--set", setting) for setting in settings]
    options += [("--set-metadata", entry) for entry in entries]
    return ["modnet", "train", spec, *(word for option in options for word in option), "--resume"]
