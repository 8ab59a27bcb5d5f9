"""What `modnet search` tells."""

from __future__ import annotations

import shlex
import time
from pathlib import Path

from modnet.assessment.search.names import short_names, value_text
from modnet.assessment.search.planned import Asked, Planned
from modnet.assessment.search.result import DONE, FAILED, PRUNED, SearchResult, Trial
from modnet.cli.job import Job
from modnet.cli.output import echo, quiet, room
from modnet.cli.status import Status
from modnet.cli.training_texts import aligned, data_lines
from modnet.kinds.figures import TEST, figure_text, figure_title
from modnet.screen import folded, with_bars
from modnet.words import counted, legible, listed, readable_bytes, time_left, time_text

SHOWN = 10
"""How many of the best trials are listed in the end."""

BAR = 24
"""How long the bar of the value is that mattered most, if it alone did."""

WIDEST = 20
"""How wide a column of values is at most."""


class Rows:
    """The lines of trials, with a column for each value that is looked for; on a terminal, for those that fit.

    Where none fits, the values of a trial are below its line.
    """

    def __init__(self, planned: Planned) -> None:
        self.monitor = planned.monitor
        self.names = short_names(planned.space.ranges)
        self.widths: dict[str, int] = {}
        self._room = width = room()
        for dotted, one in planned.space.ranges.items():
            texts = [value_text(value) for value in one.choices or ()]
            self.widths[dotted] = min(max(9, len(self.names[dotted]), *map(len, texts), 0), WIDEST)
            if width is not None and len(self.title()) > width - len("  pruned"):
                del self.widths[dotted]
                break
        self._stacked = not self.widths

    def title(self) -> str:
        return self._line("trial", figure_title(self.monitor), "epochs", "time", self.names)

    def line(self, trial: Trial) -> str:
        texts = {dotted: value_text(value) for dotted, value in trial.values.items()}
        told = "failed" if trial.value is None else figure_text(self.monitor, trial.value)
        line = self._line(str(trial.number), told, str(trial.epochs), f"{trial.seconds:.1f} s", texts)
        line += "  pruned" if trial.outcome == PRUNED else f"  as trial {trial.repeats}" if trial.repeats else ""
        below = [", ".join(f"{self.names[dotted]} {text}" for dotted, text in texts.items())] if self._stacked else []
        below += [legible(trial.error.splitlines()[0], 100)] if trial.error else []
        return "\n".join([line, *(folded(f"       {text}", self._room) for text in below)])

    def _line(self, number: str, value: str, epochs: str, seconds: str, texts: dict[str, str]) -> str:
        width = max(10, len(figure_title(self.monitor)))
        cells = [_cut(texts.get(dotted, ""), size).rjust(size) for dotted, size in self.widths.items()]
        return f"{number:>5}  {value:>{width}}  {epochs:>6}  {seconds:>7}  {'  '.join(cells)}".rstrip()


class Course:
    """Prints the lines of trials, and shows on a terminal how long the others take, until the next one ends.

    Args:
        rows: None for no lines.
    """

    def __init__(self, planned: Planned, asked: Asked, rows: Rows | None) -> None:
        self._rows = rows
        self._whole = planned.asked.trials if asked.trials is None else asked.trials
        self._limit = planned.asked.time if asked.time is None else asked.time
        self._status = Status()
        self._began, self._done = time.perf_counter(), 0

    def begin(self, text: str) -> None:
        """Prints what is about to be searched, and the heading of the trials."""
        if self._rows is not None:
            echo(f"{text}\n{self._rows.title()}")

    def ended(self, trial: Trial) -> None:
        """A trial of this call has ended; those of an earlier one are counted by their numbers."""
        self.close()
        if self._rows is not None:
            echo(self._rows.line(trial))
        self._done += 1
        number, seconds = trial.number, time.perf_counter() - self._began
        left = time_left(self._done, self._done + max(self._whole - number, 0), seconds)
        if self._limit is not None:
            least = max(self._limit - seconds, 0.0)
            left = left if self._limit > seconds + least else f", {time_text(least)} at most"
        if number < self._whole:
            self._status.show(f"{number:,} of {counted(self._whole, 'trial')}{left}")

    def close(self) -> None:
        """Empties the line, for what the search prints."""
        self._status.close()


def introduction(job: Job, planned: Planned, asked: Asked, place: Path) -> str:
    """What is about to be searched."""
    better = "greater is better" if planned.greater else "less is better"
    folds = "" if planned.asked.folds is None else f", the mean of {planned.asked.folds} folds"
    lines = [
        *data_lines(job, planned.taken.notes),
        ("search", _plan(planned, asked)),
        ("by", f"{figure_title(planned.monitor)}{folds}; {better}"),
        ("in", str(place)),
    ]
    return aligned(lines) + "\n"


def _plan(planned: Planned, asked: Asked) -> str:
    """`4 values, 40 trials, 60 s at most: tpe, pruned by hyperband, 2 processes`"""
    search = planned.asked
    time = search.time if asked.time is None else asked.time
    much = [
        counted(len(planned.space.ranges), "value"),
        counted(search.trials if asked.trials is None else asked.trials, "trial"),
        *([] if time is None else [f"{time:g} s at most"]),
    ]
    pruner = search.pruner if search.folds is None or search.pruner == "none" else "median"
    how = [search.sampler, *([] if pruner == "none" else [f"pruned by {pruner}"])]
    how += [] if asked.processes == 1 else [f"{asked.processes} processes"]
    return f"{', '.join(much)}: {', '.join(how)}"


def conclusion(found: SearchResult, rows: Rows, path: Path, plot: str | None, again: str) -> str:
    """The best trials, what mattered, and what was written."""
    over = f"\n{found.stopped}; go on: {again}" if found.stopped else ""
    if found.best is None:
        return f"\nno trial was finished{_why(found)}{over}"
    done = [trial for trial in found.ranking() if trial.outcome == DONE]
    width = room()
    lines = ["", _summary(found), "", f"the best {SHOWN}" if len(done) > SHOWN else "the best", rows.title()]
    lines += [rows.line(trial) for trial in done[:SHOWN]]
    lines += ["", *_values(found, found.best), *_mattered(found, width), "", *_written(found, found.best, path, plot)]
    return "\n".join(lines[quiet() :]) + over


def _written(found: SearchResult, best: Trial, path: Path, plot: str | None) -> list[str]:
    """The files that were written, and the next command."""
    model = path.with_suffix(".modnet")
    written = [(str(path), f"the spec with the values of trial {best.number}")]
    if found.model is not None:
        size = readable_bytes(model.stat().st_size)
        written.append((str(model), f"its model, {size}   {_figures(best)}".rstrip()))
    if plot is not None:
        written.append((plot, "the trials and what mattered"))
    width = max(len(name) for name, _ in written)
    lines = [f"{name:<{width}}  {text}" for name, text in written]
    if not any(name.startswith(TEST) for name in best.figures):
        lines.append(
            "the best trial looks better on these rows than it is, because they chose it; test = 0.2 in [data] "
            "measures it on others"
        )
    following = ["train", str(path)] if found.model is None else ["predict", str(model), "NEW.csv"]
    return lines if found.stopped or quiet() else [*lines, f"next: {shlex.join(['modnet', *following])}"]


def remark(found: SearchResult) -> str:
    """Where the values of the written spec come from, for its reader."""
    assert found.best is not None
    value = figure_text(found.monitor, found.best.value or 0.0)
    return (
        f"found by modnet search: {found.monitor} {value} in trial {found.best.number} of {len(found.trials)}, by this:"
    )


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _summary(found: SearchResult) -> str:
    outcomes = [trial.outcome for trial in found.trials]
    parts = [f"{outcomes.count(name)} {name}" for name in (DONE, PRUNED, FAILED) if name in outcomes]
    return f"{counted(len([o for o in outcomes if o in (DONE, PRUNED, FAILED)]), 'trial')}: {', '.join(parts)}"


def _values(found: SearchResult, best: Trial) -> list[str]:
    """The values of the best trial, and how good the spec's own were."""
    width = max(map(len, best.values))
    lines = [f"best values ({figure_title(found.monitor)} {figure_text(found.monitor, best.value or 0.0)})"]
    lines += [f"  {dotted:<{width}}  {value_text(value)}" for dotted, value in best.values.items()]
    own = next((trial for trial in found.trials if trial.number == found.own and trial.value is not None), None)
    return lines if own is None else [*lines, _own(found, own, best)]


def _own(found: SearchResult, own: Trial, best: Trial) -> str:
    if own.number == best.number:
        return "these are the spec's own values: no trial was better"
    told = f"{figure_text(found.monitor, own.value or 0.0)} (trial {own.number}"
    return f"the spec's own values: {told}{', pruned' if own.outcome == PRUNED else ''})"


def _mattered(found: SearchResult, width: int | None) -> list[str]:
    if not found.importance:
        return ["", "what mattered: too few trials were finished to say"]
    longest = max(map(len, found.importance))
    lines = [f"  {dotted:<{longest}}  {share:>5.0%}" for dotted, share in found.importance.items()]
    return ["", "what mattered", *with_bars(lines, ["█" * round(BAR * n) for n in found.importance.values()], width)]


def _figures(trial: Trial) -> str:
    names = [name for name in trial.figures if name.startswith(("validation_", "test_")) and not name.endswith("loss")]
    names = names or [name for name in trial.figures if name.endswith("loss")]
    return ", ".join(f"{figure_title(name)} {figure_text(name, trial.figures[name])}" for name in names)


def _why(found: SearchResult) -> str:
    """The errors of trials that failed, each once."""
    errors = dict.fromkeys(trial.error.splitlines()[0] for trial in found.trials if trial.error)
    return f": {listed(list(errors), 3)}" if errors else ""
