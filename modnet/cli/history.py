"""The body of `modnet history`."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import click
import numpy as np

from modnet.arrays import Array
from modnet.assessment.histories import read_history
from modnet.cli.cells import quoted, safe_name
from modnet.cli.output import echo, echo_json, room, tell
from modnet.engine.courses import courses_of
from modnet.engine.history import History
from modnet.kinds.figures import figure_text, figure_title
from modnet.pictures.curves import is_logarithmic
from modnet.screen import fitted, folded, short
from modnet.training.progress import interval
from modnet.words import counted

BARS, PLAIN_BARS = "▁▂▃▄▅▆▇█", "_.-~=+*#"
"""The heights of a curve, the second where the output has no such signs."""

LONGEST_CURVE = 60

MOST_MODELS = 26


class Course(NamedTuple):
    """The epochs of a model file or of a log.

    Attributes:
        model: the file.
        history: with all its figures.
        kept: the epoch whose weights the file has; None if it cannot be told.
    """

    model: str
    history: History
    kept: int | None

    @property
    def numbers(self) -> dict[str, Array]:
        """The figures that have one number for each epoch."""
        return courses_of(self.history)

    @property
    def monitor(self) -> str:
        """The figure by which an epoch is the best: the loss of the validation, or else of the training."""
        return next((name for name in ("validation_loss", "loss") if name in self.numbers), "")

    @property
    def best(self) -> int | None:
        """The epoch, from 1, with the lowest loss; None if no epoch has a finite one."""
        values = self.numbers.get(self.monitor, np.zeros(0))
        finite = np.isfinite(values)
        return int(np.argmin(np.where(finite, values, np.inf))) + 1 if finite.any() else None


def run(models: tuple[str, ...], as_json: bool, as_csv: bool) -> None:
    if as_json and as_csv:
        raise click.UsageError("--json and --csv: give one of them")
    if len(set(models)) < len(models):
        raise click.UsageError("a model is there twice")
    if len(models) > MOST_MODELS:
        raise click.UsageError(f"expected {MOST_MODELS} models at most, found {len(models)}")
    courses = [_course(model) for model in models]
    if as_json:
        echo_json([_plain(course) for course in courses])
    elif as_csv:
        echo("".join(_csv(courses)), nl=False)
    elif len(courses) == 1:
        tell("\n".join(_one(courses[0], room())))
    else:
        tell("\n".join(_several(courses, room())))


def _course(model: str) -> Course:
    found = read_history(model)
    return Course(model, found.history, found.kept)


def _plain(course: Course) -> dict[str, Any]:
    known = {
        "model": course.model,
        "epochs": course.history.epochs,
        "best_epoch": course.best,
        "kept_epoch": course.kept,
    }
    return {**known, "monitor": course.monitor, "history": course.history.figures}


def _csv(courses: Sequence[Course]) -> Iterator[str]:
    """A line for each epoch of each model, with every figure that is a number."""
    names = list(dict.fromkeys(name for course in courses for name in course.numbers))
    head = [*(["model"] if len(courses) > 1 else []), "epoch", *map(safe_name, names)]
    yield ",".join(quoted(name, ",") for name in head) + "\n"
    for course in courses:
        numbers, own = course.numbers, [quoted(safe_name(course.model), ",")] if len(courses) > 1 else []
        for epoch in range(course.history.epochs):
            cells = (repr(float(numbers[name][epoch])) if _reaches(numbers, name, epoch) else "" for name in names)
            yield ",".join([*own, str(epoch + 1), *cells]) + "\n"


def _reaches(numbers: Mapping[str, Array], name: str, epoch: int) -> bool:
    return name in numbers and epoch < len(numbers[name])


# The screen


def _one(course: Course, width: int | None) -> Iterator[str]:
    """The epochs of one model, with the curves of its figures."""
    numbers, epochs = course.numbers, course.history.epochs
    yield folded(f"{course.model}: {counted(epochs, 'epoch')}{_best_text(course)}", width)
    yield ""
    rows = [["epoch", "", *map(figure_title, numbers)]]
    for epoch in _shown(epochs, [course]):
        cells = (_cell(numbers, name, epoch) for name in numbers)
        rows.append([str(epoch), "best" if epoch == course.best else "", *cells])
    yield from fitted(rows, 0, width, keep=2)
    yield ""
    yield from _curves({figure_title(name): values for name, values in numbers.items()}, width, _pairs(numbers))


def _best_text(course: Course) -> str:
    if course.best is None:
        return ""
    value = figure_text(course.monitor, float(course.numbers[course.monitor][course.best - 1]))
    told = f", the best is {course.best:,} with {figure_title(course.monitor)} {value}"
    return told + (
        f"; the weights are those of epoch {course.kept:,}" if course.kept not in (None, course.best) else ""
    )


def _shown(epochs: int, courses: Sequence[Course]) -> list[int]:
    """The epochs that have a line: about twenty, the first, the last and the best."""
    every = range(interval(epochs), epochs + 1, interval(epochs))
    ends = [end for course in courses for end in (course.history.epochs, course.best) if end is not None]
    return sorted({1, *every, *ends})


def _cell(numbers: Mapping[str, Array], name: str, epoch: int) -> str:
    return figure_text(name, float(numbers[name][epoch - 1])) if _reaches(numbers, name, epoch - 1) else ""


def _marked(course: Course, name: str, epoch: int) -> str:
    """The value of a figure, with a star in the best epoch."""
    cell = _cell(course.numbers, name, epoch)
    return cell and f"{cell}{'*' if epoch == course.best else ' '}"


def _several(courses: Sequence[Course], width: int | None) -> Iterator[str]:
    """The epochs of several models side by side, figure by figure."""
    letters = [chr(ord("A") + place) for place in range(len(courses))]
    for letter, course in zip(letters, courses, strict=True):
        yield folded(f"{letter}  {course.model}: {counted(course.history.epochs, 'epoch')}{_best_text(course)}", width)
    for name in _told(courses):
        yield ""
        yield from fitted(_side_by_side(courses, letters, name), 1, width)
        yield ""
        own = {letter: c.numbers[name] for letter, c in zip(letters, courses, strict=True) if name in c.numbers}
        yield from _curves(own, width, [list(own)])
    yield "\n* the best epoch of a model"


def _side_by_side(courses: Sequence[Course], letters: Sequence[str], name: str) -> list[list[str]]:
    """The table of a figure: a row for each epoch that is shown, a column for each model."""
    epochs = _shown(max(course.history.epochs for course in courses), courses)
    head = [figure_title(name), *(f"{letter} " for letter in letters)]
    return [head, *([f"epoch {n}", *(_marked(course, name, n) for course in courses)] for n in epochs)]


def _told(courses: Sequence[Course]) -> list[str]:
    """The figures to set side by side: those of the validation that several models have, or else of the training."""
    known = [name for course in courses for name in course.numbers]
    common = [name for name in dict.fromkeys(known) if known.count(name) > 1] or list(dict.fromkeys(known))
    return [name for name in common if name.startswith("validation_")] or common


# Curves


def _pairs(numbers: Mapping[str, Array]) -> list[list[str]]:
    """The titles of the curves that are drawn on the same scale: training and validation."""
    own = [name for name in numbers if not name.startswith("validation_")]
    pairs = [[name, f"validation_{name}"] for name in own]
    alone = [
        [name] for name in numbers if name.startswith("validation_") and name.removeprefix("validation_") not in own
    ]
    return [[figure_title(name) for name in group if name in numbers] for group in [*pairs, *alone]]


def _curves(curves: Mapping[str, Array], width: int | None, groups: Sequence[Sequence[str]]) -> Iterator[str]:
    """A line for each curve, with its first and its last value.

    Args:
        groups: the titles of those that are drawn on the same scale.
    """
    longest = min(max(map(len, curves)), 24)
    room = min(LONGEST_CURVE, (width or 80) - longest - 12 - 23)
    if room < len(BARS):
        return
    for group in groups:
        finite = [values[np.isfinite(values)] for title in group for values in [curves[title]]]
        together = np.concatenate(finite)
        low, high = (float(together.min()), float(together.max())) if len(together) else (0.0, 0.0)
        for title in group:
            values = curves[title]
            line = f"{short(title, longest):<{longest}}{values[0]:>10.4g}"
            if is_logarithmic(title, low, high):
                curve, scale = _drawn(np.log(values), math.log(low), math.log(high), room), "  log scale"
            else:
                curve, scale = _drawn(values, low, high, room), ""
            yield f"{line}  {curve}  {values[-1]:.4g}{scale}"


def _drawn(values: Array, low: float, high: float, room: int) -> str:
    """A curve in at most so many signs, each for the mean of some epochs; a space where no value is finite."""
    bars = BARS if _has_bars() else PLAIN_BARS
    signs = []
    for part in np.array_split(values, min(room, len(values))):
        known = part[np.isfinite(part)]
        if not len(known):
            signs.append(" ")
            continue
        share = (float(known.mean()) - low) / (high - low) if high > low else 0.5
        signs.append(bars[min(math.floor(share * len(bars)), len(bars) - 1)])
    return "".join(signs)


def _has_bars() -> bool:
    """Whether the encoding of standard output has the signs of curves."""
    try:
        BARS.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except (UnicodeError, LookupError):
        return False
    return True
