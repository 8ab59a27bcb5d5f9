"""Shows a run on the screen: a table of epochs and, on a terminal, a progress bar for the current epoch."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from typing import Any, TextIO, cast

from modnet.configuration.fields import field
from modnet.engine.history import History
from modnet.kinds.callback import Callback
from modnet.kinds.figures import figure_text, figure_title, number_text
from modnet.screen import folded, width_of
from modnet.training.live import LiveCurves, notebook_display
from modnet.training.run import INTERRUPTED, Run
from modnet.waiting import listening
from modnet.words import time_left, time_text

MOST_LINES = 20
"""The most lines of a run, apart from those for its first, last and best epoch and for slow epochs."""

LONGEST_SILENCE = 10.0
"""Seconds after the last line at which the next epoch gets a line in any case."""

BAR_INTERVAL = 0.1
"""Least seconds between two updates of the bar: drawing it at every step would slow down small networks."""

NARROWEST, WIDEST_NAME, GAP = 8, 40, 2

USUAL = 80
"""How wide the table is in a file or a pipe, if it has no more columns than fit."""

BEST = " best"

WIDEST_BAR, BESIDE_BAR = 30, 52
"""The greatest length of the bar, and the width of the text next to it."""


class ProgressDisplay(Callback, type="progress"):
    """Prints a line for each epoch: its figures, and the seconds since the start.

    If a run has more than 20 epochs, it prints the first, every n-th, the last, the one whose weights early stopping
    has restored, and any that ends more than 10 seconds after the previous line. On a terminal, if the library rich is
    installed, a bar shows the progress of the current epoch. It should be the last callback of the list, so that it
    sees what the others did. If standard output fails, the run continues without output.

    In a Jupyter notebook it draws the curves of all figures instead, and updates them during the run.

    Fields:
        every: epochs from one line to the next; by default chosen so that there are at most about 20 lines.
    """

    of_one_run = True

    every: int | None = field(default=None, minimum=1)

    def join(self, run: Run) -> object:
        display = notebook_display()
        if display is not None and run.processes is None:
            return LiveCurves(display)
        return _Screen(self.every or interval(run.training.epochs))


def interval(epochs: int) -> int:
    """The smallest of 1, 2, 5, 10, 20, 50 ... that gives at most MOST_LINES lines."""
    scale = 1
    while True:
        for digit in (1, 2, 5):
            if epochs <= MOST_LINES * digit * scale:
                return digit * scale
        scale *= 10


def _step_of_epoch(run: Run) -> int:
    """Steps done in the current epoch, or in the one that has just ended, when `batches_done` is 0 again."""
    return run.batches_done or run.batches_per_epoch or 0


def _steps_done(run: Run) -> int:
    """The batches of all epochs so far; of a stream before its first epoch has ended, those of this one."""
    ended = max(run.epoch - 1, 0) if run.batches_done else run.epoch
    return ended * (run.batches_per_epoch or 0) + run.batches_done


class _Output:
    """Standard output, whose first error closes it here and is not raised: a lost screen must not end a long run.

    The terminal may be closed, the reader of a pipe may exit, the disk of a log may be full; and the program may have
    replaced `sys.stdout` by anything. It has the methods of a text file that rich needs.
    """

    def __init__(self) -> None:
        self.stream: Any = sys.stdout  # None if the process was started without it
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
    """The output of one run."""

    def __init__(self, every: int) -> None:
        self.every = every
        self.table: FigureTable | None = None
        self.printed = 0  # the epoch of the last line
        self.printed_at = self.moved_at = time.perf_counter()
        self.bar: Any = None
        self.task: Any = None
        self.listening = ExitStack()
        self.before = 0
        self.output = _Output()
        self.width: int | None = None

    def modnet_training_started(self, run: Run) -> None:
        self.output = _Output()
        self.width = width_of(self.output)
        self.listening.enter_context(listening(self))
        self.before = _steps_done(run)
        self.began = time.perf_counter()
        self.printed_at = self.moved_at = time.perf_counter()
        # If the program itself shows a display of rich, a second one would overwrite it: lines only, no bar.
        # Also not if several processes share the run: their launcher takes the output, and may write it to a file.
        if self.output.isatty() and not hasattr(sys.stdout, "rich_proxied_file") and run.processes is None:
            self._start_bar()
        if run.step:
            self.write(f"going on after step {_step_of_epoch(run):,} of epoch {run.epoch}")

    def _start_bar(self) -> None:
        try:
            from rich import progress
            from rich.console import Console
        except ImportError:
            return
        bar = (self.width or USUAL) - BESIDE_BAR
        self.bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            *([progress.BarColumn(bar_width=min(bar, WIDEST_BAR))] if bar >= NARROWEST else []),
            progress.TextColumn("{task.fields[loss]}{task.fields[left]}"),
            console=Console(file=cast(TextIO, self.output)),
            transient=True,
            auto_refresh=False,
        )
        self.task = self.bar.add_task("", total=None, loss="", left="")
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
            left=self._left(run, now),
            refresh=True,
        )

    def _left(self, run: Run, now: float) -> str:
        """How long the epochs that are left take, as those of this run have taken."""
        if run.batches_per_epoch is None:
            return ""
        whole = run.training.epochs * run.batches_per_epoch
        left = time_left(_steps_done(run) - self.before, whole - self.before, now - self.began)
        may_stop = any(used.callback.type == "early_stopping" for used in run.training.callbacks)
        return f"{left} at most" if left and may_stop else left

    def announced(self, text: str) -> None:
        """Says what the run waits for; without a bar, on standard error, because it is not a line of the table."""
        if self.bar is not None:
            self.write(folded(text, self.width))
        elif sys.stderr is not None:
            with suppress(OSError, ValueError):
                print(text, file=sys.stderr, flush=True)

    def advanced(self, what: str, done: int, whole: int) -> None:
        """Loops within a run have no line."""

    def modnet_epoch_ended(self, run: Run) -> None:
        first_or_nth = run.epoch == 1 or run.epoch % self.every == 0
        if first_or_nth or time.perf_counter() - self.printed_at > LONGEST_SILENCE:
            self.line(run, run.epoch)

    def line(self, run: Run, epoch: int, remark: str = "") -> None:
        figures = {name: values[epoch - 1] for name, values in run.history.figures.items()}
        if self.table is None:
            self.table = FigureTable(figures, self.width, remark=len(BEST))
            for text in self.table.heading:
                self.write(text, "bold")
        seconds = sum(run.history.seconds[:epoch])
        line = self.table.line(epoch, figures, seconds)
        wide = self.width is None or len(line) + len(remark) + 2 <= self.width
        self.write(f"{line}{'  ' if remark and wide else ''}{remark}")
        self.printed, self.printed_at = epoch, time.perf_counter()

    def modnet_training_ended(self, run: Run) -> None:
        """Prints the lines that are still missing, and why the run stopped."""
        self.listening.close()
        if self.bar is not None:
            self.bar.stop()
        history = run.history
        best = history.best_epoch
        if history.epochs and self.printed != history.epochs:
            self.line(run, history.epochs)
        if best is not None:
            self.line(run, best, BEST)
        kept = _kept(history)
        if run.stopped:
            reason = f"stopped: {run.stopped}".replace("validation ", "val ")
            if run.interrupted:
                by = "you" if run.stopped == INTERRUPTED else "a signal"
                reason = f"stopped by {by} after step {_step_of_epoch(run):,} of epoch {run.epoch}"
            self.write(folded("; ".join(filter(None, (reason, kept))), self.width))
        elif kept:
            self.write(folded(kept, self.width))

    def write(self, text: str, style: str = "") -> None:
        if self.bar is not None:
            from rich.text import Text

            self.bar.console.print(Text(text, style), soft_wrap=True)
        else:
            self.output.write(f"{text}\n")
            self.output.flush()


def _kept(history: History) -> str:
    """The origin of the network's weights, if they are not the last ones."""
    if history.best_epochs is not None:
        return f"each member has the weights of its best epoch: {', '.join(map(str, history.best_epochs))}"
    return "" if history.best_epoch is None else f"weights of epoch {history.best_epoch} restored"


class FigureTable:
    """The lines of a table of epochs, or of other parts of the work, that is not wider than the screen.

    If it would be too wide, headings are broken over several lines, and then columns move closer; if that is not
    enough, columns are left out, those of the training metrics first. Without a screen, none is left out.
    Figures that are not numbers, such as a confusion matrix, have no column.

    Attributes:
        names: the figures that have a column.
        heading: the lines above the figures.
    """

    def __init__(
        self, figures: Mapping[str, Any], width: int | None = None, part: str = "epoch", remark: int = 0
    ) -> None:
        """A table for figures of these names.

        Args:
            width: of the screen; None if there is none.
            part: what a line is of.
            remark: the width of the remarks that follow some of the lines.
        """
        room = (USUAL if width is None else width) - remark
        self.names = [name for name, value in figures.items() if isinstance(value, int | float)]
        dispensable = sorted(
            (name for name in self.names if name not in ("loss", "validation_loss")),
            key=lambda name: (name.startswith("validation_"), -self.names.index(name)),
        )
        while True:
            for longest, self._gap in ((WIDEST_NAME, GAP), (14, GAP), (9, GAP), (9, 1)):
                titles = [textwrap.wrap(figure_title(name), longest, break_long_words=False) for name in self.names]
                self._widths = [max(NARROWEST, *map(len, lines)) for lines in titles]
                if 5 + sum(self._widths) + self._gap * (len(titles) + 1) + 7 <= room:
                    break
            else:
                if dispensable and width is not None:
                    self.names.remove(dispensable.pop(0))
                    continue
            break
        height = max(map(len, titles), default=1)
        columns = [[part], *titles, ["time"]]
        padded = [[""] * (height - len(lines)) + lines for lines in columns]
        self.heading = ["", *(self._row(cells) for cells in zip(*padded, strict=True))]

    def _row(self, cells: tuple[str, ...]) -> str:
        epoch, *figures, seconds = cells
        texts = [cell.rjust(width) for cell, width in zip(figures, self._widths, strict=True)]
        return (" " * self._gap).join([epoch.rjust(5), *texts, seconds.rjust(7)]).rstrip()

    def line(self, part: int | str, figures: Mapping[str, Any], seconds: float) -> str:
        return self._row((str(part), *(figure_text(name, figures[name]) for name in self.names), time_text(seconds)))
