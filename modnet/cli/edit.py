"""The body of `modnet edit`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from modnet.cli.output import echo
from modnet.cli.places import check_output
from modnet.model.edit import DType, edit
from modnet.model.formats import is_own
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
    metadata: dict[str, Any] = dict(_pairs("--set-metadata", entries, "author=Ada"))
    for key, text in _pairs("--set-metadata-json", values, "year=1843").items():
        if key in metadata:
            raise click.UsageError(f"--set-metadata-json {key}={text}: {key} is given twice")
        metadata[key] = _value(key, text)
    take = _pairs("--take", taken, "linear_1=other.modnet")
    rename = _pairs("--rename", renamed, "linear_1=hidden")
    if Path(output).exists():
        check_output(Path(output))  # says what is in the way
    if not is_own(Path(output)):
        raise click.UsageError(f"{output}: edit writes model files (.modnet); modnet convert writes other formats")
    check_output(Path(output))
    before = Path(model).stat().st_size
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


def _pairs(option: str, texts: tuple[str, ...], example: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise click.UsageError(f"{option} {text}: expected {'='.join(_names(option))}, such as {example}")
        if key in pairs:
            raise click.UsageError(f"{option} {text}: {key} is given twice")
        pairs[key] = value
    return pairs


def _names(option: str) -> tuple[str, str]:
    known = {"--rename": ("OLD", "NEW"), "--take": ("NODE", "FILE"), "--set-metadata-json": ("KEY", "JSON")}
    return known.get(option, ("KEY", "VALUE"))


def _value(key: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        what = f'expected JSON, such as 3, [1, 2] or "a text" ({error})'
        raise click.UsageError(f"--set-metadata-json {key}={text}: {what}") from None
