"""Whole training runs against the libraries that people trust: same weights to begin with, same batches, same rule."""

import numpy as np
import pytest

import modnet

CLASSES, FEATURES, HIDDEN, BATCH, EPOCHS = 10, 64, 32, 50, 20


@pytest.fixture(scope="module")
def digits():
    datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn (extra `parity`) is not installed")
    data = datasets.load_digits()
    return data.data[:1000] / 16.0, data.target[:1000]


def network(optimizer, **training):
    return modnet.build(
        {
            "network": {
                "input": [FEATURES],
                "dtype": "float64",
                "layers": [
                    {"type": "linear", "out_features": HIDDEN, "activation": "relu"},
                    {"type": "linear", "out_features": CLASSES},
                    "softmax",
                ],
            },
            "training": {
                "loss": "cross_entropy",
                "optimizer": optimizer,
                "epochs": EPOCHS,
                "batch_size": BATCH,
                "shuffle": False,
                **training,
            },
        },
        seed=0,
    )


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_run_of_scikit_learns_mlp_classifier(digits, momentum):
    neural = pytest.importorskip("sklearn.neural_network", reason="scikit-learn (extra `parity`) is not installed")
    x, y = digits
    ours = network({"type": "sgd", "learning_rate": 0.1, "momentum": momentum})
    theirs = neural.MLPClassifier(
        hidden_layer_sizes=(HIDDEN,),
        solver="sgd",
        learning_rate_init=0.1,
        momentum=momentum,
        nesterovs_momentum=False,
        alpha=0.0,
        batch_size=BATCH,
        shuffle=False,
    )
    # A first step makes scikit-learn's arrays; then both begin with ours, without velocity.
    theirs.partial_fit(x[:BATCH], y[:BATCH], classes=np.arange(CLASSES))
    theirs.coefs_ = [ours.parameters[f"linear_{i}.weight"].copy() for i in (1, 2)]
    theirs.intercepts_ = [ours.parameters[f"linear_{i}.bias"].copy() for i in (1, 2)]
    del theirs._optimizer
    theirs.set_params(warm_start=True)
    theirs.t_ = 0
    theirs._optimizer = _fresh_sgd(theirs, momentum)
    for _ in range(EPOCHS):
        theirs.partial_fit(x, y)
    history = modnet.train(ours, x, y)
    np.testing.assert_allclose(history["loss"], theirs.loss_curve_[-EPOCHS:], rtol=1e-6)
    for i in (1, 2):
        np.testing.assert_allclose(ours.parameters[f"linear_{i}.weight"], theirs.coefs_[i - 1], rtol=0, atol=1e-6)
        np.testing.assert_allclose(ours.parameters[f"linear_{i}.bias"], theirs.intercepts_[i - 1], rtol=0, atol=1e-6)
    assert history["loss"][-1] < 0.2
    np.testing.assert_allclose(ours.predict(x), theirs.predict_proba(x), atol=1e-6)


def _fresh_sgd(classifier, momentum):
    from sklearn.neural_network._stochastic_optimizers import SGDOptimizer

    parameters = classifier.coefs_ + classifier.intercepts_
    return SGDOptimizer(parameters, classifier.learning_rate_init, "constant", momentum, False)


@pytest.mark.parametrize(
    ("optimizer", "name", "options"),
    [
        (
            {"type": "sgd", "learning_rate": 0.1, "momentum": 0.9, "nesterov": True},
            "SGD",
            {"lr": 0.1, "momentum": 0.9, "nesterov": True},
        ),
        ({"type": "adam", "learning_rate": 0.003}, "Adam", {"lr": 0.003}),
        (
            {"type": "adamw", "learning_rate": 0.003, "weight_decay": 0.1, "decay_all": True},
            "AdamW",
            {"lr": 0.003, "weight_decay": 0.1},
        ),
    ],
    ids=["sgd", "adam", "adamw"],
)
def test_a_run_of_torch(digits, optimizer, name, options):
    torch = pytest.importorskip("torch", reason="torch (extra `parity`) is not installed")
    torch.set_num_threads(1)
    x, y = digits
    ours = network(optimizer, gradient_clipping=1.0)
    model = torch.nn.Sequential(
        torch.nn.Linear(FEATURES, HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, CLASSES)
    ).double()
    with torch.no_grad():
        for i, layer in ((1, model[0]), (2, model[2])):
            layer.weight.copy_(torch.from_numpy(ours.parameters[f"linear_{i}.weight"].T.copy()))
            layer.bias.copy_(torch.from_numpy(ours.parameters[f"linear_{i}.bias"]))
    theirs = getattr(torch.optim, name)(model.parameters(), **options)
    xs, ys = torch.from_numpy(x), torch.from_numpy(y)
    losses = []
    for _ in range(EPOCHS):
        total = 0.0
        for start in range(0, len(x), BATCH):
            theirs.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(xs[start : start + BATCH]), ys[start : start + BATCH])
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            theirs.step()
            total += loss.item() * BATCH
        losses.append(total / len(x))
    history = modnet.train(ours, x, y)
    np.testing.assert_allclose(history["loss"], losses, rtol=1e-4)
    for i, layer in ((1, model[0]), (2, model[2])):
        np.testing.assert_allclose(ours.parameters[f"linear_{i}.weight"].T, layer.weight.detach(), rtol=0, atol=1e-4)
