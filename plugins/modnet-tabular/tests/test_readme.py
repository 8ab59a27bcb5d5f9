import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

import modnet

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
SPECS = re.findall(r"^```toml\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("spec", SPECS, ids=lambda text: re.search(r'type = "(\w+)"', text)[1])
def test_the_specs_train_and_predict(spec):
    made = {name: part for name, part in tomllib.loads(spec).items() if name != "data"}
    network = modnet.build(made)
    rng = np.random.default_rng(0)
    shapes = network.inputs.items()
    x = {n: rng.integers(0, 9, (40, *s)) if n == "city" else rng.standard_normal((40, *s)) for n, s in shapes}
    x = x if len(x) > 1 else next(iter(x.values()))
    (width,) = next(iter(network.outputs.values()))
    y = rng.standard_normal((40, 1)) if width == 1 else rng.integers(0, width, 40)
    history = modnet.train(network, x, y, validation=0.25, epochs=3)
    assert np.isfinite(history["loss"]).all()
    assert network.predict(x).shape == (40, width)
