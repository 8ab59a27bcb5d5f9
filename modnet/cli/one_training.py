"""One training of `modnet train`: from a spec file to a model file."""

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
from modnet.cli.launched import place, sharing
from modnet.cli.output import quiet, tell
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
from modnet.records import Record
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


@dataclass(frozen=True)
class Trained:
    """A training that has come to an end, whichever.

    Attributes:
        path: the model file; None if none was written.
        status: the exit status.
        history: of the epochs.
        metrics: the figures of the model.
        plain: what `--json` prints of it.
        failure: what ended it after it had learnt something.
    """

    path: Path | None
    status: int
    history: History
    metrics: Mapping[str, Any]
    plain: dict[str, Any]
    failure: Exception | None = None


class Asked(Record):
    """The arguments of `modnet train`, for one spec."""

    spec: str
    output: str | None = None
    plugins: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    resume: bool = False
    entries: tuple[str, ...] = ()
    profiled: bool = False
    as_json: bool = False

    @property
    def path(self) -> Path:
        """Where the model goes."""
        return Path(self.output) if self.output else Path(f"{Path(self.spec).stem}.modnet")


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


def train(asked: Asked) -> Trained | None:
    """Trains the network of a spec, writes it, and prints what there is to say; None in a process that only helps.

    Raises:
        Exception: what keeps the run from its first step, or a run that has learnt nothing; what has ended one that
            has is the `failure` of what is returned.
    """
    where = place()
    job, loaded = checked(asked)
    sharing_it = sharing(job, where)
    if where.leads:
        return _lead(job, loaded, sharing_it, asked)
    _follow(job, loaded, asked.path, sharing_it, asked.resume)
    return None


def checked(asked: Asked) -> tuple[Job, LoadedData]:
    """The spec and its data; everything that can be is found out before the run.

    Raises:
        ModnetError, OSError: there is something that keeps the run from its end.
    """
    metadata = parse_pairs("--set-metadata KEY=VALUE", asked.entries, "commit=1f3a9c2")
    job = Job.open(asked.spec, asked.plugins, asked.settings)
    check_output(asked.path)
    objective = job.objective()
    loaded = job.load_data()
    network = job.network
    network.card = network.card.replace(metadata={**network.card.metadata, **metadata})
    job.require_savable(objective)
    job.check_figures(objective, validation=loaded.validation is not None)
    _check_logs(job, asked.path)
    return job, loaded


def _lead(job: Job, loaded: LoadedData, sharing_it: Sequence[Callback], asked: Asked) -> Trained:
    """The run, its model file and its output."""
    network, path = job.network, asked.path
    screen, silent = Screen(path), asked.as_json or quiet()
    if not silent:
        screen.tell(introduction(job, loaded.notes, place().size))
    callbacks, folder, own_folder = _callbacks(job, path, silent)
    _tell_of_checkpoints(folder, asked.resume)
    outcome = _train(job, loaded, path, [*callbacks, *sharing_it], folder if asked.resume else None, own_folder)
    if outcome.status and not outcome.run.step:
        tell(f"stopped before the first step; {untouched(path)}", err=True)
        return Trained(None, outcome.status, outcome.history, {}, {})
    path = screen.path = _write(network, loaded, path, outcome)
    profile = _profile(network, loaded.train, outcome) if asked.profiled else None
    if not asked.as_json:
        again = shlex.join(_command(asked)) if outcome.status in STOPPED else ""
        screen.tell(conclusion(job, loaded, path, asked.plugins, again, whole=outcome.failure is None))
        screen.tell_profile(profile)
    if outcome.failure is not None:
        outcome.failure = _telling(outcome.failure, f"they are in {path}")
    plain = _plain(network, path, outcome.history, profile)
    return Trained(path, outcome.status, outcome.history, network.card.metrics, plain, outcome.failure)


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


def _command(asked: Asked) -> list[str]:
    """The command that resumes a stopped run."""
    options = [("-o", asked.output)] if asked.output else []
    options += [("--plugin", file) for file in asked.plugins] + [("--set", setting) for setting in asked.settings]
    options += [("--set-metadata", entry) for entry in asked.entries]
    return ["modnet", "train", asked.spec, *(word for option in options for word in option), "--resume"]
