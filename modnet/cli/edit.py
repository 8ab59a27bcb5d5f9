"""The body of `modnet edit`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from modnet.cli.output import echo
from modnet.cli.places import check_output
from modnet.cli.settings import parse_pairs
from modnet.model.edit import DType, edit
from modnet.model.formats import is_own
from modnet.model.reader import opened
from modnet.words import readable_bytes


def run(
    model: str,
    output: str,
    drop_resume_state: bool,
    drop_history: bool,
    cast: DType | None,
    entries: tuple[str, ...],
    values: tuple[str, ...],
    removed: tuple[str, ...],
    taken: tuple[str, ...],
    renamed: tuple[str, ...],
) -> None:
    if not (drop_resume_state or drop_history or cast or entries or values or removed or taken or renamed):
        raise click.UsageError("nothing to change; expected an option such as --cast float16 (see --help)")
    metadata: dict[str, Any] = dict(parse_pairs("--set-metadata KEY=VALUE", entries, "author=Ada"))
    for key, text in parse_pairs("--set-metadata-json KEY=JSON", values, "year=1843").items():
        if key in metadata:
            raise click.UsageError(f"--set-metadata-json {key}={text}: {key} is given twice")
        metadata[key] = _value(key, text)
    take = parse_pairs("--take NODE=FILE", taken, "linear_1=other.modnet")
    rename = parse_pairs("--rename OLD=NEW", renamed, "linear_1=hidden")
    path = Path(output)
    if is_own(path) or path.exists():  # what is in the way is said before what edit does not write
        check_output(path)
    if not is_own(path):
        raise click.UsageError(f"{output}: edit writes model files (.modnet); modnet convert writes other formats")
    with opened(model) as file:
        before = file.size
    edit(
        model,
        output,
        drop_resume_state=drop_resume_state,
        drop_history=drop_history,
        cast=cast,
        metadata=metadata,
        remove_metadata=removed,
        rename=rename,
        take=take,
    )
    echo(f"{output}  {readable_bytes(Path(output).stat().st_size)}, was {readable_bytes(before)}")


def _value(key: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        what = f'expected JSON, such as 3, [1, 2] or "a text" ({error})'
        raise click.UsageError(f"--set-metadata-json {key}={text}: {what}") from None
