"""A folder with a spec and data, in which commands are run."""

import sys

import numpy as np
import pytest

pytest.importorskip("click", reason="the command line needs the extra cli")
pytest.importorskip("rich", reason="the command line needs the extra cli")

from click.testing import CliRunner

from modnet.cli.app import cli

SPEC = """\
[network]
input = [3]
layers = [
  "standardize",
  { type = "linear", out_features = 8, activation = "tanh" },
  { type = "linear", out_features = 2 },
  "softmax",
]

[training]
loss = "cross_entropy"
metrics = ["accuracy"]
epochs = 3
batch_size = 8
optimizer = { type = "adam", learning_rate = 0.05 }

[data]
train = "pets.csv"
target = "kind"
validation = 0.25
"""

ARRAYS = """\
[network]
input = [2]
layers = [{ type = "linear", out_features = 3 }, "softmax"]

[training]
loss = "cross_entropy"
metrics = ["accuracy", "confusion_matrix"]
epochs = 2

[data]
train = "points.npz"
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder: a table with its spec, and arrays with theirs."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    rows = [
        f"{kind},{rng.normal(size, 1):.2f},{rng.choice(['red', 'blue'])}"
        for kind, size in (("cat", 4), ("dog", 9))
        for _ in range(40)
    ]
    (tmp_path / "pets.csv").write_text("\n".join(["kind,size,collar", *rows]) + "\n")
    (tmp_path / "pets.toml").write_text(SPEC)
    labels = np.arange(60) % 3
    points = rng.standard_normal((60, 2)) + 3.0 * labels[:, None]
    np.savez(tmp_path / "points.npz", x=points, y=labels)
    (tmp_path / "points.toml").write_text(ARRAYS)
    return tmp_path


@pytest.fixture
def run(folder, monkeypatch):
    """run("train", "pets.toml") runs a command of a process that is just starting."""
    monkeypatch.setattr("modnet.plugins.registry._default", None)
    before = set(sys.modules)

    def run(*arguments, status=0, **options):
        result = CliRunner().invoke(cli, [str(argument) for argument in arguments], prog_name="modnet", **options)
        assert status is None or result.exit_code == status, result.output
        return result

    yield run
    for name in set(sys.modules) - before:
        if name.startswith("plugin_file_"):
            del sys.modules[name]


@pytest.fixture
def model(run):
    """The model file of pets.toml."""
    run("train", "pets.toml")
    return "pets.modnet"
