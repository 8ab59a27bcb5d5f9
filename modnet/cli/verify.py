"""The body of `modnet verify`."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import click

from modnet.cli.failures import FAILED, report
from modnet.cli.output import echo_json, room, tell
from modnet.errors import ModelFileError, NewerFormat, NotAModelFile, WrongId
from modnet.model.container import NETWORK_GROUPS
from modnet.model.damage import SegmentState, Verification, verify
from modnet.model.edit import is_for_resuming
from modnet.model.identity import check_id, require_id
from modnet.words import counted, listed, printable, readable_bytes

MOST_NAMES = 8


@dataclass(frozen=True)
class _Verdict:
    """The result for one file.

    Attributes:
        whole: whether it is a model file without faults; None if that cannot be judged.
        message: what is wrong, or ""; of a whole one, that it is not the one that was asked for.
        found: its parts, where they can be told.
        status: the exit status.
    """

    model: str
    whole: bool | None
    message: str
    found: Verification | None = None
    status: int = 0


def run(models: tuple[str, ...], id: str | None, as_json: bool) -> int:
    if id is not None:
        _check(id, models)
    verdicts = []
    for model in models:
        verdict = _judge(model, id)
        verdicts.append(verdict)
        if not as_json and verdict.whole is not None:
            tell("\n".join(_indented(model, list(_lines(verdict)))))
    if as_json:
        echo_json(map(_plain, verdicts))
    return max(verdict.status for verdict in verdicts)


def _check(id: str, models: Sequence[str]) -> None:
    if len(models) > 1:
        raise click.UsageError(f"--id: it is that of one model; {len(models)} are given")
    try:
        check_id(id)
    except ValueError as error:
        raise click.UsageError(f"--{error}") from None


def _judge(model: str, id: str | None) -> _Verdict:
    try:
        found = verify(model)
    except OSError as error:
        return _Verdict(model, None, (error.strerror or str(error)).lower(), status=report(error))
    except ModelFileError as error:
        message = f"{error.where}: {error.what}" if error.where else error.what
        if isinstance(error, NotAModelFile | NewerFormat):
            return _Verdict(model, None, message, status=report(error))
        return _Verdict(model, False, message, status=FAILED)
    if found.whole and id is not None:
        try:
            require_id(model, found.id, id)
        except WrongId as error:
            return _Verdict(model, True, error.what, found, FAILED)
    return _Verdict(model, found.whole, found.fault, found, 0 if found.whole else FAILED)


def _plain(verdict: _Verdict) -> dict[str, Any]:
    found = verdict.found
    return {
        "file": verdict.model,
        "whole": verdict.whole,
        "error": verdict.message or None,
        "bytes": found and found.size,
        "id": found and found.id.hex(),
        "segments": [
            {
                "group": state.segment.group,
                "offset": state.segment.offset,
                "bytes": state.segment.length,
                "whole": state.whole,
                "missing": state.missing,
                "arrays": [view.name for view in state.segment.views],
            }
            for state in (found.segments if found else ())
        ],
    }


def _lines(verdict: _Verdict) -> Iterator[str]:
    found = verdict.found
    if found is None:
        yield f"damaged: {verdict.message}"
        yield "none of it can be trusted"
    elif found.whole:
        arrays = sum(len(state.segment.views) for state in found.segments)
        yield f"intact: {counted(arrays, 'array')}, {readable_bytes(found.size)}"
        if verdict.message:
            yield verdict.message
    else:
        yield from _damage(verdict.model, found)


def _damage(model: str, found: Verification) -> Iterator[str]:
    """What is damaged, what is not, and whether the network can be saved."""
    yield f"damaged: {found.fault}" if found.fault else "damaged"
    damaged = [state for state in found.segments if not state.whole]
    for state in damaged:
        place = f"{state.segment.length:,} bytes from byte {state.segment.offset:,} on"
        what = "are not all there, with" if state.missing else "do not match their checksum, in"
        yield f"{state.segment.group}: {place} {what} {_names([state])}"
    # All readers refuse a file that is too short or too long, even if its arrays are intact.
    intact = "".join(f"; {state.segment.group}: {_names([state])}" for state in found.segments if state.whole)
    yield f"{'intact' if found.fault else 'can still be read'}: the header{intact}"
    yield from _rescue(model, found, {state.segment.group for state in damaged})


def _rescue(model: str, found: Verification, groups: set[str]) -> Iterator[str]:
    """Whether the network is intact although these groups are damaged, and how to save it."""
    if all(map(is_for_resuming, groups)):
        resuming = any(is_for_resuming(state.segment.group) for state in found.segments)
        advice = f": modnet edit {model} -o OUT --drop-resume-state saves it" if resuming else ""
        yield f"the network itself is intact{advice}"
    elif not groups & set(NETWORK_GROUPS):
        yield "the network itself is intact"


def _names(states: Sequence[SegmentState]) -> str:
    names = [view.name for state in states for view in state.segment.views]
    return listed(names, MOST_NAMES) or "no array"


def _indented(model: str, lines: Sequence[str]) -> Iterator[str]:
    yield f"{printable(model)}   {printable(lines[0])}"
    for line in lines[1:]:
        yield from textwrap.wrap(
            printable(line),
            min(room() or 80, 80),
            initial_indent="  ",
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
