"""The arrays of a torch model, by the modules that have them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from modnet.arrays import Array

OWN = {
    *("weight", "bias", "running_mean", "running_var"),
    *("in_proj_weight", "in_proj_bias", "q_proj_weight", "k_proj_weight", "v_proj_weight"),
}
"""What torch's modules call their arrays. Any other name is that of a separate array."""

OLD = {"gamma": "weight", "beta": "bias"}
"""What layer norms of TensorFlow's models call theirs."""

RECURRENT = re.compile(r"(?:(.*)\.)?((?:weight|bias)_(?:ih|hh|hr))_(l\d+(?:_reverse)?)")

FIRST = ("stem", "embed", "wte", "wpe", "tok", "pos", "input", "encoder", "features", "backbone")
LAST = ("decoder", "out", "classifier", "head", "lm_head")
"""How names begin that stand first, or last, in most models. A file that has its arrays in the order of their names,
as safetensors files do, does not tell more.
"""


class Module(NamedTuple):
    """A module with its own arrays, or a separate array.

    Attributes:
        name: that of the module; one layer of a recurrent module, in one direction, is `lstm.l0` or `lstm.l0_reverse`.
        arrays: their names in the module, `weight`, and the arrays; that of a separate array is "".
        names: their whole names in the file.
    """

    name: str
    arrays: dict[str, Array]
    names: dict[str, str]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: array.shape for name, array in self.arrays.items()}

    def is_below(self, prefix: str) -> bool:
        """Whether it is the module of that name, or one within it."""
        return not prefix or self.name == prefix or self.name.startswith(f"{prefix}.")


def split(name: str) -> tuple[str, str]:
    """`encoder.0.weight` -> the module encoder.0, and its array weight."""
    found = RECURRENT.fullmatch(name)
    if found:
        return ".".join(part for part in (found[1], found[3]) if part), found[2]
    module, _, array = name.rpartition(".")
    array = OLD.get(array, array)
    return (module, array) if array in OWN else (name, "")


def whole(module: str, array: str) -> str:
    """The inverse of `split`: the whole name of an array."""
    around, _, last = module.rpartition(".")
    if re.fullmatch(r"(weight|bias)_(ih|hh|hr)", array):
        module, array = around, f"{array}_{last}"
    return ".".join(part for part in (module, array) if part)


def modules_of(weights: Mapping[str, Array]) -> list[Module]:
    """The modules in the order of their first arrays, without arrays that are not weights (`is_weight`)."""
    found: dict[str, Module] = {}
    for whole, array in weights.items():
        if is_weight(whole, array):
            name, own = split(whole)
            module = found.setdefault(name, Module(name, {}, {}))
            module.arrays[own], module.names[own] = array, whole
    return list(found.values())


def is_weight(name: str, array: Array) -> bool:
    """Whether an array is one that training makes: not a counter, a list of positions or a causal mask."""
    if array.dtype.kind != "f" or name.endswith("num_batches_tracked"):
        return False
    rows, columns = array.shape[-2:] if array.ndim == 4 else (0, 1)
    return not (array.shape[:2] == (1, 1) and rows == columns > 1 and np.array_equal(array[0, 0], np.tri(rows)))


def by_name(axes: Mapping[str, int]) -> list[str]:
    """Names in the probable order of their arrays in the model.

    2 comes before 10, `embed` first, `head` last, and of the same number what has matrices before norms: conv1, bn1,
    conv2, bn2.

    Args:
        axes: name of an array -> how many it has.
    """
    most: dict[tuple[str, ...], int] = {}
    for name, count in axes.items():
        parts = tuple(split(name)[0].split("."))
        for length in range(1, len(parts) + 1):
            most[parts[:length]] = max(count, most.get(parts[:length], 0))

    def key(name: str) -> list[tuple[int, int, bool, str]]:
        parts = tuple(split(name)[0].split("."))
        return [_rank(part, most[parts[: place + 1]]) for place, part in enumerate(parts)]

    return sorted(axes, key=key)


def _rank(part: str, axes: int) -> tuple[int, int, bool, str]:
    number = re.search(r"\d+", part)
    stem = part[: number.start()] + part[number.end() :] if number else part
    place = 0 if stem.startswith(FIRST) else 2 if stem.startswith(LAST) else 1
    return place, int(number[0]) if number else -1, axes < 2, stem
