"""The `[search]` table: every range is checked against the value that it is for, and faults have their places."""

import textwrap

import pytest

import modnet

SPEC = """\
[network]
input = [3]
layers = [
  { type = "linear", out_features = 8, activation = "tanh" },
  { type = "dropout", rate = 0.1 },
  { type = "linear", out_features = 2 },
  "softmax",
]

[training]
loss = "cross_entropy"
metrics = ["accuracy"]
optimizer = "adam"

[search]
"""


A_PATH = "a path begins with network, training or data, as in training.optimizer.learning_rate"


def read(tmp_path, text, suffix=".toml"):
    path = tmp_path / f"spec{suffix}"
    path.write_text(SPEC + textwrap.dedent(text) if suffix == ".toml" else text)
    spec, _ = modnet.read_spec(path)
    return spec


def faults(tmp_path, text):
    """(line after [search], marked text, message) of each fault."""
    with pytest.raises(modnet.SpecError) as caught:
        read(tmp_path, text)
    first = SPEC.count("\n")
    return [
        (p.line - first, p.excerpt[p.column - 1 : p.column - 1 + p.length], p.message) for p in caught.value.problems
    ]


def test_ranges_of_all_kinds(tmp_path):
    spec = read(
        tmp_path,
        """\
        trials = 7
        training.optimizer.learning_rate = { low = 1e-4, high = 1e-1, log = true }
        "training.batch_size" = { choices = [16, 32] }
        network.layers.dropout.rate = { low = 0, high = 0.5 }
        network.layers.linear_1.activation = { choices = ["relu", { type = "elu", alpha = 0.5 }] }
        [search.network.layers.0]
        out_features = { low = 8, high = 64, step = 8 }
        """,
    )
    assert spec.search.trials == 7
    ranges = spec.search.ranges
    assert list(ranges) == [
        "training.optimizer.learning_rate",
        "training.batch_size",
        "network.layers.dropout.rate",
        "network.layers.linear_1.activation",
        "network.layers.0.out_features",
    ]
    assert ranges["training.batch_size"].choices == (16, 32)
    whole, real = ranges["network.layers.0.out_features"], ranges["network.layers.dropout.rate"]
    assert [type(value) for value in (whole.low, whole.high, whole.step)] == [int, int, int]
    assert [type(value) for value in (real.low, real.high)] == [float, float]  # dropout takes any number


def test_the_plain_form_reads_as_the_same_spec(tmp_path):
    spec = read(
        tmp_path, "training.batch_size = { low = 1, high = 64 }\ntraining.optimizer = { choices = ['adam', 'sgd'] }"
    )
    again, _ = modnet.read_spec(spec.plain())
    assert again == spec
    assert spec.plain()["search"]["training.batch_size"] == {"low": 1, "high": 64}


def test_a_range_within_choices_has_to_fit_each_of_them(tmp_path):
    inner = '"training.optimizer.momentum" = { low = 0.1, high = 0.9 }\n'
    told = faults(tmp_path, 'training.optimizer = { choices = ["sgd", "adam"] }\n' + inner)
    assert told == [(2, '"training.optimizer.momentum"', told[0][2])]
    assert told[0][2].startswith('"momentum" is no key of the spec: unknown key')
    both = '"training.optimizer.learning_rate" = { low = 0.1, high = 0.9 }\n'
    assert len(read(tmp_path, 'training.optimizer = { choices = ["sgd", "adam"] }\n' + both).search.ranges) == 2


@pytest.mark.parametrize(
    ("line", "marked", "message"),
    [
        ("trails = 5", "trails", 'unknown key; did you mean "trials"?'),
        (
            "training.optimiser.learning_rate = { low = 0.1, high = 0.2 }",
            "optimiser",
            '"optimiser" is no key of the spec: unknown key; did you mean "optimizer"?',
        ),
        (
            '"training.optimizer.learning_rates" = { low = 0.1, high = 0.2 }',
            '"training.optimizer.learning_rates"',
            '"learning_rates" is no key of the spec: unknown key; did you mean "learning_rate"?',
        ),
        ("network.layers.dropout.rate = { low = 0, high = 1.5 }", "1.5", "expected a number >= 0 and < 1, found 1.5"),
        ("training.batch_size = { low = 0, high = 8 }", "0", "expected a whole number >= 1, found 0"),
        ("training.batch_size = { low = 2, high = 8, step = 0.5 }", "0.5", "expected a whole number >= 1, found 2.5"),
        ("training.batch_size = { low = 1.5, high = 8 }", "1.5", "expected a whole number >= 1, found 1.5"),
        (
            'network.layers.0.activation = { choices = ["relu", "tahn"] }',
            '"tahn"',
            'unknown activation "tahn"; did you mean "tanh"?',
        ),
        (
            'training.optimizer = { choices = ["adam", { type = "sgd", momentun = 0.9 }] }',
            "momentun",
            'unknown key; did you mean "momentum"?',
        ),
        (
            "network.layers.linear_7.out_features = { choices = [16, 32] }",
            "out_features",
            '"linear_7" is not an index of a list of 4 items, nor the name of one; did you mean "linear_2"?',
        ),
        ("training.epochs = { low = 10, high = 5 }", "{ low = 10, high = 5 }", "low = 10 is above high = 5"),
        ("training.epochs = { low = 5, high = 5 }", "{ low = 5, high = 5 }", "low = 5 is high = 5"),
        (
            "training.epochs = [5, 10]",
            "[5, 10]",
            "expected a range such as { low = 1e-4, high = 1e-2, log = true } or { choices = [16, 32] }, found [5, 10]",
        ),
        (
            "training.epochs = { min = 5, high = 6 }",
            "min",
            "unknown key; expected one of: low, high, step, log, choices",
        ),
        (
            "training.epochs = { low = 5 }",
            "{ low = 5 }",
            "expected low and high, or choices; high missing",
        ),
        (
            "training.epochs = { choices = [5] }",
            "{ choices = [5] }",
            "choices has 1 value; a search needs at least two",
        ),
        ("training.epochs = { choices = [5, 6, 5] }", "{ choices = [5, 6, 5] }", "choices has 5 twice"),
        (
            "training.epochs = { choices = [5, 6], low = 3 }",
            "{ choices = [5, 6], low = 3 }",
            "give either choices or low and high; found choices and low",
        ),
        (
            "training.optimizer.epsilon = { low = 0, high = 1, log = true }",
            "{ low = 0, high = 1, log = true }",
            "low = 0 has no logarithm; with log = true expected a number > 0",
        ),
        (
            "training.epochs = { low = 1, high = 4, step = 4 }",
            "{ low = 1, high = 4, step = 4 }",
            "step = 4 is greater than high - low = 3",
        ),
        (
            "data.validation = { choices = [0.1, 0.2] }",
            "{ choices = [0.1, 0.2] }",
            "data.validation is the same for all trials, which are compared on the same rows",
        ),
        (
            '"trainig.seed" = { low = 0, high = 3 }',
            '"trainig.seed"',
            f'{A_PATH}; did you mean "training"?',
        ),
        (
            "training = { choices = [1, 2] }",
            "training",
            f"training is a whole table; {A_PATH}",
        ),
        ("ranges = 5", "ranges", "unknown key; ranges are directly in [search]"),
    ],
)
def test_a_fault_has_its_place(tmp_path, line, marked, message):
    other = "" if line.startswith("training = ") else "training.seed = { choices = [1, 2] }\n"
    assert faults(tmp_path, f"{other}{line}") == [(1 + bool(other), marked, message)]


def test_every_fault_is_reported_at_once(tmp_path):
    told = faults(
        tmp_path, "trails = 3\ntraining.epochs = { low = 0, high = -1 }\ntraining.batchsize = [1]\nsampler = 'tpo'"
    )
    assert [line for line, _, _ in told] == [1, 2, 3, 4]


def test_no_range_at_all(tmp_path):
    assert [message for _, _, message in faults(tmp_path, "trials = 3")] == [
        "there is no range; expected one such as training.batch_size = { choices = [16, 32] }"
    ]


def test_two_ranges_for_one_value(tmp_path):
    text = 'training.epochs = { low = 1, high = 2 }\n"training.epochs" = { low = 1, high = 3 }'
    assert faults(tmp_path, text)[0][2] == "training.epochs has two ranges"


def test_a_loss_is_not_compared_with_another_loss(tmp_path):
    losses = "training.loss = { choices = ['cross_entropy', 'focal'] }"
    assert "cannot be compared by their loss" in faults(tmp_path, losses)[0][2]
    assert read(tmp_path, f"monitor = 'validation_accuracy'\n{losses}").search.monitor == "validation_accuracy"


def test_json(tmp_path):
    text = """{"network": {"input": [2], "layers": [{"type": "linear", "out_features": 2}]},
     "training": {"loss": "mse"},
     "search": {"training": {"batch_size": {"low": 8, "high": 1}}}}"""
    with pytest.raises(modnet.SpecError) as caught:
        read(tmp_path, text, ".json")
    (problem,) = caught.value.problems
    assert (problem.line, problem.path) == (3, "search.training.batch_size")


def test_training_ignores_the_table():
    spec = {
        "network": {"input": [2], "layers": [{"type": "linear", "out_features": 1}]},
        "training": {"loss": "mse", "epochs": 1},
        "search": {"training.epochs": {"low": 5, "high": 9}},
    }
    history = modnet.train(modnet.build(spec), [[0.0, 1.0]] * 4, [[1.0]] * 4)
    assert history.epochs == 1
