"""A spec is written again with other values: its comments and its order stay, and it reads as it should."""

import textwrap
import tomllib

import pytest

from modnet.specs.rewrite import rewritten, toml_text

SPEC = """\
# penguins
[network]
input = [10]  # five numbers and five categories
layers = [
  "standardize",
  { type = "linear", out_features = 32 },  # wide enough
  {},
]

[training]
loss = "mse"
optimizer = { type = "adam", learning_rate = 1e-3 }

  [training.schedule]
  type = "cosine"

[search]  # what is looked for
trials = 20
training.epochs = { choices = [
  1,
  2,
] }

# the rows
[data]
train = "a.csv"
"""


def changed(changes, text=SPEC):
    values = tomllib.loads(text)
    return rewritten(text, values, changes, "found")


def test_values_change_where_they_stand():
    text = changed(
        {
            ("network", "layers", 1, "out_features"): 64,
            ("network", "layers", 0, "epsilon"): 0.1,
            ("network", "layers", 2, "type"): "relu",
            ("training", "optimizer", "learning_rate"): 0.02,
            ("training", "batch_size"): 16,
            ("training", "schedule", "warmup_epochs"): 2,
        }
    )
    assert text == textwrap.dedent(
        """\
        # penguins
        [network]
        input = [10]  # five numbers and five categories
        layers = [
          { type = "standardize", epsilon = 0.1 },
          { type = "linear", out_features = 64 },  # wide enough
          { type = "relu" },
        ]

        [training]
        loss = "mse"
        optimizer = { type = "adam", learning_rate = 0.02 }
        batch_size = 16

          [training.schedule]
          type = "cosine"
        warmup_epochs = 2

        # found
        # [search]  # what is looked for
        # trials = 20
        # training.epochs = { choices = [
        #   1,
        #   2,
        # ] }

        # the rows
        [data]
        train = "a.csv"
        """
    )


def test_a_table_within_a_table_and_an_outer_value_before_an_inner_one():
    text = changed(
        {("training", "optimizer"): {"type": "sgd", "momentum": 0.9}, ("training", "optimizer", "learning_rate"): 0.5}
    )
    assert 'optimizer = { type = "sgd", momentum = 0.9, learning_rate = 0.5 }\n' in text


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (SPEC, ("training", "schedule")),  # a table with a header of its own is to be another one
        (
            "[training]\nloss = 'mse'\n[search.training]\nseed = [1]\n[data]\na = 1\n[search.data]\nx = 1\n",
            ("training", "loss"),
        ),
    ],
)
def test_what_cannot_be_edited_is_written_anew(text, path):
    values = tomllib.loads(text)
    del values["search"]
    values["training"][path[-1]] = {"type": "constant"}
    found = changed({path: {"type": "constant"}}, text)
    assert found.startswith("# found\n\n")
    assert tomllib.loads(found) == values


def test_a_header_of_a_list_of_tables():
    text = "[[network.layers]]\ntype = 'linear'\nout_features = 3\n[[network.layers]]\ntype = 'relu'\n"
    found = changed({("network", "layers", 0, "out_features"): 5, ("network", "layers", 1, "name"): "r"}, text)
    assert found == f'# found\n\n{text.replace("3", "5")}name = "r"\n'


def test_toml_of_any_values():
    values = {
        "a": 'say "x" \\ \n\x7f é',
        "network": {
            "odd key.": [1, 2.5, True, None, {"x": None, "y": "z"}, {}],
            "infinite": float("-inf"),
            "small": 1e-07,
            "long": ["x" * 30] * 5,
        },
    }
    expected = {**values, "network": {**values["network"], "odd key.": [1, 2.5, True, "variable", {"y": "z"}, {}]}}
    assert tomllib.loads(toml_text(values)) == expected
