"""The body of `modnet check`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import numpy as np

from modnet.cli import first_rows
from modnet.cli.failures import WRONG_INPUT, faults_text
from modnet.cli.job import Job
from modnet.cli.output import echo, echo_json, quiet, room, tell
from modnet.cli.search import plan_of
from modnet.data.source import is_address
from modnet.datasets.dataset import Dataset, naming
from modnet.datasets.load import LoadedData, located
from modnet.errors import DataError, ShapeError, SpecError, TooLarge
from modnet.memory import require
from modnet.training.endings import limited_ending
from modnet.training.evaluation import Evaluation
from modnet.training.objective import Objective
from modnet.training.sources import Given, checked_data
from modnet.training.trial import check_class_weights, look_over
from modnet.words import counted, harmless

TRIAL_ROWS = 8


def run(spec: str, plugins: tuple[str, ...], settings: tuple[str, ...], as_json: bool) -> int:
    notes: list[str] = []
    size: dict[str, int] = {}
    rows: dict[str, Any] = {}
    fault: SpecError | None = None
    try:
        job = Job.open(spec, plugins, settings)
        size = {"nodes": len(job.network.graph.nodes), "parameters": job.network.layout.parameter_count}
        notes, loaded = _check_training(job)
        rows = {} if loaded is None else first_rows.described(loaded)
    except SpecError as error:
        fault = error
    if as_json:
        echo_json({"spec": spec, **size, "notes": notes, **rows, "problems": _plain(fault)})
    elif fault is not None:
        echo(_coloured(harmless(faults_text(fault, room()))), styled=True)
    else:
        tell(f"{spec}: no problems; {counted(size['nodes'], 'node')}, {counted(size['parameters'], 'parameter')}")
        for line in [] if quiet() else [*notes, *first_rows.texts(rows, room())]:
            tell(line)
    return WRONG_INPUT if fault is not None else 0


def _plain(fault: SpecError | None) -> list[dict[str, Any]]:
    """The problems as plain values."""
    keys = ("file", "line", "column", "length", "path", "message", "hint")
    return [{key: getattr(problem, key) for key in keys} for problem in (fault.problems if fault else ())]


def _check_training(job: Job) -> tuple[list[str], LoadedData | None]:
    """Checks that loss, metrics and data fit the network; returns notes on what could not be checked, and the data."""
    job.require_savable()
    if job.network.card.training is None:
        return ["there is no [training] table: only the network was checked"], None
    objective = job.objective()
    data = job.network.card.spec.data
    # Without a [data] table it is unknown whether there will be a validation.
    job.check_figures(objective, data is None or data.validates)
    job.require_savable(objective)
    notes = list(_check_losses(job, objective))
    absent = _absent(job)
    if absent:
        return [*notes, f"{absent}: the data were not compared with the network"], None
    try:
        loaded = job.load_data()
    except (ShapeError, DataError) as error:
        with _at(job, "data", _part_at_fault(job, str(error))):
            raise
    job.require_savable(objective)
    try:
        _try_a_batch(job, objective, loaded)
    except TooLarge as error:
        notes.append(f"note: no batch was tried: {error}")
    if job.network.card.spec.search is not None:
        plan_of(job)
    return notes, loaded


def _absent(job: Job) -> str:
    """Why there are no data to check, or ""."""
    data = job.network.card.spec.data
    if data is None or data.train is None:
        return "there is no [data] table" if data is None else "[data] has no train"
    # The parent of a path may be a file: an archive or a workbook, into which the path leads.
    absent = (path for path in _data_files(job) if not path.exists() and not path.parent.is_file())
    return next((f"{path} does not exist" for path in absent), "")


def _check_losses(job: Job, objective: Objective) -> Iterator[str]:
    """Checks that each loss accepts its output; returns notes on what is allowed but unusual."""
    for head in objective.heads:
        shape = job.network.outputs[head.name]
        try:
            head.loss.check_shapes(shape, head.loss.target_shapes(shape)[0])
        except ShapeError as error:
            raise job.problem(("training", "loss"), error.message, error.hint) from None
        if head.loss.joint_with and not head.learning.joint:
            graph = job.network.graph
            ends = graph.node(graph.before_prediction(graph.outputs[head.name])[-1]).layer.type
            usual = " or ".join(head.loss.joint_with)
            yield f"note: {head.loss.type} usually follows {usual}; output {head.name} ends with {ends}"
        if limited := limited_ending(job.network, head.name, head.loss):
            yield f"note: {limited}"


def _part_at_fault(job: Job, message: str) -> str:
    """The key of [data] whose file a message begins with."""
    data = job.network.card.spec.data
    for key in ("validation", "test") if data else ():
        source = getattr(data, key)
        path = source if isinstance(source, str) else getattr(source, "path", None) or getattr(source, "x", None)
        if path and message.startswith(str(located(path, job.path.parent))):
            return key
    return "train"


def _data_files(job: Job) -> list[Path]:
    data = job.network.card.spec.data
    names: list[str | None] = []
    for source in (data.train, data.validation, data.test) if data else ():
        if isinstance(source, str):
            names.append(source)
        elif source is not None and not isinstance(source, float):
            names += [source.path, source.x, source.y]
    return [located(name, job.path.parent) for name in names if name is not None and not is_address(name)]


def _try_a_batch(job: Job, objective: Objective, loaded: LoadedData) -> None:
    """Checks the data, and sends a few rows through the network, the loss and the metrics."""
    require(job.network.layout.nbytes(job.network.dtype), "the network with all its arrays")
    evaluation = Evaluation(job.network, objective)
    try:
        objective.fit(loaded.train)
    except SpecError as error:
        raise job.located(error) from None
    for part, key, what in (
        (loaded.train, "train", "training"),
        (loaded.validation, "validation", "validation"),
        (loaded.test, "test", "test"),
    ):
        if part is not None:
            with _at(job, "data", key):
                data = checked_data(objective, Given(part))
                with naming(part.name):
                    check_class_weights(objective, part)
                look_over(evaluation, data.batches(TRIAL_ROWS), part.name or f"{what} data")
    with _at(job, "training"), np.errstate(all="ignore"):
        rows = job.training().batch_size if objective.couples else TRIAL_ROWS
        few = loaded.train.take(range(min(rows, len(loaded.train))))
        data = Dataset.of(job.network, few, outputs=objective.target_outputs)
        evaluation.tally(data.batches(rows)).result()


@contextmanager
def _at(job: Job, *keys: str) -> Iterator[None]:
    """Turns an error about data into a fault of the spec at this place."""
    try:
        yield
    except ShapeError as error:
        raise job.problem(keys, error.message, error.hint) from None
    except DataError as error:
        raise job.problem(keys, str(error)) from None
    except SpecError as error:
        raise job.located(error) from None


def _coloured(text: str) -> str:
    """The text with its carets in red and the places in bold, for a terminal."""
    lines = []
    for line in text.splitlines():
        bar, carets = line[:9], line[9:]
        if bar == "       | " and carets.strip() and not carets.strip("^ \t"):
            line = bar + click.style(carets, fg="red", bold=True)
        lines.append(line)
    return "\n".join(lines)
