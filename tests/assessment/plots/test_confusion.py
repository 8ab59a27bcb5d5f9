"""The confusion matrix as a picture: the counts, and what has none."""

import numpy as np
import pytest

import modnet
from modnet.assessment.plots.confusion import NUMBERED, confusion_figure
from modnet.assessment.samples import Samples
from tests.assessment.explanation import networks

pytest.importorskip("matplotlib", reason="matplotlib (extra `plot`) is not installed")


def test_the_cells_are_the_counts_of_the_metric():
    network, table = networks.classes()
    (axes,) = confusion_figure(network, Samples.of(network, table)).axes
    counts = np.array(modnet.evaluate(network, table)["confusion_matrix"])
    shown = {tuple(np.subtract(text.get_position(), 0.5).astype(int)): int(text.get_text()) for text in axes.texts}
    assert shown == {(column, row): counts[row, column] for row, column in zip(*counts.nonzero(), strict=True)}
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cat", "dog"]
    assert axes.get_title() == f"kind: {counts.trace() / counts.sum():.1%} of 120 rows right"
    shares = axes.images[0].get_array()
    np.testing.assert_allclose(shares, counts / counts.sum(axis=1, keepdims=True))


def of_classes(count):
    x = np.eye(count)[np.arange(3 * count) % count]
    network = modnet.build({"network": {"input": [count], "layers": [networks.linear(count), "softmax"]}})
    modnet.train(network, x, x.argmax(axis=1), loss="cross_entropy", epochs=1)
    return network, Samples.of(network, x, x.argmax(axis=1))


def test_many_classes_have_colours_and_no_numbers():
    (axes,) = confusion_figure(*of_classes(NUMBERED + 1)).axes
    assert not list(axes.texts)
    assert axes.images[0].get_array().shape == (NUMBERED + 1,) * 2


def test_what_has_no_confusion_matrix_is_told():
    with pytest.raises(modnet.DataError, match="output has 31 classes; up to 30 are drawn"):
        confusion_figure(*of_classes(31))
    network, x, y = networks.numbers(40)
    with pytest.raises(modnet.DataError, match="the model predicts no classes for single rows"):
        confusion_figure(network, Samples.of(network, x, y))
