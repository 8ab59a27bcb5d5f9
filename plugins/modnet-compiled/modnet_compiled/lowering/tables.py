"""The layers of modnet-tabular."""

from __future__ import annotations

import math

import numpy as np
from modnet_tabular.activations import Parametric
from modnet_tabular.categories import CategoryEmbedding
from modnet_tabular.clipping import ClipToTarget
from modnet_tabular.linear import Scale
from modnet_tabular.members import BatchEnsemble
from modnet_tabular.numbers import PBLD, PLR
from modnet_tabular.piecewise import PiecewiseLinear
from modnet_tabular.quantiles import CENTRE, FAR, FARTHEST, MIDDLE, QuantileTransform
from modnet_tabular.scaling import RobustScale

from modnet.arrays import Array
from modnet.kinds.translations import Translation
from modnet_compiled.lowering.layers import exact, pieces, rows_of, scaled
from modnet_compiled.operations import Value
from modnet_compiled.writer import Writer


def _smooth_clip(writer: Writer, layer: object, x: Value) -> Value:
    return writer.activation(x, "smooth_clip")


def _parametric(writer: Writer, layer: Parametric, x: Value) -> Value:
    alpha = writer.params["alpha"]
    y = writer.layer(layer.activation, x)
    return writer.add("blend", (x, y), x.shape, numbers=writer.by_features(x, alpha.size), arrays=[alpha])


def _category_embedding(writer: Writer, layer: CategoryEmbedding, ids: Value) -> Value:
    weight, state = writer.params["weight"], writer.state
    if not state["samples"]:
        return rows_of(writer, ids, weight)
    return rows_of(writer, ids, weight, state["shares"], state["shares"] @ weight)


def _clip_to_target(writer: Writer, layer: ClipToTarget, x: Value) -> Value:
    state = writer.state
    if not state["samples"]:
        return x
    least = state["least"]
    return writer.add(
        "clip", (x,), x.shape, numbers=writer.by_features(x, least.size), arrays=[least, state["greatest"]]
    )


def _scale(writer: Writer, layer: Scale, x: Value) -> Value:
    return writer.affine(x, writer.params["scale"])


def _robust_scale(writer: Writer, layer: RobustScale, x: Value) -> Value:
    state = writer.state
    rest = state["median_rest"]
    # Numbers that come in the network's dtype have lost those digits, and modnet leaves the median as it is.
    far = x in writer.raw and bool(np.count_nonzero(rest))
    return scaled(writer, x, exact(state["median"], rest if far else None), state["factor"], far)


def _quantile_transform(writer: Writer, layer: QuantileTransform, x: Value) -> Value:
    state = writer.state
    if not state["samples"]:
        return x
    count = int(state["count"])
    quantiles = state["quantiles"][:count].astype(np.float64).T
    table = np.array([*CENTRE, *MIDDLE, *FAR])
    numbers = [len(quantiles), count, x.size // len(quantiles) if len(quantiles) else 0]
    return writer.add("quantiles", (x,), x.shape, numbers=numbers, arrays=[quantiles, table], factors=[FARTHEST])


def _batch_ensemble(writer: Writer, layer: BatchEnsemble, *inputs: Value) -> Value:
    params = writer.params
    apart = [x if len(x.shape) == 2 else writer.repeated(x, layer.members) for x in inputs]
    x = writer.concatenated(apart, 1) if len(apart) > 1 else apart[0]
    product = writer.product(writer.affine(x, params["input_scale"]), params["weight"])
    return writer.affine(product, params["output_scale"], params["bias"])


def each_feature(writer: Writer, x: Value, output: Value, weight: Array, bias: Array) -> None:
    """Products of each feature's numbers, x (features, in), with its own weights, into output (features, out)."""
    (features, depth), size = x.shape, output.shape[1]
    for feature in range(features):
        places = (1, depth, size, x.size, output.size, feature * depth, feature * size)
        writer.write_product(x, output, weight[feature], bias[feature], places)


def _waves(writer: Writer, x: Value, both: bool, shift: Array | None) -> Value:
    frequency = writer.params["frequency"]
    features, count = frequency.shape
    turns = np.multiply(2 * math.pi, frequency, dtype=frequency.dtype)
    shape = (features, count * 2 if both else count)
    return writer.add("waves", (x,), shape, numbers=[features, count, int(both)], arrays=[turns, shift])


def _pbld(writer: Writer, layer: PBLD, x: Value) -> Value:
    params, size = writer.params, layer.embedding_size
    waves = _waves(writer, x, False, params["shift"])
    output = writer.value((x.size, size))
    each_feature(writer, waves, output, params["weight"], params["bias"])
    writer.copy(x, output, x.size, 1, (1, size, 0, size - 1))
    return writer.reshaped(output, (x.size * size,))


def _plr(writer: Writer, layer: PLR, x: Value) -> Value:
    weight, bias = writer.params["weight"], writer.params["bias"]
    waves = _waves(writer, x, True, None)
    if layer.shared:
        y = writer.product(waves, weight, bias)
    else:
        y = writer.value((x.size, layer.embedding_size))
        each_feature(writer, waves, y, weight, bias)
    return writer.reshaped(writer.activation(y, "relu"), (y.size,))


def _piecewise_linear(writer: Writer, layer: PiecewiseLinear, x: Value) -> Value:
    """The number itself as one bin more, without ends, whose weight is that of the linear part."""
    params, slope = writer.params, writer.state["slope"]
    features, bins = slope.shape
    shape = (features, bins + 1)
    slopes, offsets = np.ones(shape, writer.dtype), np.zeros(shape, writer.dtype)
    slopes[:, :bins], offsets[:, :bins] = slope, writer.state["offset"]
    least, most = np.full(shape, -np.inf, writer.dtype), np.full(shape, np.inf, writer.dtype)
    least[:, 1:bins], most[:, : bins - 1] = 0, 1
    single = (slope[:, -1] != 0) & ~slope[:, :-1].any(axis=1)
    least[single, bins - 1] = -np.inf
    e = pieces(writer, x, np.zeros(shape, writer.dtype), slopes, offsets, least, most)
    weight = np.concatenate([params["weight"], params["linear"][:, None, :]], axis=1)
    output = writer.value((features, layer.embedding_size))
    each_feature(writer, e, output, weight, params["bias"])
    return writer.reshaped(output, (output.size,))


LOWERINGS: dict[str, Translation] = {
    "BatchEnsemble": _batch_ensemble,
    "CategoryEmbedding": _category_embedding,
    "ClipToTarget": _clip_to_target,
    "PBLD": _pbld,
    "PLR": _plr,
    "Parametric": _parametric,
    "PiecewiseLinear": _piecewise_linear,
    "QuantileTransform": _quantile_transform,
    "RobustScale": _robust_scale,
    "Scale": _scale,
    "SmoothClip": _smooth_clip,
}
