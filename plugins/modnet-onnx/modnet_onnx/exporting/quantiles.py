"""quantile_transform of modnet-tabular."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from modnet_tabular.quantiles import CENTRE, FAR, FARTHEST, MIDDLE, QuantileTransform

from modnet.arrays import Array
from modnet.kinds.translations import Translation
from modnet_onnx.exporting.writer import Writer


class _Wide:
    """Calculations in float64, as `forward` makes them."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer

    def op(self, operator: str, *operands: str | float | Array) -> str:
        values = (x if isinstance(x, str) else self.writer.constant(x, np.float64) for x in operands)
        return str(self.writer.op(operator, *values))

    def polynomial(self, coefficients: Sequence[float], x: str) -> str:
        """By Horner's rule, with coefficients from the constant up."""
        found = self.op("Mul", x, coefficients[-1])
        for coefficient in coefficients[-2:0:-1]:
            found = self.op("Mul", self.op("Add", found, coefficient), x)
        return self.op("Add", found, coefficients[0])

    def ratio(self, coefficients: Sequence[Sequence[float]], x: str) -> str:
        first, second, third, fourth = coefficients
        above, below = (self.polynomial((*low, *high), x) for low, high in ((first, second), (third, fourth)))
        return self.op("Div", above, below)

    def normal_quantile(self, share: str) -> str:
        """As `modnet_tabular.quantiles.normal_quantile`; the outer formulas serve both sides by the sign."""
        q = self.op("Sub", share, 0.5)
        distance = self.op("Abs", q)
        centre = self.op("Mul", q, self.ratio(CENTRE, self.op("Sub", 0.180625, self.op("Mul", q, q))))
        tail = self.op("Max", self.op("Sub", 0.5, distance), 1e-300)
        r = self.op("Sqrt", self.op("Neg", self.op("Log", tail)))
        middle, far = (self.ratio(part, self.op("Sub", r, start)) for part, start in ((MIDDLE, 1.6), (FAR, 5.0)))
        outer = self.op("Where", self.op("LessOrEqual", r, 5.0), middle, far)
        outer = self.op("Mul", outer, self.op("Sign", q))
        found = self.op("Where", self.op("LessOrEqual", distance, 0.425), centre, outer)
        return self.op("Min", self.op("Max", found, -FARTHEST), FARTHEST)


class _Table:
    """The quantiles of all features one after the other, each filled up by infinity to a power of two."""

    def __init__(self, writer: Writer, quantiles: Array) -> None:
        count, features = quantiles.shape
        self.writer = writer
        self.size = 1 << count.bit_length()
        table = np.full((features, self.size), np.inf)
        table[:, :count] = quantiles.T
        self.flat = writer.constant(table.reshape(-1), np.float64)
        self.offsets = writer.constant(np.arange(features) * self.size)

    def at(self, places: str) -> str:
        """The quantile of each feature at a place, (..., features)."""
        return str(self.writer.op("Gather", self.flat, self.writer.op("Add", places, self.offsets), axis=0))

    def below(self, x: str, comparison: str) -> str:
        """How many quantiles of its feature are below each number ("Less"), or not above it ("LessOrEqual")."""
        writer, step = self.writer, self.size // 2
        found = writer.op("Expand", 0, writer.op("Shape", x))
        while step:
            there = writer.op(comparison, self.at(writer.op("Add", found, step - 1)), x)
            found = writer.op("Add", found, writer.op("Mul", writer.cast(there, np.int64), step))
            step //= 2
        return str(found)


def _quantile_transform(writer: Writer, layer: QuantileTransform, x: str) -> str:
    if not writer.state["samples"]:
        return x
    count = int(writer.state["count"])
    quantiles = writer.state["quantiles"][:count].astype(np.float64)
    wide, table = _Wide(writer), _Table(writer, quantiles)
    numbers = writer.cast(x, np.float64)
    shares = []
    # Between the last quantile that is not above a number and the next; and the first that is not below, and the one
    # before: the same two, but where the number takes several quantiles.
    for comparison in ("LessOrEqual", "Less"):
        after = writer.op("Min", writer.op("Max", table.below(numbers, comparison), 1), count - 1)
        before = writer.op("Sub", after, 1)
        left, right = table.at(before), table.at(after)
        width = wide.op("Sub", right, left)
        width = wide.op("Where", wide.op("Equal", width, 0.0), 1.0, width)
        part = wide.op("Div", wide.op("Sub", numbers, left), width)
        shares.append(wide.op("Div", wide.op("Add", writer.cast(before, np.float64), part), float(count - 1)))
    share = wide.op("Mul", wide.op("Add", *shares), 0.5)
    share = wide.op("Where", wide.op("LessOrEqual", numbers, quantiles[0]), 0.0, share)
    share = wide.op("Where", wide.op("GreaterOrEqual", numbers, quantiles[-1]), 1.0, share)
    varies = (quantiles[0] < quantiles[-1]).astype(np.float64)
    return writer.cast(wide.op("Mul", wide.normal_quantile(share), varies), writer.dtype)


EXPORTS: dict[str, Translation] = {"QuantileTransform": _quantile_transform}
