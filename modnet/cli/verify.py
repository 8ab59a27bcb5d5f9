"""The body of `modnet verify`."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from modnet.cli.output import echo, echo_json
from modnet.cli.report import FAILED, report
from modnet.errors import ModelFileError, NewerFormat, NotAModelFile
from modnet.model.container import NETWORK_GROUPS
from modnet.model.damage import SegmentState, Verification, verify
from modnet.model.edit import is_for_resuming
from modnet.words import counted, listed, printable, readable_bytes

MOST_NAMES = 8


def run(models: tuple[str, ...], as_json: bool) -> int:
    status = 0
    rows = []
    for model in models:
        found: Verification | None = None
        whole: bool | None = None
        message = ""
        try:
            found = verify(model)
            whole, message = found.whole, found.fault
        except OSError as error:
            message = (error.strerror or str(error)).lower()
            status = max(status, report(error))
        except ModelFileError as error:
            message = f"{error.where}: {error.what}" if error.where else error.what
            if isinstance(error, NotAModelFile | NewerFormat):
                status = max(status, report(error))
            else:
                whole = False
        if whole is False:
            status = max(status, FAILED)
        if not as_json and whole is not None:
            lines = _lines(model, found) if found is not None else [f"damaged: {message}", "none of it can be trusted"]
            echo("\n".join(_indented(model, [*lines])))
        rows.append(_row(model, whole, message, found))
    if as_json:
        echo_json(rows)
    return status


def _row(model: str, whole: bool | None, message: str, found: Verification | None) -> dict[str, Any]:
    return {
        "file": model,
        "whole": whole,
        "error": message or None,
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


def _lines(model: str, found: Verification) -> Iterator[str]:
    if found.whole:
        arrays = sum(len(state.segment.views) for state in found.segments)
        yield f"intact: {counted(arrays, 'array')}, {readable_bytes(found.size)}"
        return
    yield f"damaged: {found.fault}" if found.fault else "damaged"
    for state in found.segments:
        if not state.whole:
            segment = state.segment
            place = f"{segment.length:,} bytes from byte {segment.offset:,} on"
            what = "are not all there, with" if state.missing else "do not match their checksum, in"
            yield f"{segment.group}: {place} {what} {_names([state])}"
    # A file that is too short or too long is refused by whatever reads models.
    intact = "".join(f"; {state.segment.group}: {_names([state])}" for state in found.segments if state.whole)
    yield f"{'intact' if found.fault else 'can still be read'}: the header{intact}"
    resuming = [state for state in found.segments if is_for_resuming(state.segment.group)]
    if resuming and all(state.whole for state in found.segments if state not in resuming):
        yield f"the network itself is intact: modnet edit {model} -o OUT --drop-resume-state saves it"
    elif all(state.whole for state in found.segments if state.segment.group in NETWORK_GROUPS):
        yield "the network itself is intact"


def _names(states: Sequence[SegmentState]) -> str:
    names = [view.name for state in states for view in state.segment.views]
    return listed(names, MOST_NAMES) or "no array"


def _indented(model: str, lines: Sequence[str]) -> Iterator[str]:
    yield f"{printable(model)}   {printable(lines[0])}"
    for line in lines[1:]:
        yield from textwrap.wrap(
            printable(line),
            80,
            initial_indent="  ",
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
