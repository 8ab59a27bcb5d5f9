"""Weights of classes: by number, by name, balanced."""

import numpy as np
import pytest

import modnet
from modnet import DataError, SpecError
from modnet.losses import BinaryCrossEntropy, BinaryFocal, CrossEntropy, Focal

RNG = np.random.default_rng(0)
X = RNG.standard_normal((200, 3))
LABELS = (X[:, 0] > 0.8).astype(int) + (X[:, 0] > 1.6)
BINARY = (X[:, :1] > 0.8).astype(int)


def network_for(loss, outputs=1, last="sigmoid", dtype="float64"):
    layers = [{"type": "linear", "out_features": outputs}, last]
    spec = {"network": {"input": [3], "layers": layers, "dtype": dtype}, "training": {"loss": loss, "epochs": 3}}
    return modnet.build(spec)


def test_balanced_is_scikit_learns():
    weights = pytest.importorskip("sklearn.utils.class_weight")
    for labels in (LABELS, np.array([3, 3, 1, 0, 1, 3])):
        found = CrossEntropy(class_weights="balanced").fitted((4,), labels, None, ())
        present = np.unique(labels)
        expected = weights.compute_class_weight("balanced", classes=present, y=labels)
        np.testing.assert_allclose(np.array(found.class_weights)[present], expected)


@pytest.mark.parametrize("form", ["labels", "rows", "steps"])
def test_balanced_classes_weigh_the_same_together(form):
    target = LABELS.reshape(50, 4) if form == "steps" else np.eye(3)[LABELS] if form == "rows" else LABELS
    weights = np.random.default_rng(1).random(len(target))
    loss = CrossEntropy(class_weights="balanced").fitted(
        (4, 3) if form == "steps" else (3,), target, weights, ["a", "b", "c"]
    )
    spread = np.repeat(weights, 4) if form == "steps" else weights
    totals = np.bincount(LABELS, spread * np.array(loss.class_weights)[LABELS])
    np.testing.assert_allclose(totals, [spread.sum() / 3] * 3)


def test_a_class_without_rows_has_the_weight_1_and_labels_that_are_no_classes_do_not_count():
    loss = Focal(class_weights="balanced").fitted((4,), np.array([0, 0, 1, -1, 9]), None, ())
    np.testing.assert_allclose(loss.class_weights, [3 / 4, 3 / 2, 1, 1])


def test_by_name_the_others_have_the_weight_1():
    loss = CrossEntropy(class_weights={"no": 0.5}).fitted((3,), None, None, ["yes", "no", "maybe"])
    assert loss.class_weights == (1.0, 0.5, 1.0)
    assert CrossEntropy(class_weights={"1": 3}).fitted((2,), None, None, ()).class_weights == (1.0, 3.0)


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ({"yse": 2.0}, r'no class is called "yse"; did you mean "yes"\?'),
        ({"other": 2.0}, 'no class is called "other"; they are "yes", "no"'),
        ({"yes": 0.0, "no": 0.0}, "at least one"),
    ],
)
def test_names_that_are_no_classes_are_refused(weights, expected):
    with pytest.raises((ValueError, SpecError), match=expected):
        CrossEntropy(class_weights=weights).fitted((2,), None, None, ["yes", "no"])


@pytest.mark.parametrize(
    ("loss", "outputs", "last", "target"),
    [
        ({"type": "cross_entropy"}, 3, "softmax", LABELS),
        ({"type": "focal"}, 3, "softmax", LABELS),
        ({"type": "binary_cross_entropy", "label_smoothing": 0.1}, 1, "sigmoid", BINARY),
        ({"type": "binary_focal"}, 1, "sigmoid", BINARY),
        ({"type": "binary_cross_entropy"}, 1, "identity", BINARY),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else "",
)
def test_a_training_with_balanced_weights_is_the_one_with_their_numbers(loss, outputs, last, target):
    layers = last if last != "identity" else {"type": "hard_sigmoid"}
    labels = target.reshape(-1)
    counts = np.bincount(labels)
    numbers = [len(labels) / (len(counts) * count) for count in counts]
    balanced = network_for({**loss, "class_weights": "balanced"}, outputs, layers)
    given = network_for({**loss, "class_weights": numbers}, outputs, layers)
    found, expected = modnet.train(balanced, X, target), modnet.train(given, X, target)
    np.testing.assert_allclose(found["loss"], expected["loss"], rtol=1e-12)
    np.testing.assert_array_equal(balanced.parameters.flat, given.parameters.flat)
    np.testing.assert_allclose(balanced.card.training.loss.class_weights, numbers)
    weights = np.array(numbers)[labels]
    if "focal" not in loss["type"] and not loss.get("label_smoothing"):
        plain = network_for(loss, outputs, layers)
        weighted = modnet.train(plain, X, target, sample_weights=weights)
        np.testing.assert_allclose(found["loss"], weighted["loss"], rtol=1e-9)
        np.testing.assert_allclose(balanced.parameters.flat, plain.parameters.flat, rtol=1e-6, atol=1e-9)


def test_binary_weights_are_torchs():
    torch = pytest.importorskip("torch")
    logits = RNG.standard_normal((200, 1))
    w = np.where(BINARY == 1, 5.0, 0.5)
    loss = BinaryCrossEntropy(class_weights=(0.5, 5.0))
    z = torch.tensor(logits, requires_grad=True)
    values = torch.nn.functional.binary_cross_entropy_with_logits(
        z, torch.tensor(BINARY, dtype=torch.float64), weight=torch.tensor(w), reduction="none"
    )
    values.sum().backward()
    context = modnet.Context(np.float64)
    found, gradient = loss.joint(context, logits, BINARY.astype(float))
    np.testing.assert_allclose(found, values.detach().numpy()[:, 0])
    np.testing.assert_allclose(gradient, z.grad.numpy())
    np.testing.assert_allclose(loss.sample_weights(BINARY.astype(float)), w[:, 0])


def test_what_training_found_is_what_the_model_file_has_and_evaluate_uses(tmp_path):
    network = network_for({"type": "binary_cross_entropy", "class_weights": "balanced"}, dtype="float32")
    modnet.train(network, X[:150], BINARY[:150])
    modnet.save(network, tmp_path / "m.modnet")
    again = modnet.load(tmp_path / "m.modnet")
    assert again.card.training.loss.class_weights == network.card.training.loss.class_weights
    expected = modnet.evaluate(network, X[150:], BINARY[150:])["loss"]
    assert modnet.evaluate(again, X[150:], BINARY[150:])["loss"] == expected


def test_balanced_weights_come_from_the_rows_to_train_on():
    network = network_for({"type": "cross_entropy", "class_weights": "balanced"}, 3, "softmax")
    modnet.train(network, X[:100], LABELS[:100], validation=(X[100:], LABELS[100:]))
    counts = np.bincount(LABELS[:100])
    np.testing.assert_allclose(network.card.training.loss.class_weights, 100 / (3 * counts))


@pytest.mark.parametrize("which", ["stream", "untrained"])
def test_where_there_is_nothing_to_count_that_is_said(which):
    network = network_for({"type": "cross_entropy", "class_weights": "balanced"}, 3, "softmax")
    data = ([(X, LABELS)],) if which == "stream" else (X, LABELS)
    run = modnet.train if which == "stream" else modnet.evaluate
    with pytest.raises(SpecError, match=r'training.loss: class_weights = "balanced" counts the targets'):
        run(network, *data)


def test_of_two_outputs_each_loss_has_its_own():
    layers = [
        {"type": "linear", "out_features": 3},
        {"type": "softmax", "name": "kind"},
        {"type": "linear", "out_features": 1, "inputs": ["input"]},
        {"type": "sigmoid", "name": "flag"},
    ]
    losses = {
        "kind": {"type": "cross_entropy", "class_weights": "balanced", "weight": 2.0},
        "flag": {"type": "binary_cross_entropy", "class_weights": {"1": 3.0}},
    }
    network = modnet.build(
        {"network": {"input": [3], "layers": layers, "outputs": ["kind", "flag"]}, "training": {"loss": losses}}
    )
    modnet.train(network, X, {"kind": LABELS, "flag": BINARY}, epochs=1)
    found = network.card.training.loss
    assert found["kind"].weight == 2.0
    assert len(found["kind"].loss.class_weights) == 3
    assert found["flag"].loss.class_weights == (1.0, 3.0)


@pytest.mark.parametrize("loss", [BinaryCrossEntropy, BinaryFocal])
def test_several_decisions_have_no_classes(loss):
    with pytest.raises(modnet.ShapeError, match="for one decision between two classes"):
        loss(class_weights=(1.0, 2.0)).check_shapes((3,), (3,))
    with pytest.raises(SpecError, match="expected 2 weights, found 3"):
        loss(class_weights=(1.0, 2.0, 3.0))


def test_a_loss_by_itself_says_that_its_weights_are_to_be_found():
    with pytest.raises(DataError, match="are found when a network is trained"):
        CrossEntropy(class_weights="balanced").values(np.full((2, 2), 0.5), np.array([0, 1]))
