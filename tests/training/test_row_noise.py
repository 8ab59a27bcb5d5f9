"""The random numbers of rows do not depend on how many processes share a batch."""

from typing import Any, NamedTuple

import numpy as np
import pytest

from modnet.kinds.sharing import Share
from modnet.training.row_noise import RowNoise

DRAWS = {
    "random": lambda rng, rows: rng.random((rows, 3)),
    "random, single": lambda rng, rows: rng.random((rows, 3), np.float32),
    "random into an array": lambda rng, rows: rng.random(out=np.empty((rows, 3, 5))),
    "random into an array, single": lambda rng, rows: rng.random(dtype=np.float32, out=np.empty((rows, 3), np.float32)),
    "random, one for each row": lambda rng, rows: rng.random(rows),
    "normal": lambda rng, rows: rng.standard_normal((rows, 4), dtype=np.float32),
    "normal into an array": lambda rng, rows: rng.standard_normal(out=np.empty((rows, 4))),
    "exponential": lambda rng, rows: rng.standard_exponential(size=(rows, 2)),
    "uniform": lambda rng, rows: rng.uniform(-1, 1, (rows, 2)),
    "normal with a scale": lambda rng, rows: rng.normal(scale=3.0, size=[rows, 2]),
    "integers": lambda rng, rows: rng.integers(-3, 4, rows),
}


class Place(NamedTuple):
    rank: int
    size: int

    def add_up(self, array: Any) -> None: ...

    def gather(self, value: Any) -> list[Any]: ...


def numbers(rng, rows_of):
    """Of several batches, and of all methods in turn."""
    return [draw(rng, rows_of(total)) for total in (10, 3, 1, 13) for draw in DRAWS.values()]


def state_of(generator):
    state = generator.bit_generator.state
    return state["state"], state["uinteger"] if state["has_uint32"] else None


@pytest.mark.parametrize("size", [2, 3, 4, 7])
def test_rows_have_the_numbers_that_one_process_draws(size):
    alone = np.random.default_rng(5)
    expected = numbers(alone, lambda total: total)
    found = []
    for rank in range(size):
        generator = np.random.default_rng(5)
        noise = RowNoise(generator)

        def rows_of(total, noise=noise, rank=rank):
            noise.share = Share(Place(rank, size), total)
            return noise.share.own.stop - noise.share.own.start

        found.append(numbers(noise, rows_of))
        assert state_of(generator) == state_of(alone)
    for array, *parts in zip(expected, *found, strict=True):
        np.testing.assert_array_equal(np.concatenate(parts), array)


def test_of_a_whole_batch_it_is_the_generator():
    noise, generator = RowNoise(np.random.default_rng(5)), np.random.default_rng(5)
    assert noise.permutation(5).tolist() == generator.permutation(5).tolist()
    assert noise.random() == generator.random()
