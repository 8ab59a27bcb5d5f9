"""Files that were made once, by `make.py`, and are read for ever."""

import json
from hashlib import sha256
from importlib.util import find_spec

import numpy as np
import pytest

import modnet
from modnet.model.edit import edit
from modnet.model.reader import read
from modnet.model.writer import Group, write
from modnet.plugins.builtin import CORE

from . import make

FILES = sorted(make.FOLDER.glob("*.modnet"))
PLUGINS = sorted((make.FOLDER / "plugins").glob("*.modnet"))
VARIANTS = sorted((make.FOLDER / "variants").glob("*.modnet"))

TOLERANCE = {"float32": 1e-6, "float64": 1e-12}
"""As a part of the greatest output: processors differ in how they round sums and exponentials."""

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
    elif isinstance(expected[0], str) or (isinstance(expected[0], list) and isinstance(expected[0][0], str)):
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
    assert network.card.training is not None  # has read it, so that it is not saved as it stood in the file
    modnet.save(network, tmp_path / "again", registry=registry)
    again = read(tmp_path / "again")
    groups = [Group(name, found.flat, found.layout) for name, found in again.groups.items()]
    write(tmp_path / "known", known(again.header, then), groups)
    assert (tmp_path / "known").read_bytes() == path.read_bytes()


def known(value, then):
    """The value without those keys of its maps that an older value at that place does not have."""
    if isinstance(then, dict):
        return {key: known(value[key], old) for key, old in then.items()}
    if isinstance(then, list):
        return [known(item, old) for item, old in zip(value, then, strict=True)]
    return value


def test_every_component_of_the_core_is_in_a_golden_file():
    """Those that are not there: run `make.py`."""
    assert not make.missing()


def test_they_are_the_bytes_that_they_were():
    """`sha256sum -c SHA256SUMS` says the same."""
    lines = (make.FOLDER / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    pinned = {name: digest for digest, name in (line.split("  ") for line in lines)}
    found = sorted(path for path in make.FOLDER.rglob("*") if path.suffix in (".modnet", ".json"))
    assert list(pinned) == sorted(pinned)
    assert pinned == {path.relative_to(make.FOLDER).as_posix(): sha256(path.read_bytes()).hexdigest() for path in found}


# Other files than models that were just saved


@pytest.mark.parametrize("path", VARIANTS, ids=lambda path: path.stem)
@pytest.mark.parametrize("code", [make.THEN, make.NOW], ids=["then", "now"])
@pytest.mark.parametrize("mmap", [False, True], ids=["read", "mapped"])
def test_other_files_predict_what_they_predicted_then(path, code, mmap, registry):
    registry.register(make.define(code))
    expected = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    network = modnet.load(path, mmap=mmap, registry=registry)
    assert_same(network.predict(expected["inputs"]), expected["outputs"], TOLERANCE[network.dtype.name])


def test_what_the_other_files_are():
    assert [path.stem for path in VARIANTS] == sorted(make.VARIANTS)
    found = {path.stem: read(path) for path in VARIANTS}
    assert found["float16"].groups["parameters"].dtype == np.float16
    assert len(found["segments"].groups["parameters"].segments) > 2
    assert found["newer-minor"].header["quantization"] == {"scheme": "per-channel", "bits": [4, 8]}
    assert list(found["newer-minor"].groups) == ["parameters", "state", "quantization.scales"]
    column, (kind,) = (found["intervals"].header["schema"]["targets"][name] for name in ("size", "kind"))
    assert column[0]["quantiles"] == [0.1, 0.5, 0.9]
    assert column[0]["interval"].keys() == kind["interval"].keys() == {"coverage", "rows", "margin", "threshold"}
    assert found["intervals"].header["schema"]["inputs"]["input"][1]["highest"] == "2024-01-24T00:00:00"
    assert found["checkpoint"].header["training"]["step"] == 3
    assert any(name.startswith("optimizer.") for name in found["checkpoint"].groups)


def test_a_run_goes_on_from_the_checkpoint(registry, monkeypatch):
    """With today's numpy, which is called here as the one that has written it: another one would be warned of."""
    x, y = make.run_data()
    path = make.FOLDER / "variants" / "checkpoint.modnet"
    made_by = read(path).header["made_by"]
    monkeypatch.setattr(modnet, "__version__", made_by[CORE])
    monkeypatch.setattr(np, "__version__", made_by["numpy"])
    network = modnet.load(path, registry=registry)
    history = modnet.train(network, x, y, resume=path, registry=registry)
    assert history.epochs == 2


def test_what_a_later_version_has_added_stays_when_the_file_is_edited(tmp_path):
    path = make.FOLDER / "variants" / "newer-minor.modnet"
    edit(path, tmp_path / "edited", metadata={"a": 1})
    before, after = read(path), read(tmp_path / "edited")
    assert after.header["quantization"] == before.header["quantization"]
    scales = [contents.groups["quantization.scales"].flat.tobytes() for contents in (before, after)]
    assert scales[0] == scales[1]


# Components of the plugins in this repository


@pytest.mark.parametrize("path", PLUGINS, ids=lambda path: path.stem)
def test_plugins_predict_what_they_predicted_then(path):
    if find_spec(path.stem.replace("-", "_")) is None:
        pytest.skip(f"{path.stem} is not installed")
    expected = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    network = modnet.load(path)
    assert_same(network.predict(expected["inputs"]), expected["outputs"], 1e-5)


@pytest.mark.parametrize("path", PLUGINS, ids=lambda path: path.stem)
def test_without_the_plugin_its_name_and_the_command_are_told(path, registry):
    with pytest.raises(modnet.NotInstalled, match=rf"of {path.stem} 0\.1\.0, which is not installed:  pip install"):
        modnet.load(path, registry=registry)


def test_a_golden_file_is_not_made_twice(tmp_path):
    make.make("image", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["image.json", "image.modnet"]
    with pytest.raises(SystemExit, match=r"image\.modnet is there already and stays as it is"):
        make.make("image", tmp_path)
