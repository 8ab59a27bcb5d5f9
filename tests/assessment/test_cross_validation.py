"""modnet.cross_validate"""

import numpy as np
import pytest

import modnet
from modnet.data.table import Table
from modnet.datasets.folding import Folding
from modnet.datasets.read import loader_for
from modnet.engine.build import plan
from modnet.errors import DataError, SpecError, TrainingError


def rows(count=60, seed=0):
    rng = np.random.default_rng(seed)
    kind = np.arange(count) % 2
    return {
        "size": (rng.normal(4 + 3 * kind, 1)).tolist(),
        "collar": rng.choice(["red", "blue", "green"], count).tolist(),
        "owner": [f"o{place // 4}" for place in range(count)],
        "day": [f"2024-{1 + place % 12:02}-{1 + place % 28:02}" for place in range(count)],
        "weight": (1 + kind).tolist(),
        "price": (kind * 10 + rng.normal(0, 1, count)).tolist(),
        "kind": ["dog" if one else "cat" for one in kind],
    }


def spec(width=4, target="kind", loss="cross_entropy", end=2, inputs=("size", "collar"), training=None, **data):
    last = ["softmax"] if loss == "cross_entropy" else ["unstandardize"]
    metrics = ["accuracy", "auc"] if loss == "cross_entropy" else ["r2", "root_mean_squared_error"]
    return {
        "network": {"input": [width], "layers": ["standardize", {"type": "linear", "out_features": end}, *last]},
        "training": {
            "loss": loss,
            "metrics": metrics,
            "epochs": 4,
            "optimizer": {"type": "adam", "learning_rate": 0.05},
            **(training or {}),
        },
        "data": {"target": target, "inputs": list(inputs), "validation": 0.2, **data},
    }


def test_every_row_is_predicted_by_a_network_that_had_not_seen_it():
    found = modnet.cross_validate(spec(), rows(), folds=3)
    table = found.predictions
    assert list(table) == ["row", "fold", "kind (given)", "kind", "P(cat)", "P(dog)"]
    assert table["row"].tolist() == list(range(60))
    assert table["kind (given)"].tolist() == rows()["kind"]
    assert np.bincount(table["fold"])[1:].tolist() == [20, 20, 20]
    assert [(fold.train, fold.validation, len(fold.rows)) for fold in found.folds] == [(32, 8, 20)] * 3
    assert found.notes[0] == "60 rows in 3 folds: stratified"


def test_a_fold_is_what_training_on_its_rows_and_evaluating_gives():
    data = rows()
    found = modnet.cross_validate(spec(), data, folds=3)
    fold = found.folds[1]
    others = np.setdiff1d(np.arange(60), fold.rows)
    network = modnet.train(spec(), {name: [values[row] for row in others] for name, values in data.items()}).network
    ours = modnet.evaluate(network, {name: [values[row] for row in fold.rows] for name, values in data.items()})
    assert dict(fold.figures) == dict(ours)
    assert fold.figures.base == ours.base
    predicted = network.predict([{name: values[row] for name, values in data.items()} for row in fold.rows.tolist()])
    assert found.predictions["P(cat)"][fold.rows].tolist() == pytest.approx([one["P(cat)"] for one in predicted])


def test_means_spread_and_the_figures_of_all_rows():
    found = modnet.cross_validate(spec(), rows(), folds=3)
    values = [fold.figures["accuracy"] for fold in found.folds]
    assert found.spread["accuracy"].mean == pytest.approx(np.mean(values))
    assert found.spread["accuracy"].deviation == pytest.approx(np.std(values, ddof=1))
    assert found.spread["accuracy"].error == pytest.approx(np.std(values, ddof=1) / np.sqrt(3))
    table = found.predictions
    assert found.figures["accuracy"] == pytest.approx(np.mean(table["kind"] == table["kind (given)"]))
    assert sum(known["rows"] for known in found.figures.classes["kind"].values()) == 60
    sklearn = pytest.importorskip("sklearn.metrics")
    assert found.figures["auc"] == pytest.approx(sklearn.roc_auc_score(table["kind (given)"] == "dog", table["P(dog)"]))
    assert found.base["accuracy"] == 0.5
    lines = str(found).splitlines()
    assert lines[0].split() == ["mean", "deviation", "std", "error", "all", "rows", "base", "rate"]
    assert [line.split()[0] for line in lines[1:]] == ["loss", "accuracy", "auc", "base"]


def test_repeats_part_the_rows_in_another_way_and_do_not_lessen_the_error():
    found = modnet.cross_validate(spec(), rows(), folds=3, repeats=2)
    assert [(fold.repeat, fold.fold) for fold in found.folds] == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]
    assert found.folds[0].rows.tolist() != found.folds[3].rows.tolist()
    table = found.predictions
    assert table["row"].tolist() == np.repeat(np.arange(60), 2).tolist()
    assert table["repeat"].tolist() == [1, 2] * 60
    spread = found.spread["accuracy"]
    assert spread.error == pytest.approx(spread.deviation / np.sqrt(3))
    assert found.notes[0] == "60 rows in 3 folds, parted 2 times: stratified"


def test_the_seed_of_the_training_leaves_the_folds_alone():
    both = [modnet.cross_validate(spec(training={"seed": seed}), rows(), folds=3) for seed in (0, 1)]
    assert both[0].folds[0].rows.tolist() == both[1].folds[0].rows.tolist()
    assert both[0].figures["loss"] != both[1].figures["loss"]
    other = modnet.cross_validate(spec(), rows(), folds=3, seed=5)
    assert other.folds[0].rows.tolist() != both[0].folds[0].rows.tolist()
    by_spec = modnet.cross_validate(spec(split_seed=5), rows(), folds=3)
    assert by_spec.folds[0].rows.tolist() == other.folds[0].rows.tolist()


# Nothing leaks


def networks_of(data, only_fold, **options):
    """The parameters of the network of a fold, and what its layers have learnt."""
    found = {}

    def keep(self, network, *_):
        found.setdefault("networks", []).append(network)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("modnet.assessment.cross_validation.CrossValidator._note", _noting(keep))
        modnet.cross_validate(spec(**options), data, folds=3)
    network = found["networks"][only_fold]
    return [network.parameters.flat.tolist(), network.state.flat.tolist(), network.card.schema]


def _noting(keep):
    from modnet.assessment.cross_validation import CrossValidator

    original = CrossValidator._note

    def note(self, network, *rest):
        original(self, network, *rest)
        keep(self, network)

    return note


def test_the_measured_rows_say_nothing_to_the_network():
    """Other numbers, gaps and categories in the rows of a fold change nothing in its network."""
    data = rows()
    data["size"][5] = None
    fold = modnet.cross_validate(spec(missing="mean"), data, folds=3).folds[0]
    changed = {name: list(values) for name, values in data.items()}
    for place in fold.rows.tolist():
        changed["size"][place] = 1e6 if place % 2 else None
        changed["collar"][place] = "red"
    before, after = (networks_of(given, 0, missing="mean") for given in (data, changed))
    assert before[:2] == after[:2]
    fills = [schema.inputs["input"][0].fill for _, _, schema in (before, after)]
    assert fills[0] == fills[1]
    # And those of the others do.
    changed["size"][modnet.cross_validate(spec(), rows(), folds=3).folds[1].rows[0]] = 50.0
    assert networks_of(changed, 0, missing="mean")[0] != before[0]


def test_the_targets_of_the_measured_rows_say_nothing_to_the_network():
    numbers = {"width": 4, "target": "price", "loss": "mse", "end": 1}
    data = rows()
    fold = modnet.cross_validate(spec(**numbers), data, folds=3).folds[0]
    changed = {**data, "price": [1e4 if row in fold.rows else price for row, price in enumerate(data["price"])]}
    before, after = (networks_of(given, 0, **numbers) for given in (data, changed))
    assert before[:2] == after[:2]
    assert networks_of(data, 1, **numbers)[:2] != networks_of(changed, 1, **numbers)[:2]


def test_a_category_that_only_the_measured_rows_have_is_unknown_in_them():
    data = rows()
    place = int(modnet.cross_validate(spec(), data, folds=3).folds[0].rows[0])
    data["collar"][place] = "gold"
    schema = networks_of(data, 0, width=5)[2]
    column, table = schema.inputs["input"][1], Table(data)
    assert column.width == 4
    assert column.codes(table.columns["collar"])[place] == -1
    assert schema.encode(table.take([place])).inputs["input"][0, 1:].tolist() == [0, 0, 0, 0]
    known = networks_of(data, 1, width=5)[2].inputs["input"][1]
    assert known.codes(table.columns["collar"])[place] == 1


# How rows are parted


def folded(folding, **options):
    network = plan(spec(**options))
    return folding.apply(loader_for(network), Table(rows()), network.card.spec.data)


def test_groups():
    found = modnet.cross_validate(spec(), rows(), folds=3, group="owner")
    owners = rows()["owner"]
    parts = [{owners[row] for row in fold.rows} for fold in found.folds]
    assert sum(map(len, parts)) == 15
    assert found.notes[0] == "60 rows in 3 folds: by group owner: 15 groups"
    # Within a fold, too: the rows to stop early by are of owners of their own.
    data = folded(Folding(3, group="owner"))
    assert (data.spec.split.by, data.spec.split.column) == ("group", "owner")
    assert data.spec.inputs == {"input": ("size", "collar")}


def test_a_group_column_that_is_an_input_stays_one():
    inputs = ("size", "owner")
    found = modnet.cross_validate(spec(width=16, inputs=inputs), rows(), folds=3, group="owner")
    assert [fold.notes for fold in found.folds] == [["20 rows had an unknown category in column owner"]] * 3


def test_time_goes_forward():
    found = modnet.cross_validate(spec(), rows(), folds=3, time="day")
    days = np.array(rows()["day"])
    for fold in found.folds:
        assert fold.train + fold.validation == np.sum(days < min(days[fold.rows].tolist()))
    assert len(found.predictions["row"]) < 60
    assert "forward in time, day" in found.notes[0]


def test_the_split_of_the_spec_is_that_of_the_folds():
    by_group = folded(Folding(3), split={"by": "group", "column": "owner"})
    assert "by group owner" in by_group.notes[0]
    in_order = folded(Folding(3), split={"by": "time"})
    assert in_order.folds[0][0].test.tolist() == list(range(15, 30))
    given = folded(Folding(3, group="owner"), split={"by": "time"})
    assert "by group owner" in given.notes[0]


def test_the_rows_for_the_test_are_in_no_fold():
    data = folded(Folding(3), test=0.2)
    tested = {row for fold in data.folds[0] for row in fold.test.tolist()}
    apart = modnet.train(spec(test=0.2), rows()).notes[0]
    assert "12 to test" in apart
    assert len(tested) == 48
    assert data.notes[1] == "12 rows for the test of the spec are left out"
    assert data.spec.test is None
    found = modnet.cross_validate(spec(test=0.2), rows(), folds=3)
    assert len(found.predictions["row"]) == 48


def test_rows_without_a_target_are_left_out_where_training_drops_them():
    data = rows()
    data["kind"][7] = None
    with pytest.raises(DataError, match="missing"):
        modnet.cross_validate(spec(), data, folds=3)
    found = modnet.cross_validate(spec(columns={"kind": {"missing": "drop"}}), data, folds=3)
    assert 7 not in found.predictions["row"]
    assert "1 row had missing values: dropped" in found.notes


def test_a_rare_class_is_told():
    data = rows()
    data["kind"][3] = data["kind"][4] = "fox"
    found = modnet.cross_validate(spec(end=3, validation=None), data, folds=3)
    assert found.notes[1] == "fewer rows than folds, so that not each has some, in class fox (2)"
    assert found.spread["auc"].undefined == 1


@pytest.mark.parametrize(
    ("options", "given", "message"),
    [
        ({"group": "onwer"}, {}, 'no column "onwer" (did you mean "owner"?)'),
        ({"group": "kind"}, {}, "column kind is the target, and cannot say how rows are parted"),
        ({"time": "collar"}, {}, 'column collar: by = "time" needs numbers or dates'),
        ({"folds": 16, "group": "owner"}, {}, "column owner: found 15 groups; expected at least 16"),
        ({"folds": 61}, {}, "found 60 rows; expected at least 61, one for each fold"),
        ({"time": "day", "repeats": 2}, {}, "forward in time can be made in one way alone"),
    ],
)
def test_what_cannot_be_parted_is_refused(options, given, message):
    with pytest.raises(DataError) as told:
        modnet.cross_validate(spec(**given), rows(), **options)
    assert message in str(told.value)


def test_a_gap_among_the_groups():
    data = rows()
    data["owner"][9] = None
    with pytest.raises(DataError, match="row 10, column owner: missing value"):
        modnet.cross_validate(spec(), data, folds=3, group="owner")
    found = modnet.cross_validate(spec(columns={"owner": {"missing": "drop"}}), data, folds=3, group="owner")
    assert len(found.predictions["row"]) == 59


@pytest.mark.parametrize(
    "options", [{"folds": 1}, {"repeats": 0}, {"group": "owner", "time": "day"}], ids=["folds", "repeats", "both"]
)
def test_wrong_arguments(options):
    with pytest.raises(ValueError, match="folds"):
        modnet.cross_validate(spec(), rows(), **options)


def test_a_spec_without_data_or_training():
    bare = spec()
    del bare["data"]
    with pytest.raises(SpecError, match=r"missing table; expected \[data\]"):
        modnet.cross_validate(bare)
    del bare["training"]
    with pytest.raises(SpecError, match=r"missing table; expected \[training\]"):
        modnet.cross_validate({**bare, "data": spec()["data"]}, rows())


# Targets and data of other kinds


def test_numbers_with_weights():
    found = modnet.cross_validate(spec(4, "price", "mse", 1, weights="weight"), rows(), folds=3)
    table = found.predictions
    assert list(table) == ["row", "fold", "price (given)", "price"]
    truth, guess, weights = table["price (given)"], table["price"], np.array(rows()["weight"])
    residual = np.average((truth - guess) ** 2, weights=weights)
    assert found.figures["root_mean_squared_error"] == pytest.approx(np.sqrt(residual), rel=1e-5)
    assert found.base["r2"] == pytest.approx(0, abs=1e-6)


def test_a_target_that_is_called_as_a_column_of_the_predictions():
    data = {"fold" if name == "kind" else name: values for name, values in rows().items()}
    table = modnet.cross_validate(spec(target="fold"), data, folds=3).predictions
    assert list(table) == ["row", "fold_2", "fold (given)", "fold", "P(cat)", "P(dog)"]
    assert set(table["fold_2"].tolist()) == {1, 2, 3}


def test_several_targets():
    both = spec(4, {"kind": "kind", "price": "price"}, {"kind": "cross_entropy", "price": "mse"})
    both["network"]["layers"] = [
        "standardize",
        {"type": "linear", "out_features": 2},
        {"type": "softmax", "name": "kind"},
        {"type": "linear", "out_features": 1, "inputs": ["standardize_1"]},
        {"type": "unstandardize", "name": "price"},
    ]
    both["network"]["outputs"] = ["kind", "price"]
    both["training"]["metrics"] = {"kind": ["accuracy"], "price": ["r2"]}
    found = modnet.cross_validate(both, rows(), folds=3)
    assert list(found.spread) == ["loss", "kind_loss", "kind_accuracy", "price_loss", "price_r2"]
    names = ["row", "fold", "kind (given)", "price (given)", "kind", "P(cat)", "P(dog)", "price"]
    assert list(found.predictions) == names


def test_arrays():
    labels = np.arange(60) % 3
    points = np.random.default_rng(0).standard_normal((60, 2)) + 3.0 * labels[:, None]
    network = {"input": [2], "layers": [{"type": "linear", "out_features": 3}, "softmax"]}
    given = {"network": network, "training": {"loss": "cross_entropy", "metrics": ["accuracy"], "epochs": 3}}
    found = modnet.cross_validate(given, points, labels, folds=4)
    assert [np.bincount(labels[fold.rows]).tolist() for fold in found.folds] == [[5, 5, 5]] * 4
    assert found.predictions["output (given)"].tolist() == labels.tolist()
    with pytest.raises(DataError, match="group is a column of a table; found arrays"):
        modnet.cross_validate(given, points, labels, group="g")
    apart = {**given, "data": {"validation": 0.25, "test": 0.2}}
    found = modnet.cross_validate(apart, points, labels, folds=4)
    assert [(fold.train, fold.validation, len(fold.rows)) for fold in found.folds] == [(27, 9, 12)] * 4


def test_balanced_classes_and_a_validation_file(tmp_path):
    data = rows()
    names = list(data)
    lines = [",".join(names), *(",".join(map(str, row)) for row in zip(*data.values(), strict=True))]
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "apart.csv").write_text("\n".join(lines[:21]) + "\n")
    balanced = {"loss": {"type": "cross_entropy", "class_weights": "balanced"}}
    given = spec(training=balanced, train=str(tmp_path / "rows.csv"), validation=str(tmp_path / "apart.csv"))
    found = modnet.cross_validate(given, folds=3)
    assert [(fold.train, fold.validation, len(fold.rows)) for fold in found.folds] == [(40, 20, 20)] * 3


def test_early_stopping_is_by_the_validation_part_and_files_are_not_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    callbacks = [
        {"type": "early_stopping", "patience": 1},
        {"type": "checkpoint", "directory": "here"},
        {"type": "json_log", "path": "log.jsonl"},
        "progress",
    ]
    quick = {"callbacks": callbacks, "epochs": 300, "optimizer": {"type": "adam", "learning_rate": 1.0}}
    found = modnet.cross_validate(spec(training=quick), rows(), folds=3)
    assert all(fold.best_epoch is not None and fold.epochs < 300 for fold in found.folds)
    assert list(tmp_path.iterdir()) == []


# The folder


def test_a_second_call_goes_on(tmp_path, monkeypatch):
    whole = modnet.cross_validate(spec(), rows(), folds=3)
    trained = []
    monkeypatch.setattr("modnet.assessment.cross_validation.Run.fit", _stopping_in(2, trained))
    with pytest.raises(KeyboardInterrupt):
        modnet.cross_validate(spec(), rows(), folds=3, folder=tmp_path / "folds")
    assert sorted(file.name for file in (tmp_path / "folds").iterdir()) == ["cross-validation.json", "fold-1.modnet"]
    monkeypatch.undo()
    again = modnet.cross_validate(spec(), rows(), folds=3, folder=tmp_path / "folds")
    assert again.predictions["P(cat)"].tolist() == whole.predictions["P(cat)"].tolist()
    assert again.spread == whole.spread
    assert dict(again.figures) == dict(whole.figures)
    assert [fold.train for fold in again.folds] == [32] * 3
    network = modnet.load(tmp_path / "folds" / "fold-2.modnet")
    assert network.card.results["cross_validation"]["fold"] == 2


def _stopping_in(fold, trained):
    from modnet.training.run import INTERRUPTED, Run

    fit = Run.fit

    def fit_or_stop(run):
        trained.append(run)
        if len(trained) == fold:
            run.stop(INTERRUPTED)
        return fit(run)

    return fit_or_stop


@pytest.mark.parametrize(
    ("other", "options", "message"),
    [
        ({"training": {"epochs": 5}}, {}, "training.epochs: 4 before, now 5"),
        ({"missing": "mean"}, {}, "data.missing: not given before, now mean"),
        ({}, {"seed": 3}, "seed: 0 before, now 3"),
        ({}, {"folds": 4}, "folds: 3 before, now 4"),
        ({}, {"group": "owner"}, "group: not given before, now owner"),
        ({}, {"rows": rows(seed=1)}, "the rows of the data are others"),
    ],
)
def test_folds_of_something_else_are_refused(tmp_path, other, options, message):
    modnet.cross_validate(spec(), rows(), folds=3, folder=tmp_path / "folds")
    data = options.pop("rows", rows())
    with pytest.raises(TrainingError) as told:
        modnet.cross_validate(spec(**other), data, **{"folds": 3, "folder": tmp_path / "folds", **options})
    assert message in str(told.value)
    assert "remove that folder" in str(told.value)


def test_a_damaged_fold_is_trained_again(tmp_path):
    modnet.cross_validate(spec(), rows(), folds=3, folder=tmp_path / "folds")
    file = tmp_path / "folds" / "fold-2.modnet"
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])
    with pytest.warns(UserWarning, match="this fold is trained again"):
        modnet.cross_validate(spec(), rows(), folds=3, folder=tmp_path / "folds")
    assert len(file.read_bytes()) == len(whole)


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(TrainingError, match="has files, but no folds"):
        modnet.cross_validate(spec(), rows(), folds=3, folder=tmp_path)


def test_a_warning_names_the_fold_and_is_given_once():
    data = rows()
    data["kind"][3] = "fox"
    with pytest.warns(UserWarning, match=r'^fold \d: class "fox" has one row, which stays in training') as told:
        found = modnet.cross_validate(spec(end=3), data, folds=3)
    assert len(told) == 1
    assert found.notes[1] == "fewer rows than folds, so that not each has some, in class fox (1)"


def test_an_error_names_the_fold():
    wild = {"optimizer": {"type": "sgd", "learning_rate": 1e30}}
    with pytest.raises(modnet.Diverged, match="fold 1: "):
        modnet.cross_validate(spec(4, "price", "mse", 1, training=wild), rows(), folds=3)
