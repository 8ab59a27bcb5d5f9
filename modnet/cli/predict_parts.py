"""Predictions for a table in parts, by the workers of a scheduler: `modnet predict --scheduler`."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from modnet.cli.failures import FAILED, INTERRUPTED, WRONG_INPUT
from modnet.cli.forms import form_of
from modnet.cli.output import echo_json, room, say, tell
from modnet.cli.part_work import PartWork
from modnet.cli.parts import Part, Predicting, parts_of
from modnet.cli.predicted import Account
from modnet.cli.prediction import Names, Prediction
from modnet.cli.status import Status
from modnet.errors import DataError, ModnetError
from modnet.model.load import load
from modnet.plugins.registry import default_registry
from modnet.plugins.schedulers import Ended, Scheduler, digest_of, scheduler_at
from modnet.words import counted, legible, readable_bytes, time_left

STOPPED_BY_USER = "interrupted"

HOPELESS = 10
"""If this number of parts failed and none succeeded, no further one is tried."""

MOST_FAILED = 10
"""How many of the parts that failed are told."""

LINE = 10.0
"""Seconds between two lines that say how far it is, where these go to a file."""


@dataclass
class PartsPredicted:
    """What became of the parts of a table.

    Attributes:
        parts: how many there are.
        done: how many were done now.
        done_before: how many were done already.
        failed: the parts for which there are no predictions -> why.
        account: what there is to say about the rows of those that were done now.
        retries: how often a part was tried again because its worker was lost.
        size: of the files that were written now, in bytes.
        seconds: how long it took.
        stopped: why not all parts were tried, or "".
        lost: the error where the workers could not be reached any more, or None.
    """

    parts: int
    done: int = 0
    done_before: int = 0
    failed: dict[str, Exception] = field(default_factory=dict)
    account: Account = field(default_factory=Account)
    retries: int = 0
    size: int = 0
    seconds: float = 0.0
    stopped: str = ""
    lost: OSError | None = None

    @property
    def rate(self) -> float:
        """Rows in a second."""
        return self.account.rows / max(self.seconds, 1e-9)


Look = Callable[[PartsPredicted], object]


class Plan:
    """Predictions for a table in parts before the first of them, all of whose faults are known that can be.

    Args:
        model: the model file.
        data: a folder, a pattern or a file, as for `parts_of`.
        out: the folder for the predictions.

    Raises:
        ModnetError, UsageError: the model cannot be read, a threshold is not possible for it, there are no parts, or
            nothing writes files of their kind.
    """

    def __init__(self, model: Path, data: str, out: Path, how: Prediction) -> None:
        self.model, self.out = Path(model).expanduser().absolute(), Path(out).absolute()
        self.how = how.replace(plugins=tuple(map(os.path.abspath, how.plugins)))
        Names(load(self.model, mmap=True), how.thresholds)
        self.parts = parts_of(data, self.out)
        for ending, part in {part.target.suffix: part for part in self.parts}.items():
            if ending == ".npz" and how.thresholds:
                raise click.UsageError("--threshold: a .npz file has the network's outputs, and no classes")
            form_of(str(part.target), False)

    def run(self, scheduler: Callable[[], Scheduler], resume: bool, look: Look = lambda found: None) -> PartsPredicted:
        """Predicts for the parts that are not done.

        Args:
            scheduler: gives the workers, which are let go in the end; it is not called where there is nothing to do.
            resume: whether to go on with what is in the folder.
            look: is called after each part.

        Raises:
            ModnetError: as `Predicting`, and from the scheduler.
        """
        described = {"model": digest_of(self.model), "options": _options(self.how)}
        with closing(Predicting(self.out, described, resume)) as folder:
            left = [part for part in self.parts if not folder.is_done(part)]
            found = PartsPredicted(len(self.parts), done_before=len(self.parts) - len(left))
            found.account = Account(self.how.faults)
            if left:
                with closing(scheduler()) as workers:
                    folder.prepare(left)
                    self._work(workers, left, folder, found, look)
                folder.tidy(left)
        return found

    def _work(
        self, workers: Scheduler, left: Sequence[Part], folder: Predicting, found: PartsPredicted, look: Look
    ) -> None:
        began = time.monotonic()
        try:
            work = PartWork(workers.share(self.model), self.how)
            with closing(workers.run(work, left)) as endings:
                for ended in endings:
                    _take(ended, left[ended.place], folder, found)
                    found.seconds = time.monotonic() - began
                    look(found)
                    if len(found.failed) >= HOPELESS and not found.done:
                        found.stopped = f"the first {HOPELESS} parts have failed"
                        break
        except KeyboardInterrupt:
            found.stopped = STOPPED_BY_USER
        except OSError as error:
            found.stopped, found.lost = "the workers are lost", error
        found.seconds = time.monotonic() - began


def _take(ended: Ended, part: Part, folder: Predicting, found: PartsPredicted) -> None:
    """Takes in what became of a part."""
    found.retries += ended.retries
    error = ended.error
    if error is None and ended.result.error:
        error = DataError(ended.result.error.removeprefix(f"{part.source}: "))
    elif error is None and not part.target.exists():
        error = OSError(f"a worker has written {part.target}, which this machine does not see")
    if error is not None:
        found.failed[part.name] = error
        return
    account: Account = ended.result.account
    found.done += 1
    found.size += part.target.stat().st_size
    found.account.add(account, part.name)
    folder.add(part, account.rows, account.lost)


def _options(how: Prediction) -> dict[str, Any]:
    """The options that change what is written."""
    return {name: getattr(how, name) for name in ("keep", "thresholds", "engine", "faults", "reading")}


def run_parts(model: str, data: str, output: str, how: Prediction, address: str, resume: bool, as_json: bool) -> int:
    """The body of `modnet predict --scheduler`. Returns the exit status."""
    if output == "-":
        raise click.UsageError("--scheduler: name the folder for the predictions by -o")
    plan = Plan(Path(model), data, Path(output), how)
    progress = _Progress()
    try:
        found = plan.run(lambda: scheduler_at(address, default_registry()), resume, progress)
    finally:
        progress.end()
    say(found.account.texts())
    if as_json:
        echo_json({"model": model, "data": data, "output": output, **_plain(found)})
    else:
        tell("\n".join(_table(found, output)))
    return _concluded(found, output)


def _concluded(found: PartsPredicted, output: str) -> int:
    """Says why not everything is done; returns the exit status."""
    if found.lost is not None:
        raise found.lost
    if found.stopped == STOPPED_BY_USER:
        return INTERRUPTED
    rows, lost = found.account.rows, found.account.lost
    if lost and lost == rows and not found.failed and not found.done_before:
        raise DataError(f"no prediction could be made for any of the {counted(rows, 'row')}")
    if not found.failed:
        return 0
    return WRONG_INPUT if all(isinstance(error, ModnetError) for error in found.failed.values()) else FAILED


def _plain(found: PartsPredicted) -> dict[str, Any]:
    return {
        "parts": found.parts,
        "done": found.done,
        "done_before": found.done_before,
        "rows": found.account.rows,
        "bad_rows": found.account.lost,
        "retries": found.retries,
        "seconds": round(found.seconds, 3),
        "rows_per_second": round(found.rate),
        "stopped": found.stopped,
        "failed": [{"part": name, "error": str(error)} for name, error in found.failed.items()],
    }


def _table(found: PartsPredicted, output: str) -> list[str]:
    """What became of the parts, for the screen."""
    left = found.parts - found.done_before - found.done - len(found.failed)
    several = ((found.done_before, "done before"), (len(found.failed), "failed"), (left, "left"))
    told = "".join(f", {count:,} {what}" for count, what in several if count)
    lines = [
        ("parts", f"{found.parts:,}: {found.done:,} done{told}"),
        ("rows", f"{found.account.rows:,} in {found.seconds:.1f} s, {found.rate:,.0f} a second"),
        ("bad rows", f"{found.account.lost:,}"),
        ("tried again", counted(found.retries, "part")),
        ("written", f"{readable_bytes(found.size)} to {output}"),
    ]
    return [*(f"{name:<13}{text}" for name, text in lines), *_failures(found)]


def _failures(found: PartsPredicted) -> list[str]:
    """The parts that failed, and the command that goes on."""
    listed = [f"  {legible(name)}: {error}" for name, error in [*found.failed.items()][:MOST_FAILED]]
    more = len(found.failed) - MOST_FAILED
    texts = ["", "failed", *listed, *([f"  and {more:,} more"] if more > 0 else [])] if listed else []
    if found.stopped or found.failed:
        again = shlex.join(["modnet", *_again(sys.argv[1:])])
        texts += ["", f"{found.stopped or 'the others are done'}; go on: {again}"]
    return texts


def _again(arguments: list[str]) -> list[str]:
    return arguments if "--resume" in arguments else [*arguments, "--resume"]


class _Progress:
    """Says on standard error how far it is: on a terminal in one line, else from time to time."""

    def __init__(self) -> None:
        self._terminal = room(err=True) is not None
        self._status = Status()
        self._told = time.monotonic()

    def __call__(self, found: PartsPredicted) -> None:
        now = time.monotonic()
        if not self._terminal and now - self._told < LINE:
            return
        self._told = now
        ended = found.done_before + found.done + len(found.failed)
        told = f"{ended:,} of {counted(found.parts, 'part')}, {found.account.rows:,} rows, {found.rate:,.0f} a second"
        told += f", {found.retries:,} tried again" if found.retries else ""
        told += f", {len(found.failed):,} failed" if found.failed else ""
        told += time_left(ended - found.done_before, found.parts - found.done_before, found.seconds)
        if self._terminal:
            self._status.show(told)
        else:
            say([told])

    def end(self) -> None:
        self._status.close()
