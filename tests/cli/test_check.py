"""modnet check: faults of the spec, of the shapes, and of the data for the network."""

import json
import re
from pathlib import Path

import numpy as np
import pytest


def test_no_problems_and_the_first_rows_as_the_network_sees_them(run, folder):
    lines = (folder / "pets.csv").read_text().splitlines()
    (folder / "pets.csv").write_text("\n".join([lines[0], "cat,4.10,red", "dog,9,blue", *lines[3:]]) + "\n")
    shown = run("check", "pets.toml", "--set", "data.validation=pets.csv").stdout.splitlines()
    mean = re.search(r"number +([0-9.]+)", shown[5])[1]
    assert shown == [
        "pets.toml: no problems; 5 nodes, 50 parameters",
        "80 rows to train; 2 columns -> kind (2 classes)",
        "pets.csv: 80 rows to validate",
        "",
        "column  read as                if missing  row 1 (line 2)  row 2 (line 3)",
        f"size    number                 {mean:<10}  4.1             9",
        "collar  category of 2          code        red -> 0 1      blue -> 1 0",
        "kind    target, category of 2              cat -> 0        dog -> 1",
        "",
        "kind: dog 41, cat 39 (always dog: accuracy 0.512)",
    ], shown


def test_the_first_rows_say_what_each_kind_of_column_was_taken_for(run, folder):
    rows = [f"{day:02d}.03.2024;{day},5 %;{'yes' if day % 2 else 'no'};{day * day}" for day in range(1, 29)]
    (folder / "shop.csv").write_text("\n".join(["day;share;open;sales", *rows]) + "\n")
    (folder / "shop.toml").write_text("""\
[network]
input = [10]
layers = ["standardize", { type = "linear", out_features = 1 }]
[training]
loss = "mse"
[data]
train = "shop.csv"
target = "sales"
[data.columns.day]
date_format = "%d.%m.%Y"
[data.columns.share]
unit = "%"
decimal = ","
[data.columns.open]
kind = "boolean"
""")
    shown = run("check", "shop.toml").stdout
    assert re.search(
        r"^day +date %d\.%m\.%Y: day, day_of_week +2024-03-15 +01\.03\.2024 -> 19783 0 0 \.\.\. \(8\)", shown, re.M
    ), shown
    assert re.search(r"^share +number, in %, decimal comma +15 +1,5 % -> 1\.5$", shown, re.M), shown
    assert re.search(r"^open +boolean, 1 is yes +code +yes -> 1$", shown, re.M), shown
    assert re.search(r"^sales: 1 to 784, mean 275\.5 \(always the mean: RMSE 241\.\d+\)$", shown, re.M), shown
    assert max(map(len, shown.splitlines())) <= 100


def test_of_a_wide_table_some_columns_are_shown(run, folder):
    names = [f"column_{place}" for place in range(200)]
    rows = [[*range(row, row + 200), row % 2] for row in range(40)]
    (folder / "wide.csv").write_text("".join(",".join(map(str, row)) + "\n" for row in ([*names, "y"], *rows)))
    (folder / "wide.toml").write_text(
        Path("pets.toml").read_text().replace("pets", "wide").replace("[3]", "[200]").replace('"kind"', '"y"')
    )
    shown = run("check", "wide.toml").stdout.splitlines()
    assert "... and 171 more columns" in shown
    assert len(json.loads(run("check", "wide.toml", "--json").stdout)["columns"]) == 201


def test_of_arrays_the_targets_are_shown(run):
    assert run("check", "points.toml").stdout.splitlines()[1:] == [
        "60 rows to train; x (2,) -> y",
        "",
        "output: 0 20, 1 20, 2 20 (always 0: accuracy 0.333)",
    ]


def test_all_faults_with_their_places(run):
    spec = Path("pets.toml").read_text()
    Path("pets.toml").write_text(
        spec.replace('"softmax"', '"sofmax"').replace("epochs", "epoch").replace("= 8,", '= "x",')
    )
    assert (
        run("check", "pets.toml", status=2).stdout
        == """\
pets.toml:5:37: network.layers[1].out_features: expected a whole number >= 1, found "x"
     5 |   { type = "linear", out_features = "x", activation = "tanh" },
       |                                     ^^^
pets.toml:7:3: network.layers[3]: unknown layer "sofmax"; did you mean "softmax"?
     7 |   "sofmax",
       |   ^^^^^^^^
pets.toml:13:1: training.epoch: unknown key; did you mean "epochs"?
    13 | epoch = 3
       | ^^^^^
3 problems in pets.toml
"""
    )


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("network.input=[4]", 'data.train: input "input" expects samples of shape (4,), but its columns give (3,)'),
        (
            "network.layers.2.out_features=3",
            'output "output" gives samples of shape (3,), but column kind has 2 classes',
        ),
        ("network.layers=['flatten', 'gate']", 'unknown layer "gate"'),
        ("network.input=[2, 3]", "data.train: input"),
        (
            "training.loss={type='cross_entropy', class_weights=[1, 2, 3]}",
            "3 class weights for a prediction of 2 classes",
        ),
        ("training.metrics={wrong=['accuracy']}", "training.metrics.wrong: no output is called"),
        (
            "network.layers.3=identity",
            'training.loss: cross_entropy expects predictions from 0 to 1; output "output" ends',
        ),
        ("network.layers.3=sigmoid", "cross_entropy expects probabilities that sum to 1 along the last axis"),
        ("data.target=sort", 'data.train: pets.csv: no column "sort"'),
        ("training.target=kind", "training.target: unknown key; it belongs to [data]"),
        ("network.loss=mse", "network.loss: unknown key; it belongs to [training]"),
        ("training.early_stopping=true", 'it is a callback: callbacks = ["early_stopping"] in [training]'),
        ("training.flatten=true", 'it is a layer: layers = [..., { type = "flatten", ... }] in [network]'),
        ("training.learning_rate=0.1", 'it is an option of the optimizer: { type = "adam", learning_rate = ... }'),
        ("training.class_weights=balanced", 'it is an option of the loss: { type = "cross_entropy", class_weights'),
        ("network.layers=[{type='linear',in_features=3,out_features=2}]", "leave it out: it is known from the layer"),
    ],
)
def test_what_does_not_fit(run, setting, message):
    assert message in run("check", "pets.toml", "--set", setting, status=2).stdout


@pytest.mark.parametrize(
    ("change", "note"),
    [
        (("pets.csv", "away.csv"), "away.csv does not exist: the data were not compared with the network"),
        (("[data]\ntrain", "[data]\nvalidation"), None),
    ],
    ids=["no file", "no path"],
)
def test_data_that_are_not_there(run, change, note):
    Path("pets.toml").write_text(Path("pets.toml").read_text().replace(*change))
    result = run("check", "pets.toml", status=0 if note else 2)
    assert note is None or result.stdout.splitlines()[1] == note


def test_an_unusual_end_is_a_note(run):
    layers = '[{type = "linear", out_features = 1}, "hard_sigmoid"]'
    Path("own.toml").write_text(
        f'[network]\ninput = [2]\nlayers = {layers}\n[training]\nloss = "binary_cross_entropy"\n'
    )
    note = "note: binary_cross_entropy usually follows sigmoid; output output ends with hard_sigmoid"
    assert run("check", "own.toml").stdout.splitlines()[1] == note


def test_an_activation_before_the_last_one_is_a_note(run):
    layers = '[{type = "linear", out_features = 2, activation = "softmax"}, "softmax"]'
    Path("own.toml").write_text(f'[network]\ninput = [2]\nlayers = {layers}\n[training]\nloss = "cross_entropy"\n')
    note = run("check", "own.toml").stdout.splitlines()[1]
    assert note.startswith('note: output "output": the softmax at its end takes any numbers, but the softmax before it')


def test_class_weights_of_0_for_the_first_rows_are_no_fault(run):
    weights = "training.loss={type='cross_entropy', class_weights=[0, 1]}"
    assert "no problems" in run("check", "pets.toml", "--set", weights).stdout


def test_a_network_alone(run):
    Path("pets.toml").write_text(Path("pets.toml").read_text().partition("[training]")[0])
    assert "no problems" in run("check", "pets.toml").stdout


def test_json(run):
    good = json.loads(run("check", "pets.toml", "--json").stdout)
    assert {key: good[key] for key in ("spec", "nodes", "parameters", "notes", "problems")} == {
        "spec": "pets.toml",
        "nodes": 5,
        "parameters": 50,
        "notes": [],
        "problems": [],
    }
    assert [column["name"] for column in good["columns"]] == ["size", "collar", "kind"]
    assert good["columns"][1]["read_as"].startswith("category of 2")
    assert sum(good["targets"][0]["classes"].values()) == 60
    assert 0.5 <= good["targets"][0]["base_rate"] < 0.6
    bad = json.loads(run("check", "pets.toml", "--json", "--set", "training.epochs=0", status=2).stdout)
    assert bad["problems"] == [
        {
            "file": "--set training.epochs=0",
            "line": 0,
            "column": 0,
            "length": 0,
            "path": "training.epochs",
            "message": "expected a whole number >= 1, found 0",
            "hint": "",
        }
    ]


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        (["training.schedule={type='plateau', monitor='validation_acuracy'}"], "training.schedule.monitor"),
        (
            ["training.schedule={type='plateau', monitor='validation_accuracy', mode='min'}"],
            "training.schedule.monitor",
        ),
        (["training.callbacks=[{type='early_stopping', monitor='validation_f1'}]"], "training.callbacks[0].monitor"),
        (
            ["data.validation=0.0", "training.callbacks=[{type='early_stopping', monitor='validation_accuracy'}]"],
            None,
        ),
    ],
)
def test_what_cannot_be_monitored(run, settings, place):
    options = [word for setting in settings for word in ("--set", setting)]
    for command in ("check", "train"):
        result = run(command, "pets.toml", *options, status=2)
        assert place is None or place in result.stdout + result.stderr
    assert not Path("pets.modnet").exists()


def test_a_label_in_the_last_row(run):
    import numpy as np

    data = dict(np.load("points.npz"))
    data["y"][-1] = 7
    np.savez("points.npz", **data)
    assert "found 7 in row 59" in run("check", "points.toml", status=2).stdout


@pytest.mark.parametrize("command", ["check", "summary"])
def test_a_network_of_any_size_is_looked_at_without_its_arrays(run, command):
    Path("large.toml").write_text("""\
[network]
input = [3]
layers = [{ type = "linear", out_features = 300_000_000 }]
""")
    assert "1,200,000,000" in run(command, "large.toml").stdout


def test_a_network_that_does_not_fit_is_not_tried(run, monkeypatch):
    monkeypatch.setattr("modnet.memory.limit", lambda: 10**6)
    monkeypatch.setattr("modnet.memory.SMALL", 0)
    run("check", "pets.toml")
    spec = Path("pets.toml").read_text()
    Path("pets.toml").write_text(spec.replace("out_features = 8", "out_features = 100_000"))
    message = (
        "note: no batch was tried: the network with all its arrays needs 2.4 MB of memory; this process can have 1 MB"
    )
    assert message in run("check", "pets.toml").stdout
    assert "the network with all its arrays needs 2.4 MB" in run("train", "pets.toml", status=2).stderr


@pytest.mark.parametrize("part", ["train", "validation"])
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("label", "found 7 in row 50"),
        ("nan", 'input "input" contains nan in row 50'),
        ("width", r"expected an array of shape \(batch, 2\), found \(60, 3\)"),
    ],
)
def test_faults_of_arrays_name_the_file_and_stand_at_its_key(run, folder, part, fault, message):
    with np.load("points.npz") as good:
        x, y = good["x"].copy(), good["y"].copy()
    if fault == "label":
        y[50] = 7
    elif fault == "nan":
        x[50, 1] = np.nan
    else:
        x = np.zeros((60, 3))
    np.savez("bad.npz", x=x, y=y)
    setting = f"data.{part}=bad.npz"
    checked = run("check", "points.toml", "--set", setting, status=2)
    assert re.search(rf"data\.{part}: bad\.npz: .*{message}", checked.output), checked.output
    trained = run("train", "points.toml", "--set", setting, status=2)
    assert re.search(rf"^error: bad\.npz: .*{message}", trained.stderr, re.MULTILINE), trained.stderr
    assert not (folder / "points.modnet").exists()


def test_faults_of_a_table_name_the_row_and_the_line_of_its_file(run, folder):
    lines = (folder / "pets.csv").read_text().splitlines()
    kind, _, collar = lines[71].split(",")
    lines[71] = f"{kind},1e39,{collar}"
    (folder / "pets.csv").write_text("\n".join(lines) + "\n")
    for command in ("check", "train"):
        result = run(command, "pets.toml", status=2)
        assert re.search(r'pets\.csv: input "input", feature 0: found 1e\+39 in row 71 \(line 72\)', result.output), (
            result.output
        )


def test_a_part_of_a_file_is_named_with_its_bounds(run, folder):
    with np.load("points.npz") as good:
        x, y = good["x"], good["y"].copy()
    y[50] = 7
    np.savez("points.npz", x=x, y=y)
    setting = 'data.train={ path = "points.npz", rows = [20, 60] }'
    result = run("check", "points.toml", "--set", setting, status=2)
    assert re.search(r"points\.npz, rows = \[20, 60\]: .* found 7 in row 30", result.output), result.output


def test_a_short_name_of_a_figure_is_understood_in_the_message(run):
    setting = 'training.callbacks=[{ type = "early_stopping", monitor = "val_accuracy" }]'
    result = run("check", "pets.toml", "--set", setting, status=2)
    assert 'no figure is called "val_accuracy"; did you mean "validation_accuracy"? this run has: loss' in result.output


def test_a_table_to_validate_with_that_does_not_fit_stands_at_its_key(run, folder):
    header, first, rest = (folder / "pets.csv").read_text().split("\n", 2)
    kind, _, collar = first.split(",")
    (folder / "more.csv").write_text(f"{header}\n{kind},wide,{collar}\n{rest}")
    result = run("check", "pets.toml", "--set", "data.validation=more.csv", status=2)
    assert re.search(
        r'data\.validation: more\.csv: row 1 \(line 2\), column size: expected a number, found "wide"', result.output
    )


def test_a_metric_that_is_monitored_and_not_recorded(run):
    settings = ["training.metrics=[]", "training.callbacks=[{type='early_stopping', monitor='validation_accuracy'}]"]
    result = run("check", "pets.toml", *[word for setting in settings for word in ("--set", setting)], status=2)
    assert 'accuracy is a metric; record it with metrics = ["accuracy"] in [training]' in result.output


def test_data_without_a_file_are_those_of_rows_in_python(run):
    spec = Path("pets.toml")
    spec.write_text(spec.read_text().replace('train = "pets.csv"\n', ""))
    assert run("check", "pets.toml").stdout.splitlines()[1:] == [
        "[data] has no train: the data were not compared with the network"
    ]
    told = run("train", "pets.toml", status=2).stderr
    assert told.startswith('pets.toml:17:1: data: missing key "train": the file with the training data\n')
    assert "or give the rows: modnet.train(spec, rows)" in told
