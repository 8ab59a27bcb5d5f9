"""Shows a run in a notebook: its curves, which are redrawn during the run."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import Any

from modnet.kinds.figures import number_text
from modnet.training.run import Run
from modnet.words import counted, time_text

INTERVAL = 0.3
"""Least seconds between two drawings: each is a message to the browser."""


def notebook_display() -> Any:
    """The function `display` of IPython where the program runs in a kernel of Jupyter; None elsewhere.

    IPython is not imported: a kernel has done that.
    """
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if getattr(shell, "kernel", None) is None:
        return None
    return getattr(sys.modules.get("IPython.display"), "display", None)


class LiveCurves:
    """The output of one run in a notebook. If the notebook does not accept it, the run continues without it.

    Args:
        display: IPython's.
    """

    def __init__(self, display: Any) -> None:
        self._display, self._handle = display, None
        self._shown_at = 0.0
        from modnet.engine.notebook import history_html  # not at the top: most runs are in no notebook

        self._html = history_html

    def modnet_training_started(self, run: Run) -> None:
        self._show(run, "the training begins")

    def modnet_step_ended(self, run: Run) -> None:
        if time.perf_counter() - self._shown_at > INTERVAL:
            steps = f" of {run.batches_per_epoch:,}" if run.batches_per_epoch else ""
            step = f"step {run.batches_done:,}{steps}" if run.batches_done else "done"
            loss = number_text(run.loss)
            self._show(run, f"{_epoch(run)}, {step}, loss {loss}{_seconds(run)}")

    def modnet_epoch_ended(self, run: Run) -> None:
        if time.perf_counter() - self._shown_at > INTERVAL:
            self._show(run, f"{_epoch(run)} done{_seconds(run)}")

    def modnet_training_ended(self, run: Run) -> None:
        epochs = counted(run.history.epochs, "epoch")
        if run.failed:
            ended = f"ended by an error after {epochs}"
        else:
            ended = f"stopped after {epochs}: {run.stopped}" if run.stopped else epochs
        self._show(run, f"{ended}{_seconds(run)}")

    def _show(self, run: Run, title: str) -> None:
        drawn = _Shown(self._html(run.history, title), title)
        with suppress(Exception):  # a browser that is gone must not end a long run
            if self._handle is None:
                self._handle = self._display(drawn, display_id=True)
            else:
                self._handle.update(drawn)
        self._shown_at = time.perf_counter()


def _epoch(run: Run) -> str:
    return f"epoch {run.epoch:,} of {run.training.epochs:,}"


def _seconds(run: Run) -> str:
    return f", {time_text(sum(run.history.seconds))}"


class _Shown:
    """What a notebook shows, and a console in its place."""

    def __init__(self, html: str, text: str) -> None:
        self._html, self._text = html, text

    def _repr_html_(self) -> str:
        return self._html

    def __repr__(self) -> str:
        return self._text
