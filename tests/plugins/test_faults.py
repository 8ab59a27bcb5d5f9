"""What goes wrong in a plugin's component is told as that plugin's, with its own error as the cause."""

import subprocess
import sys

import numpy as np
import pytest

import modnet
from modnet.plugins.faults import culprit_of

CODE = """
import numpy as np
import modnet
from modnet import *
from modnet.initializers import Ones

class Base(Layer):
    "The identity."
    def output_shape(self, *shapes): return shapes[0]
    def forward(self, context, x): return x
    def backward(self, context, gradient): return gradient

class OutputShape(Base, type="output_shape"):
    def output_shape(self, *shapes): return {}["size"]

class Parameters(Base, type="parameters"):
    def parameters(self, *shapes): return {}["size"]

class States(Base, type="state"):
    def state(self, *shapes): return {}["size"]

class Check(Base, type="check"):
    def check(self): return {}["size"]

class Prepare(Base, type="prepare"):
    def prepare(self, context, batches): return {}["size"]

class Forward(Base, type="forward"):
    def forward(self, context, x): return {}["size"]

class Backward(Base, type="backward"):
    def backward(self, context, gradient): return {}["size"]

class Expand(Composite, type="expand"):
    def expand(self, inputs): return {}["size"]

class Fill(Initializer, type="initialize"):
    def initialize(self, out, fan_in, fan_out, rng): return {}["size"]

class Values(Loss, type="values"):
    def values(self, prediction, target): return {}["size"]
    def gradient(self, prediction, target): return prediction

class Measuring(Metric, type="update"):
    def start(self): return 0
    def update(self, accumulator, prediction, target, weights): return {}["size"]
    def result(self, accumulator): return 0.0

class Factor(Schedule, type="factor"):
    def factor(self, progress): return {}["size"]

class Ends(Callback, type="modnet_epoch_ended"):
    def modnet_epoch_ended(self, run): return helper(run)

def helper(run):
    return {}["size"]
"""

LINEAR = {"type": "linear", "out_features": 2}
CLASSES = {
    "layers": ("OutputShape", "Parameters", "States", "Check", "Prepare", "Forward", "Backward", "Expand"),
    "initializers": ("Fill",),
    "losses": ("Values",),
    "metrics": ("Measuring",),
    "schedules": ("Factor",),
    "callbacks": ("Ends",),
}


@pytest.fixture
def plugin(environment, monkeypatch):
    """An environment in which modnet-faulty is installed, each of whose components fails in the method of its name."""
    monkeypatch.setattr("modnet.plugins.registry._default", environment.registry)
    types = {"States": "state", "Fill": "initialize", "Measuring": "update", "Ends": "modnet_epoch_ended"}
    names = {
        group: {types.get(cls, "output_shape" if cls == "OutputShape" else cls.lower()): cls for cls in classes}
        for group, classes in CLASSES.items()
    }
    environment.install("modnet-faulty", CODE, **names)


def trained(layer=LINEAR, **training):
    """Builds and trains a network; what fails then is what was asked for."""
    network = modnet.build({"network": {"input": [2], "layers": [LINEAR, layer]}})
    x = np.ones((4, 2))
    modnet.train(network, x, x, **{"loss": "mse", "epochs": 1, **training})


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize(
    ("kind", "method", "use"),
    [
        *(("layer", method, {"layer": method}) for method in ("output_shape", "parameters", "state", "check")),
        *(("layer", method, {"layer": method}) for method in ("prepare", "forward", "backward", "expand")),
        ("initializer", "initialize", {"layer": {**LINEAR, "weight_initializer": "initialize"}}),
        ("loss", "values", {"loss": "values"}),
        ("metric", "update", {"metrics": ["update"]}),
        ("schedule", "factor", {"schedule": "factor"}),
        ("callback", "modnet_epoch_ended", {"callbacks": ["modnet_epoch_ended"]}),
    ],
)
def test_whose_fault_it_is(kind, method, use):
    with pytest.raises(modnet.BrokenPlugin) as caught:
        trained(**use)
    message = str(caught.value)
    assert f'{kind} "{method}" of modnet-faulty 1.0 (modnet_faulty:' in message
    assert f": {method} raised KeyError: 'size' (modnet_faulty.py:" in message
    assert type(caught.value.__cause__) is KeyError
    if method in ("output_shape", "parameters", "state", "forward", "backward", "expand"):
        assert message.startswith(f"network.layers[1] ({method}): ")


def test_a_class_of_the_program_itself_keeps_its_error():
    class Mine(modnet.Layer, type="mine"):
        def output_shape(self, *shapes):
            return shapes[0]

        def forward(self, context, x):
            raise KeyError("size")

    with pytest.raises(KeyError, match="size") as caught:
        modnet.build({"network": {"input": [2], "layers": [Mine()]}}).predict(np.ones((1, 2)))
    (note,) = caught.value.__notes__
    assert note.startswith('in forward of network.layers[0] (mine), layer "mine" of ')


@pytest.mark.parametrize("error", [MemoryError(), FileNotFoundError(2, "no such file", "x"), modnet.DataError("a row")])
def test_errors_that_say_what_they_have_to_say_are_left_alone(environment, monkeypatch, error):
    monkeypatch.setattr("modnet.plugins.registry._default", environment.registry)
    environment.install("modnet-faulty", CODE, layers={"forward": "Forward"})
    cls = modnet.default_registry().find(modnet.Layer, "forward")

    def forward(self, context, x):
        raise error

    monkeypatch.setattr(cls, "forward", forward)
    with pytest.raises(type(error)) as caught:
        modnet.build({"network": {"input": [2], "layers": ["forward"]}}).predict(np.ones((1, 2)))
    assert caught.value is error


def test_an_error_of_a_librarys_own_reaches_whoever_waits_for_it(environment, monkeypatch):
    monkeypatch.setattr("modnet.plugins.registry._default", environment.registry)
    code = CODE.replace("def helper(run):", "class Pruned(Exception): ...\ndef helper(run):\n    raise Pruned()")
    environment.install("modnet-faulty", code, callbacks={"modnet_epoch_ended": "Ends"})
    with pytest.raises(Exception, match=r"^$") as caught:
        trained(callbacks=["modnet_epoch_ended"])
    assert type(caught.value).__name__ == "Pruned"


def test_the_core_is_no_plugin():
    with pytest.raises(AttributeError) as caught:
        modnet.losses.MeanSquaredError().values(None, None)
    assert culprit_of(caught.value) is None


GIVING = """
import numpy as np
import modnet

class Giving(modnet.Layer, type="giving"):
    "Gives something else than it has to."
    what: str = ""
    def output_shape(self, *shapes):
        return list(shapes[0]) if self.what == "list" else (-1,) if self.what == "-1" else shapes[0]
    def parameters(self, *shapes):
        none = modnet.initializers.Ones()
        return {
            "None": None, "shape": {"a": (3,)}, "size": {"a": modnet.Parameter(3, none)},
            "variable": {"a": modnet.Parameter((None, 3), none)},
        }.get(self.what, {})
    def state(self, *shapes):
        return {"a": modnet.Parameter((3,), None)} if self.what == "state" else {}
    def forward(self, context, x):
        return {
            "tuple": (x, x), "rows": [x], "no output": None, "number": x.sum(), "dtype": x.astype(np.float64),
            "bool": x > 0, "axes": x[0],
        }.get(self.what, x)
    def backward(self, context, gradient):
        return {
            "two gradients": (gradient, gradient), "gradients": [gradient], "no gradient": None,
            "narrow": gradient[:, :1], "float64": gradient.astype(np.float64),
        }.get(self.what, gradient)

class Expanding(modnet.Composite, type="expanding"):
    "No nodes."
    def expand(self, inputs):
        return ["relu"]
"""


@pytest.mark.parametrize(
    ("what", "fault"),
    [
        ("list", "output_shape gave [2]; expected a tuple of whole numbers >= 0, or None for a variable axis"),
        ("-1", "output_shape gave (-1,); expected a tuple of whole numbers >= 0"),
        ("None", "parameters gave nothing; expected a dict from name to modnet.Parameter"),
        ("shape", 'parameters gave [3] for "a"; expected a modnet.Parameter for a name'),
        ("size", 'parameters: the shape of "a" is 3; expected a tuple of whole numbers >= 0'),
        ("variable", 'parameters: the shape of "a" is (None, 3); expected a tuple of whole numbers >= 0'),
        ("state", 'state gave a Parameter for "a"; expected a modnet.State for a name'),
        ("tuple", "forward gave a tuple of 2 arrays; expected one array of float32 and shape (batch, 2)"),
        ("rows", "forward gave a list of 1 array; expected one array"),
        ("no output", "forward gave nothing; expected one array"),
        ("number", "forward gave a number of float32; expected one array"),
        ("dtype", "forward gave an array of float64; expected one array of float32"),
        ("bool", "forward gave an array of bool; expected one array of float32"),
        ("axes", "output_shape gave (2,), but forward gave ()"),
        ("two gradients", "backward gave a tuple of 2 arrays; expected the gradient of its input"),
        ("gradients", "backward gave a list of 1 array; expected an array of float32 and shape (4, 2), like its input"),
        ("no gradient", "backward gave nothing; expected an array of float32 and shape (4, 2), like its input"),
        ("narrow", "backward gave an array of float32 and shape (4, 1); expected an array"),
        ("float64", "backward gave an array of float64 and shape (4, 2); expected an array of float32"),
    ],
)
def test_a_method_that_gives_something_else_is_told_what_was_expected(environment, monkeypatch, what, fault):
    monkeypatch.setattr("modnet.plugins.registry._default", environment.registry)
    environment.install("modnet-giving", GIVING, layers={"giving": "Giving"})
    with pytest.raises(modnet.BrokenPlugin) as caught:
        trained({"type": "giving", "what": what, "activation": "relu"})
    where = 'network.layers[1] (giving): layer "giving" of modnet-giving 1.0 (modnet_giving:Giving): '
    assert str(caught.value).startswith(where + fault)


def test_a_composite_gives_nodes(environment, monkeypatch):
    monkeypatch.setattr("modnet.plugins.registry._default", environment.registry)
    environment.install("modnet-giving", GIVING, layers={"expanding": "Expanding"})
    with pytest.raises(modnet.BrokenPlugin, match=r"expand gave a list of 1 value; expected a list of modnet\.Node"):
        trained("expanding")


COMMAND = """
import modnet, click

def deep(): return {}["size"]

@modnet.hookimpl
def modnet_commands(cli):
    @cli.command()
    def fails():
        "Fails."
        deep()
"""

SPEC = '[network]\ninput = [2]\nlayers = ["forward"]\n[training]\nloss = "mse"\n[data]\ntrain = "data.npz"\n'


@pytest.fixture
def site(environment):
    """A folder with a spec whose layer fails; `site(arguments)` runs modnet there, and gives what it says."""
    pytest.importorskip("click", reason="the command line needs the extra cli")
    environment.install("modnet-faulty", CODE, layers={"forward": "Forward"})
    environment.install("modnet-commands", COMMAND)
    entry_points = environment.folder / "modnet_commands-1.0.dist-info" / "entry_points.txt"
    entry_points.write_text("[modnet]\ncommands = modnet_commands\n")
    (environment.folder / "spec.toml").write_text(SPEC)
    np.savez(environment.folder / "data.npz", x=np.ones((4, 2)), y=np.ones((4, 2)))

    def run(*arguments):
        call = [sys.executable, "-m", "modnet", *arguments]
        done = subprocess.run(call, cwd=environment.folder, capture_output=True, text=True, check=False)
        return done.returncode, done.stderr

    return run


def test_a_command_of_a_plugin_that_fails(site):
    status, said = site("fails")
    assert (status, said) == (
        1,
        "error: modnet-commands 1.0 (modnet_commands): deep raised KeyError: 'size' (modnet_commands.py:4)\n",
    )
    assert "Traceback" in site("--debug", "fails")[1]


def test_a_component_that_fails_in_a_command_of_modnet(site):
    status, said = site("train", "spec.toml")
    assert status == 1
    assert said.startswith(
        'error: network.layers[0] (forward): layer "forward" of modnet-faulty 1.0 (modnet_faulty:Forward): forward '
        "raised KeyError: 'size' (modnet_faulty.py:"
    )


def test_a_component_of_a_plugin_file(site, environment):
    (environment.folder / "mine.py").write_text(CODE.replace('"forward"', '"mine"'))
    (environment.folder / "mine.toml").write_text(SPEC.replace('"forward"', '"mine"'))
    status, said = site("train", "mine.toml", "--plugin", "mine.py")
    assert status == 1
    assert said.startswith(
        "error: layer \"mine\" of plugin_file_mine:Forward: forward raised KeyError: 'size' (mine.py:"
    )
