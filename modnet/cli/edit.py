"""modnet edit"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modnet.cli.output import echo

if TYPE_CHECKING:
    from modnet.model.edit import DType


@click.command("edit", short_help="Change a model file: drop, convert, rename, merge, annotate.")
@click.argument("model", type=click.Path())
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    type=click.Path(),
    required=True,
    help="Where to; MODEL itself changes it in place.",
)
@click.option(
    "--drop-resume-state",
    is_flag=True,
    help="Leave out what only going on with a training needs, such as the optimizer's arrays: a checkpoint becomes a "
    "model.",
)
@click.option("--drop-history", is_flag=True, help="Leave out the figures of each epoch.")
@click.option(
    "--cast",
    type=click.Choice(["float16", "float32", "float64"]),
    help="Convert the numbers. float16 is for storing alone: loading widens it.",
)
@click.option(
    "--set-metadata",
    "entries",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set an entry of the metadata to a text. Can be given several times.",
)
@click.option(
    "--set-metadata-json",
    "values",
    multiple=True,
    metavar="KEY=JSON",
    help="Set an entry of the metadata to a number, list or other value. Can be given several times.",
)
@click.option(
    "--remove-metadata",
    "removed",
    multiple=True,
    metavar="KEY",
    help="Leave out an entry of the metadata. Can be given several times.",
)
@click.option(
    "--take",
    "taken",
    multiple=True,
    metavar="NODE=FILE",
    help="Take the arrays of a node from another model file. Can be given several times.",
)
@click.option(
    "--rename",
    "renamed",
    multiple=True,
    metavar="OLD=NEW",
    help="Rename a node, in the spec and in its arrays. Can be given several times.",
)
def command(
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
    """Write a changed copy of a model file, or change it in place.

    No plugin is imported, no network is built. What is not asked for stays as it is. OUT is replaced as a whole or
    not at all; a damaged MODEL is refused, unless the damage is in what is left out.

    \b
    Examples:
      modnet edit step-4800.modnet -o digits.modnet --drop-resume-state
      modnet edit digits.modnet -o small.modnet --cast float16 --drop-history
      modnet edit digits.modnet -o digits.modnet --set-metadata author=Ada
      modnet edit digits.modnet -o merged.modnet --take linear_1=letters.modnet
    """
    from modnet.cli.train import check_output
    from modnet.model.edit import edit
    from modnet.words import readable_bytes

    if not (drop_resume_state or drop_history or cast or entries or values or removed or taken or renamed):
        raise click.UsageError("nothing to change; expected an option such as --cast float16 (see --help)")
    metadata: dict[str, Any] = dict(_pairs("--set-metadata", entries, "author=Ada"))
    for key, text in _pairs("--set-metadata-json", values, "year=1843").items():
        if key in metadata:
            raise click.UsageError(f"--set-metadata-json {key}={text}: {key} is given twice")
        metadata[key] = _value(key, text)
    take = _pairs("--take", taken, "linear_1=other.modnet")
    rename = _pairs("--rename", renamed, "linear_1=hidden")
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
