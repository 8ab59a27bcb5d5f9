"""The core's own components keep the contract that plugins are held to.

Gradients, dtypes, shapes, batches, model files and the rest are asked here of every component; the tests of each ask
what is particular to it: its values, its options, its source.
"""

import pytest

from modnet import layers, losses, metrics, optimizers, schedules
from modnet.activations import PReLU, Softmax
from modnet.kinds import GROUPS, KINDS
from modnet.kinds.component import Example
from modnet.plugins.builtin import BUILTIN
from modnet.plugins.registry import Registry
from modnet.testing import examine
from modnet.testing.examples import examples_of

REGISTRY = Registry(list)
EXAMPLES = [
    example
    for kind, group in GROUPS.items()
    for name in BUILTIN[group]
    for example in examples_of(REGISTRY.find(KINDS[kind], name))
]

FURTHER = [
    Example(layers.Concatenate(axis=0), ((4, 3), (2, 3))),
    Example(layers.Embedding(vocabulary_size=5, embedding_size=3, padding=0), ((None,),)),
    Example(layers.LayerNorm(axes=2), ((5, 4),)),
    Example(layers.Linear(out_features=2, bias=False), ((None, 4),)),
    Example(layers.Multiply(), ((4,), (4,), (4,))),
    Example(layers.PerMember(layer=layers.BatchNorm(), members=2), ((2, 4),)),
    Example(layers.PerMember(layer=layers.Concatenate(axis=0), members=2), ((2, 3), (2, 4))),
    Example(layers.PerMember(layer=layers.LayerNorm(), members=2, shared=True), ((4,),)),
    Example(layers.PerMember(layer=layers.Linear(out_features=3), members=2), ((2, 5, 4),)),
    Example(layers.PerMember(layer=layers.Linear(out_features=3), members=2, shared=True), ((5, 4),)),
    Example(layers.PerMember(layer=PReLU(), members=3), ((3, 4),)),
    Example(layers.Reshape(shape=(-1, 2)), ((None, 4),)),
    Example(PReLU(shared=True), ((4, 3),)),
    Example(Softmax(), ((None, 4),)),
    Example(losses.BinaryCrossEntropy(), ((4,),)),
    Example(losses.BinaryCrossEntropy(label_smoothing=0.1), ((2, 1), (2,))),
    Example(losses.BinaryCrossEntropy(positive_weight=2.5), ((3,), (3,))),
    Example(losses.BinaryFocal(gamma=0.0), ((2, 1), (2,))),
    Example(losses.CrossEntropy(), ((2, 3, 4),)),
    Example(losses.CrossEntropy(), ((40,), ())),
    Example(losses.CrossEntropy(label_smoothing=0.1), ((2, 3, 4), (2, 3))),
    Example(losses.CrossEntropy(class_weights=(0.5, 1.0, 2.0), label_smoothing=0.2), ((4, 3), (4,))),
    Example(losses.Focal(class_weights=(0.5, 1.0, 2.0), label_smoothing=0.2), ((4, 3), (4,))),
    Example(losses.Huber(delta=0.3), ((3,), (3,))),
    Example(losses.Quantile(quantiles=(0.2,)), ((1,), ())),
    Example(optimizers.SGD(momentum=0.9, dampening=0.1, weight_decay=0.1)),
    Example(optimizers.SGD(momentum=0.9, nesterov=True)),
    Example(optimizers.RMSProp(centered=True, momentum=0.5)),
    Example(optimizers.Adam(weight_decay=0.1, decay_all=True)),
    Example(schedules.Cosine(warmup_epochs=20.0)),
    Example(schedules.Plateau(patience=0, gamma=0.5)),
    Example(metrics.AUC(), ((1,),)),
    Example(metrics.R2(), ((2, 3),)),
    Example(metrics.TopKAccuracy(k=2)),
]
"""Options with a code of their own."""


@pytest.mark.parametrize(
    "example",
    [*EXAMPLES, *FURTHER],
    ids=lambda example: f"{example.component.kind} {example.component} {' '.join(map(str, example.input_shapes))}",
)
def test_keeps_its_contract(example):
    report = examine(example)
    assert not report.failures, report.faults()
