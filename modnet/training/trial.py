"""What can be known of the data before the first step: rows that the network, a loss or a metric cannot take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from modnet.arrays import Array, beyond, beyond_error
from modnet.data.batches import ArrayBatches, Batches, StreamBatches
from modnet.errors import DataError, SampleError, ShapeError
from modnet.training.objective import Objective, are_labels, representable, row_of
from modnet.words import show

if TYPE_CHECKING:
    from modnet.training.evaluation import Evaluation

ROWS_AT_A_TIME = 1 << 16
"""Targets that a loss looks at together."""

USUAL = 8
"""So many rows, the first ones, stand for those that are as they should be."""

PIECE = 1 << 20
"""About as many bytes are looked at together."""

MOST_LOOKED_AT = 4 << 20
"""In so many bytes of a target its extremes are looked for; the loss itself has looked at all of them."""

LARGE = 1e15
"""Smaller numbers cannot be what makes another type, or a sum of squares, overflow."""

MOST_MAPPED = 64 << 20
"""A mapped file with more bytes is not read for this."""


def check_targets(objective: Objective, batches: ArrayBatches) -> None:
    """Lets the losses look at all targets in memory, and at labels in mapped files, before there is a prediction.

    Raises:
        DataError: one is none that the loss can take, with its row; or the loss gives no target a weight.
    """
    network = objective.network
    for head in objective.heads:
        shape, target = network.outputs[head.name], batches.targets[head.name]
        by_rows = isinstance(target, np.memmap) and target.ndim > 1
        if by_rows or shape[-1:] == (None,) or (objective.masked and len(shape) > 1):
            continue  # what stands at padded steps may be anything
        head.loss.check_shapes(shape, target.shape[1:])
        if batches.weights is not None and batches.weights.ndim > 1:
            continue  # what has no weight may be anything, and what has one is met in its batch
        weight, by_classes = 0.0, False
        for start in range(0, batches.samples, ROWS_AT_A_TIME):
            part = slice(start, start + ROWS_AT_A_TIME)
            chosen = part if batches.rows is None else batches.rows[part]
            few = representable(target[chosen], network.dtype, head.name, chosen, batches.row_name)
            if not are_labels(head.loss, few, len(shape)):
                few = few.astype(network.dtype, copy=False)
            try:
                head.loss.check_targets(shape, few)
                by_class = head.loss.sample_weights(few)
            except SampleError as error:
                raise error.at(batches.row_name(row_of(chosen, error.sample))) from None
            if by_class is not None:
                weight += float(np.sum(by_class if batches.weights is None else by_class * batches.weights[chosen]))
                by_classes = True
        if by_classes and not weight:
            raise DataError(f"no sample has a weight: the class weights of {head.loss.type} are 0 for all of them")


def look_over(evaluation: Evaluation, batches: Batches, what: str) -> None:
    """Looks once at all data in memory, and sends their first and their most unusual rows through the network.

    Unusual are the rows with numbers that are not finite or very large, and of ids and targets those with the smallest
    and the greatest: if the network, a loss or a metric cannot take some row, it is most likely one of them. What a
    generator will give cannot be known. It takes as long as to read the data from memory once.

    Args:
        what: how messages call the data.

    Raises:
        DataError: a row cannot be taken, or its loss is not finite because the row is not; with its number.
        ShapeError: shapes do not fit.
    """
    try:
        if isinstance(batches, ArrayBatches):
            _look_over_arrays(evaluation, batches, what)
        elif isinstance(batches, StreamBatches) and isinstance(batches.source, list | tuple):
            _look_over_list(evaluation, batches, what)
    except (ShapeError, DataError):
        raise
    except Exception:
        return  # what fails in another way is not the fault of a row; the run meets it and reports it


@contextmanager
def naming(what: str) -> Iterator[None]:
    """Says in an error about data which they are, unless `what` is ""."""
    try:
        yield
    except ShapeError as error:
        raise (ShapeError(f"{what}: {error.message}", error.hint) if what else error) from None
    except DataError as error:
        raise (DataError(f"{what}: {error}") if what else error) from None


def _look_over_arrays(evaluation: Evaluation, batches: ArrayBatches, what: str) -> None:
    rows: Any = range(batches.samples) if batches.rows is None else batches.rows
    usual = [int(row) for row in rows[:USUAL]]
    unusual = sorted(set(_unusual(evaluation, batches)) - set(usual))

    weights = _weights_of_steps(batches.weights)

    def is_finite(chosen: list[int]) -> bool:
        rows = np.asarray(chosen)
        if weights is not None and not weights[rows].any():
            return True
        part = ArrayBatches(batches.inputs, batches.targets, weights, len(chosen), rows)
        with np.errstate(all="ignore"):
            return evaluation.tally(part).is_finite()

    try:
        if is_finite(usual + unusual):
            return
        suspects = [[row] for row in usual] + [[*usual, row] for row in unusual]
    except (ShapeError, DataError):
        for row in usual + unusual:
            _check_representable(evaluation, batches, row, what)
        _try(is_finite, usual, batches, what)
        suspects = [[*usual, row] for row in unusual]
    for chosen in suspects:
        row = chosen[-1]
        if not _try(is_finite, chosen, batches, what, batches.row_name(row)):
            holder = _not_finite(evaluation, batches, row)
            if holder:
                remedy = "clean the data, or leave the row out"
                raise DataError(f"{what}: {holder} in {batches.row_name(row)}, so the loss is not finite; {remedy}")


def _try(
    is_finite: Callable[[list[int]], bool], rows: list[int], batches: ArrayBatches, what: str, place: str = ""
) -> bool:
    """Whether the loss of some rows is finite; the errors say where the rows are."""
    try:
        return is_finite(rows)
    except ShapeError as error:
        raise ShapeError(f"{what}: {error.message}", error.hint) from None
    except SampleError as error:
        raise DataError(f"{what}: {error.at(batches.row_name(rows[error.sample]))}") from None
    except DataError as error:
        raise DataError(f"{what}, {place}: {error}" if place else f"{what}: {error}") from None


def _weights_of_steps(weights: Array | None) -> Array | None:
    """Weights of steps, without which a step that does not count would be refused; those of samples decide nothing."""
    return weights if weights is not None and weights.ndim > 1 else None


def _look_over_list(evaluation: Evaluation, batches: StreamBatches, what: str) -> None:
    """The same for a list of batches: shapes, targets, and numbers that are not finite."""
    stream = StreamBatches(batches.source, batches.network, batches.outputs)
    for number, batch in enumerate(stream.epoch()):
        if not batch.counts():
            continue
        weights = _weights_of_steps(batch.weights)
        part = ArrayBatches(batch.inputs, batch.targets, weights, len(batch))
        try:
            check_targets(evaluation.objective, part)
        except ShapeError as error:
            raise ShapeError(f"{what}, batch {number}: {error.message}", error.hint) from None
        except DataError as error:
            raise DataError(f"{what}, batch {number}: {error}") from None
        for row in {row for array in (*batch.inputs, *batch.targets.values()) for row in _extremes(array)}:
            holder = _not_finite(evaluation, part, row)
            if holder and (weights is None or weights[row].any()):
                one = ArrayBatches(batch.inputs, batch.targets, weights, 1, np.array([row]))
                with np.errstate(all="ignore"):
                    finite = evaluation.tally(one).is_finite()
                if not finite:
                    raise DataError(f"{what}, batch {number}: {holder} in row {row}, so the loss is not finite")


def _check_representable(evaluation: Evaluation, batches: ArrayBatches, row: int, what: str) -> None:
    """Refuses a row with a number that the network's dtype cannot hold."""
    network = evaluation.network
    for name, array, dtype in zip(network.inputs, batches.inputs, network.input_dtypes(), strict=True):
        if array.dtype.kind == "f" and dtype.kind == "f" and beyond(array[row], dtype).any():
            error = beyond_error(name, array[row : row + 1], dtype).at(batches.row_name(row))
            raise DataError(f"{what}: {error}")


def _not_finite(evaluation: Evaluation, batches: ArrayBatches, row: int) -> str:
    """Which array of a row holds nan or an infinite number, or ""."""
    names = [f"input {show(name)}" for name in evaluation.network.inputs]
    names += [f"the target of {show(name)}" for name in batches.targets]
    for name, array in zip(names, (*batches.inputs, *batches.targets.values()), strict=True):
        if array.dtype.kind == "f" and not np.isfinite(array[row]).all():
            return f"{name} holds {'nan' if np.isnan(array[row]).any() else 'an infinite number'}"
    return ""


def _unusual(evaluation: Evaluation, batches: ArrayBatches) -> Iterator[int]:
    """The rows with the most unusual inputs and targets, of those that have a weight."""
    network = evaluation.network
    for array, dtype in zip(batches.inputs, network.input_dtypes(), strict=True):
        yield from _not_finite_or_large(array, batches)
        if dtype.kind == "i":
            looks = [_itself, _fraction] if array.dtype.kind == "f" else [_itself]
            yield from _extreme_rows(array, batches, looks, batches.samples)
    for target in batches.targets.values():
        yield from _not_finite_or_large(target, batches)
        looks = [_itself, _magnitude]
        looks += [_fraction] if target.dtype.kind == "f" else []
        looks += [_totals] if target.ndim > 1 else []
        yield from _extreme_rows(target, batches, looks, MOST_LOOKED_AT // _width(target))


def _not_finite_or_large(array: Array, batches: ArrayBatches) -> list[int]:
    """The first row with a number that is not finite, and that with the greatest where there are very large ones.

    The array is gone through where it lies, whichever of its rows are wanted, with one product for each piece.
    """
    if array.dtype.kind != "f" or _is_large_file(array):
        return []
    size = max(1, PIECE // _width(array))
    wanted = None
    first: list[int] = []
    greatest: list[int] = []
    largest = LARGE
    for start in range(0, len(array), size):
        piece = array[start : start + size]
        with np.errstate(all="ignore"):
            if np.vdot(piece, piece) < LARGE**2:
                continue
        if wanted is None:
            wanted = _wanted(batches)
        peaks = np.abs(piece).reshape(len(piece), -1).max(axis=1)
        peaks[~wanted[start : start + size]] = 0
        if not first and not (finite := np.isfinite(peaks)).all():
            first = [start + int(finite.argmin())]
        peaks[~np.isfinite(peaks)] = 0
        if peaks.max() > largest:
            largest, greatest = peaks.max(), [start + int(peaks.argmax())]
    return first + greatest


def _wanted(batches: ArrayBatches) -> Array:
    """For each row of the arrays whether it belongs to the data, and has a weight."""
    wanted = np.zeros(len(batches.inputs[0]), np.bool_)
    wanted[slice(None) if batches.rows is None else batches.rows] = True
    if batches.weights is not None:
        wanted &= batches.weights.reshape(len(wanted), -1).any(axis=1)
    return wanted


def _extreme_rows(
    array: Array, batches: ArrayBatches, looks: Sequence[Callable[[Array], Array]], most: int
) -> Iterable[int]:
    """Of the first `most` rows those for which one of the looks gives the smallest and the greatest number."""
    if _is_large_file(array):
        return ()
    size, end = max(1, PIECE // _width(array)), min(most, batches.samples)
    found: dict[tuple[int, int], tuple[float, int]] = {}
    for start in range(0, end, size):
        chosen = slice(start, min(start + size, end))
        rows = None if batches.rows is None else batches.rows[chosen]
        piece = array[chosen] if rows is None else array[rows]
        if not piece.size:
            continue
        for number, look in enumerate(looks):
            for sign, (value, row) in enumerate(_ends(look(piece))):
                place = start + row if rows is None else int(rows[row])
                key, rank = (number, sign), value if sign else -value
                if batches.weights is not None and not np.any(batches.weights[place]):
                    continue
                if key not in found or rank > found[key][0]:
                    found[key] = rank, place
    return {place for _, place in found.values()}


def _is_large_file(array: Array) -> bool:
    return isinstance(array, np.memmap) and array.nbytes > MOST_MAPPED


def _width(array: Array) -> int:
    """The bytes of a row."""
    return max(1, array.nbytes // max(1, len(array)))


def _extremes(array: Array) -> Iterable[int]:
    """The rows with the smallest and the greatest number; one with nan is both."""
    return {row for _, row in _ends(array)} if array.size else ()


def _ends(array: Array) -> Iterator[tuple[float, int]]:
    """The smallest and the greatest number, each with its row; nan is both."""
    width = array.size // len(array)
    for position in (int(array.argmin()), int(array.argmax())):
        yield (
            float(array.reshape(-1)[position]) if array.flags.c_contiguous else float(array.flat[position]),
            (position // width),
        )


def _itself(array: Array) -> Array:
    return array


def _magnitude(array: Array) -> Array:
    found: Array = np.abs(array)
    return found


def _fraction(array: Array) -> Array:
    """How far numbers are from whole ones."""
    with np.errstate(invalid="ignore"):
        found: Array = np.abs(array - np.rint(array))
    return found


def _totals(array: Array) -> Array:
    """The sums along the last axis, of which one-hot rows have 1."""
    with np.errstate(all="ignore"):
        found: Array = np.add.reduce(array, axis=-1)
    return found
