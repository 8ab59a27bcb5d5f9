import re
from pathlib import Path

import numpy as np
import pytest
from cases import check

import modnet

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ROWS, COMPONENT = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)[:2]
PENGUINS = ROOT.parents[1] / "examples" / "penguins"


def test_a_frame_is_fed(tmp_path, monkeypatch):
    pandas = pytest.importorskip("pandas")
    network = modnet.train(PENGUINS / "penguins.toml", epochs=1).network
    monkeypatch.chdir(tmp_path)
    modnet.save(network, "penguins.onnx")
    frame = pandas.read_csv(PENGUINS / "new.csv")[list(network.schema.columns())]
    names = {"frame": frame}
    exec(ROWS, names)
    expected = network.predict(frame)
    assert names["species"].tolist() == expected["species"].tolist()
    for place, name in enumerate(network.schema.classes()["output"]):
        np.testing.assert_allclose(names["probabilities"][:, place], expected[f"P({name})"], atol=1e-5)


def test_a_component_of_your_own():
    names = {}
    exec(COMPONENT, names)
    registry = modnet.Registry()
    registry.register(names["Shifted"])
    network = modnet.build({"network": {"input": [3], "layers": ["shifted"]}}, registry=registry)
    check(network, {"input": np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)})


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#\s]+)", README):
        assert (ROOT / target).exists(), target
