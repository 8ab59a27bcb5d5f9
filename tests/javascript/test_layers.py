"""The layers of the JavaScript reader give what those of modnet give."""

import json
from pathlib import Path

import numpy as np
import pytest

import modnet
from modnet.kinds import KINDS
from modnet.model.reader import read_header
from modnet.plugins.builtin import BUILTIN
from modnet.testing import write_file
from modnet.testing.examples import examples_of

from .conftest import Refused, assert_same

GOLDEN = Path(__file__).parents[1] / "golden"
NOT_READ: set[str] = set()
"""Layers and activations of the core that the reader does not have."""

NOT_READ_FILES = {"modnet-attention", "modnet-tabular", "changed-component", *(f"layer-{name}-1" for name in NOT_READ)}
"""Golden files with layers that the reader does not have."""

FILES = sorted([*GOLDEN.glob("*.modnet"), *GOLDEN.glob("*/*.modnet")])
READ = [path for path in FILES if path.stem not in NOT_READ_FILES]


@pytest.fixture(scope="module")
def table(reader):
    """distribution -> type -> what the reader has."""
    return reader.ask("options")


@pytest.fixture(scope="module")
def classes(table):
    """(distribution, type) -> its class, of the distributions that are installed."""
    registry, found = modnet.default_registry(), {}
    for distribution, types in table.items():
        for name, known in types.items():
            try:
                found[distribution, name] = registry.find(KINDS[known["kind"]], f"{name}@{distribution}")
            except modnet.NotInstalled:
                continue
    return found


def test_it_has_the_layers_and_activations_of_the_core(table):
    assert set(table["modnet-core"]) == {*BUILTIN["modnet.layers"], *BUILTIN["modnet.activations"]} - NOT_READ


def test_versions_and_options_are_those_of_the_classes(table, classes):
    for (distribution, name), cls in classes.items():
        known = table[distribution][name]
        assert known["version"] == cls.version, name
        assert set(known["options"]) == set(cls.__fields__), name
        for option, otherwise in known["options"].items():
            default = cls.__fields__[option].default
            if not otherwise:
                assert cls.__fields__[option].required, (name, option)
            elif isinstance(default, bool | int | float | str) and isinstance(otherwise[0], bool | int | float | str):
                assert otherwise == [default], (name, option)


def test_examples_of_all_components(reader, classes, tmp_path):
    for (distribution, name), cls in classes.items():
        for number, example in enumerate(examples_of(cls)):
            path = write_file(tmp_path / f"{distribution}-{name}-{number}.modnet", example, seed=3)
            with np.load(path.with_suffix(".npz")) as arrays:
                inputs = {key: array for key, array in arrays.items() if key in modnet.load(path).inputs}
                outputs = [array for key, array in arrays.items() if key not in inputs]
            (expected,) = outputs
            found = reader.ask("forward", path=path, x=inputs)
            assert np.shape(found) == expected.shape, (name, number)
            assert_same(found, expected.tolist())


@pytest.mark.parametrize("path", READ, ids=lambda path: path.stem)
def test_golden_files(reader, path):
    expected = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert_same(reader.ask("predict", path=path, rows=expected["inputs"]), expected["outputs"])


@pytest.mark.parametrize("path", [path for path in FILES if path.stem in NOT_READ_FILES], ids=lambda path: path.stem)
def test_all_layers_that_it_does_not_have_are_told_at_once(reader, path):
    with pytest.raises(Refused) as error:
        reader.ask("predict", path=path, rows=[])
    assert error.value.name == "NotSupported"
    needs = {component["type"] for row in read_header(path).header["needs"] for component in row["components"]}
    named = {text.split()[0] for text in error.value.missing}
    assert named
    assert named <= needs
    assert all(f"{text}" in str(error.value) for text in error.value.missing)


def test_what_a_file_says_of_itself(reader):
    path = GOLDEN / "several.modnet"
    network = modnet.load(path)
    found = reader.ask("about", path=path)
    assert found["id"] == read_header(path).id.hex()
    assert found["inputs"] == {name: list(shape) for name, shape in network.inputs.items()}
    assert found["outputs"] == {name: list(shape) for name, shape in network.outputs.items()}
