"""Old model files: written once, and read by all later versions."""

import importlib
import shutil
import sys

import numpy as np
import pytest

import modnet
from modnet.losses import MeanSquaredError
from modnet.testing import ContractError, check_files, examine_files, write_file

CODE = """
import numpy as np
import modnet
from modnet import Layer, Parameter, field
from modnet.initializers import Ones

class Stretch(Layer, type="stretch", version={version}):
    "y = factor * by * x."
    {fields}

    def output_shape(self, shape):
        return shape

    def parameters(self, shape):
        return {{"factor": Parameter(shape, Ones())}}

    def forward(self, context, x):
        return x * context.params["factor"] * np.float32({by})

    def backward(self, context, gradient):
        return gradient
{upgrade}
"""

UPGRADE = """
    @classmethod
    def upgrade(cls, config, from_version):
        config["by"] = config.pop("percent") / 100
        return config
"""

FIRST = {"version": 1, "fields": "percent: float = 100.0", "by": "self.percent / 100", "upgrade": ""}
SECOND = {"version": 2, "fields": "by: float = 1.0", "by": "self.by", "upgrade": UPGRADE}


@pytest.fixture
def installed(environment, monkeypatch):
    """installed(code) puts a version of modnet-stretch in place of the one before, and gives its class."""

    def install(**code):
        for path in environment.folder.glob("modnet_stretch*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        sys.modules.pop("modnet_stretch", None)
        importlib.invalidate_caches()
        shutil.rmtree(environment.folder / "__pycache__", ignore_errors=True)
        environment.install(
            "modnet-stretch", CODE.format(**code), f"{code['version']}.0", layers={"stretch": "Stretch"}
        )
        environment.registry = modnet.Registry(entry_points=environment.scan)
        monkeypatch.setattr("modnet.plugins.registry._default", environment.registry)
        return environment.registry.find(modnet.Layer, "stretch")

    return install


@pytest.fixture
def old(installed, tmp_path):
    """A file of the first version."""
    return write_file(tmp_path / "files" / "stretch-1.modnet", installed(**FIRST)(percent=50.0), (3,))


def statuses(path):
    (report,) = examine_files(path)
    return {row.rule: row.status for row in report.rows}


def test_a_file_of_todays_version(old):
    (report,) = check_files(old.parent)
    assert report.label == f"file {old}"
    assert [row.status for row in report.rows] == ["passed", "passed"]
    assert report.rows[0].text == "stretch 1"


def test_an_upgrade_that_is_right(old, installed):
    installed(**SECOND)
    check_files(old)


def test_no_upgrade(old, installed):
    installed(**SECOND | {"upgrade": ""})
    with pytest.raises(ContractError, match=r"opens: MalformedFile: .*percent: unknown key") as caught:
        check_files(old)
    assert "rename a field with renamed_from" in str(caught.value)


def test_an_upgrade_that_raises(old, installed):
    installed(**SECOND | {"upgrade": UPGRADE.replace("percent", "per_cent")})
    with pytest.raises(ContractError, match=r"opens: BrokenPlugin: .*cannot be upgraded from version 1 to 2: KeyError"):
        check_files(old)


def test_an_upgrade_to_an_invalid_configuration(old, installed):
    installed(**SECOND | {"upgrade": UPGRADE.replace("/ 100", "* 1j")})
    assert statuses(old) == {"opens": "failed"}


def test_an_upgrade_that_gives_another_computation(old, installed):
    installed(**SECOND | {"upgrade": UPGRADE.replace(" / 100", "")})
    with pytest.raises(ContractError, match=r'same predictions: output "output" differs by .* in stretch-1'):
        check_files(old)


def test_another_computation_from_the_same_options(old, installed):
    installed(**FIRST | {"by": "self.percent"})
    assert statuses(old) == {"opens": "passed", "same predictions": "failed"}


def test_a_file_without_predictions_is_only_opened(old):
    old.with_suffix(".npz").unlink()
    assert statuses(old) == {"opens": "passed", "same predictions": "not applicable"}


def test_predictions_of_another_network(old):
    np.savez(old.with_suffix(".npz"), in0=np.ones((5, 3), np.float32))
    (report,) = examine_files(old)
    assert report.failures[0].text == 'stretch-1.npz has no output "output" of shape (5, 3)'


def test_each_file_that_fails_is_listed(old, installed):
    second = write_file(old.parent / "deeper" / "stretch-1b.modnet", installed(**FIRST)(), (2,))
    installed(**SECOND | {"upgrade": ""})
    with pytest.raises(ContractError) as caught:
        check_files(old.parent)
    assert {report.label for report in caught.value.reports} == {f"file {old}", f"file {second}"}


def test_an_old_file_is_never_written_again(old, installed):
    before = old.read_bytes()
    with pytest.raises(FileExistsError, match="old files are never overwritten"):
        write_file(old, installed(**FIRST)(), (3,))
    assert old.read_bytes() == before


def test_what_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        check_files(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="has no model file"):
        check_files(tmp_path)


def test_only_layers_are_written(tmp_path):
    with pytest.raises(TypeError, match=r"expected a layer, found .*; save a network that uses it with modnet.save"):
        write_file(tmp_path / "loss-1.modnet", MeanSquaredError())
