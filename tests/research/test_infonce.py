"""InfoNCE (van den Oord, Li and Vinyals 2018, arXiv:1807.03748): a loss that couples the samples of a batch, without a
target.
"""

from pathlib import Path

import numpy as np
import pytest

import modnet
from modnet import Loss, ShapeError, field
from modnet.testing import check_component


class InfoNCE(Loss, type="info_nce"):
    """-log(exp(a_i . b_i / t) / sum_j exp(a_i . b_j / t)): each sample's two views find each other among all others.

    Shapes: (2, features), the two views. The temperature t is Chen's (SimCLR, 2020); equation 4 of the paper has none.
    """

    couples = True
    takes_target = False
    temperature: float = field(default=1.0, above=0.0)

    def check_shapes(self, prediction_shape, target_shape):
        if len(prediction_shape) != 2 or prediction_shape[0] != 2:
            raise ShapeError(f"expects two views, (2, features), found a prediction of shape {prediction_shape}")

    def batch(self, context, prediction, target, weights):
        first, second = prediction[:, 0], prediction[:, 1]
        samples = np.arange(len(prediction))
        shares = np.full(len(prediction), 1 / len(prediction)) if weights is None else weights / weights.sum()
        logits = first @ second.T / self.temperature
        logits -= logits.max(axis=1, keepdims=True)
        exponentials = np.exp(logits)
        totals = exponentials.sum(axis=1)
        value = shares @ (np.log(totals) - logits[samples, samples])
        slopes = exponentials / totals[:, None]
        slopes[samples, samples] -= 1
        slopes *= (shares / self.temperature).astype(prediction.dtype)[:, None]
        return value, np.stack((slopes @ second, slopes.T @ first), axis=1)


def spec(batch_size=16):
    return {
        "network": {"input": [2, 6], "layers": [{"type": "linear", "out_features": 3}]},
        "training": {
            "loss": InfoNCE(temperature=0.5),
            "optimizer": {"type": "adam", "learning_rate": 0.05},
            "epochs": 10,
            "batch_size": batch_size,
        },
    }


def views(rows=64, seed=0):
    """Two views of each sample, which have two features in common; four others are noise."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, 2, 6))
    x[:, 1, :2] = x[:, 0, :2]
    return x.astype(np.float32)


def loss_of(embedded, weights=None):
    return InfoNCE(temperature=0.5).batch(modnet.Context(np.float32), embedded, None, weights)[0]


def test_it_keeps_the_contract():
    check_component(InfoNCE(temperature=0.7), (2, 5))


@pytest.mark.parametrize("weighted", [False, True])
def test_it_is_the_cross_entropy_of_similarities(weighted):
    torch = pytest.importorskip("torch", reason="PyTorch (extra `parity`) is not installed")
    rng = np.random.default_rng(0)
    x, weights = rng.standard_normal((7, 2, 4)), rng.uniform(0, 2, 7) if weighted else None
    value, gradient = InfoNCE(temperature=0.3).batch(modnet.Context(np.float64), x, None, weights)
    tensor = torch.tensor(x, requires_grad=True)
    similarities = tensor[:, 0] @ tensor[:, 1].T / 0.3
    each = torch.nn.functional.cross_entropy(similarities, torch.arange(7), reduction="none")
    factors = torch.ones(7) if weights is None else torch.tensor(weights)
    mean = (each * factors).sum() / factors.sum()
    mean.backward()
    np.testing.assert_allclose(value, mean.item(), rtol=1e-12)
    np.testing.assert_allclose(gradient, tensor.grad.numpy(), rtol=1e-10, atol=1e-14)


def test_it_trains_and_no_batch_is_cut():
    x, held_out = views(), views(40, seed=1)
    network = modnet.build(spec())
    history = modnet.train(network, x, validation=(held_out, None))
    assert history["loss"][-1] < 0.8 * history["loss"][0]
    assert history["validation_loss"][-1] < 0.8 * history["validation_loss"][0]
    # 40 rows in batches of 16: the mean over the batches, weighted by their samples.
    embedded = network.forward(held_out)
    expected = sum(len(part) * loss_of(part) for part in (embedded[:16], embedded[16:32], embedded[32:])) / 40
    np.testing.assert_allclose(history["validation_loss"][-1], expected, rtol=1e-5)
    np.testing.assert_allclose(modnet.evaluate(network, held_out)["loss"], expected, rtol=1e-5)
    whole = loss_of(embedded)
    np.testing.assert_allclose(modnet.evaluate(network, held_out, batch_size=40)["loss"], whole, rtol=1e-5)
    assert not np.isclose(whole, expected, rtol=0.01)


def test_weights_are_handed_to_it():
    x = views(16)
    weights = np.repeat([1.0, 0.0], 8)
    network = modnet.build(spec())
    loss = modnet.evaluate(network, x, sample_weights=weights)["loss"]
    expected = loss_of(network.forward(x), weights)
    np.testing.assert_allclose(loss, expected, rtol=1e-6)
    history = modnet.train(network, x, sample_weights=weights, epochs=1)
    np.testing.assert_allclose(history["loss"][0], expected, rtol=1e-6)


def test_there_are_no_targets_to_give():
    with pytest.raises(modnet.DataError, match="found targets, but no loss takes one"):
        modnet.train(modnet.build(spec()), views(), np.zeros(64))
    with pytest.raises(modnet.SpecError, match="info_nce takes no target, but metrics compare"):
        modnet.train(modnet.build(spec()), views(), metrics=["accuracy"])
    one_view = {**spec(), "network": {**spec()["network"], "input": [6]}}
    with pytest.raises(modnet.ShapeError, match="expects two views"):
        modnet.train(modnet.build(one_view), views()[:, 0])


def test_batches_come_without_targets_too():
    x = views()
    arrays = modnet.train(modnet.build(spec()), x, epochs=1, shuffle=False)
    for item in (lambda part: (part,), lambda part: (part, None)):
        stream = [item(x[start : start + 16]) for start in range(0, 64, 16)]
        assert modnet.train(modnet.build(spec()), stream, epochs=1)["loss"] == arrays["loss"]


def test_a_table_needs_no_target(tmp_path):
    rows = views(40).reshape(40, 12)
    names = [f"{view}{feature}" for view in "ab" for feature in range(6)]
    lines = [",".join(names), *(",".join(map(str, row)) for row in rows)]
    (tmp_path / "views.csv").write_text("\n".join(lines))
    made = {
        **spec(),
        "network": {"input": [12], "layers": [{"type": "reshape", "shape": [2, 6]}, *spec()["network"]["layers"]]},
        "data": {"train": "views.csv", "validation": 0.2},
    }
    data = modnet.read_data(made, folder=tmp_path)
    assert (len(data.train), len(data.validation), data.train.targets) == (32, 8, {})
    assert data.notes == ["40 rows: 32 to train, 8 to validate; 12 columns"]
    network = modnet.build(made)
    network.card = network.card.replace(schema=data.schema)
    assert "validation_loss" in modnet.train(network, data.train, validation=data.validation, epochs=1)
    assert np.shape(network.predict(dict(zip(names, rows.T, strict=True)))["output"]) == (40, 2, 3)
    with pytest.raises(modnet.DataError, match=r'target = "a0", but no loss takes a target; remove target'):
        modnet.read_data({**made, "data": {"train": "views.csv", "target": "a0"}}, folder=tmp_path)


SPEC = """
[network]
input = [2, 6]
layers = [{ type = "linear", out_features = 3 }]

[training]
loss = { type = "info_nce", temperature = 0.5 }
epochs = 3
batch_size = 16

[data]
train = "views.npz"
validation = 0.25
"""


def test_the_commands_need_no_targets(tmp_path, monkeypatch):
    pytest.importorskip("click", reason="the commands need the extra cli")
    from click.testing import CliRunner

    from modnet.cli.app import cli

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("modnet.plugins.registry._default", None)
    np.savez("views.npz", x=views())
    Path("views.toml").write_text(SPEC)

    def run(*words):
        result = CliRunner().invoke(cli, [*words, "--plugin", __file__], prog_name="modnet")
        assert result.exit_code == 0, result.output
        return result.output

    assert "no problems" in run("check", "views.toml")
    run("train", "views.toml")
    assert "48 to train, 16 to validate" in run("train", "views.toml")
    assert "64 rows\nloss" in run("evaluate", "views.modnet", "views.npz")
