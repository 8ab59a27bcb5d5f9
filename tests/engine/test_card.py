"""The model card: what is known of a model beside its arrays."""

import numpy as np
import pytest

import modnet
from modnet import ModelCard

SPEC = modnet.build({"network": {"input": [2], "layers": ["relu"]}}).card.spec
TRAINING = modnet.build(
    {"network": {"input": [2], "layers": ["relu"]}, "training": {"loss": "mse", "epochs": 3}}
).card.training


class Stored:
    """A training that counts how often it is read."""

    def __init__(self):
        self.read_times = 0

    def read(self):
        self.read_times += 1
        return TRAINING


def test_a_built_network_has_a_card_with_its_spec_alone():
    card = modnet.build(SPEC).card
    assert (card.spec, card.training, card.schema) == (SPEC, None, None)
    assert card.history == card.metrics == card.results == card.metadata == card.data == {}


def test_a_stored_training_is_read_when_it_is_asked_for_and_once():
    stored = Stored()
    card = ModelCard(SPEC, stored_training=stored)
    assert card.spec.training is None
    assert stored.read_times == 0
    assert card.training is card.training is card.spec.training is TRAINING
    assert stored.read_times == 1


def test_replace_gives_another_card():
    card = ModelCard(SPEC, metadata={"author": "Ada"})
    other = card.replace(metadata={}, training=TRAINING)
    assert (other.metadata, other.training, other.spec.network) == ({}, TRAINING, SPEC.network)
    assert (card.metadata, card.training) == ({"author": "Ada"}, None)


def test_the_attributes_of_a_card_cannot_be_set():
    with pytest.raises(AttributeError, match="immutable"):
        ModelCard(SPEC).history = {}


def test_trained_leaves_what_a_training_does_not_know():
    card = ModelCard(SPEC, metadata={"author": "Ada"}, data={"training input": "before"})
    after = card.trained({"loss": [1.0]}, {"loss": 1.0})
    assert (after.history, after.metrics, after.metadata) == ({"loss": [1.0]}, {"loss": 1.0}, {"author": "Ada"})
    assert after.data == card.data
    assert card.trained({}, {}, {"training input": "now"}).data == {"training input": "now"}


def test_the_training_is_the_last_one_with_the_arguments_of_its_call(tmp_path):
    layers = [{"type": "linear", "out_features": 1}]
    network = modnet.build({"network": {"input": [2], "layers": layers}, "training": {"loss": "mse", "epochs": 3}})
    x, y = np.eye(2), np.ones((2, 1))
    arguments = {"optimizer": "sgd", "epochs": 2, "batch_size": 4, "seed": 5, "gradient_clipping": 1.0}
    modnet.train(network, x, y, **arguments)
    modnet.save(network, tmp_path / "model.modnet")
    loaded = modnet.load(tmp_path / "model.modnet")
    for card in (network.card, loaded.card):
        known = card.training
        assert (known.optimizer.type, known.epochs, known.batch_size, known.seed) == ("sgd", 2, 4, 5)
        assert known.gradient_clipping == 1.0
    assert network.card.planned_training.epochs == 3
    assert len(modnet.train(network, x, y)["loss"]) == 3
    assert network.card.replace(training=TRAINING).training is TRAINING
