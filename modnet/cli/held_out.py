"""Rows that a model was not trained on, and where it goes: for `modnet calibrate` and `modnet intervals`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from modnet.cli.data import read_to_measure
from modnet.cli.failures import warn
from modnet.cli.output import say
from modnet.cli.places import check_output
from modnet.datasets.dataset import Dataset
from modnet.datasets.read import data_of
from modnet.engine.build import folder_of
from modnet.engine.network import Network
from modnet.model.header import Header
from modnet.model.reader import read_header
from modnet.specs.reader import read_spec
from modnet.training.trained_on import was_trained_on


def output_of(model: str, output: str | None) -> str:
    """The file that is written: by default the model's own.

    Raises:
        UsageError: it is a checkpoint, whose run could not be resumed then.
        ModnetError: it cannot be written there.
    """
    if output is None and Header.of_file(model, read_header(model).header).training is not None:
        raise click.UsageError(f"{model} is a checkpoint, and its run could not be resumed; name another file with -o")
    check_output(Path(output or model))
    return output or model


def read_held_out(
    network: Network, data: str | None, spec: str | None, given: Mapping[str, Any]
) -> tuple[Dataset, str]:
    """The rows, and what they are called.

    Args:
        data: a file of such rows.
        spec: the spec of the model's training, whose validation rows are taken, as the training set them aside.
        given: options of reading.

    Raises:
        UsageError: there are neither or both, or the spec sets no rows aside.
        SpecError, DataError, ShapeError: they cannot be read, or do not fit the network.
    """
    if (data is None) == (spec is None):
        what = "give DATA, rows that the model was not trained on, or --spec SPEC for the validation rows of its spec"
        raise click.UsageError(f"{what}{'; not both' if data else ''}")
    if data is not None:
        dataset = read_to_measure(network, data, given)
        if was_trained_on(network, dataset):
            warn(f"{data} is what the model was trained on, so it is too confident on these rows; use other rows")
        return dataset, "standard input" if data == "-" else data
    return _of_spec(network, str(spec), given)


def _of_spec(network: Network, spec: str, given: Mapping[str, Any]) -> tuple[Dataset, str]:
    if given:
        raise click.UsageError("options of reading are for DATA; those of SPEC are in its [data] table")
    checked, _ = read_spec(spec)
    if checked.data is not None and checked.data.member_folds:
        raise click.UsageError(
            f"{spec}: with member_folds each of its rows was used to train some members; give DATA that no member has "
            "seen"
        )
    if checked.data is None or checked.data.validation is None:
        raise click.UsageError(f"{spec}: its [data] sets no validation rows aside; give DATA instead")
    network.card = network.card.replace(folder=folder_of(spec))
    loaded = data_of(network, data=checked.data)
    assert loaded.validation is not None
    say(loaded.notes[1:])
    if not was_trained_on(network, loaded.train):
        warn(
            f"{spec} does not give the rows that the model was trained on: the file, or the spec, has changed since, "
            "and some of these rows may be among those; use rows that are certainly new"
        )
    return loaded.validation, f"the validation rows of {spec}"
