"""A file that was made before its components changed: what still loads, and what is said where it does not."""

import sys
from contextlib import nullcontext

import numpy as np
import pytest

import modnet
from modnet.errors import MalformedFile, NewerFormat
from modnet.model.reader import read_header
from tests.conftest import Environment

from . import surgery

SCALE = """
import modnet

class Scale(modnet.Layer, type="scale", version={version}):
    '''A multiple of its input.'''
{fields}

    def output_shape(self, shape):
        return shape

    def forward(self, context, x):
        return {value}

    {upgrade}
"""

SPEC = {"network": {"input": [2], "layers": ["scale"]}}


def scale(version=1, fields="by: float = 3.0", value="self.by * x", upgrade=""):
    """The code of a plugin with the layer `scale`."""
    indented = "\n".join(f"    {line}" for line in fields.splitlines())
    return SCALE.format(version=version, fields=indented, value=value, upgrade=upgrade.replace("\n", "\n    "))


@pytest.fixture
def install(tmp_path, monkeypatch):
    """install(code, version) makes an environment with that plugin alone and gives its registry."""
    count = 0

    def make(code=None, version="1.0", distribution="modnet-scale", **offers):
        nonlocal count
        count += 1
        sys.modules.pop("modnet_scale", None)
        folder = tmp_path / f"environment_{count}"
        folder.mkdir()
        monkeypatch.syspath_prepend(folder)
        environment = Environment(folder)
        if code is not None:
            environment.install(distribution, code, version, **(offers or {"layers": {"scale": "Scale"}}))
        return environment.registry

    yield make
    for name in ("modnet_scale", "other_scale"):
        sys.modules.pop(name, None)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.modnet"


def save(path, registry, spec=SPEC):
    network = modnet.build(spec, registry=registry)
    modnet.save(network, path, registry=registry)


# What still loads

FACTOR = 'factor: float = modnet.field(default=1.0, renamed_from="by")'
PERCENT = """\
@classmethod
def upgrade(cls, config, from_version):
    assert from_version == 1
    return {**config, "by": 100 * config["by"]}
"""
DROPPED = """\
@classmethod
def upgrade(cls, config, from_version):
    return {key: value for key, value in config.items() if key != "by"}
"""
BOTH = """\
@classmethod
def upgrade(cls, config, from_version):
    if from_version < 2:
        config["by"] *= 100
    if from_version < 3:
        config["percent"] = config.pop("by")
    return config
"""

LATER = {
    "the same": (scale(), [3.0, 6.0], 1),
    "a field has another name": (scale(1, FACTOR, "self.factor * x"), [3.0, 6.0], 1),
    "a field is new, its default the old behaviour": (
        scale(1, "by: float = 1.0\nplus: float = 0.0", "self.by * x + self.plus"),
        [3.0, 6.0],
        1,
    ),
    "a default is another": (scale(1, "by: float = 7.0"), [3.0, 6.0], 1),
    "a field has another unit": (scale(2, value="self.by / 100 * x", upgrade=PERCENT), [3.0, 6.0], 2),
    "a field is gone": (scale(2, "", "-x", DROPPED), [-1.0, -2.0], 2),
    "two changes since": (scale(3, "percent: float", "self.percent / 100 * x", BOTH), [3.0, 6.0], 3),
    "a higher version that needs no upgrade": (scale(2), [3.0, 6.0], 2),
}


@pytest.mark.parametrize(("code", "expected", "version"), LATER.values(), ids=LATER)
@pytest.mark.parametrize("installed", ["0.9", "1.0", "2.0"])
def test_a_component_that_changed_since(code, expected, version, installed, install, path):
    save(path, install(scale()))
    now = install(code, installed)
    with pytest.warns(UserWarning, match="older") if installed == "0.9" else nullcontext():
        network = modnet.load(path, registry=now)
    assert network.predict([[1.0, 2.0]]).tolist() == [expected]
    modnet.save(network, path, registry=now)
    (need,) = read_header(path).header["needs"]
    assert need == {
        "distribution": "modnet-scale",
        "version": installed,
        "components": [{"kind": "layer", "type": "scale", "version": version}],
    }
    assert modnet.load(path, registry=now).card.spec == network.card.spec


def test_within_composites_and_beside_the_options_of_its_node(install, path):
    node = {"type": "scale", "by": 3.0, "name": "inner", "activation": "relu"}
    layers = [{"type": "residual", "layers": [node]}, {"type": "repeat", "count": 2, "layers": [node]}]
    save(path, install(scale()), {"network": {"input": [2], "layers": layers}})
    network = modnet.load(path, registry=install(LATER["a field has another unit"][0]))
    assert network.predict([[1.0, -1.0]]).tolist() == [[36.0, 0.0]]
    assert "residual_1.inner" in [node.name for node in network.graph.nodes]


LOSS = """
import modnet
import numpy as np

class Power(modnet.Loss, type="power", version={version}):
    '''A power of the difference.'''
    {fields}

    def values(self, prediction, target):
        return (np.abs(prediction - target) ** self.{name}).mean(axis=1)

    def gradient(self, prediction, target):
        return self.{name} * (prediction - target)

    @classmethod
    def upgrade(cls, config, from_version):
        return {{"type": "power", "exponent": config["twice"] / 2}}
"""


def test_a_component_that_only_training_needs(install, path):
    offers = {"losses": {"power": "Power"}}
    then = LOSS.format(version=1, fields="twice: float = 4.0", name="twice")
    layers = [{"type": "linear", "out_features": 1}]
    spec = {"network": {"input": [2], "layers": layers}, "training": {"loss": "power"}}
    save(path, install(then, **offers), spec)
    now = install(LOSS.format(version=2, fields="exponent: float", name="exponent"), **offers)
    network = modnet.load(path, registry=now)
    assert network.card.training.loss.exponent == 2.0
    assert modnet.train(network, np.ones((4, 2)), np.ones((4, 1)), epochs=1, registry=now).epochs == 1


# What is refused, and in which words

BROKEN = "import a_library_that_is_not_there"
PLUGIN = "pip install modnet-scale==1.0"
OTHER = f"\nwritten with modnet-scale 1.0, but 2.0 is installed:  {PLUGIN}"

REFUSED = {
    "its distribution is gone": (
        None,
        "2.0",
        modnet.NotInstalled,
        f'this model needs layer "scale" of modnet-scale 1.0, which is not installed:  {PLUGIN}',
    ),
    "its distribution is older and has no such component yet": (
        "",
        "0.5",
        modnet.NotInstalled,
        f'this model needs layer "scale" of modnet-scale 1.0; the installed version does not have it:  {PLUGIN}',
    ),
    "its distribution is newer and has no such component any more": (
        "",
        "9.0",
        modnet.NotInstalled,
        f'this model needs layer "scale" of modnet-scale 1.0; the installed version does not have it:  {PLUGIN}',
    ),
    "its distribution is broken": (
        BROKEN,
        "1.0",
        modnet.BrokenPlugin,
        'layer "scale" of modnet-scale 1.0 (modnet_scale:Scale) cannot be imported: '
        "ModuleNotFoundError: No module named 'a_library_that_is_not_there'",
    ),
    "a field is not known by any name": (
        scale(1, "factor: float = 1.0", "self.factor * x"),
        "2.0",
        modnet.errors.MalformedFile,
        "{path}: header.spec: network.layers[0].by: unknown key; expected one of: factor, "
        f"type, name, inputs, activation, trainable, shares, l1, l2, learning_rate, weight_decay{OTHER}",
    ),
    "a field is new and has no default": (
        scale(1, "by: float\nplus: float"),
        "2.0",
        modnet.errors.MalformedFile,
        '{path}: header.spec: network.layers[0]: missing key "plus" (a number)' + OTHER,
    ),
    "a field is of another type": (
        scale(1, "by: bool"),
        "2.0",
        modnet.errors.MalformedFile,
        "{path}: header.spec: network.layers[0].by: expected true or false, found 3.0" + OTHER,
    ),
}


@pytest.mark.parametrize(("code", "version", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_said_where_a_component_does_not_fit(code, version, error, message, install, path):
    save(path, install(scale()))
    registry = install(code, version, **({"losses": {"other": "Other"}} if code == "" else {}))
    with pytest.raises(error) as caught:
        modnet.load(path, registry=registry)
    assert str(caught.value) == message.format(path=path)
    if error is modnet.NotInstalled:
        assert (caught.value.distribution, caught.value.version) == ("modnet-scale", "1.0")


def test_a_component_that_is_older_than_the_file(install, path):
    save(path, install(scale(2), "2.0"))
    with pytest.raises(modnet.NotInstalled) as caught:
        modnet.load(path, registry=install(scale(1), "1.0"))
    assert str(caught.value) == (
        'this model needs version 2 of layer "scale", which is in modnet-scale 2.0; version 1 is installed:  '
        "pip install 'modnet-scale>=2.0'"
    )
    assert (caught.value.distribution, caught.value.version) == ("modnet-scale", "2.0")


OLDER = {
    "older": ("2.0", "1.9", True),
    "older by its tenth release": ("1.10.0", "1.9", True),
    "the same": ("2.0", "2.0.0", False),
    "the same release": ("2.0rc1", "2.0", False),
    "newer": ("2.0", "2.0.1", False),
}


@pytest.mark.parametrize(("then", "now", "warned"), OLDER.values(), ids=OLDER)
def test_a_distribution_that_is_older_with_the_same_component_is_told_of(then, now, warned, install, path, recwarn):
    save(path, install(scale(), then))
    network = modnet.load(path, registry=install(scale(), now))
    assert network.predict([[1.0, 2.0]]).tolist() == [[3.0, 6.0]]
    assert [str(warning.message) for warning in recwarn] == warned * [
        f"{path} was written with modnet-scale {then}, but {now} is installed, which is older; its results may "
        f"differ:  pip install 'modnet-scale>={then}'"
    ]
    assert all(warning.filename == __file__ for warning in recwarn)


def test_an_older_distribution_that_only_training_needs_is_told_of_when_it_is_trained(install, path):
    offers = {"losses": {"power": "Power"}}
    code = LOSS.format(version=1, fields="twice: float = 4.0", name="twice")
    layers = [{"type": "linear", "out_features": 1}]
    save(
        path,
        install(code, "2.0", **offers),
        {"network": {"input": [2], "layers": layers}, "training": {"loss": "power"}},
    )
    network = modnet.load(path, registry=install(code, "1.0", **offers))
    with pytest.warns(
        UserWarning, match=r"was written with modnet-scale 2\.0, but 1\.0 is installed, which is older"
    ) as caught:
        assert network.card.training.loss.twice == 4.0
    assert len(caught) == 1


def test_an_upgrade_that_fails(install, path):
    save(path, install(scale()))
    with pytest.raises(modnet.BrokenPlugin) as caught:
        modnet.load(path, registry=install(scale(2, upgrade=PERCENT.replace('"by"]', '"percentage"]'))))
    assert str(caught.value) == (
        'layer "scale" of modnet-scale 1.0 (modnet_scale:Scale) cannot be upgraded from version 1 to 2: '
        "KeyError: 'percentage'"
    )
    assert type(caught.value.__cause__) is KeyError


def test_another_distribution_with_the_same_name_is_no_substitute(install, path):
    save(path, install(scale()))
    with pytest.raises(modnet.NotInstalled) as caught:
        modnet.load(path, registry=install(scale(), distribution="other-scale"))
    assert str(caught.value) == (
        f'this model needs layer "scale" of modnet-scale 1.0, which is not installed:  {PLUGIN}'
    )


CORE = {
    "a component that is newer": (
        {"type": "relu", "version": 2},
        "relu",
        'this model needs version 2 of activation "relu", which is in modnet-core 9.0; version 1 is installed:  '
        "pip install 'modnet-core>=9.0'",
    ),
    "a component that this core has not": (
        {"type": "prism", "version": 1},
        "prism",
        f'this model needs activation "prism" of modnet-core 9.0; this is modnet-core {modnet.__version__}:  '
        "pip install modnet-core==9.0",
    ),
}


@pytest.mark.parametrize(("component", "layer", "message"), CORE.values(), ids=CORE)
def test_a_file_of_a_newer_core(component, layer, message, path, registry):
    save(path, registry, {"network": {"input": [2], "layers": ["relu"]}})
    header, payloads = surgery.apart(path.read_bytes())
    header["needs"] = [
        {"distribution": "modnet-core", "version": "9.0", "components": [{"kind": "activation", **component}]}
    ]
    header["spec"]["network"]["layers"] = [{"type": layer}]
    path.write_bytes(surgery.signed(header, payloads))
    with pytest.raises(modnet.NotInstalled) as caught:
        modnet.load(path, registry=registry)
    assert str(caught.value) == message
    assert caught.value.distribution == "modnet-core"


# Arrays

WEIGHTS = """
import modnet
from modnet.initializers import Ones

class Scale(modnet.Layer, type="scale"):
    '''A multiple of its input.'''
    by: float = 1.0

    def parameters(self, shape):
        return {{name: modnet.Parameter(size, Ones()) for name, size in {parameters}.items()}}

    def output_shape(self, shape):
        return shape

    def forward(self, context, x):
        return x
"""


def test_a_component_that_has_other_arrays_now(install, path):
    then = {"weight": (2,), "offset": (2,), "old": (3,)}
    now = {"weight": (2,), "offset": (1, 2), "new": (2,)}
    save(path, install(WEIGHTS.format(parameters=then)))
    with pytest.raises(modnet.errors.ParameterMismatch) as caught:
        modnet.load(path, registry=install(WEIGHTS.format(parameters=now)))
    error = caught.value
    assert error.missing == ("scale_1.new",)
    assert error.unexpected == ("scale_1.old",)
    assert error.mismatched == {"scale_1.offset": ("(2,) float32", "(1, 2) float32")}
    assert str(error) == (
        f"{path}: the arrays of the file do not match the network\n"
        "  missing: scale_1.new\n"
        "  unexpected: scale_1.old\n"
        "  mismatched: scale_1.offset: found (2,) float32, expected (1, 2) float32"
    )


def test_a_component_that_has_its_arrays_in_another_order(install, path):
    save(path, install(WEIGHTS.format(parameters={"weight": (2,), "offset": (2,)})))
    with pytest.raises(modnet.errors.MalformedFile) as caught:
        modnet.load(path, registry=install(WEIGHTS.format(parameters={"offset": (2,), "weight": (2,)})))
    assert str(caught.value) == f"{path}: parameters: the arrays are not in the order that the network has"


# A newer release of the core


@pytest.fixture
def newer(path):
    """newer(change) writes a file that a newer release has made, with its header changed."""
    spec = {
        "network": {"input": [1], "layers": [{"type": "linear", "out_features": 1}]},
        "training": {"loss": "mse", "epochs": 1},
        "data": {"target": "y"},
    }
    network = modnet.train(spec, {"x": [0.0, 1.0, 2.0], "y": [0.0, 1.0, 2.0]}).network

    def write(change, release="99.5.0"):
        modnet.save(network, path)
        header, payloads = surgery.apart(path.read_bytes())
        header["made_by"]["modnet-core"] = release
        change(header)
        path.write_bytes(surgery.signed(header, payloads))
        return path

    return write


def new_option(header):
    header["spec"]["network"]["layers"][0]["spectral_norm"] = False


def new_key_of_the_network(header):
    header["spec"]["network"]["precision"] = "mixed"


def new_key_of_a_column(header):
    header["schema"]["inputs"]["input"][0]["unit"] = "mm"


def new_kind_of_history(header):
    header["history"] = []


def new_choice(header):
    header["schema"]["inputs"]["input"][0]["kind"] = "duration"


NEWS = {
    new_option: "network.layers[0].spectral_norm: unknown key",
    new_key_of_the_network: "network.precision: unknown key",
    new_key_of_a_column: "input[0].unit: unknown key",
    new_kind_of_history: "expected a map",
    new_choice: 'found "duration"',
}


@pytest.mark.parametrize("change", NEWS, ids=lambda change: change.__name__)
def test_a_file_of_a_newer_release_says_so(change, newer):
    with pytest.raises(NewerFormat) as caught:
        modnet.load(newer(change))
    text = str(caught.value)
    assert NEWS[change] in text
    advice = f"written with modnet-core 99.5.0, which may know more than {modnet.__version__}, which is installed"
    assert f"{advice}:  pip install 'modnet-core>=99.5.0'" in text


@pytest.mark.parametrize("release", [modnet.__version__, "0.0.1", "x", "99'; rm -rf /"])
def test_the_same_fault_of_another_release_is_a_fault(release, newer):
    with pytest.raises(MalformedFile, match="unknown key") as caught:
        modnet.load(newer(new_option, release))
    assert "pip install" not in str(caught.value)


def test_what_a_newer_release_merely_adds_is_passed_over(newer):
    assert modnet.load(newer(lambda header: header.update(notes={"a": 1}))).predict({"x": 1.0})
