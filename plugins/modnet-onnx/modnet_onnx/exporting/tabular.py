"""The layers of modnet-tabular, but for quantile_transform."""

from __future__ import annotations

import math

import numpy as np
from modnet_tabular.activations import Parametric, SmoothClip
from modnet_tabular.categories import CategoryEmbedding
from modnet_tabular.clipping import ClipToTarget
from modnet_tabular.linear import Scale
from modnet_tabular.members import BatchEnsemble
from modnet_tabular.numbers import PBLD, PLR
from modnet_tabular.piecewise import PiecewiseLinear
from modnet_tabular.scaling import RobustScale

from modnet.arrays import Array
from modnet.kinds.translations import Translation
from modnet_onnx.exporting.components import export_of
from modnet_onnx.exporting.ensembles import to_members
from modnet_onnx.exporting.layers import vectors
from modnet_onnx.exporting.normalization import centred
from modnet_onnx.exporting.writer import Writer


def _smooth_clip(writer: Writer, layer: SmoothClip, x: str) -> str:
    # Beyond 1e4 the quotient is 3 to the last digit of float32, and the square could overflow.
    near = writer.op("Clip", x, -1e4, 1e4)
    third = writer.op("Div", near, 3.0)
    root = writer.op("Sqrt", writer.op("Add", writer.op("Mul", third, third), 1.0))
    return str(writer.op("Div", near, root))


def _parametric(writer: Writer, layer: Parametric, x: str) -> str:
    export = export_of(layer.activation)
    assert export is not None
    f = export(writer.inner("activation", {}, {}, writer.input_shapes, writer.output_shapes), x)
    return str(writer.op("Add", x, writer.op("Mul", writer.op("Sub", f, x), writer.params["alpha"])))


def _category_embedding(writer: Writer, layer: CategoryEmbedding, ids: str) -> str:
    weight, shares = writer.params["weight"], writer.state["shares"]
    if writer.state["samples"]:
        # The vectors of new categories are known beforehand.
        weight = np.where((shares == 0)[:, None], shares @ weight, weight)
    writer.params["weight"] = weight
    return vectors(writer, writer.integers(ids), layer.vocabulary_size)


def _clip_to_target(writer: Writer, layer: ClipToTarget, x: str) -> str:
    if not writer.state["samples"]:
        return x
    return str(writer.op("Min", writer.op("Max", x, writer.state["least"]), writer.state["greatest"]))


def _scale(writer: Writer, layer: Scale, x: str) -> str:
    return str(writer.op("Mul", x, writer.params["scale"]))


def _batch_ensemble(writer: Writer, layer: BatchEnsemble, *inputs: str) -> str:
    parts = [
        to_members(writer, x, layer.members, 1) if len(shape) == 1 else x
        for x, shape in zip(inputs, writer.input_shapes, strict=True)
    ]
    x = parts[0] if len(parts) == 1 else writer.concat(parts, 2)
    params = writer.params
    product = writer.op("MatMul", writer.op("Mul", x, params["input_scale"]), params["weight"])
    return str(writer.op("Add", writer.op("Mul", product, params["output_scale"]), params["bias"]))


def _each_feature(writer: Writer, x: str) -> str:
    """(batch, features) -> (features, batch, 1)."""
    return writer.unsqueeze(writer.transpose(x, [1, 0]), 2)


def _side_by_side(writer: Writer, y: str) -> str:
    """(features, batch, size) -> (batch, features * size)."""
    return writer.reshape(writer.transpose(y, [1, 0, 2]), [0, writer.output_shapes[0][0] or 0])


def _phases(writer: Writer, column: str) -> str:
    turns = 2 * math.pi * writer.params["frequency"].astype(np.float64)
    return str(writer.op("Mul", column, turns[:, None, :]))


def _pbld(writer: Writer, layer: PBLD, x: str) -> str:
    column, params = _each_feature(writer, x), writer.params
    cosine = writer.op("Cos", writer.op("Add", _phases(writer, column), params["shift"][:, None, :]))
    z = writer.op("Add", writer.op("MatMul", cosine, params["weight"]), params["bias"][:, None, :])
    return _side_by_side(writer, writer.concat([z, column], 2))


def _plr(writer: Writer, layer: PLR, x: str) -> str:
    u = _phases(writer, _each_feature(writer, x))
    waves = writer.concat([writer.op("Cos", u), writer.op("Sin", u)], 2)
    bias = writer.params["bias"][..., None, :]
    z = writer.op("Relu", writer.op("Add", writer.op("MatMul", waves, writer.params["weight"]), bias))
    return _side_by_side(writer, z)


def _piecewise_linear(writer: Writer, layer: PiecewiseLinear, x: str) -> str:
    column, params, state = _each_feature(writer, x), writer.params, writer.state
    line = writer.op("Mul", column, state["slope"][:, None, :])
    e = writer.op("Add", line, state["offset"][:, None, :])
    least, greatest = _ends(state["slope"], float(np.finfo(writer.dtype).max))
    e = writer.op("Min", writer.op("Max", e, least[:, None, :]), greatest[:, None, :])
    direct = writer.op("Add", writer.op("Mul", column, params["linear"][:, None, :]), params["bias"][:, None, :])
    return _side_by_side(writer, writer.op("Add", direct, writer.op("MatMul", e, params["weight"])))


def _ends(slope: Array, far: float) -> tuple[Array, Array]:
    """What the position in each bin is cut to, (features, bins): the first and the last bin are open to a side."""
    least, greatest = np.zeros_like(slope), np.ones_like(slope)
    least[:, 0], greatest[:, -1] = -far, far
    single = (slope[:, -1] != 0) & ~slope[:, :-1].any(axis=1)
    least[single, -1] = -far
    return least, greatest


def _robust_scale(writer: Writer, layer: RobustScale, x: str) -> str:
    median = writer.state["median"].astype(np.float64)
    if writer.raw[0] is not None:
        median = median + writer.state["median_rest"]
    return str(writer.op("Mul", centred(writer, x, median, False), writer.state["factor"]))


EXPORTS: dict[str, Translation] = {
    "BatchEnsemble": _batch_ensemble,
    "CategoryEmbedding": _category_embedding,
    "ClipToTarget": _clip_to_target,
    "PBLD": _pbld,
    "PLR": _plr,
    "Parametric": _parametric,
    "PiecewiseLinear": _piecewise_linear,
    "RobustScale": _robust_scale,
    "Scale": _scale,
    "SmoothClip": _smooth_clip,
}
