"""What network suits a table."""

import numpy as np
import pytest

from modnet.data.recipe import FEWEST_BINS, MOST_BINS, MOST_CODES, expected_seconds, readable_seconds, recipe_for
from modnet.data.table import Table
from modnet.data.task import task_of


def task(rows, numbers=3, **columns):
    rng = np.random.default_rng(0)
    made = {f"x{n}": rng.normal(size=rows) for n in range(numbers)}
    return task_of(Table({**made, "y": rng.normal(size=rows), **columns}, "t.csv"), ["y"], "t.csv", apart=True)


def test_more_effort_is_a_larger_network_that_takes_longer():
    given = task(2000)
    quick, good, best = (recipe_for(given, effort) for effort in ("quick", "good", "best"))
    assert (quick.members, good.members, best.members) == (1, 5, 10)
    assert max(quick.hidden) < max(good.hidden)
    assert (best.waves, best.bounded, best.member_folds) == (True, True, True)
    seconds = [expected_seconds(given, recipe) for recipe in (quick, good, best)]
    assert seconds == sorted(seconds)


@pytest.mark.parametrize("effort", ["quick", "good", "best"])
def test_what_it_takes_grows_with_the_rows_and_is_said(effort):
    small, large = task(300), task(9000)
    assert expected_seconds(small, recipe_for(small, effort)) < expected_seconds(large, recipe_for(large, effort))
    (line,) = recipe_for(large, effort).about
    assert line.startswith(
        f"training takes about {readable_seconds(expected_seconds(large, recipe_for(large, effort)))} "
    )


def test_bins_are_as_many_as_the_rows_can_fill():
    bins = [recipe_for(task(rows), "good").bins for rows in (100, 1600, 9000)]
    assert bins == [FEWEST_BINS, 32, MOST_BINS]
    wide = recipe_for(task(1600, numbers=100), "good").bins
    assert 0 < wide * 100 <= MOST_CODES
    assert recipe_for(task(100, numbers=300), "good").bins == 0
    categories = {"kind": [("a", "b", "c")[n % 3] for n in range(100)]}
    assert recipe_for(task(100, numbers=0, **categories), "good").bins == 0


def test_numbers_far_away_are_cut_off():
    tail = np.r_[np.zeros(999), 1e6]
    assert recipe_for(task(1000, tail=tail), "good").clip
    assert not recipe_for(task(1000), "good").clip


def test_members_have_folds_but_not_in_time():
    assert recipe_for(task(4), "best").members == 4
    days = np.arange("2024-01-01", 300, dtype="datetime64[D]")
    by_time = recipe_for(task(300, day=days), "best")
    assert (by_time.members, by_time.member_folds) == (10, False)
    by_group = recipe_for(task(300, patient=np.arange(300) % 30), "best")
    assert (by_group.members, by_group.member_folds) == (10, True)


def test_batches_grow_with_the_rows():
    sizes = [recipe_for(task(rows), "good").batch_size for rows in (50, 1000, 4000, 20_000)]
    assert sizes == [32, 32, 128, 256]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.1, "1 s"), (4, "5 s"), (26, "30 s"), (58, "50 s"), (100, "2 min"), (3000, "50 min"), (9000, "2 h")],
)
def test_times_are_told_by_their_order(seconds, text):
    assert readable_seconds(seconds) == text
