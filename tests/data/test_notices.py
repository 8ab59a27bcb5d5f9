"""What is noticed about a task before training."""

import datetime

import pytest

from modnet.data.notices import metrics_for, notices
from modnet.data.table import Table
from modnet.data.task import task_of

ROWS = 600
X = {"x": [n * 7 % ROWS / 4 for n in range(ROWS)]}


def task(*targets, rows=ROWS, **columns):
    made = {name: list(values)[:rows] for name, values in {**X, **columns}.items()}
    return task_of(Table(made, "t.csv"), targets or ["y"], "t.csv")


def said(*targets, **columns):
    return notices(task(*targets, **columns))


def test_a_plain_table_has_no_notices():
    assert said(y=[n * 13 % ROWS / 3 for n in range(ROWS)]) == []
    assert said(y=[["a", "b"][n % 2] for n in range(ROWS)]) == []


def test_a_rare_class_has_its_base_rate_and_metrics_that_show_it():
    rare = task(y=[["no", "yes"][n % 50 == 0] for n in range(ROWS)])
    assert notices(rare) == [
        "y: 98.0% of the rows are no, so always predicting it is right as often; look at balanced_accuracy and auc, "
        "and choose a threshold when predicting (predict --threshold)"
    ]
    assert metrics_for(rare, rare.goals[0]) == ("accuracy", "balanced_accuracy", "auc")
    even = task(y=[["no", "yes"][n % 3 == 0] for n in range(ROWS)])
    assert metrics_for(even, even.goals[0]) == ("accuracy",)


def test_classes_with_few_rows_are_named():
    assert said(y=["a"] * 300 + ["b"] * 295 + ["c"] * 4 + ["d"])[-1] == (
        "y: too few rows to learn or to measure: c (4 rows), d (1 row)"
    )


def test_spellings_of_one_class_are_counted_together():
    with pytest.warns(UserWarning, match="differ only in spelling"):
        spelled = task(y=["yes" if n % 50 == 0 else "nNN"[n % 3] + "o" for n in range(ROWS)])
    assert notices(spelled)[0].startswith("y: 98.0% of the rows are No, so always predicting it is right as often;")


def test_a_rare_one_of_several_classes_has_no_threshold_and_no_auc_without_rows_to_measure():
    several = task(y=["a"] * 300 + ["b"] * 295 + ["c"] * 5)
    assert notices(several)[0] == (
        "y: 50.0% of the rows are a, so always predicting it is right as often; look at balanced_accuracy"
    )
    assert metrics_for(several, several.goals[0]) == ("accuracy", "balanced_accuracy")
    assert metrics_for(many := task(y=["a"] * 300 + ["b"] * 288 + ["c"] * 12), many.goals[0])[-1] == "auc"


def test_counts():
    counts = [(0, 0, 0, 1, 1, 2, 5)[n % 7] for n in range(ROWS)]
    assert said(y=counts)[0].startswith("y: counts;")
    assert said(y=[count + 10 for count in counts]) == []  # none is 0
    assert said(y=[(0, 1, 2, 3, 4)[n % 5] + n % 7 for n in range(ROWS)]) == []  # as many above the mean as below


def test_a_long_tail():
    (line,) = said(y=[1.5 + (n % 100 == 0) * n * n for n in range(ROWS)])
    assert line.startswith("y: a long tail, the greatest is 166,668 times the median;")


def test_whose_rows_they_are():
    (line,) = said(y=[n * 13 % ROWS / 3 for n in range(ROWS)], patient=[n // 3 for n in range(ROWS)])
    assert line.startswith("patient: 600 rows of 200; all rows of one are on the same side of the split")


def test_ids_that_may_be_groups():
    (line,) = said(y=[n * 13 % ROWS / 3 for n in range(ROWS)], shop_id=[n // 3 for n in range(ROWS)])
    assert 'leave it out and set split = { by = "group", column = "shop_id" }' in line


@pytest.mark.parametrize("step", [1, 7])
def test_dates(step):
    days = [datetime.date(2024, 1, 1) + datetime.timedelta(n * step % ROWS) for n in range(ROWS)]
    (line,) = said(y=[n * 13 % ROWS / 3 for n in range(ROWS)], day=days)
    if step == 1:
        assert line.startswith("day: the rows are in the order of time, so the last of them validate")
    else:
        assert line.endswith('validate with the last ones: split = { by = "time", column = "day" }')


def test_few_rows():
    assert said(rows=60, y=[["a", "b"][n % 2] for n in range(ROWS)])[0].startswith(
        "60 rows are few: the figures of 12 rows vary much with the draw"
    )


def test_each_target_has_its_notices():
    lines = said("y", "z", y=[["no", "yes"][n % 50 == 0] for n in range(ROWS)], z=[n % 7 // 4 * 3 for n in range(ROWS)])
    assert [line.partition(":")[0] for line in lines] == ["y"]
