"""The course of a run on the screen: a table of epochs, and on a terminal a bar for the epoch in progress."""

from __future__ import annotations

import shutil
import sys
import textwrap
import time
from collections.abc import Mapping
from typing import Any, TextIO, cast

from modnet.configuration.fields import field
from modnet.kinds.callback import Callback
from modnet.kinds.figures import figure_text, figure_title, number_text
from modnet.training.run import INTERRUPTED, Run

MOST_LINES = 20
"""About how many epochs of a run get a line."""

LONGEST_SILENCE = 10.0
"""Seconds after which an epoch gets a line in any case."""

BAR_INTERVAL = 0.1
"""Seconds between two movements of the bar."""

NARROWEST, WIDEST_NAME, GAP = 8, 40, 2


class ProgressDisplay(Callback, type="progress"):
    """Prints a line for each epoch: its figures, and the seconds since the start.

    Of a run of more than 20 epochs it prints the first, every so many, the last, the one whose weights early stopping
    has brought back, and any that ends more than 10 seconds after the line before. On a terminal where the library
    rich is installed a bar shows the epoch in progress. It should be the last callback of the list, so that it sees
    what the others did. Where standard output cannot be written to any more the run goes on in silence.

    Fields:
        every: epochs from line to line; by default so many that there are 20 lines at most.
    """

    every: int | None = field(default=None, minimum=1)

    def join(self, run: Run) -> object:
        return _Screen(self.every or _interval(run.training.epochs))


def _interval(epochs: int) -> int:
    """The least of 1, 2, 5, 10, 20, 50 ... that makes few enough lines of them."""
    scale = 1
    while True:
        for digit in (1, 2, 5):
            if epochs <= MOST_LINES * digit * scale:
                return digit * scale
        scale *= 10


def _step_of_epoch(run: Run) -> int:
    """Steps made in the current epoch, or in the one that has just ended."""
    return run.batches_done or run.batches_per_epoch or 0


class _Output:
    """Standard output as a run writes to it: its first error closes it, and is nobody else's.

    The terminal may go away, the reader of a pipe may leave, the disk of a log may be full; and the program may have
    put anything in the place of `sys.stdout`. It is a text file as rich wants one.
    """

    def __init__(self) -> None:
        self.stream: Any = sys.stdout  # None where the process was started without
        self.closed = self.stream is None
        self.encoding = getattr(self.stream, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        if not self.closed:
            try:
                self.stream.write(text)
            except Exception:
                self.closed = True
        return len(text)

    def flush(self) -> None:
        if not self.closed:
            try:
                self.stream.flush()
            except Exception:
                self.closed = True

    def isatty(self) -> bool:
        try:
            return not self.closed and bool(self.stream.isatty())
        except Exception:
            return False

    def fileno(self) -> int:
        descriptor: int = self.stream.fileno()
        return descriptor


class _Screen:
    """What one run has on the screen."""

    def __init__(self, every: int) -> None:
        self.every = every
        self.table: FigureTable | None = None
        self.printed = 0  # the epoch of the last line
        self.printed_at = self.moved_at = time.perf_counter()
        self.bar: Any = None
        self.task: Any = None
        self.output = _Output()

    def modnet_training_started(self, run: Run) -> None:
        self.output = _Output()
        self.printed_at = self.moved_at = time.perf_counter()
        # Above a display of rich that the program has on the screen itself there are lines, and no second bar.
        if self.output.isatty() and not hasattr(sys.stdout, "rich_proxied_file"):
            self._start_bar()
        if run.step:
            self.write(f"going on after step {_step_of_epoch(run):,} of epoch {run.epoch}")

    def _start_bar(self) -> None:
        try:
            from rich import progress
            from rich.console import Console
        except ImportError:
            return
        self.bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(bar_width=30),
            progress.TextColumn("{task.fields[loss]}"),
            console=Console(file=cast(TextIO, self.output)),
            transient=True,
            auto_refresh=False,
        )
        self.task = self.bar.add_task("", total=None, loss="")
        self.bar.start()

    def modnet_step_ended(self, run: Run) -> None:
        if self.bar is None or (now := time.perf_counter()) - self.moved_at < BAR_INTERVAL or self.output.closed:
            return
        self.moved_at = now
        total = run.batches_per_epoch
        self.bar.update(
            self.task,
            description=f"epoch {run.epoch} of {run.training.epochs}",
            completed=_step_of_epoch(run),
            total=total,
            loss=f"loss {number_text(run.loss)}",
            refresh=True,
        )

    def modnet_epoch_ended(self, run: Run) -> None:
        first_or_nth = run.epoch == 1 or run.epoch % self.every == 0
        if first_or_nth or time.perf_counter() - self.printed_at > LONGEST_SILENCE:
            self.line(run, run.epoch)

    def line(self, run: Run, epoch: int, remark: str = "") -> None:
        figures = {name: values[epoch - 1] for name, values in run.history.figures.items()}
        if self.table is None:
            self.table = FigureTable(figures, shutil.get_terminal_size().columns)
            for text in self.table.heading:
                self.write(text, "bold")
        seconds = sum(run.history.seconds[:epoch])
        self.write(self.table.line(epoch, figures, seconds) + (f"   {remark}" if remark else ""))
        self.printed, self.printed_at = epoch, time.perf_counter()

    def modnet_training_ended(self, run: Run) -> None:
        """The lines that are still missing, and why the run stopped."""
        if self.bar is not None:
            self.bar.stop()
        history = run.history
        best = history.best_epoch
        if history.epochs and self.printed != history.epochs:
            self.line(run, history.epochs)
        if best is not None:
            self.line(run, best, "best")
        kept = "" if best is None else f"weights of epoch {best} restored"
        if run.stopped:
            reason = f"stopped: {run.stopped}".replace("validation ", "val ")
            if run.interrupted:
                by = "you" if run.stopped == INTERRUPTED else "a signal"
                reason = f"stopped by {by} after step {_step_of_epoch(run):,} of epoch {run.epoch}"
            self.write("; ".join(filter(None, (reason, kept))))
        elif kept:
            self.write(kept)

    def write(self, text: str, style: str = "") -> None:
        if self.bar is not None:
            from rich.text import Text

            self.bar.console.print(Text(text, style), soft_wrap=True)
        else:
            self.output.write(f"{text}\n")
            self.output.flush()


class FigureTable:
    """The lines of a table of epochs that is not wider than the screen.

    Headings are broken over several lines where they would make it too wide; where that is not enough columns are left
    out, those of the training metrics first. Figures that are no numbers, such as a confusion matrix, have no column.

    Attributes:
        names: the figures that have a column.
        heading: the lines above the figures.
    """

    def __init__(self, figures: Mapping[str, Any], width: int = 80) -> None:
        self.names = [name for name, value in figures.items() if isinstance(value, int | float)]
        dispensable = sorted(
            (name for name in self.names if name not in ("loss", "validation_loss")),
            key=lambda name: (name.startswith("validation_"), -self.names.index(name)),
        )
        while True:
            for longest in (WIDEST_NAME, 14, 9):
                titles = [textwrap.wrap(figure_title(name), longest, break_long_words=False) for name in self.names]
                self._widths = [max(NARROWEST, *map(len, lines)) for lines in titles]
                if 5 + sum(self._widths) + GAP * (len(titles) + 1) + 7 <= width:
                    break
            else:
                if dispensable:
                    self.names.remove(dispensable.pop(0))
                    continue
            break
        height = max(map(len, titles), default=1)
        columns = [["epoch"], *titles, ["time"]]
        padded = [[""] * (height - len(lines)) + lines for lines in columns]
        self.heading = ["", *(self._row(cells) for cells in zip(*padded, strict=True))]

    def _row(self, cells: tuple[str, ...]) -> str:
        epoch, *figures, seconds = cells
        texts = [cell.rjust(width) for cell, width in zip(figures, self._widths, strict=True)]
        return (" " * GAP).join([epoch.rjust(5), *texts, seconds.rjust(7)]).rstrip()

    def line(self, epoch: int, figures: Mapping[str, Any], seconds: float) -> str:
        return self._row((str(epoch), *(figure_text(name, figures[name]) for name in self.names), time_text(seconds)))


def time_text(seconds: float) -> str:
    """A duration for people: "0.51 s", "12.3 s", "4m05s", "2h07m"."""
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02}s"
    return f"{minutes // 60}h{minutes % 60:02}m"
