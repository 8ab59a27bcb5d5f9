"""The weights of a network as a picture: a histogram of each array, and the filters of its first layer as images."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.engine.graph import GraphNode
from modnet.engine.network import Network
from modnet.errors import DataError
from modnet.kinds.figures import number_text
from modnet.pictures.figure import draw
from modnet.pictures.palette import FIRST, QUIET, SECOND
from modnet.words import did_you_mean, legible, show

ACROSS, PANEL = 3, (3.4, 2.0)
"""How many histograms stand side by side, and the size of each in inches."""

MOST_ARRAYS, MOST_FILTERS = 30, 40
"""How many histograms and how many filters are drawn."""

FILTERS_ACROSS, FILTER = 10, 0.85
"""How many filters stand side by side, and the size of each in inches."""

BINS = 50


def weights_figure(network: Network, node: str | None = None) -> tuple[Any, list[str]]:
    """A figure of matplotlib with the network's weights.

    Args:
        node: the name of a node, or of a composite, whose arrays alone are drawn.

    Returns:
        The figure, and lines about what is left out.

    Raises:
        DataError: there is no such node, or it has no weights.
        MissingExtra: matplotlib is not installed.
    """
    arrays = _arrays(network, node)
    shown = dict(list(arrays.items())[:MOST_ARRAYS])
    found = filters_of(network)
    filters = None if found is None or f"{found[0]}.weight" not in shown else found[1]
    notes = [f"the first {MOST_ARRAYS} of {len(arrays)} arrays are drawn; name a node for others"]
    notes = notes if len(arrays) > MOST_ARRAYS else []
    if filters is not None and len(filters) > MOST_FILTERS:
        notes.append(f"the first {MOST_FILTERS} of {len(filters)} filters of {found[0] if found else ''} are drawn")
        filters = filters[:MOST_FILTERS]
    across = min(len(shown), ACROSS)
    histograms = PANEL[1] * -(-len(shown) // across)
    images = 0.0 if filters is None else 0.4 + FILTER * -(-len(filters) // FILTERS_ACROSS)

    def fill(figure: Any) -> None:
        above, *below = figure.subfigures(2 if images else 1, 1, squeeze=False, **_ratios(histograms, images))[:, 0]
        _histograms(above, shown, across)
        for part in below:
            _images(part, filters, found[0] if found else "")

    return draw(fill, (max(PANEL[0] * across, 8.5 if images else 4.2), histograms + images)), notes


def _ratios(histograms: float, images: float) -> dict[str, list[float]]:
    return {"height_ratios": [histograms, images]} if images else {}


def _arrays(network: Network, node: str | None) -> dict[str, Array]:
    """Name -> array, of all parameters or of those of a node or composite."""
    found = {}
    for one in network.graph.nodes:
        if one.owner is None and node in (None, *_around(one.name)):
            names = (f"{one.name}.{own}" for own in one.parameters)
            found.update({name: network.parameters[name] for name in names})
    if not found:
        raise DataError("the network has no weights" if node is None else _nothing_of(network, node))
    return found


def _nothing_of(network: Network, node: str) -> str:
    known = [name for one in network.graph.nodes for name in _around(one.name)]
    return f"the node {show(node)} {'has no weights' if node in known else f'is not there{did_you_mean(node, known)}'}"


def _around(name: str) -> list[str]:
    """The name of a node, and those of the composites around it."""
    parts = name.split(".")
    return [".".join(parts[: count + 1]) for count in range(len(parts))]


def _histograms(figure: Any, arrays: Mapping[str, Array], across: int) -> None:
    grid = figure.subplots(-(-len(arrays) // across), across, squeeze=False).ravel()
    for axes in grid[len(arrays) :]:
        axes.set_visible(False)
    for axes, (name, array) in zip(grid, arrays.items(), strict=False):
        values = array.ravel()[np.isfinite(array.ravel())].astype(np.float64)
        axes.hist(values, bins=min(BINS, max(8, math.isqrt(values.size))), color=FIRST, histtype="stepfilled")
        axes.axvline(0, color=QUIET, linewidth=0.8)
        shape = " x ".join(map(str, array.shape))
        axes.set(title=legible(name, 34), yticks=[])
        axes.set_xlabel(f"{shape}; {_spread(values)}", fontsize="small")
        axes.spines["left"].set_visible(False)


def _spread(values: Array) -> str:
    if not values.size:
        return "no finite number"
    return f"mean {number_text(float(values.mean()))}, deviation {number_text(float(values.std()))}"


def filters_of(network: Network) -> tuple[str, Array] | None:
    """The first layer with weights, and its filters as images (filters, height, width, channels) of 1 or 3 channels.

    They are those of a convolution, or of a dense layer behind a network's single input of images. None for others.
    """
    node = next((node for node in network.graph.nodes if "weight" in node.parameters and node.owner is None), None)
    if node is None or len(network.inputs) != 1:
        return None
    (image,) = network.inputs.values()
    weight = network.parameters[f"{node.name}.weight"]
    if node.parameters["weight"].member_axes:
        weight = weight[0]
    images = _as_images(node, weight, image)
    return (
        None if images is None or images.shape[-1] not in (1, 3) or min(images.shape[1:3]) < 2 else (node.name, images)
    )


def _as_images(node: GraphNode, weight: Array, image: tuple[int | None, ...]) -> Array | None:
    if weight.ndim == 4:  # (height, width, channels, filters)
        return np.moveaxis(weight, -1, 0)
    shape = (*image, 1) if len(image) == 2 else image
    if weight.ndim != 2 or len(shape) != 3 or None in shape or node.input_shapes[0] != (weight.shape[0],):
        return None
    whole = [int(axis or 0) for axis in shape]
    return weight.T.reshape(-1, *whole) if math.prod(whole) == len(weight) else None


def _images(figure: Any, filters: Any, name: str) -> None:
    rows = -(-len(filters) // FILTERS_ACROSS)
    figure.suptitle(
        f"filters of {legible(name, 40)}: blue is positive, orange negative" if filters.shape[-1] == 1 else name
    )
    grid = figure.subplots(rows, FILTERS_ACROSS, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, one in zip(grid, filters, strict=False):
        axes.imshow(_colours(one), interpolation="nearest")


def _colours(filter_: Array) -> Array:
    """A filter as colours: of its own three channels, or blue and orange, and transparent where it is 0."""
    values = np.nan_to_num(filter_.astype(np.float64))
    largest = np.abs(values).max() or 1.0
    if values.shape[-1] == 3:
        return np.asarray(0.5 + values / (2 * largest))
    found = np.zeros((*values.shape[:2], 4))
    one = values[..., 0] / largest
    for sign, colour in ((one > 0, FIRST), (one < 0, SECOND)):
        found[sign, :3] = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    found[..., 3] = np.abs(one)
    return found
