"""Batches shared between two threads: the numbers do not depend on whether there are two."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from modnet_conv.convolution import Conv1d, Conv2d, Conv3d, ConvTranspose2d, DepthwiseConv2d
from modnet_conv.pooling import AveragePool2d, MaxPool2d

from modnet.testing.gradients import layer_context

CASES = [
    (Conv2d(out_channels=32, kernel_size=3, padding="same"), (28, 28, 16)),
    (Conv2d(out_channels=24, kernel_size=1), (31, 28, 32)),
    (Conv2d(out_channels=32, kernel_size=3, stride=2, padding="same"), (29, 28, 32)),
    (Conv2d(out_channels=32, kernel_size=5, groups=4, padding="same"), (23, 23, 32)),
    (Conv2d(out_channels=8, kernel_size=3, padding="same"), (37, 41, 2)),
    (Conv1d(out_channels=32, kernel_size=9, padding="same"), (300, 32)),
    (Conv3d(out_channels=8, kernel_size=3, padding="same"), (9, 13, 11, 8)),
    (ConvTranspose2d(out_channels=16, kernel_size=4, stride=2, padding=1, groups=2), (14, 14, 32)),
    (DepthwiseConv2d(kernel_size=3, padding="same", depth_multiplier=2), (17, 19, 32)),
    (MaxPool2d(), (29, 28, 32)),
    (AveragePool2d(pool_size=3, stride=2, padding=1), (29, 28, 32)),
]

SCRIPT = """
import hashlib, json
import numpy as np
import modnet
from modnet import threads
from modnet.testing.gradients import layer_context
from test_sharing import CASES

threads.cores = lambda: 2  # also on a machine that has one
digests = [threads.count()]
for compiled in (False, True):
    kernels = (modnet.default_registry() if compiled else modnet.Registry(list)).kernels
    for layer, shape in CASES:
        context = layer_context(layer, shape, dtype=np.float32)
        forward, backward = (kernels.method(layer, name, context.dtype) for name in ("forward", "backward"))
        x = np.random.default_rng(0).standard_normal((33, *shape), np.float32)
        digest = hashlib.sha256()
        for batch in (x, x[:3], x):
            context.begin()
            y = forward(context, batch)
            digest.update(y.tobytes() + backward(context, np.sqrt(np.abs(y))).tobytes())
            digest.update(b"".join(gradient.tobytes() for gradient in context.grads.values()))
        digests.append(digest.hexdigest())
print(json.dumps(digests))
"""


def test_the_number_of_threads_changes_no_byte():
    digests = {}
    for number in (1, 2):
        environment = {**os.environ, "MODNET_NUM_THREADS": str(number), "OPENBLAS_NUM_THREADS": str(number)}
        environment["PYTHONPATH"] = os.path.dirname(__file__)
        command = [sys.executable, "-c", SCRIPT]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        found, *digests[number] = json.loads(done.stdout)
        assert found == number
    assert digests[1] == digests[2]


@pytest.mark.parametrize(("layer", "shape"), CASES[:8], ids=str)
def test_a_large_batch_is_shared_in_every_product(layer, shape, monkeypatch):
    """A half for each thread in the forward pass, and in each part of the backward pass."""
    calls = []
    monkeypatch.setattr("modnet_conv.correlation.share", lambda *halves: [calls.append(half()) for half in halves])
    context = layer_context(layer, shape, dtype=np.float32)
    y = layer.forward(context, np.zeros((33, *shape), np.float32))
    assert len(calls) == 2
    layer.backward(context, y)
    assert len(calls) in (4, 6)


def test_few_samples_take_buffers_for_one_half_alone():
    layer = Conv2d(out_channels=32, kernel_size=3, padding="same")
    sizes = {}
    for batch in (1, 33):
        context = layer_context(layer, (14, 14, 32), dtype=np.float32)
        y = layer.forward(context, np.zeros((batch, 14, 14, 32), np.float32))
        sizes[batch] = context.nbytes - y.nbytes
    assert sizes[1] < sizes[33] / 3
