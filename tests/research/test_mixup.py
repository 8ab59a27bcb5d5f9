"""The callback `mixup`, from a spec, against the paper's algorithm in torch."""

import numpy as np
import pytest

import modnet
from tests.research.problem import SAMPLES, assert_same, batches, data, network, train, twin

SPEC = """
[network]
input = [5]
layers = [{ type = "linear", out_features = 4 }, "relu", { type = "linear", out_features = 3 }, "softmax"]

[training]
loss = "cross_entropy"
metrics = ["accuracy"]
epochs = 2
callbacks = [{ type = "mixup", alpha = 0.4 }]
"""


def draws(seed, alpha, count, size):
    """What the run draws for its batches."""
    noise = np.random.default_rng([seed, 1])
    return [(noise.beta(alpha, alpha), noise.permutation(size)) for _ in range(count)]


def test_is_the_algorithm_of_the_paper():
    """The loss is the mean of those of both labels, weighted by the shares."""
    mine = network()
    torch, theirs = twin(mine)
    train(mine, [{"type": "mixup", "alpha": 0.4}])
    optimizer, shares = torch.optim.SGD(theirs.parameters(), lr=0.2), iter(draws(0, 0.4, 12, 12))
    for _ in range(3):
        for x, y in batches(torch):
            share, partner = next(shares)
            optimizer.zero_grad()
            logits = theirs(share * x + (1 - share) * x[partner])
            loss = torch.nn.functional.cross_entropy
            (share * loss(logits, y) + (1 - share) * loss(logits, y[partner])).backward()
            optimizer.step()
    assert_same(mine, theirs)


def test_from_a_spec_with_metrics_and_validation(tmp_path):
    (tmp_path / "spec.toml").write_text(SPEC)
    made = modnet.build(tmp_path / "spec.toml")
    x, y = data()
    before = x.copy()
    history = modnet.train(made, x, y, validation=0.25)
    assert set(history) == {"loss", "accuracy", "validation_loss", "validation_accuracy"}
    assert (x == before).all()


def test_numbers_are_mixed_too():
    x, y = data()
    seen = []

    class Looks(modnet.Callback):
        def modnet_batch(self, run, inputs, targets):
            seen.append((inputs[0].copy(), next(iter(targets.values())).copy()))

    layers = [{"type": "linear", "out_features": 1}]
    made = modnet.build({"network": {"input": [5], "dtype": "float64", "layers": layers}})
    options = {"loss": "mse", "epochs": 1, "batch_size": SAMPLES, "shuffle": False}
    modnet.train(made, x, y[:, None], callbacks=["mixup", Looks()], **options)
    ((share, partner),) = draws(0, 0.2, 1, SAMPLES)
    np.testing.assert_allclose(seen[0][0], share * x + (1 - share) * x[partner])
    np.testing.assert_allclose(seen[0][1][:, 0], share * y + (1 - share) * y[partner])


def test_indices_are_refused():
    layers = [{"type": "embedding", "vocabulary_size": 9, "embedding_size": 3}, "flatten"]
    layers.append({"type": "linear", "out_features": 1})
    made = modnet.build({"network": {"input": [4], "layers": layers}})
    with pytest.raises(modnet.TrainingError, match='mixup needs inputs that can be mixed; input "input" takes whole'):
        modnet.train(made, np.ones((8, 4), int), np.ones((8, 1)), loss="mse", callbacks=["mixup"])
