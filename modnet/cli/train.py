"""The body of `modnet train`."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

from modnet.cli.failures import first_line, report
from modnet.cli.launched import place, quiet_but_first, refuse_several
from modnet.cli.one_training import STOPPED, Asked, Trained, checked, train
from modnet.cli.output import echo_json, quiet, room, tell
from modnet.cli.training_texts import Screen
from modnet.errors import ModnetError
from modnet.kinds.figures import VALIDATION, figure_text, figure_title
from modnet.screen import fitted
from modnet.words import counted, time_text


def run(
    specs: tuple[str, ...],
    output: str | None,
    plugins: tuple[str, ...],
    settings: tuple[str, ...],
    resume: bool,
    entries: tuple[str, ...],
    profiled: bool,
    as_json: bool,
) -> int:
    asked = Asked(specs[0], output, plugins, settings, resume, entries, profiled, as_json)
    if len(specs) > 1:
        refuse_several("train all of these specs", "one spec at a time")
        return _several([asked.replace(spec=spec, output=_within(output, spec)) for spec in specs])
    with quiet_but_first(place()):
        trained = train(asked)
        if trained is not None:
            return _concluded(trained, asked)
    return 0  # of a follower, always: another status would end the first process, which may be writing the model


def _concluded(trained: Trained, asked: Asked) -> int:
    """Prints the JSON of a training, and raises what has ended it; returns the exit status."""
    if asked.as_json and trained.path is not None:
        Screen(trained.path).tell_json(trained.plain)
    if trained.failure is not None:
        raise trained.failure
    return trained.status


# Several specs


class _Row(NamedTuple):
    """What became of one of several specs.

    Attributes:
        trained: None if there is no model.
        seconds: how long it took.
        told: why there is no model, or what else there is to say.
    """

    asked: Asked
    trained: Trained | None
    status: int
    seconds: float
    told: str


def _within(folder: str | None, spec: str) -> str | None:
    """The model file of one of several specs, in the folder that `-o` names."""
    return None if folder is None else str(Path(folder, f"{Path(spec).stem}.modnet"))


def _several(all_asked: Sequence[Asked]) -> int:
    """Trains one after the other, when all have been checked; one that fails does not stop the others.

    Returns:
        The exit status: the first that is not 0.
    """
    _check_places(all_asked)
    if status := _check_all(all_asked):
        return status
    rows = _train_all(all_asked)
    if all_asked[0].as_json:
        echo_json([_plain(row) for row in rows])
    else:
        tell("\n" + "\n".join(_table(rows, room())))
        _tell_of_others(all_asked[len(rows) :])
    return next((row.status for row in rows if row.status), 0)


def _train_all(all_asked: Sequence[Asked]) -> list[_Row]:
    """Trains one after the other, until one is stopped."""
    rows: list[_Row] = []
    for number, asked in enumerate(all_asked, 1):
        if not asked.as_json and not quiet():
            tell(f"{'' if number == 1 else chr(10)}{number} of {len(all_asked)}: {asked.spec}")
        rows.append(_one(asked))
        if rows[-1].status in STOPPED:
            break
    return rows


def _check_places(all_asked: Sequence[Asked]) -> None:
    """Checks that each model has a separate file; makes the folder for them.

    Raises:
        UsageError: two have the same, or `-o` is no folder.
    """
    taken: dict[Path, str] = {}
    for asked in all_asked:
        if asked.path in taken:
            both = f"{taken[asked.path]} and {asked.spec}"
            raise click.UsageError(f"{both}: both models would be {asked.path}; train them one by one, with -o")
        taken[asked.path] = asked.spec
    folder = Path(all_asked[0].path).parent
    if folder.suffix == ".modnet":
        raise click.UsageError(f"-o {folder}: with several specs, -o is the folder for their models")
    folder.mkdir(parents=True, exist_ok=True)


def _check_all(all_asked: Sequence[Asked]) -> int:
    """Finds the faults of all specs and their data before the first training; returns the exit status."""
    statuses = []
    for asked in all_asked:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # they come again when it is trained
                checked(asked)
        except (ModnetError, OSError) as error:
            statuses.append(report(error))
    if statuses:
        tell(
            f"{counted(len(statuses), 'spec')} of {len(all_asked)} cannot be trained; no training was started", err=True
        )
    return max(statuses, default=0)


def _one(asked: Asked) -> _Row:
    """Trains one of several specs; an error is reported and is in the row."""
    began = time.perf_counter()
    try:
        trained = train(asked)
        failure = trained.failure if trained else None
    except Exception as error:
        trained, failure = None, error
    status = (trained.status if trained else 0) if failure is None else report(failure)
    told = "" if failure is None else first_line(failure)
    return _Row(asked, trained if trained and trained.path else None, status, time.perf_counter() - began, told)


def _plain(row: _Row) -> dict[str, Any]:
    """What `--json` prints of one of several specs."""
    known = {"spec": row.asked.spec, "status": row.status, "seconds": row.seconds, "error": row.told or None}
    return {**known, **(row.trained.plain if row.trained else {})}


def _table(rows: Sequence[_Row], width: int | None) -> list[str]:
    """A line for each spec: its epochs, its figures on the validation data or else in training, its time, its model."""
    names = list(dict.fromkeys(name for row in rows for name in _figures(row)))
    table = [["spec", "epochs", *map(figure_title, names), "time"]]
    remarks = ["model"]
    for row in rows:
        figures, trained = _figures(row), row.trained
        cells = [figure_text(name, figures[name]) if name in figures else "" for name in names]
        epochs = str(trained.history.epochs) if trained else ""
        table.append([row.asked.spec, epochs, *cells, time_text(row.seconds)])
        stopped = "stopped" if row.status in STOPPED else ""
        remarks.append("; ".join(filter(None, (str(trained.path) if trained else "", row.told or stopped))))
    return fitted(table, 1, width, remarks)


def _figures(row: _Row) -> dict[str, float]:
    """The figures that are numbers: those of the validation, or those of the training if there are none."""
    if row.trained is None:
        return {}
    numbers = {name: value for name, value in row.trained.metrics.items() if isinstance(value, int | float)}
    return {name: value for name, value in numbers.items() if name.startswith(VALIDATION)} or numbers


def _tell_of_others(left: Sequence[Asked]) -> None:
    """After a stop: which specs were not begun."""
    if left:
        tell(f"not begun: {' '.join(asked.spec for asked in left)}", err=True)
