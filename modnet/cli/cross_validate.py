"""The body of `modnet cross-validate`."""

from __future__ import annotations

import shlex
import tempfile
import time as clock
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from modnet.assessment.cross_validation import CrossValidation, CrossValidator, FoldResult
from modnet.cli.failures import INTERRUPTED
from modnet.cli.forms import TEXTS, Named, form_of, npz
from modnet.cli.job import Job
from modnet.cli.launched import refuse_several
from modnet.cli.output import echo_json, quiet, room, tell
from modnet.cli.predicted import Predicted
from modnet.cli.prediction import Names, check_not_input, write
from modnet.cli.status import Status
from modnet.cli.training_texts import introduction
from modnet.data.column import Column
from modnet.data.table import Table
from modnet.datasets.folding import Folding
from modnet.datasets.load import located
from modnet.errors import DataError, SpecError
from modnet.kinds.callback import Callback
from modnet.model.atomic import replace_file
from modnet.training.progress import FigureTable
from modnet.training.run import Run
from modnet.words import counted, time_left


def run(
    spec: str,
    folds: int,
    repeats: int,
    group: str | None,
    time: str | None,
    seed: int | None,
    output: str | None,
    folder: str | None,
    plugins: tuple[str, ...],
    settings: tuple[str, ...],
    as_json: bool,
) -> int:
    _check_call(group, time)
    job = Job.open(spec, plugins, settings)
    form = "" if output is None else _checked_form(output, spec, job)
    place = Path(folder) if folder is not None else _own_folder(spec, output)
    course = _Course(folds * repeats, silent=as_json or quiet())
    validator = _validator(job, Folding(folds, repeats, seed, group, time), place, course)
    if not course.silent:
        tell(introduction(job, validator.notes))
    done: list[FoldResult] = []
    try:
        with closing(course):
            _run(validator, done, course)
    except KeyboardInterrupt:
        options = {"--folds": folds, "--repeats": repeats, "--group": group, "--time": time, "--seed": seed}
        options |= {"-o": output, "--folder": folder}
        tell(_stopped(len(done), place, _command(spec, options, plugins, settings)), err=True)
        return INTERRUPTED
    found = validator.result(done)
    if output is not None:
        _write(found, form, output)
    if folder is None:
        validator.remove_folder(done)
    echo_json(_plain(spec, found, output)) if as_json else tell(_conclusion(found, output, folder))
    return 0


def _check_call(group: str | None, time: str | None) -> None:
    if group is not None and time is not None:
        raise click.UsageError("--group and --time: folds are made by groups or by time; give one of them")
    refuse_several("train all folds", "MODNET_NUM_THREADS")


def _checked_form(output: str, spec: str, job: Job) -> str:
    """How the predictions are written; the place is fit for them."""
    if output == "-":
        raise click.UsageError("-o: the screen shows the figures; name a file for the predictions")
    form = form_of(output, as_json=False)
    if form != ".npz":
        Names(job.network)  # refuses outputs that do not fit into the rows of a table
    if form not in (*TEXTS, ".npz"):
        _try_to_write(form, output)
    data = job.network.card.spec.data
    train = data.train if data is not None and isinstance(data.train, str) else ""
    check_not_input(output, spec=spec, data=str(located(train, Path(job.network.card.folder))))
    return form


def _try_to_write(form: str, output: str) -> None:
    """Lets a plugin write such a file elsewhere: only so is it known that one does, and folds take long."""
    with tempfile.TemporaryDirectory() as folder:
        place = str(Path(folder, Path(output).name))
        try:
            write([Named(Table({"row": Column.of([1])}), frozenset())], form, place)
        except DataError as error:
            raise DataError(str(error).replace(place, output)) from None


class _Course:
    """Shows on a terminal how far the folds are, until the line of a fold takes the place; takes part in their runs.

    Args:
        folds: how many there are, in all repeats.
        silent: the folds have no lines.
    """

    def __init__(self, folds: int, silent: bool) -> None:
        self.silent = silent
        self._status, self._folds = Status(), folds
        self._began: float | None = None
        self._done = 0
        self._seconds = 0.0

    def modnet_training_started(self) -> None:
        self._began = clock.perf_counter()

    def modnet_epoch_ended(self, run: Run) -> None:
        seconds = clock.perf_counter() - (self._began or 0.0)
        # The folds before tell better how long one takes than its epochs, of which the last are often left out.
        share = run.epoch / run.training.epochs
        if self._done:
            share = max(share, min(seconds * self._done / max(self._seconds, 1e-9), 0.99))
        left = time_left(self._done + share, self._folds, self._seconds + seconds)
        epoch = f"epoch {run.epoch:,} of {run.training.epochs:,}"
        self._status.show(f"  fold {self._done + 1:,} of {self._folds:,}, {epoch}{left}")

    def close(self) -> None:
        """Empties the line."""
        self._status.close()

    def ended(self, seconds: float) -> None:
        """A fold is done; if it was not found in the folder, it has taken so many seconds."""
        self._status.close()
        if self._began is None:
            self._folds -= 1
        else:
            self._done, self._seconds, self._began = self._done + 1, self._seconds + seconds, None

    def callback(self) -> Callback:
        """What has it take part in a run."""
        course = self

        class Watching(Callback):
            def join(self, run: Run) -> object:
                return course

        return Watching()


def _own_folder(spec: str, output: str | None) -> Path:
    """Where the finished folds are stored until all are done: beside the predictions, or here."""
    name = f"{Path(output or spec).stem}.folds"
    return Path(output).with_name(name) if output is not None else Path(name)


def _validator(job: Job, folding: Folding, folder: Path, course: _Course) -> CrossValidator:
    job.require_savable(job.objective())
    try:
        return CrossValidator(job.network, folding, folder=folder, callbacks=[course.callback()])
    except SpecError as error:
        raise job.located(error) from None


def _stopped(finished: int, place: Path, again: str) -> str:
    kept = f"; {counted(finished, 'finished fold')} in {place}" if finished else " before a fold was finished"
    return f"stopped{kept}\ngo on: {again}"


def _run(validator: CrossValidator, done: list[FoldResult], course: _Course) -> None:
    """Adds the results of the folds, each with its line on the screen as soon as it is there."""
    table: FigureTable | None = None
    width = room()
    for result in validator.run():
        done.append(result)
        course.ended(result.seconds)
        if course.silent:
            continue
        if table is None:
            table = FigureTable(result.figures, width, "fold")
            tell("\n".join(table.heading))
        name = f"{result.fold}" if validator.folding.repeats == 1 else f"{result.repeat}.{result.fold}"
        line, told = table.line(name, result.figures, result.seconds), _remark(result)
        # On a narrow terminal the remark goes below the figures.
        wide = width is None or len(line) + len(told) + 3 <= width
        tell(f"{line}   {told}" if wide else f"{line}\n       {told}")


def _remark(result: FoldResult) -> str:
    best = "" if result.best_epoch is None else f", epoch {result.best_epoch:,}"
    said = f"{counted(len(result.rows), 'row')}, {result.train:,} trained on{best}"
    return "; ".join([said, *result.notes])


def _write(found: CrossValidation, form: str, output: str) -> None:
    """Writes the predictions, with the numbers of their rows, counted from 1 as in all messages."""
    columns, row = found.given.columns, found.about[0]
    kept = Table({**columns, row: Column(columns[row].values + 1)})
    part = Predicted(found.outputs, kept)
    if form == ".npz":
        replace_file(output, [npz([part])], durable=False)
    else:
        write([Names(found.network).table(part)], form, output)


def _conclusion(found: CrossValidation, output: str | None, folder: str | None) -> str:
    width = room()
    blocks = ["", found.text(width), *found.figures.class_tables(width)]
    files = []
    if output is not None:
        files.append(
            f"{output}  {counted(len(found.given), 'prediction')}, each by a network that had not seen its row"
        )
    if folder is not None:
        files.append(f"{folder}  the networks of the folds")
    return "\n\n".join([*blocks, *(["\n".join(files)] if files else [])]).removeprefix("\n\n" if quiet() else "\n")


def _plain(spec: str, found: CrossValidation, output: str | None) -> dict[str, Any]:
    """The output of `--json`."""
    return {
        "spec": spec,
        "notes": list(found.notes),
        "folds": [
            {
                "repeat": result.repeat,
                "fold": result.fold,
                "rows": len(result.rows),
                "train": result.train,
                "validation": result.validation,
                "epochs": result.epochs,
                "best_epoch": result.best_epoch,
                "seconds": result.seconds,
                "metrics": dict(result.figures),
            }
            for result in found.folds
        ],
        "spread": {name: spread._asdict() for name, spread in found.spread.items()},
        "metrics": dict(found.figures),
        "base": found.base,
        "classes": found.figures.classes,
        "predictions": output,
    }


def _command(spec: str, options: Mapping[str, Any], plugins: Sequence[str], settings: Sequence[str]) -> str:
    """The command that goes on."""
    usual = {"--folds": 5, "--repeats": 1}
    given = [(name, str(v)) for name, v in options.items() if v is not None and v != usual.get(name)]
    given += [("--plugin", file) for file in plugins] + [("--set", setting) for setting in settings]
    return shlex.join(["modnet", "cross-validate", spec, *(word for option in given for word in option)])
