import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

import modnet

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
(SPEC,) = re.findall(r"^```toml\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
(CODE,) = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_the_spec_makes_a_network_that_learns():
    rng = np.random.default_rng(0)
    network = modnet.build(tomllib.loads(SPEC))
    assert network.predict(rng.standard_normal((2, 32, 32, 3))).shape == (2, 10)
    x, y = rng.standard_normal((8, 32, 32, 3)), np.arange(8)
    history = modnet.train(network, x, y, epochs=10, seed=0)
    assert history["loss"][-1] < history["loss"][0]


def test_weights_from_torch():
    torch = pytest.importorskip("torch", reason="the weights are torch's: extra parity")
    layer = {"type": "conv2d", "out_channels": 4, "kernel_size": 3}
    network = modnet.build({"network": {"input": [8, 8, 2], "layers": [layer]}})
    module = torch.nn.Conv2d(2, 4, 3)
    exec(CODE, {"module": module, "network": network})
    x = np.random.default_rng(0).standard_normal((3, 8, 8, 2)).astype(np.float32)
    with torch.no_grad():
        expected = module(torch.tensor(x).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(network.predict(x), expected, atol=1e-5)


def test_a_linear_layer_after_flatten_from_torch():
    torch = pytest.importorskip("torch", reason="the weights are torch's: extra parity")
    (rule,) = re.findall(r"^`(\.reshape\(outputs.*?)`\.$", README, re.MULTILINE)
    height, width, channels, outputs = 3, 4, 2, 5
    module = torch.nn.Linear(channels * height * width, outputs, bias=False)
    names = {"weight": module.weight.detach(), "height": height, "width": width, "channels": channels}
    weight = eval(f"weight{rule}", {**names, "outputs": outputs}).numpy()
    x = np.random.default_rng(0).standard_normal((2, height, width, channels)).astype(np.float32)
    with torch.no_grad():
        expected = module(torch.tensor(x).permute(0, 3, 1, 2).flatten(1)).numpy()
    np.testing.assert_allclose(x.reshape(2, -1) @ weight, expected, atol=1e-5)


def test_every_layer_is_listed():
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["modnet.layers"]
    assert [name for name in points if f"`{name}`" not in README] == []


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#\s]+)", README):
        assert (ROOT / target).exists(), target
