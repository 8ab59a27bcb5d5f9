"""Memory: what a long sequence takes."""

import tracemalloc

import numpy as np
import pytest
from modnet_attention.attention import MultiHeadAttention

from modnet.testing.gradients import layer_context


@pytest.mark.parametrize("causal", [False, True])
def test_memory_grows_with_the_length_not_with_its_square(causal):
    """All scores of 2048 steps would be 4 heads * 2048 * 2048 float32 = 64 MiB."""
    layer = MultiHeadAttention(heads=4, causal=causal)
    buffers, peaks = [], []
    for steps in (512, 1024, 2048):
        x = np.random.default_rng(0).standard_normal((1, steps, 32)).astype(np.float32)
        context = layer_context(layer, (steps, 32), dtype=np.float32)
        tracemalloc.start()
        layer.backward(context, layer.forward(context, x))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        buffers.append(context.nbytes)
    for sizes in (buffers, peaks):
        assert sizes[1] / sizes[0] < 2.05, sizes
        assert sizes[2] / sizes[1] < 2.05, sizes
    assert peaks[2] < 10 << 20


def test_memory_of_scores_does_not_grow_with_the_batch():
    layer = MultiHeadAttention(heads=4)
    context = layer_context(layer, (512, 8), dtype=np.float32)
    sizes = []
    for batch in (1, 3):
        context.begin()
        x = np.ones((batch, 512, 8), np.float32)
        layer.backward(context, layer.forward(context, x))
        sizes.append(context.nbytes)
    # What has a size of its own for each sample: projections, outputs and their gradients, not 4 MiB of scores.
    assert sizes[1] - sizes[0] < 2 << 20
