"""The body of `modnet search`."""

from __future__ import annotations

import json
import os
import shlex
import signal
from collections.abc import Mapping
from contextlib import closing
from errno import EEXIST
from functools import partial
from pathlib import Path
from typing import Any

import click

from modnet.assessment.search.planned import INTERRUPTED as STOPPED
from modnet.assessment.search.planned import Asked, Planned
from modnet.assessment.search.plot import plot_search
from modnet.assessment.search.result import SearchResult
from modnet.assessment.search.study import JOURNAL
from modnet.cli.failures import FAILED, INTERRUPTED, warn
from modnet.cli.job import Job
from modnet.cli.launched import refuse_several
from modnet.cli.output import echo_json, quiet, tell
from modnet.cli.places import check_output, check_place
from modnet.cli.plugin_file import load_plugin_files
from modnet.cli.search_texts import Course, Rows, conclusion, introduction, remark
from modnet.cli.settings import parse_settings
from modnet.data.source import is_address
from modnet.errors import ModnetError, SpecError
from modnet.model.atomic import replace_file
from modnet.pictures.figure import check_format
from modnet.plugins.registry import default_registry
from modnet.plugins.schedulers import scheduler_at
from modnet.specs.paths import resolved, value_at, with_value
from modnet.specs.rewrite import rewritten, toml_text
from modnet.specs.search import marked
from modnet.words import Path as Keys


def run(
    spec: str,
    output: str | None,
    plugins: tuple[str, ...],
    settings: tuple[str, ...],
    trials: int | None,
    time: float | None,
    processes: int,
    resume: bool,
    scheduler: str | None,
    plot: str | None,
    as_json: bool,
) -> int:
    if scheduler is not None and processes > 1:
        raise click.UsageError("--processes is for this machine; --scheduler has as many workers as there are")
    refuse_several("make all trials", "--processes, or --scheduler,")
    path = Path(output) if output else Path(f"{Path(spec).stem}-best{Path(spec).suffix}")
    place = path.with_suffix(".search")
    job = Job.open(spec, plugins, settings)
    _check_places(Path(spec), path, plot)
    _check_resumed(path, place, resume)
    planned = plan_of(job, plugins)
    workers = None if scheduler is None else partial(scheduler_at, scheduler, default_registry())
    asked, rows = Asked(trials, time, processes, resume, workers), Rows(planned)
    course = Course(planned, asked, None if as_json or quiet() else rows)
    course.begin(introduction(job, planned, asked, place))
    received = _handle_signals()
    with closing(course):
        found = planned.search(place, asked, course.ended)
    if found.best is not None:
        _write(job, found, path, plot)
    if as_json:
        echo_json({"spec": spec, "output": str(path) if found.best else None, **found.plain()})
    else:
        tell(conclusion(found, rows, path, plot, shlex.join(_command(spec, output, plugins, settings, scheduler))))
    return _status(found, received)


def _status(found: SearchResult, received: list[int]) -> int:
    if found.stopped == STOPPED:
        return 128 + received[0] if received else INTERRUPTED
    return FAILED if found.best is None else 0


def _check_places(spec: Path, path: Path, plot: str | None) -> None:
    """Checks, before any work is done, that what is found can be written.

    Raises:
        ModnetError: it cannot.
    """
    if path.suffix not in (".toml", ".json", ".yaml", ".yml"):
        raise ModnetError(f"{path}: a spec is .toml, .json, .yaml or .yml; choose such a name with -o")
    check_place(path)
    if path.exists() and spec.exists() and path.samefile(spec):
        raise ModnetError(f"{path}: this is the spec itself; choose another file with -o")
    check_output(path.with_suffix(".modnet"))
    if plot is not None:
        check_place(Path(plot))
        check_format(plot)


def _check_resumed(path: Path, place: Path, resume: bool) -> None:
    """Checks that no earlier search is lost, nor a spec that no search has written."""
    begun = (place / JOURNAL).exists()
    if begun and not resume:
        raise ModnetError(
            f"{place} has a search already; use --resume to continue it, or another -o to start a new one"
        )
    if path.exists() and not begun:
        raise FileExistsError(EEXIST, "it is there already", str(path))
    if resume and not begun:
        warn(f"{place} has no search; starting from the beginning")


def plan_of(job: Job, plugins: tuple[str, ...] = ()) -> Planned:
    """The search of a spec.

    Raises:
        SpecError: with all faults, each with its place in the file.
    """
    table = job.source.values.get("search")
    ranges = marked(table, ("search",)) if isinstance(table, dict) else ()
    setup = partial(load_plugin_files, tuple(map(os.path.abspath, plugins))) if plugins else None
    try:
        return Planned(job.network, None, default_registry(), {dotted: keys for dotted, keys, _ in ranges}, setup)
    except SpecError as error:
        raise job.located(error) from None


def _handle_signals() -> list[int]:
    """Lets SIGTERM and SIGHUP end the search as Ctrl-C does; a list that gets their numbers."""
    received: list[int] = []

    def end(number: int, _: object) -> None:
        received.append(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)
    hangup = getattr(signal, "SIGHUP", None)  # not on Windows
    if hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN:  # ignored under nohup
        signal.signal(hangup, end)
    return received


def _write(job: Job, found: SearchResult, path: Path, plot: str | None) -> None:
    """Writes the best spec and the best model, and draws the trials."""
    assert found.best is not None
    values = job.source.values
    given = {**parse_settings(tuple(job.settings.values())), **found.best.values}
    changes = {resolved(values, dotted): value for dotted, value in given.items()}
    changes = {keys: value for keys, value in changes.items() if keys[0] != "search"}  # which is written as a comment
    ordered = dict(sorted(changes.items(), key=lambda item: len(item[0])))
    text = _text(job, path, {**ordered, **_moved(values, Path(job.network.card.folder), path.parent)}, remark(found))
    replace_file(path, [text.encode()], durable=True)
    if found.model is not None:
        replace_file(path.with_suffix(".modnet"), [found.model.read_bytes()], durable=True)
    if plot is not None:
        plot_search(found, plot)


def _text(job: Job, path: Path, changes: Mapping[Keys, Any], told: str) -> str:
    """The text of the best spec in the format that its suffix says; that of the spec itself, if it is TOML too."""
    if path.suffix == job.path.suffix.lower() == ".toml":
        return rewritten(job.source.text, job.source.values, changes, told)
    wanted: Any = {key: part for key, part in job.source.values.items() if key != "search"}
    for keys, value in changes.items():
        wanted = with_value(wanted, keys, value)
    return toml_text(wanted) if path.suffix == ".toml" else json.dumps(wanted, indent=2, ensure_ascii=False) + "\n"


def _moved(values: Any, before: Path, after: Path) -> dict[Keys, str]:
    """The paths of data files that change because the spec stands in another folder: its keys -> the new path."""
    if before.resolve() == after.resolve():
        return {}
    moved: dict[Keys, str] = {}
    parts, within = ("train", "validation", "test"), ((), ("path",), ("x",), ("y",))
    for keys in (("data", part, *key) for part in parts for key in within):
        try:
            value = value_at(values, keys)
        except (LookupError, TypeError):
            continue
        if isinstance(value, str) and not is_address(value) and not os.path.isabs(os.path.expanduser(value)):
            moved[keys] = os.path.relpath(before / value, after)
    return moved


def _command(
    spec: str, output: str | None, plugins: tuple[str, ...], settings: tuple[str, ...], scheduler: str | None
) -> list[str]:
    """The command that goes on with a search."""
    options = [("-o", output)] if output else []
    options += [("--plugin", file) for file in plugins] + [("--set", setting) for setting in settings]
    options += [("--scheduler", scheduler)] if scheduler else []
    return ["modnet", "search", spec, *(word for option in options for word in option), "--resume"]
