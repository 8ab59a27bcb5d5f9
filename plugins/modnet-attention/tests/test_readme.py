import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

import modnet

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
SPECS = re.findall(r"^```toml\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("spec", SPECS, ids=["language model", "today's block", "decoder"])
def test_the_specs_make_networks_that_predict(spec):
    network = modnet.build(tomllib.loads(spec))
    rng = np.random.default_rng(0)
    x = {
        name: rng.integers(1, 9, (2, 6)) if shape == (None,) else rng.standard_normal((2, 6, 64))
        for name, shape in network.inputs.items()
    }
    assert network.predict(x).shape == (2, 6, *next(iter(network.outputs.values()))[1:])


def test_the_stream():
    network = modnet.build(tomllib.loads(SPECS[0]))
    names = {"network": network, "np": np, "ids": np.array([[1]])}
    exec(re.search(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)[1], names)
    ids = names["ids"]
    assert ids.shape == (1, 101)
    np.testing.assert_array_equal(network.predict(ids[:, :-1]).argmax(-1), ids[:, 1:])
