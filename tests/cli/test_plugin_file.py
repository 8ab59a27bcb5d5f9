"""`--plugin FILE`"""

from pathlib import Path

import modnet

ACTIVATION = """\
import modnet
from {sibling} import FACTOR

class Scaled(modnet.Activation, type="scaled"):
    factor: float = FACTOR
    needs_input = False

    def function(self, x, out):
        out[...] = self.factor * x
        return out

    def derivative(self, x, y, out):
        out[...] = self.factor
        return out

class Helper:
    pass
"""


def test_its_components_can_be_named(run):
    Path("plugin_factors.py").write_text("FACTOR = 2.0\n")
    Path("json.py").write_text(ACTIVATION.format(sibling="plugin_factors"))  # a name that a module has already
    setting = 'network.layers.1.activation={type="scaled", factor=3.0}'
    assert "no problems" in run("check", "pets.toml", "--plugin", "json.py", "--set", setting).stdout
    shown = run("train", "pets.toml", "--plugin", "json.py", "--plugin", "json.py", "--set", setting).stdout
    assert shown.endswith("next: modnet predict pets.modnet NEW.csv --plugin json.py --plugin json.py\n")
    assert "scaled_1" in run("summary", "pets.modnet", "--plugin", "json.py").stdout


def test_without_it_the_name_is_unknown(run):
    assert modnet.default_registry().names(modnet.Activation).count("scaled") == 0
    assert (
        'unknown activation "scaled"'
        in run("check", "pets.toml", "--set", "network.layers.1.activation=scaled", status=2).stdout
    )
