"""The body of `modnet edit`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from modnet.cli.output import tell
from modnet.cli.places import check_output
from modnet.cli.settings import parse_pairs
from modnet.engine.folding import RESULT
from modnet.errors import ModelFileError
from modnet.model.edit import DType, edit
from modnet.model.formats import is_own
from modnet.model.header import Header
from modnet.model.load import load
from modnet.model.reader import opened, read_header
from modnet.model.save import save
from modnet.words import readable_bytes


def run(
    model: str,
    output: str,
    drop_resume_state: bool,
    drop_history: bool,
    fold: bool,
    cast: DType | None,
    entries: tuple[str, ...],
    values: tuple[str, ...],
    removed: tuple[str, ...],
    taken: tuple[str, ...],
    renamed: tuple[str, ...],
) -> None:
    others = drop_resume_state or drop_history or cast or entries or values or removed or taken or renamed
    if not (others or fold):
        raise click.UsageError("nothing to change; expected an option such as --cast float16 (see --help)")
    if fold and others:
        raise click.UsageError("--fold builds a new network; use it alone, and then change the file that it writes")
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
    if fold:
        _write_folded(model, path)
    else:
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
    tell(f"{output}  {readable_bytes(path.stat().st_size)}, was {readable_bytes(before)}")


def _write_folded(model: str, output: Path) -> None:
    """Writes the folded network, and says what was folded and what was left."""
    if Header.of_file(model, read_header(model).header).training is not None:
        what = "this is a checkpoint, and its run could not be resumed after this change"
        raise ModelFileError(model, f"{what}; drop its resume state first: --drop-resume-state")
    network = load(model, fold=True)
    found = network.card.results[RESULT]
    save(network, output)
    for name, where in found["folded"].items():
        tell(f"folded  {name}: {where}")
    for name, reason in found["left"].items():
        tell(f"left    {name}: {reason}")
    if not found["folded"]:
        tell("nothing in it can be folded")


def _value(key: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        what = f'expected JSON, such as 3, [1, 2] or "a text" ({error})'
        raise click.UsageError(f"--set-metadata-json {key}={text}: {what}") from None
