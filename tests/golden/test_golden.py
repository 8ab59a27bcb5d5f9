"""Files that were made once, by `make.py`, and are read for ever."""

import json
from pathlib import Path

import numpy as np
import pytest

import modnet
from modnet.component import KINDS
from modnet.modelfile.reader import read, read_header
from modnet.modelfile.writer import Group, write
from modnet.registry import BUILTIN, CORE, GROUPS

from . import make

FILES = sorted(Path(__file__).parent.glob("*.modnet"))

TOLERANCE = {"float32": 1e-6, "float64": 1e-12}
"""As a part of the greatest output: processors differ in how they round sums and exponentials."""

STORED = [kind for kind in GROUPS if kind != "callback"]
"""The kinds that a model file holds; callbacks belong to a run."""

every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


@pytest.fixture
def expected(path):
    return json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))


@every_file
@pytest.mark.parametrize("mmap", [False, True], ids=["read", "mapped"])
def test_predicts_what_it_predicted_then(path, expected, mmap, registry):
    network = modnet.load(path, mmap=mmap, registry=registry)
    assert_same(network.predict(expected["inputs"]), expected["outputs"], TOLERANCE[network.dtype.name])


def assert_same(found, expected, tolerance):
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        for name, value in expected.items():
            assert_same(found[name], value, tolerance)
    elif np.asarray(expected).dtype.kind == "U":
        assert list(found) == expected
    else:
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max())


@every_file
def test_saved_again_it_is_the_same_but_for_keys_that_came_later(path, registry, tmp_path, monkeypatch):
    """The file says which versions of modnet and numpy have saved it, so here they are what they were then."""
    then = read(path).header
    monkeypatch.setattr(modnet, "__version__", then["made_by"][CORE])
    monkeypatch.setattr(np, "__version__", then["made_by"]["numpy"])
    network = modnet.load(path, registry=registry)
    assert network.training is not None  # has read it, so that it is not saved as it stood in the file
    modnet.save(network, tmp_path / "again", registry=registry)
    again = read(tmp_path / "again")
    groups = [as_written(name, found) for name, found in again.groups.items()]
    write(tmp_path / "known", known(again.header, then), groups)
    assert (tmp_path / "known").read_bytes() == path.read_bytes()


def known(value, then):
    """The value without those keys of its maps that an older value at that place does not have."""
    if isinstance(then, dict):
        return {key: known(value[key], old) for key, old in then.items()}
    if isinstance(then, list):
        return [known(item, old) for item, old in zip(value, then, strict=True)]
    return value


def as_written(name, found):
    starts = np.cumsum([0, *(array.size for array in found.views.values())]).tolist()
    rows = zip(found.views.items(), starts, strict=False)
    return Group(name, found.flat, [(view, start, array.shape) for (view, array), start in rows])


@pytest.mark.parametrize("kind", STORED)
def test_every_component_of_the_core_is_in_a_golden_file(kind, registry):
    """One that is not there: add a network that has it to `make.py`, and run that."""
    found = {
        (component["type"], component["version"])
        for path in FILES
        for row in read_header(path).header["needs"]
        for component in row["components"]
        if component["kind"] == kind
    }
    offered = {(name, registry.find(KINDS[kind], name).version) for name in BUILTIN[GROUPS[kind]]}
    assert offered - found == set()


def test_a_golden_file_is_not_made_twice(tmp_path):
    make.make("image", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["image.json", "image.modnet"]
    with pytest.raises(SystemExit, match=r"image\.modnet is there already and stays as it is"):
        make.make("image", tmp_path)
