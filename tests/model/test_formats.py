"""Which format a name asks for, and what an installed exporter is asked."""

from pathlib import Path
from types import SimpleNamespace

import pytest

import modnet
from modnet import hookimpl
from modnet.errors import ModelFileError
from modnet.model.formats import check_format, is_own

NETWORK = modnet.build({"network": {"input": [2], "layers": [{"type": "linear", "out_features": 1}]}})


def registry_with(**hooks):
    """A registry without installed plugins, and with these hooks."""
    registry = modnet.Registry(entry_points=lambda: ())
    registry.hooks.join(SimpleNamespace(**{name: hookimpl(hook) for name, hook in hooks.items()}), "wave")
    return registry


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("m.modnet", True),
        ("M.MODNET", True),
        ("m", True),
        ("m-0.5", True),
        ("m.2024-05-01", True),
        ("m.modnet.tmp", True),
        ("m.onnx", False),
        ("m.tmp", False),
        ("m.v2", False),
    ],
)
def test_names(name, own):
    assert is_own(Path(name)) is own


def test_model_files_by_any_name_of_theirs(tmp_path):
    for name in ("m", "m-0.5", "m.modnet.tmp"):
        modnet.save(NETWORK, tmp_path / name, registry=registry_with())
        assert modnet.load(tmp_path / name).parameters.size == NETWORK.parameters.size


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "m.onnx",
            "installed plugin writes .onnx files: pip install modnet-onnx; a model file ends in .modnet",
        ),
        ("m.Safetensors", "writes .safetensors files: pip install modnet-torch; a model file ends in .modnet"),
        ("m.modnt", 'writes .modnt files; did you mean ".modnet"? a model file ends in .modnet'),
        ("m.waves", 'did you mean ".wave"? a model file ends in .modnet, and other formats in .wave'),
    ],
)
def test_a_suffix_that_nothing_writes(name, message, tmp_path):
    hooks = {"modnet_formats": lambda: {".wave": {}}, "modnet_export": lambda: None} if "wave" in name else {}
    registry = registry_with(**hooks)
    for refused in (modnet.save, lambda network, path, registry: check_format(path, registry)):
        with pytest.raises(ModelFileError) as caught:
            refused(NETWORK, tmp_path / name, registry=registry)
        assert message in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_options_reach_the_exporter(tmp_path):
    seen = []

    def export(network, path, options):
        seen.append((network, path, options))
        return path.suffix == ".wave"

    registry = registry_with(modnet_formats=lambda: {".Wave": {"rate": "a number"}}, modnet_export=export)
    modnet.save(NETWORK, tmp_path / "m.wave", options={"rate": 3}, registry=registry)
    modnet.save(NETWORK, tmp_path / "m.wave", registry=registry)
    assert seen == [(NETWORK, tmp_path / "m.wave", {"rate": 3}), (NETWORK, tmp_path / "m.wave", {})]
    with pytest.raises(
        ModelFileError, match=r'"rat" is no option of .wave files, which have rate \(a number\); did you mean "rate"\?'
    ):
        modnet.save(NETWORK, tmp_path / "m.wave", options={"rat": 3}, registry=registry)
    with pytest.raises(ModelFileError, match=r'"rate" is no option of .modnet files, which have none'):
        modnet.save(NETWORK, tmp_path / "m.modnet", options={"rate": 3}, registry=registry)
    assert len(seen) == 2


def test_an_exporter_that_does_not_say_what_it_writes(tmp_path):
    registry = registry_with(modnet_export=lambda path: path.suffix == ".wave")
    check_format(tmp_path / "m.wave", registry)
    modnet.save(NETWORK, tmp_path / "m.wave", registry=registry)
    with pytest.raises(ModelFileError, match=r"no installed plugin writes .other files"):
        modnet.save(NETWORK, tmp_path / "m.other", registry=registry)


def test_formats_that_are_none():
    with pytest.raises(modnet.BrokenPlugin, match=r"expected a dict from suffix to the options of its format"):
        check_format("m.wave", registry_with(modnet_formats=lambda: {"wave": {}}))
