"""What `modnet train` and `modnet evaluate` tell of a training."""

from __future__ import annotations

import shlex
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from modnet.cli.failures import warn
from modnet.cli.job import Job
from modnet.cli.output import Found, discard, echo_json, quiet, room, tell, tell_found
from modnet.datasets.load import LoadedData, located
from modnet.kinds.figures import TEST, VALIDATION, figure_text, figure_title
from modnet.screen import NARROWEST, folded, labelled
from modnet.training.measured import hits_text
from modnet.words import counted, readable_bytes


class Screen:
    """The command's messages on standard output, whose errors do not end the command: its purpose is the model.

    The first error that is more than a reader who has left is reported on standard error; what follows goes nowhere.

    Args:
        path: where the model goes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def tell(self, text: str) -> None:
        self._try(tell, text)

    def tell_profile(self, profile: Found | None) -> None:
        if profile is not None:
            self.tell("")
            self._try(tell_found, profile)

    def tell_json(self, value: Any) -> None:
        self._try(echo_json, value)

    def _try(self, tell: Callable[[Any], None], what: Any) -> None:
        try:
            tell(what)
        except OSError as error:
            with suppress(OSError, ValueError):  # it has no descriptor
                discard(sys.stdout)
            reason = (error.strerror or str(error)).lower()
            warn(f"standard output cannot be written to ({reason}); the model is written to {self.path} anyway")


def introduction(job: Job, notes: Sequence[str], processes: int = 1) -> str:
    """What is about to be trained, and on what.

    Args:
        notes: about the data.
        processes: how many share the training.
    """
    network = job.network
    nodes, parameters = len(network.graph.nodes), network.layout.parameter_count
    size = f"{counted(nodes, 'node')}, {counted(parameters, 'parameter')}, {network.dtype}"
    pairs = [*data_lines(job, notes), ("network", size)]
    if processes > 1:
        pairs.append(("processes", f"{processes}, each with its rows of every batch"))
    if network.card.spec.search is not None:
        command = shlex.join(["modnet", "search", str(job.path)])
        pairs.append(("search", f"none: the plain values are trained; for better ones: {command}"))
    return aligned(pairs)


def aligned(pairs: Sequence[tuple[str, str]]) -> str:
    """Lines with their labels; on a terminal no line is wider."""
    indent = max(12, *(len(label) for label, _ in pairs)) + 2
    return "\n".join(labelled(label, line, indent, room()) for label, line in pairs)


def data_lines(job: Job, notes: Sequence[str]) -> list[tuple[str, str]]:
    """The lines about the data of a spec, each with its label: the first with the file, the others with ""."""
    data = job.network.card.spec.data
    assert data is not None
    source = data.train
    assert source is not None
    name = source if isinstance(source, str) else source.path or f"{source.x} and {source.y}"
    indent, width = max(12, len(name)) + 2, min(room() or 80, 80)
    lines = []
    for note in notes:
        # Where a line is too long it is broken between its two halves, rather than anywhere.
        halves = [note] if indent + len(note) <= width else note.split("; ")
        lines += [line for half in halves for line in textwrap.wrap(half, max(width - indent, NARROWEST))]
    return list(zip([name, *[""] * (len(lines) - 1)], lines, strict=True))


def conclusion(job: Job, loaded: LoadedData, path: Path, plugins: tuple[str, ...], again: str, *, whole: bool) -> str:
    """Where the model is, how good it is, and the next command.

    Args:
        plugins: the files that the next command needs too.
        again: the command with which a run that was stopped goes on, or "".
        whole: whether the run came to its end.
    """
    texts = ", ".join(_final_texts(job.network.card.metrics, loaded))
    first = f"{path}  {readable_bytes(path.stat().st_size)}   {texts}".rstrip()
    if quiet():
        return folded(first, room())
    if again or not whole:
        first = f"what was learnt so far is in {first}"
    first = folded(first, min(room() or 80, 80))
    if again:
        return f"\n{first}\ngo on: {again}"
    return f"\n{first}{_next(job, path, plugins) if whole else ''}"


def _next(job: Job, path: Path, plugins: tuple[str, ...]) -> str:
    """The line with the command that predicts."""
    options = [word for file in plugins for word in ("--plugin", file)]
    return f"\nnext: {shlex.join(['modnet', 'predict', str(path), _new_data(job), *options])}"


def _new_data(job: Job) -> str:
    """What data to predict for are called in the next command, by their kind."""
    card = job.network.card
    if card.schema is not None and card.schema.inputs:
        return "NEW.csv"
    path = card.spec.data.train if card.spec.data is not None else None
    return "NEW_FOLDER" if isinstance(path, str) and located(path, job.path.parent).is_dir() else "NEW.npz"


def _final_texts(metrics: Mapping[str, Any], loaded: LoadedData) -> Iterator[str]:
    """How good the model is: on the validation and test data if there are any, and by its loss only if necessary."""
    accurate = {f"{VALIDATION}accuracy": loaded.validation, f"{TEST}accuracy": loaded.test}
    for name in _telling(metrics, loaded):
        part = accurate.get(name)
        hits = "" if part is None else hits_text(metrics[name], part)
        yield f"{figure_title(name)} {figure_text(name, metrics[name])}{hits}"


def _telling(metrics: Mapping[str, Any], loaded: LoadedData) -> list[str]:
    """The names of the figures that tell how good a model is."""
    measured = {VALIDATION: loaded.validation, TEST: loaded.test}
    prefixes = tuple(prefix for prefix, part in measured.items() if part is not None)
    chosen = [n for n, value in metrics.items() if isinstance(value, int | float) and n.startswith(prefixes or "")]
    return [name for name in chosen if not name.endswith("loss")] or chosen
