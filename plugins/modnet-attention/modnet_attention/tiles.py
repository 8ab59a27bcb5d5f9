"""softmax(q k^T / sqrt(size)) v, tile by tile, so that no array has queries times keys elements.

The softmax of a row is put together from tiles of its keys: what has been added up so far is scaled down whenever a
tile brings a higher score. `backward` makes each tile of weights again, from the highest score of each row and the sum
of its exponentials. If all queries and keys fit into one tile, its weights are kept instead.

Scores have the keys as their rows: numpy takes maxima over long columns several times as fast as over short rows.

Sources: Milakov and Gimelshein 2018, arXiv:1805.02867 (softmax in one pass); Dao et al. 2022, arXiv:2205.14135,
algorithms 1 and 4 (in tiles, and its gradient).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from modnet.arrays import ones

if TYPE_CHECKING:
    from modnet.arrays import Array
    from modnet.kinds.context import Context

QUERIES, KEYS = 256, 128
"""The most queries and keys in a tile."""

ELEMENTS = 1 << 18
"""The greatest number of scores in a tile, about; with it all passes over a tile stay in the cache."""


@dataclass(frozen=True)
class Heads:
    """The queries and keys of an attention, and which query sees which key.

    Attributes:
        q: queries (batch, groups, members, queries, size): the heads of a group share their keys and values.
        k, v: keys and values (batch, groups, keys, size).
        first: None if each query sees every key, else the position of the first query: query i sees the keys
            0 ... first + i.
        mask: bool (batch, keys), False for a key that no query sees, or None.
        dropout: the rate at which weights become 0.
        seed: of the dropout.
    """

    q: Array
    k: Array
    v: Array
    first: int | None = None
    mask: Array | None = None
    dropout: float = 0.0
    seed: int = 0

    @property
    def scale(self) -> float:
        return 1 / math.sqrt(self.q.shape[-1])


@dataclass(frozen=True)
class Statistics:
    """What `attend` leaves for its gradient; a query that sees no key has the output 0.

    Attributes:
        highest: the highest score of each query (batch, groups, members, queries).
        inverse: one by the sum of exp(score - highest), of the same shape.
        weights: exp(score - highest), (batch, groups, keys, members * queries), where all are one tile; else None.
    """

    highest: Array
    inverse: Array
    weights: Array | None


@dataclass(frozen=True)
class Tile:
    """Some keys for some queries of some samples."""

    samples: slice
    queries: slice
    keys: slice


class Tiling:
    """How the scores are cut into tiles.

    Attributes:
        samples, queries, keys: the parts of each.
        scores_size, rows_size, columns_size: the most scores of a tile, and elements of its queries and of its keys.
        row_count: the most rows of a tile, which are the queries of all members, groups and samples.
    """

    def __init__(self, heads: Heads) -> None:
        batch, groups, members, queries, size = heads.q.shape
        keys = heads.k.shape[2]
        self.heads = heads
        rows, columns = min(queries, QUERIES), min(keys, KEYS)
        samples = min(batch, max(1, ELEMENTS // max(1, groups * members * rows * columns)))
        self.samples = _ranges(batch, samples)
        self.queries = _ranges(queries, QUERIES)
        self.keys = _ranges(keys, KEYS)
        self.scores_size = samples * groups * members * rows * columns
        self.row_count = samples * groups * members * rows
        self.rows_size = self.row_count * size
        self.columns_size = samples * groups * columns * size

    @property
    def single(self) -> bool:
        """Whether one tile has all queries and all keys (of some samples)."""
        return len(self.queries) == len(self.keys) == 1

    def blocks(self) -> Iterator[tuple[slice, slice, list[Tile]]]:
        """Samples and queries that are treated together, with the tiles of all keys that they see."""
        for samples, queries in product(self.samples, self.queries):
            seen = [keys for keys in self.keys if self._sees(queries, keys)]
            yield samples, queries, [Tile(samples, queries, keys) for keys in seen]

    def _sees(self, queries: slice, keys: slice) -> bool:
        return self.heads.first is None or keys.start <= max(0, self.heads.first + queries.stop - 1)

    def scaled_queries(self, samples: slice, queries: slice, out: Array) -> Array:
        """(samples, groups, members * queries, size), contiguous."""
        q = self.heads.q[samples, :, :, queries]
        return _merged(np.multiply(q, self.heads.scale, out=_view(out, q.shape)))

    def scores(self, tile: Tile, q: Array, out: Array) -> Array:
        """(samples, groups, keys, members * queries), -inf for what is not seen."""
        heads = self.heads
        k = heads.k[tile.samples, :, tile.keys]
        keys = k.shape[2]
        scores = np.matmul(k, q.swapaxes(2, 3), out=_view(out, (*k.shape[:3], q.shape[2])))
        if heads.first is not None:
            ahead = heads.first + tile.queries.start - tile.keys.start
            if ahead < keys - 1:
                queries = tile.queries.stop - tile.queries.start
                by_query = scores.reshape(*scores.shape[:3], q.shape[2] // queries, queries)
                np.add(by_query, future(keys, queries, ahead, scores.dtype), out=by_query)
        if heads.mask is not None:
            seen = heads.mask[tile.samples, tile.keys]
            if not seen.all():
                np.add(scores, np.where(seen, 0, -np.inf).astype(scores.dtype)[:, None, :, None], out=scores)
        return scores

    def dropout(self, tile: Tile, out: Array) -> Array:
        """The factors of a tile's weights: the same ones at each call."""
        # From a seed for each tile, so that they need not be kept.
        rng = np.random.default_rng((self.heads.seed, tile.samples.start, tile.queries.start, tile.keys.start))
        rng.random(dtype=out.dtype.type, out=out)
        np.greater_equal(out, self.heads.dropout, out=out)
        return np.multiply(out, 1 / (1 - self.heads.dropout), out=out)


class Softmax(NamedTuple):
    """The passes over a tile of scores (samples, groups, keys, rows), in place; other arrays are (..., 1, rows).

    All are contiguous. numpy's are `NUMPY`; `modnet_attention.loops` has compiled ones.

    Attributes:
        soften: (scores, top, total): brings `top` up to the highest score of each row, turns scores into
            exp(score - top) and writes their sums into `total`.
        exponentiate: (scores, top): turns scores into exp(score - top).
        slope: (gradient, along, weights): turns gradient into (gradient - along) * weights.
    """

    soften: Callable[[Array, Array, Array], None]
    exponentiate: Callable[[Array, Array], None]
    slope: Callable[[Array, Array, Array], None]


def soften(scores: Array, top: Array, total: Array) -> None:
    np.maximum.reduce(scores, axis=2, keepdims=True, initial=np.finfo(scores.dtype).min, out=total)
    np.maximum(top, total, out=top)
    exponentiate(scores, top)
    # Sums by a product with ones, which is faster than add.reduce.
    np.matmul(ones(scores.shape[2], scores.dtype)[None], scores, out=total)


def exponentiate(scores: Array, top: Array) -> None:
    np.subtract(scores, top, out=scores)
    np.exp(scores, out=scores)


def slope(gradient: Array, along: Array, weights: Array) -> None:
    np.subtract(gradient, along, out=gradient)
    np.multiply(gradient, weights, out=gradient)


NUMPY = Softmax(soften, exponentiate, slope)


def attend(context: Context, heads: Heads, out: Array, keep: bool, softmax: Softmax = NUMPY) -> Statistics:
    """Writes the output into `out`, of the shape of q.

    Args:
        context: where the buffers are.
        keep: whether weights may be kept for `attend_backward`.
        softmax: the passes over a tile.
    """
    tiling = Tiling(heads)
    batch, groups, members, queries, _ = heads.q.shape
    highest, inverse = (context.buffer((batch, groups, members, queries)) for _ in range(2))
    q_buffer, sum_buffer = (context.buffer((tiling.rows_size,)) for _ in range(2))
    part_buffer = context.buffer((0 if tiling.single else tiling.rows_size,))
    top_buffer, total_buffer, tile_buffer, before_buffer = (context.buffer((tiling.row_count,)) for _ in range(4))
    factor_buffer = context.buffer((tiling.scores_size if heads.dropout else 0,))
    weights = None
    if tiling.single and keep:
        weights = context.buffer((batch, groups, heads.k.shape[2], members * queries))
    score_buffer = context.buffer((tiling.scores_size if weights is None else 0,))
    for samples, rows, tiles in tiling.blocks():
        q = tiling.scaled_queries(samples, rows, q_buffer)
        as_row = (*q.shape[:2], 1, q.shape[2])
        # Lower than any score; the difference of -inf, a key that is not seen, from it is no nan.
        top, total, tile_total, before = (
            _view(buffer, as_row) for buffer in (top_buffer, total_buffer, tile_buffer, before_buffer)
        )
        top.fill(np.finfo(q.dtype).min)
        total.fill(0)
        summed: Any = None
        for tile in tiles:
            scores = tiling.scores(tile, q, score_buffer if weights is None else weights[samples])
            np.copyto(before, top)
            softmax.soften(scores, top, tile_total)
            if heads.dropout:
                factor = tiling.dropout(tile, _view(factor_buffer, scores.shape))
                scores = np.multiply(factor, scores, out=factor)
            v = heads.v[samples, :, tile.keys]
            if summed is None:
                total[...] = tile_total
                summed = np.matmul(scores.swapaxes(2, 3), v, out=_view(sum_buffer, q.shape))
            else:
                shrink = np.exp(np.subtract(before, top, out=before), out=before)
                total *= shrink
                total += tile_total
                summed *= shrink.swapaxes(2, 3)
                summed += np.matmul(scores.swapaxes(2, 3), v, out=_view(part_buffer, q.shape))
        place = (samples, slice(None), slice(None), rows)
        by_query = out[place].shape
        highest[place] = top.reshape(by_query[:-1])
        # The highest score itself has added 1, unless no key is seen.
        inverse[place] = np.divide(1, np.maximum(total, 1, out=total), out=total).reshape(by_query[:-1])
        np.multiply(summed.reshape(by_query), inverse[place][..., None], out=out[place])
    return Statistics(highest, inverse, weights)


def attend_one(q: Array, k: Array, v: Array, out: Array) -> None:
    """What `attend` writes for one query of each sample that sees all keys: the same numbers, in fewer calls.

    Args:
        q: (batch, groups, members, size), contiguous.
        k, v: (batch, groups, keys, size).
        out: as q.
    """
    queries = np.multiply(q, 1 / math.sqrt(q.shape[-1])).swapaxes(2, 3)
    lowest = np.finfo(q.dtype).min
    top: Any = None
    for keys in _ranges(k.shape[2], KEYS):
        scores = np.matmul(k[:, :, keys], queries)
        highest = np.maximum.reduce(scores, axis=2, keepdims=True, initial=lowest)
        before, top = top, highest if top is None else np.maximum(top, highest)
        exponentiate(scores, top)
        sums = np.matmul(ones(scores.shape[2], scores.dtype)[None], scores)
        part = np.matmul(scores.swapaxes(2, 3), v[:, :, keys])
        if before is None:
            total, summed = sums, part
        else:
            shrink = np.exp(before - top)
            total = total * shrink + sums
            summed = summed * shrink.swapaxes(2, 3) + part
    np.multiply(summed, np.divide(1, np.maximum(total, 1)).swapaxes(2, 3), out)


def attend_backward(
    context: Context,
    heads: Heads,
    statistics: Statistics,
    output: Array,
    gradient: Array,
    dq: Array,
    dk: Array,
    dv: Array,
    softmax: Softmax = NUMPY,
) -> None:
    """Writes the gradients of q, k and v.

    Args:
        statistics, output: what `attend` has given and written.
        gradient: of that output.
        softmax: the passes over a tile.
    """
    tiling = Tiling(heads)
    q_buffer, g_buffer, dq_buffer, row_buffer = (context.buffer((tiling.rows_size,)) for _ in range(4))
    weight_buffer = context.buffer((tiling.scores_size if statistics.weights is None else 0,))
    score_buffer = context.buffer((tiling.scores_size,))
    factor_buffer, dropped_buffer = (context.buffer((tiling.scores_size if heads.dropout else 0,)) for _ in range(2))
    along_buffer, top_buffer = (context.buffer((tiling.row_count,)) for _ in range(2))
    column_buffer = None if tiling.single else context.buffer((tiling.columns_size,))
    if not tiling.single:
        dk.fill(0)
        dv.fill(0)
    for samples, queries, tiles in tiling.blocks():
        place = (samples, slice(None), slice(None), queries)
        q = tiling.scaled_queries(samples, queries, q_buffer)
        by_query = heads.q[place].shape
        g = _merged(np.multiply(gradient[place], statistics.inverse[place][..., None], out=_view(g_buffer, by_query)))
        along = np.multiply(g.reshape(by_query), output[place], out=_view(row_buffer, by_query))
        # The sum over the last axis; a product with ones is faster than add.reduce.
        size = along.shape[-1]
        sums = _view(along_buffer, (q.shape[0] * q.shape[1] * q.shape[2],))
        np.matmul(along.reshape(-1, size), ones(size, along.dtype), out=sums)
        as_row = (*q.shape[:2], 1, q.shape[2])
        along, top = sums.reshape(as_row), _view(top_buffer, as_row)
        np.copyto(top.reshape(by_query[:-1]), statistics.highest[place])
        dq_tile: Any = None
        for tile in tiles:
            k, v = (array[samples, :, tile.keys] for array in (heads.k, heads.v))
            if statistics.weights is not None:
                weights = statistics.weights[samples]
            else:
                weights = tiling.scores(tile, q, weight_buffer)
                softmax.exponentiate(weights, top)
            dropped = weights
            if heads.dropout:
                factor = tiling.dropout(tile, _view(factor_buffer, weights.shape))
                dropped = np.multiply(weights, factor, out=_view(dropped_buffer, weights.shape))
            _accumulate(dropped, g, dv[samples, :, tile.keys], column_buffer)
            scores = np.matmul(v, g.swapaxes(2, 3), out=_view(score_buffer, weights.shape))
            if heads.dropout:
                np.multiply(scores, factor, out=scores)
            softmax.slope(scores, along, weights)
            if dq_tile is None:
                dq_tile = np.matmul(scores.swapaxes(2, 3), k, out=_view(dq_buffer, q.shape))
            else:
                dq_tile += np.matmul(scores.swapaxes(2, 3), k, out=_view(row_buffer, q.shape))
            _accumulate(scores, q, dk[samples, :, tile.keys], column_buffer)
        np.multiply(dq_tile.reshape(by_query), heads.scale, out=dq[place])


def _accumulate(a: Array, b: Array, out: Array, buffer: Array | None) -> None:
    """out = a b, or with a buffer out += a b."""
    if buffer is None:
        np.matmul(a, b, out=out)
    else:
        np.add(out, np.matmul(a, b, out=_view(buffer, out.shape)), out=out)


@lru_cache(maxsize=64)
def future(keys: int, queries: int, ahead: int, dtype: np.dtype[np.floating]) -> Array:
    """(keys, 1, queries): -inf where key j is later than query i, j > i + ahead, and else 0."""
    return np.tril(np.full((keys, queries), -np.inf, dtype), -ahead - 1)[:, None]


def _ranges(count: int, most: int) -> list[slice]:
    """At least one, of sizes that differ by one at most."""
    parts = max(1, -(-count // max(1, most)))
    return [slice(count * i // parts, count * (i + 1) // parts) for i in range(parts)]


def _view(buffer: Array, shape: tuple[int, ...]) -> Array:
    """The first elements of a contiguous array in another shape."""
    return buffer.reshape(-1)[: math.prod(shape)].reshape(shape)


def _merged(x: Array) -> Array:
    """(samples, groups, members, queries, n) -> (samples, groups, members * queries, n)."""
    samples, groups, members, queries, n = x.shape
    return x.reshape(samples, groups, members * queries, n)
