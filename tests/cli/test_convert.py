"""modnet convert: from one format into another, by an exporter that the test registers."""

from pathlib import Path

import pytest

import modnet

PLUGIN = """
import numpy as np
import modnet

@modnet.hookimpl
def modnet_formats():
    return {".arrays": {"bits": "16 or 32"}}

@modnet.hookimpl
def modnet_export(network, path, options):
    if path.suffix != ".arrays":
        return None
    with path.open("wb") as file:
        np.savez(file, bits=options.get("bits", 32), **network.parameters)
    return True
"""


@pytest.fixture
def plugin():
    Path("exporter.py").write_text(PLUGIN)
    return "exporter.py"


def test_a_plugin_writes(run, model, plugin):
    result = run("convert", model, "m.arrays", "--option", "bits=16", "--plugin", plugin)
    after, before = (f"{Path(path).stat().st_size / 1000:.1f} kB" for path in ("m.arrays", model))
    assert result.stdout == f"m.arrays  {after}, was {before}\n"


def test_a_model_file_is_copied(run, model):
    run("convert", model, "copy.modnet")
    assert modnet.load("copy.modnet").card.schema == modnet.load(model).card.schema


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["m.arays"], 'no installed plugin writes .arays files; did you mean ".arrays"? a model file ends in'),
        (
            ["m.arrays", "--option", "bit=16"],
            '"bit" is no option of .arrays files, which have bits',
        ),
        (["m.modnet", "--option", "bits=16"], '"bits" is no option of .modnet files, which have none'),
        (["m.arrays", "--option", "bits"], "--option bits: expected NAME=VALUE, such as opset=18"),
        (["m.arrays", "--option", "bits=1", "--option", "bits=2"], "--option bits=2: bits is given twice"),
        (["nowhere/m.arrays"], "there is no folder nowhere; create it, or choose another file\n"),
        (["pets.csv"], "not a model file; it is not overwritten: choose another file\n"),
    ],
)
def test_mistakes(run, model, plugin, arguments, message):
    result = run("convert", model, *arguments, "--plugin", plugin, status=None)
    assert result.exit_code
    assert message in result.stderr
    assert not Path("m.arrays").exists()


def test_the_source_is_not_overwritten(run, model):
    assert "this is the model" in run("convert", model, model, status=None).stderr
